/** Measure how long a start takes by the size of the state, and how fast a node catches up. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { contractsOf } from '../node/contracts.ts';
import { nativeSha256, nativeSuite } from '../node/crypto.ts';
import { createKeeper } from '../node/keeper.ts';
import { readKept } from '../node/kept.ts';
import { openLevelStore } from '../node/storage/level.ts';
import { utf8 } from '../protocol/brand.ts';
import { installSha256, sha256, uint64 } from '../protocol/crypto/hash.ts';
import { childHistory, genesisChain, ledgerRules } from '../protocol/ledger/chain.ts';
import { headerHash } from '../protocol/ledger/header.ts';
import { frontierRoot } from '../protocol/merkle/list.ts';
import { mapRoot, mapUpdate } from '../protocol/merkle/map.ts';
import { devGenesis } from '../protocol/receipt/dev.ts';
import { type Fleet, startFleet } from '../test/support/fleet.ts';
import type { Benchmark, Effort, Row } from './benchmark.ts';
import { exactly, growthRow, sleep, spread, take, wall } from './measure.ts';

const stateSizes = [1_000, 10_000, 100_000];
/** Blocks that a node is away for. */
const missedBlocks = 2_000;
const awayMsMax = 600_000;

async function run(effort: Effort): Promise<readonly Row[]> {
  installSha256(nativeSha256);
  const rows: Row[] = [];
  const points: [number, number][] = [];
  for (const keys of stateSizes) {
    const taken = await startOf(keys, effort.runs(5));
    points.push([keys, spread(taken).median]);
    rows.push({
      what: `start from disk, ${keys.toLocaleString('en')} keys in the state`,
      unit: 'ms',
      figure: spread(taken),
      note: 'read, map rebuilt, roots compared; without the 0.4 s of a process',
    });
  }
  rows.push(growthRow('start from disk, as the state grows', points));
  rows.push(...(await catchUpRows()));
  return rows;
}

/** Milliseconds to read back a final chain whose state has so many entries of 64 bytes. */
async function startOf(keys: number, runs: number): Promise<number[]> {
  const directory = await mkdtemp(join(tmpdir(), 'anwansi-restart-'));
  const genesis = devGenesis({ seats: 4, nonce: new Uint8Array(32), timeMs: 0 });
  const rules = ledgerRules(genesis, nativeSuite, contractsOf(genesis));
  const below = genesisChain(rules);
  const entries = Array.from({ length: keys }, (_, index) => ({
    key: utf8(`entry ${index}`),
    value: new Uint8Array([...sha256(uint64(index)), ...sha256(uint64(index + 1))]),
  }));
  const map = mapUpdate(below.map, entries);
  const history = childHistory(below);
  const header = {
    ...below.header,
    height: 1,
    view: 1,
    historyRoot: frontierRoot(history),
    stateRoot: mapRoot(map),
  };
  const hash = headerHash(header);
  const chain = { header, hash, map, history };
  // Signatures are not looked at again when a store is read: whoever wrote them had checked them.
  const signatures = [0, 1, 2].map(() => new Uint8Array(64));
  const front = { kind: 'final', epoch: 0, view: 1, block: hash } as const;
  const certificate = { ...front, seats: [0, 1, 2], signatures };
  const store = await openLevelStore({ directory, network: rules.network });
  try {
    const block = { header, signature: new Uint8Array(64), items: [] };
    const effect = { kind: 'finalize', blocks: [block], certificate, chain } as const;
    const changes = createKeeper(null, below, () => []).changes([effect]);
    await store.batch(changes, { durable: true });
    const taken = [];
    for (let i = 0; i < runs; i++) taken.push(await take(() => readKept(store, directory)));
    return wall(taken);
  } finally {
    await store.close();
    await rm(directory, { recursive: true, force: true });
  }
}

/** One of four machines starts when the others are far ahead, and jobs go on meanwhile. */
async function catchUpRows(): Promise<readonly Row[]> {
  // A seat is away: its views must not take long.
  const parameters = { stepMinMs: 1, heartbeatMs: 10, viewTimeoutMs: 100 };
  const fleet = await startFleet(4, { parameters, started: [0, 1, 2] });
  try {
    const deadline = Date.now() + awayMsMax;
    while ((await heightOf(fleet, 0)) < missedBlocks) {
      if (Date.now() > deadline) throw new Error('the others are too slow');
      await sleep(200);
    }
    const before = await settledFor(fleet, 8_000);
    const target = await heightOf(fleet, 0);
    await fleet.start(3);
    const at = performance.now();
    let caughtUp = 0;
    const { jobs, seconds } = await settledWhile(fleet, async () => {
      while ((await heightOf(fleet, 3)) < target) await sleep(20);
      caughtUp = (performance.now() - at) / 1_000;
    });
    return [
      {
        what: `${target.toLocaleString('en')} blocks behind: ready to caught up`,
        unit: 's',
        figure: exactly(caughtUp),
        note: 'process of its own, loopback; others make blocks and settle jobs',
      },
      {
        what: 'jobs settled a second meanwhile, by those before',
        unit: '',
        figure: exactly(jobs / seconds / before),
        note: `${before.toFixed(2)} a second before; ${jobs} in ${seconds.toFixed(1)} s meanwhile`,
      },
    ];
  } finally {
    await fleet.remove();
  }
}

async function heightOf(fleet: Fleet, seat: number): Promise<number> {
  return (await fleet.client(seat).status()).final.height;
}

async function settledFor(fleet: Fleet, ms: number): Promise<number> {
  const { jobs, seconds } = await settledWhile(fleet, () => sleep(ms));
  return jobs / seconds;
}

/** Jobs that are under way at seat 0 at the same time while a rate is taken. */
const flight = 8;

/** Jobs that settle at seat 0 until something else is done, and as long as the last ones take. */
async function settledWhile(
  fleet: Fleet,
  other: () => Promise<void>,
): Promise<{ readonly jobs: number; readonly seconds: number }> {
  let [going, jobs] = [true, 0];
  const at = performance.now();
  const worker = async (turn: number): Promise<void> => {
    while (going) {
      const id = await fleet.submit(0, turn);
      for (;;) {
        const { state } = await fleet.client(0).job(id);
        if (state === 'settled') break;
        if (!['pending', 'ordered', 'running'].includes(state))
          throw new Error(`a job is ${state}`);
        await sleep(20);
      }
      jobs += 1;
    }
  };
  const workers = Promise.all(Array.from({ length: flight }, (_, turn) => worker(turn)));
  await other();
  going = false;
  await workers;
  return { jobs, seconds: (performance.now() - at) / 1_000 };
}

export const restart: Benchmark = {
  name: 'restart',
  question: 'How long does a start take, and how fast does a node catch up?',
  run,
};
