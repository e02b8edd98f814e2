/** Give a list one root, and prove a leaf or an older root by it (RFC 9162). */
import { assert, mark } from '../assert.ts';
import { concatBytes, sameBytes } from '../brand.ts';
import { fixedBytes, list } from '../codec/schema.ts';
import { type Digest, sha256 } from '../crypto/hash.ts';
import { digestBytes } from '../params.ts';

/** Digests of a proof: a list has fewer than 2^53 leaves, and consistency takes one more. */
export const listProofDigestCountMax = 54;

/** How an inclusion or a consistency proof travels. */
export const listProofShape = list(fixedBytes(digestBytes), listProofDigestCountMax);

/** The claim that `leaf` (data, not its hash) stands at `index` of the list under `root`. */
export type InclusionClaim = {
  readonly root: Uint8Array;
  /** Leaves of the list. The root does not fix it: it must come from where the root came from. */
  readonly size: number;
  readonly index: number;
  readonly leaf: Uint8Array;
  readonly proof: readonly Uint8Array[];
};

/** The claim that the first `oldSize` leaves under `newRoot` are the list under `oldRoot`. */
export type ConsistencyClaim = {
  readonly oldRoot: Uint8Array;
  readonly oldSize: number;
  readonly newRoot: Uint8Array;
  readonly newSize: number;
  readonly proof: readonly Uint8Array[];
};

const leafPrefix = Uint8Array.of(0);
const nodePrefix = Uint8Array.of(1);
const emptyRoot = sha256(new Uint8Array(0));

/** Hash of a leaf's data: SHA-256(0x00 || data). */
export function leafHash(data: Uint8Array): Digest {
  return sha256(concatBytes(leafPrefix, data));
}

/** Hash of an inner node: SHA-256(0x01 || left || right). */
export function listNodeHash(left: Uint8Array, right: Uint8Array): Digest {
  return sha256(concatBytes(nodePrefix, left, right));
}

/**
 * Root of a list of data; SHA-256 of nothing for the empty list.
 * @see spec/protocol/merkle.md M1, M2; RFC 9162, 2.1.1
 */
export function listRoot(leaves: readonly Uint8Array[]): Digest {
  return listRootOfHashes(leaves.map(leafHash));
}

/** Root of a list whose leaves were hashed already (by {@link leafHash}). */
export function listRootOfHashes(leafHashes: readonly Digest[]): Digest {
  if (leafHashes.length === 0) {
    mark('M1');
    return emptyRoot;
  }
  mark('M2');
  let level = leafHashes;
  while (level.length > 1) level = parents(level);
  return level[0]!;
}

/**
 * Siblings of a leaf, from the leaf up: what {@link verifyInclusion} needs. Hashes the whole list.
 * @see RFC 9162, 2.1.3.1
 */
export function inclusionProof(leaves: readonly Uint8Array[], index: number): Digest[] {
  assert(
    Number.isSafeInteger(index) && index >= 0 && index < leaves.length,
    'a leaf is in its list',
  );
  const proof: Digest[] = [];
  let level: readonly Digest[] = leaves.map(leafHash);
  for (let at = index; level.length > 1; at = half(at)) {
    const sibling = level[odd(at) ? at - 1 : at + 1];
    if (sibling !== undefined) proof.push(sibling);
    level = parents(level);
  }
  return proof;
}

/**
 * Whether a leaf stands in a list. Total: any claim gives an answer.
 *
 * The leaf's hash is computed here, so that an inner node can never pass as a leaf. `size` is
 * part of what is believed, not of what is proved: read it from where the root was read.
 * @see spec/protocol/merkle.md M3, M4; RFC 9162, 2.1.3.2
 */
export function verifyInclusion({ root, size, index, leaf, proof }: InclusionClaim): boolean {
  if (!count(size) || !count(index) || index >= size || !wellFormed(proof)) {
    mark('M3');
    return false;
  }
  mark('M4');
  let at = index;
  let last = size - 1;
  let node = leafHash(leaf);
  for (const sibling of proof) {
    if (last === 0) return false;
    if (odd(at) || at === last) {
      node = listNodeHash(sibling, node);
      while (!odd(at) && at !== 0) [at, last] = [half(at), half(last)];
    } else node = listNodeHash(node, sibling);
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && sameBytes(node, root);
}

/**
 * Digests that show the first `oldSize` leaves to be a prefix: what {@link verifyConsistency}
 * needs. Nothing for the empty prefix and for the whole.
 * @see RFC 9162, 2.1.4.1
 */
export function consistencyProof(leaves: readonly Uint8Array[], oldSize: number): Digest[] {
  assert(count(oldSize) && oldSize <= leaves.length, 'a prefix is not longer than its list');
  if (oldSize === 0) return [];
  let hashes: readonly Digest[] = leaves.map(leafHash);
  let prefix = oldSize;
  let prefixIsKnown = true;
  const fromTop: Digest[] = [];
  while (prefix !== hashes.length) {
    const split = largestPowerBelow(hashes.length);
    const left = hashes.slice(0, split);
    const right = hashes.slice(split);
    if (prefix <= split) {
      fromTop.push(listRootOfHashes(right));
      hashes = left;
    } else {
      fromTop.push(listRootOfHashes(left));
      hashes = right;
      prefix -= split;
      prefixIsKnown = false;
    }
  }
  if (!prefixIsKnown) fromTop.push(listRootOfHashes(hashes));
  return fromTop.reverse();
}

/**
 * Whether one list continues another. Total: any claim gives an answer.
 * @see spec/protocol/merkle.md M5, M6, M7; RFC 9162, 2.1.4.2
 */
export function verifyConsistency(claim: ConsistencyClaim): boolean {
  const { oldRoot, oldSize, newRoot, newSize, proof } = claim;
  const sized = count(oldSize) && count(newSize) && oldSize <= newSize;
  if (!sized || oldRoot.length !== digestBytes || !wellFormed(proof)) {
    mark('M5');
    return false;
  }
  if (oldSize === 0 || oldSize === newSize) {
    mark('M6');
    const sameRoot = sameBytes(oldRoot, newRoot);
    const oldIsEmpty = sameBytes(oldRoot, emptyRoot);
    return proof.length === 0 && (oldSize > 0 || oldIsEmpty) && (oldSize < newSize || sameRoot);
  }
  mark('M7');
  let at = oldSize - 1;
  let last = newSize - 1;
  while (odd(at)) [at, last] = [half(at), half(last)];
  // A prefix of 2^k leaves is a node of the new tree, which the proof therefore leaves out.
  const [seed, ...rest] = at === 0 ? [oldRoot, ...proof] : proof;
  if (seed === undefined) return false;
  let older = seed;
  let newer = seed;
  for (const sibling of rest) {
    if (last === 0) return false;
    if (odd(at) || at === last) {
      older = listNodeHash(sibling, older);
      newer = listNodeHash(sibling, newer);
      while (!odd(at) && at !== 0) [at, last] = [half(at), half(last)];
    } else newer = listNodeHash(newer, sibling);
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && sameBytes(older, oldRoot) && sameBytes(newer, newRoot);
}

/**
 * A list of `size` leaves, of which only the roots of its full subtrees are kept: one for each
 * one-bit of `size`, widest first. Plain data, never changed in place.
 */
export type ListFrontier = {
  readonly size: number;
  readonly peaks: readonly Digest[];
};

/** The list without leaves. */
export const emptyFrontier: ListFrontier = { size: 0, peaks: [] };

/**
 * The list with one leaf more, in O(log size) hashes at most and one on average.
 * @see spec/protocol/merkle.md M8
 */
export function appendLeaf(frontier: ListFrontier, data: Uint8Array): ListFrontier {
  mark('M8');
  const { size } = frontier;
  assert(size < Number.MAX_SAFE_INTEGER, 'a list has fewer than 2^53 leaves');
  const peaks = frontier.peaks.slice();
  let peak = leafHash(data);
  for (let rest = size; rest % 2 === 1; rest = (rest - 1) / 2) {
    const left = peaks.pop();
    assert(left !== undefined, 'a frontier has a peak for each one-bit of its size');
    peak = listNodeHash(left, peak);
  }
  return { size: size + 1, peaks: [...peaks, peak] };
}

/** The root of the list: what `listRoot` gives for all its leaves. */
export function frontierRoot({ peaks }: ListFrontier): Digest {
  if (peaks.length === 0) return listRootOfHashes([]);
  return peaks.reduceRight((right, left) => listNodeHash(left, right));
}

/** The frontier of a list whose leaves are at hand. */
export function frontierOf(leaves: Iterable<Uint8Array>): ListFrontier {
  let frontier = emptyFrontier;
  for (const leaf of leaves) frontier = appendLeaf(frontier, leaf);
  return frontier;
}

/** The next level: pairs are hashed, and a node without a partner moves up as it is. */
function parents(level: readonly Digest[]): Digest[] {
  const above: Digest[] = [];
  for (let i = 0; i < level.length; i += 2) {
    const left = level[i]!;
    const right = level[i + 1];
    above.push(right === undefined ? left : listNodeHash(left, right));
  }
  return above;
}

function largestPowerBelow(size: number): number {
  let power = 1;
  while (power * 2 < size) power *= 2;
  return power;
}

// No bit operators: they would cut sizes at 2^32.
const odd = (n: number): boolean => n % 2 === 1;
const half = (n: number): number => (n - (n % 2)) / 2;
const count = (n: number): boolean => Number.isSafeInteger(n) && n >= 0;

// A sibling of another length would let one byte string be cut in two ways.
const wellFormed = (proof: readonly Uint8Array[]): boolean =>
  proof.length <= listProofDigestCountMax && proof.every(({ length }) => length === digestBytes);
