// Goal: after a write that failed nothing is written any more: LevelDB's log may end inside a record
// then, and drops what lies behind it at the next start, flushed or not.
// Method: a real database whose next write fails as a full disk's does, once.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { afterEach, expect, test, vi } from 'vitest';
import { openLevelStore } from '../../node/storage/level.ts';
import { put } from './store.ts';

const network = new Uint8Array(32).fill(7);
const one = Uint8Array.of(1);
afterEach(() => vi.restoreAllMocks());

test('a disk that is full for a moment is written to again only after a start', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'anwansi-broken-'));
  const first = await openLevelStore({ directory, network });
  await first.batch([put('vote', 'before', one)], { durable: true });
  const full = Object.assign(new Error('No space left on device'), { code: 'ENOSPC' });
  const batch = vi.spyOn(ClassicLevel.prototype, 'batch').mockRejectedValueOnce(full);
  // A client's job, not a step of the replica: nothing else would stop the node.
  const told = { code: 'STORE_NO_SPACE' };
  const submitted = first.batch([put('submission', 'lost', one)], { durable: true });
  const waiting = first.batch([put('vote', 'waiting', one)], { durable: true });
  const ends = await Promise.allSettled([submitted, waiting]);
  for (const end of ends) expect(end).toMatchObject({ status: 'rejected', reason: told });
  for (const name of ['one', 'two'])
    await expect(first.batch([put('vote', name, one)], { durable: true })).rejects.toMatchObject(
      told,
    );
  expect(batch).toHaveBeenCalledTimes(1);
  expect(await first.range('vote', {})).toHaveLength(1);
  await first.close();
  const second = await openLevelStore({ directory, network });
  await second.batch([put('vote', 'after', one)], { durable: true });
  expect(await second.range('vote', {})).toHaveLength(2);
  await second.close();
  await rm(directory, { recursive: true, force: true });
});
