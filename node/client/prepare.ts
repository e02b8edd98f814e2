/** Make a signed job of a program, parameters, an input and a wish. */
import { randomBytes } from 'node:crypto';
import type { Digest } from '../../protocol/crypto/hash.ts';
import { signedMessage } from '../../protocol/crypto/signature.ts';
import type { SeatKeys } from '../../protocol/crypto/suite.ts';
import type { AdversaryWord } from '../../protocol/job/job.ts';
import { type Job, jobCodec, jobId, type SignedJob } from '../../protocol/job/job.ts';
import { cidDigest } from '../../protocol/merkle/cid.ts';
import {
  costTableVersion,
  jobLifeMsMax,
  parameterBytesMax,
  protocolVersion,
  rewriterVersion,
  waveCountMin,
} from '../../protocol/params.ts';
import type { Executor } from '../ports.ts';
import { ClientError } from './error.ts';
import { chooseLimits, type FuelLimits } from './fuel.ts';
import type { Anchor, Gateway } from './gateway.ts';
import { type ItemList, storeInput } from './input.ts';
import { countItems, type JobItems, type Measured, measureJob, slowItemMs } from './measure.ts';
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
  /** Tokens for a million units of fuel of one execution. */
  readonly fee: bigint;
  /** Limits of fuel that were asked for; the others follow from what is measured. */
  readonly fuel?: Partial<FuelLimits>;
  /** Submit it also where what is measured says that it will fail. */
  readonly unchecked?: boolean;
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
  /** What a few of its items used on this machine. */
  readonly measured: Measured;
};

const subtaskCountDefault = 256;

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

/**
 * Uploads program and input to a network and signs the job.
 * @param scratch - Where the executor may read, to look for the line by which an item fails.
 */
export async function prepareJob(
  wish: Wish,
  gateway: Gateway,
  executor: Executor,
  keys: SeatKeys,
  signal: AbortSignal,
  scratch: string | null = null,
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
  const lineFolder = program.manifest.cut.kind === 'lines' ? scratch : null;
  const machine = { executor, programPath, parameters, signal, lineFolder };
  const found = await jobItems(list, gateway, signal, () => countItems(machine));
  const items = { ...found, inputPath };
  const wished = wish.fuel ?? {};
  const measured = await measureJob(machine, items, wished);
  const limits = chooseLimits(wished, measured);
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
        ? { kind: 'generated', items: items.count }
        : { kind: 'list', root: cidDigest(list.list), items: items.count },
    cut: list === null ? 'generated' : program.manifest.cut.kind,
    parameters,
    subtasks: subtaskCount(wish.subtasks, items.count),
    tier: 'exact',
    lossExponent: wish.lossExponent,
    adversary: wish.adversary,
    spare: 0,
    fuelItem: limits.item,
    fuelCombine: limits.combine,
    fuelFold: limits.fold,
    fuelRender: limits.render,
    slowItemMs: slowItemMs(measured),
    fee: wish.fee,
    ...anchored(anchor),
    waves: waveCountMin,
  };
  const named = signJob(job, gateway, keys);
  const inputBytes = list?.bytes ?? 0;
  return { ...named, items: items.count, inputBytes, programCid, measured, renewals: 0 };
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

/** Subtasks of a job: as many as items, up to 256, unless it says otherwise. */
function subtaskCount(wished: number | null, items: number): number {
  return Math.min(wished ?? subtaskCountDefault, items);
}

/** The items of an input that the network has, or those that a program makes. */
async function jobItems(
  list: ItemList | null,
  gateway: Gateway,
  signal: AbortSignal,
  count: () => Promise<number>,
): Promise<JobItems> {
  if (list === null) {
    const source = (index: number) => ({ kind: 'generated', index }) as const;
    return { count: await count(), bytes: null, largest: null, source };
  }
  const { cids, bytes, largest, starts } = list;
  const source = async (index: number) =>
    ({ kind: 'file', path: await gateway.file(cids[index]!, signal) }) as const;
  return { count: cids.length, bytes, largest, source, start: (index) => starts[index]! };
}
