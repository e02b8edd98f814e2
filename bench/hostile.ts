/** Measure what a hostile program leaves to whoever comes next: time, and memory of the child. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ChildPool, createExecutor } from '../node/executor/pool.ts';
import { utf8 } from '../protocol/brand.ts';
import { running } from '../test/fixtures/hostile/running.ts';
import { program } from '../test/fixtures/programs/assemble.ts';
import type { Benchmark, Effort, Row } from './benchmark.ts';
import { paired, spread, take, wall } from './measure.ts';

/** What a call may cost before it runs, for all fixtures: their data and exports are in it. */
const setupFuel = 5_000_000n;

async function measure(effort: Effort): Promise<readonly Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'anwansi-bench-'));
  const executor = await createExecutor({ children: 1, readable: [folder] });
  try {
    const item = join(folder, 'item');
    await writeFile(item, utf8('one'));
    const run = async (programPath: string, fuel: bigint): Promise<string> => {
      const limits = { item: fuel + setupFuel, combine: fuel + setupFuel };
      const items = [{ kind: 'file', path: item } as const];
      const subtask = { programPath, parameters: new Uint8Array(0), items, plan: [0] };
      return (await executor.runSubtask({ ...subtask, fuel: limits }, AbortSignal.timeout(60_000)))
        .kind;
    };
    const harmless = join(folder, 'harmless.wasm');
    await writeFile(harmless, program());
    const small = () =>
      take(async () => {
        if ((await run(harmless, 100_000n)) !== 'done') throw new Error('it did not run');
      });
    for (let time = 0; time < 50; time++) await small();
    const [after, usual]: [number[], number[]] = [[], []];
    const resident: number[] = [];
    for (let time = 0; time < effort.runs(5); time++)
      for (const [name, { bytes, fuel, optimized }] of Object.entries(running)) {
        // That one ends its child on purpose, so that the next one is quick again.
        if (optimized !== undefined) continue;
        const path = join(folder, `${name.replaceAll(/[^a-z]/g, '-')}.wasm`);
        await writeFile(path, bytes);
        await small();
        usual.push(...wall([await small()]));
        await run(path, fuel);
        after.push(...wall([await small()]));
        resident.push(residentMegabytes(executor));
      }
    const peer = { name: 'after a harmless one', values: usual };
    return [
      paired('the next small task after a hostile program', 'ms', after, peer),
      { what: 'memory of the child then', unit: 'MB', figure: spread(resident) },
    ];
  } finally {
    await executor.close();
    await rm(folder, { recursive: true, force: true });
  }
}

function residentMegabytes(executor: ChildPool): number {
  const bytes = executor.pids().map((pid) => {
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
    return Number(kilobytes) / 1_000;
  });
  return bytes.reduce((sum, each) => sum + each, 0);
}

export const hostile: Benchmark = {
  name: 'hostile',
  question: 'What does a hostile program leave to the task that comes next?',
  run: measure,
};
