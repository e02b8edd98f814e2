/** Keep blobs in memory: for tests and simulations, with the disk's quota and checks. */
import { assert } from '../../protocol/assert.ts';
import { concatBytes } from '../../protocol/brand.ts';
import { type Cid, listBlob } from '../../protocol/merkle/blob.ts';
import { blobBlockBytes } from '../../protocol/params.ts';
import type { Blobs } from './blobs.ts';
import { StorageError } from './error.ts';
import { isList, isNamed, nameBlob, nameText, pinName } from './naming.ts';
import { openQuota } from './quota.ts';

/** A blob store without files, and what a disk may do to it. */
export type MemoryBlobs = Blobs & {
  /** Replaces the bytes of a blob without a word, as a bad disk would. */
  readonly damage: (cid: Uint8Array, bytes: Uint8Array) => void;
};

export type MemoryBlobOptions = {
  readonly quotaBytes: number;
  /** Milliseconds of the clock by which uploads grow old. */
  readonly now?: () => number;
};

/** An empty blob store. Its `path` is always null: there are no files. */
export function openMemoryBlobs({ quotaBytes, now }: MemoryBlobOptions): MemoryBlobs {
  const held = new Map<string, Uint8Array>();
  const quota = openQuota(quotaBytes, now);

  const store = (cid: Cid, bytes: Uint8Array, isUpload = false): void => {
    const name = nameText(cid)!;
    if (quota.has(name)) quota.touch(name);
    else {
      const makeRoom = isUpload ? quota.makeRoomForUpload : quota.makeRoom;
      for (const victim of makeRoom(bytes.length)) held.delete(victim);
      held.set(name, bytes.slice());
      quota.add(name, bytes.length);
    }
    if (isUpload) quota.upload(name, false);
  };
  const read: Blobs['read'] = async (cid) => {
    const name = nameText(cid);
    const bytes = name === null ? undefined : held.get(name);
    if (name === null || bytes === undefined) return null;
    if (!isNamed(cid as Cid, bytes)) {
      held.delete(name);
      quota.drop(name);
      throw new StorageError({ code: 'BLOB_CORRUPT', cid: name, path: 'memory' });
    }
    quota.touch(name);
    return bytes.slice();
  };
  return {
    has: async (cid) => held.has(nameText(cid) ?? ''),
    put: async (bytes) => {
      const { cid } = nameBlob(bytes);
      store(cid, bytes);
      return cid;
    },
    putStream: async (chunks) => {
      const parts: Uint8Array[] = [];
      for await (const chunk of chunks) parts.push(chunk.slice());
      const bytes = concatBytes(...parts);
      const { cid } = nameBlob(bytes);
      store(cid, bytes, true);
      return { cid, bytes: bytes.length };
    },
    putAs: async (cid, bytes) => {
      const name = nameText(cid);
      if (name === null || !isNamed(cid as Cid, bytes))
        throw new StorageError({ code: 'BLOB_MISMATCH', cid: name ?? 'without a name' });
      store(cid as Cid, bytes);
    },
    putList: async (entries) => {
      const { cid, bytes } = listBlob(entries);
      store(cid, bytes, true);
      return cid;
    },
    read,
    readBlock: async (cid, index) => {
      assert(Number.isSafeInteger(index) && index >= 0, 'a block has an index');
      const bytes = await read(cid);
      const at = index * blobBlockBytes;
      if (bytes === null || (index > 0 && at >= bytes.length)) return null;
      return bytes.slice(at, at + blobBlockBytes);
    },
    size: async (cid) => (await read(cid))?.length ?? null,
    manifest: async (cid) => {
      const bytes = await read(cid);
      return bytes === null || isList(cid as Cid) ? null : nameBlob(bytes).manifest;
    },
    path: async () => null,
    pin: (cid) => quota.pin(pinName(cid)),
    release: (cid) => quota.release(pinName(cid)),
    claim: (cid) => {
      quota.pin(pinName(cid));
      quota.named(pinName(cid));
    },
    trim: async () => {
      for (const victim of quota.makeRoom(0)) held.delete(victim);
    },
    bytes: quota.bytes,
    close: async () => {},
    damage: (cid, bytes) => void held.set(nameText(cid)!, bytes.slice()),
  };
}
