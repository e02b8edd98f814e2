/** Put a job through a measured network, from the wish to the audited receipt. */
import { fileURLToPath } from 'node:url';
import { followJob } from '../node/client/follow.ts';
import { localGateway } from '../node/client/local-gateway.ts';
import { type Prepared, prepareJob } from '../node/client/prepare.ts';
import { loadProgram } from '../node/client/program.ts';
import { settleReceipt } from '../node/client/settle.ts';
import { nativeKeys, nativeSuite } from '../node/crypto.ts';
import { laneItemCount } from '../protocol/job/split.ts';
import type { JobRecord } from '../protocol/ledger/record.ts';
import type { Audit } from '../protocol/receipt/audit.ts';
import { devAccountSeed } from '../protocol/receipt/dev.ts';
import { devTrust } from '../protocol/receipt/trust.ts';
import { defaultAdversary } from '../protocol/sampling/plan.ts';
import type { Row } from './benchmark.ts';
import { exactly, sleep } from './measure.ts';
import type { MeasuredNetwork } from './network.ts';

export type JobWish = {
  readonly program: 'primes' | 'wordcount';
  readonly parameters?: string;
  readonly inputPath?: string;
  readonly subtasks?: number;
};

/** Numbers that one item of `primes` covers below 2^34. */
export const primesItemWidth = 2 ** 19;

/** A wish for exactly `items` items of a millisecond or two each. */
export function primesWish(items: number, subtasks = items): JobWish {
  const parameters = JSON.stringify({ from: 0, to: items * primesItemWidth });
  return { program: 'primes', parameters, subtasks };
}

export const programFile = (program: JobWish['program']): string =>
  fileURLToPath(new URL(`../programs/${program}/${program}.wasm`, import.meta.url));

export type MeasuredJob = {
  readonly prepared: Prepared;
  readonly record: JobRecord;
  readonly executedItems: number;
  /** From the wish to the signed job: the input is cut, hashed and stored. */
  readonly prepareMs: number;
  /** From submit until a final block has it; until its end is final. */
  readonly orderedMs: number;
  readonly settledMs: number;
  /** Blocks from the last final one at submit to the one that settled the job. */
  readonly blocks: number;
};

/** Milliseconds after which a job is given up, and for which one network gets new ones. */
const jobMsMax = 20_000;
const networkMsMax = 12_000;

/**
 * Puts jobs one after another, at different moments between two heartbeats, after one that warms
 * up and is not counted. Ends early on a network that is slow; fails if no job has settled.
 */
export async function putJobs<T>(
  runs: number,
  put: (run: number) => Promise<T>,
): Promise<readonly T[]> {
  const at = performance.now();
  const jobs: T[] = [];
  await put(-1);
  for (let run = 0; run < runs; run++) {
    if (jobs.length > 0 && performance.now() - at > networkMsMax) break;
    await sleep((run * 379) % 1_000);
    jobs.push(await put(run));
  }
  return jobs;
}

/** What a slow machine makes of a benchmark: a row that says so, and the others go on. */
export async function orLate(
  what: string,
  rows: () => Promise<readonly Row[]>,
): Promise<readonly Row[]> {
  try {
    return await rows();
  } catch (error) {
    if ((error as Error).name !== 'TimeoutError') throw error;
    const note = `no job settled within ${jobMsMax / 1_000} s: this machine is too busy`;
    return [{ what, unit: 'jobs', figure: exactly(0), note }];
  }
}

export async function putJob(network: MeasuredNetwork, wish: JobWish): Promise<MeasuredJob> {
  const node = network.nodes[0]!;
  const seats = node.rules.genesis.seats.length;
  const signal = AbortSignal.timeout(jobMsMax);
  const program = await loadProgram(wish.program, (path) => path);
  const startedAt = performance.now();
  const denominator = defaultAdversary(seats);
  const gateway = localGateway(network.nodes);
  const prepared = await prepareJob(
    {
      program,
      parameters: wish.parameters ?? '',
      inputPath: wish.inputPath ?? null,
      subtasks: wish.subtasks ?? null,
      lossExponent: 9,
      adversary: denominator === 0 ? 'max' : '1/5',
      fee: 1n,
    },
    gateway,
    network.executor,
    nativeKeys(devAccountSeed(0)),
    signal,
  );
  const submittedAt = performance.now();
  const { height } = node.state().final.header;
  let orderedMs: number | null = null;
  await gateway.submit(prepared.signed, signal);
  const { record, executedItems } = await followJob({
    gateway,
    prepared,
    signal,
    show: ({ job }) => {
      if (job !== null && job.includedHeight !== null)
        orderedMs ??= performance.now() - submittedAt;
    },
  });
  const settledMs = performance.now() - submittedAt;
  if (record.state !== 'settled') throw new Error(`the job is ${record.state}: ${record.reason}`);
  return {
    prepared,
    record,
    executedItems: executedItems ?? 0,
    prepareMs: submittedAt - startedAt,
    orderedMs: orderedMs ?? settledMs,
    settledMs,
    blocks: record.ended! - height,
  };
}

/** Whether seats were late, so that others had to be drawn. */
export function wavesText(jobs: readonly MeasuredJob[]): string {
  const most = jobs.map(({ record }) => Math.max(...record.lanes.map(({ waves }) => waves.length)));
  const late = most.filter((waves) => waves > 1);
  return late.length === 0
    ? 'one wave each'
    : `${late.length} of ${jobs.length} jobs took up to ${Math.max(...late)} waves`;
}

/** The receipt of a settled job, audited against the keys of development networks, and folded. */
export async function finishJob(
  network: MeasuredNetwork,
  { prepared }: MeasuredJob,
): Promise<{ readonly receipt: Uint8Array; readonly audit: Audit; readonly result: Uint8Array }> {
  const { executor, scratch } = network;
  const receipt = await network.nodes[0]!.receipt(prepared.id);
  const parts = { executor, scratch, suite: nativeSuite, signal: AbortSignal.timeout(60_000) };
  const { audit, conclusion } = await settleReceipt(receipt, devTrust, parts);
  if (conclusion.verdict !== 'verified' || conclusion.result === null)
    throw new Error(`the receipt is not verified: ${conclusion.code}`);
  return { receipt, audit, result: conclusion.result };
}

/** Items in the work list of a receipt: of each lane, once for every seat that agreed or not. */
export function listedItems({ receipt, lanes }: Audit, items: number): number {
  if (receipt === null || lanes === null) throw new Error('the receipt has no work list');
  const { subtasks } = receipt.job.job;
  return lanes.reduce((sum, { seats }, lane) => {
    const ran = seats.filter(({ verdict }) => verdict === 'agreed' || verdict === 'dissenting');
    return sum + ran.length * laneItemCount(items, subtasks, lanes.length, lane);
  }, 0);
}
