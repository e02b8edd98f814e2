/** Make a signed job of a program, parameters, an input and a wish. */
import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import type { Digest } from '../../protocol/crypto/hash.ts';
import { signedMessage } from '../../protocol/crypto/signature.ts';
import type { SeatKeys } from '../../protocol/crypto/suite.ts';
import type { AdversaryWord } from '../../protocol/job/job.ts';
import { type Job, jobCodec, jobId, type SignedJob } from '../../protocol/job/job.ts';
import { cidDigest } from '../../protocol/merkle/cid.ts';
import {
  costTableVersion,
  itemCountMax,
  jobLifeMsMax,
  parameterBytesMax,
  protocolVersion,
  rewriterVersion,
  slowItemMsMax,
  waveCountMin,
} from '../../protocol/params.ts';
import type { Executor, ItemSource } from '../ports.ts';
import { ClientError } from './error.ts';
import type { Anchor, Gateway } from './gateway.ts';
import { type ItemList, storeInput } from './input.ts';
import type { Program } from './program.ts';

/** What a submitter asks for. */
export type Wish = {
  readonly program: Program;
  /** JSON text, passed to the program as it is; empty without parameters. */
  readonly parameters: string;
  readonly inputPath: string | null;
  readonly subtasks: number | null;
  readonly lossExponent: number;
  readonly adversary: AdversaryWord;
  readonly fee: bigint;
};

/** A job, ready to be submitted, and what was learned on the way. */
export type Prepared = {
  readonly signed: SignedJob;
  readonly id: Uint8Array;
  readonly items: number;
  readonly inputBytes: number;
  readonly programCid: Uint8Array;
  /** How many jobs it took the place of, because the time of each was over. */
  readonly renewals: number;
};

const subtaskCountDefault = 256;
/** Bytes that a seat is given time to fetch in a millisecond: about 16 MB a second. */
const fetchedBytesPerMs = 16_384;

/** Checks that parameters are JSON; they are never parsed for the program. @throws ClientError */
export function checkParameters(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length > parameterBytesMax)
    throw new ClientError({
      code: 'PARAMETERS_TOO_LONG',
      bytes: bytes.length,
      bytesMax: parameterBytesMax,
    });
  if (text === '') return bytes;
  try {
    JSON.parse(text);
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new ClientError({ code: 'PARAMETERS_NOT_JSON', reason }, { cause });
  }
  return bytes;
}

/** Whether a program makes its own items. @throws ClientError where program and input do not fit */
export function isGenerated({ program, inputPath }: Wish): boolean {
  const generates = program.exports.generates;
  if (inputPath === null && !generates)
    throw new ClientError({ code: 'INPUT_MISSING', program: program.name });
  if (inputPath !== null && generates)
    throw new ClientError({ code: 'INPUT_NEEDLESS', program: program.name });
  return generates;
}

/** Uploads program and input to a network and signs the job. */
export async function prepareJob(
  wish: Wish,
  gateway: Gateway,
  executor: Executor,
  keys: SeatKeys,
  signal: AbortSignal,
): Promise<Prepared> {
  const { program, inputPath } = wish;
  const generated = isGenerated(wish);
  const parameters = checkParameters(wish.parameters);
  const programCid = await gateway.putBlob(program.bytes, signal);
  const programPath = await gateway.file(programCid, signal);
  const list =
    generated || inputPath === null
      ? null
      : await storeInput(inputPath, program.manifest, gateway, signal);
  const wallMs = gateway.genesis.parameters.itemWallMs;
  const measure = { executor, programPath, parameters, wallMs, signal };
  const items = list === null ? await countItems(measure) : list.cids.length;
  const slowItemMs = await measureItems(measure, gateway, list, items);
  const anchor = await gateway.anchor(signal);
  const job: Job = {
    version: protocolVersion,
    rewriter: rewriterVersion,
    costTable: costTableVersion,
    network: gateway.network as Digest,
    submitter: keys.publicKey,
    nonce: freshNonce(),
    program: programCid,
    input:
      list === null
        ? { kind: 'generated', items }
        : { kind: 'list', root: cidDigest(list.list), items },
    cut: list === null ? 'generated' : program.manifest.cut.kind,
    parameters,
    subtasks: Math.min(wish.subtasks ?? Math.min(items, subtaskCountDefault), items),
    tier: 'exact',
    lossExponent: wish.lossExponent,
    adversary: wish.adversary,
    spare: 0,
    fuelItem: 0n,
    fuelCombine: 0n,
    fuelFold: 0n,
    fuelRender: 0n,
    slowItemMs,
    fee: wish.fee,
    ...anchored(anchor),
    waves: waveCountMin,
  };
  const named = signJob(job, gateway, keys);
  return { ...named, items, inputBytes: list?.bytes ?? 0, programCid, renewals: 0 };
}

/** The same job anew, on a later anchor: another nonce, another id, another time to be ordered. */
export async function renewJob(
  before: Prepared,
  gateway: Gateway,
  keys: SeatKeys,
  signal: AbortSignal,
): Promise<Prepared> {
  const anchor = await gateway.anchor(signal);
  const job: Job = { ...before.signed.job, nonce: freshNonce(), ...anchored(anchor) };
  return { ...before, ...signJob(job, gateway, keys), renewals: before.renewals + 1 };
}

function freshNonce(): bigint {
  return randomBytes(8).readBigUInt64BE();
}

function anchored({ height, hash, timeMs }: Anchor) {
  return { anchorHeight: height, anchorHash: hash, includeByMs: timeMs + jobLifeMsMax };
}

function signJob(
  job: Job,
  { network }: Gateway,
  keys: SeatKeys,
): { readonly signed: SignedJob; readonly id: Uint8Array } {
  const message = signedMessage('job', network as Digest, jobCodec.encode(job));
  return { signed: { job, signature: keys.sign(message) }, id: jobId(job) };
}

type Measure = {
  readonly executor: Executor;
  readonly programPath: string;
  readonly parameters: Uint8Array;
  readonly wallMs: number;
  readonly signal: AbortSignal;
};

/** Items that a program makes of its parameters. @throws ClientError COUNT_FAILED, COUNT_OUT_OF_RANGE */
export async function countItems({
  executor,
  programPath,
  parameters,
  wallMs,
  signal,
}: Measure): Promise<number> {
  const counted = await executor.count(programPath, parameters, wallMs, signal);
  if (counted.kind !== 'ok')
    throw new ClientError({ code: 'COUNT_FAILED', reason: counted.reason });
  const { buffer, byteOffset } = counted.value;
  const items = new DataView(buffer, byteOffset, 8).getBigUint64(0);
  if (items < 1n || items > BigInt(itemCountMax))
    throw new ClientError({
      code: 'COUNT_OUT_OF_RANGE',
      items: String(items),
      itemsMax: itemCountMax,
    });
  return Number(items);
}

/**
 * Time to fetch and run the slowest of the first, the middle and the last item, in milliseconds. An item
 * that does not return normally counts as 0: the job is still submitted, and its seats will say so.
 */
async function measureItems(
  { executor, programPath, parameters, wallMs, signal }: Measure,
  gateway: Gateway,
  list: ItemList | null,
  items: number,
): Promise<number> {
  let slowest = 0;
  for (const index of new Set([0, Math.floor(items / 2), items - 1])) {
    const source: ItemSource =
      list === null
        ? { kind: 'generated', index }
        : { kind: 'file', path: await gateway.file(list.cids[index]!, signal) };
    const run = { programPath, parameters, items: [source], plan: [0], itemWallMs: wallMs };
    const outcome = await executor.runSubtask(run, signal);
    if (outcome.kind === 'local') break; // Too slow or too large here: the seats will say so.
    if (outcome.value === null) continue;
    const bytes = source.kind === 'file' ? (await stat(source.path)).size : 0;
    slowest = Math.max(slowest, Math.ceil(outcome.slowestItemMs + bytes / fetchedBytesPerMs));
  }
  return Math.min(slowest, slowItemMsMax);
}
