/** Evaluate a subtask: map its items in the order of a plan, fold them by its bracket. */
import { assert, mark } from '../assert.ts';

/** Why a program failed: the only two classes that seats agree on. */
export type StepFailureClass = 'trap' | 'bad-value';

/** What one call of a program gave. */
export type Step =
  | { readonly ok: true; readonly value: Uint8Array }
  | { readonly ok: false; readonly class: StepFailureClass };

export type MappedItem =
  | { readonly ok: true; readonly valueHash: Uint8Array }
  | { readonly ok: false; readonly class: StepFailureClass };

/** What a subtask came to. @see SubtaskOutcome in node/ports.ts */
export type Evaluation = {
  /** Per place; null where an item above the lowest failing one was not run. */
  readonly items: readonly (MappedItem | null)[];
  /** SHA-256 of the value behind each -1 of the plan, in order; null when anything failed. */
  readonly folds: readonly Uint8Array[] | null;
  /** The folded value; null when anything failed. */
  readonly value: Uint8Array | null;
  /** A combine failed and no item did. */
  readonly combineFailed: boolean;
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
export function combineValues(
  combine: EvaluationSteps['combine'],
  a: Uint8Array,
  b: Uint8Array,
): Step {
  if (a.length > 0 && b.length > 0) return combine(a, b);
  mark('X28');
  return { ok: true, value: a.length > 0 ? a : b };
}

/**
 * Evaluates a postfix plan over `itemCount` items.
 *
 * An item that fails stops the folding but not the mapping: all places below the lowest failing
 * one are still mapped, so that which item is lowest does not depend on the order of the plan.
 * A combine that fails stops the folding only: an item may still fail, and an item's failure
 * outranks it.
 * @see spec/protocol/execution.md X29 to X32
 */
export function evaluatePlan(
  plan: ArrayLike<number>,
  itemCount: number,
  { map, combine, sha256 }: EvaluationSteps,
): Evaluation {
  assert(isPlan(plan, itemCount), 'a plan maps each place once and folds to one value');
  const items = new Array<MappedItem | null>(itemCount).fill(null);
  const folds: Uint8Array[] = [];
  const stack: Uint8Array[] = [];
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
      folds.push(sha256(step.value));
      stack.push(step.value);
      continue;
    }
    if (entry > lowestFailed) {
      mark('X31');
      continue;
    }
    const step = map(entry);
    if (step.ok) {
      mark('X29');
      items[entry] = { ok: true, valueHash: sha256(step.value) };
      if (folding) stack.push(step.value);
    } else {
      items[entry] = { ok: false, class: step.class };
      lowestFailed = entry;
      folding = false;
      stack.length = 0;
    }
  }
  if (folding) return { items, folds, value: stack[0]!, combineFailed: false };
  const combineFailed = lowestFailed === itemCount;
  if (combineFailed) mark('X32');
  return { items, folds: null, value: null, combineFailed };
}
