// Goal: merkletreejs, told to keep leaf and node apart, builds the roots and proofs of RFC 9162.
// Method: every size and index against our own code; beside it, what its defaults would let pass.
import { createHash } from 'node:crypto';
import { MerkleTree } from 'merkletreejs';
import { describe, expect, test } from 'vitest';
import { proveWithMerkletreejs, rootWithMerkletreejs } from '../../node/prover.ts';
import { hex } from '../../protocol/brand.ts';
import { inclusionProof, listRoot, verifyInclusion } from '../../protocol/merkle/list.ts';

const leaves = Array.from({ length: 130 }, (_, i) => Uint8Array.of(i, i >> 1));

test('roots agree for every size from 0 to 130', () => {
  for (let size = 0; size <= leaves.length; size++) {
    const prefix = leaves.slice(0, size);
    expect(hex(rootWithMerkletreejs(prefix))).toBe(hex(listRoot(prefix)));
  }
});

test('proofs are our own, sibling by sibling, and bind the index', () => {
  for (const size of [1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 32, 33, 70])
    for (let index = 0; index < size; index++) {
      const prefix = leaves.slice(0, size);
      const { root, proof, ...at } = proveWithMerkletreejs(prefix, index);
      expect(at).toEqual({ size, index });
      expect(proof.map(hex)).toEqual(inclusionProof(prefix, index).map(hex));
      const claim = { root, size, index, leaf: leaves[index]!, proof };
      expect(verifyInclusion({ ...claim, index: (index + 1) % size })).toBe(size === 1);
    }
});

test('of equal leaves each is proved at its own index', () => {
  const same = Array.from({ length: 7 }, () => Uint8Array.of(1));
  for (let index = 0; index < 7; index++) {
    const { root, proof } = proveWithMerkletreejs(same, index);
    expect(proof.map(hex)).toEqual(inclusionProof(same, index).map(hex));
    expect(verifyInclusion({ root, size: 7, index, leaf: same[index]!, proof })).toBe(true);
  }
});

test('a leaf that is not there is a bug of the caller', () => {
  for (const index of [-1, 3, 1.5])
    expect(() => proveWithMerkletreejs(leaves.slice(0, 3), index)).toThrow('a leaf is in its list');
});

describe('why its defaults are never used', () => {
  const sha = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

  test('by default an inner node passes as a leaf; with us it does not', () => {
    const four = leaves.slice(0, 4);
    const plain = new MerkleTree(four.map(sha), sha);
    const inner = plain.getLayers()[1]![0] as unknown as Buffer;
    const rest = plain.getProof(plain.getLeaf(0), 0).slice(1);
    expect(plain.verify(rest, inner, plain.getRoot())).toBe(true);

    const { root, proof } = proveWithMerkletreejs(four, 0);
    const pair = Buffer.concat(four.slice(0, 2).map((leaf) => sha(Buffer.from([0, ...leaf]))));
    for (const leaf of [pair, Buffer.concat([Buffer.from([1]), pair])])
      expect(verifyInclusion({ root, size: 2, index: 0, leaf, proof: proof.slice(1) })).toBe(false);
  });

  test('with duplicateOdd two lists have one root; with us they have two', () => {
    const three = leaves.slice(0, 3);
    const four = [...three, leaves[2]!];
    const doubled = (list: readonly Uint8Array[]): string =>
      new MerkleTree(list.map(sha), sha, { duplicateOdd: true }).getHexRoot();
    expect(doubled(three)).toBe(doubled(four));
    expect(hex(rootWithMerkletreejs(three))).not.toBe(hex(rootWithMerkletreejs(four)));
  });
});
