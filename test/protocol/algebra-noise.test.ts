// Goal: noise changes how a seat computes, never what it gets; and it is every seat's own.
// Method: laws as properties over random seeds; plans run on real operations, with operations that
// break the law as the twins that must show; the specification followed by hand.
import { hash as nodeHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { combineEntry, foldDepth, foldPlan, noiseSeed } from '../../protocol/algebra/noise.ts';
import { hash, installSha256, sha256, uint64 } from '../../protocol/crypto/hash.ts';

installSha256((bytes) => new Uint8Array(nodeHash('sha256', bytes, 'buffer')));

const digest = (name: string | number): Uint8Array => hash('dev', name);
const job = digest('job');

const seedOf = (seat: number, subtask = 0): Uint8Array =>
  noiseSeed({ beacon: digest('beacon'), job, subtask, wave: 0, seat });

/** Runs a plan as an executor does; `held` is the most values it had to hold. */
function run<T>(plan: readonly number[], map: (place: number) => T, combine: (a: T, b: T) => T) {
  const stack: T[] = [];
  let held = 0;
  for (const entry of plan) {
    if (entry === combineEntry) {
      const b = stack.pop()!;
      stack.push(combine(stack.pop()!, b));
    } else stack.push(map(entry));
    held = Math.max(held, stack.length);
  }
  expect(stack).toHaveLength(1);
  return { value: stack[0]!, held };
}

const anySeed = fc.uint8Array({ minLength: 32, maxLength: 32 });
const anyCount = fc.integer({ min: 1, max: 300 });

describe('noise', () => {
  test('maps each place once, folds once, and holds few values, whatever the seed', () => {
    fc.assert(
      fc.property(anySeed, anyCount, (seed, count) => {
        const plan = foldPlan(seed, count);
        expect(plan).toHaveLength(2 * count - 1);
        const places = plan.filter((entry) => entry !== combineEntry).sort((a, b) => a - b);
        expect(places).toEqual(Array.from({ length: count }, (_, place) => place));
        const { held } = run<null>(
          plan,
          () => null,
          () => null,
        );
        expect(held).toBeLessThanOrEqual(Math.floor(Math.log2(count)) + 1);
        expect(foldDepth(plan)).toBe(
          run(
            plan,
            () => 0,
            (a, b) => Math.max(a, b) + 1,
          ).value,
        );
      }),
    );
  });

  test('does not change the value of a commutative monoid', () => {
    const values = fc.array(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), {
      minLength: 1,
      maxLength: 60,
    });
    const wrap = (a: bigint, b: bigint): bigint => BigInt.asUintN(64, a + b);
    const product = (a: bigint, b: bigint): bigint => (a * b) % (2n ** 61n - 1n);
    const most = (a: bigint, b: bigint): bigint => (a > b ? a : b);
    fc.assert(
      fc.property(anySeed, values, (seed, parts) => {
        const plan = foldPlan(seed, parts.length);
        for (const combine of [wrap, product, most])
          expect(run(plan, (place) => parts[place]!, combine).value).toBe(parts.reduce(combine));
      }),
    );
  });

  test('exposes operations that are not commutative, or not associative', () => {
    const parts = Array.from(
      { length: 12 },
      (_, place) => (place % 3) + 0.1 * (place + 1) * 10 ** (place % 5),
    );
    const results = (combine: (a: number, b: number) => number): number =>
      new Set(
        Array.from(
          { length: 20 },
          (_, seat) => run(foldPlan(seedOf(seat), 12), (place) => parts[place]!, combine).value,
        ),
      ).size;
    expect(results((a) => a)).toBeGreaterThan(1); // associative only
    expect(results((a, b) => (a + b) / 2)).toBeGreaterThan(1); // commutative only
    expect(results((a, b) => a + b)).toBeGreaterThan(1); // floating point: nearly both
    expect(results(Math.max)).toBe(1);
  });

  test('is a seat’s own: every part of the question moves it', () => {
    const question = { beacon: digest('r'), job, subtask: 1, wave: 0, seat: 3 };
    const plans = [
      question,
      { ...question, beacon: digest('s') },
      { ...question, job: digest('other') },
      { ...question, subtask: 2 },
      { ...question, wave: 1 },
      { ...question, seat: 4 },
    ].map((each) => foldPlan(noiseSeed(each), 64).join());
    expect(new Set(plans).size).toBe(plans.length);
    expect(foldPlan(noiseSeed({ ...question }), 64).join()).toBe(plans[0]);
    const orders = plans.map((plan) => plan.replaceAll(/,?-1/g, ''));
    const brackets = plans.map((plan) => plan.replaceAll(/\d+/g, 'x').replaceAll('-x', '-'));
    expect(new Set(orders).size).toBe(plans.length);
    expect(new Set(brackets).size).toBe(plans.length);
  });

  test('splits and orders like chance', () => {
    const first = new Array<number>(6).fill(0);
    const depths = new Map<number, number>();
    for (let seat = 0; seat < 3_000; seat++) {
      const plan = foldPlan(seedOf(seat, 9), 6);
      first[plan[0]!]! += 1;
      const depth = foldDepth(plan);
      depths.set(depth, (depths.get(depth) ?? 0) + 1);
    }
    // 500 expected, standard deviation 20
    for (const count of first) expect(Math.abs(count - 500)).toBeLessThan(100);
    // Depth 5 needs every split to cut off one item: (2/5)(2/4)(2/3) of all brackets.
    expect(Math.abs(depths.get(5)! - 400)).toBeLessThan(95);
    expect([...depths.keys()].sort()).toEqual([3, 4, 5]);
  });

  test('follows the specification by hand', () => {
    const seed = digest('by hand');
    const words = Array.from({ length: 16 }, (_, i) => {
      const input = new Uint8Array(40);
      input.set(seed);
      input.set(uint64(i >> 3), 32);
      return new DataView(sha256(input).buffer, 4 * (i % 8)).getUint32(0);
    });
    const draw = (n: number): number => words.shift()! % n;
    const [count, order] = [5, [0, 1, 2, 3, 4]];
    for (let i = count - 1; i > 0; i--) {
      const j = draw(i + 1);
      [order[i], order[j]] = [order[j]!, order[i]!];
    }
    const part = (size: number): number[] => {
      if (size === 1) return [order.shift()!];
      const k = 1 + draw(size - 1);
      const larger = Math.max(k, size - k);
      return [...part(larger), ...part(size - larger), -1];
    };
    expect(foldPlan(seed, count)).toEqual(part(count));
    expect(foldPlan(seed, 1)).toEqual([0]);
    expect(() => foldPlan(seed, 0)).toThrow('items');
    expect(() => foldPlan(seed, 2 ** 20 + 1)).toThrow('items');
    expect(() => foldDepth([0, 1])).toThrow('one value');
  });

  test('plans as many items as a job may have', () => {
    const count = 2 ** 20;
    const plan = foldPlan(seedOf(0), count);
    const seen = new Uint8Array(count);
    for (const entry of plan) if (entry !== combineEntry) seen[entry]! += 1;
    expect(seen.every((times) => times === 1)).toBe(true);
    expect(foldDepth(plan)).toBeLessThan(100);
  });
});
