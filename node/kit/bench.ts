/** Measure what a program uses: fuel, time and memory an item, fuel a combine. */
import { statSync } from 'node:fs';
import type { FuelLimits } from '../client/fuel.ts';
import { evenIndices, type ItemPlace, type JobItems, placeOf } from '../client/measure.ts';
import { placeStates } from '../executor/task.ts';
import { type Estimate, estimateJob } from './estimate.ts';
import type { Ground } from './items.ts';

/** Least, middle and most of some numbers. */
export type Spread<T> = { readonly least: T; readonly median: T; readonly most: T };

/** What one item came to. */
export type BenchedItem = {
  readonly index: number;
  /** Why it failed; null where it gave a value. */
  readonly class: string | null;
  /** What the engine says of that, and where the item lies in the input; null where there is none. */
  readonly said: string | null;
  readonly place: ItemPlace | null;
  readonly fuel: bigint;
  /** The quickest of its runs. */
  readonly ms: number;
  /** The most memory that one of its instances had. */
  readonly memoryBytes: number;
};

export type Bench = Estimate & {
  readonly benched: readonly BenchedItem[];
  /** Of items that gave a value; null where none did. */
  readonly item: {
    readonly fuel: Spread<bigint>;
    readonly ms: Spread<number>;
    readonly memoryBytes: Spread<number>;
  } | null;
  /** Nanoseconds of a unit of fuel, over all of them. */
  readonly nanosecondsPerFuel: number | null;
  /** What one sandbox does in a second. */
  readonly itemsPerSecond: number | null;
  readonly bytesPerSecond: number | null;
  /** Why this machine could not go on; null where it did. */
  readonly unrun: string | null;
};

export type BenchOptions = {
  readonly inputPath: string | null;
  /** Items to run, spread evenly. */
  readonly itemCount: number;
  /** Limits that were asked for. */
  readonly wished: Partial<FuelLimits>;
};

/** Runs of one item: the quickest counts, for a first one also compiles. */
const runCount = 3;
/** Milliseconds of one item after which it is not run again. */
const repeatMsMax = 500;

/** @throws ClientError as `anwansi run` does */
export async function benchProgram(
  ground: Ground,
  { inputPath, itemCount, wished }: BenchOptions,
): Promise<Bench> {
  const estimate = await estimateJob(ground, inputPath, wished);
  const benched: BenchedItem[] = [];
  let bytes = 0;
  let unrun = estimate.measured.unrun?.reason ?? null;
  for (const index of evenIndices(estimate.items.count, itemCount)) {
    if (unrun !== null) break;
    const one = await benchItem(ground, estimate, index);
    if (typeof one === 'string') unrun = one;
    else {
      benched.push(one.item);
      if (one.item.class === null) bytes += one.bytes;
      // The others may take as long, and the job would fail at this one.
      if (one.item.class === 'out-of-fuel') break;
    }
  }
  return { ...estimate, benched, unrun, ...summary(estimate.items, benched, bytes) };
}

async function benchItem(
  { executor, programPath, parameters, signal }: Ground,
  { items, limits: { item, combine } }: Estimate,
  index: number,
): Promise<string | { readonly item: BenchedItem; readonly bytes: number }> {
  const source = await items.source(index);
  const fuel = { item, combine };
  let quickest: BenchedItem | null = null;
  for (let run = 0; run < runCount; run++) {
    const outcome = await executor.runSubtask(
      { programPath, parameters, items: [source], plan: [0], fuel },
      signal,
    );
    signal.throwIfAborted();
    if (outcome.kind === 'local') return `${outcome.class}: ${outcome.reason}`;
    const { slowestItemMs: ms, mapFuel, spent, said = null } = outcome;
    const failure = placeStates[outcome.states[0]!]!;
    const found = {
      index,
      class: failure === 'ok' ? null : failure,
      said,
      place: failure === 'ok' ? null : await placeOf(items, source, index),
      fuel: mapFuel,
      ms,
      memoryBytes: spent.memoryBytesMax,
    };
    if (quickest === null || ms < quickest.ms) quickest = found;
    if (found.class !== null || ms > repeatMsMax) break;
  }
  const bytes = source.kind === 'file' ? statSync(source.path).size : 0;
  return { item: quickest!, bytes };
}

function summary(
  items: JobItems,
  benched: readonly BenchedItem[],
  bytes: number,
): Pick<Bench, 'item' | 'nanosecondsPerFuel' | 'itemsPerSecond' | 'bytesPerSecond'> {
  const sound = benched.filter((item) => item.class === null);
  const ms = sound.reduce((sum, item) => sum + item.ms, 0);
  const fuel = sound.reduce((sum, item) => sum + item.fuel, 0n);
  if (sound.length === 0 || ms === 0)
    return { item: null, nanosecondsPerFuel: null, itemsPerSecond: null, bytesPerSecond: null };
  return {
    item: {
      fuel: spread(sound.map((item) => item.fuel)),
      ms: spread(sound.map((item) => item.ms)),
      memoryBytes: spread(sound.map((item) => item.memoryBytes)),
    },
    nanosecondsPerFuel: (ms * 1e6) / Number(fuel),
    itemsPerSecond: (sound.length * 1_000) / ms,
    bytesPerSecond: items.bytes === null ? null : (bytes * 1_000) / ms,
  };
}

/** Least, middle and most of what is not empty; of two in the middle, the lower one. */
export function spread<T extends bigint | number>(values: readonly T[]): Spread<T> {
  const sorted = values.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const median = sorted[Math.floor((sorted.length - 1) / 2)]!;
  return { least: sorted[0]!, median, most: sorted.at(-1)! };
}
