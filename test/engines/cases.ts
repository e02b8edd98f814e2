/** List what every engine runs: the example programs, the hostile ones, and kernels of our own. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { callFuel } from '../../protocol/execution/fuel.ts';
import { running } from '../fixtures/hostile/running.ts';
import { harmlessProgram, programs } from '../fixtures/programs/hostile.ts';
import { moduleOf } from '../support/modules.ts';
import { bodyOf, localCount, makeUp } from '../support/small-code.ts';
import { kernels } from './kernels.ts';

/** One call: an allocation and a copy for each argument that is bytes, then numbers. */
export type EngineCase = {
  readonly name: string;
  readonly module: Uint8Array;
  readonly call: string;
  readonly bytes: readonly Uint8Array[];
  /** Arguments behind the bytes, by type. */
  readonly numbers: readonly (readonly [type: 'i32' | 'i64', value: bigint])[];
  readonly result: 'none' | 'i32' | 'i64' | 'f32' | 'f64';
  /** The largest limit. */
  readonly fuel: bigint;
};

const root = new URL('../../programs/', import.meta.url);
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const lines = (line: (at: number) => string): string =>
  Array.from({ length: 120 }, (_, at) => line(at)).join('\n');

/** Parameters of each example program, and an item where it does not make its own. */
const samples: Readonly<Record<string, readonly [parameters: string, item: string | null]>> = {
  wordcount: ['', lines((at) => `Word${at % 37} and ${at * at} more, naïve`)],
  topwords: ['{"top":8,"seed":3}', lines((at) => `Word${at % 37} and ${at * at} more`)],
  mean: ['{"column":2,"digits":2,"bucket":50}', lines((at) => `${at},${at * 7 - 300}.5`)],
  'mean-c': ['{"column":2,"digits":2,"bucket":50}', lines((at) => `${at},${at * 7 - 300}.5`)],
  primes: ['{"from": 2, "to": 20000}', null],
  nqueens: ['{"size":7}', null],
  'nqueens-as': ['{"size":7}', null],
  montecarlo: ['{"points":2000,"seed":4}', null],
  matmul: [
    '{"rows":3,"columns":4}',
    lines((at) => [1, 2, 3, 4, 5, 6, 7].map((k) => at * k + k).join()),
  ],
};

/** The programs that lie in `programs/`; one without a sample is a fault of this list. */
export function exampleNames(): readonly string[] {
  return readdirSync(root).filter((name) => existsSync(new URL(`${name}/${name}.wasm`, root)));
}

/** The bytes of the example programs. */
export function exampleModules(): readonly Uint8Array[] {
  return exampleNames().map((name) => moduleOfExample(name));
}

function moduleOfExample(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`${name}/${name}.wasm`, root)));
}

/** Calls of an example program, each given what the ones before it gave. */
export function exampleCalls(
  name: string,
  call: (one: EngineCase) => Uint8Array | null,
): readonly EngineCase[] {
  const sample = samples[name];
  if (sample === undefined) throw new Error(`the program ${name} has no sample in this list`);
  const module = moduleOfExample(name);
  const [parameters, text] = [encode(sample[0]), sample[1]];
  const calls: EngineCase[] = [];
  const add = (
    of: string,
    bytes: readonly Uint8Array[],
    numbers: EngineCase['numbers'] = [],
  ): Uint8Array => {
    const shape = { result: 'i64', fuel: 2n ** 40n } as const;
    const one: EngineCase = { name: `${name} ${of}`, module, call: of, bytes, numbers, ...shape };
    const value = call(one);
    if (value === null) throw new Error(`${one.name} gave no value`);
    calls.push(one);
    return value;
  };
  let item = text === null ? null : encode(text);
  if (item === null) {
    const count = add('anw_count', [parameters]);
    if (count.length !== 8) throw new Error(`${name} counts no items`);
    item = add('anw_item', [parameters], [['i64', 0n]]);
  }
  const value = add('anw_map', [parameters, item]);
  const twice = add('anw_combine', [value, value]);
  add('anw_render', [parameters, twice]);
  return calls;
}

/** A hostile program's map of a short item. */
function hostileCases(): readonly EngineCase[] {
  const item = encode('item');
  const fates = Object.entries(running)
    .filter(([, { fate, optimized }]) => fate !== 'combine' && optimized === undefined)
    .map(([name, { bytes: module, fuel }]) => ({ name, module, fuel }));
  const known = Object.entries({ ...programs, harmless: harmlessProgram })
    .filter(([name]) => !unfit.has(name))
    .map(([name, module]) => ({ name: `network: ${name}`, module, fuel: 1_000_000n }));
  return [...fates, ...known].map(({ name, module, fuel }) => ({
    ...{ name, module, fuel: fuel - callFuel(item.length, 0) },
    ...{ call: 'anw_map', bytes: [new Uint8Array(0), item], numbers: [], result: 'i64' },
  }));
}

/** Programs for a network that are refused before they run. */
const unfit = new Set(['not-wasm', 'truncated', 'empty', 'no-map', 'imports', 'gigabyte-memory']);

/** Made-up functions that branch, loop, call each other and trap. */
function madeUpCases(): readonly EngineCase[] {
  return Array.from({ length: 40 }, (_, seed): EngineCase => {
    const functions = makeUp(seed, 3);
    const locals = new Array<number>(localCount - 1).fill(0x7f);
    const module = moduleOf(
      functions.map((body, at) => ({
        ...(at === 0 ? { name: 'run' } : {}),
        ...{ params: [0x7f], results: [0x7f], locals, body: bodyOf(body) },
      })),
    );
    const shape = { bytes: [], result: 'i32', fuel: 100_000n } as const;
    return { name: `made up ${seed}`, module, call: 'run', numbers: [['i32', 7n]], ...shape };
  });
}

/** All but the example programs, whose arguments one run gives to the next. */
export function plainCases(): readonly EngineCase[] {
  return [...kernels(), ...hostileCases(), ...madeUpCases()];
}
