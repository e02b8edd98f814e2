/** Say what every blob store must do, whatever it is made of. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Blobs } from '../../node/storage/blobs.ts';
import { utf8 } from '../../protocol/brand.ts';
import {
  blobCid,
  listBlob,
  manifestOf,
  readManifest,
  verifyBlock,
} from '../../protocol/merkle/blob.ts';
import { blobBlockBytes } from '../../protocol/params.ts';

/** Makes an empty blob store with a quota, and says how to take it away. */
export type BlobsMaker = (
  quotaBytes: number,
  now: () => number,
) => Promise<{ blobs: Blobs; remove: () => Promise<void> }>;

/** Bytes of which no two sizes look alike. */
export function pattern(length: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 17 + (i >> 8)) & 255);
}

/** The port's laws, as tests of one implementation. */
export function blobLaws(name: string, make: BlobsMaker): void {
  const using = async (
    quotaBytes: number,
    work: (blobs: Blobs, pass: (ms: number) => void) => Promise<void>,
  ): Promise<void> => {
    let now = 0;
    const { blobs, remove } = await make(quotaBytes, () => now);
    try {
      await work(blobs, (ms) => {
        now += ms;
      });
    } finally {
      await blobs.close();
      await remove();
    }
  };

  describe(name, () => {
    test('a stream is the blob of its bytes, however they come', () =>
      using(1 << 26, async (blobs) => {
        async function* cut(bytes: Uint8Array, step: number) {
          for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
        }
        for (const [size, step] of [
          [0, 1],
          [5, 2],
          [blobBlockBytes, 100_000],
          [3 * blobBlockBytes + 7, blobBlockBytes + 1],
          [700_000, 1_000_000],
        ] as const) {
          const bytes = pattern(size, 5);
          const stored = await blobs.putStream(cut(bytes, step));
          expect(stored).toEqual({ cid: blobCid(bytes), bytes: size });
          expect(await blobs.read(stored.cid)).toEqual(bytes);
          // A second time it is known, and counted once.
          const before = blobs.bytes();
          expect(await blobs.putStream(cut(bytes, step))).toEqual(stored);
          expect(blobs.bytes()).toBe(before);
        }
      }));

    test('a stream that breaks off, or does not fit, leaves nothing behind', () =>
      using(3 * blobBlockBytes, async (blobs) => {
        async function* broken() {
          yield pattern(blobBlockBytes + 3);
          throw new Error('the line is dead');
        }
        await expect(blobs.putStream(broken())).rejects.toThrow('the line is dead');
        expect(blobs.bytes()).toBe(0);
        const held = await blobs.put(pattern(10));
        blobs.pin(held);
        async function* long() {
          for (let i = 0; i < 9; i++) yield pattern(blobBlockBytes, i);
        }
        await expect(blobs.putStream(long())).rejects.toMatchObject({ code: 'BLOB_QUOTA' });
        expect(blobs.bytes()).toBe(10);
        expect(await blobs.read(held)).toEqual(pattern(10));
      }));

    test('gives back what was put, under the name that the protocol gives it', () =>
      using(1 << 26, async (blobs) => {
        const sizes = [0, 1, blobBlockBytes - 1, blobBlockBytes, blobBlockBytes + 1, 700_000];
        for (const size of sizes) {
          const bytes = pattern(size);
          const cid = await blobs.put(bytes);
          expect(cid).toEqual(blobCid(bytes));
          expect(await blobs.has(cid)).toBe(true);
          expect(await blobs.read(cid)).toEqual(bytes);
          expect(await blobs.manifest(cid)).toEqual(
            size <= blobBlockBytes ? null : expect.any(Uint8Array),
          );
        }
        expect(blobs.bytes()).toBe(sizes.reduce((sum, size) => sum + size, 0));
        const absent = blobCid(utf8('never put'));
        expect(await blobs.has(absent)).toBe(false);
        expect(await blobs.read(absent)).toBeNull();
        expect(await blobs.readBlock(absent, 0)).toBeNull();
        expect(await blobs.manifest(absent)).toBeNull();
        expect(await blobs.path(absent)).toBeNull();
        expect(await blobs.read(utf8('no content id'))).toBeNull();
      }));

    test('hands out a manifest and blocks that check against it, one by one', () =>
      using(1 << 26, async (blobs) => {
        const bytes = pattern(2 * blobBlockBytes + 5);
        const cid = await blobs.put(bytes);
        const manifest = readManifest(cid, (await blobs.manifest(cid))!);
        expect(manifest).toEqual(manifestOf(bytes));
        for (const [index, block] of manifest!.blocks.entries())
          expect(verifyBlock(block, (await blobs.readBlock(cid, index))!)).toBe(true);
        expect(await blobs.readBlock(cid, 2)).toHaveLength(5);
        expect(await blobs.readBlock(cid, 3)).toBeNull();
        const empty = await blobs.put(new Uint8Array());
        expect(await blobs.readBlock(empty, 0)).toEqual(new Uint8Array());
        expect(await blobs.readBlock(empty, 1)).toBeNull();
      }));

    test('keeps lists, and takes under a given name only what it names', () =>
      using(1 << 26, async (blobs) => {
        const entries = Array.from({ length: 40 }, (_, i) => blobCid(pattern(3, i)));
        const { cid, bytes } = listBlob(entries);
        expect(await blobs.putList(entries)).toEqual(cid);
        expect(await blobs.read(cid)).toEqual(bytes);
        expect(await blobs.manifest(cid)).toBeNull();

        const long = pattern(blobBlockBytes + 1);
        for (const [named, right] of [
          [listBlob([utf8('x')]).cid, listBlob([utf8('x')]).bytes],
          [blobCid(long), long],
          [blobCid(utf8('short')), utf8('short')],
        ] as const) {
          const wrong = right.slice();
          wrong[right.length - 1]! ^= 1;
          await expect(blobs.putAs(named, wrong)).rejects.toMatchObject({ code: 'BLOB_MISMATCH' });
          expect(await blobs.has(named)).toBe(false);
          await blobs.putAs(named, right);
          expect(await blobs.read(named)).toEqual(right);
        }
        await expect(blobs.putAs(utf8('no id'), long)).rejects.toMatchObject({
          code: 'BLOB_MISMATCH',
        });
      }));

    test('evicts the one that was used longest ago, and never a pinned one', () =>
      using(300, async (blobs) => {
        const [a, b, c] = [pattern(100, 1), pattern(100, 2), pattern(100, 3)];
        const cids = [await blobs.put(a), await blobs.put(b), await blobs.put(c)] as const;
        blobs.pin(cids[0]);
        blobs.pin(cids[0]);
        await blobs.read(cids[1]);
        const d = await blobs.put(pattern(100, 4));
        expect(await blobs.has(cids[2]), 'b was read after c was put').toBe(false);
        expect(await blobs.has(cids[1])).toBe(true);
        blobs.release(cids[0]);
        await blobs.read(d);
        await blobs.put(pattern(200, 5));
        expect(await blobs.has(cids[0]), 'pinned twice, released once').toBe(true);
        expect(await blobs.has(d)).toBe(false);
        await expect(blobs.put(pattern(201, 6))).rejects.toMatchObject({
          detail: { code: 'BLOB_QUOTA', bytes: 201, pinnedBytes: 100, quotaBytes: 300 },
        });
        blobs.release(cids[0]);
        const large = await blobs.put(pattern(300, 7));
        expect(await blobs.has(cids[0])).toBe(false);
        expect(await blobs.read(large)).toEqual(pattern(300, 7));
        expect(() => blobs.release(cids[0])).toThrow('what is released was pinned');
      }));

    const upload = (blobs: Blobs, bytes: Uint8Array) =>
      blobs.putStream(
        (async function* () {
          yield bytes;
        })(),
      );

    test('gives uploads that no job names half of what is not pinned, and refuses the rest', () =>
      using(1_000, async (blobs) => {
        const pinned = await blobs.put(pattern(200, 1));
        blobs.pin(pinned);
        const cached = await blobs.put(pattern(300, 2));
        // Half of the 800 that are not pinned.
        const first = await upload(blobs, pattern(250, 3));
        const second = await upload(blobs, pattern(150, 4));
        expect(await blobs.has(cached)).toBe(true);
        const refusal = { code: 'BLOB_QUOTA', pinnedBytes: 200, uploadedBytes: 400 };
        await expect(upload(blobs, pattern(1, 5))).rejects.toMatchObject({ detail: refusal });
        await expect(blobs.putList([pattern(36)])).rejects.toMatchObject({ detail: refusal });
        for (const { cid } of [first, second]) expect(await blobs.has(cid)).toBe(true);
        // A job names one: what it pins is an upload no more, and half of the rest is less.
        blobs.claim(first.cid);
        await upload(blobs, pattern(120, 6));
        await expect(upload(blobs, pattern(6, 7))).rejects.toMatchObject({
          detail: { code: 'BLOB_QUOTA', pinnedBytes: 450, uploadedBytes: 270 },
        });
        blobs.release(first.cid);
        blobs.release(pinned);
        // Half of all is 500: it was named once, and is no upload any more.
        await upload(blobs, pattern(230, 8));
        await expect(upload(blobs, pattern(1, 5))).rejects.toMatchObject({ code: 'BLOB_QUOTA' });
        expect(blobs.bytes()).toBeLessThanOrEqual(1_000);
      }));

    test('what is here becomes an upload when it is uploaded, within the same share', () =>
      using(1_000, async (blobs) => {
        const entries = Array.from({ length: 8 }, (_, seed) => pattern(36, seed));
        const { cid, bytes } = listBlob(entries);
        await blobs.putAs(cid, bytes);
        const first = await upload(blobs, pattern(501 - bytes.length, 1));
        await expect(blobs.putList(entries)).rejects.toMatchObject({ code: 'BLOB_QUOTA' });
        blobs.claim(first.cid);
        blobs.release(first.cid);
        await blobs.putList(entries);
        await blobs.putList(entries);
        await upload(blobs, pattern(500 - bytes.length, 2));
        await expect(upload(blobs, pattern(1, 3))).rejects.toMatchObject({ code: 'BLOB_QUOTA' });
        expect(await blobs.has(cid)).toBe(true);
      }));

    test('no upload sends away what is pinned or another upload; the node itself may', () =>
      using(1_000, async (blobs) => {
        const [cached, other] = [
          await blobs.put(pattern(300, 1)),
          await blobs.put(pattern(300, 2)),
        ];
        const first = await upload(blobs, pattern(200, 3));
        blobs.claim(other);
        const second = await upload(blobs, pattern(150, 4));
        await blobs.read(cached);
        // What is not pinned makes room for it.
        await blobs.put(pattern(300, 5));
        expect(await blobs.has(cached)).toBe(false);
        for (const kept of [other, first.cid, second.cid]) expect(await blobs.has(kept)).toBe(true);
        await blobs.put(pattern(400, 6));
        expect(await blobs.has(first.cid), 'only uploads are left to go').toBe(false);
        expect([await blobs.has(second.cid), await blobs.has(other)]).toEqual([true, true]);
        await expect(blobs.put(pattern(701, 7))).rejects.toMatchObject({ code: 'BLOB_QUOTA' });
      }));

    test('an upload counts for an hour; then it is like all others', () =>
      using(1_000, async (blobs, pass) => {
        const first = await upload(blobs, pattern(500, 1));
        pass(3_599_999);
        await expect(upload(blobs, pattern(1, 2))).rejects.toMatchObject({ code: 'BLOB_QUOTA' });
        pass(1);
        const second = await upload(blobs, pattern(400, 3));
        expect(await blobs.has(first.cid)).toBe(true);
        await upload(blobs, pattern(101, 4)).catch(quotaOnly);
        const third = await upload(blobs, pattern(100, 5));
        expect(await blobs.has(first.cid)).toBe(true);
        await blobs.put(pattern(1, 6));
        expect(await blobs.has(first.cid), 'the first to go').toBe(false);
        for (const { cid } of [second, third]) expect(await blobs.has(cid)).toBe(true);
      }));

    test('an upload that breaks off counts no more', () =>
      using(10 * blobBlockBytes, async (blobs) => {
        const broken = blobs.putStream(
          (async function* () {
            for (let block = 0; block < 5; block++) yield pattern(blobBlockBytes, block);
            throw new Error('the line is dead');
          })(),
        );
        await expect(broken).rejects.toThrow('the line is dead');
        expect(blobs.bytes()).toBe(0);
        await upload(blobs, pattern(5 * blobBlockBytes, 9));
        await expect(upload(blobs, pattern(1, 2))).rejects.toMatchObject({ code: 'BLOB_QUOTA' });
      }));

    test('stays within its quota whatever is put, read and pinned at the same time', () =>
      using(1_000, async (blobs) => {
        const pieces = Array.from({ length: 12 }, (_, i) => pattern(90 + i * 7, i));
        const moves = fc.array(
          fc.record({ piece: fc.nat(11), move: fc.constantFrom('put', 'upload', 'read', 'has') }),
          { maxLength: 20 },
        );
        await fc.assert(
          fc.asyncProperty(moves, async (batch) => {
            await Promise.all(
              batch.map(async ({ piece, move }) => {
                const bytes = pieces[piece]!;
                const cid = blobCid(bytes);
                if (move === 'has') await blobs.has(cid);
                else if (move === 'upload') await upload(blobs, bytes).catch(quotaOnly);
                else if (move === 'read') {
                  const read = await blobs.read(cid);
                  expect(read === null || read.length === bytes.length).toBe(true);
                } else await blobs.put(bytes).catch(quotaOnly);
              }),
            );
            expect(blobs.bytes()).toBeLessThanOrEqual(1_000);
            let held = 0;
            for (const bytes of pieces) held += (await blobs.read(blobCid(bytes)))?.length ?? 0;
            expect(held, 'the account is what is there').toBe(blobs.bytes());
          }),
          { numRuns: 60 },
        );
      }));
  });
}

/** Many at once may be too much: what is being written cannot be evicted. */
function quotaOnly(error: unknown): void {
  expect(error).toMatchObject({ code: 'BLOB_QUOTA' });
}
