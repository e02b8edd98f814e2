/** Count what one job costs in virtual time: hops, chain heights, messages, bytes. Prints a table. */
import { jobId } from '../protocol/job/job.ts';
import { simulatedJob } from '../test/simulation/network.ts';
import { weathers } from '../test/simulation/weather.ts';
import { World } from '../test/simulation/world.ts';

/** What one job of one item came to in one world. */
export type SimulatedJobCost = {
  /** Virtual milliseconds from submit to settled, at the node it was submitted to. */
  readonly settledMs: number;
  /** Blocks from the one that ordered the job to the one that settled it. */
  readonly heights: number;
  /** Gossip messages, and what they weigh when each goes to every other seat once. */
  readonly messages: number;
  readonly copies: number;
  readonly copyBytes: number;
  /** Questions for blocks and certificates. */
  readonly questions: number;
};

/** Runs one job of one item in a calm world in which every message takes `hopMs`. */
export function simulateJob(seats: number, hopMs: number, seed: number): SimulatedJobCost {
  const weather = { ...weathers.calm, delayMinMs: hopMs, delaySpreadMs: 0 };
  const world = new World({ seed, seats, weather });
  const node = world.nodes[0]!;
  world.run(10_000, () => node.state!.finalRef.height >= 2);
  const signed = simulatedJob(world.network, node.state!.final.header, {
    input: { kind: 'generated', items: 1 },
    subtasks: 1,
  });
  const id = jobId(signed.job);
  const start = { at: world.now, ...world.traffic, asked: world.asked };
  world.submit(0, signed);
  if (!world.run(120_000, () => world.jobState(node, id)?.state === 'settled'))
    throw new Error(`the job did not settle: seats ${seats}, seed ${seed}`);
  const record = world.jobState(node, id)!;
  return {
    settledMs: world.now - start.at,
    heights: record.ended! - record.includedHeight,
    messages: world.traffic.published - start.published,
    copies: world.traffic.sent - start.sent,
    copyBytes: world.traffic.sentBytes - start.sentBytes,
    questions: world.asked - start.asked,
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

/** One line a size: medians over seeds, the same at every run. */
export function simulationTable(seeds = 9): string {
  // Two hops outlast the least step of chain time, so that hops alone set the pace.
  const hopsMs = [130, 190] as const;
  const head = 'seats  hops  ms at 10 ms a hop  heights  messages  copies  copies KiB  questions';
  const lines = [4, 7, 13].map((seats) => {
    const at = (hopMs: number) =>
      Array.from({ length: seeds }, (_, seed) => simulateJob(seats, hopMs, seed + 1));
    const [near, far] = hopsMs.map(at);
    const slopes = far!.map((cost, i) => cost.settledMs - near![i]!.settledMs);
    const quick = at(10);
    const of = (pick: (cost: SimulatedJobCost) => number) => median(quick.map(pick));
    const cells = [
      [String(seats), 5],
      [(median(slopes) / (hopsMs[1] - hopsMs[0])).toFixed(1), 6],
      [String(of(({ settledMs }) => settledMs)), 19],
      [String(of(({ heights }) => heights)), 9],
      [String(of(({ messages }) => messages)), 10],
      [String(of(({ copies }) => copies)), 8],
      [(of(({ copyBytes }) => copyBytes) / 1_024).toFixed(0), 12],
      [String(of(({ questions }) => questions)), 11],
    ] as const;
    return cells.map(([text, width]) => text.padStart(width)).join('');
  });
  return [head, ...lines].join('\n');
}

if (import.meta.main) console.log(simulationTable());
