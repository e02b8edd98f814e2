/** Show a job as its node knows it: where it stands, what it awaits, from whom, until when. */
import { hex } from '../../protocol/brand.ts';
import { itemCount, type SignedJob } from '../../protocol/job/job.ts';
import { laneItemCount } from '../../protocol/job/split.ts';
import { StateCursor } from '../../protocol/ledger/state.ts';
import { type Cid, formatCid } from '../../protocol/merkle/cid.ts';
import { formatRatio, type Ratio } from '../../protocol/ratio.ts';
import {
  describeJob,
  type LeadingClaim,
  type ProvisionalJob,
} from '../../protocol/replica/view.ts';
import type { JobView } from '../api/contract.ts';
import type { AnwansiNode } from '../face.ts';
import { awaitsSentence } from './awaits.ts';
import { nextLeader } from './quorum.ts';
import { reasonOf } from './reason.ts';
import { stallText } from './status.ts';

/**
 * A job as a node knows it; null if it never heard of it.
 * @param now - This machine's clock, milliseconds since 1970.
 */
export async function jobView(
  node: AnwansiNode,
  id: Uint8Array,
  now: number = Date.now(),
): Promise<JobView | null> {
  const ordered = describeJob(node.state().final, id, node.rules);
  if (ordered !== null) return orderedView(node, id, ordered, now);
  const submission = await node.submission(id);
  const signed = submission?.signed ?? heardJob(node, id);
  // While the store was asked, a block may have ordered it.
  const meanwhile = describeJob(node.state().final, id, node.rules);
  if (meanwhile !== null) return orderedView(node, id, meanwhile, now);
  if (signed === null) return null;
  return waitingView(node, id, signed, submission?.state ?? 'pending', now);
}

/** A job that was gossiped here, or that a block orders which is not final. */
function heardJob(node: AnwansiNode, id: Uint8Array): SignedJob | null {
  const { pool, jobs } = node.state();
  return pool.jobs.get(hex(id))?.signed ?? jobs.get(hex(id)) ?? null;
}

function orderedView(node: AnwansiNode, id: Uint8Array, job: ProvisionalJob, now: number): JobView {
  const { record } = job;
  const { final } = node.state();
  const stall = record.ended === null ? stallText(node, now) : null;
  return {
    id: hex(id),
    state: record.state,
    reason: reasonOf(stall === null ? record.reason : 'NETWORK_NO_QUORUM'),
    awaits:
      record.ended !== null
        ? null
        : stall !== null
          ? `Awaits ${stall}.`
          : record.plan === null
            ? `Awaits the beacon of the next block, which draws its seats: ${leaderText(node)}.`
            : awaitsSentence(job, final.header.timeMs),
    submitter: hex(record.submitter),
    items: record.items,
    subtasks: record.subtasks,
    fee: String(record.fee),
    fuelItem: String(record.fuelItem),
    mapFuel: usedFuel(record),
    includedHeight: record.includedHeight,
    endedHeight: record.ended,
    provisional: provisionalView(job),
    at: final.header.height,
  };
}

/** The best guess so far, and how much of the job it covers; null when there is none to make. */
function provisionalView({ record, lanes, bound }: ProvisionalJob): JobView['provisional'] {
  const { plan, ended, items, subtasks } = record;
  if (ended !== null || plan === null) return null;
  const covered = lanes.filter(({ leading }) => leading !== null);
  return {
    bound: boundText(bound, plan),
    coverage: {
      lanes: covered.length,
      lanesAll: lanes.length,
      items: covered.reduce(
        (sum, { lane }) => sum + laneItemCount(items, subtasks, plan.lanes, lane),
        0,
      ),
      itemsAll: items,
    },
    lanes: lanes.map(({ untilMs, awaited, bound: ofLane, leading, ...lane }) => ({
      ...lane,
      leading: leadingView(leading),
      awaited: [...awaited],
      until: untilMs === null ? null : new Date(untilMs).toISOString(),
      bound: boundText(ofLane, plan),
    })),
  };
}

type LaneView = NonNullable<JobView['provisional']>['lanes'][number];

function leadingView(leading: LeadingClaim | null): LaneView['leading'] {
  if (leading === null) return null;
  return leading.kind === 'failed'
    ? { claim: 'failed', cid: null }
    : { claim: 'value', cid: formatCid(leading.cid as Cid) };
}

/** Fuel of the lanes that were accepted; null as long as the job goes on, and without any. */
function usedFuel({ lanes }: ProvisionalJob['record']): string | null {
  const claims = lanes.flatMap(({ claim }) => (claim === null ? [] : [claim]));
  return claims.length === 0
    ? null
    : String(claims.reduce((sum, { mapFuel }) => sum + mapFuel, 0n));
}

/** A bound, never as 0: where more votes agree than are assumed bad, the assumption is all. */
function boundText(
  bound: Ratio,
  { adversarial, seats }: { readonly adversarial: number; readonly seats: number },
): string {
  return bound.numerator === 0n
    ? `only if more than ${adversarial} of ${seats} collude`
    : formatRatio(bound);
}

/** A job that no final block has ordered. */
function waitingView(
  node: AnwansiNode,
  id: Uint8Array,
  signed: SignedJob,
  submitted: 'pending' | 'cancelled',
  now: number,
): JobView {
  const { job } = signed;
  const { header } = node.state().final;
  const over = header.timeMs > job.includeByMs;
  const cancelled = submitted === 'cancelled';
  const stall = over ? null : stallText(node, now);
  const [state, code] = cancelled
    ? (['cancelled', 'JOB_CANCELLED'] as const)
    : over
      ? (['expired', 'NOT_INCLUDED'] as const)
      : (['pending', stall === null ? 'JOB_AWAITS_ORDER' : 'NETWORK_NO_QUORUM'] as const);
  return {
    id: hex(id),
    state,
    reason: reasonOf(code),
    awaits: over ? null : waitingText(node, id, job.includeByMs, { cancelled, stall }),
    submitter: hex(job.submitter),
    items: itemCount(job),
    subtasks: job.subtasks,
    fee: String(job.fee),
    fuelItem: String(job.fuelItem),
    mapFuel: null,
    includedHeight: null,
    endedHeight: null,
    provisional: null,
    at: header.height,
  };
}

function waitingText(
  node: AnwansiNode,
  id: Uint8Array,
  includeByMs: number,
  { cancelled, stall }: { readonly cancelled: boolean; readonly stall: string | null },
): string {
  const until = new Date(includeByMs).toISOString();
  const height = unfinalHeight(node, id);
  if (height !== null)
    return stall === null
      ? `Awaits that the block at height ${height}, which orders it, becomes final.`
      : `Awaits ${stall}; a block at height ${height} orders the job, and is not final.`;
  if (cancelled)
    return `Awaits nothing: who has heard of it may order it until ${until} chain time.`;
  if (stall !== null) return `Awaits ${stall}.`;
  return `Awaits a block that orders it, until ${until} chain time: ${leaderText(node)}.`;
}

/** The height of a block that orders a job and is not final; null without one. */
function unfinalHeight(node: AnwansiNode, id: Uint8Array): number | null {
  const included = [...node.state().tree.values()].flatMap(({ chain }) => {
    const record = chain === null ? null : new StateCursor(chain.map).job(id);
    return record === null ? [] : [record.includedHeight];
  });
  return included.length === 0 ? null : Math.min(...included);
}

function leaderText(node: AnwansiNode): string {
  const { seat, view } = nextLeader(node);
  return `seat ${seat} leads view ${view}, other seats the views after it`;
}
