// Goal: seats agree on fuel as on values, nobody claims more than a lane may use, and a lane tells
// what its work is worth however it ended.
// Method: one lane by hand; a claim that differs by its fuel alone beside the true one; each limit
// beside the unit above it; the fuel that is paid by its definition over random lanes.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { laneFuel, laneFuelMax } from '../../protocol/aggregation/fuel.ts';
import { slotVerdict } from '../../protocol/aggregation/lane.ts';
import { acceptableClaims } from '../../protocol/aggregation/walk.ts';
import { laneWork } from '../../protocol/aggregation/wave.ts';
import { instanceFuel } from '../../protocol/execution/fuel.ts';
import { laneItemCount } from '../../protocol/job/split.ts';
import { commitDigest } from '../../protocol/job/statement.ts';
import { fuelCallMax, itemCountMax } from '../../protocol/params.ts';
import { simulatedFuel } from '../simulation/lane.ts';
import { codeOf, LaneScene, type SeatWish, sceneRules } from '../support/lane-scene.ts';
import { linesElsewhere } from '../support/line-shares.ts';
import { reachEveryLine } from '../support/lines.ts';

reachEveryLine('aggregation', linesElsewhere('aggregation', [[39, 41]]));

const all = [0, 1, 2, 3, 4, 5, 6];
const miscount: SeatWish = { lie: 'fuel' };

/** A lane in which these seats have committed and may reveal; those of `lying` miscount. */
function committed(seats: readonly number[], lying: readonly number[] = []): LaneScene {
  const scene = new LaneScene().draw(seats);
  for (const seat of seats) scene.say(scene.commit(seat, lying.includes(seat) ? miscount : {}));
  return scene.end();
}

describe('a claim with another fuel', () => {
  test('is another claim, though its root and its value are the same', () => {
    const scene = committed([4, 1, 6], [6]);
    for (const seat of [4, 1]) scene.say(scene.reveal(seat));
    expect(scene.say(scene.reveal(6, miscount)).ok).toBe(true);
    const [truth, lie] = scene.lane.claims;
    expect(scene.lane.claims).toHaveLength(2);
    expect(lie).toEqual({ ...truth!, mapFuel: truth!.mapFuel - 1n });
    // K + 1 = 3 are needed. Three seats say the same value, two of them the same claim.
    expect(acceptableClaims(scene.lane, scene.rules)).toEqual([]);
    scene.end();
    expect(scene.lane.outcome).toBe('open');
    // Were it no other claim, the lane would have its result now.
    const honest = committed([4, 1, 6]);
    for (const seat of [4, 1, 6]) honest.say(honest.reveal(seat));
    expect(honest.end().lane).toMatchObject({ outcome: 'accepted', accepted: 0 });
  });

  test('counts against its seat, and two of them above K are a contradiction', () => {
    const scene = committed(all, [0, 1]);
    for (const seat of all) scene.say(scene.reveal(seat, seat < 2 ? miscount : {}));
    expect(scene.end().lane.outcome).toBe('accepted');
    const { accepted, claims, slots } = scene.lane;
    expect(claims[accepted!]!.mapFuel).toBe(scene.work(3).claim.mapFuel);
    const verdicts = slots.map((slot) => slotVerdict(slot, accepted));
    expect(verdicts.filter((word) => word === 'dissenting')).toHaveLength(2);

    const torn = committed(all, [0, 1, 2]);
    torn.lane = { ...torn.lane, slots: torn.lane.slots.toReversed() };
    for (const seat of all) torn.say(torn.reveal(seat, seat < 3 ? miscount : {}));
    // As in a lane that was opened again, where K + 1 distinct seats are enough for either.
    const waves = torn.lane.waves.map((wave) => ({ ...wave, reopened: true }));
    torn.lane = { ...torn.lane, waves };
    expect(torn.end().lane.outcome).toBe('contradiction');
  });

  test('is the sum of what its items took, a failing one at its limit', () => {
    const scene = committed([4]);
    // Lane 0 of 2 holds subtasks 0, 2 and 4 of two items each.
    const { job } = scene.signed;
    const fuel = (items: readonly number[]): bigint =>
      items.reduce((sum, item) => sum + simulatedFuel(job, item), 0n);
    expect(scene.work(4).claim.mapFuel).toBe(fuel([0, 1, 4, 5, 8, 9]));
    expect(scene.work(4, { failing: 5 }).claim.mapFuel).toBe(fuel([0, 1, 4]) + 2n * job.fuelItem);
  });
});

describe('fuel above what the items may use', () => {
  /** What a lane says of a reveal whose claim has this fuel, and whose commit is to it. */
  function saying(mapFuel: bigint): string | null {
    const scene = new LaneScene().draw([1]);
    const honest = scene.reveal(1);
    const reveal = { ...honest, claim: { ...honest.claim, mapFuel } };
    scene.say({ ...scene.commit(1), digest: commitDigest(reveal) });
    scene.end();
    return codeOf(scene.say(reveal));
  }

  test('is refused, and none up to there', () => {
    const limit = 6n * sceneRules.fuelItem;
    expect(laneFuelMax(sceneRules)).toBe(limit);
    for (const fuel of [0n, 1n, limit - 1n, limit]) expect(saying(fuel)).toBeNull();
    for (const fuel of [limit + 1n, 2n ** 63n - 1n])
      expect(saying(fuel)).toBe('LANE_VALUE_MISMATCH');
  });

  test('is counted over the items of the lane, which are those of the job in all', () => {
    const geometry = fc.record({
      items: fc.integer({ min: 1, max: itemCountMax }),
      subtasks: fc.integer({ min: 1, max: 300 }),
      lanes: fc.integer({ min: 1, max: 40 }),
      fuelItem: fc.bigInt({ min: 1n, max: fuelCallMax }),
    });
    fc.assert(
      fc.property(geometry, (cut) => {
        fc.pre(cut.subtasks <= cut.items && cut.lanes <= cut.subtasks);
        let sum = 0n;
        for (let lane = 0; lane < cut.lanes; lane++) {
          const own = laneFuelMax({ ...sceneRules, ...cut, lane });
          const items = laneItemCount(cut.items, cut.subtasks, cut.lanes, lane);
          expect(own).toBe(BigInt(items) * cut.fuelItem);
          sum += own;
        }
        expect(sum).toBe(BigInt(cut.items) * cut.fuelItem);
      }),
      { numRuns: 60 },
    );
  });
});

describe('the fuel of a lane', () => {
  test('is that of the accepted claim, else what its instances cost, whatever is claimed', () => {
    const scene = committed(all, [0, 1]);
    const limit = laneFuelMax(scene.rules);
    const fuel = scene.work(3).claim.mapFuel;
    const items = BigInt(laneWork(scene.rules));
    const least = limit < items * instanceFuel ? limit : items * instanceFuel;
    expect(laneFuel(scene.lane, scene.rules)).toBe(least);
    scene.say(scene.reveal(0, miscount));
    scene.say(scene.reveal(1, miscount));
    expect(laneFuel(scene.lane, scene.rules)).toBe(least);
    for (const fuelItem of [1n, instanceFuel, 2n ** 36n])
      expect(laneFuel(scene.lane, { ...scene.rules, fuelItem })).toBe(
        items * (fuelItem < instanceFuel ? fuelItem : instanceFuel),
      );
    // Whatever was accepted decides, however many say something else.
    expect(laneFuel({ ...scene.lane, accepted: 0 }, scene.rules)).toBe(fuel - 1n);
  });

  test('is never more than its items may use, whatever the seats claim', () => {
    const told = fc.array(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), {
      minLength: 7,
      maxLength: 7,
    });
    fc.assert(
      fc.property(told, (fuels) => {
        const scene = new LaneScene().draw(all);
        const limit = laneFuelMax(scene.rules);
        const reveals = fuels.map((fuel, seat) => {
          const honest = scene.reveal(seat);
          // Half of them within the limit, or nearly.
          const mapFuel = seat % 2 === 0 ? fuel : fuel % (limit + 2n);
          return { ...honest, claim: { ...honest.claim, mapFuel } };
        });
        for (const reveal of reveals)
          scene.say({ ...scene.commit(reveal.seat), digest: commitDigest(reveal) });
        scene.end();
        for (const reveal of reveals)
          expect(scene.say(reveal).ok).toBe(reveal.claim.mapFuel <= limit);
        expect(laneFuel(scene.end().lane, scene.rules)).toBeLessThanOrEqual(limit);
      }),
      { numRuns: 15 },
    );
  });
});
