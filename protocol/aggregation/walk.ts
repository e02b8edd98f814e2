/** Walk the public order: which claim have enough seats of some prefix revealed. */
import { mark } from '../assert.ts';
import { type WaveTable, waveTable } from '../sampling/plan.ts';
import { type LaneRules, type LaneState, type Slot, slotVotes } from './lane.ts';

/** The accept table of a lane as it stands: it grows stricter with each wave. */
export function laneTable(lane: LaneState, rules: LaneRules): WaveTable {
  return waveTable({
    seats: rules.seats,
    adversarial: rules.adversarial,
    loss: rules.loss,
    lanesMax: rules.lanesMax,
    perLane: rules.perLane,
    skippedViews: lane.waves.map((wave) => wave.skippedViews),
  });
}

/** Whether the lane was opened again for seats that had been drawn before. */
export function isReopened(lane: LaneState): boolean {
  return lane.waves.some((wave) => wave.reopened);
}

/**
 * Claims that are acceptable now: for some prefix of the public order, `votes >= needed(d)` with d
 * all other seats of that prefix, whatever they did.
 *
 * A pure function of a set: it holds for any schedule, delay and suppression (theorem 3). Only
 * prefixes that end in a vote need a look: any other seat makes `needed` larger, never smaller.
 * @returns Places in the lane's list of claims, rising.
 * @see spec/protocol/aggregation.md A24, A25
 */
export function acceptableClaims(lane: LaneState, rules: LaneRules): readonly number[] {
  if (lane.claims.length === 0) return [];
  if (isReopened(lane)) {
    mark('A25');
    return lane.claims.flatMap((_, claim) =>
      distinctVoters(lane.slots, claim) > rules.adversarial ? [claim] : [],
    );
  }
  mark('A24');
  const table = laneTable(lane, rules);
  const votes = lane.claims.map(() => 0);
  const acceptable = new Set<number>();
  for (const [place, slot] of lane.slots.entries()) {
    if (slot.claim === null || !slotVotes(slot)) continue;
    const count = votes[slot.claim]! + 1;
    votes[slot.claim] = count;
    if (count >= table.needed(place + 1 - count)) acceptable.add(slot.claim);
  }
  return [...lane.claims.keys()].filter((claim) => acceptable.has(claim));
}

function distinctVoters(slots: readonly Slot[], claim: number): number {
  const voters = new Set<number>();
  for (const slot of slots) if (slotVotes(slot) && slot.claim === claim) voters.add(slot.seat);
  return voters.size;
}

/** The claim with most votes in the whole prefix, and all other seats; votes 0 without any. */
export function leadingClaim(lane: LaneState): {
  readonly claim: number | null;
  readonly votes: number;
  readonly others: number;
} {
  let best: number | null = null;
  let votes = 0;
  for (const claim of lane.claims.keys()) {
    const count = distinctVoters(lane.slots, claim);
    if (count > votes) [best, votes] = [claim, count];
  }
  return { claim: best, votes, others: lane.slots.length - votes };
}
