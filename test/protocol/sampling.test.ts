// Goal: bounds, plans, draws and beacons follow the specification to the entry.
// Method: bounds against counted arrangements; plans against the decided table and, for random
// questions, against the accept table; draws as laws. The table itself: sampling-theorem.test.ts.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hash } from '../../protocol/crypto/hash.ts';
import {
  compare,
  divide,
  formatRatio,
  multiply,
  one,
  type Ratio,
  ratio,
  zero,
} from '../../protocol/ratio.ts';
import {
  acceptTable,
  arrivalProbability,
  jointBound,
  laneBound,
  laneTable,
  tableRisk,
} from '../../protocol/sampling/accept.ts';
import { beaconInput, nextBeacon } from '../../protocol/sampling/beacon.ts';
import { cutLane, drawId, drawSeats, laneCut } from '../../protocol/sampling/draw.ts';
import { SamplingError } from '../../protocol/sampling/error.ts';
import {
  type AdversaryDenominator,
  adversarialSeats,
  defaultAdversary,
  drawBudget,
  drawPlan,
  skippedViews,
  skippedWaveViews,
  waveSize,
  waveTable,
} from '../../protocol/sampling/plan.ts';
import { reachEveryLine } from '../support/lines.ts';

reachEveryLine('sampling');

const power = (exponent: number): Ratio => ratio(1n, 10n ** BigInt(exponent));
const whole = (count: number): Ratio => ratio(BigInt(count));
const share = (part: number, all: number): Ratio => ratio(BigInt(part), BigInt(all));

/** C(K, l) / C(n, l): the chance that l draws are all bad. */
function captured(seats: number, bad: number, drawn: number): Ratio {
  let chance = one;
  for (let i = 0; i < drawn; i++) chance = multiply(chance, share(Math.max(0, bad - i), seats - i));
  return chance;
}

/** All ways to place `bad` seats in an order of `seats`. */
function arrangements(seats: number, bad: number): boolean[][] {
  const all: boolean[][] = [];
  for (let bits = 0; bits < 2 ** seats; bits++) {
    const places = Array.from({ length: seats }, (_, i) => ((bits >> i) & 1) === 1);
    if (places.filter(Boolean).length === bad) all.push(places);
  }
  return all;
}

describe('bounds', () => {
  test('are the counted chances of arrangements', () => {
    for (const [seats, bad] of [
      [5, 2],
      [8, 3],
    ] as const) {
      const orders = arrangements(seats, bad);
      for (let votes = 1; votes <= seats; votes++)
        for (let others = 0; votes + others <= seats; others++) {
          const standing = { seats, adversarial: bad, votes, others };
          const exactly = orders.filter(
            (order) =>
              order[votes + others - 1] === true &&
              order.slice(0, votes + others).filter(Boolean).length === votes,
          );
          expect(arrivalProbability(standing)).toEqual(share(exactly.length, orders.length));
          const soFar = orders.filter(
            (order) => order.slice(0, votes + others).filter(Boolean).length >= votes,
          );
          expect(laneBound(standing)).toEqual(share(soFar.length, orders.length));
        }
    }
  });

  test('grow with dissent, fall with votes; exactly d others alone would fall with dissent', () => {
    const at = (votes: number, others: number) => ({ seats: 16, adversarial: 4, votes, others });
    for (let votes = 1; votes <= 4; votes++)
      for (let others = 0; others < 8; others++) {
        const bound = laneBound(at(votes, others));
        expect(compare(laneBound(at(votes, others + 1)), bound)).toBeGreaterThan(0);
        expect(compare(laneBound(at(votes + 1, others)), bound)).toBeLessThan(0);
      }
    expect(arrivalProbability(at(1, 0))).toEqual(ratio(1n, 4n));
    expect(arrivalProbability(at(1, 1))).toEqual(ratio(1n, 5n));
    expect(laneBound(at(5, 3))).toEqual(zero);
    // A lane that was opened again has more slots than there are seats.
    for (const others of [12, 13, 40]) {
      expect(laneBound(at(4, others))).toEqual(one);
      expect(laneBound(at(5, others))).toEqual(zero);
    }
    expect(arrivalProbability(at(4, 13))).toEqual(zero);
    expect(() => laneBound(at(0, 0))).toThrow('vote');
  });

  test('of l unanimous votes are theorem 1, and a job pays for its lanes and draws', () => {
    expect(formatRatio(laneBound({ seats: 256, adversarial: 85, votes: 19, others: 0 }))).toBe(
      '1.8e-10',
    );
    const lane = ratio(1n, 1_000n);
    expect(jointBound(lane, 20)).toEqual(ratio(1n, 50n));
    expect(jointBound(lane, 20, 4n)).toEqual(ratio(2n, 25n));
    expect(jointBound(lane, 2_000)).toEqual(one);
  });
});

const shares: readonly AdversaryDenominator[] = [20, 10, 5, 0];

describe('the plan', () => {
  test.each([
    [4, '1; 2; 2', '1; 2; 2', '1; 2; 2', '1; 2; 2'],
    [7, '1; 2; 3', '1; 2; 3', '2; 3; 2', '2; 3; 2'],
    [13, '1; 2; 6', '2; 3; 4', '3; 4; 3', '4; 5; 2'],
    [16, '1; 2; 8', '2; 3; 5', '4; 5; 3', '5; 6; 2'],
    [64, '4; 5; 12', '7; 8; 8', '13; 12; 5', '21; 17; 3'],
    [256, '13; 8; 32', '26; 11; 23', '52; 15; 17', '85; 22; 11'],
    [1024, '52; 10; 102', '103; 12; 85', '205; 17; 60', '341; 24; 42'],
    [4096, '205; 10; 409', '410; 13; 315', '820; 18; 227', '1365; 26; 157'],
  ])('of %i seats at 1e-9 is the decided one', (seats, ...entries) => {
    for (const [index, adversary] of shares.entries()) {
      const plan = drawPlan({ seats, adversary, lossExponent: 9, skippedViews: 0 });
      expect(`${plan.adversarial}; ${plan.perLane}; ${plan.lanesMax}`).toBe(entries[index]);
    }
  });

  test('is the least l with l >= min(L(0), K + 1), by the table itself', () => {
    const question = fc.record({
      seats: fc.integer({ min: 4, max: 120 }),
      adversary: fc.constantFrom(...shares),
      lossExponent: fc.integer({ min: 1, max: 15 }),
      skippedViews: fc.integer({ min: 0, max: 40 }),
    });
    fc.assert(
      fc.property(question, (asked) => {
        const { seats, adversary, lossExponent, skippedViews: s } = asked;
        fc.pre(adversary === 0 || Math.ceil(seats / adversary) <= Math.floor((seats - 1) / 3));
        const plan = drawPlan(asked);
        const enough = (perLane: number): boolean => {
          const draws = whole(2 * (s + 1) ** 2 * (s + 2) * Math.floor(seats / perLane));
          const loss = divide(power(lossExponent), draws);
          const [row] = acceptTable({ seats, adversarial: plan.adversarial, loss, rows: 1 });
          return perLane >= Math.min(row!, plan.adversarial + 1);
        };
        for (let l = 1; l <= plan.perLane; l++) expect(enough(l)).toBe(l === plan.perLane);
        expect(plan.lanesMax).toBe(Math.floor(seats / plan.perLane));
        expect(plan.certain).toBe(plan.perLane === plan.adversarial + 1);
        expect(plan.certain).toBe(compare(plan.bound, zero) === 0);
        // Half the loss is for the walk without dissent.
        expect(compare(plan.bound, multiply(plan.loss, ratio(1n, 2n)))).toBeLessThanOrEqual(0);
        expect(compare(plan.bound, plan.boundAtFaulty)).toBeLessThanOrEqual(0);
      }),
    );
  });

  test('is certain below 13 seats, and below 16 for a loss of 0.01 or less', () => {
    for (const adversary of shares)
      for (let seats = 4; seats < 16; seats++)
        for (let lossExponent = seats < 13 ? 1 : 2; lossExponent <= 15; lossExponent++) {
          if (adversary > 0 && Math.ceil(seats / adversary) > Math.floor((seats - 1) / 3)) continue;
          const plan = drawPlan({ seats, adversary, lossExponent, skippedViews: 0 });
          expect(plan.certain).toBe(true);
        }
    const plan = drawPlan({ seats: 13, adversary: 0, lossExponent: 1, skippedViews: 0 });
    expect(plan.certain).toBe(false);
  });

  test('prints the bound of what was assumed beside that of all that consensus bears', () => {
    const plan = drawPlan({ seats: 256, adversary: 10, lossExponent: 9, skippedViews: 0 });
    expect(plan.bound).toEqual(multiply(captured(256, 26, 11), whole(23 * 4)));
    expect(plan.boundAtFaulty).toEqual(multiply(captured(256, 85, 11), whole(23 * 4)));
  });

  test('names a share that does not fit', () => {
    for (const [seats, adversary, adversarial, most] of [
      [6, 5, 2, 1],
      [3, 20, 1, 0],
      [11, 5, 3, 3],
    ] as const) {
      if (adversarial <= most) {
        expect(adversarialSeats(seats, adversary)).toBe(adversarial);
        continue;
      }
      try {
        adversarialSeats(seats, adversary);
        expect.unreachable();
      } catch (error) {
        expect(error).toBeInstanceOf(SamplingError);
        const { code, message } = error as SamplingError;
        expect(code).toBe('SAMPLING_ADVERSARY_TOO_LARGE');
        expect(message).toContain(`1/${adversary} of ${seats} seats`);
        expect(message).toContain(`at most ${most}`);
      }
      expect(defaultAdversary(seats)).toBe(0);
    }
    expect(defaultAdversary(16)).toBe(5);
    expect(adversarialSeats(3, 0)).toBe(0);
  });

  test('counts the draws that could have been', () => {
    expect(drawBudget([0])).toBe(4n);
    expect(drawBudget([3])).toBe(2n * 16n * 5n);
    expect(drawBudget([0, 0])).toBe(16n);
    expect(drawBudget([1, 0, 2])).toBe(8n * 12n * 2n * 36n);
    expect(drawBudget([2 ** 48])).toBe(2n * (2n ** 48n + 1n) ** 2n * (2n ** 48n + 2n));
    expect(() => drawBudget([])).toThrow('drawn');
    const at = (height: number, view: number) => ({ height, view });
    const since = (anchor: number) => ({ next: at(9, 12), anchor: at(anchor, anchor + 3) });
    expect(skippedViews({ ...since(3), parent: at(7, 10) })).toBe(0);
    expect(skippedViews({ ...since(3), parent: at(7, 7) })).toBe(3);
    // Lapses since the anchor count also where the last views brought a block each.
    expect(skippedViews({ next: at(9, 14), parent: at(7, 12), anchor: at(6, 6) })).toBe(5);
    expect(skippedViews({ next: at(39, 40), parent: at(37, 38), anchor: at(2, 3) })).toBe(27);
    const wave = { next: at(20, 40), commitClose: at(18, 38) };
    expect(skippedWaveViews({ ...wave, parent: at(18, 38) })).toBe(0);
    expect(skippedWaveViews({ ...wave, parent: at(18, 33) })).toBe(5);
    // A leader who closes the wave in time does not wash away what lapsed before.
    expect(skippedWaveViews({ ...wave, parent: at(18, 38), commitClose: at(10, 20) })).toBe(10);
  });

  test('a lane never accepts on fewer votes than its plan has seats', () => {
    // n = 11, K = 3, loss 1e-1: a table of its own would accept three liars of a lane of four.
    const asked = { seats: 11, adversary: 0, lossExponent: 1, skippedViews: 0 } as const;
    const { adversarial, perLane, lanesMax, loss, certain } = drawPlan(asked);
    expect([adversarial, perLane, certain]).toEqual([3, 4, true]);
    const lane = { seats: 11, adversarial, loss, lanesMax, skippedViews: [0] };
    expect(waveTable({ ...lane, perLane: 1 }).needed(0)).toBe(3);
    for (const others of [0, 1, 2, 7])
      expect(waveTable({ ...lane, perLane }).needed(others)).toBe(adversarial + 1);
    for (let seats = 4; seats <= 60; seats++)
      for (const lossExponent of [1, 2, 3, 9]) {
        const plan = drawPlan({ ...asked, seats, lossExponent });
        const table = waveTable({ ...plan, skippedViews: [0] });
        expect(table.needed(0), `${seats} seats, 1e-${lossExponent}`).toBe(plan.perLane);
        expect(plan.certain && table.needed(seats) <= plan.adversarial).toBe(false);
      }
  });

  test('the risk of a table is all its rows, and stays within its loss', () => {
    for (const [seats, adversarial, exponent] of [
      [20, 6, 2],
      [31, 10, 2],
      [64, 21, 9],
    ] as const) {
      const table = laneTable({ seats, adversarial, loss: power(exponent) });
      const risk = tableRisk(table, adversarial)!;
      expect(compare(risk, power(exponent))).toBeLessThanOrEqual(0);
      const quiet = laneBound({ seats, adversarial, votes: table.needed(0), others: 0 });
      expect(compare(risk, quiet), 'later rows add to the first').toBeGreaterThan(0);
    }
    const certain = laneTable({ seats: 7, adversarial: 2, loss: power(9), votesMin: 3 });
    expect(tableRisk(certain, 2)).toEqual(ratio(0n));
    expect(compare(tableRisk(certain, 3)!, ratio(0n))).toBeGreaterThan(0);
    expect(tableRisk(laneTable({ seats: 1_024, adversarial: 9, loss: power(2) }), 9)).toBeNull();
  });

  test('grows stricter with each wave and each skipped view; a wave draws what is missing', () => {
    const lane = { seats: 256, adversarial: 52, loss: power(9), lanesMax: 17, perLane: 15 };
    const rows = (views: readonly number[]): number[] => {
      const table = waveTable({ ...lane, skippedViews: views });
      return Array.from({ length: 20 }, (_, d) => table.needed(d));
    };
    expect(rows([0])[0]).toBe(15); // l of the plan: unanimity settles a lane
    for (const [less, more] of [
      [[0], [0, 0]],
      [[0], [9]],
      [
        [0, 0],
        [0, 9, 0],
      ],
    ] as const) {
      const [laxer, stricter] = [rows(less), rows(more)];
      for (const [d, row] of stricter.entries()) expect(row).toBeGreaterThanOrEqual(laxer[d]!);
      expect(stricter).not.toEqual(laxer);
    }
    const table = waveTable({ ...lane, skippedViews: [0, 0] });
    expect(table.loss).toEqual(divide(lane.loss, whole(16 * 17)));
    expect(waveSize(table, { votes: 14, others: 1, wave: 1 })).toBe(table.needed(1) - 14);
    expect(waveSize(table, { votes: 14, others: 1, wave: 2 })).toBe(2 * (table.needed(1) - 14));
    expect(waveSize(table, { votes: 50, others: 0, wave: 1 })).toBe(1);
    expect(waveSize(table, { votes: 50, others: 0, wave: 7 })).toBe(2);
  });
});

const digest = (name: string): Uint8Array => hash('dev', name);

describe('the draw', () => {
  const question = { network: digest('n'), height: 7, wave: 0, beacon: digest('r'), seats: 64 };

  test('is a permutation that every part of the question moves', () => {
    const order = drawSeats(question);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 64 }, (_, i) => i));
    expect(drawSeats({ ...question })).toEqual(order);
    for (const other of [
      { ...question, network: digest('m') },
      { ...question, height: 8 },
      { ...question, wave: 1 },
      { ...question, beacon: digest('s') },
    ])
      expect(drawSeats(other)).not.toEqual(order);
    // Ranks do not depend on how many there are: a smaller set keeps its order.
    expect(drawSeats({ ...question, seats: 10 })).toEqual(order.filter((seat) => seat < 10));
  });

  test('puts each seat at each place equally often', () => {
    const counts = Array.from({ length: 8 }, () => new Array<number>(8).fill(0));
    for (let height = 0; height < 1_600; height++)
      for (const [place, seat] of drawSeats({ ...question, height, seats: 8 }).entries())
        counts[place]![seat]! += 1;
    // 200 expected, standard deviation 13.2
    for (const count of counts.flat()) expect(Math.abs(count - 200)).toBeLessThan(66);
  });

  test('is cut into lanes that share no seat, around the ring of cuts', () => {
    const order = drawSeats(question);
    const cuts = Array.from({ length: 5 }, (_, cut) => cutLane(order, 12, cut));
    expect(cuts.flat()).toEqual(order.slice(0, 60));
    expect(() => cutLane(order, 12, 5)).toThrow('cut');
    const lanes = [0, 1, 2, 3].map((lane) => laneCut({ offset: 8, lane, lanesMax: 5 }));
    expect(lanes).toEqual([3, 4, 0, 1]);
  });

  test('has an id that every part of the drawing moves', () => {
    const [network, blockHash, beacon] = [digest('n'), digest('b'), digest('r')];
    const drawing = { network, height: 3, blockHash, wave: 0, beacon };
    const ids = [
      drawing,
      { ...drawing, network: digest('m') },
      { ...drawing, height: 4 },
      { ...drawing, blockHash: digest('c') },
      { ...drawing, wave: 1 },
      { ...drawing, beacon: digest('s') },
    ].map((each) => drawId(each).join());
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe('the beacon', () => {
  test('chains outputs of the VRF, never proofs', () => {
    const output = new Uint8Array(64).fill(5);
    const link = { parentBeacon: digest('r'), epoch: 0, view: 4, output };
    const links = [
      link,
      { ...link, parentBeacon: digest('s') },
      { ...link, epoch: 1 },
      { ...link, view: 5 },
      { ...link, output: new Uint8Array(64).fill(6) },
    ];
    expect(new Set(links.map((each) => nextBeacon(each).join())).size).toBe(links.length);
    expect(nextBeacon(link)).toEqual(hash('beacon', link.parentBeacon, 0, 4, output));
    expect(beaconInput(link.parentBeacon, 0, 4)).toEqual(
      hash('beacon-input', link.parentBeacon, 0, 4),
    );
    expect(() => nextBeacon({ ...link, output: new Uint8Array(80) })).toThrow('not its proof');
  });
});
