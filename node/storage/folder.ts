/** Lay files out by name; write each one whole or not at all. */
import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { hex } from '../../protocol/brand.ts';
import { parseCid } from '../../protocol/merkle/blob.ts';
import { isFull, StorageError, systemCode } from './error.ts';

/** Folder, beside the blobs, of files that are being written. */
const draftFolder = 'draft';

/** Files under two levels of folders: at most 65,536 folders, whatever their number. */
export type BlobFolder = {
  /** What was there at the start, longest unchanged first. */
  readonly found: readonly { readonly name: string; readonly bytes: number }[];
  readonly pathOf: (name: string) => string;
  /** Returns when the file survives a power cut. @throws BLOB_NO_SPACE, BLOB_FAILED */
  readonly write: (name: string, bytes: Uint8Array) => Promise<void>;
  /** Begins a file whose name comes out only at its end. @throws BLOB_NO_SPACE, BLOB_FAILED */
  readonly begin: () => Promise<DraftFile>;
  /** Removes a file; one that is not there is fine. */
  readonly remove: (name: string) => Promise<void>;
};

/** A file that is being written. Until it is kept, nothing but a sweep at the start finds it. */
export type DraftFile = {
  readonly append: (bytes: Uint8Array) => Promise<void>;
  /** Gives it its name; returns when the file survives a power cut. */
  readonly keep: (name: string) => Promise<void>;
  /** Removes it; does nothing once it is kept. */
  readonly discard: () => Promise<void>;
};

/** Opens a folder, makes it if needed, and sweeps away what was left half written. */
export async function openFolder(directory: string): Promise<BlobFolder> {
  try {
    await rm(join(directory, draftFolder), { recursive: true, force: true });
    await mkdir(join(directory, draftFolder), { recursive: true, mode: 0o700 });
    const found = await survey(directory);
    return folder(directory, found);
  } catch (cause) {
    throw new StorageError({ code: 'BLOB_FAILED', path: directory, action: 'open' }, { cause });
  }
}

function folder(directory: string, found: BlobFolder['found']): BlobFolder {
  const pathOf = (name: string): string => {
    // The last four bytes of the digest: the first ones of an id are the same for all.
    const digest = hex(parseCid(name)!).slice(-4);
    return join(directory, digest.slice(0, 2), digest.slice(2), name);
  };
  const begin = async (): Promise<DraftFile> => {
    const draft = join(directory, draftFolder, randomUUID());
    let bytes = 0;
    let done = false;
    const failed = (cause: unknown): StorageError =>
      isFull(cause)
        ? new StorageError({ code: 'BLOB_NO_SPACE', directory, bytes }, { cause })
        : new StorageError({ code: 'BLOB_FAILED', path: draft, action: 'write' }, { cause });
    const guarded = async (work: () => Promise<void>): Promise<void> => {
      try {
        await work();
      } catch (cause) {
        throw failed(cause);
      }
    };
    const file = await open(draft, 'wx', 0o600).catch((cause: unknown) => {
      throw failed(cause);
    });
    return {
      append: (piece) =>
        guarded(async () => {
          bytes += piece.length;
          await file.writeFile(piece);
        }),
      keep: (name) =>
        guarded(async () => {
          const path = pathOf(name);
          const made = await mkdir(dirname(path), { recursive: true, mode: 0o700 });
          await file.sync();
          await file.close();
          await rename(draft, path);
          done = true;
          await syncFolder(dirname(path));
          if (made === undefined) return;
          await syncFolder(dirname(dirname(path)));
          await syncFolder(directory);
        }),
      discard: async () => {
        if (done) return;
        await file.close().catch(() => {});
        await rm(draft, { force: true }).catch(() => {});
      },
    };
  };
  const write: BlobFolder['write'] = async (name, bytes) => {
    const draft = await begin();
    try {
      await draft.append(bytes);
      await draft.keep(name);
    } finally {
      await draft.discard();
    }
  };
  const remove = async (name: string): Promise<void> => {
    const path = pathOf(name);
    try {
      await rm(path, { force: true });
    } catch (cause) {
      throw new StorageError({ code: 'BLOB_FAILED', path, action: 'write' }, { cause });
    }
  };
  return { found, pathOf, write, begin, remove };
}

/** Makes a rename survive a power cut, where the system can (Windows cannot open folders). */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function survey(directory: string): Promise<BlobFolder['found']> {
  const found: { name: string; bytes: number; changedMs: number }[] = [];
  for (const first of await folders(directory)) {
    for (const second of await folders(join(directory, first))) {
      const within = join(directory, first, second);
      for (const name of await readdir(within)) {
        if (parseCid(name) === null) continue;
        const { size, mtimeMs } = await stat(join(within, name));
        found.push({ name, bytes: size, changedMs: mtimeMs });
      }
    }
  }
  return found.sort((a, b) => a.changedMs - b.changedMs || (a.name < b.name ? -1 : 1));
}

async function folders(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory() && /^[0-9a-f]{2}$/.test(entry.name))
      .map(({ name }) => name);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
}
