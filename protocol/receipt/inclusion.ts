/** Prove a body's item by its path, and several header hashes under one history root. */
import { assert, mark } from '../assert.ts';
import { fixedBytes, list, oneOf, type ShapeOf, struct } from '../codec/schema.ts';
import type { Digest } from '../crypto/hash.ts';
import { inclusionProof, leafHash, listNodeHash } from '../merkle/list.ts';
import { blockItemCountMax, digestBytes } from '../params.ts';

/** Levels of a body's tree: an item of the fullest body has as many siblings. */
const pathStepCountMax = 12;
assert(2 ** pathStepCountMax >= blockItemCountMax, 'a path reaches every item of a body');

const sides = ['left', 'right'] as const;
const stepShape = struct({ side: oneOf(sides), hash: fixedBytes(digestBytes) });

/** A sibling on the way up, and the side on which it stands. */
export type PathStep = ShapeOf<typeof stepShape>;

export const pathShape = list(stepShape, pathStepCountMax);

/**
 * The way of an item up to its root.
 *
 * A header does not tell how many items its body has, and without the size an RFC 9162 proof can
 * be read for several places. Sides instead of size and index leave one way to write the proof.
 */
export function itemPath(items: readonly Uint8Array[], index: number): readonly PathStep[] {
  const steps: PathStep[] = [];
  const proof = inclusionProof(items, index);
  let [at, last] = [index, items.length - 1];
  for (const hash of proof) {
    // A node without a partner moves up unhashed: such levels have no step.
    while (at === last && at % 2 === 0) [at, last] = [at / 2, last / 2];
    steps.push({ side: at % 2 === 1 ? 'left' : 'right', hash });
    [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  }
  return steps;
}

/** The root that a path leads to. @see spec/protocol/receipt.md V3 */
export function pathRoot(item: Uint8Array, steps: readonly PathStep[]): Digest {
  mark('V3');
  return steps.reduce(
    (node, { side, hash }) =>
      side === 'left' ? listNodeHash(hash, node) : listNodeHash(node, hash),
    leafHash(item),
  );
}

/** Whether a path is that of the first item of its body. */
export function isFirstItem(steps: readonly PathStep[]): boolean {
  return steps.every(({ side }) => side === 'right');
}

/** Where the header hashes of a chain come from. */
export type History = {
  /** The hash of the header at a height, or null where the store lacks it. */
  readonly hash: (height: number) => Uint8Array | null;
  /**
   * The RFC 9162 root over the hashes of `count` heights from `first`, if the store keeps it;
   * `count` is a power of two that divides `first`. Null makes it be computed from the hashes.
   */
  readonly subtree: (first: number, count: number) => Digest | null;
};

/**
 * Inclusion proofs of some heights in the history root of `size`, in one pass over the history.
 * Null where the store lacks a hash.
 */
export function historyProofs(
  history: History,
  size: number,
  heights: readonly number[],
): ReadonlyMap<number, readonly Digest[]> | null {
  const proofs = new Map<number, Digest[]>(heights.map((height) => [height, []]));
  const root = (first: number, end: number): Digest | null => {
    const inside = [...proofs.keys()].filter((height) => height >= first && height < end);
    const count = end - first;
    if (count === 1) {
      const hash = history.hash(first);
      return hash && leafHash(hash);
    }
    let power = 1;
    while (power * 2 < count) power *= 2;
    if (inside.length === 0 && power * 2 === count) {
      const known = history.subtree(first, count);
      if (known !== null) return known;
    }
    const left = root(first, first + power);
    const right = root(first + power, end);
    if (left === null || right === null) return null;
    for (const height of inside) proofs.get(height)!.push(height < first + power ? right : left);
    return listNodeHash(left, right);
  };
  return root(0, size) === null ? null : proofs;
}
