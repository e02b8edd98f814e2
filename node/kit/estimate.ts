/** Estimate a job before there is a network: its items, what a few of them use, its limits. */
import { statSync } from 'node:fs';
import { ClientError } from '../client/error.ts';
import { chooseLimits, type FuelLimits } from '../client/fuel.ts';
import {
  expectedFuel,
  type JobItems,
  type Machine,
  type Measured,
  measureJob,
} from '../client/measure.ts';
import type { Items } from '../laws/subject.ts';
import { type Ground, openItems } from './items.ts';

export type Estimate = {
  readonly items: JobItems;
  readonly measured: Measured;
  /** The limits that `run` would choose. */
  readonly limits: FuelLimits;
  /** Units that one execution of all items will use, about; null where no item gave a value. */
  readonly fuel: bigint | null;
};

/**
 * @param only - The only item to run, by its index in the job; null where some are run.
 * @throws ClientError as `anwansi run` does, ITEM_OUT_OF_RANGE
 */
export async function estimateJob(
  ground: Ground,
  inputPath: string | null,
  wished: Partial<FuelLimits>,
  only: number | null = null,
): Promise<Estimate> {
  const items = await jobItems(ground, inputPath);
  if (only === null) return estimateItems(ground, items, wished);
  if (only >= items.count)
    throw new ClientError({ code: 'ITEM_OUT_OF_RANGE', item: only, items: items.count });
  // What all items would use, one of them does not tell.
  return { ...(await estimateItems(ground, { ...items, only: [only] }, wished)), fuel: null };
}

/** Runs a few items, or the only ones that shall be run, and tells what a job of all would need. */
export async function estimateItems(
  ground: Ground,
  items: JobItems,
  wished: Partial<FuelLimits> = {},
): Promise<Estimate> {
  const measured = await measureJob(lineMachine(ground), items, wished);
  const limits = chooseLimits(wished, measured);
  return { items, measured, limits, fuel: expectedFuel(measured, items) };
}

/** A ground that knows whether a failing item has lines. */
export function lineMachine(ground: Ground): Machine {
  const { program, scratch } = ground;
  return { ...ground, lineFolder: program.manifest.cut.kind === 'lines' ? scratch : null };
}

/** The items of a job that somebody wants to run. @throws ClientError as `anwansi run` does */
export async function jobItems(ground: Ground, inputPath: string | null): Promise<JobItems> {
  const items = await openItems(ground, inputPath);
  if (items.count === 0)
    throw new ClientError({ code: 'INPUT_MISSING', program: ground.program.name });
  return sizedItems(items, inputPath);
}

/** Items with their sizes and places in the input, whose file is named where there is one. */
export function sizedItems({ count, source }: Items, inputPath: string | null): JobItems {
  const starts: number[] = [];
  let [bytes, largest, most] = [0, 0, 0];
  for (let index = 0; index < count; index++) {
    const item = source(index);
    if (item.kind === 'generated') return { count, bytes: null, largest: null, source };
    const { size } = statSync(item.path);
    starts.push(bytes);
    bytes += size;
    if (size > most) [largest, most] = [index, size];
  }
  return { count, bytes, largest, source, start: (index) => starts[index]!, inputPath };
}
