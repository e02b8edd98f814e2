/** Measure how many jobs and statements a block applies a second, against signatures alone. */
import { nativeKeys, nativeSha256, nativeSuite } from '../node/crypto.ts';
import { installSha256 } from '../protocol/crypto/hash.ts';
import type { CryptoSuite } from '../protocol/crypto/suite.ts';
import { ledgerRules } from '../protocol/ledger/chain.ts';
import { applyBlock } from '../protocol/ledger/transition.ts';
import { devAccountSeed, devGenesis, devSeatSeed } from '../protocol/receipt/dev.ts';
import { LedgerWorld, smallProgram } from '../test/support/ledger-world.ts';
import type { Benchmark, Effort, Row } from './benchmark.ts';
import { growthRow, interleave, paired, processor, spread, wall } from './measure.ts';

const seats = 13;
const jobCounts = [1, 8, 64];

async function run(effort: Effort): Promise<readonly Row[]> {
  installSha256(nativeSha256);
  const rows: Row[] = [];
  const ofJobs: [number, number][] = [];
  const ofStatements: [number, number][] = [];
  for (const jobs of jobCounts) {
    const world = worldWith(jobs);
    const ordering = await applyRow(world, 2, jobs, `${jobs} jobs in a block`, 'jobs/s', effort);
    rows.push(ordering.row);
    ofJobs.push([jobs, ordering.ms]);
    const height = fullest(world);
    const count = world.bodies[height]!.length;
    const what = `${count} statements in a block`;
    const listening = await applyRow(world, height, count, what, 'statements/s', effort);
    rows.push(listening.row);
    ofStatements.push([count, listening.ms]);
  }
  rows.push(growthRow('a block, as its jobs grow', ofJobs));
  rows.push(growthRow('a block, as its statements grow', ofStatements));
  return rows;
}

/** A chain of real keys and signatures on which as many jobs have ended, all from one block. */
function worldWith(jobs: number): LedgerWorld {
  const genesis = devGenesis({ seats, nonce: new Uint8Array(32), timeMs: 1_700_000_000_000 });
  const keys = Array.from({ length: seats }, (_, seat) => nativeKeys(devSeatSeed(seat)));
  const account = nativeKeys(devAccountSeed(0));
  const world = new LedgerWorld(
    { suite: nativeSuite, seat: (index) => keys[index]!, account: () => account },
    genesis,
  );
  world.block();
  world.run(Array.from({ length: jobs }, () => world.job(smallProgram)));
  return world;
}

function fullest(world: LedgerWorld): number {
  const counts = world.bodies.map((items, height) => (height <= 2 ? 0 : items.length));
  return counts.indexOf(Math.max(...counts));
}

async function applyRow(
  world: LedgerWorld,
  height: number,
  count: number,
  what: string,
  unit: string,
  effort: Effort,
): Promise<{ readonly row: Row; readonly ms: number }> {
  const { genesis, chains, bodies } = world;
  const apply = (suite: CryptoSuite): void => {
    const rules = ledgerRules(genesis, suite, world.rules.contracts);
    const { header } = chains[height]!;
    const applied = applyBlock(chains[height - 1]!, header, bodies[height]!, rules);
    if (!applied.ok) throw new Error(`the block does not apply: ${applied.code}`);
  };
  const asked: (() => unknown)[] = [];
  apply({
    validKey: nativeSuite.validKey,
    verify: (...question) => {
      asked.push(() => nativeSuite.verify(...question));
      return nativeSuite.verify(...question);
    },
    vrfVerify: (...question) => {
      asked.push(() => nativeSuite.vrfVerify(...question));
      return nativeSuite.vrfVerify(...question);
    },
  });
  const taken = await interleave(effort.runs(9), {
    apply: () => apply(nativeSuite),
    signatures: () => {
      for (const ask of asked) ask();
    },
  });
  const rate = (ms: readonly number[]): number[] => ms.map((each) => count / (each / 1_000));
  const row = paired(what, unit, rate(processor(taken.apply)), {
    name: 'its signatures and its VRF proof alone',
    values: rate(processor(taken.signatures)),
  });
  const { median: ms } = spread(processor(taken.apply));
  const note = `${ms.toFixed(1)} ms a block of ${bytesOf(bodies[height]!)} bytes, ${asked.length} checks`;
  return { row: { ...row, wallMs: spread(wall(taken.apply)), note }, ms };
}

function bytesOf(items: readonly Uint8Array[]): number {
  return items.reduce((sum, { length }) => sum + length, 0);
}

export const blocks: Benchmark = {
  name: 'blocks',
  question: 'How many jobs and statements does a block apply a second?',
  run,
};
