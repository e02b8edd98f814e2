/** Measure what handing a subtask to a sandboxed child costs beyond the work itself. */
import { fork } from 'node:child_process';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createExecutor } from '../node/executor/pool.ts';
import type { ItemSource, SubtaskRun } from '../node/ports.ts';
import { utf8 } from '../protocol/brand.ts';
import { fuelCallMax } from '../protocol/params.ts';
import type { Benchmark, Effort, Row } from './benchmark.ts';
import { programFile } from './job.ts';
import { growthRow, interleave, paired, processor, spread, wall } from './measure.ts';
import { plainItem, plainProgram } from './plain.ts';

/** Tasks of one repetition: a figure is a mean over them. */
const tasks = 200;
const itemCounts = [1, 16, 256];
/** Each item looks at numbers beyond the sieve, where an item is little work. */
const parameters = new Uint8Array(utf8('{"from":0,"to":100}'));
const fuel = { item: fuelCallMax, combine: fuelCallMax };

async function run(effort: Effort): Promise<readonly Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'anwansi-bench-'));
  const programPath = join(folder, 'primes.wasm');
  await copyFile(programFile('primes'), programPath);
  const executor = await createExecutor({ readable: [folder] });
  const echo = startEcho();
  try {
    const item = plainItem('primes', parameters);
    const program = plainProgram('primes', parameters);
    const subtask = (count: number): SubtaskRun => {
      const items = Array.from(
        { length: count },
        (): ItemSource => ({ kind: 'generated', index: 0 }),
      );
      const plan = items.flatMap((_, place) => (place === 0 ? [0] : [place, -1]));
      return { programPath, parameters, items, plan, fuel };
    };
    const call = async (count: number): Promise<void> => {
      const outcome = await executor.runSubtask(subtask(count), AbortSignal.timeout(60_000));
      if (outcome.kind !== 'done' || outcome.value === null) throw new Error('it did not run');
    };
    const plain = (count: number): void => {
      const values = Array.from({ length: count }, () => program.map(item(0)));
      values.reduce(program.combine);
    };
    const taken = await interleave(effort.runs(7), {
      subtask: () => repeat(() => call(1)),
      plain: () => repeat(() => plain(1)),
      echo: () => repeat(echo.ask),
      abreast: () => Promise.all(Array.from({ length: tasks }, () => call(1))),
    });
    const each = (ms: readonly number[]): number[] => ms.map((all) => (all * 1_000) / tasks);
    const roundTrips = each(wall(taken.subtask));
    const rows: Row[] = [
      {
        ...paired('a subtask of one small item, one after another', 'µs', roundTrips, {
          name: 'a bare echo by a child',
          values: each(wall(taken.echo)),
        }),
        note: `processor: ${spread(each(processor(taken.subtask))).median.toFixed(0)} µs each`,
      },
      paired('the same', 'µs', roundTrips, {
        name: 'the same calls in this process',
        values: each(wall(taken.plain)),
      }),
      paired(
        'subtasks abreast',
        'tasks/s',
        wall(taken.abreast).map((ms) => (tasks * 1_000) / ms),
        {
          name: 'one after another',
          values: wall(taken.subtask).map((ms) => (tasks * 1_000) / ms),
        },
      ),
    ];
    const costs: [number, number][] = [];
    for (const count of itemCounts) {
      const one = await interleave(effort.runs(9), {
        subtask: () => call(count),
        plain: () => plain(count),
      });
      const ms = wall(one.subtask);
      rows.push(
        paired(`a subtask of ${count} small items`, 'ms', ms, {
          name: 'the same calls in this process',
          values: wall(one.plain),
        }),
      );
      costs.push([count, spread(ms).median]);
    }
    rows.push(growthRow('a subtask, as its items grow', costs));
    return rows;
  } finally {
    echo.stop();
    await executor.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function repeat(act: () => unknown): Promise<void> {
  for (let task = 0; task < tasks; task++) await act();
}

/** A child that sends back what it gets, as the executor's children are spoken to. */
function startEcho(): { readonly ask: () => Promise<void>; readonly stop: () => void } {
  const child = fork(fileURLToPath(new URL('./echo.ts', import.meta.url)), {
    serialization: 'advanced',
  });
  const message = { kind: 'echo', parameters, plan: Int32Array.of(0) };
  return {
    ask: () =>
      new Promise((resolve, reject) => {
        child.once('message', () => resolve());
        child.send(message, (error) => {
          if (error !== null) reject(error);
        });
      }),
    stop: () => child.kill(),
  };
}

export const executor: Benchmark = {
  name: 'executor',
  question: 'What does it cost to hand a subtask to a sandboxed child?',
  run,
};
