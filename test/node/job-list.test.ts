// Goal: a job that was submitted is listed once, whenever it is ordered, also in that millisecond.
// Method: the rows of a submission and of a block with the same job, at all distances in time.
import { expect, test } from 'vitest';
import { openMemoryStore } from '../../node/storage/memory.ts';
import { orderedChanges, readJobs, submissionChanges } from '../../node/submissions.ts';
import { hex } from '../../protocol/brand.ts';
import { jobId } from '../../protocol/job/job.ts';
import { type BlockItem, blockItemCodec } from '../../protocol/ledger/block.ts';
import { fakeWorld, smallProgram } from '../support/ledger-world.ts';

test.each([-1, 0, 1])('ordered %i ms after it was submitted', async (after) => {
  const world = fakeWorld(4, 3);
  const signed = world.job(smallProgram);
  const item: BlockItem = { kind: 'job', signed };
  const { header } = world.tip;
  const at = 1_000_000;
  const block = { header: { ...header, timeMs: at + after }, items: [blockItemCodec.encode(item)] };
  const store = openMemoryStore();
  const rows = submissionChanges({ signed, state: 'pending', at });
  const ordered = orderedChanges([{ ...block, signature: new Uint8Array(64) }]);
  await store.batch([...rows, ...ordered], { durable: false });
  const page = await readJobs(store, null, 10);
  expect(page).toEqual({ ids: [jobId(signed.job)], next: null });
  // The pages of one row each come to the same.
  const seen: string[] = [];
  for (let cursor: string | null = null; ; ) {
    const { ids, next } = await readJobs(store, cursor, 1);
    seen.push(...ids.map(hex));
    if (next === null) break;
    cursor = next;
  }
  expect(seen).toEqual([hex(jobId(signed.job))]);
});
