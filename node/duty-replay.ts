/** Replay a final block for what the state forgets: the last lanes of jobs, and who was paid. */
import { type LaneState, type Slot, slotVotes } from '../protocol/aggregation/lane.ts';
import { endBlock } from '../protocol/aggregation/wave.ts';
import { assert } from '../protocol/assert.ts';
import { hex } from '../protocol/brand.ts';
import { jobId } from '../protocol/job/job.ts';
import { blockItemCodec } from '../protocol/ledger/block.ts';
import type { ChainState, LedgerRules } from '../protocol/ledger/chain.ts';
import { type BlockContext, leadersSince } from '../protocol/ledger/context.ts';
import type { Settlement } from '../protocol/ledger/contracts.ts';
import { drawJobs, drawWaves } from '../protocol/ledger/draw.ts';
import { endLanes } from '../protocol/ledger/end.ts';
import { headerHash } from '../protocol/ledger/header.ts';
import { orderJob, orderSeatStatement, rulesOfLane } from '../protocol/ledger/items.ts';
import type { JobRecord } from '../protocol/ledger/record.ts';
import { StateCursor } from '../protocol/ledger/state.ts';
import type { SealedBlock } from '../protocol/replica/wire.ts';

/** A chain as far as the next block builds on it. */
export type ReplayBase = Pick<ChainState, 'header' | 'hash' | 'map'>;

/** A job as the block that ended it saw it, before its lanes were taken out of the state. */
export type EndedJob = {
  readonly id: Uint8Array;
  readonly record: JobRecord;
  readonly lanes: readonly LaneState[];
  /** Tokens that one slot brought its seat; null for a slot that nothing was paid for. */
  readonly paid: (lane: number, slot: Slot) => bigint | null;
};

export type ReplayedBlock = {
  readonly ended: readonly EndedJob[];
  /** The chain with the block in it, where all jobs mattered; an update of the map. */
  readonly next: () => ReplayBase;
};

/**
 * Orders the items of a final block again, in the order of the ledger. Signatures are not checked:
 * a quorum has. What the state keeps no longer is read where it is last.
 * @param matters - Jobs that are followed. No job touches the lanes of another.
 */
export function replayBlock(
  parent: ReplayBase,
  { header, items }: SealedBlock,
  rules: LedgerRules,
  matters: (job: Uint8Array) => boolean,
): ReplayedBlock {
  const settlements: Settlement[] = [];
  const trusting = trustingRules(rules, settlements);
  const cursor = new StateCursor(parent.map);
  const block = beginReplay(cursor, parent, header, trusting);
  cursor.setOpen(cursor.open().filter(matters));
  const ordered: Uint8Array[] = [];
  for (const bytes of items) {
    const item = blockItemCodec.decode(bytes);
    if (item.kind === 'statement') {
      if (!matters(item.signed.statement.job)) continue;
      const code = orderSeatStatement(cursor, item.signed, header.height, trusting);
      assert(code === null, 'a final block orders what has a place');
    } else if (matters(jobId(item.signed.job))) {
      const id = orderJob(cursor, item.signed, block, trusting);
      assert(typeof id !== 'string', 'a final block orders jobs that it may');
      ordered.push(id);
    }
  }
  cursor.setOrdered(ordered);
  const ended = endReplay(cursor, block, trusting, settlements);
  return {
    ended,
    next: () => ({ header, hash: headerHash(header), map: cursor.finish() }),
  };
}

function endReplay(
  cursor: StateCursor,
  block: BlockContext,
  rules: LedgerRules,
  settlements: readonly Settlement[],
): readonly EndedJob[] {
  const open = cursor.open().map((id) => ({ id, lanes: lanesOf(cursor, id) }));
  endLanes(cursor, block, rules);
  const left = new Set(cursor.open().map(hex));
  const ended = open.filter(({ id }) => !left.has(hex(id)));
  // Jobs end in their order, and each is settled once: the k-th settlement is of the k-th of them.
  return ended.map(({ id, lanes: before }, place): EndedJob => {
    const record = cursor.job(id)!;
    const lanes = before.map((lane, number) => {
      const laneRules = rulesOfLane(record, rules, number);
      const enough = laneRules.faulty + 1;
      return endBlock(lane, laneRules, {
        height: block.height,
        view: block.view,
        timeMs: block.timeMs,
        beacon: block.beacon,
        leadersSince: (height) => leadersSince(cursor, block, height, enough),
      });
    });
    return { id, record, lanes, paid: attribute(lanes, settlements[place]!) };
  });
}

/** The rules of the ledger, with signatures believed and settlements written down. */
function trustingRules(rules: LedgerRules, settlements: Settlement[]): LedgerRules {
  const { contracts, suite } = rules;
  return {
    ...rules,
    suite: { ...suite, verify: () => true },
    contracts: {
      ...contracts,
      settle: (end) => {
        const settlement = contracts.settle(end);
        settlements.push(settlement);
        return settlement;
      },
    },
  };
}

/** What comes before the items of a block, as in protocol/ledger/transition.ts. */
function beginReplay(
  cursor: StateCursor,
  { header: above, hash }: ReplayBase,
  { height, view, timeMs, proposer, beacon }: SealedBlock['header'],
  rules: LedgerRules,
): BlockContext {
  const parent = { hash, height: above.height, view: above.view, timeMs: above.timeMs };
  cursor.setRecent({ ...parent, proposer: above.proposer });
  const seconds = (ms: number): number => Math.floor(ms / 1000);
  for (let second = seconds(above.timeMs); second < seconds(timeMs); second++)
    cursor.forgetNonces(second);
  const block: BlockContext = { height, view, timeMs, proposer, beacon, parent };
  drawJobs(cursor, block, rules);
  drawWaves(cursor, block, rules);
  return block;
}

function lanesOf(cursor: StateCursor, id: Uint8Array): readonly LaneState[] {
  const lanes = cursor.job(id)?.plan?.lanes ?? 0;
  return Array.from({ length: lanes }, (_, lane) => cursor.lane(id, lane)!);
}

/** Slots that the ledger has paid for, the first of each seat: a lane pays a seat once. */
export function paidSlots(lane: LaneState): readonly Slot[] {
  const { accepted } = lane;
  const seats = new Set<number>();
  return lane.slots.filter((slot) => {
    const worked =
      accepted !== null
        ? slotVotes(slot) && slot.claim === accepted
        : slot.commit !== null && !slot.equivocated;
    if (!worked || seats.has(slot.seat)) return false;
    seats.add(slot.seat);
    return true;
  });
}

/**
 * Says which slot brought which payment. A contract is told of a seat's lanes in order and pays in
 * order; what it gives beyond one payment a lane is told with the last.
 */
function attribute(lanes: readonly LaneState[], { payments }: Settlement): EndedJob['paid'] {
  const places = new Map<number, string[]>();
  const key = (lane: number, { seat, wave }: Slot): string => `${seat}/${lane}/${wave}`;
  const paid = new Map<string, bigint>();
  for (const [lane, state] of lanes.entries())
    for (const slot of paidSlots(state)) {
      paid.set(key(lane, slot), 0n);
      places.set(slot.seat, [...(places.get(slot.seat) ?? []), key(lane, slot)]);
    }
  const counts = new Map<number, number>();
  for (const { seat, tokens } of payments) {
    const own = places.get(seat);
    if (own === undefined) continue; // Paid for something that is no duty.
    const count = counts.get(seat) ?? 0;
    counts.set(seat, count + 1);
    const place = own[Math.min(count, own.length - 1)]!;
    paid.set(place, paid.get(place)! + tokens);
  }
  return (lane, slot) => paid.get(key(lane, slot)) ?? null;
}
