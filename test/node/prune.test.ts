// Goal: what is forgotten is what no start needs; the rest stays.
// Method: a store in memory with votes, blocks and statements on both sides of each line.
import { expect, test } from 'vitest';
import { prune } from '../../node/prune.ts';
import { openMemoryStore } from '../../node/storage/memory.ts';
import { concatBytes } from '../../protocol/brand.ts';
import { sha256, uint64 } from '../../protocol/crypto/hash.ts';
import { jobId } from '../../protocol/job/job.ts';
import { busy, finished } from '../support/ledger-steps.ts';
import { fakeWorld, smallProgram } from '../support/ledger-world.ts';

test('votes and blocks far below the final view go, and nothing near or above it', async () => {
  const { parent } = busy();
  const store = openMemoryStore();
  const final = { ...parent, header: { ...parent.header, view: 10_000 } };
  const value = Uint8Array.of(1);
  for (const view of [1, 1_807, 1_808, 9_999, 10_001]) {
    const key = uint64(view);
    await store.batch(
      [
        { bucket: 'vote', key: concatBytes(uint64(0), key, value), value },
        { bucket: 'ballot', key: concatBytes(key, value), value },
        { bucket: 'proposal', key, value },
        { bucket: 'tree', key: concatBytes(key, sha256(value)), value },
      ],
      { durable: false },
    );
  }
  expect(await prune(store, final)).toBe(8);
  for (const bucket of ['vote', 'ballot', 'proposal', 'tree'] as const)
    expect(await store.range(bucket, {})).toHaveLength(3);
  expect(await prune(store, final)).toBe(0);
});

test('statements go when their job has ended, and stay while it is open or unknown', async () => {
  const world = fakeWorld(7, 31);
  const first = world.job(smallProgram);
  const [ended] = finished(world, [first]);
  const open = world.job(smallProgram);
  world.block([{ kind: 'job', signed: open }]);
  const store = openMemoryStore();
  const value = Uint8Array.of(1);
  const keys = [ended!, jobId(open.job), sha256(value)].map((id) => concatBytes(id, value));
  await store.batch(
    keys.map((key) => ({ bucket: 'statement', key, value }) as const),
    { durable: false },
  );
  expect(await prune(store, world.tip)).toBe(1);
  expect(await store.get('statement', keys[0]!)).toBeNull();
  expect(await store.range('statement', {})).toHaveLength(2);
});
