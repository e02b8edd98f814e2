/** Estimate a job before there is a network: its items, what a few of them use, its limits. */
import { statSync } from 'node:fs';
import { ClientError } from '../client/error.ts';
import { chooseLimits, type FuelLimits } from '../client/fuel.ts';
import { expectedFuel, type JobItems, type Measured, measureJob } from '../client/measure.ts';
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

/** @throws ClientError as `anwansi run` does */
export async function estimateJob(
  ground: Ground,
  inputPath: string | null,
  wished: Partial<FuelLimits>,
): Promise<Estimate> {
  return estimateItems(ground, await jobItems(ground, inputPath), wished);
}

/** Runs a few items, or the only ones that shall be run, and tells what a job of all would need. */
export async function estimateItems(
  ground: Ground,
  items: JobItems,
  wished: Partial<FuelLimits> = {},
): Promise<Estimate> {
  const measured = await measureJob(ground, items, wished);
  const limits = chooseLimits(wished, measured);
  return { items, measured, limits, fuel: expectedFuel(measured, items) };
}

/** The items of a job that somebody wants to run. @throws ClientError as `anwansi run` does */
export async function jobItems(ground: Ground, inputPath: string | null): Promise<JobItems> {
  const items = await openItems(ground, inputPath);
  if (items.count === 0)
    throw new ClientError({ code: 'INPUT_MISSING', program: ground.program.name });
  return sizedItems(items);
}

/** Items with their sizes and places in the input. */
export function sizedItems({ count, source }: Items): JobItems {
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
  return { count, bytes, largest, source, start: (index) => starts[index]! };
}
