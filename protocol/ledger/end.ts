/** Follow the open lanes to the end of a block, and end the jobs that are done. */
import { laneFuel } from '../aggregation/fuel.ts';
import { type LaneState, slotVotes } from '../aggregation/lane.ts';
import { abstainedClass, endBlock } from '../aggregation/wave.ts';
import { assert, mark } from '../assert.ts';
import type { AbstainClass } from '../job/statement.ts';
import type { LedgerRules } from './chain.ts';
import { type BlockContext, leadersSince } from './context.ts';
import type { JobEnd } from './contracts.ts';
import { rulesOfLane } from './items.ts';
import { closeLane, type JobPlan, type JobRecord } from './record.ts';
import type { StateCursor } from './state.ts';

/**
 * Evaluates every open lane after the items of a block, and settles what can be settled.
 * @see spec/protocol/ledger.md L34 to L38
 */
export function endLanes(cursor: StateCursor, block: BlockContext, rules: LedgerRules): void {
  const open = cursor.open();
  const left = open.filter((id) => {
    const record = cursor.job(id);
    assert(record !== null, 'an open job has a record');
    if (record.plan === null) return true;
    const lanes: LaneState[] = [];
    for (let lane = 0; lane < record.plan.lanes; lane++) {
      const before = cursor.lane(id, lane)!;
      const laneRules = rulesOfLane(record, rules, lane);
      const enough = laneRules.faulty + 1;
      const after = endBlock(before, laneRules, {
        height: block.height,
        view: block.view,
        timeMs: block.timeMs,
        beacon: block.beacon,
        leadersSince: (height) => leadersSince(cursor, block, height, enough),
      });
      if (after !== before) cursor.setLane(id, lane, after);
      lanes.push(after);
    }
    const end = jobEnd(lanes, record.plan);
    if (end === null) return true;
    endJob(cursor, id, record, lanes, end, block.height, rules);
    return false;
  });
  if (left.length !== open.length) cursor.setOpen(left);
}

type End = { readonly state: JobEnd['outcome']; readonly reason: string };

function jobEnd(lanes: readonly LaneState[], plan: JobPlan): End | null {
  if (lanes.some((lane) => lane.outcome === 'contradiction'))
    return ended('L34', 'voided', 'LANE_CONTRADICTION');
  const abstained = lanes
    .filter((lane) => lane.outcome === 'abstained')
    .map((lane) => abstainedClass(lane, plan))
    .find((name) => name !== null);
  if (abstained != null) return ended('L35', 'voided', abstainReasons[abstained]);
  if (lanes.some((lane) => lane.outcome === 'expired'))
    return ended('L36', 'expired', 'JOB_OUT_OF_WAVES');
  if (!lanes.every((lane) => lane.outcome === 'accepted')) return null;
  const failed = lanes.some((lane) => lane.claims[lane.accepted!]!.valueCid === null);
  return failed
    ? ended('L37', 'failed', 'JOB_ITEM_FAILED')
    : ended('L38', 'settled', 'JOB_SETTLED');
}

function ended(line: string, state: End['state'], reason: string): End {
  mark(line);
  return { state, reason };
}

const abstainReasons: { readonly [K in AbstainClass]: string } = {
  timeout: 'PROGRAM_TOO_SLOW',
  killed: 'PROGRAM_UNRUNNABLE',
  'host-oom': 'PROGRAM_UNRUNNABLE',
  unavailable: 'INPUT_UNAVAILABLE',
  inadmissible: 'PROGRAM_INADMISSIBLE',
  lawless: 'PROGRAM_LAWLESS',
};

function endJob(
  cursor: StateCursor,
  id: Uint8Array,
  record: JobRecord,
  lanes: readonly LaneState[],
  { state, reason }: End,
  height: number,
  rules: LedgerRules,
): void {
  pay(cursor, record, lanes, state, rules);
  lanes.forEach((_, lane) => {
    cursor.setLane(id, lane, null);
  });
  cursor.setJob(id, {
    ...record,
    state,
    reason,
    escrow: 0n,
    lanes: lanes.map(closeLane),
    ended: height,
  });
}

/**
 * A seat is paid once a lane, in how many waves ever it was drawn: a commit alone proves no work.
 * @see spec/protocol/ledger.md L40
 */
function pay(
  cursor: StateCursor,
  record: JobRecord,
  lanes: readonly LaneState[],
  outcome: End['state'],
  rules: LedgerRules,
): void {
  mark('L40');
  const work = lanes.flatMap((lane, place) => {
    const fuel = laneFuel(lane, rulesOfLane(record, rules, place));
    const counted = lane.slots.filter((slot) =>
      lane.accepted !== null
        ? slotVotes(slot) && slot.claim === lane.accepted
        : slot.commit !== null && !slot.equivocated,
    );
    return [...new Set(counted.map(({ seat }) => seat))].map((seat) => ({ seat, fuel }));
  });
  const { fee, escrow } = record;
  const { payments, refund } = rules.contracts.settle({ outcome, fee, escrow, work });
  const paid = payments.reduce((sum, { tokens }) => sum + tokens, 0n);
  assert(paid + refund === escrow, 'a settlement gives out the whole escrow, and no more');
  for (const { seat, tokens } of payments) {
    const { publicKey } = rules.genesis.seats[seat]!;
    cursor.setTokens(publicKey, cursor.tokens(publicKey) + tokens);
  }
  cursor.setTokens(record.submitter, cursor.tokens(record.submitter) + refund);
}
