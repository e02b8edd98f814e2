/** Run kernels as they are and rewritten, in turn, in a process of its own; print the times. */
import { readFileSync } from 'node:fs';
import { engine, type Module } from '../node/executor/engine.ts';
import { instrument } from '../protocol/execution/instrument.ts';
import { depthLimit } from '../protocol/execution/outcome.ts';

/** Times of one kernel, a value a repetition, in milliseconds of one `run`. */
export type KernelPairs = {
  readonly path: string;
  readonly plain: readonly number[];
  readonly metered: readonly number[];
};

/** What a repetition lasts at least. */
const repetitionMs = 25;
const warmUpCount = 4;
const plenty = 2n ** 62n;

/** Runs a kernel in a fresh instance, as a host does; says what it came to and how long it took. */
function run(module: Module, times: number): { readonly value: bigint; readonly ms: number } {
  const { exports } = new engine.Instance(module, {});
  const counters = exports as unknown as Record<string, { value: bigint | number } | undefined>;
  if (counters.__anw_fuel !== undefined) counters.__anw_fuel.value = plenty;
  if (counters.__anw_depth !== undefined) counters.__anw_depth.value = depthLimit;
  // Only of a rewritten module: the engine has called that of the other one.
  if (exports.__anw_start !== undefined) (exports.__anw_start as () => void)();
  const at = performance.now();
  const value = (exports.run as (times: number) => bigint)(times);
  return { value, ms: performance.now() - at };
}

function pairs(path: string, runs: number): KernelPairs {
  const bytes = new Uint8Array(readFileSync(path));
  const made = instrument(bytes);
  if (made.kind === 'rejected') throw new Error(`${path}: ${made.code}: ${made.reason}`);
  const [plainModule, meteredModule] = [new engine.Module(bytes), new engine.Module(made.bytes)];
  let times = 1;
  while (run(plainModule, times).ms < repetitionMs) times *= 2;
  const [plain, metered]: [number[], number[]] = [[], []];
  for (let at = -warmUpCount; at < runs; at++) {
    // Each goes first as often as the other.
    const turned = at % 2 !== 0;
    const early = run(turned ? meteredModule : plainModule, times);
    const late = run(turned ? plainModule : meteredModule, times);
    if (early.value !== late.value) throw new Error(`${path}: the results differ`);
    if (at < 0) continue;
    plain.push((turned ? late : early).ms / times);
    metered.push((turned ? early : late).ms / times);
  }
  return { path, plain, metered };
}

const [runs, ...paths] = process.argv.slice(2);
console.log(JSON.stringify(paths.map((path) => pairs(path, Number(runs)))));
