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
  itemRoom,
  limitsOf,
  priceOf,
} from '../client/fuel.ts';
import type { Measured } from '../client/measure.ts';
import { contractsOf } from '../contracts.ts';

/** What failed, and what can be done about it. */
export type FailureWords = { readonly message: string; readonly hint: string };

const agreed = 'Enough validators agree on it: the program is at fault, not the network.';

/** @param measured - What this machine measured before; null where it did not. */
export function failureWords(
  failure: JobFailure,
  job: Job,
  measured: Measured | null,
): FailureWords {
  const sentence = failureSentence(failure);
  const limits = limitsOf(job);
  switch (failure.class) {
    case 'out-of-fuel':
      return {
        message: `${sentence}: it used up its ${limitText(limits.item)}${measuredText(measured)}`,
        hint: raiseText('item', limits),
      };
    case 'too-deep':
      return {
        message: `${sentence}: its calls go deeper than any program’s may`,
        hint: 'No option changes that limit: recurse less deeply, or loop over a stack of your own.',
      };
    case 'combine-failed': {
      const { combine, fold } = limits;
      const both = `--fuel-combine (now ${formatFuel(combine)}) and --fuel-fold (now ${formatFuel(fold)})`;
      return {
        message: sentence,
        hint: `${agreed}\nWhy it failed depends on the seat. Where fuel ran out: ${both} raise it.`,
      };
    }
    default:
      return { message: sentence, hint: agreed };
  }
}

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
  const limits = limitsOf(job);
  return {
    message: `${start}: ${outcome}, which used up its ${limitText(limits[fold.step])}`,
    hint: raiseText(fold.step, limits),
  };
}

function limitText(limit: bigint): string {
  return `limit of ${formatFuel(limit)} units of fuel`;
}

function measuredText(measured: Measured | null): string {
  if (measured === null || measured.items.length === 0) return '';
  const dearest = measured.items.reduce((a, b) => (b.fuel > a.fuel ? b : a));
  if (dearest.class !== null) return '';
  const count = measured.items.length;
  const used = formatFuel(dearest.fuel);
  return `; of ${count} measured before, item ${dearest.index} used the most, ${used}`;
}

function raiseText(name: keyof FuelLimits, limits: FuelLimits): string {
  const [limit, most] = [limits[name], fuelMaxima[name]];
  if (limit >= most)
    return `That is the most that a job may give: let the program do less at once. See: anwansi program bench.`;
  const more = limit * itemRoom;
  const raised = formatFuel(more < most ? more : most);
  return `If it is meant to take that long, give it more: ${fuelFlags[name]} ${raised}. If not, it loops.`;
}

/** What the person should know before a job is submitted: what already failed here. */
export function measureWarnings({
  items,
  combine,
  render,
  unrun,
  limits,
}: Measured): readonly string[] {
  const told = (what: string, failure: string, name: keyof FuelLimits, then: string): string =>
    failure === 'out-of-fuel'
      ? `${what} used up ${formatFuel(limits[name])} units of fuel here: ${then}; ` +
        `if it is meant to, give it more with ${fuelFlags[name]}`
      : `${what} failed here, ${failure}: ${then}`;
  const lines: string[] = [];
  const failing = items.find((item) => item.class !== null);
  if (failing !== undefined)
    lines.push(told(`item ${failing.index}`, failing.class!, 'item', 'the job will fail'));
  if (combine?.class != null)
    lines.push(told('a combine', combine.class, 'combine', 'the job may fail'));
  if (render?.class != null)
    lines.push(told('anw_render', render.class, 'render', 'there may be no result to see'));
  if (unrun !== null) lines.push(`this machine could not run it: ${unrun.class}, ${unrun.reason}`);
  return lines;
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
  return `fuel ${formatFuel(mapFuel)} units in all, ${paid} tokens paid for it`;
}

/** Tokens that a network holds for a job until it has ended. */
export function escrowOf(job: Job, genesis: Genesis): bigint {
  const { fuelItem, fee } = job;
  const seats = genesis.seats.length;
  return contractsOf(genesis).escrow({ items: itemCount(job), fuelItem, fee, seats });
}

/** A job's limits in a line. */
export function limitsText(job: Job, genesis: Genesis): string {
  const held = `${escrowOf(job, genesis)} tokens held until it has ended`;
  return `fuel: ${limitWords(limitsOf(job))}; ${held}`;
}

/** From the least to the most. */
export function rangeText(least: bigint, most: bigint): string {
  return least === most ? formatFuel(most) : `${formatFuel(least)} to ${formatFuel(most)}`;
}

/** Limits of fuel in words. */
export function limitWords({ item, combine, fold, render }: FuelLimits): string {
  const each = `an item ${formatFuel(item)}, a combine ${formatFuel(combine)}`;
  return `${each}, a fold ${formatFuel(fold)}, the rendering ${formatFuel(render)}`;
}

/** What was measured, as a document. */
export function measuredDocument({ items, combine, render, unrun }: Measured) {
  const sorted = items.map(({ fuel }) => fuel).toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return {
    items: items.length,
    least: sorted[0] ?? null,
    most: sorted.at(-1) ?? null,
    failed: items
      .filter((item) => item.class !== null)
      .map(({ index, class: failure }) => ({ index, class: failure })),
    combine,
    render,
    unrun,
  };
}
