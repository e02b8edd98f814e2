// Goal: a content id is the one that other software computes, and only its own bytes pass for it.
// Method: multiformats and dag-cbor as the second implementation; sizes at the edges of a block.
import * as dagCbor from '@ipld/dag-cbor';
import fc from 'fast-check';
import { encode } from 'multiformats/block';
import { CID } from 'multiformats/cid';
import * as raw from 'multiformats/codecs/raw';
import { sha256 as multihash } from 'multiformats/hashes/sha2';
import { describe, expect, test } from 'vitest';
import { concatBytes, hex } from '../../protocol/brand.ts';
import { sha256 } from '../../protocol/crypto/hash.ts';
import * as blob from '../../protocol/merkle/blob.ts';
import { listRoot } from '../../protocol/merkle/list.ts';
import { blobBlockBytes } from '../../protocol/params.ts';

const filled = (size: number): Uint8Array => {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i += 4_099) bytes[i] = i % 251;
  return bytes;
};

describe('against multiformats', () => {
  test('the id of a short blob is the raw CID of its bytes, in bytes and in text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        const { cid } = await encode({ value: bytes, codec: raw, hasher: multihash });
        const ours = blob.blobCid(bytes);
        expect(hex(ours)).toBe(hex(cid.bytes));
        expect(blob.formatCid(ours)).toBe(cid.toString());
        expect(hex(blob.parseCid(cid.toString())!)).toBe(hex(cid.bytes));
        expect(CID.decode(ours).equals(cid)).toBe(true);
      }),
    );
  });

  test.each([1, 2, 3].flatMap((blocks) => [-1, 0, 1].map((more) => [blocks, more] as const)))(
    'the id of a blob of %i blocks and %i bytes',
    async (blocks, more) => {
      const bytes = filled(blocks * blobBlockBytes + more);
      const manifest = blob.manifestOf(bytes);
      const ours = blob.blobCid(bytes);
      if (bytes.length <= blobBlockBytes) {
        expect(manifest).toBeNull();
        expect(CID.decode(ours).equals(CID.createV1(raw.code, await multihash.digest(bytes)))).toBe(
          true,
        );
        return;
      }
      const parts: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; at += blobBlockBytes)
        parts.push(bytes.subarray(at, at + blobBlockBytes));
      const ids = await Promise.all(
        parts.map(async (part) => CID.createV1(raw.code, await multihash.digest(part)).bytes),
      );
      const value = [1, bytes.length, ids];
      const theirs = await encode({ value, codec: dagCbor, hasher: multihash });
      expect(hex(ours)).toBe(hex(theirs.cid.bytes));
      expect(hex(blob.manifestCodec.encode(manifest!))).toBe(hex(theirs.bytes));
      const read = blob.readManifest(ours, theirs.bytes)!;
      const lengths = parts.map((_, index) => blob.manifestBlockBytes(read, index));
      expect(lengths).toEqual(parts.map(({ length }) => length));
      parts.forEach((part, index) => {
        expect(blob.verifyBlock(read.blocks[index]!, part)).toBe(true);
      });
    },
  );
});

describe('a draft', () => {
  test('names a blob as if it had been at hand whole', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3 * blobBlockBytes }), (size) => {
        const bytes = filled(size);
        let draft = blob.emptyBlob;
        for (let at = 0; at < size; at += blobBlockBytes) {
          const block = bytes.subarray(at, at + blobBlockBytes);
          draft = blob.pushBlock(draft, sha256(block), block.length);
        }
        const { cid, size: counted, manifest } = blob.finishBlob(draft);
        expect(hex(cid)).toBe(hex(blob.blobCid(bytes)));
        expect(counted).toBe(size);
        expect(manifest === null).toBe(size <= blobBlockBytes);
        if (manifest !== null) expect(blob.verifyBlock(cid, manifest)).toBe(true);
      }),
      { numRuns: 12 },
    );
  });

  test('stops when blocks are not pushed whole: that is a bug of ours', () => {
    const digest = sha256(new Uint8Array(1));
    const short = blob.pushBlock(blob.emptyBlob, digest, 1);
    expect(() => blob.pushBlock(short, digest, 1)).toThrow('only the last block');
    for (const bytes of [0, -1, 1.5, blobBlockBytes + 1])
      expect(() => blob.pushBlock(blob.emptyBlob, digest, bytes)).toThrow('between 1 byte');
  });
});

describe('hostile bytes', () => {
  test('only its own bytes pass for an id: any flipped bit is refused', () => {
    const bytes = filled(blobBlockBytes + 5);
    const manifest = blob.manifestCodec.encode(blob.manifestOf(bytes)!);
    const list = blob.listBlob([filled(36), filled(0), filled(7)]);
    for (const { cid, bytes: named } of [
      { cid: blob.blobCid(filled(33)), bytes: filled(33) },
      { cid: blob.blobCid(bytes), bytes: manifest },
      list,
    ]) {
      expect(blob.verifyBlock(cid, named)).toBe(true);
      expect(blob.verifyBlock(cid, concatBytes(named, Uint8Array.of(0)))).toBe(false);
      for (let bit = 0; bit < named.length * 8; bit++) {
        const forged = named.with(bit >> 3, named[bit >> 3]! ^ (1 << (bit & 7)));
        expect(blob.verifyBlock(cid, forged)).toBe(false);
      }
      for (let bit = 0; bit < cid.length * 8; bit++) {
        const forged = cid.with(bit >> 3, cid[bit >> 3]! ^ (1 << (bit & 7)));
        expect(blob.verifyBlock(forged, named)).toBe(false);
      }
    }
  });

  test('a manifest whose hash is right is still refused when it does not make sense', () => {
    const [first, second] = [blob.rawCid(sha256(filled(1))), blob.rawCid(sha256(filled(2)))];
    const size = blobBlockBytes + 1;
    const named = (value: unknown) => {
      const bytes = dagCbor.encode(value);
      const cid = Uint8Array.from(first).with(1, 0x71);
      cid.set(sha256(bytes), 4);
      return blob.readManifest(cid, bytes);
    };
    expect(named([1, size, [first, second]])).not.toBeNull();
    for (const bad of [
      [2, size, [first, second]],
      [1, size - 1, [first]],
      [1, size - 1, [first, second]],
      [1, size, [first]],
      [1, size, [first, second, second]],
      [1, size, [first, second.with(1, 0x71)]],
      [1, size, [first, second], 0],
      { version: 1 },
      null,
    ])
      expect(named(bad), JSON.stringify(bad)).toBeNull();
  });

  test('any bytes and any id get an answer', () => {
    const entry = fc.uint8Array({ maxLength: 40 });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.array(entry), (bytes, entries) => {
        expect(blob.verifyBlock(bytes, bytes)).toBe(false);
        expect(blob.verifyListBlob(blob.listCid(sha256(bytes)), bytes)).toBeNull();
        const { cid, bytes: listed } = blob.listBlob(entries);
        expect(blob.verifyListBlob(cid, listed)).toEqual(entries);
        expect(hex(blob.cidDigest(cid))).toBe(hex(listRoot(entries)));
      }),
    );
  });

  test('an entry of a list has a limit', () => {
    expect(blob.listBlob([filled(blob.listEntryBytesMax)]).bytes.length).toBeGreaterThan(1_024);
    expect(() => blob.listBlob([filled(blob.listEntryBytesMax + 1)])).toThrow('1025 bytes');
  });
});
