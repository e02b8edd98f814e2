// Goal: of lists of 1 to 40 leaves, every true claim verifies and no false one does.
// Method: all sizes and all indexes against the definition of RFC 9162, written as it stands
// there; what a root alone cannot tell (its size) is pinned exactly, not glossed over.
import { createHash, hash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hex } from '../../protocol/brand.ts';
import { codec } from '../../protocol/codec/codec.ts';
import { installSha256 } from '../../protocol/crypto/hash.ts';
import * as list from '../../protocol/merkle/list.ts';

installSha256((bytes) => new Uint8Array(hash('sha256', bytes, 'buffer'))); // a million hashes

const sizeMax = 40;
const leaves = Array.from({ length: sizeMax + 2 }, (_, i) => Uint8Array.of(i, i * 7));
const prefixes = leaves.map((_, size) => leaves.slice(0, size));
const roots = prefixes.map(list.listRoot);
const sizes = Array.from({ length: sizeMax }, (_, i) => i + 1);
const proofs = prefixes.map((prefix) => prefix.map((_, i) => list.inclusionProof(prefix, i)));

const powerBelow = (n: number): number => 2 ** Math.floor(Math.log2(n - 1));

/** The definition of RFC 9162, 2.1.1. */
function definition(data: readonly Uint8Array[]): Buffer {
  const sha = createHash('sha256');
  if (data.length === 0) return sha.digest();
  if (data.length === 1) return sha.update('\0').update(data[0]!).digest();
  const k = powerBelow(data.length);
  const [left, right] = [definition(data.slice(0, k)), definition(data.slice(k))];
  return sha.update('\x01').update(left).update(right).digest();
}

/** On which sides the siblings of a leaf stand, from the leaf up. */
function sides(index: number, size: number): string {
  if (size === 1) return '';
  const k = powerBelow(size);
  return index < k ? `${sides(index, k)}r` : `${sides(index - k, size - k)}l`;
}

const flip = (bytes: Uint8Array, bit: number): Uint8Array => {
  const at = (bit >> 3) % bytes.length;
  return Uint8Array.from(bytes).with(at, bytes[at]! ^ (1 << (bit & 7)));
};

describe('every size', () => {
  test('root, and root by appending, are the definition', () => {
    let frontier = list.emptyFrontier;
    for (const [size, prefix] of prefixes.entries()) {
      expect(hex(roots[size]!)).toBe(definition(prefix).toString('hex'));
      const before = hex(list.frontierRoot(frontier));
      expect(before).toBe(hex(roots[size]!));
      const next = list.appendLeaf(frontier, leaves[size]!);
      expect(hex(list.frontierRoot(frontier)), 'appending leaves the old alone').toBe(before);
      frontier = next;
    }
  });

  test('a leaf is proved at its index and at no other', () => {
    for (const size of sizes)
      for (let index = 0; index < size; index++) {
        const proof = proofs[size]![index]!;
        const claim = { root: roots[size]!, size, leaf: leaves[index]!, proof };
        for (let at = 0; at < size; at++)
          if (list.verifyInclusion({ ...claim, index: at }) !== (at === index))
            expect.fail(`size ${size}, leaf ${index}, claimed at ${at}`);
      }
  });

  test('a false size passes only where the siblings stand on the same sides', () => {
    let ambiguous = 0;
    for (const size of sizes)
      for (let index = 0; index < size; index++) {
        const proof = proofs[size]![index]!;
        const claim = { root: roots[size]!, index, leaf: leaves[index]!, proof };
        for (let other = index + 1; other <= sizeMax + 2; other++) {
          const same = sides(index, other) === sides(index, size);
          if (same && other !== size) ambiguous++;
          if (list.verifyInclusion({ ...claim, size: other }) !== same)
            expect.fail(`size ${size}, leaf ${index}, claimed size ${other}`);
        }
      }
    expect(ambiguous, 'so the size must come from where the root comes from').toBeGreaterThan(0);
  });

  test('a false size and a false index together pass only in the same way', () => {
    const places = sizes.slice(0, 14).flatMap((size) => prefixes[size]!.map((_, i) => [i, size]));
    for (const [index, size] of places as [number, number][]) {
      const proof = proofs[size]![index]!;
      const claim = { root: roots[size]!, leaf: leaves[index]!, proof };
      for (const [at, other] of places as [number, number][])
        if (
          list.verifyInclusion({ ...claim, index: at, size: other }) !==
          (sides(at, other) === sides(index, size))
        )
          expect.fail(`leaf ${index} of ${size}, claimed ${at} of ${other}`);
    }
  });

  test('a flipped bit anywhere, a proof cut, extended or turned round, does not pass', () => {
    let bit = 1;
    const nextBit = (): number => (bit = (bit * 1_103_515_245 + 12_345) % 2 ** 31);
    for (const size of sizes)
      for (let index = 0; index < size; index++) {
        const proof = proofs[size]![index]!;
        const claim = { root: roots[size]!, size, index, leaf: leaves[index]!, proof };
        const bad: Partial<list.InclusionClaim>[] = [
          { root: flip(claim.root, nextBit()) },
          { leaf: flip(claim.leaf, nextBit()) },
          { proof: [...proof, roots[size]!] },
          { proof: [roots[size]!, ...proof] },
          ...proof.map((node, at) => ({
            proof: (proof as Uint8Array[]).with(at, flip(node, nextBit())),
          })),
        ];
        if (proof.length > 0) bad.push({ proof: proof.slice(1) }, { proof: proof.slice(0, -1) });
        if (proof.length > 1) bad.push({ proof: proof.toReversed() });
        for (const [at, change] of bad.entries())
          if (list.verifyInclusion({ ...claim, ...change }))
            expect.fail(`size ${size}, leaf ${index}, change ${at}`);
      }
  });

  test('a list is shown to continue each of its prefixes, and no other', () => {
    for (const newSize of sizes)
      for (let oldSize = 0; oldSize <= newSize; oldSize++) {
        const proof = list.consistencyProof(prefixes[newSize]!, oldSize);
        const claim = { oldRoot: roots[oldSize]!, newRoot: roots[newSize]!, newSize, proof };
        for (let other = 0; other <= newSize; other++)
          if (list.verifyConsistency({ ...claim, oldSize: other }) !== (other === oldSize))
            expect.fail(`from ${oldSize} to ${newSize}, claimed ${other}`);
        const forked = { ...claim, oldSize, oldRoot: list.leafHash(roots[oldSize]!) };
        const strange = { ...claim, oldSize, newRoot: list.leafHash(roots[newSize]!) };
        expect(list.verifyConsistency(forked)).toBe(false);
        // Every list continues the empty one: only there the new root is not looked at.
        expect(list.verifyConsistency(strange)).toBe(oldSize === 0);
      }
  });

  test('a flipped bit in a proof of consistency does not pass', () => {
    let bit = 7;
    for (const newSize of sizes)
      for (let oldSize = 1; oldSize < newSize; oldSize++) {
        const proof = list.consistencyProof(prefixes[newSize]!, oldSize);
        const claim = { oldRoot: roots[oldSize]!, oldSize, newRoot: roots[newSize]!, newSize };
        for (const [at, node] of proof.entries()) {
          const changed = (proof as Uint8Array[]).with(at, flip(node, (bit += 97)));
          if (list.verifyConsistency({ ...claim, proof: changed }))
            expect.fail(`from ${oldSize} to ${newSize}, entry ${at}`);
        }
      }
  });
});

test('any garbage gets an answer, and it is no', () => {
  const number = fc.oneof(fc.nat(9), fc.maxSafeNat(), fc.double());
  const garbage = fc.record({
    root: fc.uint8Array({ maxLength: 40 }),
    size: number,
    index: number,
    leaf: fc.uint8Array({ maxLength: 9 }),
    proof: fc.array(fc.uint8Array({ minLength: 30, maxLength: 33 }), { maxLength: 60 }),
  });
  fc.assert(
    fc.property(garbage, (claim) => {
      const { root, size, index, proof } = claim;
      expect(list.verifyInclusion(claim)).toBe(false);
      const growth = { oldRoot: root, oldSize: index, newRoot: root, newSize: size, proof };
      const trivial = root.length === 32 && index === size && index > 0 && proof.length === 0;
      expect(list.verifyConsistency(growth)).toBe(trivial && Number.isSafeInteger(size));
    }),
  );
});

test('sizes above 2^32 are counted exactly', () => {
  // A frontier as of 2^40 + 1 leaves: the right border of a list nobody can hold.
  const wide = list.leafHash(leaves[0]!);
  const size = 2 ** 40 + 1;
  const frontier = { size, peaks: [wide, list.leafHash(leaves[1]!)] };
  const root = list.frontierRoot(frontier);
  const claim = { root, size, index: 2 ** 40, leaf: leaves[1]!, proof: [wide] };
  expect(list.verifyInclusion(claim)).toBe(true);
  expect(list.verifyInclusion({ ...claim, index: 2 ** 40 - 1 })).toBe(false);
  const next = list.appendLeaf(frontier, leaves[2]!);
  expect([next.size, next.peaks.length]).toEqual([2 ** 40 + 2, 2]);
  const growth = { oldRoot: wide, oldSize: 2 ** 40, newRoot: root, newSize: size };
  expect(list.verifyConsistency({ ...growth, proof: [frontier.peaks[1]!] })).toBe(true);
  expect(list.verifyConsistency({ ...growth, proof: [wide] })).toBe(false);
});

test('a proof travels as written and comes back', () => {
  const proofCodec = codec('list proof', 4_096, list.listProofShape);
  const proof = list.inclusionProof(leaves, 33);
  expect(proofCodec.decode(proofCodec.encode(proof)).map(hex)).toEqual(proof.map(hex));
  const long = Array.from({ length: list.listProofDigestCountMax + 1 }, () => roots[1]!);
  expect(() => proofCodec.encode(long)).toThrow();
});
