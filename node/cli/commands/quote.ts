/** Quote what a wish costs: executions, the bound that they give, and the fuel of a job. */
import { fuelUnit, seatCountMax, seatCountMin } from '../../../protocol/params.ts';
import { formatRatio } from '../../../protocol/ratio.ts';
import { SamplingError } from '../../../protocol/sampling/error.ts';
import {
  type AdversaryDenominator,
  type DrawPlan,
  defaultAdversary,
  drawPlan,
} from '../../../protocol/sampling/plan.ts';
import { formatFuel, usualFee } from '../../client/fuel.ts';
import type { Estimate } from '../../kit/estimate.ts';
import { type Context, defineCommand } from '../command.ts';
import { exitCodes, usageError } from '../error.ts';
import { type FuelValues, fuelOptions, fuelWish } from '../fuel-options.ts';
import { table } from '../output.ts';
import { programArgument } from '../program-argument.ts';
import {
  estimateExit,
  failureLines,
  type JobPrice,
  jobLines,
  jobPrice,
  measuredJob,
} from '../quote-words.ts';
import { formatAdversary, parseAdversary, parseLoss } from '../wish.ts';

/** Sizes of a network that are quoted when none is asked for. */
const seatCounts = [4, 7, 13, 16, 31, 64, 128, 256, 1_024, 4_096];

type Quote = {
  readonly seats: number;
  readonly adversary: AdversaryDenominator;
  /** Null where the adversary asked for is more than these seats bear. */
  readonly plan: DrawPlan | null;
};

/** A network, and what a job costs there; null where none was asked for, or it is refused. */
type PricedQuote = Quote & { readonly price: JobPrice | null };

export const quote = defineCommand({
  name: 'quote',
  summary: 'Show what the loss you accept costs: executions, their bound, and a job’s fuel.',
  examples: [
    ['anwansi quote', 'Networks of several sizes, a wrong result once in 1e9 jobs at most.'],
    ['anwansi quote --seats 64 --loss 1e-6 --adversary 0.1', 'One network, another wish.'],
    [
      'anwansi quote wordcount --input README.md --seats 7',
      'What a job will use and cost, measured here; nothing is paid.',
    ],
  ],
  arguments: {
    program: {
      kind: 'text',
      optional: true,
      describe: `${programArgument} A few of its items are run here.`,
    },
  },
  options: {
    input: { kind: 'path', placeholder: 'FILE', describe: 'Input of the job.' },
    params: { kind: 'text', placeholder: 'JSON', describe: 'Parameters of the job.' },
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
    ...fuelOptions,
  },
  run: async (context, values) => {
    const { output } = context;
    const { seats, loss, adversary } = values;
    const lossExponent = parseLoss(loss);
    const share = adversary === undefined ? null : parseAdversary(adversary);
    const quotes =
      seats === undefined
        ? seatCounts.map((count) => quoteOrRefusal(count, share, lossExponent))
        : [quoteOf(seats, share, lossExponent)];
    const asked = `1e-${lossExponent}`;
    const found = await estimateOf(values, context);
    const estimate = found?.estimate ?? null;
    const priced = quotes.map((each) => ({ ...each, price: priceOf(each, estimate) }));
    const job = estimate === null ? {} : { job: measuredJob(estimate) };
    const data = { loss: asked, ...job, quotes: priced.map(document) };
    const above = found === null ? [] : [...found.failures, ...jobLines(found.estimate), ''];
    const rows = table([headingOf(estimate), ...priced.map(row)]);
    output.result(data, [...above, rows, '', ...legend(asked, estimate)].join('\n'));
    return estimate === null ? exitCodes.done : estimateExit(estimate);
  },
});

type JobValues = FuelValues & {
  readonly program: string | undefined;
  readonly input: string | undefined;
  readonly params: string | undefined;
};

type Found = { readonly estimate: Estimate; readonly failures: readonly string[] };

/** Runs a few items of the job; null where none was named. */
async function estimateOf(values: JobValues, context: Context): Promise<Found | null> {
  const { program, input, params } = values;
  const wished = fuelWish(values);
  if (program === undefined) {
    const given = jobOnly.filter((name) => values[name] !== undefined);
    if (given.length === 0) return null;
    throw usageError(
      `${given.map(flagOf).join(', ')} without a program: there is no job to quote`,
      'Name the program: anwansi quote PROGRAM.',
    );
  }
  // Loaded when it is needed: the table alone comes at once.
  const { openGround } = await import('../../kit/ground.ts');
  const { estimateJob } = await import('../../kit/estimate.ts');
  const ground = await openGround(context, program, params ?? '');
  const estimate = await estimateJob(ground, input ?? null, wished);
  const failures = failureLines(estimate, ground.program, { program, input, params });
  return { estimate, failures };
}

/** Options that say something about a job. */
const jobOnly = [
  'input',
  'params',
  'fuel',
  'fuelCombine',
  'fuelFold',
  'fuelRender',
] as const satisfies readonly (keyof JobValues)[];

function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

function priceOf({ seats, plan }: Quote, estimate: Estimate | null): JobPrice | null {
  return plan === null || estimate === null ? null : jobPrice(estimate, seats, plan.perLane);
}

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

function headingOf(estimate: Estimate | null): string[] {
  const prices = estimate === null ? [] : ['price (tokens)', 'held (tokens)'];
  return ['seats', 'adversary', 'liars', 'executions', 'lanes', ...prices, 'wrong result'];
}

function row({ seats, adversary, plan, price }: PricedQuote): string[] {
  const start = [String(seats), formatAdversary(adversary)];
  const prices = price === null ? [] : [String(price.price ?? '-'), String(price.escrow)];
  if (plan === null) return [...start, '-', '-', '-', 'refused: more liars than consensus bears'];
  const { adversarial, perLane, lanesMax } = plan;
  const drawn = [String(adversarial), String(perLane), String(lanesMax)];
  return [...start, ...drawn, ...prices, boundText(plan)];
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

function legend(asked: string, estimate: Estimate | null): readonly string[] {
  const prices = [
    `price      what the seats are paid together, about: ${usualFee} token for ${formatFuel(fuelUnit)} units of fuel of each execution`,
    'held       what the account has to cover until the job has ended; what is not paid comes back',
  ];
  return [
    `asked      a wrong result for at most ${asked} of all jobs`,
    'liars      seats assumed to tell all the same wrong result',
    'executions of each subtask when nobody dissents: the seats of a lane',
    'lanes      parts of the network that can share a job out between them',
    ...(estimate === null ? [] : prices),
    'No view is skipped here; a receipt states the bound of its own draw.',
  ];
}

function document({ seats, adversary, plan, price }: PricedQuote) {
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
    ...(price ?? {}),
  };
}
