/** Open, close and follow the waves of a lane as blocks go by. */
import { assert, mark } from '../assert.ts';
import { laneItemCount } from '../job/split.ts';
import { type AbstainClass, abstainClasses } from '../job/statement.ts';
import { waveSize } from '../sampling/plan.ts';
import {
  currentWave,
  type LaneOutcome,
  type LaneRules,
  type LaneState,
  laneSlotCountMax,
  replaced,
  type Slot,
  slotVotes,
  type Wave,
} from './lane.ts';
import { acceptableClaims, laneTable, leadingClaim } from './walk.ts';

/** Milliseconds of the commit window of wave 0: `4 s + 8 t ceil(items / lanes)`. */
export function commitWindowMs(
  baseMs: number,
  slowItemMs: number,
  items: number,
  lanes: number,
): number {
  return baseMs + 8 * slowItemMs * Math.floor((items + lanes - 1) / lanes);
}

/**
 * Chain times at which the phases of a wave end at the earliest: fixed when the job was drawn.
 * @see spec/protocol/aggregation.md A35
 */
export function waveTimes(
  rules: LaneRules,
  wave: number,
): { readonly commitByMs: number; readonly revealByMs: number; readonly closeMs: number } {
  mark('A35');
  const rest = rules.revealWindowMs + rules.openingWindowMs;
  let startMs = rules.drawnMs;
  for (let earlier = 0; earlier < wave; earlier++)
    startMs += rules.commitWindowMs * Math.min(2 ** earlier, 8) + rest;
  const commitByMs = startMs + rules.commitWindowMs * Math.min(2 ** wave, 8);
  return { commitByMs, revealByMs: commitByMs + rules.revealWindowMs, closeMs: commitByMs + rest };
}

/** The beacon's permutation and the names that go with one drawing. */
export type WaveDraw = {
  readonly base: number;
  readonly drawId: Uint8Array;
  readonly skippedViews: number;
  /** Wave 0: the lane's cut. Later: the whole permutation, of which the lane takes what it needs. */
  readonly order: readonly number[];
};

/**
 * Draws the next wave of a lane.
 * @see spec/protocol/aggregation.md A36 to A38
 */
export function drawWave(lane: LaneState, rules: LaneRules, draw: WaveDraw): LaneState {
  const number = lane.waves.length;
  const times = waveTimes(rules, number);
  const wave: Wave = {
    base: draw.base,
    drawId: draw.drawId,
    skippedViews: draw.skippedViews,
    reopened: false,
    ...times,
    commitClose: null,
    commitCloseView: null,
    openingBeacon: null,
    revealClose: null,
    closed: null,
  };
  const opened = { ...lane, waves: [...lane.waves, wave] };
  if (number === 0) {
    mark('A36');
    return withSlots(opened, draw.order);
  }
  const used = new Set(lane.slots.map((slot) => slot.seat));
  const unused = draw.order.filter((seat) => !used.has(seat));
  if (unused.length > 0) {
    mark('A37');
    const { votes, others } = leadingClaim(lane);
    const size = waveSize(laneTable(opened, rules), { votes, others, wave: number });
    return withSlots(opened, unused.slice(0, size));
  }
  mark('A38');
  // All earlier waves are closed: what was not opened by then can never be.
  const counted = new Set(lane.slots.filter(slotVotes).map((slot) => slot.seat));
  const waves = replaced(opened.waves, number, { ...wave, reopened: true });
  return withSlots(
    { ...opened, waves },
    draw.order.filter((seat) => !counted.has(seat)),
  );
}

function withSlots(lane: LaneState, seats: readonly number[]): LaneState {
  const wave = lane.waves.length - 1;
  const slots = seats.map(
    (seat): Slot => ({
      wave,
      seat,
      commit: null,
      equivocated: false,
      abstained: null,
      claim: null,
      saltKey: null,
      workRoot: null,
      opened: false,
    }),
  );
  return { ...lane, slots: [...lane.slots, ...slots] };
}

/** A block that ends, as a lane sees it. */
export type BlockEnd = {
  readonly height: number;
  readonly view: number;
  readonly timeMs: number;
  readonly beacon: Uint8Array;
  /** Distinct leaders of blocks above a height, up to and with this one; exact up to f + 1. */
  readonly leadersSince: (height: number) => number;
};

/**
 * Follows one lane to the end of a block: acceptance first, then voiding, then its phases.
 * @see spec/protocol/aggregation.md A26 to A34
 */
export function endBlock(lane: LaneState, rules: LaneRules, block: BlockEnd): LaneState {
  if (lane.outcome !== 'open' || lane.waves.length === 0) return lane;
  const seen = seeOpeningBeacons(lane, block);
  const acceptable = acceptableClaims(seen, rules);
  if (acceptable.length > 1) return closed(seen, 'A27', 'contradiction', block.height);
  if (acceptable.length === 1) {
    const accepted = closed(seen, 'A28', 'accepted', block.height);
    return { ...accepted, accepted: acceptable[0]! };
  }
  if (abstainedClass(seen, rules) !== null) return closed(seen, 'A29', 'abstained', block.height);
  return followPhases(seen, rules, block);
}

function closed(lane: LaneState, line: string, outcome: LaneOutcome, height: number): LaneState {
  mark(line);
  return { ...lane, outcome, closed: height };
}

function seeOpeningBeacons(lane: LaneState, block: BlockEnd): LaneState {
  const place = lane.waves.length - 1;
  const wave = lane.waves[place]!;
  if (wave.commitClose === null || wave.commitClose + 1 !== block.height) return lane;
  mark('A26');
  const waves = replaced(lane.waves, place, { ...wave, openingBeacon: block.beacon });
  return { ...lane, waves };
}

/** The first class in which more than K distinct seats of the lane abstained, over all waves. */
export function abstainedClass(
  lane: LaneState,
  rules: { readonly adversarial: number },
): AbstainClass | null {
  const isCommon = (name: AbstainClass): boolean => {
    const seats = lane.slots.filter((slot) => slot.abstained === name).map((slot) => slot.seat);
    return new Set(seats).size > rules.adversarial;
  };
  return abstainClasses.find(isCommon) ?? null;
}

function followPhases(lane: LaneState, rules: LaneRules, block: BlockEnd): LaneState {
  const place = lane.waves.length - 1;
  const wave = currentWave(lane);
  if (wave.closed !== null) return lane;
  if (wave.commitClose === null) {
    const spoken = lane.slots
      .filter((slot) => slot.wave === place)
      .every((slot) => slot.commit !== null || slot.abstained !== null);
    if (spoken) mark('A30');
    else if (!phaseOver(wave.commitByMs, wave.base + 1, rules, block)) return lane;
    else mark('A31');
    const waves = replaced(lane.waves, place, {
      ...wave,
      commitClose: block.height,
      commitCloseView: block.view,
    });
    return { ...lane, waves };
  }
  if (wave.revealClose === null) {
    if (!phaseOver(wave.revealByMs, wave.commitClose, rules, block)) return lane;
    mark('A32');
    const waves = replaced(lane.waves, place, { ...wave, revealClose: block.height });
    return { ...lane, waves };
  }
  if (!phaseOver(wave.closeMs, wave.revealClose, rules, block)) return lane;
  const waves = replaced(lane.waves, place, { ...wave, closed: block.height });
  if (lane.waves.length >= rules.waves || lane.slots.length + rules.seats > laneSlotCountMax)
    return { ...closed(lane, 'A34', 'expired', block.height), waves };
  mark('A33');
  return { ...lane, waves };
}

/** A phase ends at its deadline, and not before f + 1 distinct leaders have had a block in it. */
function phaseOver(deadlineMs: number, start: number, rules: LaneRules, block: BlockEnd): boolean {
  return block.timeMs >= deadlineMs && block.leadersSince(start) > rules.faulty;
}

/** Whether the lane awaits a draw from the block after the one that closed its wave. */
export function awaitsWave(lane: LaneState): boolean {
  return lane.outcome === 'open' && lane.waves.length > 0 && currentWave(lane).closed !== null;
}

/** Items that one seat of this lane executes. */
export function laneWork(rules: LaneRules): number {
  assert(rules.lane < rules.lanes, 'the lane is of its job');
  return laneItemCount(rules.items, rules.subtasks, rules.lanes, rules.lane);
}
