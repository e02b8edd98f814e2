// Goal: proofs from what the store keeps are those of the whole list, and so is its frontier.
// Method: append in runs of any length, compare with the list itself; take pieces away.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { appendHashes, readFrontier, readHistory } from '../../node/history.ts';
import { openMemoryStore } from '../../node/storage/memory.ts';
import { sha256, uint64 } from '../../protocol/crypto/hash.ts';
import { emptyFrontier, frontierOf, inclusionProof } from '../../protocol/merkle/list.ts';
import { historyProofs } from '../../protocol/receipt/inclusion.ts';

const hashes = Array.from({ length: 80 }, (_, height) => sha256(uint64(height)));

async function written(runs: readonly number[]) {
  const store = openMemoryStore();
  let frontier = emptyFrontier;
  let size = 0;
  for (const run of runs) {
    const { changes, after } = appendHashes(frontier, hashes.slice(size, size + run));
    await store.batch(changes, { durable: false });
    frontier = after;
    size += run;
  }
  return { store, frontier, size };
}

test('however it grew, frontier and proofs are those of the list, at every size', async () => {
  const runs = fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 8 });
  const law = fc.asyncProperty(runs, async (grown) => {
    const { store, frontier, size: all } = await written(grown);
    expect(frontier).toEqual(frontierOf(hashes.slice(0, all)));
    for (const size of new Set([0, Math.floor(all / 2), all])) {
      expect(await readFrontier(store, size)).toEqual(frontierOf(hashes.slice(0, size)));
      if (size === 0) continue;
      const heights = [0, Math.floor(size / 3), size - 1];
      const proofs = historyProofs(await readHistory(store, size, heights), size, heights);
      for (const height of heights)
        expect(proofs?.get(height)).toEqual(inclusionProof(hashes.slice(0, size), height));
    }
  });
  await fc.assert(law, { numRuns: 60 });
});

test('what the store lacks is said, not made up', async () => {
  const { store } = await written([20]);
  expect(await readFrontier(store, 21)).toBeNull();
  expect(historyProofs(await readHistory(store, 21, [3]), 21, [3])).toBeNull();
});

test('a proof reads pieces in proportion to the logarithm of the history', async () => {
  const { store } = await written([80]);
  let reads = 0;
  const counted = {
    ...store,
    get: (...asked: Parameters<typeof store.get>) => {
      reads += 1;
      return store.get(...asked);
    },
  };
  await readHistory(counted, 80, [0]);
  expect(reads).toBeLessThan(12);
});
