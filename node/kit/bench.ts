/** Measure what a program uses: fuel, time and memory an item, fuel a combine. */
import { statSync } from 'node:fs';
import type { FailingLines } from '../client/failing-lines.ts';
import { foreseenFailures } from '../client/foreseen.ts';
import type { FuelLimits } from '../client/fuel.ts';
import { evenIndices, type ItemPlace, type JobItems, linesOf, placeOf } from '../client/measure.ts';
import { placeStates } from '../executor/task.ts';
import type { FailureClass } from '../ports.ts';
import { type Estimate, estimateJob, lineMachine } from './estimate.ts';
import type { Ground } from './items.ts';

/** Least, middle and most of some numbers. */
export type Spread<T> = { readonly least: T; readonly median: T; readonly most: T };

/** What one item came to. */
export type BenchedItem = {
  readonly index: number;
  /** Bytes of the item; null where the program makes it. */
  readonly bytes: number | null;
  /** Why it failed; null where it gave a value. */
  readonly class: FailureClass | null;
  /** What the engine says of that, and where the item lies in the input; null where there is none. */
  readonly said: string | null;
  readonly place: ItemPlace | null;
  /** Fewer lines of it that fail as it does; null where nobody looked for them, or found none. */
  readonly lines: FailingLines | null;
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
  /** Milliseconds after which it was broken off; null where it came to its end. */
  readonly stoppedMs: number | null;
};

export type BenchOptions = {
  readonly inputPath: string | null;
  /** Items to run, spread evenly. */
  readonly itemCount: number;
  /** The only item to run, by its index in the job; null, or absent, where some are. */
  readonly only?: number | null;
  /** Limits that were asked for. */
  readonly wished: Partial<FuelLimits>;
  /** Hears how many of the items were run. */
  readonly told?: (done: number, total: number) => void;
  /** Milliseconds after which it is broken off; {@link benchMsMax} unless given. */
  readonly msMax?: number;
};

/** Longer than that nobody waits for a measurement. */
export const benchMsMax = 30_000;

/** Runs of one item: the quickest counts, for a first one also compiles. */
const runCount = 3;
/** Milliseconds of one item after which it is not run again. */
const repeatMsMax = 500;

/**
 * Measures a few items, and stops at the first one that fails: the job would fail at it, and the
 * others may take as long. @throws ClientError as `anwansi run` does, ITEM_OUT_OF_RANGE
 */
export async function benchProgram(
  ground: Ground,
  { inputPath, itemCount, only = null, wished, told = () => {}, msMax = benchMsMax }: BenchOptions,
): Promise<Bench> {
  const startedAt = performance.now();
  const estimate = await estimateJob(ground, inputPath, wished, only);
  const { items, measured, limits } = estimate;
  const unrun = measured.unrun?.reason ?? null;
  const ended = (run: Pick<Bench, 'benched' | 'unrun' | 'stoppedMs'>): Bench => ({
    ...{ ...estimate, ...run },
    ...summary(items, run.benched),
  });
  // What fails was already seen to, and what was measured beside it is all there is to tell.
  if (unrun !== null || foreseenFailures(measured, limits)[0]?.what === 'item')
    return ended({ benched: measured.items, unrun, stoppedMs: null });
  const late = AbortSignal.timeout(Math.max(1, msMax - Math.round(performance.now() - startedAt)));
  const timed = { ...ground, signal: AbortSignal.any([ground.signal, late]) };
  const benched: BenchedItem[] = [];
  const indices = only === null ? evenIndices(items.count, itemCount) : [only];
  for (const index of indices) {
    told(benched.length, indices.length);
    const one = await benchItem(timed, estimate, index);
    ground.signal.throwIfAborted();
    if (late.aborted && typeof one === 'string') {
      const some = benched.length > 0 ? benched : measured.items;
      return ended({ benched: some, unrun: null, stoppedMs: msMax });
    }
    if (typeof one === 'string') return ended({ benched, unrun: one, stoppedMs: null });
    const lines = await linesOf(lineMachine(ground), items, one);
    benched.push({ ...one, lines });
    if (one.class !== null) break;
  }
  return ended({ benched, unrun: null, stoppedMs: null });
}

async function benchItem(
  { executor, programPath, parameters, signal }: Ground,
  { items, limits: { item, combine } }: Estimate,
  index: number,
): Promise<string | BenchedItem> {
  const source = await items.source(index);
  const fuel = { item, combine };
  const bytes = source.kind === 'file' ? statSync(source.path).size : null;
  let quickest: BenchedItem | null = null;
  for (let run = 0; run < runCount; run++) {
    const outcome = await executor.runSubtask(
      { programPath, parameters, items: [source], plan: [0], fuel },
      signal,
    );
    // A run that was broken off takes nothing from those before it.
    if (outcome.kind === 'local') return quickest ?? `${outcome.class}: ${outcome.reason}`;
    const { slowestItemMs: ms, mapFuel, spent, said = null } = outcome;
    const state = placeStates[outcome.states[0]!]!;
    const failure = state === 'ok' ? null : (state as FailureClass);
    const found: BenchedItem = {
      index,
      class: failure,
      said,
      place: failure === null ? null : await placeOf(items, source, index),
      lines: null,
      bytes,
      fuel: mapFuel,
      ms,
      memoryBytes: spent.memoryBytesMax,
    };
    if (quickest === null || ms < quickest.ms) quickest = found;
    if (found.class !== null || ms > repeatMsMax) break;
  }
  return quickest!;
}

function summary(
  items: JobItems,
  benched: readonly BenchedItem[],
): Pick<Bench, 'item' | 'nanosecondsPerFuel' | 'itemsPerSecond' | 'bytesPerSecond'> {
  const sound = benched.filter((item) => item.class === null);
  const bytes = sound.reduce((sum, item) => sum + (item.bytes ?? 0), 0);
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
