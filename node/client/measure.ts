/** Run a few items of a job, and combine and render their values, to see what they use. */
import { open } from 'node:fs/promises';
import { itemCountMax, slowItemMsMax } from '../../protocol/params.ts';
import { placeStates } from '../executor/task.ts';
import type { Executor, FailureClass, ItemSource, LocalFailureClass } from '../ports.ts';
import { ClientError } from './error.ts';
import { type FailingLines, failingLines } from './failing-lines.ts';
import { checkLimits, type FuelLimits, itemFuelMin, valueFuelMin } from './fuel.ts';

/** A program where a sandbox can read it, and what its job gives it. */
export type Machine = {
  readonly executor: Executor;
  readonly programPath: string;
  readonly parameters: Uint8Array;
  readonly signal: AbortSignal;
  /**
   * Where the executor may read, for lines that are looked for in a failing item; null, or absent,
   * where items are not cut at line ends.
   */
  readonly lineFolder?: string | null;
};

/** The items of a job, as far as they have to be known to run some of them. */
export type JobItems = {
  readonly count: number;
  /** Bytes of all of them, and index of the one with the most; null where they are made. */
  readonly bytes: number | null;
  readonly largest: number | null;
  readonly source: (index: number) => ItemSource | Promise<ItemSource>;
  /** Bytes of the input that lie before an item; absent where items are made. */
  readonly start?: (index: number) => number;
  /** File of the input; null, or absent, where there is none. */
  readonly inputPath?: string | null;
  /** The only ones that are to be run, in rising order; chosen evenly unless given. */
  readonly only?: readonly number[];
};

/** Where an item lies in the input, and how it begins. */
export type ItemPlace = {
  readonly start: number;
  readonly bytes: number;
  readonly head: Uint8Array;
};

/** What one item came to. */
export type MeasuredItem = {
  readonly index: number;
  /** Bytes of the item; null where the program makes it. */
  readonly bytes: number | null;
  /** Why it failed, as all seats will see it; null where it gave a value. */
  readonly class: FailureClass | null;
  /** What this machine's engine says of that, for people; null where it says nothing. */
  readonly said: string | null;
  /** Of one that failed; null where the program makes it. */
  readonly place: ItemPlace | null;
  /** Fewer lines of it that fail as it does; null where nobody looked for them, or found none. */
  readonly lines: FailingLines | null;
  /** The most memory that its instance had. */
  readonly memoryBytes: number;
  /** Units that it used; where it failed, all that it had. */
  readonly fuel: bigint;
  readonly ms: number;
};

/** What the combines of a few values came to: units of those that gave a value. */
export type MeasuredCombines = {
  readonly count: number;
  /** 0 where none did. */
  readonly least: bigint;
  readonly most: bigint;
  /** Why the last one failed, and of which item it was to take in the value; null where none did. */
  readonly class: FailureClass | null;
  readonly said: string | null;
  readonly index: number | null;
};

/** What the rendering of their fold came to; one that failed counts all that it had. */
export type MeasuredRender = {
  readonly fuel: bigint;
  readonly class: FailureClass | null;
  readonly said: string | null;
};

export type Measured = {
  /** Within which it was measured. */
  readonly limits: FuelLimits;
  /** In order of their indices. */
  readonly items: readonly MeasuredItem[];
  /** Combines of the value so far with the next one; null where nothing was to combine. */
  readonly combine: MeasuredCombines | null;
  /** Milliseconds of the slowest of them, also of one that failed; 0 where none ran. */
  readonly combineMs: number;
  /** The rendering of what they came to; null where there was nothing to render. */
  readonly render: MeasuredRender | null;
  /** Why this machine could not go on; null where it did. */
  readonly unrun: { readonly class: LocalFailureClass; readonly reason: string } | null;
};

/** Fuel within which an item is measured unless it is told; others have the least of a job. */
export const measureFuel = 2n ** 33n;
/** Items that are measured at most; fuel and bytes after which no more are begun. */
export const measuredCountMax = 16;
const measuredFuelMax = 2n ** 31n;
const measuredBytesMax = 8 * 1024 * 1024;
/** Milliseconds after which no more are begun once one has failed: each may take as long. */
const failedMsMax = 2_000;
/** First bytes of a failing item that a person is shown. */
const headBytesMax = 64;
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
  const [item, value] = [measureFuel, valueFuelMin];
  const limits = { item, combine: value, fold: value, render: value, ...wished };
  // A failing item is paid for as if it had used its whole limit: one that fails soon needs little.
  const steps = wished.item === undefined ? [itemFuelMin, limits.item] : [limits.item];
  const measured: MeasuredItem[] = [];
  const values: IndexedValue[] = [];
  const done = (unrun: Measured['unrun'], rest: Partial<Measured> = {}): Measured => {
    const sorted = measured.toSorted((a, b) => a.index - b.index);
    const unmeasured = { combine: null, combineMs: 0, render: null };
    return { limits, items: sorted, ...unmeasured, unrun, ...rest };
  };
  const { sure, others } = measuredIndices(items);
  let [fuel, bytes, failed] = [0n, 0, false];
  const startedAt = performance.now();
  for (const [place, index] of [...sure, ...others].entries()) {
    if (place >= sure.length && (fuel > measuredFuelMax || bytes > measuredBytesMax)) break;
    if (failed && performance.now() - startedAt > failedMsMax) break;
    const one = await measureItem(machine, items, index, steps);
    if ('unrun' in one) return done(one.unrun);
    measured.push(one.item);
    if (one.value !== null) values.push({ index, value: one.value });
    // The job will fail at this one, and so may each of the others, for as long.
    if (one.item.class === 'out-of-fuel') break;
    failed ||= one.item.class !== null;
    fuel += one.item.fuel;
    bytes += one.item.bytes ?? 0;
  }
  await findLines(machine, items, measured);
  return done(null, await measureValues(machine, values, limits));
}

/** Which items are measured. */
function measuredIndices({ count, largest, only }: JobItems) {
  if (only !== undefined) return { sure: only.slice(0, 1), others: only.slice(1) };
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

type IndexedValue = { readonly index: number; readonly value: Uint8Array };

/** @param steps - Units that it may use, in rising steps: the next one where it needs more. */
async function measureItem(
  machine: Machine,
  items: JobItems,
  index: number,
  [item, ...more]: readonly bigint[],
): Promise<OneItem> {
  const { executor, programPath, parameters, signal } = machine;
  const source = await items.source(index);
  // Nothing is combined: it is one item.
  const fuel = { item: item!, combine: item! };
  const run = { programPath, parameters, items: [source], plan: [0], fuel };
  const outcome = await executor.runSubtask(run, signal);
  signal.throwIfAborted();
  if (outcome.kind === 'local') return { unrun: { class: outcome.class, reason: outcome.reason } };
  const state = placeStates[outcome.states[0]!]!;
  if (state === 'out-of-fuel' && more.length > 0) return measureItem(machine, items, index, more);
  const failure = state === 'ok' ? null : (state as FailureClass);
  const found = await placeOf(items, source, index);
  const bytes = found?.bytes ?? null;
  const place = failure === null ? null : found;
  const { mapFuel, slowestItemMs: ms, value, said = null, spent } = outcome;
  const used = { fuel: mapFuel, ms, memoryBytes: spent.memoryBytesMax };
  return { item: { index, bytes, class: failure, said, place, lines: null, ...used }, value };
}

/** Looks for the lines by which the lowest failing item fails. */
async function findLines(machine: Machine, items: JobItems, measured: MeasuredItem[]) {
  const failing = measured.filter((item) => item.class !== null);
  const lowest = failing.reduce<MeasuredItem | null>(
    (least, item) => (least === null || item.index < least.index ? item : least),
    null,
  );
  if (lowest === null) return;
  const lines = await linesOf(machine, items, lowest);
  measured[measured.indexOf(lowest)] = { ...lowest, lines };
}

/** Fewer lines of a failing item that fail as it does; null where they are not found. */
export async function linesOf(
  { executor, programPath, parameters, signal, lineFolder = null }: Machine,
  { source, start, inputPath = null }: JobItems,
  item: Pick<MeasuredItem, 'index' | 'fuel'> & { readonly class: FailureClass | null },
): Promise<FailingLines | null> {
  const { index, class: failure, fuel } = item;
  const found = await source(index);
  if (lineFolder === null || failure === null || found.kind === 'generated') return null;
  const before = start?.(index) ?? null;
  const input = inputPath === null || before === null ? null : { path: inputPath, before };
  const { path } = found;
  const failed = { programPath, parameters, path, class: failure, fuel, input };
  return failingLines(failed, executor, lineFolder, signal);
}

/** The first of some items that fails when it is run by itself; null where none does. */
export async function firstFailing(
  machine: Machine,
  items: JobItems,
  indices: readonly number[],
  fuel: bigint,
): Promise<MeasuredItem | null> {
  for (const index of indices) {
    const one = await measureItem(machine, items, index, [fuel]);
    if ('unrun' in one) return null;
    if (one.item.class !== null)
      return { ...one.item, lines: await linesOf(machine, items, one.item) };
  }
  return null;
}

/** Where an item lies in the input, and its first bytes; null where it is made. */
export async function placeOf(
  { start }: Pick<JobItems, 'start'>,
  source: ItemSource,
  index: number,
): Promise<ItemPlace | null> {
  if (source.kind === 'generated') return null;
  const file = await open(source.path, 'r');
  try {
    const { size: bytes } = await file.stat();
    const { buffer, bytesRead } = await file.read(new Uint8Array(headBytesMax), 0, headBytesMax, 0);
    return { start: start?.(index) ?? 0, bytes, head: buffer.subarray(0, bytesRead) };
  } finally {
    await file.close();
  }
}

/** Folds values from left to right, and renders what they come to. */
async function measureValues(
  { executor, programPath, parameters, signal }: Machine,
  values: readonly IndexedValue[],
  limits: FuelLimits,
): Promise<Partial<Measured>> {
  const [first, ...rest] = values.toSorted((a, b) => a.index - b.index);
  if (first === undefined) return {};
  let folded = first.value;
  const fuel = { combine: limits.combine, fold: limits.combine };
  const used: bigint[] = [];
  let combineMs = 0;
  const told = (failed: Failed | null = null): Pick<Measured, 'combine' | 'combineMs'> => {
    const sorted = used.toSorted(rising);
    if (sorted.length === 0 && failed === null) return { combine: null, combineMs };
    const [least = 0n, most = 0n] = [sorted[0], sorted.at(-1)];
    return { combine: { count: used.length, least, most, ...(failed ?? unfailed) }, combineMs };
  };
  for (const { index, value } of rest) {
    if (folded.length === 0 || value.length === 0) {
      folded = folded.length === 0 ? value : folded;
      continue;
    }
    const startedAt = performance.now();
    const outcome = await executor.fold(programPath, [folded, value], fuel, signal);
    signal.throwIfAborted();
    const ms = outcome.kind === 'ok' ? outcome.wallMs : performance.now() - startedAt;
    combineMs = Math.max(combineMs, ms);
    if (outcome.kind === 'local')
      return { ...told(), unrun: { class: outcome.class, reason: outcome.reason } };
    if (outcome.kind === 'failed') {
      const { class: failure, reason: said } = outcome;
      return told({ class: failure, said, index });
    }
    used.push(outcome.fuel);
    folded = outcome.value;
  }
  const shown = await executor.render(programPath, parameters, folded, limits.render, signal);
  signal.throwIfAborted();
  if (shown.kind === 'local')
    return { ...told(), unrun: { class: shown.class, reason: shown.reason } };
  const failed =
    shown.kind === 'failed'
      ? { class: shown.class, said: shown.reason }
      : { class: null, said: null };
  return { ...told(), render: { fuel: shown.fuel, ...failed } };
}

const unfailed = { class: null, said: null, index: null };
type Failed = Pick<MeasuredCombines, 'class' | 'said' | 'index'>;

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

/**
 * Milliseconds to fetch and run the slowest item, and to combine its value with others: also where
 * one of them runs until its fuel is used up. Seats are given their time by it.
 */
export function slowItemMs({ items, combineMs }: Measured): number {
  const each = items.map(({ ms, bytes }) => ms + (bytes ?? 0) / fetchedBytesPerMs);
  return Math.min(Math.ceil(Math.max(0, ...each) + combineMs), slowItemMsMax);
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
    throw new ClientError({
      ...{ code: 'COUNT_FAILED', reason: counted.reason },
      given: parameters.length > 0,
    });
  const { buffer, byteOffset } = counted.value;
  const items = new DataView(buffer, byteOffset, 8).getBigUint64(0);
  if (items < 1n || items > BigInt(itemCountMax))
    throw new ClientError({
      code: 'COUNT_OUT_OF_RANGE',
      // A negative count is told as one, and not as one above 2^63.
      items: String(BigInt.asIntN(64, items)),
      itemsMax: itemCountMax,
    });
  return Number(items);
}
