/** Count what share of all executed items is the user's: sampled lanes, and all seats. */

import { runLane } from '../node/lane.ts';
import type { ItemSource } from '../node/ports.ts';
import { hash } from '../protocol/crypto/hash.ts';
import { jobId } from '../protocol/job/job.ts';
import type { Benchmark, Effort, Row } from './benchmark.ts';
import {
  finishJob,
  listedItems,
  type MeasuredJob,
  orLate,
  primesWish,
  putJob,
  putJobs,
  wavesText,
} from './job.ts';
import { paired, processor, type Taken, take } from './measure.ts';
import { type MeasuredNetwork, startMeasured } from './network.ts';

const sizes = [4, 7, 13];
/** Enough that the work outweighs the blocks that are made meanwhile. */
const items = 384;
const subtasks = 24;

async function run(effort: Effort): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const seats of sizes)
    rows.push(
      ...(await orLate(`n = ${seats}: user's share`, () => sharesOf(seats, effort.runs(3)))),
    );
  return rows;
}

async function sharesOf(seats: number, runs: number): Promise<readonly Row[]> {
  const network = await startMeasured({ seats });
  try {
    const taken = await putJobs(runs, async () => {
      const sampled = await take(() => putJob(network, primesWish(items, subtasks)));
      const plain = await take(() => executePlainly(network, sampled.value));
      const replicated = await take(() => executeEverywhere(network, sampled.value));
      return { plain, sampled, replicated };
    });
    const plain = taken.map((each) => each.plain);
    const sampled = taken.map((each) => each.sampled);
    const replicated = taken.map((each) => each.replicated);
    const last = sampled.at(-1)!.value;
    const { audit } = await finishJob(network, last);
    return rowsOf(seats, plain, sampled, replicated, listedItems(audit, items));
  } finally {
    await network.stop();
  }
}

function rowsOf(
  seats: number,
  plain: readonly Taken<number>[],
  sampled: readonly Taken<MeasuredJob>[],
  replicated: readonly Taken<number>[],
  listed: number,
): readonly Row[] {
  const { perLane, lanes } = sampled[0]!.value.record.plan!;
  const { executedItems } = sampled.at(-1)!.value;
  const counted =
    listed === executedItems
      ? 'the receipt lists as many executions as were seen'
      : `${executedItems} executions were seen, the receipt lists ${listed}: seats were late`;
  const share = sampled.map(({ value }) => items / value.executedItems);
  const useful = processor(plain);
  const cpuShare = processor(sampled).map((cpuMs, run) => useful[run]! / cpuMs);
  const name = 'all seats execute';
  return [
    {
      ...paired(`n = ${seats}, l = ${perLane}: user's share of executed items`, '', share, {
        name,
        values: replicated.map(({ value }) => items / value),
      }),
      note: `${items} items in ${lanes} lanes; ${counted}; ${wavesText(sampled.map(({ value }) => value))}`,
    },
    {
      ...paired(`n = ${seats}, l = ${perLane}: useful share of processor time`, '', cpuShare, {
        name: `${name}, no blocks`,
        values: processor(replicated).map((cpuMs, run) => useful[run]! / cpuMs),
      }),
      note: 'useful: the items once, in the same executor',
    },
    paired(`n = ${seats}, l = ${perLane}: the same`, '', cpuShare, {
      name: 'limit: nothing but these executions',
      values: share,
    }),
  ];
}

/** All items once: what somebody would do who believes his machine. */
async function executePlainly(network: MeasuredNetwork, job: MeasuredJob): Promise<number> {
  const { executor, nodes } = network;
  const programPath = (await nodes[0]!.blobs.path(job.prepared.programCid))!;
  const { parameters, fuelItem, fuelCombine } = job.prepared.signed.job;
  const fuel = { item: fuelItem, combine: fuelCombine };
  const runs = Array.from({ length: subtasks }, (_, subtask) => {
    const first = (subtask * items) / subtasks;
    const count = items / subtasks;
    const sources = Array.from(
      { length: count },
      (_, place): ItemSource => ({ kind: 'generated', index: first + place }),
    );
    const plan = sources.flatMap((_, place) => (place === 0 ? [0] : [place, -1]));
    const run = { programPath, parameters, items: sources, plan, fuel };
    return executor.runSubtask(run, AbortSignal.timeout(60_000));
  });
  const outcomes = await Promise.all(runs);
  if (outcomes.some(({ kind }) => kind !== 'done')) throw new Error('the items were not executed');
  return items;
}

/** The replica model: every seat runs the whole job as one lane, through the code of a lane. */
async function executeEverywhere(network: MeasuredNetwork, job: MeasuredJob): Promise<number> {
  const { signed } = job.prepared;
  const zero = new Uint8Array(32);
  let executed = 0;
  const lanes = network.nodes.map((node, seat) =>
    runLane(
      {
        key: `replica/${seat}`,
        signed,
        job: jobId(signed.job),
        lane: 0,
        lanes: 1,
        wave: 0,
        seat,
        drawId: zero,
        beacon: hash('dev', 'replica', job.blocks),
        saltKey: zero,
        patienceMs: 20_000,
      },
      {
        blobs: node.blobs,
        executor: network.executor,
        fetch: node.fetch,
        progress: (_, done) => {
          executed += done;
        },
        keep: () => undefined,
        lie: false,
      },
      AbortSignal.timeout(120_000),
    ),
  );
  const outcomes = await Promise.all(lanes);
  if (outcomes.some(({ kind }) => kind !== 'done')) throw new Error('a replica did not execute');
  return executed;
}

export const share: Benchmark = {
  name: 'share',
  question: "What share of the executed items is the user's, where replicas leave 1/n?",
  run,
};
