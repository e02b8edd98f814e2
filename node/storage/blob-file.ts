/** Read blobs' files, and check them against their names: once for each time they change. */
import type { BigIntStats } from 'node:fs';
import { type FileHandle, open, readFile, stat } from 'node:fs/promises';
import { sameBytes } from '../../protocol/brand.ts';
import type { Digest } from '../../protocol/crypto/hash.ts';
import { recent } from '../../protocol/crypto/recent.ts';
import {
  blobBlockCountMax,
  type Cid,
  emptyBlob,
  type FinishedBlob,
  finishBlob,
  pushBlock,
} from '../../protocol/merkle/blob.ts';
import { blobBlockBytes } from '../../protocol/params.ts';
import { nativeSha256 } from '../crypto.ts';
import { isList, isNamedUnhurried } from './naming.ts';

/** Files of which it is remembered that they were checked, and manifests that are kept. */
const checkedCountMax = 65_536;
const manifestCountMax = 256;

/** What is known of files. A file that is not there is an error with the code ENOENT. */
export type BlobChecks = {
  /** Whether a file holds what `cid` names; not read again while its size and time stay. */
  readonly holds: (cid: Cid, path: string) => Promise<boolean>;
  /** The manifest of a file that holds what `cid` names; null for one that needs none. */
  readonly manifest: (cid: Cid, path: string) => Promise<Uint8Array | null>;
};

/** Nothing checked yet. */
export function openChecks(): BlobChecks {
  const checked = recent<string>(checkedCountMax);
  const manifests = recent<Uint8Array>(manifestCountMax);

  const naming = new Map<string, Promise<FinishedBlob | null>>();

  // Many may ask for a long blob at once: it is read for all of them together.
  const remember = (cid: Cid, path: string, state: string): Promise<FinishedBlob | null> => {
    const key = `${path} ${state}`;
    const begun = naming.get(key);
    if (begun !== undefined) return begun;
    const named = nameFile(cid, path)
      .then((finished) => {
        if (finished !== null && finished.manifest !== null) manifests.set(path, finished.manifest);
        return finished;
      })
      .finally(() => naming.delete(key));
    naming.set(key, named);
    return named;
  };
  const stateOf = async (path: string): Promise<string> =>
    identity(await stat(path, { bigint: true }));
  return {
    holds: async (cid, path) => {
      const state = await stateOf(path);
      if (checked.get(path) === state) return true;
      const finished = await remember(cid, path, state);
      if (finished !== null) checked.set(path, state);
      return finished !== null;
    },
    manifest: async (cid, path) =>
      manifests.get(path) ?? (await remember(cid, path, await stateOf(path)))?.manifest ?? null,
  };
}

/** The bytes of a file, or null if they are not what `cid` names. */
export async function readBlob(cid: Cid, path: string): Promise<Uint8Array | null> {
  const buffer = await readFile(path);
  const bytes = new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  return (await isNamedUnhurried(cid, bytes)) ? bytes : null;
}

/** Block `index` of a file; null beyond its end. An empty file has one empty block. */
export async function readFileBlock(path: string, index: number): Promise<Uint8Array | null> {
  const file = await open(path, 'r');
  try {
    const block = await blockAt(file, index);
    return block.length === 0 && index > 0 ? null : block;
  } finally {
    await file.close();
  }
}

function identity({ ino, size, mtimeNs }: BigIntStats): string {
  return `${ino} ${size} ${mtimeNs}`;
}

/** Names a file block by block; null if it is not what `cid` names. */
async function nameFile(cid: Cid, path: string): Promise<FinishedBlob | null> {
  if (isList(cid)) {
    const bytes = await readBlob(cid, path);
    return bytes === null ? null : { cid, size: bytes.length, manifest: null };
  }
  const file = await open(path, 'r');
  try {
    let draft = emptyBlob;
    for (let index = 0; ; index++) {
      const block = await blockAt(file, index);
      if (block.length === 0) break;
      if (index === blobBlockCountMax) return null;
      draft = pushBlock(draft, nativeSha256(block) as Digest, block.length);
      if (block.length < blobBlockBytes) break;
    }
    const finished = finishBlob(draft);
    return sameBytes(finished.cid, cid) ? finished : null;
  } finally {
    await file.close();
  }
}

/** One block of a file, full unless the file ends in it. */
async function blockAt(file: FileHandle, index: number): Promise<Uint8Array> {
  const block = new Uint8Array(blobBlockBytes);
  let filled = 0;
  while (filled < blobBlockBytes) {
    const position = index * blobBlockBytes + filled;
    const { bytesRead } = await file.read(block, filled, blobBlockBytes - filled, position);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return block.subarray(0, filled);
}
