/** Say what a receipt is worth: the assumption, the bound, and a reader's policy. */

import { type LaneRules, type LaneState, slotVotes } from '../aggregation/lane.ts';
import { isReopened, laneTable } from '../aggregation/walk.ts';
import { mark } from '../assert.ts';
import { hex } from '../brand.ts';
import { faultyMax } from '../consensus/seats.ts';
import type { Job } from '../job/job.ts';
import { laneRules } from '../ledger/record.ts';
import { compare, formatRatio, larger, one, type Ratio, ratio, zero } from '../ratio.ts';
import { jointBound, tableRisk } from '../sampling/accept.ts';
import { drawBudget } from '../sampling/plan.ts';
import type { HeaderAt, Network, ProvedRecord } from './case.ts';
import { holds, type Ruling, untold } from './finding.ts';
import type { AuditedLane } from './lane.ts';
import { type Policy, policyAdversarial, policyLoss } from './trust.ts';

/** What stands behind a result. All probabilities are exact. */
export type Assurance = {
  readonly tier: Job['tier'];
  /** Seats n, those assumed adversarial K, and those that consensus bears f. */
  readonly seats: number;
  readonly adversarial: number;
  readonly faulty: number;
  /** Seats of a lane l, lanes g of the job, lanes G of the permutation. */
  readonly perLane: number;
  readonly lanes: number;
  readonly lanesMax: number;
  /** Views that may have been skipped to draw again, s; views between the anchor and block h. */
  readonly skippedViews: number;
  readonly anchorViews: number;
  /** The loss that the submitter signed. */
  readonly loss: Ratio;
  /** Joint probability that a wrong value is accepted; null where `condition` says it better. */
  readonly bound: Ratio | null;
  readonly condition: string | null;
  /** The same if as many seats are bad as consensus bears; null if even then it takes more. */
  readonly boundAtFaulty: Ratio | null;
  /** Per lane, distinct keys behind the votes for the accepted claim, and waves drawn. */
  readonly validators: readonly number[];
  readonly waves: readonly number[];
};

/** @see spec/protocol/receipt.md V37, V38 */
export function assuranceOf(
  { genesis }: Network,
  { record, plan }: ProvedRecord,
  job: Job,
  headerAt: HeaderAt,
  lanes: readonly AuditedLane[],
): Assurance {
  const { seats, adversarial, perLane, lanesMax } = plan;
  const faulty = faultyMax(seats);
  const worst = (bad: number): Ratio =>
    lanes.reduce((most, { state }, lane) => {
      const rules = laneRules(record, plan, genesis.parameters, lane);
      return larger(most, acceptedBound(state, rules, bad));
    }, zero);
  const [bound, boundAtFaulty] = [worst(adversarial), worst(faulty)];
  const certain = bound.numerator === 0n;
  mark(certain ? 'V37' : 'V38');
  return {
    tier: job.tier,
    seats,
    adversarial,
    faulty,
    perLane,
    lanes: plan.lanes,
    lanesMax,
    skippedViews: plan.skippedViews,
    anchorViews: headerAt(record.includedHeight).view - record.anchorView,
    loss: ratio(1n, 10n ** BigInt(job.lossExponent)),
    bound: certain ? null : bound,
    condition: certain ? `more than ${adversarial} of ${seats} collude` : null,
    boundAtFaulty: boundAtFaulty.numerator === 0n ? null : boundAtFaulty,
    validators: lanes.map(({ state }) => {
      const votes = state.slots.filter(votesFor(state.accepted));
      return new Set(votes.map(({ seat }) => hex(genesis.seats[seat]!.publicKey))).size;
    }),
    waves: lanes.map(({ state }) => state.waves.length),
  };
}

const votesFor = (claim: number | null) => (slot: LaneState['slots'][number]) =>
  slotVotes(slot) && slot.claim === claim;

/**
 * How likely `bad` seats get a wrong claim accepted in any lane of the permutation, over all draws
 * that could have been: the risk of the lane's last table. Above the size for which that is summed
 * it is the signed loss, which bounds it as long as no more seats are bad than were assumed.
 */
function acceptedBound(lane: LaneState, rules: LaneRules, bad: number): Ratio {
  const { lanesMax, adversarial, loss } = rules;
  if (isReopened(lane)) return bad > adversarial ? one : zero;
  const risk = tableRisk(laneTable(lane, rules), bad);
  if (risk === null) return bad > adversarial ? one : loss;
  const draws = drawBudget(lane.waves.map(({ skippedViews }) => skippedViews));
  return jointBound(risk, lanesMax, draws);
}

/** The assurance as a sentence. */
export function assuranceSentence(assurance: Assurance): string {
  const { seats, adversarial, perLane, skippedViews, bound, condition, boundAtFaulty } = assurance;
  const worth =
    bound === null ? `wrong only if ${condition}` : `wrong with at most ${formatRatio(bound)}`;
  const atFaulty =
    assurance.faulty === adversarial
      ? ''
      : boundAtFaulty === null
        ? `; also if ${assurance.faulty} collude`
        : `; with at most ${formatRatio(boundAtFaulty)} if ${assurance.faulty} collude`;
  return (
    `${worth}; n ${seats}, K ${adversarial}, l ${perLane}, s ${skippedViews}${atFaulty}; ` +
    `loss ${formatRatio(assurance.loss)} was signed; ` +
    `validators a lane: ${assurance.validators.join(' ')}`
  );
}

/**
 * Compares what the job signed with what the reader asks, never the printed bound.
 * @see spec/protocol/receipt.md V39, V40
 */
export function checkPolicy(assurance: Assurance, policy: Policy): Ruling<true> {
  const worth = assuranceSentence(assurance);
  const least = policyAdversarial(policy, assurance.seats);
  const weaker = [
    policy.tiers.includes(assurance.tier) ? [] : [`tier ${assurance.tier}`],
    compare(assurance.loss, policyLoss(policy)) <= 0
      ? []
      : [`loss ${formatRatio(assurance.loss)} where ${policy.loss} is asked`],
    assurance.adversarial >= least
      ? []
      : [`${assurance.adversarial} adversarial seats assumed where ${least} are asked`],
  ].flat();
  if (weaker.length > 0) {
    mark('V39');
    return untold(
      'AUDIT_POLICY',
      `valid, but weaker than your policy: ${weaker.join(', ')}; ${worth}`,
      true,
    );
  }
  mark('V40');
  return holds(worth, true);
}
