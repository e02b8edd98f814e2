/** Evaluate a subtask: map its items in the order of a plan, fold them by its bracket. */
import type { ItemFailureClass } from '../algebra/result.ts';
import { assert, mark } from '../assert.ts';
import { digestBytes } from '../params.ts';

/** Why a program failed: the classes that seats agree on. */
export type StepFailureClass = ItemFailureClass;

/** What one call of a program gave, and the fuel that it used of its limit. */
export type Step =
  | { readonly ok: true; readonly value: Uint8Array; readonly fuel: bigint }
  | { readonly ok: false; readonly class: StepFailureClass };

/** What a program gives that did not fail. */
type Value = Extract<Step, { readonly ok: true }>;

/** Units of fuel that each combine of a fold may use, and all of them together. */
export type FoldFuel = { readonly combine: bigint; readonly fold: bigint };

/** What a fold came to. `limit` is that of the combine that failed: where it ran out, the one. */
export type Folded<T extends Step> =
  | Value
  | (Exclude<T, { readonly ok: true }> & { readonly limit: bigint });

/** What may have become of a place, by number: not run, done, or why it failed. */
export const placeStates = [
  'skipped',
  'ok',
  'trap',
  'bad-value',
  'out-of-fuel',
  'too-deep',
] as const;

/** What a subtask came to, packed: it may have 2^20 items. @see SubtaskOutcome in node/ports.ts */
export type Evaluation = {
  /** One of {@link placeStates} a place; `skipped` above the lowest failing one only. */
  readonly states: Uint8Array;
  /** SHA-256 of each item's value, 32 bytes a place; zero where there is none. */
  readonly hashes: Uint8Array;
  /** SHA-256 of the value behind each -1 of the plan, in order; null when anything failed. */
  readonly folds: Uint8Array | null;
  /** The folded value; null when anything failed. */
  readonly value: Uint8Array | null;
  /** A combine failed and no item did. */
  readonly combineFailed: boolean;
  /** Fuel of all items up to the lowest failing one: the same for every plan. */
  readonly mapFuel: bigint;
};

export type EvaluationSteps = {
  /** Maps the item at a place. */
  readonly map: (place: number) => Step;
  /** Combines two values, neither of them empty. */
  readonly combine: (a: Uint8Array, b: Uint8Array) => Step;
  readonly sha256: (bytes: Uint8Array) => Uint8Array;
};

/** The entry of a plan that combines the two values on top. */
export const combineEntry = -1;

/**
 * Whether a plan maps each of `itemCount` places once and folds them into one value.
 * A plan that is not such a plan is a bug of whoever made it.
 */
export function isPlan(plan: ArrayLike<number>, itemCount: number): boolean {
  if (itemCount < 1 || plan.length !== 2 * itemCount - 1) return false;
  const seen = new Uint8Array(itemCount);
  let height = 0;
  for (let at = 0; at < plan.length; at++) {
    const entry = plan[at]!;
    if (entry === combineEntry) {
      if (height < 2) return false;
      height -= 1;
      continue;
    }
    if (seen[entry] !== 0) return false;
    seen[entry] = 1;
    height += 1;
  }
  return height === 1;
}

/**
 * Combines two values: the empty value is the identity and never reaches the program.
 * @see spec/protocol/execution.md X28
 */
export function combineValues<T extends Step>(
  combine: (a: Uint8Array, b: Uint8Array) => T,
  a: Uint8Array,
  b: Uint8Array,
): Value | T {
  if (a.length > 0 && b.length > 0) return combine(a, b);
  mark('X28');
  return { ok: true, value: a.length > 0 ? a : b, fuel: 0n };
}

/**
 * Folds values from left to right: each combine may use what any combine may, and no more than
 * those before it left of the fold. Its fuel is what all of them used, so that a fold can be broken
 * off and taken up again: with its value in front of the rest, and with what is left.
 * @see spec/protocol/execution.md X70, X98
 */
export function foldValues<T extends Step>(
  values: readonly Uint8Array[],
  fuel: FoldFuel,
  combine: (a: Uint8Array, b: Uint8Array, limit: bigint) => T,
): Folded<T> {
  let folded = new Uint8Array(0);
  let used = 0n;
  for (const value of values) {
    const limit = combineLimit({ ...fuel, fold: fuel.fold - used });
    const step: Value | T = combineValues((a, b) => combine(a, b, limit), folded, value);
    if (!step.ok) return { ...(step as Exclude<T, { readonly ok: true }>), limit };
    folded = step.value as typeof folded;
    used += step.fuel;
  }
  return { ok: true, value: folded, fuel: used };
}

/**
 * Units that a combine may use which comes next in a fold.
 * @param fuel - What is left of the fold, and what any combine may use.
 */
export function combineLimit({ combine, fold }: FoldFuel): bigint {
  mark(combine < fold ? 'X98' : 'X70');
  return combine < fold ? combine : fold;
}

/**
 * Evaluates a postfix plan over `itemCount` items.
 *
 * An item that fails stops the folding but not the mapping: all places below the lowest failing
 * one are still mapped, so that which item is lowest does not depend on the order of the plan.
 * A combine that fails stops the folding only: an item may still fail, and an item's failure
 * outranks it.
 * @param fuelItem - The limit of each item: what a failing one is charged.
 * @see spec/protocol/execution.md X29 to X32, X71, X72
 */
export function evaluatePlan(
  plan: ArrayLike<number>,
  itemCount: number,
  fuelItem: bigint,
  { map, combine, sha256 }: EvaluationSteps,
): Evaluation {
  assert(isPlan(plan, itemCount), 'a plan maps each place once and folds to one value');
  const states = new Uint8Array(itemCount);
  const hashes = new Uint8Array(itemCount * digestBytes);
  const fuels = new BigUint64Array(itemCount);
  const folds = new Uint8Array((itemCount - 1) * digestBytes);
  const stack: Uint8Array[] = [];
  let folded = 0;
  let lowestFailed = itemCount;
  let folding = true;
  for (let at = 0; at < plan.length; at++) {
    const entry = plan[at]!;
    if (entry === combineEntry) {
      if (!folding) continue;
      const b = stack.pop()!;
      const step = combineValues(combine, stack.pop()!, b);
      folding = step.ok;
      if (!step.ok) continue;
      mark('X30');
      folds.set(sha256(step.value), folded++ * digestBytes);
      stack.push(step.value);
      continue;
    }
    if (entry > lowestFailed) {
      mark('X31');
      continue;
    }
    const step = map(entry);
    states[entry] = placeStates.indexOf(step.ok ? 'ok' : step.class);
    fuels[entry] = step.ok ? step.fuel : fuelItem;
    if (step.ok) {
      mark('X29');
      hashes.set(sha256(step.value), entry * digestBytes);
      if (folding) stack.push(step.value);
    } else {
      lowestFailed = entry;
      folding = false;
      stack.length = 0;
    }
  }
  const packed = { states, hashes, mapFuel: chargedFuel(fuels, lowestFailed) };
  if (folding) return { ...packed, folds, value: stack[0]!, combineFailed: false };
  const combineFailed = lowestFailed === itemCount;
  if (combineFailed) mark('X32');
  return { ...packed, folds: null, value: null, combineFailed };
}

/** @see spec/protocol/execution.md X71, X72 */
function chargedFuel(fuels: BigUint64Array, lowestFailed: number): bigint {
  let sum = 0n;
  for (let place = 0; place < Math.min(fuels.length, lowestFailed + 1); place++) {
    mark(place < lowestFailed ? 'X71' : 'X72');
    sum += fuels[place]!;
  }
  return sum;
}
