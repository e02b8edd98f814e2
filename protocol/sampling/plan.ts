/** Plan a draw: seats assumed adversarial, seats of a lane, lanes, and the bound. */
import { assert, mark } from '../assert.ts';
import { type Ratio, ratio } from '../ratio.ts';
import { type AcceptTable, jointBound, laneBound, laneTable } from './accept.ts';
import { SamplingError } from './error.ts';

/** One of how many seats is assumed adversarial; 0 stands for as many as consensus bears. */
export type AdversaryDenominator = 0 | 20 | 10 | 5;

/** The most adversarial seats that `seats` seats bear, f. */
function adversarialMax(seats: number): number {
  return Math.floor((seats - 1) / 3);
}

/**
 * Seats assumed adversarial: `K = ceil(seats / denominator)`, or f.
 * @throws {@link SamplingError} `SAMPLING_ADVERSARY_TOO_LARGE` where K would be above f.
 * @see spec/protocol/sampling.md S6, S7, S8
 */
export function adversarialSeats(seats: number, denominator: AdversaryDenominator): number {
  assert(Number.isSafeInteger(seats) && seats >= 1, 'a draw is among seats');
  const most = adversarialMax(seats);
  if (denominator === 0) {
    mark('S6');
    return most;
  }
  const adversarial = Math.floor((seats + denominator - 1) / denominator);
  if (adversarial > most) {
    mark('S7');
    throw new SamplingError({
      code: 'SAMPLING_ADVERSARY_TOO_LARGE',
      seats,
      denominator,
      adversarial,
      adversarialMax: most,
    });
  }
  mark('S8');
  return adversarial;
}

/** The share that is assumed where a submitter picks none: 1/5 where it fits, else max. */
export function defaultAdversary(seats: number): AdversaryDenominator {
  return Math.floor((seats + 4) / 5) <= adversarialMax(seats) ? 5 : 0;
}

/**
 * Draws to pay for, B: `2^(w + 1)` times `(s_i + 1)^2 (s_i + 2)` over all waves `i <= w`.
 *
 * Whoever can have views skipped sees a beacon, and may let it lapse and wait for the next; the
 * squares and powers keep the sum over all numbers of skipped views and of waves below 1.
 * @param skippedViews - s_0 … s_w, one a wave.
 * @see spec/protocol/sampling.md S9
 */
export function drawBudget(skippedViews: readonly number[]): bigint {
  assert(skippedViews.length > 0, 'a lane has been drawn');
  mark('S9');
  return skippedViews.reduce((product, views) => {
    const s = BigInt(views);
    return product * 2n * (s + 1n) ** 2n * (s + 2n);
  }, 1n);
}

/** What a submitter asks, and what the chain gave. */
export type PlanQuestion = {
  readonly seats: number;
  readonly adversary: AdversaryDenominator;
  /** The loss is `10^-lossExponent` a job. */
  readonly lossExponent: number;
  /** Views that may have been skipped to draw again, s. */
  readonly skippedViews: number;
};

/** How the permutation of a block is cut for a job, and what that is worth. */
export type DrawPlan = {
  readonly seats: number;
  /** Seats assumed adversarial, K. */
  readonly adversarial: number;
  readonly loss: Ratio;
  readonly skippedViews: number;
  /** Seats of a lane, l, and lanes of the permutation, G. */
  readonly perLane: number;
  readonly lanesMax: number;
  /** `l = K + 1`: wrong only if more than K of the seats collude; `bound` is 0, not printed. */
  readonly certain: boolean;
  /** The most likely that all seats of some lane are bad, over all draws that could have been. */
  readonly bound: Ratio;
  /** The same if as many seats are bad as consensus bears. */
  readonly boundAtFaulty: Ratio;
};

/**
 * Plans wave 0 of a job.
 *
 * @throws {@link SamplingError} where the share of adversarial seats does not fit.
 * @see spec/protocol/sampling.md S10, S11
 */
export function drawPlan(question: PlanQuestion): DrawPlan {
  const { seats, adversary, lossExponent, skippedViews } = question;
  assert(lossExponent >= 1, 'a loss is below 1');
  const adversarial = adversarialSeats(seats, adversary);
  const loss = ratio(1n, 10n ** BigInt(lossExponent));
  const draws = drawBudget([skippedViews]);
  const perLane = lanePlan(seats, adversarial, loss, draws);
  const lanesMax = Math.floor(seats / perLane);
  const bound = (bad: number): Ratio =>
    jointBound(laneBound({ seats, adversarial: bad, votes: perLane, others: 0 }), lanesMax, draws);
  return {
    seats,
    adversarial,
    loss,
    skippedViews,
    perLane,
    lanesMax,
    certain: perLane > adversarial,
    bound: bound(adversarial),
    boundAtFaulty: bound(adversarialMax(seats)),
  };
}

/**
 * The least l with `l >= min(L(0), K + 1)`, L built with `loss / (B floor(n / l))`.
 *
 * `L(0) <= l` holds exactly if l itself fulfils the rule of row 0, since all-bad draws become
 * rarer as they become longer: no table is needed.
 */
function lanePlan(seats: number, adversarial: number, loss: Ratio, draws: bigint): number {
  let bad = 1n;
  let all = 1n;
  for (let perLane = 1; perLane <= adversarial; perLane++) {
    bad *= BigInt(adversarial - perLane + 1);
    all *= BigInt(seats - perLane + 1);
    const lanes = BigInt(Math.floor(seats / perLane));
    if (bad * 2n * draws * lanes * loss.denominator <= loss.numerator * all) {
      mark('S10');
      return perLane;
    }
  }
  mark('S11');
  return adversarial + 1;
}

/** What the table of a lane follows from, whatever its wave. */
export type WaveQuestion = {
  readonly seats: number;
  readonly adversarial: number;
  /** Loss of the whole job, and lanes G of the permutation. */
  readonly loss: Ratio;
  readonly lanesMax: number;
  /** Seats of a lane, l: no row of the table asks for fewer votes. */
  readonly perLane: number;
  /** Skipped views of each wave so far, one a wave. */
  readonly skippedViews: readonly number[];
};

export type WaveTable = AcceptTable;

/**
 * The table of a lane in its latest wave, for the walk through its whole prefix.
 * @see spec/protocol/sampling.md S12
 */
export function waveTable(question: WaveQuestion): WaveTable {
  mark('S12');
  const { seats, adversarial, loss, lanesMax, perLane, skippedViews } = question;
  const share = drawBudget(skippedViews) * BigInt(lanesMax);
  const laneLoss = ratio(loss.numerator, loss.denominator * share);
  return laneTable({ seats, adversarial, loss: laneLoss, votesMin: perLane });
}

/** A block by its height and view: between two of one chain, views without a block have lapsed. */
export type ChainPoint = { readonly height: number; readonly view: number };

/** Views between two blocks of a chain that brought no block. */
function lapsedViews(from: ChainPoint, to: ChainPoint): number {
  return to.view - from.view - (to.height - from.height);
}

/**
 * Views that may have been skipped to draw a job again, s: around its block, or since its anchor,
 * counted as views that passed (less ten) and as views that lapsed.
 * @param points - Block h + 1, the parent of block h, and the job's anchor.
 * @see spec/protocol/sampling.md S13
 */
export function skippedViews(points: {
  readonly next: ChainPoint;
  readonly parent: ChainPoint;
  readonly anchor: ChainPoint;
}): number {
  mark('S13');
  const { next, parent, anchor } = points;
  return Math.max(
    next.view - parent.view - 2,
    next.view - anchor.view - 10,
    lapsedViews(anchor, next),
    0,
  );
}

/**
 * Views that may have been skipped to draw a later wave again: around the block that closed the
 * wave before, or since the close of that wave's commits, because a leader who closes the wave
 * would else wash away what lapsed before it.
 * @param points - Block b + 1, the parent of block b, and block c of the wave before.
 * @see spec/protocol/sampling.md S14
 */
export function skippedWaveViews(points: {
  readonly next: ChainPoint;
  readonly parent: ChainPoint;
  readonly commitClose: ChainPoint;
}): number {
  mark('S14');
  const { next, parent, commitClose } = points;
  return Math.max(next.view - parent.view - 2, lapsedViews(commitClose, next), 0);
}

/**
 * Seats that a later wave draws: as many as would settle the lane if all of them agreed, doubled
 * from the third drawing on. The caller has fewer when fewer seats are left.
 * @param standing - Votes of the leading value, all other seats so far, and the wave to be drawn.
 * @see spec/protocol/sampling.md S15, S16
 */
export function waveSize(
  table: AcceptTable,
  standing: { readonly votes: number; readonly others: number; readonly wave: number },
): number {
  const { votes, others, wave } = standing;
  const missing = Math.max(1, table.needed(others) - votes);
  if (wave < 2) {
    mark('S15');
    return missing;
  }
  mark('S16');
  return missing * 2;
}
