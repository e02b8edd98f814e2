/** Remember the hashes of all final headers, and the roots of their full subtrees. */
import { assert } from '../protocol/assert.ts';
import type { Digest } from '../protocol/crypto/hash.ts';
import { leafHash, listNodeHash } from '../protocol/merkle/list.ts';
import type { History } from '../protocol/receipt/inclusion.ts';

/** The history as receipts ask for it. Appending costs one hash on average, a proof log n. */
export type HeaderHistory = History & {
  /** Adds the hash of the next height. */
  readonly append: (hash: Uint8Array) => void;
  readonly size: () => number;
};

/** An empty history. */
export function headerHistory(): HeaderHistory {
  const hashes: Uint8Array[] = [];
  // Level k holds the RFC 9162 roots over 2^k heights each, from height 0 on.
  const levels: Digest[][] = [[]];
  return {
    size: () => hashes.length,
    append: (hash) => {
      hashes.push(hash);
      levels[0]!.push(leafHash(hash));
      for (let level = 0; levels[level]!.length % 2 === 0; level++) {
        const full = levels[level]!;
        const root = listNodeHash(full.at(-2)!, full.at(-1)!);
        (levels[level + 1] ??= []).push(root);
      }
    },
    hash: (height) => hashes[height] ?? null,
    subtree: (first, count) => {
      const level = Math.log2(count);
      assert(Number.isInteger(level) && first % count === 0, 'a full subtree is asked for');
      return levels[level]?.[first / count] ?? null;
    },
  };
}
