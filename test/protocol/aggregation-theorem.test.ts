// Goal: no minority is ever accepted, whatever is kept silent or late, and every lane ends.
// Method: every arrangement of liars among 4 to 7 seats, every set of silenced honest ones, through
// the lane's own draws and walk, as exact fractions; random schedules; the walk by its definition.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  emptyLane,
  type LaneRules,
  type LaneState,
  type Slot,
  slotVotes,
} from '../../protocol/aggregation/lane.ts';
import { acceptableClaims, isReopened, laneTable } from '../../protocol/aggregation/walk.ts';
import { awaitsWave, drawWave, endBlock } from '../../protocol/aggregation/wave.ts';
import { hash } from '../../protocol/crypto/hash.ts';
import { compare, divide, type Ratio, ratio, zero } from '../../protocol/ratio.ts';
import { drawBudget } from '../../protocol/sampling/plan.ts';
import { sceneRules } from '../support/lane-scene.ts';

const [truth, lie] = [0, 1];
const claim = (name: number) => ({
  laneRoot: hash('dev', name),
  valueCid: null,
  mapFuel: 0n,
});
const claims = [claim(truth), claim(lie)];

const share = (part: number, all: number): Ratio => ratio(BigInt(part), BigInt(all));

/** All ways to place `bad` seats in an order of `seats`: true for a bad one. */
function arrangements(seats: number, bad: number): boolean[][] {
  return Array.from({ length: 2 ** seats }, (_, bits) =>
    Array.from({ length: seats }, (_, place) => ((bits >> place) & 1) === 1),
  ).filter((places) => places.filter(Boolean).length === bad);
}

/** The slots with what their seats tell; null keeps them silent. */
function told(lane: LaneState, tells: (seat: number, wave: number) => number | null): LaneState {
  const slots = lane.slots.map((slot): Slot => {
    const said = tells(slot.seat, slot.wave);
    return { ...slot, claim: said, opened: said !== null };
  });
  return { ...lane, slots, claims };
}

/** Draws a wave in which seat i stands at place i of the permutation. */
function nextWave(lane: LaneState, rules: LaneRules, perLane: number): LaneState {
  const order = Array.from({ length: rules.seats }, (_, seat) => seat);
  return drawWave(lane, rules, {
    base: 10,
    drawId: hash('draw-id', lane.waves.length),
    skippedViews: 0,
    order: lane.waves.length === 0 ? order.slice(0, perLane) : order,
  });
}

/**
 * Goes through all waves of a lane; in each, `tells` says what a seat has told by its end.
 * Returns the claim that was accepted first, `both` for two in one block, or null.
 */
function course(
  rules: LaneRules,
  perLane: number,
  tells: (seat: number, wave: number, now: number) => number | null,
  walk = acceptableClaims,
): number | 'both' | null {
  let lane = emptyLane;
  for (let now = 0; now < 8; now++) {
    lane = nextWave(lane, rules, perLane);
    if (isReopened(lane)) return null;
    const accepted = walk(
      told(lane, (seat, wave) => tells(seat, wave, now)),
      rules,
    );
    if (accepted.length > 1) return 'both';
    if (accepted.length === 1) return accepted[0]!;
  }
  return null;
}

/** Rules of a lane whose first table is built with `delta`. */
function rulesWith(seats: number, adversarial: number, delta: Ratio, perLane: number): LaneRules {
  const lanesMax = 2;
  const budget = ratio(drawBudget([0]) * BigInt(lanesMax));
  const loss = divide(delta, divide(ratio(1n), budget));
  return { ...sceneRules, seats, adversarial, loss, lanesMax, perLane };
}

const deltas = [ratio(9n, 10n), ratio(2n, 3n), ratio(1n, 3n), ratio(1n, 10n), ratio(1n, 50n)];
const sizes = [4, 5, 6, 7].flatMap((seats) =>
  [1, 2, 3].filter((bad) => bad < seats - 1).map((bad) => [seats, bad] as const),
);

describe('theorem 3, through the waves of a lane', () => {
  test.each(sizes)('n = %i, K = %i: no silencing of honest seats beats the loss', (seats, bad) => {
    let [accepted, twins] = [0, 0];
    for (const delta of deltas)
      for (const perLane of [1, 2, 3]) {
        const rules = rulesWith(seats, bad, delta, perLane);
        const orders = arrangements(seats, bad);
        /** Share of the arrangements in which some set of silenced honest seats lets the lie in. */
        const risk = (walk?: typeof acceptableClaims): Ratio => {
          const lost = orders.filter((order) => {
            const honest = order.flatMap((isBad, seat) => (isBad ? [] : [seat]));
            for (let silenced = 0; silenced < 2 ** honest.length; silenced++) {
              const silent = new Set(honest.filter((_, at) => ((silenced >> at) & 1) === 1));
              const tells = (seat: number): number | null =>
                order[seat] ? lie : silent.has(seat) ? null : truth;
              const end = course(rules, perLane, tells, walk);
              if (end === lie || end === 'both') return true;
            }
            return false;
          });
          return share(lost.length, orders.length);
        };
        const exact = risk();
        expect(compare(exact, delta)).toBeLessThanOrEqual(0);
        if (compare(exact, zero) > 0) accepted += 1;
        // Twin: silent and dissenting seats are skipped for free.
        if (compare(risk(skippingOthers), delta) > 0) twins += 1;
      }
    expect(accepted).toBeGreaterThan(0);
    if (bad > 1) expect(twins).toBeGreaterThan(0);
  });

  /** What a naive majority would do: whoever is not heard is left out of the prefix. */
  function skippingOthers(lane: LaneState, rules: LaneRules): readonly number[] {
    const slots = lane.slots.filter((slot) => slot.claim === lie);
    const table = laneTable({ ...lane, waves: lane.waves.slice(0, 1) }, rules);
    return slots.length > 0 && slots.length >= table.needed(0) ? [lie] : [];
  }

  test('delay is no better than silence: each seat may be heard from any wave on', () => {
    const world = fc
      .record({
        size: fc.constantFrom(...sizes),
        delta: fc.constantFrom(...deltas),
        perLane: fc.integer({ min: 1, max: 3 }),
        at: fc.nat(1_000),
        heard: fc.array(fc.nat(6), { minLength: 7, maxLength: 7 }),
      })
      .map(({ size: [seats, bad], at, ...rest }) => {
        const orders = arrangements(seats, bad);
        return { ...rest, seats, bad, order: orders[at % orders.length]! };
      });
    let lies = 0;
    fc.assert(
      fc.property(world, ({ seats, bad, order, delta, perLane, heard }) => {
        const rules = rulesWith(seats, bad, delta, perLane);
        const delayed = course(rules, perLane, (seat, _, now) =>
          now < heard[seat]! ? null : order[seat] ? lie : truth,
        );
        if (delayed !== lie && delayed !== 'both') return;
        lies += 1;
        // Then it is accepted too when all liars speak at once and no honest one is heard at all.
        expect(course(rules, perLane, (seat) => (order[seat] ? lie : null))).toBe(lie);
      }),
      { numRuns: 2_000 },
    );
    expect(lies).toBeGreaterThan(0);
  });

  test('with K liars and l = K + 1, as in small networks, a lie is never accepted at all', () => {
    for (const [seats, bad] of [
      [4, 1],
      [7, 2],
    ] as const)
      for (const order of arrangements(seats, bad)) {
        const rules = { ...sceneRules, seats, adversarial: bad, loss: ratio(1n, 10n) };
        for (let silenced = 0; silenced < 2 ** seats; silenced++) {
          const tells = (seat: number): number | null =>
            order[seat] ? lie : ((silenced >> seat) & 1) === 1 ? null : truth;
          expect(course(rules, bad + 1, tells)).not.toBe(lie);
        }
        // And when nobody is silent, the truth is.
        expect(course(rules, bad + 1, (seat) => (order[seat] ? lie : truth))).toBe(truth);
      }
  });

  test('one liar more than K is what it takes', () => {
    const rules = { ...sceneRules, seats: 7, adversarial: 2, loss: ratio(1n, 10n) };
    expect(course(rules, 3, (seat) => (seat < 3 ? lie : truth))).toBe(lie);
    expect(course(rules, 3, (seat) => (seat < 2 ? lie : truth))).toBe(truth);
  });
});

describe('a lane that was opened again', () => {
  test('takes K + 1 distinct seats, wherever they stand, and never less', () => {
    const slots = fc.array(
      fc.record({
        seat: fc.nat(6),
        claim: fc.constantFrom(null, truth, lie),
        opened: fc.boolean(),
      }),
      { maxLength: 20 },
    );
    const rules = { ...sceneRules, seats: 7, adversarial: 2 };
    const first = nextWave(nextWave(emptyLane, rules, 7), rules, 7);
    expect(isReopened(first)).toBe(true);
    fc.assert(
      fc.property(slots, (made) => {
        const blank = first.slots[0]!;
        const lane = {
          ...first,
          claims,
          slots: made.map((slot) => ({ ...blank, ...slot, wave: 1 })),
        };
        const voters = (name: number): number =>
          new Set(made.filter((s) => s.claim === name && s.opened).map(({ seat }) => seat)).size;
        const expected = [truth, lie].filter((name) => voters(name) >= 3);
        expect(acceptableClaims(lane, rules)).toEqual(expected);
      }),
    );
  });
});

describe('the walk', () => {
  const lanes = fc.record({
    seats: fc.integer({ min: 4, max: 60 }),
    loss: fc.integer({ min: 1, max: 200 }).map((parts) => ratio(40n, BigInt(parts))),
    tells: fc.array(
      fc.record({
        claim: fc.constantFrom(null, 0, 0, 0, 1, 2),
        wave: fc.constantFrom(0, 0, 0, 1),
        opened: fc.boolean(),
        equivocated: fc.constantFrom(false, false, false, true),
      }),
      { minLength: 1, maxLength: 40 },
    ),
  });

  test('finds what its definition finds: every prefix, every claim', () => {
    let some = 0;
    fc.assert(
      fc.property(lanes, ({ seats, loss, tells }) => {
        const adversarial = Math.floor((seats - 1) / 3);
        const rules = { ...sceneRules, seats, adversarial, loss };
        const drawn = nextWave(emptyLane, rules, 1);
        const slots = tells.slice(0, seats).map((tell) => ({ ...drawn.slots[0]!, ...tell }));
        const lane = { ...drawn, slots, claims: [claim(0), claim(1), claim(2)] };
        const table = laneTable(lane, rules);
        const byDefinition = [0, 1, 2].filter((name) =>
          slots.some((_, last) => {
            const prefix = slots.slice(0, last + 1);
            const votes = prefix.filter((slot) => slotVotes(slot) && slot.claim === name).length;
            return votes > 0 && votes >= table.needed(prefix.length - votes);
          }),
        );
        expect(acceptableClaims(lane, rules)).toEqual(byDefinition);
        some += byDefinition.length;
      }),
      { numRuns: 300 },
    );
    expect(some).toBeGreaterThan(20);
  });

  test('grows stricter with each wave: what it does not accept now, a draw alone never adds', () => {
    fc.assert(
      fc.property(lanes, fc.nat(50), ({ seats, loss, tells }, skipped) => {
        const adversarial = Math.floor((seats - 1) / 3);
        const rules = { ...sceneRules, seats, adversarial, loss };
        const drawn = nextWave(emptyLane, rules, 1);
        const slots = tells.slice(0, seats).map((tell) => ({ ...drawn.slots[0]!, ...tell }));
        const lane = { ...drawn, slots, claims: [claim(0), claim(1), claim(2)] };
        const stricter = {
          ...lane,
          waves: [...lane.waves, { ...lane.waves[0]!, skippedViews: skipped }],
        };
        const before = acceptableClaims(lane, rules);
        expect(before).toEqual(expect.arrayContaining([...acceptableClaims(stricter, rules)]));
      }),
    );
  });
});

test('a lane ends, whatever its seats do and whoever leads', () => {
  const turns = fc.infiniteStream(fc.record({ roll: fc.nat(9), leaders: fc.nat(4) }));
  fc.assert(
    fc.property(turns, fc.integer({ min: 1, max: 5 }), (stream, waves) => {
      const rules = { ...sceneRules, waves };
      let lane = nextWave(emptyLane, rules, 3);
      let timeMs = rules.drawnMs;
      for (let height = 12; lane.outcome === 'open'; height++) {
        expect(height).toBeLessThan(2_000);
        if (awaitsWave(lane)) lane = nextWave(lane, rules, 3);
        const { roll, leaders } = stream.next().value;
        const at = lane.slots.findIndex(({ wave }) => wave === lane.waves.length - 1) + roll;
        const slot = lane.slots[at];
        if (slot?.commit === null) {
          const slots = lane.slots.map((one, place) =>
            place === at ? { ...one, commit: hash('dev', at) } : one,
          );
          lane = { ...lane, slots };
        }
        timeMs += 4_000;
        lane = endBlock(lane, rules, {
          height,
          view: height,
          timeMs,
          beacon: hash('beacon', height),
          leadersSince: (since) => Math.min(height - since, leaders),
        });
      }
      expect(lane.outcome).toBe('expired');
      expect(lane.waves.length).toBe(waves);
    }),
    { numRuns: 40 },
  );
});
