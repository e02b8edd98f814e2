/** Check a receipt's job and recompute how it was drawn. */
import { mark } from '../assert.ts';
import { sameBytes } from '../brand.ts';
import { admitJob, lifeFits } from '../job/admit.ts';
import { adversaryDenominator, itemCount, type Job } from '../job/job.ts';
import { blockItemCodec } from '../ledger/block.ts';
import { headerHash } from '../ledger/header.ts';
import { type JobPlan, type JobRecord, recordCodec } from '../ledger/record.ts';
import { blockJobCountMax } from '../params.ts';
import { drawPlan, skippedViews } from '../sampling/plan.ts';
import { type HeaderAt, type Network, type ProvedRecord, short } from './case.ts';
import { fails, holds, type Ruling } from './finding.ts';
import { isFirstItem, pathRoot } from './inclusion.ts';
import type { Receipt } from './receipt.ts';

/** @see spec/protocol/receipt.md V22 to V24 */
export function checkJob(
  receipt: Receipt,
  network: Network,
  { id, record }: ProvedRecord,
  headerAt: HeaderAt,
): Ruling<Job> {
  const { job } = receipt.job;
  const wrong = (code: string, because: string): Ruling<never> => {
    mark('V22');
    return fails(code, because);
  };
  const { id: networkId, suite, genesis } = network;
  const verdict = admitJob(receipt.job, {
    network: networkId,
    seats: genesis.seats.length,
    suite,
  });
  if (verdict.verdict !== 'accept')
    return wrong('AUDIT_JOB', `the job could not have been admitted: ${verdict.code}`);
  const h = record.includedHeight;
  const block = headerAt(h);
  const item = blockItemCodec.encode({ kind: 'job', signed: receipt.job });
  if (!sameBytes(pathRoot(item, receipt.jobPath), block.itemsRoot))
    return wrong('AUDIT_JOB_INCLUSION', `the block of height ${h} does not order job ${short(id)}`);
  const anchor = job.anchorHeight < h ? headerAt(job.anchorHeight) : null;
  if (anchor === null || !sameBytes(headerHash(anchor), job.anchorHash))
    return wrong(
      'AUDIT_JOB_ANCHOR',
      `the job's anchor is not the block of height ${job.anchorHeight}`,
    );
  if (block.timeMs > job.includeByMs || !lifeFits(job.includeByMs, anchor.timeMs))
    return wrong('AUDIT_JOB_TIME', `the job could not be ordered at the time of height ${h}`);
  const told: JobRecord = {
    ...record,
    submitter: job.submitter,
    items: itemCount(job),
    subtasks: job.subtasks,
    lossExponent: job.lossExponent,
    adversary: job.adversary,
    slowItemMs: job.slowItemMs,
    waves: job.waves,
    fuelItem: job.fuelItem,
    fee: job.fee,
    escrow: 0n,
    parentView: headerAt(h - 1).view,
    anchorView: anchor.view,
    anchorHeight: anchor.height,
  };
  if (!sameBytes(recordCodec.encode(told), receipt.record)) {
    mark('V23');
    return fails('AUDIT_JOB_RECORD', 'the record is not that of this job in this block');
  }
  mark('V24');
  return holds(
    `submitter ${short(job.submitter)} signed it; ordered at height ${h}; ${itemCount(job)} items ` +
      `in ${job.subtasks} subtasks`,
    job,
  );
}

/** A plan that was recomputed, but for its offset. @see spec/protocol/receipt.md V25, V26 */
export function checkDraw(
  receipt: Receipt,
  network: Network,
  { record, plan }: ProvedRecord,
  headerAt: HeaderAt,
): Ruling<JobPlan> {
  const h = record.includedHeight;
  const next = headerAt(h + 1);
  const seats = network.genesis.seats.length;
  const skipped = skippedViews({
    next,
    parent: headerAt(h - 1),
    anchor: headerAt(record.anchorHeight),
  });
  const drawn = drawPlan({
    seats,
    adversary: adversaryDenominator(record.adversary),
    lossExponent: record.lossExponent,
    skippedViews: skipped,
  });
  const expected: JobPlan = {
    seats,
    seatSetHash: network.seatSet,
    adversarial: drawn.adversarial,
    perLane: drawn.perLane,
    lanesMax: drawn.lanesMax,
    lanes: Math.min(record.subtasks, drawn.lanesMax),
    offset: plan.offset,
    skippedViews: skipped,
    drawnMs: next.timeMs,
  };
  const offsetMax = isFirstItem(receipt.jobPath) ? 0 : (blockJobCountMax - 1) * seats;
  const same = sameBytes(recordCodec.encode({ ...record, plan: expected }), receipt.record);
  if (!same || plan.offset > offsetMax) {
    mark('V25');
    return fails('AUDIT_DRAW', 'the record was drawn in another way than the headers say');
  }
  mark('V26');
  const anchorViews = headerAt(h).view - record.anchorView;
  return holds(
    `beacon of height ${h + 1}: ${plan.lanes} of ${plan.lanesMax} lanes of ${plan.perLane} among ` +
      `${seats} seats, from cut ${plan.offset}; K ${plan.adversarial}, s ${skipped}, ` +
      `${anchorViews} views after its anchor`,
    plan,
  );
}
