/** Keep a list's tree packed, so that a leaf is proved without hashing the list again. */
import { assert, mark } from '../assert.ts';
import { type Digest, sha256 } from '../crypto/hash.ts';
import { type Stretches, stretchHashCount } from '../crypto/stretches.ts';
import { digestBytes } from '../params.ts';

/** Leaves whose hashes are not kept: those of one block are made again for a proof. */
export const treeBlockLeafCount = 64;

/** The upper levels of the tree of a list (RFC 9162): 1/32 of the bytes of all its nodes. */
export type ListTree = {
  readonly size: number;
  readonly root: Digest;
  /** Nodes from the roots of blocks of 64 leaves up to the list's root, packed. */
  readonly levels: readonly Uint8Array[];
};

/** Writes the hash of the leaf at `index` (as by `leafHash`) to `target` from `at`. */
export type LeafHasher = (index: number, target: Uint8Array, at: number) => void;

const node = new Uint8Array(1 + 2 * digestBytes);
node[0] = 1;

/** Hashes pairs of packed nodes in place: the next level. Returns how many nodes it has. */
function raise(nodes: Uint8Array, count: number, target = nodes): number {
  let above = 0;
  for (let at = 0; at < count; at += 2, above++) {
    const from = at * digestBytes;
    if (at + 1 < count) {
      node.set(nodes.subarray(from, from + 2 * digestBytes), 1);
      target.set(sha256(node), above * digestBytes);
    } else target.set(nodes.subarray(from, from + digestBytes), above * digestBytes);
  }
  return above;
}

/** The hashes of the leaves of the block that holds `index`, packed. */
function blockOf(size: number, index: number, leafHash: LeafHasher): Uint8Array {
  const first = index - (index % treeBlockLeafCount);
  const count = Math.min(treeBlockLeafCount, size - first);
  const block = new Uint8Array(count * digestBytes);
  for (let at = 0; at < count; at++) leafHash(first + at, block, at * digestBytes);
  return block;
}

/**
 * Builds the tree of a list in stretches. Its root is what `listRoot` gives.
 * @param size - Leaves, at least one.
 * @see spec/protocol/merkle.md M2
 */
export function* listTreeStretches(size: number, leafHash: LeafHasher): Stretches<ListTree> {
  assert(Number.isSafeInteger(size) && size >= 1, 'a packed tree has leaves');
  mark('M2');
  const blocks = Math.floor((size + treeBlockLeafCount - 1) / treeBlockLeafCount);
  const bottom = new Uint8Array(blocks * digestBytes);
  // A leaf costs some hashes besides its node.
  const blocksOfStretch = stretchHashCount / treeBlockLeafCount / 4;
  for (let at = 0; at < blocks; at++) {
    const block = blockOf(size, at * treeBlockLeafCount, leafHash);
    let count = block.length / digestBytes;
    while (count > 1) count = raise(block, count);
    bottom.set(block.subarray(0, digestBytes), at * digestBytes);
    if (at % blocksOfStretch === blocksOfStretch - 1) yield;
  }
  const levels = [bottom];
  for (let level = bottom; level.length > digestBytes; ) {
    const count = level.length / digestBytes;
    const above = new Uint8Array((count - Math.floor(count / 2)) * digestBytes);
    for (let first = 0; first < count; first += stretchHashCount) {
      const end = Math.min(count, first + stretchHashCount);
      const part = level.subarray(first * digestBytes, end * digestBytes);
      raise(part, end - first, above.subarray((first / 2) * digestBytes));
      if (end < count) yield;
    }
    levels.push(above);
    level = above;
  }
  return { size, root: levels.at(-1)!.slice() as Digest, levels };
}

/**
 * Siblings of a leaf, from the leaf up, as `inclusionProof` gives them: at most 64 leaves are
 * hashed again.
 */
export function treeProof(tree: ListTree, index: number, leafHash: LeafHasher): Digest[] {
  const { size, levels } = tree;
  assert(Number.isSafeInteger(index) && index >= 0 && index < size, 'a leaf is in its list');
  const proof: Digest[] = [];
  const climb = (nodes: Uint8Array, count: number, at: number): void => {
    const sibling = at % 2 === 1 ? at - 1 : at + 1;
    if (sibling >= count) return;
    proof.push(nodes.slice(sibling * digestBytes, (sibling + 1) * digestBytes) as Digest);
  };
  const block = blockOf(size, index, leafHash);
  let at = index % treeBlockLeafCount;
  for (let count = block.length / digestBytes; count > 1; at = Math.floor(at / 2)) {
    climb(block, count, at);
    count = raise(block, count);
  }
  at = Math.floor(index / treeBlockLeafCount);
  for (const level of levels) {
    climb(level, level.length / digestBytes, at);
    at = Math.floor(at / 2);
  }
  return proof;
}
