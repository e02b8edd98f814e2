/** Judge a dry hour: how many were drawn meanwhile, and how likely it was to be passed over. */
import { type Hex, hex } from '../protocol/brand.ts';
import type { ChainState } from '../protocol/ledger/chain.ts';
import type { JobPlan, JobRecord } from '../protocol/ledger/record.ts';
import { StateCursor } from '../protocol/ledger/state.ts';
import { formatRatio, type Ratio, ratio } from '../protocol/ratio.ts';
import type { DutyView } from './api/contract.ts';
import { type DutyState, dutyStates } from './duty-state.ts';

/** Jobs that one summary looks at, at most: the exact chance grows with their number. */
export const summaryJobsMax = 1_000;
/** Letters of an exact ratio that people can still read. */
const exactLengthMax = 24;

/** What happened to a seat while some jobs were drawn. */
export type DutySummary = {
  readonly seat: number;
  /** Jobs that were drawn, and the heights of the first and the last of these draws; 0 without. */
  readonly jobs: number;
  readonly fromHeight: number;
  readonly toHeight: number;
  /** Slots that were drawn for them: by first waves, and by later ones for lanes in need. */
  readonly firstSlots: number;
  readonly laterSlots: number;
  /** Own draws, first and later ones, and where they stand. */
  readonly drawn: number;
  readonly states: Readonly<Record<DutyState, number>>;
  /** Tokens, as decimal text. */
  readonly paid: string;
  /** Probability that a seat is in some first wave of these jobs: exact, if it can be read. */
  readonly chance: string;
  /** All of it in words; says of a seat that was never drawn how likely that was. */
  readonly text: string;
};

/**
 * Probability that a given seat is in the first wave of one of these jobs, all of one block: they
 * cut one permutation, so cuts that two of them share are counted once.
 */
export function drawChance(plans: readonly JobPlan[]): Ratio {
  const [first] = plans;
  if (first === undefined) return ratio(0n);
  const covered = new Set<number>();
  for (const { offset, lanes, lanesMax, perLane } of plans)
    for (let lane = 0; lane < lanes; lane++) {
      const start = ((offset + lane) % lanesMax) * perLane;
      for (let place = start; place < start + perLane; place++) covered.add(place);
    }
  return ratio(BigInt(covered.size), BigInt(first.seats));
}

/** Probability of at least one of some events that do not depend on each other. */
function anyOf(chances: readonly Ratio[]): Ratio {
  let [none, all] = [1n, 1n];
  for (const { numerator, denominator } of chances) {
    none *= denominator - numerator;
    all *= denominator;
  }
  return ratio(all - none, all);
}

/**
 * Sums up what the draws of some jobs brought a seat.
 * @param ids - Jobs, at most {@link summaryJobsMax}; unknown and undrawn ones are passed over.
 * @param duties - Rows of the seat's book; those of other jobs are passed over.
 * @throws RangeError for more jobs
 */
export function dutySummary(
  { map }: Pick<ChainState, 'map'>,
  ids: readonly Uint8Array[],
  duties: readonly DutyView[],
  seat: number,
): DutySummary {
  if (ids.length > summaryJobsMax)
    throw new RangeError(`at most ${summaryJobsMax} jobs are summed`);
  const cursor = new StateCursor(map);
  const names = new Set<Hex>();
  const blocks = new Map<number, JobPlan[]>();
  let [firstSlots, laterSlots] = [0, 0];
  for (const id of ids) {
    const record = cursor.job(id);
    if (record === null || record.plan === null || names.has(hex(id))) continue;
    names.add(hex(id));
    const { plan, includedHeight } = record;
    blocks.set(includedHeight, [...(blocks.get(includedHeight) ?? []), plan]);
    const first = plan.lanes * plan.perLane;
    firstSlots += first;
    laterSlots += slotCount(cursor, id, record) - first;
  }
  const heights = [...blocks.keys()].map((height) => height + 1);
  const own = duties.filter((duty) => duty.seat === seat && names.has(duty.job as Hex));
  const states = Object.fromEntries(
    dutyStates.map((state) => [state, own.filter((duty) => duty.state === state).length]),
  ) as Record<DutyState, number>;
  const chance = anyOf([...blocks.values()].map(drawChance));
  const summary = {
    seat,
    jobs: names.size,
    fromHeight: heights.length === 0 ? 0 : Math.min(...heights),
    toHeight: heights.length === 0 ? 0 : Math.max(...heights),
    firstSlots,
    laterSlots,
    drawn: own.length,
    states,
    paid: String(own.reduce((sum, { paid }) => sum + BigInt(paid), 0n)),
    chance: ratioText(chance),
  };
  return { ...summary, text: textOf(summary, chance) };
}

function slotCount(cursor: StateCursor, id: Uint8Array, { plan, lanes, ended }: JobRecord): number {
  if (ended !== null)
    return lanes.flatMap(({ waves }) => waves).reduce((sum, { seats }) => sum + seats, 0);
  let count = 0;
  for (let lane = 0; lane < plan!.lanes; lane++) count += cursor.lane(id, lane)!.slots.length;
  return count;
}

function textOf(summary: Omit<DutySummary, 'text'>, chance: Ratio): string {
  const { seat, jobs, firstSlots, laterSlots, drawn, fromHeight, toHeight } = summary;
  if (jobs === 0) return `No job was drawn, so seat ${seat} could not be.`;
  const { numerator, denominator } = chance;
  const missed = ratio(denominator - numerator, denominator);
  const where =
    fromHeight === toHeight ? `at height ${fromHeight}` : `at heights ${fromHeight} to ${toHeight}`;
  const draws = `${jobs} ${jobs === 1 ? 'job was' : 'jobs were'} drawn ${where}: ${firstSlots} slots in first waves, ${laterSlots} in later ones`;
  return drawn === 0
    ? `${draws}. Seat ${seat} was not drawn; the first waves pass a seat over with probability ${ratioText(missed)}.`
    : `${draws}. Seat ${seat} was drawn ${drawn} ${drawn === 1 ? 'time' : 'times'}; the first waves draw a seat at least once with probability ${ratioText(chance)}.`;
}

/** A ratio, exact where that is short; else rounded up, and said to be. */
function ratioText(value: Ratio): string {
  const exact =
    value.denominator === 1n ? `${value.numerator}` : `${value.numerator}/${value.denominator}`;
  return exact.length <= exactLengthMax ? exact : `about ${formatRatio(value)}`;
}
