/** Order and bracket a subtask for one seat, so that no two seats compute alike. */
import { assert, mark } from '../assert.ts';
import { type Digest, hash } from '../crypto/hash.ts';
import { stream } from '../crypto/stream.ts';
import { atOnce, type Stretches, stretchHashCount } from '../crypto/stretches.ts';
import { itemCountMax } from '../params.ts';

/** Whose disguise, of what. All of it is public once the beacon is. */
export type NoiseQuestion = {
  /** Beacon R that drew the seat. */
  readonly beacon: Uint8Array;
  readonly job: Uint8Array;
  readonly subtask: number;
  readonly wave: number;
  readonly seat: number;
};

/**
 * The seed of a seat's noise on a subtask: anybody can recompute what the seat had to do.
 * @see spec/protocol/algebra.md N1
 */
export function noiseSeed({ beacon, job, subtask, wave, seat }: NoiseQuestion): Digest {
  mark('N1');
  return hash('noise', beacon, job, subtask, wave, seat);
}

/** The entry of a plan that combines the two values on top; all others map the item they name. */
export const combineEntry = -1;

/**
 * How a seat maps and folds `count` items: a postfix plan over places `0..count - 1`.
 *
 * The order is a shuffle, the bracket a binary tree whose every node splits its items at a place
 * all of which are equally likely. The larger part is done first, so that `floor(log2 count) + 1`
 * values at most are held at once, whatever the seed.
 *
 * @param seed - 32 bytes, from {@link noiseSeed}.
 * @param count - Items of the subtask, 1 to itemCountMax.
 * @returns `2 count - 1` entries.
 * @see spec/protocol/algebra.md N2, N3, N4
 */
export function foldPlan(seed: Uint8Array, count: number): readonly number[] {
  return [...atOnce(foldPlanStretches(seed, count))];
}

/** The same plan, made in stretches. */
export function* foldPlanStretches(seed: Uint8Array, count: number): Stretches<Int32Array> {
  assert(Number.isSafeInteger(count) && count >= 1 && count <= itemCountMax, 'a subtask has items');
  const chance = stream(seed);
  const order = yield* chance.shuffledStretches(count);
  mark('N2');
  const plan = new Int32Array(2 * count - 1);
  // Sizes of parts that are still to be planned; 0 stands for the combine that joins two of them.
  const pending = [count];
  let next = 0;
  let at = 0;
  for (let size = pending.pop(); size !== undefined; size = pending.pop()) {
    if (size === 0) plan[at++] = combineEntry;
    else if (size === 1) plan[at++] = order[next++]!;
    else {
      const part = 1 + chance.below(size - 1);
      const larger = Math.max(part, size - part);
      pending.push(0, size - larger, larger);
      continue;
    }
    if (at % stretchHashCount === 0) yield;
  }
  mark(count === 1 ? 'N4' : 'N3');
  return plan;
}

/** Combines between a plan's value and the item that lies deepest; 0 for a single item. */
export function foldDepth(plan: Iterable<number>): number {
  const depths: number[] = [];
  for (const entry of plan) {
    if (entry !== combineEntry) depths.push(0);
    else depths.push(Math.max(depths.pop()!, depths.pop()!) + 1);
  }
  assert(depths.length === 1, 'a plan folds to one value');
  return depths[0]!;
}
