/** Measure how long a job of one item takes from submit to settled, in milliseconds and hops. */
import type { Benchmark, Effort, Row } from './benchmark.ts';
import { type MeasuredJob, orLate, primesWish, putJob, putJobs, wavesText } from './job.ts';
import { exactly, growthRow, paired, slope, spread } from './measure.ts';
import { startMeasured } from './network.ts';
import { simulateJob } from './simulation.ts';

const sizes = [4, 7, 13];
/** Delays of which a block's hops outlast the least step of chain time: hops set the pace. */
const delaysMs = [140, 180, 220];
/** What theory.md 5.1 and design.md expect of one job: p + 13 h. */
const expectedHops = 13;

async function run(effort: Effort): Promise<readonly Row[]> {
  const rows: Row[] = [];
  const costs: [number, number][] = [];
  for (const seats of sizes)
    rows.push(
      ...(await orLate(`n = ${seats}: submit to settled`, async () => {
        const jobs = await jobsOf(seats, 0, effort.runs(seats > 7 ? 5 : 9));
        costs.push([seats, spread(jobs.map(({ settledMs }) => settledMs)).median]);
        return jobRows(seats, jobs);
      })),
    );
  if (costs.length > 1) rows.push(growthRow('submit to settled, as seats grow', costs));
  for (const seats of sizes) rows.push(hopRow(seats, simulatedHops(seats, effort.runs(5))));
  rows.push(...(await orLate('n = 4: hops of real nodes', () => delayedHops(effort))));
  return rows;
}

function jobRows(seats: number, jobs: readonly MeasuredJob[]): readonly Row[] {
  const settled = jobs.map(({ settledMs }) => settledMs);
  const { stepMs, name } = chainStep;
  const least = jobs.map(({ blocks }) => (blocks - 1) * stepMs);
  const blocks = spread(jobs.map((job) => job.blocks));
  return [
    {
      ...paired(`n = ${seats}: submit to settled`, 'ms', settled, { name, values: least }),
      note: wavesText(jobs),
    },
    paired(`n = ${seats}: the same`, 'ms', settled, {
      name: 'submit to ordered, where replicas would begin to execute',
      values: jobs.map(({ orderedMs }) => orderedMs),
    }),
    { what: `n = ${seats}: blocks`, unit: 'blocks', figure: blocks },
  ];
}

/** Blocks cannot follow one another faster; n blocks have n - 1 steps between them. */
const chainStep = { name: 'least steps of chain time between its blocks', stepMs: 250 };

async function jobsOf(
  seats: number,
  oneWayMs: number,
  runs: number,
): Promise<readonly MeasuredJob[]> {
  const network = await startMeasured({ seats, oneWayMs });
  try {
    return await putJobs(runs, () => putJob(network, primesWish(1)));
  } finally {
    await network.stop();
  }
}

/** Hops on the critical path: by how much the time grows with the delay of one hop. */
function simulatedHops(seats: number, runs: number): number[] {
  return Array.from({ length: runs }, (_, run) =>
    slope(delaysMs.map((ms) => [ms, simulateJob(seats, ms, run + 1).settledMs])),
  );
}

function hopRow(seats: number, hops: readonly number[]): Row {
  return {
    ...paired(`n = ${seats}: hops in virtual time`, 'hops', hops, {
      name: 'expected, p + 13h',
      values: hops.map(() => expectedHops),
    }),
    note: `slope over ${delaysMs.join(', ')} ms a hop`,
  };
}

/** The same on real nodes with slow ports: questions for programs and blocks are paid as well. */
async function delayedHops(effort: Effort): Promise<readonly Row[]> {
  const points: [number, number][] = [];
  for (const delayMs of [delaysMs[0]!, delaysMs.at(-1)!])
    for (const { settledMs } of await jobsOf(4, delayMs, effort.runs(3)))
      points.push([delayMs, settledMs]);
  const hops = slope(points);
  const name = 'expected, p + 13h';
  return [
    {
      what: 'n = 4: hops of real nodes with slow ports',
      unit: 'hops',
      figure: exactly(hops),
      against: { name, figure: exactly(expectedHops), ratio: exactly(hops / expectedHops) },
      note: `slope through ${points.length} jobs`,
    },
  ];
}

export const finality: Benchmark = {
  name: 'finality',
  question: 'How long does one job take from submit to settled, and how many hops is that?',
  run,
};
