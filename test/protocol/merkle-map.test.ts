// Goal: a keyed state is its content and nothing else, and only what is true can be proved of it.
// Method: a model (a plain map, its root computed anew with node:crypto) follows random batches;
// keys include pairs ground to share many turns, so that deep leaves are grown and lifted again.
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareBytes, hex, unhex } from '../../protocol/brand.ts';
import { codec, tryDecode } from '../../protocol/codec/codec.ts';
import { installSha256 } from '../../protocol/crypto/hash.ts';
import * as map from '../../protocol/merkle/map.ts';
import {
  type MapProof,
  mapDepthMax,
  mapProofShape,
  proveKey,
  verifyMapProof,
} from '../../protocol/merkle/proof.ts';

type Model = ReadonlyMap<string, Uint8Array>;
type Placed = { readonly path: string; readonly valueHash: Buffer };

const sha = (...parts: readonly (Uint8Array | string)[]): Buffer => {
  const hasher = createHash('sha256');
  for (const part of parts) hasher.update(part);
  return hasher.digest();
};

const pathOf = (key: Uint8Array): Buffer => {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(key.length);
  return sha('anwansi/1/state-key\0', length, key);
};
const turnsOf = (path: Uint8Array): string =>
  [...path].map((byte) => byte.toString(2).padStart(8, '0')).join('');

/** The root by its definition: text of turns, no sharing, no memo. */
function modelRoot(model: Model): string {
  const placed = [...model].map(([key, value]) => ({
    path: turnsOf(pathOf(unhex(key)!)),
    valueHash: sha(value),
  }));
  return subtree(placed, 0).toString('hex');
}

function subtree(placed: readonly Placed[], depth: number): Buffer {
  if (placed.length === 0) return Buffer.alloc(32);
  if (placed.length > 1) {
    const side = (turn: string) => placed.filter(({ path }) => path[depth] === turn);
    return sha(subtree(side('0'), depth + 1), subtree(side('1'), depth + 1));
  }
  const { path, valueHash } = placed[0]!;
  const bytes = Uint8Array.from(path.match(/.{8}/g)!, (byte) => Number.parseInt(byte, 2));
  return sha(sha(bytes, valueHash), sha('anwansi/leaf/v1'));
}

/** Of many keys, the two whose paths share the most turns, with the count. */
function closePair(): { readonly keys: readonly Uint8Array[]; readonly shared: number } {
  const byPath = Array.from({ length: 30_000 }, (_, i) => Uint8Array.of(255, i >> 8, i & 255))
    .map((key) => ({ key, path: pathOf(key) }))
    .sort((a, b) => compareBytes(a.path, b.path));
  let best = { keys: [] as Uint8Array[], shared: -1 };
  for (let i = 1; i < byPath.length; i++) {
    const [a, b] = [byPath[i - 1]!, byPath[i]!];
    const order = a.path.readUInt32BE() ^ b.path.readUInt32BE();
    const shared = Math.clz32(order);
    if (shared > best.shared) best = { keys: [a.key, b.key], shared };
  }
  return best;
}

const close = closePair();
const key = fc.oneof(
  fc.nat(40).map((n) => Uint8Array.of(n)),
  fc.constantFrom(...close.keys),
  fc.uint8Array({ maxLength: 3 }),
);
const value = fc.uint8Array({ maxLength: 3 });
const change = fc.record({ key, value: fc.option(value, { freq: 3 }) });
const batch = fc.array(change, { maxLength: 25 });
const entries = fc.uniqueArray(fc.record({ key, value }), {
  selector: (entry) => hex(entry.key),
  maxLength: 40,
});

function apply(model: Model, changes: readonly map.MapChange[]): Model {
  const next = new Map(model);
  for (const { key, value } of changes)
    if (value === null) next.delete(hex(key));
    else next.set(hex(key), value);
  return next;
}

const build = (changes: readonly map.MapChange[]): map.StateMap =>
  map.mapUpdate(map.emptyMap, changes);

describe('content', () => {
  test('the ground keys share so many turns that leaves go deep', () => {
    expect(close.shared).toBeGreaterThanOrEqual(20);
  });

  test('after any batches a map is its model, and so is every map it came from', () => {
    fc.assert(
      fc.property(fc.array(batch, { maxLength: 8 }), (batches) => {
        let state = map.emptyMap;
        let model: Model = new Map();
        const versions: { state: map.StateMap; model: Model }[] = [];
        for (const changes of batches) {
          state = map.mapUpdate(state, changes);
          model = apply(model, changes);
          versions.push({ state, model });
          // Some roots are asked for at once, others only when later versions stand on them.
          if (changes.length % 2 === 0) expect(hex(map.mapRoot(state))).toBe(modelRoot(model));
        }
        for (const { state, model } of versions) {
          expect(hex(map.mapRoot(state))).toBe(modelRoot(model));
          expect(map.mapSize(state)).toBe(model.size);
          for (let n = 0; n <= 40; n++)
            expect(map.mapGet(state, Uint8Array.of(n))).toEqual(
              model.get(hex(Uint8Array.of(n))) ?? null,
            );
          const found = [...map.mapEntries(state)];
          expect(new Map(found.map(({ key, value }) => [hex(key), value]))).toEqual(model);
          const paths = found.map(({ key }) => hex(map.mapPath(key)));
          expect(paths).toEqual(paths.toSorted());
        }
      }),
      { numRuns: 60 },
    );
  });

  test('the changes between two maps make one into the other, and name nothing else', () => {
    fc.assert(
      fc.property(entries, batch, batch, (start, first, second) => {
        const before = build(start);
        const [left, right] = [map.mapUpdate(before, first), map.mapUpdate(before, second)];
        const changes = map.mapChanges(left, right);
        expect(hex(map.mapRoot(map.mapUpdate(left, changes)))).toBe(hex(map.mapRoot(right)));
        for (const { key, value } of changes) expect(map.mapGet(left, key)).not.toEqual(value);
        expect(map.mapChanges(right, right)).toEqual([]);
        expect(map.mapChanges(map.emptyMap, right)).toHaveLength(map.mapSize(right));
      }),
      { numRuns: 200 },
    );
  });

  test('neither order nor batching nor keys that came and went leave a trace', () => {
    const visitors = fc.array(key, { maxLength: 20 });
    fc.assert(
      fc.property(entries, visitors, fc.infiniteStream(fc.nat()), (kept, gone, order) => {
        const plain = build(kept);
        const shuffled = kept
          .map((entry) => ({ entry, at: order.next().value }))
          .sort((a, b) => a.at - b.at)
          .map(({ entry }) => entry);
        const isKept = new Set(kept.map(({ key }) => hex(key)));
        const strangers = gone.filter((key) => !isKept.has(hex(key)));
        let state = build(strangers.map((key) => ({ key, value: key })));
        for (const entry of shuffled) state = map.mapUpdate(state, [entry]);
        state = map.mapUpdate(
          state,
          strangers.map((key) => ({ key, value: null })),
        );
        expect(hex(map.mapRoot(state))).toBe(hex(map.mapRoot(plain)));
        expect([...map.mapEntries(state)]).toEqual([...map.mapEntries(plain)]);
      }),
    );
  });

  test('what a batch does not touch is shared, and what changes nothing is the map itself', () => {
    const state = build(Array.from({ length: 64 }, (_, n) => ({ key: at(n), value: at(n) })));
    map.mapRoot(state);
    const next = map.mapUpdate(state, [{ key: at(5), value: at(0) }]);
    const [before, after] = [nodes(state.top), nodes(next.top)];
    const fresh = [...after].filter((node) => !before.has(node));
    expect(fresh.length).toBeLessThan(16);
    expect(fresh.every(({ hash }) => hash === null)).toBe(true);
    expect(map.mapUpdate(next, [{ key: at(5), value: at(0) }])).toBe(next);
    expect(map.mapUpdate(next, [])).toBe(next);
  });

  test('no node is hashed twice, and a batch costs its own paths only', () => {
    let hashes = 0;
    installSha256((bytes) => {
      hashes++;
      return sha(bytes);
    });
    const counted = (run: () => unknown): number => {
      hashes = 0;
      run();
      return hashes;
    };
    const many = Array.from({ length: 4_096 }, (_, n) => ({ key: wide(n), value: wide(n) }));
    const state = build(many);
    expect(counted(() => map.mapRoot(state))).toBeGreaterThan(4 * 4_096);
    expect(counted(() => map.mapRoot(state))).toBe(0);
    const changes = many.slice(0, 16).map(({ key }) => ({ key, value: null }));
    const cost = counted(() => map.mapRoot(map.mapUpdate(state, changes)));
    // For 16 paths: 8 levels of their own each, and 4 above that they share.
    expect(cost).toBeLessThan(16 * (8 + 4 + 2));
  });

  const wide = (n: number): Uint8Array => Uint8Array.of(n >> 8, n & 255);

  test('bytes that the caller writes to later do not reach the map', () => {
    const [key, value] = [Buffer.from([1]), Buffer.from([2])];
    const state = build([{ key, value }]);
    key[0] = value[0] = 9;
    expect(map.mapGet(state, Uint8Array.of(1))).toEqual(Uint8Array.of(2));
    expect(hex(map.mapRoot(state))).toBe(modelRoot(new Map([['01', Uint8Array.of(2)]])));
  });

  const at = (n: number): Uint8Array => Uint8Array.of(n);

  function nodes(node: map.MapNode | null, found = new Set<map.MapNode>()): Set<map.MapNode> {
    if (node === null) return found;
    if (node.kind === 'inner') {
      nodes(node.left, found);
      nodes(node.right, found);
    }
    return found.add(node);
  }
});

describe('proofs', () => {
  const proofCodec = codec('map proof', 16_384, mapProofShape);

  test('every key is proved to hold what it holds, and nothing else', () => {
    fc.assert(
      fc.property(entries, fc.array(key, { maxLength: 10 }), value, (held, asked, lie) => {
        const state = build(held);
        const root = map.mapRoot(state);
        for (const key of [...held.map(({ key }) => key), ...asked, ...close.keys]) {
          const truth = map.mapGet(state, key);
          const proof = proofCodec.decode(proofCodec.encode(proveKey(state, key)));
          expect(verifyMapProof(root, key, truth, proof)).toBe(true);
          if (truth !== null) expect(verifyMapProof(root, key, null, proof)).toBe(false);
          const lied = truth === null || hex(truth) !== hex(lie);
          expect(verifyMapProof(root, key, lie, proof)).toBe(!lied);
          const longer = map.mapUpdate(state, [{ key: Uint8Array.of(1, 2, 3, 4), value: lie }]);
          expect(verifyMapProof(map.mapRoot(longer), key, truth, proof)).toBe(false);
        }
      }),
      { numRuns: 40 },
    );
  });

  test('no bit of a proof is free: each one flipped is refused', () => {
    const held = Array.from({ length: 40 }, (_, n) => ({
      key: Uint8Array.of(n),
      value: Uint8Array.of(n),
    }));
    const state = build([...held, { key: close.keys[0]!, value: Uint8Array.of(1) }]);
    const root = map.mapRoot(state);
    const deep = map.mapUpdate(state, [{ key: close.keys[1]!, value: Uint8Array.of(2) }]);
    const cases = [
      ...[0, 7, 200, 201, 202].map((n) => ({ state, key: Uint8Array.of(n) })),
      ...close.keys.flatMap((key) => [state, deep].map((state) => ({ state, key }))),
    ];
    let refused = 0;
    for (const { state, key } of cases) {
      const bytes = proofCodec.encode(proveKey(state, key));
      const [stateRoot, truth] = [map.mapRoot(state), map.mapGet(state, key)];
      for (let bit = 0; bit < bytes.length * 8; bit++) {
        const forged = bytes.with(bit >> 3, bytes[bit >> 3]! ^ (1 << (bit & 7)));
        const proof = tryDecode(proofCodec, forged);
        if (proof !== null && verifyMapProof(stateRoot, key, truth, proof))
          expect.fail(`bit ${bit} of the proof of ${hex(key)} is free`);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(10_000);
    expect(root).not.toEqual(map.mapRoot(deep));
  });

  test('a key is not proved absent by the leaf that is its own', () => {
    const held = Array.from({ length: 20 }, (_, n) => ({
      key: Uint8Array.of(n),
      value: close.keys[0]!,
    }));
    const state = build(held);
    for (const { key, value } of held) {
      const other = { path: pathOf(key), valueHash: sha(value) };
      const proof = { ...proveKey(state, key), other };
      expect(verifyMapProof(map.mapRoot(state), key, null, proof)).toBe(false);
    }
  });

  test('an empty sibling has one way to be told', () => {
    const [one, two] = close.keys;
    const state = build([one!, two!].map((key) => ({ key, value: key })));
    const root = map.mapRoot(state);
    const { bitmap, siblings, other } = proveKey(state, one!);
    expect(siblings.length).toBe(1);
    expect(verifyMapProof(root, one!, one!, { bitmap, siblings, other })).toBe(true);
    const told = {
      bitmap: bitmap.with(0, 0x80),
      siblings: [new Uint8Array(32), ...siblings],
      other,
    };
    expect(verifyMapProof(root, one!, one!, told)).toBe(false);
  });

  test('a proof of one key, or with its parts moved, proves nothing of another', () => {
    fc.assert(
      fc.property(entries, key, key, fc.nat(), fc.nat(), (held, one, two, i, j) => {
        const state = build(held);
        const root = map.mapRoot(state);
        const [proof, stranger] = [proveKey(state, one), proveKey(state, two)];
        const truth = map.mapGet(state, one);
        const n = proof.siblings.length;
        const swapped = proof.siblings.slice();
        if (n > 0) [swapped[i % n], swapped[j % n]] = [swapped[j % n]!, swapped[i % n]!];
        const forgeries: MapProof[] = [
          { ...proof, siblings: swapped },
          { ...proof, siblings: proof.siblings.slice(1) },
          { ...proof, siblings: [...proof.siblings, root] },
          { ...proof, bitmap: Uint8Array.of(...proof.bitmap, 1) },
          { ...proof, bitmap: proof.bitmap.subarray(1) },
          { ...proof, other: stranger.other },
          { ...proof, siblings: stranger.siblings },
          stranger,
        ];
        const same = hex(proofCodec.encode(proof));
        for (const forged of forgeries) {
          const known = forged.bitmap.length <= mapDepthMax / 8;
          if (known && hex(proofCodec.encode(forged)) === same) continue;
          // Two absent keys may end at one place; then one proof is the other, byte by byte.
          expect(verifyMapProof(root, one, truth, forged)).toBe(false);
        }
        const value = map.mapGet(state, two) ?? Uint8Array.of(0);
        expect(verifyMapProof(root, one, value, stranger)).toBe(
          hex(one) === hex(two) && map.mapGet(state, two) !== null,
        );
      }),
    );
  });

  test('any garbage gets an answer, and it is no', () => {
    const bytes = fc.uint8Array({ minLength: 31, maxLength: 33 });
    const garbage = fc.record({
      bitmap: fc.uint8Array({ maxLength: 34 }),
      siblings: fc.array(bytes, { maxLength: 300 }),
      other: fc.option(fc.record({ path: bytes, valueHash: bytes })),
    });
    const root = map.mapRoot(build([{ key: Uint8Array.of(1), value: Uint8Array.of(1) }]));
    fc.assert(
      fc.property(garbage, key, fc.option(value), (proof, key, value) => {
        expect(verifyMapProof(root, Uint8Array.of(9, ...key), value, proof)).toBe(false);
      }),
    );
  });
});
