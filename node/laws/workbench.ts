/** Make values and combine them, each call in the node's own sandbox, and count their fuel. */
import { hash } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hex, sameBytes } from '../../protocol/brand.ts';
import { placeStates } from '../executor/task.ts';
import type { CallOutcome, ItemSource, SubtaskOutcome } from '../ports.ts';
import type { Statement, Tree } from './law.ts';
import { type Origin, originKey } from './origin.ts';
import type { Items, Subject } from './subject.ts';

/** What a value came to: bytes, a failure that all machines see alike, or nothing here. */
export type Made =
  | { readonly kind: 'value'; readonly value: Uint8Array }
  /** What the engine here says of it is for people, and in no report. */
  | { readonly kind: 'failed'; readonly class: FailedClass; readonly said?: string }
  | { readonly kind: 'unrun'; readonly reason: string };

/** Why there is no value. New words are added at the end: reports are kept. */
export const failedClasses = [
  'trap',
  'bad-value',
  'out-of-fuel',
  'too-deep',
  'an item failed',
  'combine failed',
] as const;
export type FailedClass = (typeof failedClasses)[number];

/** Whether a statement held, was broken, or could not be looked at. */
export type Held =
  | { readonly kind: 'held' | 'failed-alike' }
  /** Both sides gave bytes, and they differ; or only one side failed. */
  | {
      readonly kind: 'broken' | 'one-sided';
      readonly left: Made;
      readonly right: Made;
      /** What the operands came to, where they were made for it. */
      readonly values?: readonly Uint8Array[];
    }
  /** An operand has none. */
  | { readonly kind: 'no-value' }
  /** A side took more fuel than a call here may: a job may grant more. */
  | { readonly kind: 'dear' }
  /** This machine could not run it. */
  | { readonly kind: 'unrun'; readonly reason: string };

export type Workbench = {
  readonly make: (origin: Origin) => Promise<Made>;
  readonly judge: (statement: Statement) => Promise<Held>;
  /** Runs items as one subtask, in one child, folded as the tree says. */
  readonly subtask: (
    indices: readonly number[],
    plan: readonly number[],
  ) => Promise<SubtaskOutcome>;
  /** Fuel of all calls that have ended, and calls that took more than one may. */
  readonly spent: () => { readonly fuel: bigint; readonly dear: number };
};

/** Values that are kept, and the bytes of one that is. */
const keptCountMax = 8_192;
const keptBytesMax = 65_536;

/**
 * What a failing call counts of its limit, as a divisor: engines need not agree in how much it used.
 * One that used all of it counts whole. Whoever has to hold to a limit of his own counts beside.
 */
const failedShare = 256n;

const failed = (failedClass: FailedClass, said?: string): Made => ({
  ...{ kind: 'failed', class: failedClass },
  ...(said === undefined ? {} : { said }),
});
const unrun = (reason: string): Made => ({ kind: 'unrun', reason });

/** Opens a workbench on items; `callFuel` limits each call, a fold being one. */
export function openWorkbench(subject: Subject, items: Items, callFuel: bigint): Workbench {
  const { scratch } = subject;
  const calls = meteredCalls(subject, callFuel);
  // Promises, so that what is asked for twice at once is made once: the fuel is then the same.
  const kept = new Map<string, Promise<Made>>();
  // Which values are made twice, for want of room, is a matter of time: it counts once.
  const everMade = new Set<string>();
  let fileCount = 0;
  const mapBytes = async (bytes: Uint8Array, by: Calls): Promise<Made> => {
    const file = join(scratch, `made-${fileCount++}`);
    await writeFile(file, bytes);
    const result = await map({ kind: 'file', path: file }, by);
    await rm(file, { force: true });
    return result;
  };
  const makeAnew = async (origin: Origin, by: Calls): Promise<Made> => {
    switch (origin.kind) {
      case 'empty':
        return { kind: 'value', value: new Uint8Array(0) };
      case 'item':
        return map(items.source(origin.index), by);
      case 'made':
        return mapBytes(origin.bytes, by);
      case 'sample':
        return ofCall(await by.sample(origin.seed));
      case 'fold': {
        const values: Uint8Array[] = [];
        for (const part of origin.parts) {
          const made = await make(part);
          if (made.kind !== 'value') return made;
          values.push(made.value);
        }
        return ofCall(await by.fold(values));
      }
      case 'doubled': {
        let made = await make(origin.part);
        for (let time = 0; time < origin.times && made.kind === 'value'; time++)
          made = ofCall(await by.fold([made.value, made.value]));
        return made;
      }
    }
  };
  const make = (origin: Origin): Promise<Made> => {
    const key = hash('sha256', originKey(origin));
    const known = kept.get(key);
    if (known !== undefined) return known;
    const making = makeAnew(origin, everMade.has(key) ? calls.uncounted : calls.counted);
    everMade.add(key);
    if (kept.size >= keptCountMax) return making;
    kept.set(key, making);
    const forget = (): void => void kept.delete(key);
    making.then((made) => {
      if (made.kind === 'unrun' || (made.kind === 'value' && made.value.length > keptBytesMax))
        forget();
    }, forget);
    return making;
  };
  const combine = async (tree: Tree, values: readonly Uint8Array[]): Promise<Made> => {
    if (typeof tree === 'number') return { kind: 'value', value: values[tree]! };
    // What leans to the left is one task: its values are folded in their order.
    const behind: Tree[] = [];
    let first: Tree = tree;
    while (typeof first !== 'number') {
      behind.unshift(first[1]);
      first = first[0];
    }
    const folded: Uint8Array[] = [values[first]!];
    for (const part of behind) {
      const made = await combine(part, values);
      if (made.kind !== 'value') return made;
      folded.push(made.value);
    }
    return ofCall(await calls.counted.fold(folded));
  };
  const judge = async ({ operands, left, right }: Statement): Promise<Held> => {
    const values: Uint8Array[] = [];
    for (const operand of operands) {
      const made = await make(operand);
      if (made.kind === 'failed') return { kind: 'no-value' };
      if (made.kind === 'unrun') return made;
      values.push(made.value);
    }
    const [one, other] = await Promise.all([combine(left, values), combine(right, values)]);
    const held = compared(one, other);
    return held.kind === 'broken' || held.kind === 'one-sided' ? { ...held, values } : held;
  };
  const subtask: Workbench['subtask'] = (indices, plan) =>
    calls.counted.subtask(indices.map(items.source), plan);
  return { make, judge, subtask, spent: () => ({ ...calls.sum }) };
}

/** What two sides of a statement say of it. */
export function compared(one: Made, other: Made): Held {
  if (one.kind === 'unrun') return one;
  if (other.kind === 'unrun') return other;
  // That one way costs more than another breaks no law; a job's own limit may be a higher one.
  if (isDear(one) || isDear(other)) return { kind: 'dear' };
  // A combine that fails is one outcome of a job, whatever its class.
  if (one.kind === 'failed' && other.kind === 'failed') return { kind: 'failed-alike' };
  if (sameMade(one, other)) return { kind: 'held' };
  const isOneSided = one.kind === 'failed' || other.kind === 'failed';
  return { kind: isOneSided ? 'one-sided' : 'broken', left: one, right: other };
}

const isDear = (made: Made): boolean => made.kind === 'failed' && made.class === 'out-of-fuel';

/** The calls of a check: at most so many at once, each within its fuel. */
type Calls = {
  readonly subtask: (
    sources: readonly ItemSource[],
    plan: readonly number[],
  ) => Promise<SubtaskOutcome>;
  readonly fold: (values: readonly Uint8Array[]) => Promise<CallOutcome>;
  readonly sample: (seed: Uint8Array) => Promise<CallOutcome>;
};

const map = async (source: ItemSource, by: Calls): Promise<Made> =>
  ofSubtask(await by.subtask([source], [0]));

function meteredCalls(subject: Subject, callFuel: bigint) {
  const { executor, programPath, parameters, signal, turn, callCountMax = 64 } = subject;
  const admit = places(callCountMax);
  const turned = turn === undefined ? {} : { turn };
  const foldFuel = { combine: callFuel, fold: callFuel };
  const callsTo = (sum: Sum): Calls => {
    const counted = (outcome: CallOutcome): CallOutcome => {
      if (outcome.kind === 'ok') sum.fuel += outcome.fuel;
      if (outcome.kind === 'failed') countFailed(sum, outcome.class, callFuel);
      return outcome;
    };
    return {
      subtask: (sources, plan) =>
        admit(async () => {
          const fuel = { item: callFuel, combine: callFuel };
          const run = { programPath, parameters, items: sources, plan, fuel, ...turned };
          return countSubtask(sum, await executor.runSubtask(run, signal), callFuel);
        }),
      fold: (values) =>
        admit(async () =>
          counted(await executor.fold(programPath, values, foldFuel, signal, turn)),
        ),
      sample: (seed) =>
        admit(async () => counted(await executor.sample(programPath, seed, signal, callFuel))),
    };
  };
  const sum: Sum = { fuel: 0n, dear: 0 };
  return { sum, counted: callsTo(sum), uncounted: callsTo({ fuel: 0n, dear: 0 }) };
}

/** Fuel of calls that have ended, and calls that took more than one may. */
type Sum = { fuel: bigint; dear: number };

function countFailed(sum: Sum, failedClass: string, callFuel: bigint): void {
  const isDear = failedClass === 'out-of-fuel';
  sum.fuel += isDear ? callFuel : callFuel / failedShare;
  if (isDear) sum.dear += 1;
}

function countSubtask(sum: Sum, outcome: SubtaskOutcome, callFuel: bigint): SubtaskOutcome {
  if (outcome.kind !== 'done') return outcome;
  const { mapFuel, spent, states, combineFailed } = outcome;
  sum.fuel += mapFuel + spent.combineSum;
  const state = states.find((one) => one > 1);
  if (state === undefined && !combineFailed) return outcome;
  // What the outcome charges for the failing item is its whole limit.
  if (state !== undefined) sum.fuel -= callFuel;
  countFailed(sum, placeStates[state as FailedState] ?? 'combine failed', callFuel);
  return outcome;
}

type FailedState = 2 | 3 | 4 | 5;

/** Lets so many works run at once; the others wait in their order. */
function places(countMax: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running >= countMax) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}

export function sameMade(a: Made, b: Made): boolean {
  return a.kind === 'value' && b.kind === 'value'
    ? sameBytes(a.value, b.value)
    : a.kind === 'failed' && b.kind === 'failed';
}

/** What a subtask came to as a whole. */
export function ofSubtask(outcome: SubtaskOutcome): Made {
  if (outcome.kind === 'local') return unrun(`${outcome.class}: ${outcome.reason}`);
  if (outcome.value !== null) return { kind: 'value', value: outcome.value };
  const state = outcome.states.find((one) => one > 1);
  if (state === undefined) return failed('combine failed', outcome.said);
  return failed(placeStates[state as FailedState], outcome.said);
}

function ofCall(outcome: CallOutcome): Made {
  switch (outcome.kind) {
    case 'ok':
      return { kind: 'value', value: outcome.value };
    case 'failed':
      return failed(outcome.class);
    case 'local':
      return unrun(`${outcome.class}: ${outcome.reason}`);
  }
}

/** All that a subtask said, as a text: equal for equal outcomes. */
export function subtaskText(outcome: SubtaskOutcome): string {
  if (outcome.kind === 'local') return outcome.reason;
  const { states, hashes, folds, value, mapFuel } = outcome;
  const parts = [states, hashes, folds, value].map((part) => (part === null ? '-' : hex(part)));
  return hash('sha256', [...parts, mapFuel].join(' '));
}
