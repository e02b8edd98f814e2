/** Define what the state keeps of a job: the record that a receipt proves. */
import {
  type LaneRules,
  type LaneState,
  laneOutcomes,
  logEntryCodec,
} from '../aggregation/lane.ts';
import { commitWindowMs } from '../aggregation/wave.ts';
import { mark } from '../assert.ts';
import { type Codec, codec } from '../codec/codec.ts';
import {
  bigUint,
  bool,
  fixedBytes,
  list,
  nullable,
  oneOf,
  type ShapeOf,
  struct,
  text,
  uint,
} from '../codec/schema.ts';
import { faultyMax } from '../consensus/seats.ts';
import { adversaryWords } from '../job/job.ts';
import { laneClaimShape } from '../job/statement.ts';
import { listRoot } from '../merkle/list.ts';
import {
  digestBytes,
  fuelMax,
  heightMax,
  itemCountMax,
  lossExponentMax,
  publicKeyBytes,
  seatCountMax,
  slowItemMsMax,
  subtaskCountMax,
  timeMsMax,
  viewMax,
  waveCountMax,
} from '../params.ts';
import { ratio } from '../ratio.ts';
import { type NetworkParameters, tokensMax } from './genesis.ts';

/** Where a job stands. The last four are ends. */
export const jobStates = ['ordered', 'running', 'settled', 'failed', 'expired', 'voided'] as const;
export type JobState = (typeof jobStates)[number];

const planShape = struct({
  seats: uint(seatCountMax),
  seatSetHash: fixedBytes(digestBytes),
  /** Seats assumed adversarial, K. */
  adversarial: uint(seatCountMax),
  /** Seats of a lane, l; lanes of the permutation, G; lanes of this job, g. */
  perLane: uint(seatCountMax, 1),
  lanesMax: uint(seatCountMax, 1),
  lanes: uint(seatCountMax, 1),
  /** Cuts taken by earlier jobs of the block, o. */
  offset: uint(2 ** 32),
  /** Views that may have been skipped to draw again, s. */
  skippedViews: uint(viewMax),
  drawnMs: uint(timeMsMax),
});

/** How a job was drawn. */
export type JobPlan = ShapeOf<typeof planShape>;

const closedWaveShape = struct({
  base: uint(heightMax),
  skippedViews: uint(viewMax),
  reopened: bool,
  seats: uint(seatCountMax),
  commitClose: nullable(uint(heightMax)),
});

const closedLaneShape = struct({
  outcome: oneOf(laneOutcomes),
  claim: nullable(laneClaimShape),
  closed: nullable(uint(heightMax)),
  waves: list(closedWaveShape, waveCountMax + 1),
  logRoot: fixedBytes(digestBytes),
  logSize: uint(2 ** 32),
});

/** What stays of a lane when its job has ended. */
export type ClosedLane = ShapeOf<typeof closedLaneShape>;

const recordShape = struct({
  state: oneOf(jobStates),
  /** Stable code of why the job is where it is. */
  reason: text(64),
  submitter: fixedBytes(publicKeyBytes),
  items: uint(itemCountMax, 1),
  subtasks: uint(subtaskCountMax, 1),
  lossExponent: uint(lossExponentMax, 1),
  adversary: oneOf(adversaryWords),
  slowItemMs: uint(slowItemMsMax),
  waves: uint(waveCountMax, 1),
  /** Fuel that an item may use; tokens for a million units of it. */
  fuelItem: bigUint(fuelMax),
  fee: bigUint(2n ** 64n - 1n),
  escrow: bigUint(tokensMax),
  /** Height h, the view of its parent and of the job's anchor: s follows from them. */
  includedHeight: uint(heightMax),
  parentView: uint(viewMax),
  anchorView: uint(viewMax),
  anchorHeight: uint(heightMax),
  plan: nullable(planShape),
  lanes: list(closedLaneShape, seatCountMax),
  ended: nullable(uint(heightMax)),
});

/** A job as the state keeps it. */
export type JobRecord = ShapeOf<typeof recordShape>;
export const recordCodec: Codec<JobRecord> = codec(
  'job record',
  4 * 1024 * 1024,
  recordShape,
  2 ** 20,
);

/** The rules of one lane, from the record of its job. */
export function laneRules(
  record: JobRecord,
  plan: JobPlan,
  parameters: NetworkParameters,
  lane: number,
): LaneRules {
  return {
    seats: plan.seats,
    adversarial: plan.adversarial,
    faulty: faultyMax(plan.seats),
    loss: ratio(1n, 10n ** BigInt(record.lossExponent)),
    lanesMax: plan.lanesMax,
    perLane: plan.perLane,
    lane,
    lanes: plan.lanes,
    items: record.items,
    subtasks: record.subtasks,
    fuelItem: record.fuelItem,
    drawnMs: plan.drawnMs,
    commitWindowMs: commitWindowMs(
      parameters.commitWindowMs,
      record.slowItemMs,
      record.items,
      plan.lanes,
    ),
    revealWindowMs: parameters.revealWindowMs,
    openingWindowMs: parameters.openingWindowMs,
    waves: record.waves,
  };
}

/**
 * What the record keeps of a lane.
 * @see spec/protocol/ledger.md L39
 */
export function closeLane(lane: LaneState): ClosedLane {
  mark('L39');
  return {
    outcome: lane.outcome,
    claim: lane.accepted === null ? null : lane.claims[lane.accepted]!,
    closed: lane.closed,
    waves: lane.waves.map((wave, number) => ({
      base: wave.base,
      skippedViews: wave.skippedViews,
      reopened: wave.reopened,
      seats: lane.slots.filter((slot) => slot.wave === number).length,
      commitClose: wave.commitClose,
    })),
    logRoot: listRoot(lane.log.map((entry) => logEntryCodec.encode(entry))),
    logSize: lane.log.length,
  };
}
