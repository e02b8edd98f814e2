/** Run a whole job in the own sandbox, its orders shuffled as by so many seats. */
import { hash } from 'node:crypto';
import { foldPlan } from '../../protocol/algebra/noise.ts';
import { seededStream } from '../laws/sampling.ts';
import type { Items } from '../laws/subject.ts';
import { type Made, ofSubtask, sameMade } from '../laws/workbench.ts';
import type { Ground } from './items.ts';

/** What a job came to. */
export type LocalJob =
  | {
      readonly kind: 'done';
      readonly items: number;
      readonly subtasks: number;
      readonly result: Uint8Array;
    }
  /** The program failed, as it would on every machine. */
  | { readonly kind: 'failed'; readonly where: string; readonly reason: string }
  /** Two orders came to two values. */
  | { readonly kind: 'disordered'; readonly where: string };

/** Subtasks of a job here, and orders in which each is run. */
const subtaskMax = 8;
const orderCount = 3;

/** Runs a job: each subtask in several orders, their values folded in several too, then rendered. */
export async function runLocally(ground: Ground, items: Items, seed: string): Promise<LocalJob> {
  const { executor, programPath, parameters, fuel, signal } = ground;
  const subtasks = Math.min(items.count, subtaskMax);
  const values: Uint8Array[] = [];
  for (let subtask = 0; subtask < subtasks; subtask++) {
    const first = Math.floor((items.count * subtask) / subtasks);
    const end = Math.floor((items.count * (subtask + 1)) / subtasks);
    const where = end - first === 1 ? `item ${first}` : `items ${first} to ${end - 1}`;
    const made = await runOrders(ground, items, { first, end }, seed);
    if (made === 'disordered') return { kind: 'disordered', where };
    if (made.kind !== 'value') return failure(where, made);
    values.push(made.value);
  }
  const draw = seededStream(seed, 'lanes');
  const folds: Made[] = [];
  for (let order = 0; order < orderCount; order++) {
    const places = order === 0 ? [...values.keys()] : draw.shuffled(values.length);
    const some = places.map((place) => values[place]!);
    const folded = await executor.fold(programPath, some, fuel, signal);
    if (folded.kind !== 'ok')
      return { kind: 'failed', where: 'the fold of all subtasks', reason: folded.reason };
    folds.push({ kind: 'value', value: folded.value });
  }
  if (folds.some((other) => !sameMade(folds[0]!, other)))
    return { kind: 'disordered', where: 'the fold of all subtasks' };
  const [folded] = folds as { readonly kind: 'value'; readonly value: Uint8Array }[];
  const shown = await executor.render(programPath, parameters, folded!.value, fuel, signal);
  if (shown.kind !== 'ok') return { kind: 'failed', where: 'anw_render', reason: shown.reason };
  return { kind: 'done', items: items.count, subtasks, result: shown.value };
}

async function runOrders(
  { executor, programPath, parameters, fuel, signal }: Ground,
  items: Items,
  { first, end }: { readonly first: number; readonly end: number },
  seed: string,
): Promise<Made | 'disordered'> {
  const count = end - first;
  const sources = Array.from({ length: count }, (_, place) => items.source(first + place));
  // The plans that seats would have been given, each by its own noise.
  const plans = Array.from({ length: orderCount }, (_, order) =>
    foldPlan(hash('sha256', `anwansi/test ${seed} ${first} ${order}`, 'buffer'), count),
  );
  const runs = plans.map((plan) =>
    executor.runSubtask(
      { programPath, parameters, items: sources, plan, fuel: { item: fuel, combine: fuel } },
      signal,
    ),
  );
  const [one, ...others] = (await Promise.all(runs)).map(ofSubtask);
  const unrun = [one!, ...others].find(({ kind }) => kind === 'unrun');
  if (unrun !== undefined) return unrun;
  return others.every((other) => sameMade(one!, other)) ? one! : 'disordered';
}

function failure(where: string, made: Exclude<Made, { readonly kind: 'value' }>): LocalJob {
  return { kind: 'failed', where, reason: made.kind === 'failed' ? made.class : made.reason };
}
