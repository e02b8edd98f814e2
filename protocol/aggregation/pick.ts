/** Pick the items that a seat of a later wave must open. */
import { AssertionError, mark } from '../assert.ts';
import { hash } from '../crypto/hash.ts';
import { stream } from '../crypto/stream.ts';
import { laneSubtasks, subtaskItems } from '../job/split.ts';
import { openedItemCount } from '../params.ts';

/** An item of a subtask, by its index in the job. */
export type ItemPick = { readonly subtask: number; readonly item: number };

/**
 * Distinct items of the lane, chosen by a beacon that was unknown when the seat committed.
 * @see spec/protocol/aggregation.md A23
 */
export function pickedItems(
  beacon: Uint8Array,
  drawId: Uint8Array,
  seat: number,
  geometry: {
    readonly items: number;
    readonly subtasks: number;
    readonly lanes: number;
    readonly lane: number;
  },
): readonly ItemPick[] {
  const subtasks = laneSubtasks(geometry.subtasks, geometry.lanes, geometry.lane);
  const ranges = subtasks.map((subtask) => ({
    subtask,
    ...subtaskItems(geometry.items, geometry.subtasks, subtask),
  }));
  const total = ranges.reduce((sum, { first, end }) => sum + end - first, 0);
  mark('A23');
  const chance = stream(hash('opening', beacon, drawId, seat));
  const places = new Set<number>();
  while (places.size < Math.min(openedItemCount, total)) places.add(chance.below(total));
  return [...places].map((place) => {
    let left = place;
    for (const { subtask, first, end } of ranges) {
      if (left < end - first) return { subtask, item: first + left };
      left -= end - first;
    }
    return unreachablePlace(place);
  });
}

function unreachablePlace(place: number): never {
  throw new AssertionError(`item place ${place} lies in the lane`);
}
