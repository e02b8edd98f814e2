/** Commit to what a seat did on a subtask: its items in tree A, its evaluation in tree B. */
import { assert, mark } from '../assert.ts';
import { concatBytes } from '../brand.ts';
import { type Frame, hashFrame } from '../crypto/frame.ts';
import { type Digest, hash } from '../crypto/hash.ts';
import { atOnce, type Stretches, stretchHashCount } from '../crypto/stretches.ts';
import { leafHash } from '../merkle/list.ts';
import { type LeafHasher, type ListTree, listTreeStretches } from '../merkle/tree.ts';
import { digestBytes } from '../params.ts';
import { combineEntry } from './noise.ts';
import type { ItemFailureClass, ItemResult, SubtaskResult } from './result.ts';
import { itemSalt } from './salt.ts';

/** What an executor reports of one subtask, with the plan that it followed. */
export type SubtaskTrace = {
  readonly subtask: number;
  /** Index in the job of the item at place 0. */
  readonly first: number;
  readonly plan: readonly number[] | Int32Array;
  /** Per place; null where an item above the lowest failing one was not run. */
  readonly items: readonly (ItemResult | null)[];
  /** Hash of the value after each combine of the plan, in order; null when anything failed. */
  readonly folds: readonly Uint8Array[] | null;
};

/** A {@link SubtaskTrace} as it comes from an executor: a subtask may have 2^20 items. */
export type PackedTrace = {
  readonly subtask: number;
  readonly first: number;
  readonly plan: readonly number[] | Int32Array;
  /** Per place 0 where the item was not run, else 1 + its outcome's place in `itemOutcomes`. */
  readonly states: Uint8Array;
  /** 32 bytes a place; of no meaning where the item has no value. */
  readonly hashes: Uint8Array;
  /** 32 bytes a combine; null when anything failed. */
  readonly folds: Uint8Array | null;
};

/** A seat's work on one subtask, committed to. Its leaves are made again when they are needed. */
export type SubtaskWork = {
  readonly subtask: number;
  readonly first: number;
  /** Items that tree A holds: all, or those up to the lowest failing one. */
  readonly committed: number;
  /** As in {@link PackedTrace}. */
  readonly states: Uint8Array;
  readonly hashes: Uint8Array;
  readonly saltKey: Uint8Array;
  readonly treeA: ListTree;
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
  return atOnce(subtaskWorkStretches(packedTrace(trace), saltKey));
}

/** The same commitment, made in stretches from packed bytes, which are kept. */
export function* subtaskWorkStretches(
  trace: PackedTrace,
  saltKey: Uint8Array,
): Stretches<SubtaskWork> {
  const { subtask, first, states, hashes } = trace;
  const committed = committedCount(trace);
  const leaves = itemLeafHasher({ subtask, first, states, hashes, saltKey });
  const treeA = yield* listTreeStretches(committed, leaves);
  const result = resultOf(trace, committed);
  const rootB = result.ok ? yield* evaluationRoot(trace) : null;
  return {
    ...{ subtask, first, committed, states, hashes, saltKey },
    ...{ treeA, rootA: treeA.root, rootB, result },
  };
}

/** What an item came to, by its place. */
export function itemOf({ states, hashes }: SubtaskWork, place: number): ItemResult {
  const outcome = itemOutcomes[states[place]! - 1]!;
  if (outcome !== 'ok') return { ok: false, class: outcome };
  return { ok: true, valueHash: hashes.slice(place * digestBytes, (place + 1) * digestBytes) };
}

/** Hashes the leaves of tree A, each again whenever it is asked for. */
export function itemLeafHasher(
  work: Pick<SubtaskWork, 'subtask' | 'first' | 'states' | 'hashes' | 'saltKey'>,
): LeafHasher {
  const { subtask, first, states, hashes, saltKey } = work;
  const salt: Frame = hashFrame('salt', [saltKey.length, 8, 8]);
  salt.put(0, saltKey);
  salt.putInteger(1, subtask);
  const leaf: Frame = hashFrame('tree-a', [digestBytes, 8, 8, digestBytes]);
  leaf.putInteger(2, 0);
  return (place, target, at) => {
    const item = first + place;
    const outcome = itemOutcomes[states[place]! - 1]!;
    if (outcome !== 'ok') {
      // At most one leaf of a tree: the last.
      const data = itemLeaf(saltKey, { subtask, item, outcome, valueHash: null });
      target.set(leafHash(data), at);
      return;
    }
    mark('N6');
    mark('N12');
    salt.putInteger(2, item);
    leaf.put(0, salt.hash());
    leaf.putInteger(1, item);
    leaf.put(3, hashes, place * digestBytes);
    target.set(leafHash(leaf.hash()), at);
  };
}

function packedTrace({ items, folds, ...trace }: SubtaskTrace): PackedTrace {
  const states = new Uint8Array(items.length);
  const hashes = new Uint8Array(items.length * digestBytes);
  items.forEach((item, place) => {
    if (item === null) return;
    states[place] = 1 + itemOutcomes.indexOf(item.ok ? 'ok' : item.class);
    if (item.ok) hashes.set(item.valueHash, place * digestBytes);
  });
  return { ...trace, states, hashes, folds: folds === null ? null : concatBytes(...folds) };
}

/** Items up to the lowest failing one: those that every seat maps, whatever its order. */
function committedCount({ states }: PackedTrace): number {
  assert(states.length > 0, 'a subtask has items');
  for (let place = 0; place < states.length; place++) {
    assert(states[place] !== 0, 'every item below the lowest failing one was mapped');
    if (states[place] === 1) continue;
    mark('N14');
    return place + 1;
  }
  mark('N13');
  return states.length;
}

function resultOf(trace: PackedTrace, committed: number): SubtaskResult {
  const { first, states, hashes, folds } = trace;
  const last = itemOutcomes[states[committed - 1]! - 1];
  assert(last !== undefined, 'an item has an outcome');
  if (last !== 'ok') return { ok: false, class: last, item: first + committed - 1 };
  if (folds === null) return { ok: false, class: 'combine-failed', item: null };
  return { ok: true, valueHash: (folds.length > 0 ? folds : hashes).slice(-digestBytes) };
}

/**
 * The root of tree B: the evaluation itself, in the seat's order and bracket.
 * @see spec/protocol/algebra.md N15, N16
 */
function* evaluationRoot({ plan, first, states, hashes, folds }: PackedTrace): Stretches<Digest> {
  const count = states.length;
  assert(
    folds !== null && plan.length === 2 * count - 1 && folds.length === (count - 1) * digestBytes,
    'each combine has a value',
  );
  const leaf = hashFrame('tree-b-leaf', [8, digestBytes]);
  const inner = hashFrame('tree-b-node', [digestBytes, digestBytes, digestBytes]);
  const nodes: Digest[] = [];
  let combined = 0;
  for (let at = 0; at < plan.length; at++) {
    const entry = plan[at]!;
    if (entry === combineEntry) {
      mark('N16');
      const right = nodes.pop();
      const left = nodes.pop();
      assert(left !== undefined && right !== undefined, 'a combine has two values');
      inner.put(0, left);
      inner.put(1, right);
      inner.put(2, folds, combined++ * digestBytes);
      nodes.push(inner.hash());
    } else {
      mark('N15');
      assert(states[entry] === 1, 'a plan names items of its subtask');
      leaf.putInteger(0, first + entry);
      leaf.put(1, hashes, entry * digestBytes);
      nodes.push(leaf.hash());
    }
    if (at % stretchHashCount === stretchHashCount - 1) yield;
  }
  assert(nodes.length === 1, 'a plan folds to one value');
  return nodes[0]!;
}

/** The leaf of a subtask's work under workRoot. */
export function leafOfWork({ subtask, committed, rootA, rootB, result }: SubtaskWork): Digest {
  const valueHash = result.ok ? result.valueHash : null;
  return workLeaf({ subtask, committed, rootA, rootB, valueHash });
}
