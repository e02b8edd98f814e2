// Goal: of each example program, an item, a combine, a fold and a rendering end well with exactly
// the fuel that they use, and with no limit below it; each run of each child uses the same.
// Method: real children; what is used under a large limit is the limit of the next run.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ChildPool, createExecutor } from '../../node/executor/pool.ts';
import type { ItemSource, SubtaskOutcome } from '../../node/ports.ts';
import { programPath } from '../../programs/build.ts';
import { fuelCallMax, fuelFoldMax } from '../../protocol/params.ts';

const directory = mkdtempSync(join(tmpdir(), 'anwansi-fuel-'));
const never = new AbortController().signal;
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
let executor: ChildPool;

const examples = [
  ['wordcount', '', ['the cat and the dog', 'a dog, a day', 'words\n'.repeat(3_000)]],
  ['mean', '{"column":1}', ['1,2.5\n3,4\n', '5,6\n', '7,-8.25\n'.repeat(2_000)]],
  ['primes', '{"from":0,"to":2000000}', 3],
  ['nqueens', '{"size":7}', 3],
  ['montecarlo', '{"points":3000000,"seed":4}', 3],
] as const;

beforeAll(async () => {
  const readable = [directory, ...examples.map(([name]) => join(programPath(name), '..'))];
  executor = await createExecutor({ children: 2, readable });
});
afterAll(async () => {
  await executor.close();
  rmSync(directory, { recursive: true });
});

type Done = Extract<SubtaskOutcome, { kind: 'done' }>;

/** A limit that is enough, and ten that are not. */
const tooLittle = (used: bigint): bigint[] => [
  ...[used - 1n, used - 2n, used - 100n, 16_384n, 1n],
  ...[2n, 3n, 5n, 7n, 11n].map((part) => used - used / part),
];

describe.each(examples)('%s', (name, parameterText, items) => {
  const path = programPath(name);
  const parameters = encode(parameterText);
  const sources: ItemSource[] =
    typeof items === 'number'
      ? Array.from({ length: items }, (_, index) => ({ kind: 'generated', index }))
      : items.map((text, at) => {
          const file = join(directory, `${name}-${at}`);
          writeFileSync(file, text);
          return { kind: 'file', path: file };
        });
  const run = async (at: readonly ItemSource[], item: bigint, combine: bigint): Promise<Done> => {
    const plan = at.flatMap((_, place) => (place === 0 ? [0] : [place, -1]));
    const task = { programPath: path, parameters, items: at, plan, fuel: { item, combine } };
    const outcome = await executor.runSubtask(task, never);
    if (outcome.kind !== 'done') throw new Error(`${outcome.class}: ${outcome.reason}`);
    return outcome;
  };

  test('each item', async () => {
    for (const source of sources) {
      const free = await run([source], fuelCallMax, 1n);
      expect(free.states).toEqual(Uint8Array.of(1));
      const used = free.mapFuel;
      expect(free.spent).toMatchObject({ itemMax: used, combineMax: 0n, combineSum: 0n });
      const exact = await Promise.all([1, 2, 3].map(() => run([source], used, 1n)));
      for (const one of exact) expect(one).toMatchObject({ value: free.value, mapFuel: used });
      for (const limit of tooLittle(used))
        expect(await run([source], limit, 1n), `${limit} of ${used}`).toMatchObject({
          ...{ states: Uint8Array.of(4), value: null, mapFuel: limit },
        });
    }
  });

  test('all of them, their combines, their fold and its rendering', async () => {
    const free = await run(sources, fuelCallMax, fuelCallMax);
    const { itemMax, combineMax, combineSum } = free.spent;
    expect(combineSum).toBeGreaterThan(combineMax);
    const exact = await run(sources, itemMax, combineMax);
    expect(exact).toEqual({ ...free, slowestItemMs: expect.any(Number) });
    const short = await run(sources, itemMax, combineMax - 1n);
    expect(short).toMatchObject({ combineFailed: true, value: null, mapFuel: free.mapFuel });
    const failing = await run(sources, itemMax - 1n, combineMax);
    expect(failing.states).toContain(4);
    const values = await Promise.all(
      sources.map(async (source) => (await run([source], fuelCallMax, 1n)).value!),
    );
    const again = (fold: bigint, combine = fuelCallMax) =>
      executor.fold(path, values, { combine, fold }, never);
    const folded = await again(fuelFoldMax);
    expect(folded).toMatchObject({ kind: 'ok', value: free.value, fuel: combineSum });
    expect(await again(combineSum, combineMax)).toMatchObject({ kind: 'ok', value: free.value });
    for (const limit of tooLittle(combineSum)) {
      const spent = await again(limit);
      if (spent.kind !== 'failed') throw new Error(`${limit} of ${combineSum} sufficed`);
      expect(spent.class).toBe('out-of-fuel');
      expect(spent.fuel <= limit).toBe(true);
    }
    for (const limit of tooLittle(combineMax))
      expect(await again(fuelFoldMax, limit)).toMatchObject({ class: 'out-of-fuel', fuel: limit });
    const render = (fuel: bigint) => executor.render(path, parameters, free.value!, fuel, never);
    const shown = await render(fuelCallMax);
    if (shown.kind !== 'ok') throw new Error(shown.reason);
    expect(await render(shown.fuel)).toMatchObject({ kind: 'ok', value: shown.value });
    expect(await render(shown.fuel - 1n)).toMatchObject({ class: 'out-of-fuel' });
  });
});
