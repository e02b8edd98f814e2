/** Measure what counting costs: programs rewritten against the same as they are. */
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { type Exports, engine, type Module } from '../node/executor/engine.ts';
import { utf8 } from '../protocol/brand.ts';
import { instrument } from '../protocol/execution/instrument.ts';
import { depthLimit } from '../protocol/execution/outcome.ts';
import type { Benchmark, Effort, Row } from './benchmark.ts';
import { type JobWish, programFile } from './job.ts';
import { paired, processor, spread, type Taken, take, wall } from './measure.ts';
import { plainItem } from './plain.ts';

/** Flags that keep the engine from giving up on inlining because metered code is longer. */
const inlining = [
  '--wasm-inlining-factor=10',
  '--wasm-inlining-budget=20000',
  '--wasm-inlining-ignore-call-counts',
];
/** Calls of a repetition: long enough for the optimizing compiler to be done in the first ones. */
const callsPerRun = 10;
const plenty = 2n ** 62n;

type Kernel = {
  readonly program: JobWish['program'];
  readonly parameters: Uint8Array;
  readonly item: Uint8Array;
};

function kernels(): readonly Kernel[] {
  const line = Array.from({ length: 900 }, (_, at) => `word${(at * at) % 7_919}`).join(' ');
  const parameters = utf8('{"from": 2, "to": 100000000}');
  return [
    {
      program: 'wordcount',
      parameters: new Uint8Array(0),
      item: utf8(`${line}\n`.repeat(Math.floor(1_000_000 / line.length))),
    },
    { program: 'primes', parameters, item: plainItem('primes', parameters)(3) },
  ];
}

function rewrite(bytes: Uint8Array): Uint8Array {
  const made = instrument(bytes);
  if (made.kind === 'rejected') throw new Error(`${made.code}: ${made.reason}`);
  return made.bytes;
}

/** Maps the item in a fresh instance each time, as a host does; says the packed result. */
function mapRepeatedly(module: Module, { parameters, item }: Kernel): bigint {
  let result = 0n;
  for (let call = 0; call < callsPerRun; call++) {
    const { exports } = new engine.Instance(module, {});
    const counters = exports as unknown as Record<string, { value: bigint | number } | undefined>;
    if (counters.__anw_fuel !== undefined) counters.__anw_fuel.value = plenty;
    if (counters.__anw_depth !== undefined) counters.__anw_depth.value = depthLimit;
    const values = [parameters, item].flatMap((bytes) => lend(exports, bytes));
    result = (exports.anw_map as (...values: number[]) => bigint)(...values);
  }
  return result;
}

function lend(exports: Exports, bytes: Uint8Array): number[] {
  if (bytes.length === 0) return [0, 0];
  const pointer = (exports.anw_alloc as (size: number) => number)(bytes.length) >>> 0;
  new Uint8Array((exports.memory as { buffer: ArrayBuffer }).buffer).set(bytes, pointer);
  return [pointer, bytes.length];
}

async function measure(kernel: Kernel, effort: Effort, how: string): Promise<readonly Row[]> {
  const bytes = new Uint8Array(readFileSync(programFile(kernel.program)));
  const modules = [new engine.Module(bytes), new engine.Module(rewrite(bytes))] as const;
  const [plain, metered]: [Taken<bigint>[], Taken<bigint>[]] = [[], []];
  const runs = effort.runs(21);
  for (let run = 0; run < runs + 3; run++) {
    const alone = await take(async () => mapRepeatedly(modules[0], kernel));
    const counted = await take(async () => mapRepeatedly(modules[1], kernel));
    if (alone.value !== counted.value) throw new Error('the results differ');
    if (run < 3) continue; // The first ones warm up.
    plain.push(alone);
    metered.push(counted);
  }
  const what = `${kernel.program}, ${callsPerRun} items, ${how}`;
  const original = { name: 'as it is', values: wall(plain) };
  return [{ ...paired(what, 'ms', wall(metered), original), cpuMs: spread(processor(metered)) }];
}

async function rewriting(effort: Effort): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const { program } of kernels()) {
    const bytes = new Uint8Array(readFileSync(programFile(program)));
    const times = 100;
    const rates: number[] = [];
    for (let run = 0; run < effort.runs(9) + 2; run++) {
      const { ms } = await take(async () => {
        for (let time = 0; time < times; time++) rewrite(bytes);
      });
      if (run >= 2) rates.push((times * bytes.length) / 1_000 / ms);
    }
    rows.push({ what: `rewriting ${program}`, unit: 'MB/s', figure: spread(rates) });
  }
  return rows;
}

async function run(effort: Effort): Promise<readonly Row[]> {
  const rows: Row[] = [...(await rewriting(effort))];
  for (const how of ['default flags', 'inlining flags']) {
    if (how !== 'default flags') for (const flag of inlining) setFlagsFromString(flag);
    for (const kernel of kernels()) rows.push(...(await measure(kernel, effort, how)));
  }
  return rows;
}

export const metering: Benchmark = {
  name: 'metering',
  question: 'What does it cost that a program counts its own fuel and depth?',
  run,
};
