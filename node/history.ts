/** Keep the hashes of all final headers on disk, with the roots of their full subtrees. */
import { assert, mark } from '../protocol/assert.ts';
import { concatBytes } from '../protocol/brand.ts';
import { type Digest, uint64, zeroDigest } from '../protocol/crypto/hash.ts';
import { type ListFrontier, leafHash, listNodeHash } from '../protocol/merkle/list.ts';
import { type History, historyProofs } from '../protocol/receipt/inclusion.ts';
import type { Store, StoreChange } from './ports.ts';

/** Where the header hash itself lies; lower numbers are levels of the tree above. */
const hashLevel = 255;

/** Level k, index i: the RFC 9162 root over heights i 2^k to (i + 1) 2^k - 1. */
function historyKey(level: number, index: number): Uint8Array {
  return concatBytes(Uint8Array.of(level), uint64(index));
}

/** The changes that append header hashes to a history, and the history after them. */
export function appendHashes(
  { size: first, peaks: before }: ListFrontier,
  hashes: readonly Uint8Array[],
): { readonly changes: readonly StoreChange[]; readonly after: ListFrontier } {
  const changes: StoreChange[] = [];
  const peaks = before.slice();
  let size = first;
  for (const hash of hashes) {
    changes.push({ bucket: 'history', key: historyKey(hashLevel, size), value: hash });
    let node = leafHash(hash);
    let [level, rest] = [0, size];
    while (rest % 2 === 1) {
      rest = (rest - 1) / 2;
      level += 1;
      node = listNodeHash(peaks.pop()!, node);
      mark('B4');
      changes.push({ bucket: 'history', key: historyKey(level, rest), value: node });
    }
    peaks.push(node);
    size += 1;
  }
  return { changes, after: { size, peaks } };
}

/** The frontier of the lowest `size` heights; null where the store lacks a piece of it. */
export async function readFrontier(store: Store, size: number): Promise<ListFrontier | null> {
  const peaks: Digest[] = [];
  for (let level = 52, first = 0; level >= 0; level--) {
    const count = 2 ** level;
    if (Math.floor(size / count) % 2 === 0) continue;
    const peak = await readSubtree(store, level, first / count);
    if (peak === null) return null;
    peaks.push(peak);
    first += count;
  }
  return { size, peaks };
}

/** What the proofs of some heights in the history of `size` heights take, read at once. */
export async function readHistory(
  store: Store,
  size: number,
  heights: readonly number[],
): Promise<History> {
  const asked = new Map<string, readonly [level: number, index: number]>();
  const ask = (level: number, index: number): Digest => {
    asked.set(`${level}/${index}`, [level, index]);
    return zeroDigest;
  };
  // What a proof asks for does not depend on the answers: one pass in vain tells it all.
  historyProofs(
    {
      hash: (height) => ask(hashLevel, height),
      subtree: (first, count) => ask(levelOf(count), first / count),
    },
    size,
    heights,
  );
  const found = new Map<string, Digest | null>();
  for (const [name, [level, index]] of asked)
    found.set(
      name,
      level === hashLevel
        ? ((await store.get('history', historyKey(level, index))) as Digest | null)
        : await readSubtree(store, level, index),
    );
  return {
    hash: (height) => found.get(`${hashLevel}/${height}`) ?? null,
    subtree: (first, count) => found.get(`${levelOf(count)}/${first / count}`) ?? null,
  };
}

function levelOf(count: number): number {
  const level = Math.log2(count);
  assert(Number.isInteger(level), 'a full subtree is asked for');
  return level;
}

async function readSubtree(store: Store, level: number, index: number): Promise<Digest | null> {
  const bytes = await store.get('history', historyKey(level === 0 ? hashLevel : level, index));
  if (bytes === null) return null;
  return level === 0 ? leafHash(bytes) : (bytes as Digest);
}
