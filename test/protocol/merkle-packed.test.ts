// Goal: packed trees, lists and messages give the bytes of the plain ones, in stretches or at once.
// Method: the plain functions are the oracle, on all sizes around the blocks and on mutated bytes.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { foldPlan, foldPlanStretches } from '../../protocol/algebra/noise.ts';
import { utf8 } from '../../protocol/brand.ts';
import { tryDecode } from '../../protocol/codec/codec.ts';
import { hashFrame } from '../../protocol/crypto/frame.ts';
import { hash, sha256, uint64 } from '../../protocol/crypto/hash.ts';
import { stream } from '../../protocol/crypto/stream.ts';
import { atOnce, type Stretches } from '../../protocol/crypto/stretches.ts';
import {
  isListBlob,
  listBlob,
  listBlobCodec,
  listBlobStretches,
  listCid,
  readListStretches,
  verifyListBlob,
} from '../../protocol/merkle/blob.ts';
import { inclusionProof, leafHash, listRoot } from '../../protocol/merkle/list.ts';
import {
  type LeafHasher,
  listTreeStretches,
  treeBlockLeafCount,
  treeProof,
} from '../../protocol/merkle/tree.ts';

const entry = (index: number): Uint8Array => uint64(index);
const hasher: LeafHasher = (index, target, at) => target.set(leafHash(entry(index)), at);
const entries = (count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, index) => entry(index));

/** Work that is done step by step, and how often it stopped. */
function counted<T>(work: Stretches<T>): { readonly value: T; readonly stops: number } {
  for (let stops = 0; ; stops++) {
    const { done, value } = work.next();
    if (done === true) return { value, stops };
  }
}

describe('a packed tree', () => {
  const blocks = [1, 2, 3, 4, 33].map((count) => count * treeBlockLeafCount);
  const sizes = [1, 2, 3, 5, ...blocks.flatMap((size) => [size - 1, size, size + 1, size + 3])];

  test.each(sizes)('has the root and the proofs of a list of %i', (size) => {
    const tree = atOnce(listTreeStretches(size, hasher));
    const list = entries(size);
    expect(tree.root).toEqual(listRoot(list));
    const places = [0, 1, 62, 63, 64, 65, size - 2, size - 1, Math.floor(size / 2)];
    for (const index of new Set(places.filter((place) => place >= 0 && place < size)))
      expect(treeProof(tree, index, hasher)).toEqual(inclusionProof(list, index));
    expect(() => treeProof(tree, size, hasher)).toThrow('in its list');
  });

  test('has other ones for another leaf', () => {
    const wrong: LeafHasher = (index, target, at) => hasher(index === 70 ? 71 : index, target, at);
    expect(atOnce(listTreeStretches(200, wrong)).root).not.toEqual(listRoot(entries(200)));
    expect(() => atOnce(listTreeStretches(0, hasher))).toThrow('leaves');
  });

  test('is built in stretches, and keeps a fraction of its nodes', () => {
    const size = 20_000;
    const { value, stops } = counted(listTreeStretches(size, hasher));
    expect(stops).toBeGreaterThan(10);
    const kept = value.levels.reduce((sum, level) => sum + level.length, 0);
    expect(kept).toBeLessThan((2 * size * 32) / 30);
  });
});

describe('a packed list', () => {
  const read = (cid: Uint8Array, bytes: Uint8Array) => atOnce(readListStretches(cid, bytes));
  const lists = fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.constantFrom(...[23, 24, 255, 256, 257, 1_024].map((length) => new Uint8Array(length))),
    ),
    { maxLength: 40 },
  );

  test('is written and read as the codec does', () => {
    fc.assert(
      fc.property(lists, (list) => {
        const { cid, bytes } = listBlob(list);
        expect(bytes).toEqual(listBlobCodec.encode(list));
        expect(cid).toEqual(listCid(listRoot(list)));
        const packed = read(cid, bytes)!;
        expect(packed.count).toBe(list.length);
        expect(list.map((_, index) => packed.entry(index))).toEqual(list);
      }),
    );
  });

  test('is refused where the codec refuses it, byte by byte', () => {
    const { bytes } = listBlob([utf8('a'), new Uint8Array(24), new Uint8Array(256), utf8('')]);
    let refused = 0;
    const places = [...bytes.keys()].filter((at) => at < 40 || at > bytes.length - 3);
    for (const at of places)
      for (const change of [1, 2, 4, 8, 16, 32, 64, 128]) {
        const bad = bytes.with(at, bytes[at]! ^ change);
        const decoded = tryDecode(listBlobCodec, bad);
        if (decoded === null) refused += 1;
        const root = listRoot(decoded ?? []);
        expect(verifyListBlob(listCid(root), bad)).toEqual(decoded);
        // The same bytes under the first list's name are never it.
        expect(isListBlob(listBlob([utf8('a')]).cid, bad)).toBe(false);
      }
    expect(refused).toBeGreaterThan(50);
    const longer = [Uint8Array.of(0x98, 1, 0x40), Uint8Array.of(0x81, 0x58, 1, 7)];
    for (const bad of [...longer, bytes.slice(0, -1), new Uint8Array([...bytes, 0])])
      expect([tryDecode(listBlobCodec, bad), verifyListBlob(listCid(sha256(bad)), bad)]).toEqual([
        null,
        null,
      ]);
  });

  test('that was checked once is still refused with other bytes', () => {
    const { cid, bytes } = listBlob(entries(300));
    expect(isListBlob(cid, bytes)).toBe(true);
    expect(isListBlob(cid, bytes)).toBe(true);
    const bad = bytes.with(50, bytes[50]! ^ 1);
    expect(isListBlob(cid, bad)).toBe(false);
    expect(verifyListBlob(cid, bad)).toBeNull();
    expect(isListBlob(listCid(sha256(bytes)), bytes)).toBe(false);
  });

  test('is made and read in stretches', () => {
    const list = entries(9_000);
    const made = counted(listBlobStretches(list));
    expect(made.stops).toBeGreaterThan(3);
    const other = listBlobCodec.encode(list.map((each) => each.with(0, 9)));
    const cid = listCid(listRoot(list.map((each) => each.with(0, 9))));
    expect(counted(readListStretches(cid, other)).stops).toBeGreaterThan(5);
    expect(counted(readListStretches(cid, other)).stops, 'the second time').toBe(2);
  });
});

test('a frame gives the hash of its parts', () => {
  const part = fc.uint8Array({ minLength: 32, maxLength: 32 });
  fc.assert(
    fc.property(part, part, fc.maxSafeNat(), (a, b, n) => {
      const frame = hashFrame('tree-a', [32, 8, 32]);
      frame.put(0, b);
      expect(frame.hash()).toEqual(hash('tree-a', b, 0, new Uint8Array(32)));
      frame.put(0, new Uint8Array([...b, ...a]), 32);
      frame.putInteger(1, n);
      frame.put(2, b);
      expect(frame.hash()).toEqual(hash('tree-a', a, n, b));
      expect(() => frame.put(2, b, 1)).toThrow('length');
      expect(() => frame.putInteger(0, n)).toThrow('8 bytes');
    }),
  );
});

test('plans and shuffles are the same in stretches', () => {
  const seed = sha256(utf8('seed'));
  const planned = counted(foldPlanStretches(seed, 9_000));
  expect(planned.stops).toBeGreaterThan(3);
  expect([...planned.value]).toEqual(foldPlan(seed, 9_000));
  const shuffled = counted(stream(seed).shuffledStretches(9_000));
  expect(shuffled.stops).toBeGreaterThan(1);
  expect([...shuffled.value]).toEqual(stream(seed).shuffled(9_000));
});
