/** Run one job on an embedded network, from the wish to the audited receipt. */
import { randomBytes } from 'node:crypto';
import { type Hex, hex, utf8 } from '../../protocol/brand.ts';
import { sha256 } from '../../protocol/crypto/hash.ts';
import type { JobRecord } from '../../protocol/ledger/record.ts';
import { formatRatio } from '../../protocol/ratio.ts';
import type { Audit, Conclusion } from '../../protocol/receipt/audit.ts';
import { devAccountSeed } from '../../protocol/receipt/dev.ts';
import { devTrust } from '../../protocol/receipt/trust.ts';
import { ClientError } from '../client/error.ts';
import { followJob, type Sighting } from '../client/follow.ts';
import { checkInput } from '../client/input.ts';
import {
  checkParameters,
  isGenerated,
  type Prepared,
  prepareJob,
  type Wish,
} from '../client/prepare.ts';
import { settleReceipt } from '../client/settle.ts';
import { nativeKeys, nativeSuite } from '../crypto.ts';
import { type Embedded, startEmbedded } from '../embedded.ts';
import type { FaultName } from '../faults.ts';
import { codeEntry } from './codes.ts';
import type { Context } from './command.ts';
import { CliError, exitCodes } from './error.ts';
import type { ProgressView } from './progress.ts';

/** A network to run on, and what is wrong with it on purpose. */
export type NetworkWish = {
  readonly seats: number;
  readonly faulty: number;
  readonly fault: FaultName | null;
  readonly seed: string | null;
};

/** A job that came to an end with a receipt. */
export type FinishedJob = {
  readonly prepared: Prepared;
  readonly record: JobRecord;
  readonly receipt: Uint8Array;
  readonly audit: Audit;
  readonly conclusion: Conclusion;
  readonly executedItems: number;
  readonly timings: {
    readonly networkMs: number;
    readonly prepareMs: number;
    readonly settleMs: number;
    readonly receiptMs: number;
  };
};

/** Starts the embedded network; it is stopped and removed when the command ends. */
export async function startNetwork(wish: NetworkWish, context: Context): Promise<Embedded> {
  const { output, onExit } = context;
  const nonce = wish.seed === null ? randomBytes(32) : sha256(utf8(wish.seed));
  const { seats, faulty, fault } = wish;
  const network = await startEmbedded({ seats, faulty, fault, nonce, readable: [] });
  onExit(() => network.stop());
  const last = Array.from({ length: faulty }, (_, place) => seats - faulty + place);
  if (fault !== null && faulty > 0)
    output.note(`network of ${seats} validators, ${fault}: seats ${last.join(', ')}`);
  else
    output.note(`network of ${seats} validators on loopback, keys public: for trying things out`);
  if (faulty > Math.floor((seats - 1) / 3))
    output.warn('beyond the assumption: the result may be wrong');
  return network;
}

/** Refuses what can be refused before a network is started. @throws ClientError */
export async function checkWish(wish: Wish): Promise<void> {
  checkParameters(wish.parameters);
  isGenerated(wish);
  if (wish.inputPath !== null) await checkInput(wish.inputPath);
}

/** Runs a job to its end. @throws CliError, ClientError and others with a code, by how it ended */
export async function runJob(
  wish: Wish,
  network: Embedded,
  context: Context,
): Promise<FinishedJob> {
  const { output, signal } = context;
  const node = network.nodes[0]!;
  const startedAt = Date.now();
  const prepared = await prepareJob(
    wish,
    node,
    network.executor,
    nativeKeys(devAccountSeed(0)),
    signal,
  );
  const prepareMs = Date.now() - startedAt;
  output.detail(`job ${hex(prepared.id)}: ${prepared.items} items`);
  const verdict = await node.submit(prepared.signed);
  if (verdict.verdict !== 'accept') throw refused(verdict.code);
  const progress = output.progress();
  const ending = await followJob({
    nodes: network.nodes,
    prepared,
    signal,
    show: (sighting) => progress.show(progressView(sighting, prepared)),
  })
    .catch((error: unknown) => {
      throw lostSightOf(error, prepared.id, context);
    })
    .finally(() => progress.end());
  const { record, executedItems, elapsedMs: settleMs } = ending;
  if (record.state === 'expired' || record.state === 'voided')
    throw endedBadly(record, prepared.id, context);
  const receiptAt = Date.now();
  const receipt = await node.receipt(prepared.id);
  const { audit, conclusion } = await settleReceipt(receipt, devTrust, {
    executor: network.executor,
    scratch: network.scratch,
    suite: nativeSuite,
    signal,
  });
  const receiptMs = Date.now() - receiptAt;
  const timings = { networkMs: 0, prepareMs, settleMs, receiptMs };
  return { prepared, record, receipt, audit, conclusion, executedItems, timings };
}

function refused(refusal: string): CliError {
  const entry = codeEntry(refusal);
  return new CliError({
    code: 'JOB_REFUSED',
    message: `the network refused the job: ${entry?.meaning ?? ''} (${refusal})`,
    hint: `${entry?.remedy ?? ''}\nMore: anwansi explain ${refusal}`,
    exitCode: exitCodes.usage,
  });
}

function endedBadly(record: JobRecord, id: Uint8Array, { output }: Context): CliError {
  const { state, reason } = record;
  const entry = codeEntry(reason);
  tellState(output, id, state);
  return new CliError({
    code: reason,
    message: `job ${shortId(id)} is ${state}. ${entry?.meaning ?? ''} ${entry?.cause ?? ''}`,
    hint: `${entry?.remedy ?? ''}\nMore: anwansi explain ${reason}`,
    exitCode: state === 'expired' ? exitCodes.jobExpired : exitCodes.jobFailed,
  });
}

/** Says in which state a job is left that cannot be followed any more; gives the error back. */
function lostSightOf(error: unknown, id: Uint8Array, { output }: Context): unknown {
  const code = error instanceof ClientError ? error.code : null;
  if (code === 'NETWORK_NO_QUORUM') tellState(output, id, 'stalled');
  if (code === 'NOT_INCLUDED') tellState(output, id, 'expired');
  return error;
}

/** A machine that reads the document learns of a job also when there is no result. */
function tellState(output: Context['output'], id: Uint8Array, state: string): void {
  if (output.json) output.result({ job: hex(id), state, result: null }, '');
}

/** What a person sees of a job that is under way. */
export function progressView(sighting: Sighting, prepared: Prepared): ProgressView {
  const { job, executedItems, elapsedMs } = sighting;
  const lanes = (job?.lanes ?? []).map(({ accepted, votes, needed }) => ({
    accepted,
    votes,
    needed,
  }));
  const perLane = job?.record.plan?.perLane ?? 1;
  const total = prepared.signed.job.subtasks;
  const share = Math.min(1, executedItems / (prepared.items * perLane));
  return {
    state: job?.record.state ?? 'submitted',
    elapsedMs,
    lanes,
    subtasks: { done: Math.floor(total * share), total },
    bound:
      job === null || job.lanes.length === 0
        ? null
        : { soFar: formatRatio(job.bound), asked: `1e-${prepared.signed.job.lossExponent}` },
    awaited: awaitedText(sighting),
  };
}

function awaitedText({ job }: Sighting): string | null {
  if (job === null) return 'a block that orders the job';
  if (job.record.state === 'ordered') return 'the beacon of the next block';
  const open = job.lanes.filter(({ phase }) => phase !== 'closed');
  const [first] = open;
  if (first === undefined) return null;
  const seats = [...new Set(open.flatMap(({ awaited }) => awaited))].sort((a, b) => a - b);
  const what = {
    committing: 'commits',
    revealing: 'reveals',
    opening: 'openings',
    drawing: 'the next draw',
    closed: '',
  }[first.phase];
  const until =
    first.untilMs === null ? '' : `, until ${new Date(first.untilMs).toISOString().slice(11, 19)}`;
  return seats.length === 0 ? what : `${what} of seats ${seats.join(', ')}${until}`;
}

/** The short name of a job's files. */
export function shortId(id: Uint8Array): Hex {
  return hex(id.subarray(0, 4));
}
