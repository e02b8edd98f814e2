/** Split a job into subtasks and items. */
import { assert, mark } from '../assert.ts';

/** Items `first..end-1`. */
export type ItemRange = { readonly first: number; readonly end: number };

/**
 * Items of subtask t: `floor(t m / M)` up to, but without, `floor((t + 1) m / M)`.
 * @see spec/protocol/job.md J1
 */
export function subtaskItems(items: number, subtasks: number, subtask: number): ItemRange {
  assert(subtask < subtasks && subtasks <= items, 'a subtask has an item');
  mark('J1');
  return {
    first: Number((BigInt(subtask) * BigInt(items)) / BigInt(subtasks)),
    end: Number((BigInt(subtask + 1) * BigInt(items)) / BigInt(subtasks)),
  };
}

/**
 * Subtasks of a lane, rising: those t with `t mod g = lane`.
 * @see spec/protocol/job.md J2
 */
export function laneSubtasks(subtasks: number, lanes: number, lane: number): readonly number[] {
  mark('J2');
  const chosen: number[] = [];
  for (let subtask = lane; subtask < subtasks; subtask += lanes) chosen.push(subtask);
  return chosen;
}

/** How many items a lane holds. */
export function laneItemCount(
  items: number,
  subtasks: number,
  lanes: number,
  lane: number,
): number {
  let count = 0;
  for (const subtask of laneSubtasks(subtasks, lanes, lane)) {
    const { first, end } = subtaskItems(items, subtasks, subtask);
    count += end - first;
  }
  return count;
}
