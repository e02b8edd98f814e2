/** Commit to what a seat did on its lane; open single items of it, and check what is opened. */
import { assert, mark } from '../assert.ts';
import { fixedBytes, nullable, oneOf, type ShapeOf, struct, uint } from '../codec/schema.ts';
import type { Digest } from '../crypto/hash.ts';
import { atOnce, type Stretches } from '../crypto/stretches.ts';
import { leafHash, listProofShape, verifyInclusion } from '../merkle/list.ts';
import { type LeafHasher, type ListTree, listTreeStretches, treeProof } from '../merkle/tree.ts';
import { digestBytes, itemCountMax, subtaskCountMax } from '../params.ts';
import {
  itemLeaf,
  itemLeafHasher,
  itemOf,
  itemOutcomes,
  leafOfWork,
  type SubtaskWork,
  workLeaf,
} from './work.ts';

/** A seat's work on its lane. */
export type LaneTranscript = {
  /** One a subtask of the lane, in rising order. */
  readonly works: readonly SubtaskWork[];
  readonly workTree: ListTree;
  readonly workRoot: Digest;
};

/**
 * Commits to a lane.
 * @param works - One a subtask of the lane, in rising order.
 * @see spec/protocol/algebra.md N18
 */
export function laneTranscript(works: readonly SubtaskWork[]): LaneTranscript {
  return atOnce(laneTranscriptStretches(works));
}

/** The same commitment, made in stretches. */
export function* laneTranscriptStretches(works: readonly SubtaskWork[]): Stretches<LaneTranscript> {
  assert(
    works.every((work, at) => at === 0 || works[at - 1]!.subtask < work.subtask),
    'the subtasks of a lane rise',
  );
  mark('N18');
  const workTree = yield* listTreeStretches(works.length, workLeafHasher(works));
  return { works, workTree, workRoot: workTree.root };
}

function workLeafHasher(works: readonly SubtaskWork[]): LeafHasher {
  return (index, target, at) => target.set(leafHash(leafOfWork(works[index]!)), at);
}

/** How an opening travels. Salts are not in it: they follow from the salt key of the reveal. */
export const openingShape = struct({
  subtask: uint(subtaskCountMax - 1),
  /** Index in the job. */
  item: uint(itemCountMax - 1),
  outcome: oneOf(itemOutcomes),
  /** SHA-256 of the item's value; null unless the outcome is `ok`. */
  valueHash: nullable(fixedBytes(digestBytes)),
  /** Leaves of tree A, its root, and the item's path in it. */
  committed: uint(itemCountMax, 1),
  rootA: fixedBytes(digestBytes),
  itemPath: listProofShape,
  /** Root of tree B and hash of the subtask's value; both null if the subtask failed. */
  rootB: nullable(fixedBytes(digestBytes)),
  subtaskValueHash: nullable(fixedBytes(digestBytes)),
  /** The subtask's path to workRoot. */
  workPath: listProofShape,
});

/** One item of a transcript with its way up to workRoot. */
export type Opening = ShapeOf<typeof openingShape>;

/**
 * Opens the item that was picked, or the lowest failing one where the picked one lies above it and
 * therefore was never committed to. Hashes some 64 leaves of each tree again, never all.
 * @see spec/protocol/algebra.md N19, N20
 */
export function openItem(
  { works, workTree }: LaneTranscript,
  subtask: number,
  item: number,
): Opening {
  const at = works.findIndex((work) => work.subtask === subtask);
  const work = works[at];
  assert(work !== undefined && item >= work.first, 'an opened item is of the lane');
  const { first, committed, treeA, rootA, rootB } = work;
  const place = Math.min(item - first, committed - 1);
  const opened = itemOf(work, place);
  const picked = item - first < committed;
  assert(picked || !opened.ok, 'an opened item is of its subtask');
  mark(picked ? 'N19' : 'N20');
  return {
    subtask,
    item: first + place,
    outcome: opened.ok ? 'ok' : opened.class,
    valueHash: opened.ok ? opened.valueHash : null,
    committed,
    rootA,
    itemPath: treeProof(treeA, place, itemLeafHasher(work)),
    rootB,
    subtaskValueHash: work.result.ok ? work.result.valueHash : null,
    workPath: treeProof(workTree, at, workLeafHasher(works)),
  };
}

/** Items `first..end - 1` of one subtask of a lane. */
export type SubtaskSize = {
  readonly subtask: number;
  readonly first: number;
  readonly end: number;
};

/**
 * Whether an opening shows the picked item of the transcript under `workRoot`. Total: anything
 * that has the shape gives an answer. It says that the item was committed to, not that it is right.
 *
 * @param sizes - All subtasks of the lane in rising order: from the job, never from the seat.
 * @see spec/protocol/algebra.md N21 to N25
 */
export function verifyOpening(
  workRoot: Uint8Array,
  saltKey: Uint8Array,
  sizes: readonly SubtaskSize[],
  pick: { readonly subtask: number; readonly item: number },
  opening: Opening,
): boolean {
  const at = sizes.findIndex(({ subtask }) => subtask === pick.subtask);
  const size = sizes[at];
  if (size === undefined || !answers(opening, pick, size)) return refused('N21');
  if (!coherent(opening, size)) return refused('N22');
  const { subtask, item, committed, rootA, rootB, subtaskValueHash: valueHash } = opening;
  const itemShown = verifyInclusion({
    root: rootA,
    size: committed,
    index: item - size.first,
    leaf: itemLeaf(saltKey, opening),
    proof: opening.itemPath,
  });
  if (!itemShown) return refused('N23');
  const workShown = verifyInclusion({
    root: workRoot,
    size: sizes.length,
    index: at,
    leaf: workLeaf({ subtask, committed, rootA, rootB, valueHash }),
    proof: opening.workPath,
  });
  if (!workShown) return refused('N24');
  mark('N25');
  return true;
}

/** It opens what was picked, or a failed item below it, in a tree that is not too large. */
function answers(
  { subtask, item, outcome, committed }: Opening,
  pick: { readonly subtask: number; readonly item: number },
  { first, end }: SubtaskSize,
): boolean {
  if (subtask !== pick.subtask || pick.item < first || pick.item >= end) return false;
  if (!Number.isSafeInteger(item) || item < first || item > pick.item) return false;
  if (!Number.isSafeInteger(committed) || committed > end - first) return false;
  return item === pick.item || outcome !== 'ok';
}

/** It tells of a subtask that can have happened: each fact is there exactly where it has to be. */
function coherent(opening: Opening, { first, end }: SubtaskSize): boolean {
  const { item, outcome, valueHash, committed, rootA, rootB, subtaskValueHash } = opening;
  const digests = [valueHash, rootA, rootB, subtaskValueHash];
  if (digests.some((digest) => digest !== null && digest.length !== digestBytes)) return false;
  if (!itemOutcomes.includes(outcome) || (valueHash !== null) !== (outcome === 'ok')) return false;
  if ((rootB === null) !== (subtaskValueHash === null)) return false;
  // Tree A is whole, or ends in the failed item; a subtask has a value only if no item failed.
  const whole = committed === end - first;
  const last = item - first === committed - 1;
  if (outcome !== 'ok') return last && rootB === null;
  return whole || (!last && rootB === null);
}

function refused(line: string): false {
  mark(line);
  return false;
}
