/** Count messages and bytes of a job beyond those of an idle network. */
import type { Benchmark, Effort, Row } from './benchmark.ts';
import { type MeasuredJob, orLate, primesWish, putJob, putJobs, wavesText } from './job.ts';
import { exactly, growthRow, paired, sleep, spread } from './measure.ts';
import { type MeasuredNetwork, startMeasured, type Traffic } from './network.ts';

const sizes = [4, 7, 13];
const idleMs = 4_000;

type Sample = {
  readonly extra: Traffic;
  readonly job: MeasuredJob;
};

async function run(effort: Effort): Promise<readonly Row[]> {
  const rows: Row[] = [];
  const messages: [number, number][] = [];
  const bytes: [number, number][] = [];
  for (const seats of sizes)
    rows.push(
      ...(await orLate(`n = ${seats}: messages a job`, async () => {
        const { idle, samples } = await watch(seats, effort.runs(seats > 7 ? 3 : 5));
        const perBlockMedian = (pick: (extra: Traffic) => number): number =>
          spread(perBlock(samples, pick)).median;
        messages.push([seats, perBlockMedian(({ delivered }) => delivered)]);
        bytes.push([seats, perBlockMedian(({ wireBytes }) => wireBytes)]);
        return trafficRows(seats, idle, samples);
      })),
    );
  if (messages.length > 1) {
    rows.push(growthRow('messages a block, as seats grow', messages));
    rows.push(growthRow('bytes a block, as seats grow', bytes));
  }
  return rows;
}

function trafficRows(seats: number, idle: Traffic, samples: readonly Sample[]): readonly Row[] {
  const published = spread(samples.map(({ extra }) => extra.published)).median;
  const waves = wavesText(samples.map(({ job }) => job));
  return [
    idleRow(seats, idle),
    {
      ...paired(
        `n = ${seats}: gossip messages a job`,
        'delivered',
        samples.map(({ extra }) => extra.delivered),
        {
          name: 'all-to-all votes of its blocks',
          values: samples.map(({ job }) => job.blocks * allToAll(seats)),
        },
      ),
      note: `${Math.round(published)} published; ${waves}`,
    },
    {
      what: `n = ${seats}: gossip messages a block`,
      unit: 'delivered',
      figure: spread(perBlock(samples, ({ delivered }) => delivered)),
    },
    {
      what: `n = ${seats}: questions by stream a job`,
      unit: 'questions',
      figure: spread(samples.map(({ extra }) => extra.requests)),
    },
    {
      ...paired(
        `n = ${seats}: bytes a job on all sockets`,
        'KiB',
        samples.map(({ extra }) => extra.wireBytes / 1_024),
        {
          name: 'payload delivered, KiB',
          values: samples.map(({ extra }) => (extra.deliveredBytes + extra.requestBytes) / 1_024),
        },
      ),
      note: 'the rest is gossip that comes twice, its control, framing, encryption',
    },
  ];
}

/** Jobs may take more blocks where seats are late: what a block costs does not depend on it. */
function perBlock(samples: readonly Sample[], pick: (extra: Traffic) => number): number[] {
  return samples.map(({ extra, job }) => pick(extra) / job.blocks);
}

/** Deliveries of a block's proposal and of Notar and Final votes of all seats. */
function allToAll(seats: number): number {
  return seats - 1 + 2 * seats * (seats - 1);
}

async function watch(
  seats: number,
  runs: number,
): Promise<{ readonly idle: Traffic; readonly samples: readonly Sample[] }> {
  const network = await startMeasured({ seats });
  try {
    await putJob(network, primesWish(1)); // Brings the program to some seats.
    await sleep(1_000);
    const idle = await perSecond(network, () => sleep(idleMs));
    const samples = await putJobs(runs, () => sample(network, idle));
    return { idle, samples };
  } finally {
    await network.stop();
  }
}

async function sample(network: MeasuredNetwork, idle: Traffic): Promise<Sample> {
  const before = network.traffic();
  const at = performance.now();
  const job = await putJob(network, primesWish(8, 4));
  const seconds = (performance.now() - at) / 1_000;
  const extra = map2(network.traffic(), before, (now, then) => now - then);
  return {
    extra: map2(extra, idle, (all, rate) => all - rate * seconds),
    job,
  };
}

async function perSecond(network: MeasuredNetwork, act: () => Promise<void>): Promise<Traffic> {
  const before = network.traffic();
  const at = performance.now();
  await act();
  const seconds = (performance.now() - at) / 1_000;
  return map2(network.traffic(), before, (now, then) => (now - then) / seconds);
}

function map2(a: Traffic, b: Traffic, join: (a: number, b: number) => number): Traffic {
  const names = Object.keys(a) as (keyof Traffic)[];
  return Object.fromEntries(names.map((name) => [name, join(a[name], b[name])])) as Traffic;
}

function idleRow(seats: number, idle: Traffic): Row {
  return {
    what: `n = ${seats}: an idle network`,
    unit: 'delivered/s',
    figure: exactly(idle.delivered),
    note: `${Math.round(idle.wireBytes / 1_024)} KiB/s on all sockets, ${Math.round(idle.deliveredBytes / 1_024)} KiB/s delivered`,
  };
}

export const traffic: Benchmark = {
  name: 'traffic',
  question: 'How many messages and bytes does a job cost beyond an idle network?',
  run,
};
