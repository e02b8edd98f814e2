/** Hold what is ordered about one lane: its waves, its seats' slots, its log. */
import { assert } from '../assert.ts';
import { sameBytes } from '../brand.ts';
import { type Codec, codec } from '../codec/codec.ts';
import {
  bool,
  fixedBytes,
  list,
  nullable,
  oneOf,
  type ShapeOf,
  struct,
  uint,
} from '../codec/schema.ts';
import {
  abstainClasses,
  type LaneClaim,
  laneClaimShape,
  statementKinds,
} from '../job/statement.ts';
import {
  digestBytes,
  heightMax,
  seatCountMax,
  timeMsMax,
  viewMax,
  waveCountMax,
} from '../params.ts';
import type { Ratio } from '../ratio.ts';

/**
 * Slots that a lane can have. Waves draw seats that were not used, and all others once those are
 * spent; a lane in which one more wave of all seats might not fit draws none.
 */
export const laneSlotCountMax = seatCountMax * 4;
/** A slot is committed to, revealed and opened at most: three messages. */
const logEntryCountMax = laneSlotCountMax * 3;

const waveShape = struct({
  /** Height b whose successor's beacon drew the wave. */
  base: uint(heightMax),
  drawId: fixedBytes(digestBytes),
  /** Views skipped around the draw: what the beacon may have been ground by. */
  skippedViews: uint(viewMax),
  /** All seats without an admissible reveal may commit again. */
  reopened: bool,
  commitByMs: uint(timeMsMax),
  revealByMs: uint(timeMsMax),
  closeMs: uint(timeMsMax),
  /** Height c at which the commit phase closed, and the beacon of c + 1. */
  commitClose: nullable(uint(heightMax)),
  /** The view of that block: views that lapse from here on count in the next draw. */
  commitCloseView: nullable(uint(viewMax)),
  openingBeacon: nullable(fixedBytes(digestBytes)),
  /** Heights at which the reveal phase and the opening phase closed. */
  revealClose: nullable(uint(heightMax)),
  closed: nullable(uint(heightMax)),
});

/** One drawing of seats for a lane. */
export type Wave = ShapeOf<typeof waveShape>;

const slotShape = struct({
  wave: uint(waveCountMax),
  seat: uint(seatCountMax - 1),
  commit: nullable(fixedBytes(digestBytes)),
  equivocated: bool,
  abstained: nullable(oneOf(abstainClasses)),
  /** Place of the revealed claim in the lane's list. */
  claim: nullable(uint(laneSlotCountMax)),
  saltKey: nullable(fixedBytes(digestBytes)),
  workRoot: nullable(fixedBytes(digestBytes)),
  opened: bool,
});

/** What one drawn seat did in one wave. Slots stand in the public order of the draw. */
export type Slot = ShapeOf<typeof slotShape>;

const logEntryShape = struct({
  kind: oneOf(statementKinds),
  seat: uint(seatCountMax - 1),
  wave: uint(waveCountMax),
  height: uint(heightMax),
  message: fixedBytes(digestBytes),
});

/** One ordered message of a lane, in the order of the blocks. */
export type LogEntry = ShapeOf<typeof logEntryShape>;
export const logEntryCodec: Codec<LogEntry> = codec('log entry', 128, logEntryShape);

export const laneOutcomes = ['open', 'accepted', 'contradiction', 'abstained', 'expired'] as const;
export type LaneOutcome = (typeof laneOutcomes)[number];

const laneShape = struct({
  outcome: oneOf(laneOutcomes),
  /** The accepted claim's place, and the height at which the lane closed. */
  accepted: nullable(uint(laneSlotCountMax)),
  closed: nullable(uint(heightMax)),
  waves: list(waveShape, waveCountMax + 1),
  slots: list(slotShape, laneSlotCountMax),
  claims: list(laneClaimShape, laneSlotCountMax),
  log: list(logEntryShape, logEntryCountMax),
});

/** Everything ordered about one lane. */
export type LaneState = ShapeOf<typeof laneShape>;
export const laneCodec: Codec<LaneState> = codec('lane', 8 * 1024 * 1024, laneShape, 2 ** 20);

/** What stays the same for a lane as long as it lives. */
export type LaneRules = {
  /** Seats n of the epoch, and those assumed adversarial, K. */
  readonly seats: number;
  readonly adversarial: number;
  /** Loss of the whole job, and lanes G of the permutation: the lane's share is loss / (B G). */
  readonly loss: Ratio;
  readonly lanesMax: number;
  /** Seats of a lane, l: never fewer votes accept. */
  readonly perLane: number;
  /** Faulty seats f that consensus bears; f + 1 distinct leaders own no phase. */
  readonly faulty: number;
  /** Place of the lane in the job, and the geometry of the job. */
  readonly lane: number;
  readonly lanes: number;
  readonly items: number;
  readonly subtasks: number;
  /** Fuel that an item may use. */
  readonly fuelItem: bigint;
  /** Chain time at which the job was drawn: every deadline of the lane follows from it. */
  readonly drawnMs: number;
  readonly commitWindowMs: number;
  readonly revealWindowMs: number;
  readonly openingWindowMs: number;
  /** Waves after which the lane expires. */
  readonly waves: number;
};

/** A lane before its first wave. */
export const emptyLane: LaneState = {
  outcome: 'open',
  accepted: null,
  closed: null,
  waves: [],
  slots: [],
  claims: [],
  log: [],
};

/** The wave that is going on, or that ended last. */
export function currentWave(lane: LaneState): Wave {
  const wave = lane.waves.at(-1);
  assert(wave !== undefined, 'a drawn lane has a wave');
  return wave;
}

/** The slot of a seat in a wave, with its place in the public order; null if it was not drawn. */
export function findSlot(
  lane: LaneState,
  wave: number,
  seat: number,
): { readonly slot: Slot; readonly place: number } | null {
  const place = lane.slots.findIndex((slot) => slot.wave === wave && slot.seat === seat);
  return place < 0 ? null : { slot: lane.slots[place]!, place };
}

/** A slot's claim counts as a vote: it was revealed, and opened where that is asked for. */
export function slotVotes(slot: Slot): boolean {
  return slot.claim !== null && !slot.equivocated && (slot.wave === 0 || slot.opened);
}

/** The same claim, byte for byte. */
export function sameClaim(a: LaneClaim, b: LaneClaim): boolean {
  return (
    sameBytes(a.laneRoot, b.laneRoot) &&
    a.mapFuel === b.mapFuel &&
    (a.valueCid === null
      ? b.valueCid === null
      : b.valueCid !== null && sameBytes(a.valueCid, b.valueCid))
  );
}

/** Copies a list with one entry replaced. */
export function replaced<T>(values: readonly T[], place: number, value: T): readonly T[] {
  const copy = values.slice();
  copy[place] = value;
  return copy;
}

/** How a seat's slot looks from the end: a fact for people and receipts, never guilt. */
export type SlotVerdict =
  | 'agreed'
  | 'dissenting'
  | 'silent'
  | 'abstaining'
  | 'equivocating'
  | 'unopened';

export function slotVerdict(slot: Slot, accepted: number | null): SlotVerdict {
  if (slot.equivocated) return 'equivocating';
  if (slot.abstained !== null) return 'abstaining';
  if (slot.claim === null) return 'silent';
  if (!slotVotes(slot)) return 'unopened';
  return slot.claim === accepted ? 'agreed' : 'dissenting';
}
