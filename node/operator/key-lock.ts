/** Hold a key on this machine, so that no second process signs with it. */
import { lstat } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { concatBytes, hex, utf8 } from '../../protocol/brand.ts';
import { nativeSha256 } from '../crypto.ts';
import { StorageError, systemCode } from '../storage/error.ts';
import { openLevelStore } from '../storage/level.ts';
import { OperatorError } from './error.ts';
import { makeFolder } from './files.ts';

/** Milliseconds that the holder of a lock has to say who it is. */
const answerMsMax = 1_000;
const answerBytesMax = 4_096;

/** Held until it is released, or its process ends in whatever way. */
export type KeyLock = { readonly release: () => Promise<void> };

/**
 * `name`: a name that only the kernel keeps (an abstract socket on Linux, a pipe on Windows):
 * nothing on disk, so nothing stale, and no sweeper of old files can take it away.
 * `folder`: where systems know no such names, a database that nothing is written to; its file
 * lock ends with its process.
 */
export type LockWay = 'name' | 'folder';

export function usualLockWay(): LockWay {
  return ['linux', 'win32'].includes(process.platform) ? 'name' : 'folder';
}

/**
 * Takes the lock of a key. Whatever the data directories are, one process of this machine has it.
 *
 * The lock's name comes from the secret, so that nobody else can take it beforehand.
 * @param seed - The key's secret bytes, with whatever it is locked for.
 * @param directory - Data directory of this process, for whoever is refused.
 * @throws OperatorError `KEY_LOCKED`
 */
export function lockKey(
  seed: Uint8Array,
  directory: string,
  way: LockWay = usualLockWay(),
): Promise<KeyLock> {
  const name = nativeSha256(concatBytes(utf8('anwansi/key-lock'), seed));
  return way === 'name' ? lockByName(hex(name), directory) : lockByFolder(name);
}

async function lockByName(name: string, directory: string): Promise<KeyLock> {
  const path =
    process.platform === 'win32' ? `\\\\.\\pipe\\anwansi-key-${name}` : `\0anwansi-key-${name}`;
  const holder = JSON.stringify({ processId: process.pid, directory });
  const server = createServer((socket) => {
    socket.on('error', () => undefined).setTimeout(answerMsMax, () => socket.destroy());
    socket.unref().end(holder);
  });
  try {
    await listening(server, path);
  } catch (cause) {
    if (systemCode(cause) !== 'EADDRINUSE') throw cause;
    throw new OperatorError({ code: 'KEY_LOCKED', ...(await holderOf(path)) }, cause);
  }
  server.unref();
  return {
    release: () => new Promise((resolve) => void server.close(() => resolve())),
  };
}

function listening(server: Server, path: string): Promise<AddressInfo | string | null> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      // A connection that breaks while it is accepted is no reason to end.
      server.on('error', () => undefined);
      resolve(server.address());
    });
  });
}

type Holder = { readonly processId: number | null; readonly directory: string | null };

/** What the holder says of itself: a courtesy that may be missing or wrong. */
function holderOf(path: string): Promise<Holder> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(path);
    const end = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(readHolder(text));
    };
    const timer = setTimeout(end, answerMsMax);
    socket.setEncoding('utf8').on('data', (part) => {
      text += part;
      if (text.length > answerBytesMax) end();
    });
    socket.on('error', end).on('close', end);
  });
}

function readHolder(text: string): Holder {
  try {
    const { processId, directory } = JSON.parse(text);
    const printable = typeof directory === 'string' && !/\p{C}/u.test(directory);
    return {
      processId: Number.isSafeInteger(processId) ? processId : null,
      directory: printable ? directory : null,
    };
  } catch {
    return { processId: null, directory: null };
  }
}

async function lockByFolder(name: Uint8Array): Promise<KeyLock> {
  const directory = join(await runtimeFolder(), `key-${hex(name)}`);
  try {
    const store = await openLevelStore({ directory, network: name });
    return { release: () => store.close() };
  } catch (cause) {
    if (!(cause instanceof StorageError) || cause.detail.code !== 'STORE_LOCKED') throw cause;
    const { processId } = cause.detail;
    throw new OperatorError({ code: 'KEY_LOCKED', processId, directory: null }, cause);
  }
}

/** A folder of this user's, the same for all data directories. @throws `DIRECTORY_UNSAFE` */
async function runtimeFolder(): Promise<string> {
  const user = process.getuid?.() ?? 0;
  const own = process.env.XDG_RUNTIME_DIR;
  const path = own ? join(own, 'anwansi') : join(tmpdir(), `anwansi-${user}`);
  await makeFolder(path);
  // Not what a link leads to: in a shared folder somebody else may have laid it.
  const found = await lstat(path);
  const unsafe = (reason: string): OperatorError =>
    new OperatorError({ code: 'DIRECTORY_UNSAFE', path, reason });
  if (!found.isDirectory()) throw unsafe('it is no folder');
  if (found.uid !== user) throw unsafe(`it belongs to user ${found.uid}`);
  if ((found.mode & 0o077) !== 0) throw unsafe('others may enter it');
  return path;
}
