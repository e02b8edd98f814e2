/** Describe a job as a chain shows it: what is awaited, from whom, and how sure it is so far. */
import { currentWave, type LaneState, slotVotes, type Wave } from '../aggregation/lane.ts';
import { laneTable, leadingClaim } from '../aggregation/walk.ts';
import { unreachable } from '../assert.ts';
import type { LaneClaim } from '../job/statement.ts';
import type { ChainState, LedgerRules } from '../ledger/chain.ts';
import { rulesOfLane } from '../ledger/items.ts';
import type { JobRecord } from '../ledger/record.ts';
import { StateCursor } from '../ledger/state.ts';
import { one, type Ratio, ratio } from '../ratio.ts';
import { jointBound, laneBound } from '../sampling/accept.ts';

/** Where a lane stands in its wave. */
export type LanePhase = 'committing' | 'revealing' | 'opening' | 'drawing' | 'closed';

/** What a lane comes to if the claim that leads now is accepted: a value, or that an item failed. */
export type LeadingClaim =
  | { readonly kind: 'value'; readonly cid: Uint8Array }
  | { readonly kind: 'failed' };

/** One lane of a job, provisionally: the next block may change all of it. */
export type ProvisionalLane = {
  readonly lane: number;
  readonly phase: LanePhase;
  readonly accepted: boolean;
  /** The accepted claim, or else the one with most votes, the first of equals; null without one. */
  readonly leading: LeadingClaim | null;
  /** Seats whose vote it has. */
  readonly votes: number;
  readonly needed: number;
  readonly wave: number;
  /** Seats that the lane waits for, and the chain time until which it does. */
  readonly awaited: readonly number[];
  readonly untilMs: number | null;
  /** Probability with which a wrong value has as many votes as the leading one. */
  readonly bound: Ratio;
};

/** A job as one replica sees it. Never a final value: that is what a receipt is for. */
export type ProvisionalJob = {
  readonly record: JobRecord;
  readonly lanes: readonly ProvisionalLane[];
  readonly bound: Ratio;
};

/** Describes a job at a chain; null if the chain does not know it. */
export function describeJob(
  chain: ChainState,
  id: Uint8Array,
  rules: LedgerRules,
): ProvisionalJob | null {
  const cursor = new StateCursor(chain.map);
  const record = cursor.job(id);
  if (record === null) return null;
  const { plan } = record;
  if (plan === null || record.ended !== null) return { record, lanes: [], bound: one };
  const lanes: ProvisionalLane[] = [];
  for (let lane = 0; lane < plan.lanes; lane++) {
    const state = cursor.lane(id, lane)!;
    lanes.push(describeLane(state, rulesOfLane(record, rules, lane)));
  }
  const worst = lanes.reduce(
    (most, { bound }) => (isLarger(bound, most) ? bound : most),
    ratio(0n),
  );
  return { record, lanes, bound: jointBound(worst, plan.lanesMax) };
}

function isLarger(a: Ratio, b: Ratio): boolean {
  return a.numerator * b.denominator > b.numerator * a.denominator;
}

function describeLane(state: LaneState, rules: ReturnType<typeof rulesOfLane>): ProvisionalLane {
  const { claim, votes, others } = foremost(state);
  const wave = currentWave(state);
  const phase = phaseOf(state);
  const number = state.waves.length - 1;
  const silent = state.slots.filter((slot) => slot.wave === number && awaits(phase, slot));
  return {
    lane: rules.lane,
    phase,
    accepted: state.outcome === 'accepted',
    leading: claim === null ? null : claimed(state.claims[claim]!),
    votes,
    needed: laneTable(state, rules).needed(others),
    wave: number,
    awaited: silent.map((slot) => slot.seat),
    untilMs: untilMs(phase, wave),
    bound:
      votes === 0
        ? one
        : laneBound({ seats: rules.seats, adversarial: rules.adversarial, votes, others }),
  };
}

/** What is accepted stays ahead, however many votes for something else were ordered with it. */
function foremost(state: LaneState): ReturnType<typeof leadingClaim> {
  const { accepted, slots } = state;
  if (accepted === null) return leadingClaim(state);
  const voting = slots.filter((slot) => slotVotes(slot) && slot.claim === accepted);
  const votes = new Set(voting.map(({ seat }) => seat)).size;
  return { claim: accepted, votes, others: slots.length - votes };
}

function claimed({ valueCid }: LaneClaim): LeadingClaim {
  return valueCid === null ? { kind: 'failed' } : { kind: 'value', cid: valueCid };
}

/** A draw waits for a block, not for a time. */
function untilMs(phase: LanePhase, wave: Wave): number | null {
  switch (phase) {
    case 'committing':
      return wave.commitByMs;
    case 'revealing':
    case 'opening':
      return wave.closeMs;
    case 'drawing':
    case 'closed':
      return null;
    default:
      return unreachable(phase);
  }
}

function phaseOf(state: LaneState): LanePhase {
  const wave = currentWave(state);
  if (state.outcome !== 'open') return 'closed';
  if (wave.closed !== null) return 'drawing';
  if (wave.commitClose === null) return 'committing';
  if (state.waves.length > 1 && wave.revealClose !== null) return 'opening';
  return 'revealing';
}

function awaits(phase: LanePhase, slot: LaneState['slots'][number]): boolean {
  if (slot.abstained !== null || slot.equivocated) return false;
  if (phase === 'committing') return slot.commit === null;
  if (phase === 'closed' || phase === 'drawing') return false;
  return slot.commit !== null && !slotVotes(slot);
}
