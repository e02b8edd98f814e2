/** Keep blobs on disk by content id: checked on read, bounded by a quota. */

import { randomUUID } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { assert, mark } from '../../protocol/assert.ts';
import type { Digest } from '../../protocol/crypto/hash.ts';
import {
  type Cid,
  emptyBlob,
  finishBlob,
  listBlobStretches,
  pushBlock,
} from '../../protocol/merkle/blob.ts';
import { blobBlockBytes } from '../../protocol/params.ts';
import { nativeSha256 } from '../crypto.ts';
import type { BlobStore } from '../ports.ts';
import { unhurried } from '../unhurried.ts';
import { openChecks, readBlob, readFileBlock } from './blob-file.ts';
import { StorageError, systemCode } from './error.ts';
import { type BlobFolder, openFolder } from './folder.ts';
import { isList, isNamedUnhurried, nameBlob, nameText, pinName } from './naming.ts';
import { openQuota, type Quota } from './quota.ts';
import { type Turns, turns } from './turns.ts';

/** The blob store with what the network's side needs besides. */
export type Blobs = BlobStore & {
  /** Stores the bytes of a known blob or list. @throws BLOB_MISMATCH if they are others. */
  readonly putAs: (cid: Uint8Array, bytes: Uint8Array) => Promise<void>;
  /**
   * Stores an upload as it comes, holding one block of it; what a failing source gave is removed.
   * @throws BlobError `BLOB_TOO_LONG`, {@link StorageError} `BLOB_QUOTA`, the source's own errors
   */
  readonly putStream: (chunks: AsyncIterable<Uint8Array>) => Promise<StoredBlob>;
  /** Stores a list that is uploaded, as it travels, and returns its content id. */
  readonly putList: (entries: readonly Uint8Array[]) => Promise<Uint8Array>;
  /**
   * Bytes `index * 256 KiB` and on, at most 256 KiB, of a blob or list; null when it is not here
   * or not as long. An empty blob has one empty block.
   */
  readonly readBlock: (cid: Uint8Array, index: number) => Promise<Uint8Array | null>;
  /** Bytes of a blob or list; null when it is not here. */
  readonly size: (cid: Uint8Array) => Promise<number | null>;
  /** The bytes of a long blob's manifest; null when it has none, or is not here. */
  readonly manifest: (cid: Uint8Array) => Promise<Uint8Array | null>;
  /** Pins a blob for a job that names it; if it was an upload, it is none any more. */
  readonly claim: (cid: Uint8Array) => void;
  /** Evicts what is beyond the quota, after everything that must stay is pinned again. */
  readonly trim: () => Promise<void>;
};

/** A blob that was named while it came by. */
export type StoredBlob = { readonly cid: Uint8Array; readonly bytes: number };

export type BlobStoreOptions = {
  /** Made, with its parents, when it is not there. */
  readonly directory: string;
  readonly quotaBytes: number;
  /** Milliseconds of the clock by which uploads grow old; one that nobody sets, unless given. */
  readonly now?: () => number;
};

/**
 * Opens a directory of blobs. What a crash left half written is swept away. What is beyond a
 * smaller quota than last time stays until `trim`.
 *
 * `path` checks a file once and remembers its size and time of change, so that handing it to a
 * child again is cheap; pin a blob for as long as its path is in use.
 *
 * @throws {@link StorageError} `BLOB_FAILED`; from `put` `BLOB_QUOTA`, `BLOB_NO_SPACE`; from
 * reads `BLOB_CORRUPT`, after which the blob is not here any more.
 */
export async function openBlobStore(options: BlobStoreOptions): Promise<Blobs> {
  const folder = await openFolder(options.directory);
  const quota = openQuota(options.quotaBytes, options.now);
  for (const { name, bytes } of folder.found) quota.add(name, bytes);
  return blobs(folder, quota);
}

function blobs(folder: BlobFolder, quota: Quota): Blobs {
  const changes = turns();
  const store = storing(folder, quota, changes);
  const reading = readingFrom(folder, quota, changes);
  const checks = openChecks();

  /** Runs `work` on a file that was checked. */
  const checked = <T>(
    cid: Uint8Array,
    work: (named: Cid, path: string) => Promise<T | null>,
  ): Promise<T | null> =>
    reading(cid, async (named, path, corrupt) => {
      quota.touch(nameText(cid)!);
      if (!(await checks.holds(named, path))) return corrupt();
      return work(named, path);
    });
  return {
    has: async (cid) => (await reading(cid, async () => true)) ?? false,
    put: async (bytes) => {
      const { cid } = nameBlob(bytes);
      await store(cid, bytes);
      return cid;
    },
    putAs: async (cid, bytes) => {
      const name = nameText(cid);
      if (name === null || !(await isNamedUnhurried(cid as Cid, bytes)))
        throw new StorageError({ code: 'BLOB_MISMATCH', cid: name ?? 'without a name' });
      await store(cid as Cid, bytes);
    },
    putStream: (chunks) => storeStream(folder, quota, changes, chunks),
    putList: async (entries) => {
      const { cid, bytes } = await unhurried(listBlobStretches(entries));
      await store(cid, bytes, true);
      return cid;
    },
    read: (cid) =>
      reading(cid, async (named, path, corrupt) => {
        quota.touch(nameText(cid)!);
        return (await readBlob(named, path)) ?? corrupt();
      }),
    readBlock: (cid, index) => {
      assert(Number.isSafeInteger(index) && index >= 0, 'a block has an index');
      return checked(cid, (_, path) => readFileBlock(path, index));
    },
    size: (cid) => checked(cid, async (_, path) => (await stat(path)).size),
    manifest: (cid) =>
      checked(cid, async (named, path) => (isList(named) ? null : checks.manifest(named, path))),
    path: (cid) => checked(cid, async (_, path) => path),
    pin: (cid) => quota.pin(pinName(cid)),
    release: (cid) => quota.release(pinName(cid)),
    claim: (cid) => {
      quota.pin(pinName(cid));
      quota.named(pinName(cid));
    },
    trim: async () => {
      for (const victim of quota.makeRoom(0))
        await changes.exclusive(victim, () => folder.remove(victim));
    },
    bytes: quota.bytes,
    close: () => changes.settled(null),
  };
}

/** Writes a blob that is not here yet, after making room for it. */
function storing(folder: BlobFolder, quota: Quota, { exclusive, settled }: Turns) {
  return async (cid: Cid, bytes: Uint8Array, isUpload = false): Promise<void> => {
    const name = nameText(cid)!;
    if (quota.has(name)) {
      await settled(name);
      return isUpload ? quota.upload(name, false) : quota.touch(name);
    }
    const evictions = (isUpload ? quota.makeRoomForUpload : quota.makeRoom)(bytes.length).map(
      (victim) => exclusive(victim, () => folder.remove(victim)),
    );
    quota.add(name, bytes.length);
    if (isUpload) quota.upload(name, false);
    // Nobody may evict what is not written yet.
    quota.pin(name);
    try {
      await exclusive(name, async () => {
        await Promise.all(evictions);
        await folder.write(name, bytes);
      });
    } catch (error) {
      quota.drop(name);
      throw error;
    } finally {
      quota.release(name);
    }
  };
}

/** Writes a blob whose name comes out at its end; its bytes count from the first on. */
async function storeStream(
  folder: BlobFolder,
  quota: Quota,
  { exclusive, settled }: Turns,
  chunks: AsyncIterable<Uint8Array>,
): Promise<StoredBlob> {
  const file = await folder.begin();
  const place = `stream ${randomUUID()}`;
  quota.upload(place, true);
  let named = emptyBlob;
  try {
    for await (const block of blocksOf(chunks)) {
      named = pushBlock(named, nativeSha256(block) as Digest, block.length);
      const victims = quota.makeRoomForUpload(block.length);
      quota.add(place, named.size);
      for (const victim of victims) await exclusive(victim, () => folder.remove(victim));
      await file.append(block);
    }
    const { cid, size: bytes } = finishBlob(named);
    const name = nameText(cid)!;
    quota.drop(place);
    if (quota.has(name)) {
      await settled(name);
      quota.upload(name, false);
    } else {
      quota.add(name, bytes);
      quota.upload(name, true);
      await exclusive(name, () => file.keep(name)).catch((error: unknown) => {
        quota.drop(name);
        throw error;
      });
      quota.upload(name, false);
    }
    return { cid, bytes };
  } finally {
    quota.drop(place);
    await file.discard();
  }
}

/** The same bytes in full blocks, the last one shorter. */
export async function* blocksOf(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let block = new Uint8Array(blobBlockBytes);
  let filled = 0;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      const piece = chunk.subarray(at, at + blobBlockBytes - filled);
      block.set(piece, filled);
      filled += piece.length;
      at += piece.length;
      if (filled < blobBlockBytes) continue;
      yield block;
      block = new Uint8Array(blobBlockBytes);
      filled = 0;
    }
  }
  if (filled > 0) yield block.subarray(0, filled);
}

type Reading = <T>(
  cid: Uint8Array,
  work: (named: Cid, path: string, corrupt: () => Promise<never>) => Promise<T | null>,
) => Promise<T | null>;

/** Runs work on the file of a blob that is here; gives null when it is not. */
function readingFrom(folder: BlobFolder, quota: Quota, { exclusive, settled }: Turns): Reading {
  return async (cid, work) => {
    const name = nameText(cid);
    if (name === null) return null;
    await settled(name).catch(() => {});
    if (!quota.has(name)) return null;
    const path = folder.pathOf(name);
    const corrupt = async (): Promise<never> => {
      mark('B12');
      quota.drop(name);
      await exclusive(name, () => folder.remove(name));
      throw new StorageError({ code: 'BLOB_CORRUPT', cid: name, path });
    };
    try {
      return await work(cid as Cid, path, corrupt);
    } catch (error) {
      if (error instanceof StorageError || systemCode(error) === '') throw error;
      if (systemCode(error) !== 'ENOENT')
        throw new StorageError({ code: 'BLOB_FAILED', path, action: 'read' }, { cause: error });
      quota.drop(name);
      return null;
    }
  };
}
