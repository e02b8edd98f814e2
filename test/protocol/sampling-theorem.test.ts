// Goal: the accept table is exact, equal to theory's, and safe against every behaviour.
// Method: a second, slower table made of conditional probabilities; every arrangement of bad seats
// for n <= 8, and every behaviour of theirs; each bound has a weaker twin that breaks it.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hash } from '../../protocol/crypto/hash.ts';
import { stream } from '../../protocol/crypto/stream.ts';
import { add, compare, multiply, one, type Ratio, ratio, zero } from '../../protocol/ratio.ts';
import {
  acceptTable,
  laneTable,
  needed,
  type TableQuestion,
} from '../../protocol/sampling/accept.ts';

const power = (exponent: number): Ratio => ratio(1n, 10n ** BigInt(exponent));
const share = (part: number, all: number): Ratio => ratio(BigInt(part), BigInt(all));

/** C(K, l) / C(n, l): the chance that l draws are all bad. */
function captured(seats: number, bad: number, drawn: number): Ratio {
  let chance = one;
  for (let i = 0; i < drawn; i++) chance = multiply(chance, share(Math.max(0, bad - i), seats - i));
  return chance;
}

/** The table by another way: chances of walks, one conditional draw after the other. */
function slowTable(seats: number, bad: number, loss: Ratio, rows: number): number[] {
  const table: number[] = [];
  let above = new Map<number, Ratio>();
  for (let d = 0; d < rows; d++) {
    const budget = multiply(loss, d === 0 ? ratio(1n, 2n) : ratio(3n, 10n * BigInt(d * d)));
    const here = new Map<number, Ratio>();
    for (let b = 0; ; b++) {
      const left = seats - d - b;
      const fromBad = b === 0 ? zero : multiply(here.get(b - 1)!, share(bad - b + 1, left + 1));
      const honest = seats - bad - d + 1;
      const fromHonest =
        d === 0 || !above.has(b) || honest <= 0
          ? zero
          : multiply(above.get(b)!, share(honest, left + 1));
      here.set(b, d === 0 && b === 0 ? one : add(fromBad, fromHonest));
      const absorbed = b >= bad || left === 0 ? zero : multiply(here.get(b)!, share(bad - b, left));
      const least = Math.max(1, table[d - 1] ?? 1);
      if (b + 1 < least || compare(absorbed, budget) > 0) continue;
      table.push(b + 1);
      break;
    }
    above = here;
  }
  return table;
}

/** The chance that a wrong value becomes acceptable at all: the sum of all h_d, exactly. */
function tableRisk(question: TableQuestion): Ratio {
  const { seats, adversarial } = question;
  const table = acceptTable({ ...question, rows: seats - adversarial + 1 });
  let paths: bigint[] = [];
  let [risk, all, drawn, honest] = [0n, 1n, 0, 1n];
  for (const [others, votes] of table.entries()) {
    const row = [1n];
    for (let b = 1; b < votes; b++) row.push(row[b - 1]! + (paths[b] ?? 0n));
    paths = row;
    if (votes > adversarial) break;
    for (; drawn < votes + others; drawn++) {
      all *= BigInt(seats - drawn);
      risk *= BigInt(seats - drawn);
    }
    if (others > 0) honest *= BigInt(seats - adversarial - others + 1);
    let arrivals = row[votes - 1]! * honest;
    for (let i = 0; i < votes; i++) arrivals *= BigInt(adversarial - i);
    risk += arrivals;
  }
  return ratio(risk, all);
}

describe('the accept table', () => {
  test('is the same when it is made of conditional probabilities', () => {
    const sizes = fc.integer({ min: 1, max: 24 }).chain((seats) =>
      fc.record({
        seats: fc.constant(seats),
        adversarial: fc.integer({ min: 0, max: seats }),
        parts: fc.integer({ min: 1, max: 5_000 }),
        rows: fc.integer({ min: 1, max: seats }),
      }),
    );
    fc.assert(
      fc.property(sizes, ({ seats, adversarial, parts, rows }) => {
        const loss = share(1, parts);
        const capAt = Math.min(rows, seats - adversarial + 1);
        const table = acceptTable({ seats, adversarial, loss, rows });
        expect(table.slice(0, capAt)).toEqual(slowTable(seats, adversarial, loss, capAt));
        for (const [d, row] of table.entries()) {
          expect(row).toBeGreaterThanOrEqual(table[d - 1] ?? 1);
          expect(row).toBeLessThanOrEqual(adversarial + 1);
        }
      }),
      { numRuns: 200 },
    );
  });

  test.each([
    [26, 256, '9 10 11 12 13 14 14 15 15 16', '5.3e-10'],
    [13, 64, '11 12 13 14', '1.5e-10'],
    [52, 256, '13 15 17 18 19 20 21 22 23 24', '4.0e-10'],
    [205, 1024, '14 15 17 19 20 22 23 24 25 26', '4.7e-10'],
    [21, 64, '15 17 18 19 20 21 21 22', '4.8e-10'],
    [85, 256, '19 21 24 26 28 30 31 32 34 35', '4.7e-10'],
    [338, 1024, '20 22 25 28 30 32 34 35 37 38', '5.0e-10'],
  ])('K = %i of n = %i at 1e-9 is theory 1.3', (adversarial, seats, rows, risk) => {
    const table = acceptTable({ seats, adversarial, loss: power(9), rows: rows.split(' ').length });
    expect(table.join(' ')).toBe(rows);
    const exact = tableRisk({ seats, adversarial, loss: power(9) });
    expect(
      (Number((exact.numerator * 10n ** 20n) / exact.denominator) / 1e20).toExponential(1),
    ).toBe(risk);
  });

  test('is capped at K + 1, and lives on beyond its last row', () => {
    const question = { seats: 64, adversarial: 13, loss: power(9) };
    const rows = acceptTable({ ...question, rows: 4 });
    expect(needed(rows, 3, 13)).toBe(14);
    expect(needed(rows, 50, 13)).toBe(14);
    expect(() => needed(rows.slice(0, 2), 2, 13)).toThrow('the row');
    const table = laneTable(question);
    expect([0, 1, 2, 3, 4, 63].map(table.needed)).toEqual([11, 12, 13, 14, 14, 14]);
    expect(laneTable(question)).toBe(table);
    expect(() => table.needed(-1)).toThrow('row');
  });

  test('remembers no more than it may, and answers alike when it forgot', () => {
    const first = { seats: 40, adversarial: 8, loss: power(3) };
    const rows = Array.from({ length: 40 }, (_, d) => laneTable(first).needed(d));
    for (let parts = 2; parts < 100; parts++)
      laneTable({ ...first, loss: share(1, parts) }).needed(0);
    const again = laneTable(first);
    expect(Array.from({ length: 40 }, (_, d) => again.needed(39 - d)).reverse()).toEqual(rows);
  });

  test('takes equality for enough, where a double would not', () => {
    expect(0.1 ** 9 > 1e-9).toBe(true);
    let misjudged = 0;
    for (let seats = 4; seats <= 40; seats++)
      for (let bad = 2; bad < seats / 2; bad++)
        for (let votes = 1; votes <= bad; votes++) {
          const chance = captured(seats, bad, votes);
          const loss = multiply(chance, ratio(2n)); // w_0 = 1/2: the rule holds with equality
          expect(acceptTable({ seats, adversarial: bad, loss, rows: 1 })).toEqual([votes]);
          const hairLess = multiply(loss, ratio(10n ** 30n - 1n, 10n ** 30n));
          expect(acceptTable({ seats, adversarial: bad, loss: hairLess, rows: 1 })).toEqual([
            votes + 1,
          ]);
          let double = 1;
          for (let i = 0; i < votes; i++) double *= (bad - i) / (seats - i);
          if (double > (Number(loss.numerator) / Number(loss.denominator)) * 0.5) misjudged += 1;
        }
    expect(misjudged).toBeGreaterThan(100);
  });
});

/** Whether a wrong value is acceptable in some prefix; `votes[i]`: seat i of the order tells it. */
function acceptable(votes: readonly boolean[], rows: (d: number) => number): boolean {
  let told = 0;
  return votes.some((vote, place) => {
    if (vote) told += 1;
    return told > 0 && told >= rows(place + 1 - told);
  });
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

const losses = [ratio(9n, 10n), ratio(1n, 2n), ratio(1n, 3n), ratio(1n, 7n), power(1), power(2)];

describe('theorem 3', () => {
  test('no arrangement of bad seats for n <= 8 beats the loss, and the chance is exact', () => {
    let twinsBroken = 0;
    for (let seats = 1; seats <= 8; seats++)
      for (let bad = 0; bad <= seats; bad++) {
        const orders = arrangements(seats, bad);
        const chance = (rows: (d: number) => number): Ratio =>
          share(orders.filter((order) => acceptable(order, rows)).length, orders.length);
        for (const loss of losses) {
          const { needed: rows } = laneTable({ seats, adversarial: bad, loss });
          const risk = chance(rows);
          expect(compare(risk, loss)).toBeLessThanOrEqual(0);
          expect(risk).toEqual(tableRisk({ seats, adversarial: bad, loss }));
          // Twins: one vote fewer; and silent or dissenting seats that cost nothing.
          const lax = chance((d) => Math.max(1, rows(d) - 1));
          const free = chance(() => rows(0));
          if (compare(lax, loss) > 0) twinsBroken += 1;
          if (compare(free, loss) > 0) twinsBroken += 1;
        }
      }
    expect(twinsBroken).toBeGreaterThan(50);
  });

  test('bad seats gain nothing by silence, dissent or patience', () => {
    for (const [seats, bad] of [
      [6, 2],
      [7, 3],
      [8, 4],
    ] as const)
      for (const loss of losses) {
        const { needed: rows } = laneTable({ seats, adversarial: bad, loss });
        for (const order of arrangements(seats, bad)) {
          const most = acceptable(order, rows);
          for (let told = 0; told < 2 ** seats; told++) {
            const votes = order.map((isBad, place) => isBad && ((told >> place) & 1) === 1);
            if (acceptable(votes, rows)) expect(most).toBe(true);
          }
        }
      }
  });

  test('K + 1 honest votes are always enough', () => {
    fc.assert(
      fc.property(fc.integer({ min: 4, max: 40 }), fc.integer({ min: 1, max: 15 }), (seats, e) => {
        const adversarial = Math.floor((seats - 1) / 3);
        const { needed: rows } = laneTable({ seats, adversarial, loss: power(e) });
        for (let d = 0; d < seats; d++) expect(rows(d)).toBeLessThanOrEqual(adversarial + 1);
      }),
    );
  });

  test('chance agrees with the exact risk for K = 21 of 64', () => {
    const question = { seats: 64, adversarial: 21, loss: ratio(1n, 20n) };
    const { needed: rows } = laneTable(question);
    const chance = stream(hash('dev', 'monte carlo'));
    const trials = 4_000;
    let wrong = 0;
    for (let trial = 0; trial < trials; trial++)
      if (
        acceptable(
          chance.shuffled(64).map((seat) => seat < 21),
          rows,
        )
      )
        wrong += 1;
    const exact = tableRisk(question);
    const mean = Number((exact.numerator * 10n ** 9n) / exact.denominator) / 1e9;
    expect(mean).toBeLessThan(0.05);
    expect(Math.abs(wrong / trials - mean)).toBeLessThan(4 * Math.sqrt(mean / trials));
  });
});
