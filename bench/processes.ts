/** Measure networks of real processes: settling under load, ordering, memory. */
import { type Fleet, startFleet } from '../test/support/fleet.ts';
import type { Benchmark, Effort, Row } from './benchmark.ts';
import { type Etcd, hasEtcd, startEtcd } from './etcd.ts';
import { exactly, paired, sleep, spread } from './measure.ts';

const sizes = [4, 7, 13];
/** Jobs that are under way at the same time, and how many are measured in all. */
const crowds: readonly (readonly [flight: number, jobs: number])[] = [
  [1, 8],
  [8, 24],
  [64, 96],
];
const lookMs = 10;
const jobMsMax = 120_000;

async function run(effort: Effort): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const seats of sizes) {
    const fleet = await startFleet(seats);
    try {
      await settle(fleet, 0);
      rows.push(await memoryRow(fleet, `n = ${seats}: memory of a process, idle`));
      for (const [flight, jobs] of crowds)
        rows.push(...(await crowdRows(fleet, flight, effort.runs(jobs))));
      rows.push(await memoryRow(fleet, `n = ${seats}: memory of a process, after the load`));
      if (seats === 4) rows.push(...(await orderRows(fleet, effort)));
    } finally {
      await fleet.remove();
    }
  }
  return rows;
}

/** Submits one job and waits for its end; milliseconds until it was ordered and settled. */
async function settle(
  fleet: Fleet,
  turn: number,
): Promise<{ readonly orderedMs: number; readonly settledMs: number }> {
  const seat = turn % fleet.layout.seats.length;
  const client = fleet.client(seat);
  const at = performance.now();
  const id = await fleet.submit(seat, turn % 10);
  let orderedMs: number | null = null;
  for (;;) {
    const { state } = await client.job(id);
    const ms = performance.now() - at;
    if (state !== 'pending') orderedMs ??= ms;
    if (state === 'settled') return { orderedMs: orderedMs ?? ms, settledMs: ms };
    if (['failed', 'expired', 'voided'].includes(state)) throw new Error(`a job is ${state}`);
    if (ms > jobMsMax) throw new Error(`a job is still ${state}`);
    await sleep(lookMs);
  }
}

async function crowdRows(fleet: Fleet, flight: number, jobs: number): Promise<readonly Row[]> {
  const seats = fleet.layout.seats.length;
  const settled: number[] = [];
  let next = 0;
  const at = performance.now();
  const worker = async (): Promise<void> => {
    while (next < jobs) {
      const turn = next++;
      settled.push((await settle(fleet, turn)).settledMs);
    }
  };
  await Promise.all(Array.from({ length: Math.min(flight, jobs) }, worker));
  const seconds = (performance.now() - at) / 1_000;
  const what = `n = ${seats}, ${flight} in flight`;
  return [
    { what: `${what}: submit to settled`, unit: 'ms', figure: spread(settled) },
    { what: `${what}: jobs settled`, unit: '/s', figure: exactly(jobs / seconds) },
  ];
}

async function memoryRow(fleet: Fleet, what: string): Promise<Row> {
  const bytes = await Promise.all(fleet.running().map((seat) => fleet.memory(seat)));
  return { what, unit: 'MB', figure: spread(bytes.map((one) => one / 1e6)) };
}

/** A small job until a final block has it, against a small entry until a quorum of etcd has it. */
async function orderRows(fleet: Fleet, effort: Effort): Promise<readonly Row[]> {
  const what = 'n = 4: submit to ordered, as a client sees it';
  const ordered: number[] = [];
  const puts: number[] = [];
  const etcd: Etcd | null = hasEtcd ? await startEtcd(4) : null;
  try {
    for (let turn = 0; turn < effort.runs(12); turn++) {
      ordered.push((await settle(fleet, turn)).orderedMs);
      if (etcd === null) continue;
      const at = performance.now();
      await etcd.put(turn % 4, `job ${turn}`, new Uint8Array(400));
      puts.push(performance.now() - at);
    }
  } finally {
    await etcd?.stop();
  }
  if (etcd === null)
    return [{ what, unit: 'ms', figure: spread(ordered), note: 'no etcd on this machine' }];
  const peer = { name: 'etcd of four members: put, fsynced by a quorum', values: puts };
  return [
    {
      ...paired(what, 'ms', ordered, peer),
      note: 'etcd trusts its members: no signatures, no beacon, one leader that stays',
    },
  ];
}

export const processes: Benchmark = {
  name: 'processes',
  question: 'How does a network of real processes settle under load, and what does it take?',
  run,
};
