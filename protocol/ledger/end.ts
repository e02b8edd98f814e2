/** Follow the open lanes to the end of a block, and end the jobs that are done. */
import { type LaneState, slotVotes } from '../aggregation/lane.ts';
import { endBlock, laneWork } from '../aggregation/wave.ts';
import { assert, mark } from '../assert.ts';
import type { LedgerRules } from './chain.ts';
import { type BlockContext, leadersSince } from './context.ts';
import type { JobEnd } from './contracts.ts';
import { rulesOfLane } from './items.ts';
import { closeLane, type JobRecord } from './record.ts';
import type { StateCursor } from './state.ts';

/**
 * Evaluates every open lane after the items of a block, and settles what can be settled.
 * @see spec/protocol/ledger.md L24 to L29
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
      const enough = Math.max(2, rulesOfLane(record, rules, lane).faulty + 1);
      const after = endBlock(before, rulesOfLane(record, rules, lane), {
        height: block.height,
        timeMs: block.timeMs,
        beacon: block.beacon,
        leadersSince: (height) => leadersSince(cursor, block, height, enough),
      });
      if (after !== before) cursor.setLane(id, lane, after);
      lanes.push(after);
    }
    const end = jobEnd(lanes);
    if (end === null) return true;
    endJob(cursor, id, record, lanes, end, block.height, rules);
    return false;
  });
  if (left.length !== open.length) cursor.setOpen(left);
}

type End = { readonly state: JobEnd['outcome']; readonly reason: string };

function jobEnd(lanes: readonly LaneState[]): End | null {
  if (lanes.some((lane) => lane.outcome === 'contradiction'))
    return ended('L24', 'voided', 'LANE_CONTRADICTION');
  const abstained = lanes.find((lane) => lane.outcome === 'abstained');
  if (abstained !== undefined) return ended('L25', 'voided', abstainReason(abstained));
  if (lanes.some((lane) => lane.outcome === 'expired'))
    return ended('L26', 'expired', 'JOB_OUT_OF_WAVES');
  if (!lanes.every((lane) => lane.outcome === 'accepted')) return null;
  const failed = lanes.some((lane) => lane.claims[lane.accepted!]!.valueCid === null);
  return failed
    ? ended('L27', 'failed', 'JOB_ITEM_FAILED')
    : ended('L28', 'settled', 'JOB_SETTLED');
}

function ended(line: string, state: End['state'], reason: string): End {
  mark(line);
  return { state, reason };
}

function abstainReason(lane: LaneState): string {
  const counts = new Map<string, number>();
  for (const { abstained } of lane.slots)
    if (abstained !== null) counts.set(abstained, (counts.get(abstained) ?? 0) + 1);
  const [most] = [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1));
  switch (most?.[0]) {
    case 'timeout':
      return 'PROGRAM_TOO_SLOW';
    case 'unavailable':
      return 'INPUT_UNAVAILABLE';
    case 'inadmissible':
      return 'PROGRAM_INADMISSIBLE';
    default:
      return 'PROGRAM_UNRUNNABLE';
  }
}

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

/** @see spec/protocol/ledger.md L29 */
function pay(
  cursor: StateCursor,
  record: JobRecord,
  lanes: readonly LaneState[],
  outcome: End['state'],
  rules: LedgerRules,
): void {
  mark('L29');
  const work = lanes.flatMap((lane, place) => {
    const items = laneWork(rulesOfLane(record, rules, place));
    return lane.slots.flatMap((slot) => {
      const counted =
        lane.accepted !== null
          ? slotVotes(slot) && slot.claim === lane.accepted
          : slot.commit !== null && !slot.equivocated;
      return counted ? [{ seat: slot.seat, items }] : [];
    });
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
