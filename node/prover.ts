/** Build list proofs with merkletreejs, and take none that the protocol's own code disputes. */
import { createHash } from 'node:crypto';
import { MerkleTree } from 'merkletreejs';
import { assert } from '../protocol/assert.ts';
import { sameBytes } from '../protocol/brand.ts';
import type { Digest } from '../protocol/crypto/hash.ts';
import { listRoot, verifyInclusion } from '../protocol/merkle/list.ts';

/** A leaf's path, with the root that it leads to. */
export type ListProof = {
  readonly root: Digest;
  readonly size: number;
  readonly index: number;
  readonly proof: readonly Digest[];
};

/**
 * Root of a list by merkletreejs, which must be what the protocol computes.
 *
 * Two implementations that share no code agree on each root, or we stop.
 */
export function rootWithMerkletreejs(leaves: readonly Uint8Array[]): Digest {
  return build(leaves).root;
}

/** Proof of one leaf by merkletreejs, which the protocol's verifier must accept. */
export function proveWithMerkletreejs(leaves: readonly Uint8Array[], index: number): ListProof {
  const leaf = leaves[index];
  assert(leaf !== undefined, 'a leaf is in its list');
  const { root, tree } = build(leaves);
  assert(tree !== null, 'a list with a leaf has a tree');
  // By index: by value it would search all leaves, and find the first of two that are equal.
  const steps = tree.getProof(tree.getLeaf(index), index);
  const proof = steps.map(({ data }: { data: Buffer }) => new Uint8Array(data) as Digest);
  const claim = { root, size: leaves.length, index, leaf, proof };
  assert(verifyInclusion(claim), 'the protocol accepts what merkletreejs proves');
  return { root, size: claim.size, index, proof };
}

function build(leaves: readonly Uint8Array[]): {
  readonly root: Digest;
  readonly tree: MerkleTree | null;
} {
  const root = listRoot(leaves);
  if (leaves.length === 0) return { root, tree: null }; // its empty tree has no root
  const tree = new MerkleTree(
    leaves.map((leaf) => prefixed(0, leaf)),
    nodeHash,
    {
      hashLeaves: false,
      sortLeaves: false,
      sortPairs: false,
      duplicateOdd: false,
    },
  );
  assert(sameBytes(new Uint8Array(tree.getRoot()), root), 'merkletreejs finds the same root');
  return { root, tree };
}

// The two prefixes are what keeps an inner node from passing as a leaf; its defaults have none.
const nodeHash = (pair: Buffer): Buffer => prefixed(1, pair);

function prefixed(prefix: number, bytes: Uint8Array): Buffer {
  return createHash('sha256').update(Uint8Array.of(prefix)).update(bytes).digest();
}
