/** Quote what a wish costs: seats of a lane, lanes, executions, and the bound that it gives. */
import { seatCountMax, seatCountMin } from '../../../protocol/params.ts';
import { formatRatio } from '../../../protocol/ratio.ts';
import { SamplingError } from '../../../protocol/sampling/error.ts';
import {
  type AdversaryDenominator,
  type DrawPlan,
  defaultAdversary,
  drawPlan,
} from '../../../protocol/sampling/plan.ts';
import { defineCommand } from '../command.ts';
import { table } from '../output.ts';
import { formatAdversary, parseAdversary, parseLoss } from '../wish.ts';

/** Sizes of a network that are quoted when none is asked for. */
const seatCounts = [4, 7, 13, 16, 31, 64, 128, 256, 1_024, 4_096];

type Quote = {
  readonly seats: number;
  readonly adversary: AdversaryDenominator;
  /** Null where the adversary asked for is more than these seats bear. */
  readonly plan: DrawPlan | null;
};

export const quote = defineCommand({
  name: 'quote',
  summary: 'Show how often a job is executed for the loss you accept, and what bound that gives.',
  examples: [
    ['anwansi quote', 'Networks of several sizes, a wrong result once in 1e9 jobs at most.'],
    ['anwansi quote --seats 64 --loss 1e-6 --adversary 0.1', 'One network, another wish.'],
  ],
  options: {
    seats: {
      kind: 'integer',
      placeholder: 'N',
      describe: `Seats of the network, ${seatCountMin} to ${seatCountMax}.`,
      min: seatCountMin,
      max: seatCountMax,
    },
    loss: {
      kind: 'text',
      placeholder: 'P',
      describe: 'Probability of a wrong result that you accept, 1e-1 to 1e-15.',
      default: '1e-9',
    },
    adversary: {
      kind: 'text',
      placeholder: 'SHARE',
      describe:
        'Share of the seats that you assume to lie together: 0.05, 0.1, 0.2, max. ' +
        'Without it, 0.2 where it fits, else max.',
    },
  },
  run: async ({ output }, { seats, loss, adversary }) => {
    const lossExponent = parseLoss(loss);
    const share = adversary === undefined ? null : parseAdversary(adversary);
    const quotes =
      seats === undefined
        ? seatCounts.map((count) => quoteOrRefusal(count, share, lossExponent))
        : [quoteOf(seats, share, lossExponent)];
    const asked = `1e-${lossExponent}`;
    const data = { loss: asked, quotes: quotes.map(document) };
    output.result(data, `${table([heading, ...quotes.map(row)])}\n\n${legend(asked)}`);
  },
});

function quoteOf(seats: number, share: AdversaryDenominator | null, lossExponent: number): Quote {
  const adversary = share ?? defaultAdversary(seats);
  return { seats, adversary, plan: drawPlan({ seats, adversary, lossExponent, skippedViews: 0 }) };
}

function quoteOrRefusal(
  seats: number,
  share: AdversaryDenominator | null,
  lossExponent: number,
): Quote {
  try {
    return quoteOf(seats, share, lossExponent);
  } catch (error) {
    if (!(error instanceof SamplingError)) throw error;
    return { seats, adversary: share ?? 0, plan: null };
  }
}

const heading = ['seats', 'adversary', 'liars', 'executions', 'lanes', 'wrong result'];

function row({ seats, adversary, plan }: Quote): string[] {
  const start = [String(seats), formatAdversary(adversary)];
  if (plan === null) return [...start, '-', '-', '-', 'refused: more liars than consensus bears'];
  const { adversarial, perLane, lanesMax } = plan;
  return [...start, String(adversarial), String(perLane), String(lanesMax), boundText(plan)];
}

function boundText(plan: DrawPlan): string {
  const worst = `${formatRatio(plan.boundAtFaulty)} if ${faulty(plan)} lie`;
  if (!plan.certain) return `${formatRatio(plan.bound)}, ${worst}`;
  const only = `only if ${condition(plan)}`;
  return plan.adversarial === faulty(plan) ? only : `${only}, ${worst}`;
}

function condition({ adversarial, seats }: DrawPlan): string {
  return `more than ${adversarial} of ${seats} collude`;
}

function faulty({ seats }: DrawPlan): number {
  return Math.floor((seats - 1) / 3);
}

function legend(asked: string): string {
  return [
    `asked      a wrong result for at most ${asked} of all jobs`,
    'liars      seats assumed to tell all the same wrong result',
    'executions of each subtask when nobody dissents: the seats of a lane',
    'lanes      parts of the network that can share a job out between them',
    'No view is skipped here; a receipt states the bound of its own draw.',
  ].join('\n');
}

function document({ seats, adversary, plan }: Quote) {
  const asked = { seats, adversary: formatAdversary(adversary) };
  if (plan === null) return { ...asked, refused: 'SAMPLING_ADVERSARY_TOO_LARGE' };
  // Never a bound of 0: beyond the assumption everything can be wrong.
  const surelyGood = plan.certain && plan.adversarial === faulty(plan);
  return {
    ...asked,
    adversarial_seats: plan.adversarial,
    executions_per_subtask: plan.perLane,
    seats_per_lane: plan.perLane,
    lanes: plan.lanesMax,
    bound: plan.certain ? null : formatRatio(plan.bound),
    condition: plan.certain ? condition(plan) : null,
    faulty_seats_max: faulty(plan),
    bound_at_faulty: surelyGood ? null : formatRatio(plan.boundAtFaulty),
  };
}
