/** Say what became of one draw of a seat, how far it got, and why. */
import { laneFuel } from '../protocol/aggregation/fuel.ts';
import {
  currentWave,
  type LaneState,
  type Slot,
  slotVotes,
  type Wave,
} from '../protocol/aggregation/lane.ts';
import { codec } from '../protocol/codec/codec.ts';
import {
  bigUint,
  fixedBytes,
  nullable,
  oneOf,
  type ShapeOf,
  struct,
  text,
  uint,
} from '../protocol/codec/schema.ts';
import type { LedgerRules } from '../protocol/ledger/chain.ts';
import { tokensMax } from '../protocol/ledger/genesis.ts';
import { rulesOfLane } from '../protocol/ledger/items.ts';
import type { JobRecord } from '../protocol/ledger/record.ts';
import { digestBytes, heightMax, seatCountMax, waveCountMax } from '../protocol/params.ts';
import { type DutyState, dutyStates } from './duty-state.ts';

const rowShape = struct({
  job: fixedBytes(digestBytes),
  lane: uint(seatCountMax),
  wave: uint(waveCountMax),
  seat: uint(seatCountMax - 1),
  drawnHeight: uint(heightMax),
  state: oneOf(dutyStates),
  why: text(512),
  paid: bigUint(tokensMax),
  closedHeight: nullable(uint(heightMax)),
});

/** One draw of a seat as the book keeps it. */
export type DutyRow = ShapeOf<typeof rowShape>;
export const dutyRowCodec = codec('duty', 2_048, rowShape);

/** One lane of a job, at one block. */
export type LaneAt = {
  readonly id: Uint8Array;
  readonly record: JobRecord;
  readonly number: number;
  readonly lane: LaneState;
  /** What a slot brought its seat; null while the job goes on. */
  readonly paid: ((lane: number, slot: Slot) => bigint | null) | null;
};

/** Why a seat abstained that found the program lawless; which law, its node adds. */
export const lawlessWhy = 'its own check refuted the laws of the program';

type Word = readonly [state: DutyState, why: string];

/** The rows of a seat in one lane, one a draw. */
export function dutyRows(at: LaneAt, rules: LedgerRules, seat: number): readonly DutyRow[] {
  const { id, record, number, lane } = at;
  return lane.slots
    .filter((slot) => slot.seat === seat)
    .map((slot) => {
      const [state, why] = wordOf(at, slot);
      const pay = payText(at, slot, rules);
      return {
        job: id,
        lane: number,
        wave: slot.wave,
        seat,
        drawnHeight: lane.waves[slot.wave]!.base + 1,
        state,
        why: pay === null ? why : `${why}; ${pay}`,
        paid: at.paid?.(number, slot) ?? 0n,
        closedHeight: lane.closed ?? record.ended,
      };
    });
}

function wordOf(at: LaneAt, slot: Slot): Word {
  const { lane, record } = at;
  const wave = lane.waves[slot.wave]!;
  if (slot.equivocated)
    return ['equivocated', 'it committed to two answers, and they exclude each other'];
  if (slot.abstained === 'lawless') return ['abstained', lawlessWhy];
  if (slot.abstained !== null)
    return ['abstained', `it said that it could not run the lane: ${slot.abstained}`];
  if (lane.accepted !== null) return acceptedWord(lane, slot, wave);
  if (lane.closed !== null || record.ended !== null) return fruitlessWord(at, slot, wave);
  return openWord(lane, slot, wave);
}

/** The lane has its result. */
function acceptedWord(lane: LaneState, slot: Slot, wave: Wave): Word {
  const since = `the lane accepted at height ${lane.closed}`;
  if (slotVotes(slot))
    return slot.claim === lane.accepted
      ? ['counted', `its answer is the one that ${since}`]
      : ['dissenting', `its answer differs from the one that ${since}`];
  const missed = missedWord(slot, wave);
  if (missed !== null) return missed;
  const due = slot.commit === null ? 'commit' : slot.claim === null ? 'reveal' : 'opening';
  return ['late', `${since}, before its ${due} was ordered: the answers of others were enough`];
}

/** The lane, or its job, ended without a result of the lane. */
function fruitlessWord({ lane, record }: LaneAt, slot: Slot, wave: Wave): Word {
  const missed = missedWord(slot, wave);
  if (missed !== null) return missed;
  const end =
    lane.closed !== null
      ? `the lane ended without a result at height ${lane.closed} (${lane.outcome})`
      : `the job ended at height ${record.ended} before the lane had a result`;
  const why = record.ended === null ? end : `${end}, ${record.reason}`;
  if (slot.opened) return ['opened', `its answer counted as a vote, but ${why}`];
  if (slotVotes(slot)) return ['revealed', `its answer counted as a vote, but ${why}`];
  if (slot.claim !== null) return ['revealed', `it was not asked to open its items: ${why}`];
  if (slot.commit !== null) return ['committed', `its reveal was no longer asked for: ${why}`];
  return ['drawn', `its commit was no longer asked for: ${why}`];
}

/** What a seat did not do though there was time for it. */
function missedWord(slot: Slot, wave: Wave): Word | null {
  if (slot.commit === null)
    return wave.commitClose === null
      ? null
      : [
          'silent',
          `no commit of it was ordered before commits closed at height ${wave.commitClose}`,
        ];
  if (slot.claim === null)
    return wave.revealClose === null
      ? null
      : [
          'silent',
          `it committed, but its reveal was not ordered: reveals ended at height ${wave.revealClose}`,
        ];
  if (slotVotes(slot) || wave.closed === null) return null;
  return ['late', `it had not opened its items when its wave closed at height ${wave.closed}`];
}

/** The lane goes on. */
function openWord(lane: LaneState, slot: Slot, wave: Wave): Word {
  if (slot.commit === null)
    return (
      missedWord(slot, wave) ?? [
        'drawn',
        `its commit is awaited, until ${clock(wave.commitByMs)} chain time at least`,
      ]
    );
  if (wave.commitClose === null)
    return ['committed', 'its commit is ordered; it reveals once the commits are closed'];
  if (slot.claim === null) {
    if (slot.wave > 0 && wave.closed !== null) return missedWord(slot, wave)!;
    const overdue = wave.revealClose !== null;
    return [
      'committed',
      overdue
        ? 'its reveal is overdue, and counts as long as the lane is open'
        : `its reveal is awaited, until ${clock(wave.revealByMs)} chain time at least`,
    ];
  }
  if (slot.opened) return ['opened', 'its answer counts as a vote; the lane awaits more'];
  if (slotVotes(slot)) return ['revealed', 'its answer counts as a vote; the lane awaits more'];
  return (
    missedWord(slot, wave) ?? [
      'revealed',
      `its picked items are to be opened, until ${clock(currentWave(lane).closeMs)} chain time at least`,
    ]
  );
}

/** Why a slot was paid or not; null as long as nobody can say, or nobody would ask. */
function payText(
  { record, number, lane, paid }: LaneAt,
  slot: Slot,
  rules: LedgerRules,
): string | null {
  if (paid === null)
    return lane.accepted !== null && slotVotes(slot) && slot.claim === lane.accepted
      ? 'it is paid when the job ends'
      : null;
  const tokens = paid(number, slot);
  const fuel = laneFuel(lane, rulesOfLane(record, rules, number));
  if (tokens !== null && tokens > 0n) return `paid for ${fuel} units of fuel`;
  if (tokens !== null)
    return record.fee === 0n
      ? 'not paid: the job offers no fee'
      : `not paid: ${fuel} units of fuel come to no token here`;
  if (lane.accepted !== null) return 'not paid: a lane pays for the answer that it accepted';
  if (slot.commit === null) return 'not paid: a lane without a result pays for commits';
  return slot.equivocated
    ? 'not paid: two commits prove no work'
    : 'not paid again: a lane pays a seat once';
}

function clock(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
