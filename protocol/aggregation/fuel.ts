/** Bound the fuel of a lane, and say which of its claims tells what its work is worth. */
import { mark } from '../assert.ts';
import type { LaneRules, LaneState } from './lane.ts';
import { leadingClaim } from './walk.ts';
import { laneWork } from './wave.ts';

/** Units that the items of a lane can use at most: what every claim of it must keep within. */
export function laneFuelMax(rules: LaneRules): bigint {
  return BigInt(laneWork(rules)) * rules.fuelItem;
}

/**
 * Units of fuel of one execution of a lane, as far as the lane tells.
 * @see spec/protocol/aggregation.md A39 to A41
 */
export function laneFuel(lane: LaneState, rules: LaneRules): bigint {
  if (lane.accepted !== null) {
    mark('A39');
    return lane.claims[lane.accepted]!.mapFuel;
  }
  const { claim } = leadingClaim(lane);
  if (claim !== null) {
    mark('A40');
    return lane.claims[claim]!.mapFuel;
  }
  mark('A41');
  return laneFuelMax(rules);
}
