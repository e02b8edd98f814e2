/** Commit to what a seat did on a subtask: its items in tree A, its evaluation in tree B. */
import { assert, mark } from '../assert.ts';
import { type Digest, hash } from '../crypto/hash.ts';
import { listRoot } from '../merkle/list.ts';
import { combineEntry } from './noise.ts';
import type { ItemFailureClass, ItemResult, SubtaskResult } from './result.ts';
import { itemSalt } from './salt.ts';

/** What an executor reports of one subtask, with the plan that it followed. */
export type SubtaskTrace = {
  readonly subtask: number;
  /** Index in the job of the item at place 0. */
  readonly first: number;
  readonly plan: readonly number[];
  /** Per place; null where an item above the lowest failing one was not run. */
  readonly items: readonly (ItemResult | null)[];
  /** Hash of the value after each combine of the plan, in order; null when anything failed. */
  readonly folds: readonly Uint8Array[] | null;
};

/** A seat's work on one subtask, committed to. */
export type SubtaskWork = {
  readonly subtask: number;
  readonly first: number;
  /** Items that tree A holds: all, or those up to the lowest failing one. */
  readonly items: readonly ItemResult[];
  /** Data of the leaves of tree A, in index order. */
  readonly leaves: readonly Digest[];
  readonly rootA: Digest;
  /** Root of the evaluation tree; null when anything failed. */
  readonly rootB: Digest | null;
  readonly result: SubtaskResult;
};

/** The word by which tree A tells how an item ended. */
export type ItemOutcome = 'ok' | ItemFailureClass;

/** Codes of outcomes in tree A: their places here. Never used again for another meaning. */
export const itemOutcomes = ['ok', 'trap', 'bad-value', 'out-of-fuel', 'too-deep'] as const;

/** What is hashed in the place of something that is not there; no digest is as short. */
const nothing = new Uint8Array(0);

/** What a leaf of tree A says of an item. */
export type ItemLeaf = {
  readonly subtask: number;
  readonly item: number;
  readonly outcome: ItemOutcome;
  /** Null unless the outcome is `ok`. */
  readonly valueHash: Uint8Array | null;
};

/**
 * The data of an item's leaf in tree A. Without the salt, nobody can try values against it.
 * @see spec/protocol/algebra.md N12
 */
export function itemLeaf(saltKey: Uint8Array, leaf: ItemLeaf): Digest {
  mark('N12');
  const { subtask, item, outcome, valueHash } = leaf;
  const salt = itemSalt(saltKey, subtask, item);
  return hash('tree-a', salt, item, itemOutcomes.indexOf(outcome), valueHash ?? nothing);
}

/**
 * The data of a subtask's leaf under workRoot.
 * @param work - `committed` counts the leaves of tree A, which its root alone does not fix.
 * @see spec/protocol/algebra.md N17
 */
export function workLeaf(work: {
  readonly subtask: number;
  readonly committed: number;
  readonly rootA: Uint8Array;
  readonly rootB: Uint8Array | null;
  readonly valueHash: Uint8Array | null;
}): Digest {
  mark('N17');
  const { subtask, committed, rootA, rootB, valueHash } = work;
  return hash('work', subtask, committed, rootA, rootB ?? nothing, valueHash ?? nothing);
}

/**
 * Commits to a subtask as it was executed.
 *
 * What other seats must agree on, {@link SubtaskWork.result}, does not depend on the plan. The
 * trees do: they say how this seat got there.
 * @see spec/protocol/algebra.md N13, N14
 */
export function subtaskWork(trace: SubtaskTrace, saltKey: Uint8Array): SubtaskWork {
  const { subtask, first } = trace;
  const items = committedItems(trace);
  const leaves = items.map((result, place) =>
    itemLeaf(saltKey, {
      subtask,
      item: first + place,
      outcome: result.ok ? 'ok' : result.class,
      valueHash: result.ok ? result.valueHash : null,
    }),
  );
  const result = resultOf(trace, items);
  const rootB = result.ok ? evaluationRoot(trace) : null;
  return { subtask, first, items, leaves, rootA: listRoot(leaves), rootB, result };
}

/** Items up to the lowest failing one: those that every seat maps, whatever its order. */
function committedItems({ items }: SubtaskTrace): readonly ItemResult[] {
  const committed: ItemResult[] = [];
  for (const result of items) {
    assert(result !== null, 'every item below the lowest failing one was mapped');
    committed.push(result);
    if (!result.ok) {
      mark('N14');
      return committed;
    }
  }
  mark('N13');
  return committed;
}

function resultOf(trace: SubtaskTrace, committed: readonly ItemResult[]): SubtaskResult {
  const last = committed.at(-1);
  assert(last !== undefined, 'a subtask has items');
  if (!last.ok) return { ok: false, class: last.class, item: trace.first + committed.length - 1 };
  if (trace.folds === null) return { ok: false, class: 'combine-failed', item: null };
  return { ok: true, valueHash: trace.folds.at(-1) ?? last.valueHash };
}

/**
 * The root of tree B: the evaluation itself, in the seat's order and bracket.
 * @see spec/protocol/algebra.md N15, N16
 */
function evaluationRoot({ plan, first, items, folds }: SubtaskTrace): Digest {
  assert(folds !== null && plan.length === items.length + folds.length, 'each combine has a value');
  const nodes: Digest[] = [];
  let combined = 0;
  for (const entry of plan) {
    if (entry === combineEntry) {
      mark('N16');
      const right = nodes.pop();
      const left = nodes.pop();
      assert(left !== undefined && right !== undefined, 'a combine has two values');
      nodes.push(hash('tree-b-node', left, right, folds[combined++]!));
    } else {
      mark('N15');
      const result = items[entry];
      assert(result?.ok === true, 'a plan names items of its subtask');
      nodes.push(hash('tree-b-leaf', first + entry, result.valueHash));
    }
  }
  assert(nodes.length === 1 && combined === folds.length, 'a plan folds to one value');
  return nodes[0]!;
}

/** The leaf of a subtask's work under workRoot. */
export function leafOfWork({ subtask, leaves, rootA, rootB, result }: SubtaskWork): Digest {
  const valueHash = result.ok ? result.valueHash : null;
  return workLeaf({ subtask, committed: leaves.length, rootA, rootB, valueHash });
}
