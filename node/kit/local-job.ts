/** Run a whole job in the own sandbox, its orders shuffled as by so many seats. */
import { hash } from 'node:crypto';
import { foldPlan } from '../../protocol/algebra/noise.ts';
import { seededStream } from '../laws/sampling.ts';
import type { Items } from '../laws/subject.ts';
import { type Made, ofSubtask, sameMade } from '../laws/workbench.ts';
import type { CallOutcome } from '../ports.ts';
import type { Ground } from './items.ts';

/** What a job came to. */
export type LocalJob =
  | {
      readonly kind: 'done';
      readonly items: number;
      readonly subtasks: number;
      /** Different orders in which all of it was run; 1 where there is only one. */
      readonly orders: number;
      readonly result: Uint8Array;
    }
  /** The program failed, as it would on every machine. */
  | {
      readonly kind: 'failed';
      readonly where: string;
      readonly reason: string;
      /** Items `first..end-1`, one of which failed; null where what failed is no item. */
      readonly items: { readonly first: number; readonly end: number } | null;
    }
  /** This machine could not run it. */
  | { readonly kind: 'unrun'; readonly where: string; readonly reason: string }
  /** Two orders came to two values. */
  | { readonly kind: 'disordered'; readonly where: string };

/** Subtasks of a job here, and orders in which each is run. */
const subtaskMax = 8;
/** Items that a subtask has at least, where there are so many: one alone has no order. */
const subtaskItems = 4;
const orderCount = 3;
/** Draws of an order, of which some are the same where there are few items. */
const drawCount = 24;

type Value = Extract<Made, { readonly kind: 'value' }>;

const wholeFold = 'the fold of all subtasks';

/** Runs a job: each subtask in several orders, their values folded in several too, then rendered. */
export async function runLocally(ground: Ground, items: Items, seed: string): Promise<LocalJob> {
  const { executor, programPath, parameters, fuel, signal } = ground;
  const subtasks = Math.min(Math.ceil(items.count / subtaskItems), subtaskMax);
  const values: Uint8Array[] = [];
  let orders = 1;
  for (let subtask = 0; subtask < subtasks; subtask++) {
    const first = Math.floor((items.count * subtask) / subtasks);
    const end = Math.floor((items.count * (subtask + 1)) / subtasks);
    const where = end - first === 1 ? `item ${first}` : `items ${first} to ${end - 1}`;
    const plans = differentPlans(end - first, `${seed} ${first}`);
    orders = Math.max(orders, plans.length);
    const made = await runOrders(ground, items, first, plans);
    if (made === 'disordered') return { kind: 'disordered', where };
    if (made.kind !== 'value') return failure(where, made, { first, end });
    values.push(made.value);
  }
  const places = differentPlaces(values.length, seed);
  orders = Math.max(orders, places.length);
  const folded = await foldOrders(ground, values, places);
  if (folded === 'disordered') return { kind: 'disordered', where: wholeFold };
  if (folded.kind !== 'value') return folded;
  const shown = await executor.render(programPath, parameters, folded.value, fuel, signal);
  if (shown.kind !== 'ok') return ofCall('anw_render', shown);
  return { kind: 'done', items: items.count, subtasks, orders, result: shown.value };
}

/** Plans as seats would be given, each by its own noise; none twice. */
function differentPlans(count: number, seed: string): readonly (readonly number[])[] {
  return different((draw) =>
    foldPlan(hash('sha256', `anwansi/test ${seed} ${draw}`, 'buffer'), count),
  );
}

/** Orders of the values of all subtasks: that of their items, and shuffled ones. */
function differentPlaces(count: number, seed: string): readonly (readonly number[])[] {
  const draw = seededStream(seed, 'lanes');
  const inOrder = Array.from({ length: count }, (_, place) => place);
  return different((time) => (time === 0 ? inOrder : draw.shuffled(count)));
}

function different(drawn: (draw: number) => readonly number[]): readonly (readonly number[])[] {
  const found = new Map<string, readonly number[]>();
  for (let draw = 0; draw < drawCount && found.size < orderCount; draw++) {
    const one = drawn(draw);
    found.set(one.join(), one);
  }
  return [...found.values()];
}

async function runOrders(
  { executor, programPath, parameters, fuel, signal }: Ground,
  items: Items,
  first: number,
  plans: readonly (readonly number[])[],
): Promise<Made | 'disordered'> {
  const count = (plans[0]!.length + 1) / 2;
  const sources = Array.from({ length: count }, (_, place) => items.source(first + place));
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

async function foldOrders(
  { executor, programPath, fuel, signal }: Ground,
  values: readonly Uint8Array[],
  orders: readonly (readonly number[])[],
): Promise<Value | Extract<LocalJob, { readonly kind: 'failed' | 'unrun' }> | 'disordered'> {
  const foldFuel = { combine: fuel, fold: fuel * BigInt(subtaskMax) };
  const folds: Value[] = [];
  for (const places of orders) {
    const some = places.map((place) => values[place]!);
    const folded = await executor.fold(programPath, some, foldFuel, signal);
    if (folded.kind !== 'ok') return ofCall(wholeFold, folded);
    folds.push({ kind: 'value', value: folded.value });
  }
  return folds.every((other) => sameMade(folds[0]!, other)) ? folds[0]! : 'disordered';
}

function failure(
  where: string,
  made: Exclude<Made, Value>,
  items: Extract<LocalJob, { readonly kind: 'failed' }>['items'],
): LocalJob {
  if (made.kind === 'unrun') return { kind: 'unrun', where, reason: made.reason };
  const said = made.said === undefined ? '' : ` (${made.said})`;
  return { kind: 'failed', where, reason: `${made.class}${said}`, items };
}

function ofCall(
  where: string,
  { kind, class: failed, reason }: Exclude<CallOutcome, { readonly kind: 'ok' }>,
): Extract<LocalJob, { readonly kind: 'failed' | 'unrun' }> {
  return kind === 'failed'
    ? { kind: 'failed', where, reason, items: null }
    : { kind: 'unrun', where, reason: `${failed}: ${reason}` };
}
