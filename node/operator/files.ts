/** Write whole files that survive a power cut; keep secret ones from other users. */
import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCode } from '../storage/error.ts';
import { OperatorError } from './error.ts';

const secretMode = 0o600;
const publicMode = 0o644;
const folderMode = 0o700;
/** Bits that let others in. */
const othersMask = 0o077;

/** Makes a folder, with its parents, that only its owner may enter. @throws OperatorError */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: folderMode });
  } catch (cause) {
    // On a disk that is read-only, making all parents fails as if one were missing.
    throw unusable(
      path,
      await mkdir(path).then(
        () => cause,
        (plain: unknown) => plain,
      ),
    );
  }
}

/** Writes a file whole or not at all; one that is there is replaced. @throws OperatorError */
export async function writeWhole(path: string, content: string | Uint8Array): Promise<void> {
  await place(path, content, publicMode, rename);
}

/**
 * Writes a file unless there is one already.
 * @returns false if there was one: it is left as it is.
 * @throws OperatorError
 */
export function writeOnce(path: string, content: string): Promise<boolean> {
  return place(path, content, publicMode, linkOnce);
}

/** As {@link writeOnce}, and only its owner may read it. */
export function writeSecretOnce(path: string, content: string): Promise<boolean> {
  return place(path, content, secretMode, linkOnce);
}

/** A link never replaces what is there, and shows the whole file at once. */
async function linkOnce(draft: string, target: string): Promise<boolean> {
  try {
    await link(draft, target);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

async function place<T>(
  path: string,
  content: string | Uint8Array,
  mode: number,
  put: (draft: string, target: string) => Promise<T>,
): Promise<T> {
  const draft = `${path}.${randomUUID()}.draft`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: folderMode });
    const file = await open(draft, 'wx', mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    const result = await put(draft, path);
    await syncFolder(dirname(path));
    return result;
  } catch (cause) {
    await rm(draft, { force: true }).catch(() => undefined);
    throw unusable(path, cause);
  }
}

async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return; // Its folders cannot be opened.
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Reads a file of at most `bytesMax` bytes; null if there is none, `too-long` if it is longer. */
export async function readBounded(
  path: string,
  bytesMax: number,
): Promise<Uint8Array | null | 'too-long'> {
  try {
    const found = await stat(path);
    if (found.size > bytesMax) return 'too-long';
    return new Uint8Array(await readFile(path));
  } catch (cause) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(cause))) return null;
    throw unusable(path, cause);
  }
}

/**
 * Refuses a file or folder that others may read, change or enter. Windows has no such modes.
 * @throws OperatorError `KEY_MODE`
 */
export async function checkPrivate(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  let found: Awaited<ReturnType<typeof stat>>;
  try {
    found = await stat(path);
  } catch (cause) {
    throw unusable(path, cause);
  }
  if ((found.mode & othersMask) === 0) return;
  const mode = (found.mode & 0o777).toString(8).padStart(3, '0');
  throw new OperatorError({
    code: 'KEY_MODE',
    path,
    mode,
    wanted: found.isDirectory() ? '700' : '600',
  });
}

function unusable(path: string, cause: unknown): OperatorError {
  if (cause instanceof OperatorError) return cause;
  const denied = ['EACCES', 'EPERM'].includes(systemCode(cause));
  const userId = denied ? (process.getuid?.() ?? null) : null;
  const reason = (cause as Error).message;
  return new OperatorError({ code: 'DIRECTORY_UNUSABLE', path, reason, userId }, cause);
}
