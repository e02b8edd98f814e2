/** Run a few items of a job, and combine and render their values, to see what they use. */
import { stat } from 'node:fs/promises';
import { itemCountMax, slowItemMsMax } from '../../protocol/params.ts';
import { placeStates } from '../executor/task.ts';
import type { Executor, ItemSource, LocalFailureClass } from '../ports.ts';
import { ClientError } from './error.ts';
import { checkLimits, type FuelLimits, itemFuelMin } from './fuel.ts';

/** A program where a sandbox can read it, and what its job gives it. */
export type Machine = {
  readonly executor: Executor;
  readonly programPath: string;
  readonly parameters: Uint8Array;
  readonly signal: AbortSignal;
};

/** The items of a job, as far as they have to be known to run some of them. */
export type JobItems = {
  readonly count: number;
  /** Bytes of all of them, and index of the one with the most; null where they are made. */
  readonly bytes: number | null;
  readonly largest: number | null;
  readonly source: (index: number) => ItemSource | Promise<ItemSource>;
};

/** What one item came to. */
export type MeasuredItem = {
  readonly index: number;
  /** Bytes of the item; null where the program makes it. */
  readonly bytes: number | null;
  /** Why it failed, as all seats will see it; null where it gave a value. */
  readonly class: string | null;
  /** Units that it used; where it failed, all that it had. */
  readonly fuel: bigint;
  readonly ms: number;
};

/** What the calls of one kind came to. */
export type MeasuredCalls = {
  readonly count: number;
  readonly least: bigint;
  readonly most: bigint;
  /** Why the last one failed; it then counts as all that it had. */
  readonly class: string | null;
};

export type Measured = {
  /** Within which it was measured. */
  readonly limits: FuelLimits;
  /** In order of their indices. */
  readonly items: readonly MeasuredItem[];
  /** Combines of the value so far with the next one; null where nothing was to combine. */
  readonly combine: MeasuredCalls | null;
  /** The rendering of what they came to; null where there was nothing to render. */
  readonly render: { readonly fuel: bigint; readonly class: string | null } | null;
  /** Why this machine could not go on; null where it did. */
  readonly unrun: { readonly class: LocalFailureClass; readonly reason: string } | null;
};

/** Fuel within which everything is measured unless it is told. */
export const measureFuel = 2n ** 33n;
/** Items that are measured at most; fuel and bytes after which no more are begun. */
export const measuredCountMax = 16;
const measuredFuelMax = 2n ** 31n;
const measuredBytesMax = 8 * 1024 * 1024;
/** Bytes that a seat is given time to fetch in a millisecond: about 16 MB a second. */
const fetchedBytesPerMs = 16_384;

/**
 * Measures up to 16 items that lie evenly over the job: always the first, the middle, the last and
 * the largest, the others as long as that takes little. Nothing that a program does rejects.
 * @throws ClientError FUEL_OUT_OF_RANGE; what a source throws
 */
export async function measureJob(
  machine: Machine,
  items: JobItems,
  wished: Partial<FuelLimits> = {},
): Promise<Measured> {
  checkLimits(wished);
  const all = measureFuel;
  const limits = { item: all, combine: all, fold: all, render: all, ...wished };
  // A failing item is paid for as if it had used its whole limit: one that fails soon needs little.
  const steps = wished.item === undefined ? [itemFuelMin, limits.item] : [limits.item];
  const measured: MeasuredItem[] = [];
  const values: Uint8Array[] = [];
  const done = (unrun: Measured['unrun'], rest: Partial<Measured> = {}): Measured => {
    const sorted = measured.toSorted((a, b) => a.index - b.index);
    return { limits, items: sorted, combine: null, render: null, unrun, ...rest };
  };
  const { sure, others } = measuredIndices(items);
  let [fuel, bytes] = [0n, 0];
  for (const [place, index] of [...sure, ...others].entries()) {
    if (place >= sure.length && (fuel > measuredFuelMax || bytes > measuredBytesMax)) break;
    const one = await measureItem(machine, await items.source(index), index, steps);
    if ('unrun' in one) return done(one.unrun);
    measured.push(one.item);
    if (one.value !== null) values.push(one.value);
    // The job will fail at this one, and so may each of the others, for as long.
    if (one.item.class === 'out-of-fuel') break;
    fuel += one.item.fuel;
    bytes += one.item.bytes ?? 0;
  }
  return done(null, await measureValues(machine, values, limits));
}

/** Which items are measured. */
function measuredIndices({ count, largest }: JobItems) {
  const last = count - 1;
  const sure = new Set([0, Math.floor(count / 2), last, ...(largest === null ? [] : [largest])]);
  const even = evenIndices(count, measuredCountMax);
  // Places with their bits reversed: wherever it is broken off, they lie evenly.
  const places = Array.from({ length: measuredCountMax }, (_, place) =>
    [8, 4, 2, 1].reduce((sum, bit, at) => sum + (place & (1 << at) ? bit : 0), 0),
  );
  const others = places.flatMap((place) => even[place] ?? []).filter((index) => !sure.has(index));
  return { sure: [...sure], others: others.slice(0, measuredCountMax - sure.size) };
}

/** Some of `count` indices in rising order, as evenly as can be, the first and the last with them. */
export function evenIndices(count: number, wanted: number): readonly number[] {
  const steps = Math.min(count, wanted) - 1;
  if (steps < 1) return [0];
  return Array.from({ length: steps + 1 }, (_, at) => Math.round((at * (count - 1)) / steps));
}

type OneItem =
  | { readonly item: MeasuredItem; readonly value: Uint8Array | null }
  | { readonly unrun: NonNullable<Measured['unrun']> };

/** @param steps - Units that it may use, in rising steps: the next one where it needs more. */
async function measureItem(
  machine: Machine,
  source: ItemSource,
  index: number,
  [item, ...more]: readonly bigint[],
): Promise<OneItem> {
  const { executor, programPath, parameters, signal } = machine;
  // Nothing is combined: it is one item.
  const fuel = { item: item!, combine: item! };
  const run = { programPath, parameters, items: [source], plan: [0], fuel };
  const outcome = await executor.runSubtask(run, signal);
  signal.throwIfAborted();
  if (outcome.kind === 'local') return { unrun: { class: outcome.class, reason: outcome.reason } };
  const bytes = source.kind === 'file' ? (await stat(source.path)).size : null;
  const state = placeStates[outcome.states[0]!]!;
  if (state === 'out-of-fuel' && more.length > 0) return measureItem(machine, source, index, more);
  const failure = state === 'ok' ? null : state;
  const { mapFuel, slowestItemMs: ms, value } = outcome;
  return { item: { index, bytes, class: failure, fuel: mapFuel, ms }, value };
}

/** Folds values from left to right, and renders what they come to. */
async function measureValues(
  { executor, programPath, parameters, signal }: Machine,
  values: readonly Uint8Array[],
  limits: FuelLimits,
): Promise<Partial<Measured>> {
  const [first, ...rest] = values;
  if (first === undefined) return {};
  let folded = first;
  const used: bigint[] = [];
  const told = (failure: string | null): MeasuredCalls | null => {
    const [least] = used.toSorted(rising);
    if (least === undefined) return null;
    return { count: used.length, least, most: used.toSorted(rising).at(-1)!, class: failure };
  };
  for (const value of rest) {
    if (folded.length === 0 || value.length === 0) {
      folded = folded.length === 0 ? value : folded;
      continue;
    }
    const outcome = await executor.fold(programPath, [folded, value], limits.combine, signal);
    signal.throwIfAborted();
    if (outcome.kind === 'local')
      return { combine: told(null), unrun: { class: outcome.class, reason: outcome.reason } };
    used.push(outcome.fuel);
    if (outcome.kind === 'failed') return { combine: told(outcome.class) };
    folded = outcome.value;
  }
  const shown = await executor.render(programPath, parameters, folded, limits.render, signal);
  signal.throwIfAborted();
  if (shown.kind === 'local')
    return { combine: told(null), unrun: { class: shown.class, reason: shown.reason } };
  const failure = shown.kind === 'failed' ? shown.class : null;
  return { combine: told(null), render: { fuel: shown.fuel, class: failure } };
}

function rising(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * Units that all items together will use, by those that were measured and gave a value: for each
 * byte where there are bytes, else for each item. Null where there is nothing to go by. Exact where
 * the items are alike.
 */
export function expectedFuel(
  { items: measured }: Measured,
  { count, bytes }: Pick<JobItems, 'count' | 'bytes'>,
): bigint | null {
  const sound = measured.filter((item) => item.class === null);
  const fuel = sound.reduce((sum, item) => sum + item.fuel, 0n);
  const seen = sound.reduce((sum, item) => sum + (item.bytes ?? 0), 0);
  if (sound.length === 0) return null;
  return bytes === null || seen === 0
    ? (fuel * BigInt(count)) / BigInt(sound.length)
    : (fuel * BigInt(bytes)) / BigInt(seen);
}

/** Milliseconds to fetch and run the slowest item, also one that runs until its fuel is used up. */
export function slowItemMs({ items }: Measured): number {
  const each = items.map(({ ms, bytes }) => Math.ceil(ms + (bytes ?? 0) / fetchedBytesPerMs));
  return Math.min(Math.max(0, ...each), slowItemMsMax);
}

/** Items that a program makes of its parameters. @throws ClientError COUNT_FAILED, COUNT_OUT_OF_RANGE */
export async function countItems({
  executor,
  programPath,
  parameters,
  signal,
}: Machine): Promise<number> {
  const counted = await executor.count(programPath, parameters, signal, measureFuel);
  if (counted.kind !== 'ok')
    throw new ClientError({ code: 'COUNT_FAILED', reason: counted.reason });
  const { buffer, byteOffset } = counted.value;
  const items = new DataView(buffer, byteOffset, 8).getBigUint64(0);
  if (items < 1n || items > BigInt(itemCountMax))
    throw new ClientError({
      code: 'COUNT_OUT_OF_RANGE',
      items: String(items),
      itemsMax: itemCountMax,
    });
  return Number(items);
}
