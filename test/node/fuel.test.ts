// Goal: limits follow from what was measured by one rule, fuel is read as it is written, and what
// ran out is told with the option that raises it.
// Method: laws of the pure parts; then real programs in a real sandbox, where the most that was
// measured suffices as a limit and one unit less does not.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { programBench } from '../../node/cli/commands/program-bench.ts';
import { quote } from '../../node/cli/commands/quote.ts';
import {
  billOf,
  failureWords,
  measureWarnings,
  unrenderableWords,
} from '../../node/cli/fuel-words.ts';
import { ClientError } from '../../node/client/error.ts';
import {
  chooseLimits,
  type FuelLimits,
  formatFuel,
  fuelMaxima,
  fuelNames,
  itemFuelMin,
  parseFuel,
  valueFuelMin,
} from '../../node/client/fuel.ts';
import { evenIndices, expectedFuel, type Measured, measureJob } from '../../node/client/measure.ts';
import { spread } from '../../node/kit/bench.ts';
import { jobItems } from '../../node/kit/estimate.ts';
import type { Job } from '../../protocol/job/job.ts';
import { fuelCallMax, fuelFoldMax } from '../../protocol/params.ts';
import { programs } from '../fixtures/programs/hostile.ts';
import { newPlace } from '../support/anwansi-process.ts';
import { runWords } from '../support/command-line.ts';
import { groundOf, type OpenGround } from '../support/kit-ground.ts';

const all = 2n ** 33n;
const given: FuelLimits = { item: all, combine: all, fold: all, render: all };
const nothing: Measured = { limits: given, items: [], combine: null, render: null, unrun: null };

function measured(fuels: readonly bigint[], rest: Partial<Measured> = {}): Measured {
  const items = fuels.map((fuel, index) => ({ index, bytes: null, class: null, fuel, ms: 1 }));
  return { ...nothing, items, ...rest };
}
const calls = (most: bigint) => ({ count: 1, least: most, most, class: null });
const units = (max: bigint) => fc.bigInt({ min: 1n, max });

describe('fuel as text', () => {
  test('is read as it is written, and never says more than there is', () => {
    fc.assert(
      fc.property(units(2n ** 62n), (fuel) => {
        expect(parseFuel(String(fuel))).toBe(fuel);
        const shown = parseFuel(formatFuel(fuel))!;
        expect(shown <= fuel && (fuel - shown) * 100n < fuel).toBe(true);
      }),
    );
    expect(['64M', '1.5G', '0.5k', '2T', '12k'].map(parseFuel)).toEqual([
      64_000_000n,
      1_500_000_000n,
      500n,
      2_000_000_000_000n,
      12_000n,
    ]);
    expect([9_999n, 10_000n, 68_719_476_736n, 123_456_789n].map(formatFuel)).toEqual([
      '9999',
      '10k',
      '68.7G',
      '123M',
    ]);
  });

  test.each(['', '1e6', '-1', '1.5', '0.0001k', '64m', '64 M', '1_000', 'M', '0x10'])(
    '%j is refused',
    (text) => expect(parseFuel(text)).toBeNull(),
  );
});

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
            render: { fuel: render, class: null },
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
    const failing = { index: 1, bytes: null, class: 'out-of-fuel', fuel: all, ms: 1 };
    const soon = { ...failing, class: 'trap', fuel: itemFuelMin };
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
      ...{ index, bytes, class: null, fuel: BigInt(100 * bytes), ms: 1 },
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

describe('words', () => {
  const limits = { fuelItem: 2n ** 20n, fuelCombine: 2n ** 34n, fuelFold: 2n ** 40n };
  const job = { ...limits, fuelRender: 2n ** 34n } as Job;
  const failure = { class: 'out-of-fuel', subtask: 2, item: 7 } as const;

  test('name the item, the limit, what was measured, and the option that raises it', () => {
    const told = failureWords(failure, job, measured([70_000n, 90_000n]));
    expect(told.message).toBe(
      'the job failed: out-of-fuel in item 7 of subtask 2: it used up its limit of 1.04M units ' +
        'of fuel; of 2 measured before, item 1 used the most, 90k',
    );
    expect(told.hint).toContain('--fuel 16.7M');
    expect(failureWords(failure, { ...job, fuelItem: fuelCallMax }, null).hint).toContain(
      'the most that a job may give',
    );
    expect(failureWords({ ...failure, class: 'too-deep' }, job, null).hint).toContain('recurse');
    const combined = { class: 'combine-failed', subtask: null, lane: 0 } as const;
    expect(failureWords(combined, job, null).hint).toMatch(/--fuel-combine.*--fuel-fold/);
    expect(failureWords({ ...failure, class: 'trap' }, job, null).hint).not.toContain('--fuel');
    const dear = { kind: 'unrenderable', step: 'render', class: 'out-of-fuel' } as const;
    expect(unrenderableWords(dear, job).hint).toContain('--fuel-render 68.7G');
    expect(unrenderableWords({ ...dear, class: 'trap' }, job).hint).not.toContain('--fuel');
  });

  test('warn of what already failed here, and of nothing else', () => {
    expect(measureWarnings(measured([5n], { combine: calls(3n) }))).toEqual([]);
    const failing = (index: number, name: string) => ({
      ...{ index, bytes: null, class: name, fuel: all, ms: 1 },
    });
    const seen = { ...nothing, items: [failing(3, 'out-of-fuel')] };
    expect(measureWarnings(seen)).toEqual([expect.stringMatching(/^item 3 .* 8\.58G .*--fuel$/)]);
    const trap = { ...nothing, items: [failing(0, 'trap')] };
    expect(measureWarnings(trap)).toEqual(['item 0 failed here, trap: the job will fail']);
  });

  test('a bill counts each seat that agreed once a lane, rounded down', () => {
    const seat = (number: number, verdict: string) => ({ seat: number, wave: 0, verdict });
    const seats = [seat(1, 'agreed'), seat(1, 'agreed'), seat(2, 'agreed'), seat(3, 'silent')];
    const lane = { claim: { mapFuel: 1_999_999n }, seats };
    const audit = { lanes: [lane, lane], record: { fee: 3n } } as never;
    const genesis = (contracts: string) => ({ contracts }) as never;
    expect(billOf(audit, genesis('fees'))).toEqual({ mapFuel: 3_999_998n, paid: 20n });
    expect(billOf(audit, genesis('none'))).toEqual({ mapFuel: 3_999_998n, paid: 0n });
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
      expect(measureWarnings(seen)[0], name).toContain('item 0');
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
    expect(job).toMatchObject({ items: 4, limits: { item: '64000000' }, warnings: [] });
    const each = BigInt(job.measured.most);
    expect(BigInt(job.measured.least)).toBe(each);
    expect(BigInt(job.fuel)).toBe(4n * each);
    // Three executions; seven seats hold four items at their limit.
    expect(quotes[0]).toMatchObject({
      price: String(3n * ((4n * each) / 1_000_000n)),
      escrow: String(7n * 256n),
    });
    const told = await words(['quote', ...alike, '--seats', '7']);
    expect(told.out).toContain('price');
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
