/** Measure what counting costs: kernels rewritten against the same as they are. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { instrument } from '../protocol/execution/instrument.ts';
import type { Benchmark, Effort, Row } from './benchmark.ts';
import type { KernelPairs } from './kernel-pairs.ts';
import { buildKernels, type KernelFile } from './kernels.ts';
import { largeModule, wideLimits } from './large-module.ts';
import { exactly, paired, spread, take } from './measure.ts';

const run = promisify(execFile);

/** Flags that keep the engine from giving up on inlining because metered code is longer. */
const inlining = [
  '--wasm-inlining-factor=10',
  '--wasm-inlining-budget=20000',
  '--wasm-inlining-ignore-call-counts',
];
const runner = fileURLToPath(new URL('kernel-pairs.ts', import.meta.url));

/** Runs all kernels in turn in one process under one set of flags. */
async function pairs(
  files: readonly KernelFile[],
  flags: readonly string[],
  effort: Effort,
): Promise<readonly KernelPairs[]> {
  const args = ['--no-warnings', ...flags, runner, String(effort.runs(31))];
  const paths = files.map(({ path }) => path);
  const { stdout } = await run(process.execPath, [...args, ...paths], { timeout: 600_000 });
  return JSON.parse(stdout) as KernelPairs[];
}

async function overhead(
  files: readonly KernelFile[],
  how: string,
  flags: readonly string[],
  effort: Effort,
): Promise<readonly Row[]> {
  const taken = await pairs(files, flags, effort);
  const rows = files.map(({ name, language }, at) => {
    const { plain, metered } = taken[at]!;
    const words = `${name} in ${language === 'c' ? 'C' : 'AssemblyScript'}, ${how}`;
    return paired(words, 'ms', metered, { name: 'as it is', values: plain });
  });
  // Calls and nothing else are stated apart: no real program is made of them.
  const ratios = rows
    .filter((_, at) => files[at]!.name !== 'fib')
    .map(({ against }) => against!.ratio.median);
  const { median, most } = spread(ratios);
  const over = `of ${ratios.length} kernels, without fib`;
  return [
    ...rows,
    { what: `median of them, ${how}`, unit: 'times', figure: exactly(median), note: over },
    { what: `worst of them, ${how}`, unit: 'times', figure: exactly(most), note: over },
  ];
}

async function rewriting(effort: Effort): Promise<Row> {
  const bytes = await largeModule();
  const rates: number[] = [];
  for (let time = -1; time < effort.runs(7); time++) {
    const { ms } = await take(() => {
      const made = instrument(bytes, { imports: 'any', limits: wideLimits });
      if (made.kind === 'rejected') throw new Error(`${made.code}: ${made.reason}`);
    });
    if (time >= 0) rates.push(bytes.length / 1_000 / ms);
  }
  return { what: `rewriting ${bytes.length} bytes of C++`, unit: 'MB/s', figure: spread(rates) };
}

async function measure(effort: Effort): Promise<readonly Row[]> {
  const folder = mkdtempSync(join(tmpdir(), 'anwansi-bench-'));
  try {
    const files = await buildKernels(folder);
    return [
      ...(await overhead(files, 'flags of the sandbox', inlining, effort)),
      ...(await overhead(files, 'no flags', [], effort)),
      await rewriting(effort),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export const metering: Benchmark = {
  name: 'metering',
  question: 'What does it cost that a program counts its own fuel and depth?',
  run: measure,
};
