// Goal: limits follow from what was measured by one rule, and what ran out is told with the option
// that raises it.
// Method: laws of the pure parts; then real programs in a real sandbox, where the most that was
// measured suffices as a limit and one unit less does not.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { programBench } from '../../node/cli/commands/program-bench.ts';
import { quote } from '../../node/cli/commands/quote.ts';
import { measureWarnings } from '../../node/cli/foreseen-words.ts';
import { ClientError } from '../../node/client/error.ts';
import {
  chooseLimits,
  type FuelLimits,
  fuelMaxima,
  fuelNames,
  itemFuelMin,
  valueFuelMin,
} from '../../node/client/fuel.ts';
import {
  evenIndices,
  expectedFuel,
  type Measured,
  type MeasuredItem,
  measureJob,
  slowItemMs,
} from '../../node/client/measure.ts';
import { spread } from '../../node/kit/bench.ts';
import { jobItems } from '../../node/kit/estimate.ts';
import { fuelCallMax, fuelFoldMax } from '../../protocol/params.ts';
import { programs } from '../fixtures/programs/hostile.ts';
import { newPlace } from '../support/anwansi-process.ts';
import { runWords } from '../support/command-line.ts';
import { groundOf, type OpenGround } from '../support/kit-ground.ts';

const all = 2n ** 33n;
const given: FuelLimits = { item: all, combine: all, fold: all, render: all };
const nothing: Measured = {
  limits: given,
  items: [],
  combine: null,
  combineMs: 0,
  render: null,
  unrun: null,
};

const unfailed = { class: null, said: null, place: null, lines: null, memoryBytes: 0 };
function measured(fuels: readonly bigint[], rest: Partial<Measured> = {}): Measured {
  const items = fuels.map((fuel, index) => ({ ...unfailed, index, bytes: null, fuel, ms: 1 }));
  return { ...nothing, items, ...rest };
}
const calls = (most: bigint) => ({
  ...{ count: 1, least: most, most, class: null, said: null, index: null },
});
const units = (max: bigint) => fc.bigInt({ min: 1n, max });

describe('the rule', () => {
  test('gives an item 16 times the dearest one, a combine and the rendering 256 times', () => {
    fc.assert(
      fc.property(
        fc.array(units(fuelCallMax), { minLength: 1, maxLength: 16 }),
        units(fuelCallMax),
        units(fuelCallMax),
        (fuels, combine, render) => {
          const seen = measured(fuels, {
            combine: calls(combine),
            render: { fuel: render, class: null, said: null },
          });
          const limits = chooseLimits({}, seen);
          const least = (a: bigint, b: bigint) => (a < b ? a : b);
          const most = fuels.reduce((a, b) => (a > b ? a : b));
          expect(limits.item >= least(16n * most, fuelCallMax)).toBe(true);
          expect(limits.item < 32n * most || limits.item === itemFuelMin).toBe(true);
          expect(limits.combine >= least(256n * combine, fuelCallMax)).toBe(true);
          expect(limits.render >= least(256n * render, fuelCallMax)).toBe(true);
          expect(limits.combine >= valueFuelMin && limits.render >= valueFuelMin).toBe(true);
          expect(limits.fold).toBe(least(16n * limits.combine, fuelFoldMax));
          for (const name of fuelNames) {
            expect(limits[name] <= fuelMaxima[name]).toBe(true);
            expect(limits[name] & (limits[name] - 1n), 'a power of two').toBe(0n);
          }
        },
      ),
    );
  });

  test('what was asked for stands; what cannot be had is refused by name', () => {
    fc.assert(
      fc.property(fc.constantFrom(...fuelNames), units(fuelCallMax), (name, fuel) => {
        expect(chooseLimits({ [name]: fuel }, measured([5n]))[name]).toBe(fuel);
      }),
    );
    for (const name of fuelNames)
      for (const fuel of [0n, -1n, fuelMaxima[name] + 1n])
        expect(() => chooseLimits({ [name]: fuel }, measured([5n]))).toThrow(ClientError);
    expect(() => chooseLimits({ fold: fuelFoldMax }, measured([5n]))).not.toThrow();
  });

  test('what failed, or was not run, is given what it was measured with', () => {
    const failing: MeasuredItem = {
      ...{ ...unfailed, index: 1, bytes: null, class: 'out-of-fuel', fuel: all, ms: 1 },
    };
    const soon: MeasuredItem = { ...failing, class: 'trap', fuel: itemFuelMin };
    const some = measured([5n]);
    expect(chooseLimits({}, some).item).toBe(itemFuelMin);
    expect(chooseLimits({}, { ...some, items: [...some.items, failing] }).item).toBe(all);
    expect(chooseLimits({}, { ...some, items: [soon] }).item).toBe(itemFuelMin);
    expect(
      chooseLimits(
        {},
        { ...measured([itemFuelMin]), items: [soon, ...measured([itemFuelMin]).items] },
      ).item,
    ).toBe(16n * itemFuelMin);
    const unrun = { class: 'timeout', reason: 'it hung' } as const;
    expect(chooseLimits({}, { ...nothing, unrun }).item).toBe(all);
  });
});

describe('what is expected', () => {
  test('a slow item is the slowest to fetch and run, and a combine of its value', () => {
    const ms = fc.integer({ min: 0, max: 120_000 }).map((quarters) => quarters / 4);
    fc.assert(
      fc.property(fc.array(ms, { minLength: 1, maxLength: 9 }), ms, (each, combineMs) => {
        const [item] = measured([5n]).items;
        const items = each.map((one, index) => ({ ...item!, index, ms: one }));
        const slow = slowItemMs({ ...nothing, items, combineMs });
        expect(Number.isInteger(slow) && slow <= 10_000).toBe(true);
        const sum = Math.max(...each) + combineMs;
        expect(slow === 10_000 || (slow >= sum && slow < sum + 1)).toBe(true);
        expect(slow === 10_000 ? sum > 9_999 : true).toBe(true);
      }),
    );
    const [item] = measured([5n]).items;
    const large = { ...item!, bytes: 16_384 * 7, ms: 1 };
    expect(slowItemMs({ ...nothing, items: [item!, large], combineMs: 30.5 })).toBe(39);
  });

  test('is exact where items are alike, by items or by bytes', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.integer({ min: 1, max: 16 }),
        units(2n ** 36n),
        fc.integer({ min: 1, max: 2 ** 24 }),
        (count, seen, fuel, bytes) => {
          const alike = measured(Array.from({ length: seen }, () => fuel));
          expect(expectedFuel(alike, { count, bytes: null })).toBe(fuel * BigInt(count));
          const items = alike.items.map((item) => ({ ...item, bytes }));
          const sized = { count, bytes: bytes * count };
          expect(expectedFuel({ ...alike, items }, sized)).toBe(fuel * BigInt(count));
        },
      ),
    );
    expect(expectedFuel(nothing, { count: 3, bytes: null })).toBeNull();
    // Half the bytes, half the fuel: not the mean of the items.
    const items = [10, 2].map((bytes, index) => ({
      ...{ ...unfailed, index, bytes, fuel: BigInt(100 * bytes), ms: 1 },
    }));
    expect(expectedFuel({ ...nothing, items }, { count: 4, bytes: 40 })).toBe(4_000n);
  });

  test('indices lie evenly, the first and the last with them', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 20 }),
        fc.integer({ min: 1, max: 64 }),
        (count, wanted) => {
          const indices = evenIndices(count, wanted);
          expect(indices.length).toBe(Math.min(count, wanted));
          expect(new Set(indices).size).toBe(indices.length);
          expect(indices[0]).toBe(0);
          if (indices.length > 1) expect(indices.at(-1)).toBe(count - 1);
          const gaps = indices.slice(1).map((index, at) => index - indices[at]!);
          expect(Math.max(0, ...gaps) - Math.min(2 ** 20, ...gaps)).toBeLessThanOrEqual(1);
        },
      ),
    );
    expect(spread([3, 1, 2, 9])).toEqual({ least: 1, median: 2, most: 9 });
  });
});

describe('in the sandbox', () => {
  const place = newPlace();
  const grounds: OpenGround[] = [];
  const open = async (program: string, parameters = ''): Promise<OpenGround> => {
    const ground = await groundOf(program, parameters);
    grounds.push(ground);
    return ground;
  };
  const file = (name: keyof typeof programs): string => {
    const path = join(place.directory, `${name}.wasm`);
    writeFileSync(path, programs[name]);
    return path;
  };
  let primes: OpenGround;
  beforeAll(async () => {
    primes = await open('primes', '{"from":0,"to":2000000}');
  });
  afterAll(async () => {
    for (const ground of grounds) await ground.close();
    place.remove();
  });

  test('the most that was measured suffices; one unit less is out of fuel', async () => {
    const items = await jobItems(primes, null);
    const first = await measureJob(primes, items);
    expect(first.items.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
    const most = first.items.reduce((a, b) => (a.fuel > b.fuel ? a : b));
    const again = await measureJob(primes, items, { item: most.fuel });
    expect(again.items).toMatchObject(first.items.map(({ fuel }) => ({ fuel, class: null })));
    const less = await measureJob(primes, items, { item: most.fuel - 1n });
    expect(less.items.find(({ index }) => index === most.index) ?? less.items.at(-1)).toMatchObject(
      { class: 'out-of-fuel', fuel: most.fuel - 1n },
    );
    const combine = first.combine!.most;
    expect((await measureJob(primes, items, { combine })).combine).toEqual(first.combine);
    expect((await measureJob(primes, items, { combine: combine - 1n })).combine).toMatchObject({
      class: 'out-of-fuel',
    });
    const render = first.render!.fuel;
    expect((await measureJob(primes, items, { render: render - 1n })).render).toMatchObject({
      class: 'out-of-fuel',
    });
  });

  test('a program that never ends, traps or recurses is told as such', async () => {
    for (const [name, failure] of [
      ['endless', 'out-of-fuel'],
      ['trap', 'trap'],
      ['deep-recursion', 'too-deep'],
    ] as const) {
      const ground = await open(file(name));
      const seen = await measureJob(ground, await jobItems(ground, null), { item: 2n ** 24n });
      expect(seen.items[0], name).toMatchObject({ class: failure, fuel: 2n ** 24n });
      expect(measureWarnings(seen, chooseLimits({ item: 2n ** 24n }, seen))[0], name).toContain(
        'item 0',
      );
    }
    // Without a limit of its own, what fails soon is not made dear.
    const trap = await open(file('trap'));
    const seen = await measureJob(trap, await jobItems(trap, null));
    expect(seen.items[0]).toMatchObject({ class: 'trap', fuel: itemFuelMin });
    expect(chooseLimits({}, seen).item).toBe(itemFuelMin);
  });

  const words = (line: string[]) =>
    runWords([quote, programBench], line, { directory: place.directory });

  test('quote says what a job will use and cost', async () => {
    const alike = ['montecarlo', '--params', '{"points":4194304,"seed":1}'];
    const { document, exitCode, err } = await words([
      ...['quote', ...alike, '--seats', '7', '--fuel', '64M', '--json'],
    ]);
    expect(exitCode, err).toBe(0);
    const { job, quotes } = document.data;
    const sound = { warnings: [], failures: [] };
    expect(job).toMatchObject({ items: 4, limits: { item: '64000000' }, ...sound });
    const each = BigInt(job.measured.most);
    expect(BigInt(job.measured.least)).toBe(each);
    expect(BigInt(job.fuel)).toBe(4n * each);
    // Three executions; seven seats hold four items at their limit.
    expect(quotes[0]).toMatchObject({
      price: String(3n * ((4n * each) / 1_000_000n)),
      escrow: String(7n * 256n),
    });
    const told = await words(['quote', ...alike, '--seats', '7']);
    expect(told.out).toContain('price (tokens)  held (tokens)');
    for (const line of told.out
      .split('\n')
      .filter((one) => /^(an item|all items|a comb)/.test(one)))
      expect(line).toContain('units of fuel');
    expect((await words(['quote', '--seats', '7'])).out).not.toContain('price');
    const cases: [string[], string][] = [
      [['--fuel', '64M'], 'USAGE'],
      [['primes', '--fuel', '1e6'], 'USAGE'],
      [['primes', '--fuel', '69G'], 'FUEL_OUT_OF_RANGE'],
      [['primes', '--fuel-fold', '0'], 'FUEL_OUT_OF_RANGE'],
      [['wordcount'], 'INPUT_MISSING'],
    ];
    for (const [line, code] of cases) {
      const refused = await words(['quote', ...line, '--json']);
      expect(refused.document.errors[0], line.join(' ')).toMatchObject({ code });
      expect(refused.exitCode).toBe(2);
    }
  });

  test('program bench tells fuel, time and memory, and what failed', async () => {
    const line = ['program', 'bench', 'primes', '--params', '{"from":0,"to":2000000}'];
    const { document, exitCode, err } = await words([...line, '--items', '3', '--json']);
    expect(exitCode, err).toBe(0);
    const { item, run, limits, nanoseconds_per_fuel: each } = document.data;
    expect(run).toBe(3);
    expect(BigInt(item.fuel.least)).toBeGreaterThan(1_000_000n);
    expect(item.memoryBytes.most).toBeGreaterThanOrEqual(65_536);
    expect(item.memoryBytes.most % 65_536).toBe(0);
    expect(BigInt(limits.item)).toBeGreaterThanOrEqual(16n * BigInt(item.fuel.most));
    expect(each).toBeGreaterThan(0);
    const told = await words([...line, '--items', '3']);
    for (const part of ['least', 'fuel', 'time', 'memory', 'a unit', 'limits'])
      expect(told.out).toContain(part);
    const trap = await words(['program', 'bench', file('trap'), '--json']);
    expect(trap.exitCode).toBe(8);
    expect(trap.document.data).toMatchObject({ item: null, run: 4 });
    expect(trap.document.data.failed[0]).toMatchObject({ index: 0, class: 'trap' });
  });
});
