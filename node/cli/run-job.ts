/** Run one job, from the wish to the audited receipt. */
import { randomBytes } from 'node:crypto';
import { type Hex, hex, utf8 } from '../../protocol/brand.ts';
import { sha256 } from '../../protocol/crypto/hash.ts';
import type { SeatKeys } from '../../protocol/crypto/suite.ts';
import type { Genesis } from '../../protocol/ledger/genesis.ts';
import type { JobRecord } from '../../protocol/ledger/record.ts';
import { devAccountSeed } from '../../protocol/receipt/dev.ts';
import { devTrust, type Trust } from '../../protocol/receipt/trust.ts';
import { ClientError } from '../client/error.ts';
import { followJob } from '../client/follow.ts';
import { refuseForeseen } from '../client/foreseen.ts';
import { limitsOf } from '../client/fuel.ts';
import type { Gateway } from '../client/gateway.ts';
import { checkInput } from '../client/input.ts';
import { localGateway } from '../client/local-gateway.ts';
import {
  checkParameters,
  isGenerated,
  type Prepared,
  prepareJob,
  type Wish,
} from '../client/prepare.ts';
import type { Program } from '../client/program.ts';
import type { Renewal } from '../client/renewal.ts';
import { type SettledReceipt, settleReceipt } from '../client/settle.ts';
import { nativeKeys, nativeSuite } from '../crypto.ts';
import { type Embedded, startEmbedded } from '../embedded.ts';
import type { FaultName } from '../faults.ts';
import type { Executor } from '../ports.ts';
import { codeEntry } from './codes.ts';
import type { Context } from './command.ts';
import { CliError, exitCodes } from './error.ts';
import { measureWarnings } from './foreseen-words.ts';
import { limitsText } from './fuel-words.ts';
import { badEnd, type JobTerms, progressView } from './job-words.ts';

/** A network to run on, and what is wrong with it on purpose. */
export type NetworkWish = {
  readonly seats: number;
  readonly faulty: number;
  readonly fault: FaultName | null;
  readonly seed: string | null;
  /** Its seats look at the laws of programs: needless where this process does, before it submits. */
  readonly looking: boolean;
};

/** A job that came to an end with a receipt. */
export type FinishedJob = SettledReceipt & {
  readonly prepared: Prepared;
  readonly record: JobRecord;
  readonly receipt: Uint8Array;
  readonly genesis: Genesis;
  readonly executedItems: number | null;
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
  const { seats, faulty, fault, looking } = wish;
  const common = { nonce, readable: [], unchecked: !looking };
  const network = await startEmbedded({ seats, faulty, fault, ...common });
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

/** Where a job runs: a way to the network, and what the submitter has of his own. */
export type Ground = {
  readonly gateway: Gateway;
  readonly executor: Executor;
  /** A folder that the executor may read. */
  readonly scratch: string;
  readonly keys: SeatKeys;
  /** By what the receipt is audited. */
  readonly trust: Trust;
};

/** An embedded network, used by its first dev account. */
export function embeddedGround({ nodes, executor, scratch }: Embedded): Ground {
  const keys = nativeKeys(devAccountSeed(0));
  return { gateway: localGateway(nodes), executor, scratch, keys, trust: devTrust };
}

/** A job that the network has. */
export type SubmittedJob = { readonly prepared: Prepared; readonly prepareMs: number };

/**
 * Prepares and submits a job. `submitting` hears its id just before the network can know of it.
 * @throws ClientError ITEM_FAILED, COMBINE_FAILED, RENDER_FAILED before anything is submitted, where
 * what was measured says that it will fail; CliError and others with a code
 */
export async function submitJob(
  wish: Wish,
  { gateway, executor, scratch, keys }: Ground,
  { output, signal }: Context,
  submitting: (id: Uint8Array) => void = () => {},
): Promise<SubmittedJob> {
  const startedAt = Date.now();
  const prepared = await prepareJob(wish, gateway, refusing(executor, wish), keys, signal, scratch);
  const prepareMs = Date.now() - startedAt;
  const { signed, items, measured } = prepared;
  output.detail(`job ${hex(prepared.id)}: ${items} items`);
  output.detail(limitsText(signed.job, gateway.genesis));
  const limits = limitsOf(signed.job);
  if (wish.unchecked !== true) refuseForeseen(measured, limits);
  for (const line of measureWarnings(measured, limits)) output.warn(line);
  submitting(prepared.id);
  await gateway.submit(prepared.signed, signal).catch((error: unknown) => {
    throw error instanceof ClientError && error.detail.code === 'JOB_REFUSED'
      ? refused(error.detail.refusal)
      : error;
  });
  return { prepared, prepareMs };
}

/**
 * Follows a job to its end and audits its receipt. `following` hears of each job that takes its
 * place, just before the network can know of it. @throws by how it ended
 */
export async function finishJob(
  { prepared: first, prepareMs }: SubmittedJob,
  { gateway, executor, scratch, keys, trust }: Ground,
  context: Context,
  following: (id: Uint8Array) => void = () => {},
): Promise<FinishedJob> {
  const { output, signal } = context;
  const progress = output.progress();
  let prepared = first;
  const renewing = ({ before, prepared: next }: Renewal): void => {
    output.warn(
      `no block took job ${hex(before.id)} in its time, and none can any more: ` +
        `it is submitted anew as ${hex(next.id)}`,
    );
    prepared = next;
    following(next.id);
  };
  const ending = await followJob({
    gateway,
    prepared,
    signal,
    renewal: { keys, renewing },
    show: (sighting) => progress.show(progressView(sighting, jobTerms(prepared))),
  })
    .catch((error: unknown) => {
      throw lostSightOf(error, prepared.id, context);
    })
    .finally(() => progress.end());
  const { record, executedItems, elapsedMs: settleMs } = ending;
  if (record.state === 'expired' || record.state === 'voided')
    throw endedBadly(record, prepared.id, context);
  const receiptAt = Date.now();
  const receipt = await gateway.receipt(prepared.id, signal);
  const parts = { executor, scratch, suite: nativeSuite, signal };
  const settled = await settleReceipt(receipt, trust, parts);
  const receiptMs = Date.now() - receiptAt;
  const timings = { networkMs: 0, prepareMs, settleMs, receiptMs };
  const { genesis } = gateway;
  return { ...settled, prepared, record, receipt, genesis, executedItems, timings };
}

/**
 * Runs a job on an embedded network to its end; `submitting` as for {@link submitJob}.
 * @throws by how it ended
 */
export async function runJob(
  wish: Wish,
  network: Embedded,
  context: Context,
  submitting: () => void = () => {},
): Promise<FinishedJob> {
  const ground = embeddedGround(network);
  const submitted = await submitJob(wish, ground, context, submitting);
  return finishJob(submitted, ground, context).catch((error: unknown) => {
    throw isStall(error) ? stalledHere(error, network.nodes.length) : error;
  });
}

function isStall(error: unknown): error is ClientError {
  return error instanceof ClientError && error.code === 'NETWORK_NO_QUORUM';
}

/** An embedded network ends with its command: nothing of it goes on, whoever may come back. */
function stalledHere(error: ClientError, seats: number): CliError {
  const most = Math.floor((seats - 1) / 3);
  return new CliError(
    {
      code: error.code,
      message: error.message,
      hint:
        'The network was embedded in this command and ended with it, and so did the job. ' +
        `Run it again with at most ${most} of ${seats} validators that misbehave: --faulty ${most}.\n` +
        `More: anwansi explain ${error.code}`,
      exitCode: exitCodes.network,
    },
    { cause: error },
  );
}

/** Tells parameters that the program refuses from a program that is at fault. */
function refusing(executor: Executor, { program, parameters }: Wish): Executor {
  return {
    ...executor,
    count: async (...asked) => {
      const counted = await executor.count(...asked);
      // A trap or an endless loop is the program's own; this is its answer.
      if (counted.kind !== 'failed' || counted.class !== 'bad-value') return counted;
      throw new CliError({
        code: 'PARAMETERS_REFUSED',
        message: `${parameters === '' ? 'no --params was given' : '--params'}: ${counted.reason}`,
        hint: `${expectedText(program)}\nMore: anwansi explain PARAMETERS_REFUSED`,
        exitCode: exitCodes.usage,
      });
    },
  };
}

/** Where it stands what parameters a program expects. */
function expectedText({ name, bundled }: Program): string {
  return bundled
    ? `Check --params: docs/programs.md says what ${name} expects.`
    : `Check --params: what ${name} expects, its author knows, or its own notes say.`;
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

function endedBadly({ state, reason }: JobRecord, id: Uint8Array, { output }: Context): CliError {
  tellState(output, id, state);
  return badEnd(hex(id), state, reason);
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

function jobTerms({ signed, items }: Prepared): JobTerms {
  const { subtasks, lossExponent } = signed.job;
  return { items, subtasks, loss: `1e-${lossExponent}` };
}

/** The short name of a job's files. */
export function shortId(id: Uint8Array): Hex {
  return hex(id.subarray(0, 4));
}
