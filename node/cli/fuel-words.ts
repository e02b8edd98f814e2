/** Say what fuel a job used, what was paid for it, and which limit ran out. */
import { itemCount, type Job } from '../../protocol/job/job.ts';
import type { Genesis } from '../../protocol/ledger/genesis.ts';
import type { JobRecord } from '../../protocol/ledger/record.ts';
import {
  type Audit,
  type FoldOutcome,
  failureSentence,
  type JobFailure,
} from '../../protocol/receipt/audit.ts';
import type { LaneReport } from '../../protocol/receipt/lane.ts';
import {
  type FuelLimits,
  formatFuel,
  fuelFlags,
  fuelMaxima,
  leastCallFuel,
  limitsOf,
  priceOf,
} from '../client/fuel.ts';
import type { Measured } from '../client/measure.ts';
import { contractsOf } from '../contracts.ts';
import { CliError, exitCodes } from './error.ts';
import {
  itemCommand,
  jobWords,
  linesDocument,
  type NamedJob,
  raiseText,
} from './foreseen-words.ts';

/** What failed, and what can be done about it. */
export type FailureWords = { readonly message: string; readonly hint: string };

const agreed = 'Enough validators agree on it: the program is at fault, not the network.';

/** The stable code of a job that failed by its program. */
export function failureCode({ class: failure }: JobFailure): string {
  return failure === 'combine-failed' ? 'COMBINE_FAILED' : 'JOB_ITEM_FAILED';
}

/** The error of a job that failed by its program. Parameters are those of the words. */
export function failedJob(
  failure: JobFailure,
  job: Job,
  measured: Measured | null,
  named: NamedJob | null = null,
): CliError {
  const code = failureCode(failure);
  const { message, hint } = failureWords(failure, job, measured, named);
  return new CliError({ code, message, ...moreHint(hint, code), exitCode: exitCodes.jobFailed });
}

/** The error of a settled job whose result nobody can fold or render. */
export function unrenderableJob(fold: FoldOutcome, job: Job | null): CliError {
  const code = 'RESULT_UNRENDERABLE';
  const { message, hint } = unrenderableWords(fold, job);
  return new CliError({ code, message, ...moreHint(hint, code), exitCode: exitCodes.jobFailed });
}

function moreHint(hint: string, code: string): { readonly hint: string } {
  return { hint: `${hint}\nMore: anwansi explain ${code}` };
}

/**
 * @param measured - What this machine measured before; null where it did not.
 * @param named - As the command line named the job; null where only the network knows it.
 */
export function failureWords(
  failure: JobFailure,
  job: Job,
  measured: Measured | null,
  named: NamedJob | null = null,
): FailureWords {
  const sentence = failureSentence(failure);
  const limits = limitsOf(job);
  const closer = closerText(failure, job, named);
  switch (failure.class) {
    case 'out-of-fuel':
      return {
        message: `${sentence}: it used up its ${limitText(limits.item)}${measuredText(measured)}`,
        hint: `${raiseText('item', limits.item, dearestOf(measured))}\n${closer}`,
      };
    case 'too-deep':
      return {
        message: `${sentence}: its calls go deeper than any program’s may`,
        hint: `No option changes that limit: recurse less deeply, or loop over a stack of your own.\n${closer}`,
      };
    case 'combine-failed':
      return {
        message: sentence,
        hint:
          `${agreed}\n${closer}\n` +
          `Why it failed depends on the seat. ${combineText(limits, failure.subtask === null)}`,
      };
    default:
      return {
        message: sentence,
        hint: `${agreed}\n${closer}`,
      };
  }
}

/** The whole command that looks at what failed, on this machine alone. */
function closerText(failure: JobFailure, job: Job, named: NamedJob | null): string {
  const shown = named ?? submittedJob(job);
  const item = failure.subtask === null ? null : failure.item;
  const command =
    item === null ? `anwansi program check ${jobWords(shown)}` : itemCommand(item, shown);
  const theirs = named === null ? ', with what was submitted in place of the capitals' : '';
  return `Look closer, without a network${theirs}: ${command}`;
}

/** A job of which nobody here knows by what names it was submitted. */
function submittedJob({ input, parameters }: Job): NamedJob {
  const params = new TextDecoder().decode(parameters);
  // A stranger's, who may have meant to steer a terminal.
  const isPlain = params.length <= paramsLengthMax && !/[\p{C}\u2028\u2029\ufffd]/u.test(params);
  return {
    program: 'PROGRAM',
    input: input.kind === 'list' ? 'INPUT' : undefined,
    params: params === '' ? undefined : isPlain ? params : 'PARAMETERS',
  };
}

/** Letters of parameters that fit into a line to copy. */
const paramsLengthMax = 200;

/** Why a settled job has no result, and what can be done about it. */
export function unrenderableWords(fold: FoldOutcome, job: Job | null): FailureWords {
  const outcome = fold.kind === 'unrenderable' ? `${fold.class} in the ${fold.step}` : fold.kind;
  const start = 'the job is settled, but its program cannot fold or render the result';
  const same = 'It is the same for every auditor: mend the program, or let its result be smaller.';
  if (fold.kind !== 'unrenderable')
    return {
      message: `${start}: ${fold.kind === 'not-run' ? fold.because : 'no reason is known'}`,
      hint: same,
    };
  if (fold.class !== 'out-of-fuel' || job === null)
    return { message: `${start}: ${outcome} of the lanes' values`, hint: same };
  const { combine } = limitsOf(job);
  // What a fold had left for a combine may have been less than any combine may use.
  const name = fold.step === 'fold' && fold.limit === combine ? 'combine' : fold.step;
  const limit = limitsOf(job)[name];
  const who = { combine: 'a combine', fold: 'all combines together', render: 'it' }[name];
  return {
    message: `${start}: ${outcome}, where ${who} used up the ${limitText(limit)}`,
    hint: name === 'combine' ? combineText(limitsOf(job), false) : raiseText(name, limit),
  };
}

/**
 * What to do where a combine may have run out of fuel.
 * @param inFold - All combines of a fold together may have, too.
 */
function combineText({ combine, fold }: FuelLimits, inFold: boolean): string {
  const names = [
    ...(combine < fuelMaxima.combine ? (['combine'] as const) : []),
    ...(inFold && fold < fuelMaxima.fold ? (['fold'] as const) : []),
  ];
  const now = { combine, fold };
  const options = names.map((name) => `${fuelFlags[name]} (now ${formatFuel(now[name])})`);
  const raised =
    `Where fuel ran out: if it is meant to take that long, ` +
    `${options.join(' and ')} ${names.length === 1 ? 'raises' : 'raise'} the limit. If not, it loops.`;
  if (combine < fuelMaxima.combine) return raised;
  const most =
    `A combine had ${formatFuel(combine)} units of fuel, the most that a job may give: ` +
    `if it used them up, it loops, or its values grow with each item.`;
  return names.length === 0 ? most : `${most}\n${raised}`;
}

function limitText(limit: bigint): string {
  return `limit of ${formatFuel(limit)} units of fuel`;
}

/** The most that an item is known to use; a call at the least where nothing is known. */
function dearestOf(measured: Measured | null): bigint {
  const used = (measured?.items ?? []).flatMap((item) => (item.class === null ? [item.fuel] : []));
  return used.reduce((most, fuel) => (fuel > most ? fuel : most), leastCallFuel(0));
}

function measuredText(measured: Measured | null): string {
  if (measured === null || measured.items.length === 0) return '';
  const dearest = measured.items.reduce((a, b) => (b.fuel > a.fuel ? b : a));
  if (dearest.class !== null) return '';
  const count = measured.items.length;
  const used = formatFuel(dearest.fuel);
  return `; of ${count} measured before, item ${dearest.index} used the most, ${used}`;
}

/** What a job's accepted lanes came to: fuel of one execution of all items, and tokens paid. */
export type Bill = {
  readonly mapFuel: bigint;
  /** Tokens that all seats together got. */
  readonly paid: bigint;
};

/** Null where an audit did not reach the lanes. */
export function billOf(
  { lanes, record }: Pick<Audit, 'lanes' | 'record'>,
  { contracts }: Genesis,
): Bill | null {
  if (lanes === null || record === null) return null;
  const mapFuel = lanes.reduce((sum, { claim }) => sum + claim.mapFuel, 0n);
  const each = lanes.map((lane) => lanePrice(lane, record));
  const paid = contracts === 'none' ? 0n : each.reduce((sum, tokens) => sum + tokens, 0n);
  return { mapFuel, paid };
}

/** A seat is paid once a lane, in how many waves ever it was drawn. */
function lanePrice({ claim, seats }: LaneReport, { fee }: JobRecord): bigint {
  const paid = new Set(seats.filter(({ verdict }) => verdict === 'agreed').map(({ seat }) => seat));
  return BigInt(paid.size) * priceOf(claim.mapFuel, fee);
}

/** A bill in a line. */
export function billText({ mapFuel, paid }: Bill): string {
  const used = `fuel: one execution of all items used ${formatFuel(mapFuel)} units`;
  return `${used}; paid: ${paid} tokens for all executions`;
}

/** Tokens that a network holds for a job until it has ended. */
export function escrowOf(job: Job, genesis: Genesis): bigint {
  const { fuelItem, fee } = job;
  const seats = genesis.seats.length;
  return contractsOf(genesis).escrow({ items: itemCount(job), fuelItem, fee, seats });
}

/** A job's limits in a line. */
export function limitsText(job: Job, genesis: Genesis): string {
  const held = `${escrowOf(job, genesis)} tokens are held until it has ended`;
  return `limits: ${limitWords(limitsOf(job))}; ${held}`;
}

/** From the least to the most. */
export function rangeText(least: bigint, most: bigint): string {
  return least === most ? formatFuel(most) : `${formatFuel(least)} to ${formatFuel(most)}`;
}

/** Limits of fuel in words, with their unit. */
export function limitWords({ item, combine, fold, render }: FuelLimits): string {
  const each = `an item ${formatFuel(item)}, a combine ${formatFuel(combine)}`;
  return `${each}, a fold ${formatFuel(fold)}, the rendering ${formatFuel(render)} units of fuel`;
}

/** What was measured, as a document: the least and the most of items that gave a value. */
export function measuredDocument({ items, combine, render, unrun }: Measured) {
  const sorted = items
    .filter((item) => item.class === null)
    .map(({ fuel }) => fuel)
    .toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return {
    items: items.length,
    least: sorted[0] ?? null,
    most: sorted.at(-1) ?? null,
    failed: items
      .filter((item) => item.class !== null)
      .map(({ index, class: failure, said, place, lines }) => ({
        ...{ index, class: failure, said, lines: linesDocument(lines) },
        start: place?.start ?? null,
        bytes: place?.bytes ?? null,
      })),
    combine,
    render,
    unrun,
  };
}
