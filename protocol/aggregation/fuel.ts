/** Bound the fuel of a lane, and say what its work is worth. */
import { mark } from '../assert.ts';
import { instanceFuel } from '../execution/fuel.ts';
import type { LaneRules, LaneState } from './lane.ts';
import { laneWork } from './wave.ts';

/** Units that the items of a lane can use at most: what every claim of it must keep within. */
export function laneFuelMax(rules: LaneRules): bigint {
  return BigInt(laneWork(rules)) * rules.fuelItem;
}

/**
 * Units of fuel that one execution of a lane is paid for.
 * @see spec/protocol/aggregation.md A39, A40
 */
export function laneFuel(lane: LaneState, rules: LaneRules): bigint {
  if (lane.accepted !== null) {
    mark('A39');
    return lane.claims[lane.accepted]!.mapFuel;
  }
  mark('A40');
  const least = rules.fuelItem < instanceFuel ? rules.fuelItem : instanceFuel;
  return BigInt(laneWork(rules)) * least;
}
