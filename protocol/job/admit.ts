/** Judge whether a job may enter a pool or a block, as far as the job alone can tell. */
import { mark } from '../assert.ts';
import { sameBytes } from '../brand.ts';
import type { Digest } from '../crypto/hash.ts';
import { signedMessage } from '../crypto/signature.ts';
import type { CryptoSuite } from '../crypto/suite.ts';
import { accept, ProtocolError, reject, type Verdict } from '../errors.ts';
import { cidCodec, isCid, listCodec } from '../merkle/cid.ts';
import {
  costTableVersion,
  fuelCallMax,
  fuelFoldMax,
  jobLifeMsMax,
  protocolVersion,
  rewriterVersion,
  waveCountMin,
} from '../params.ts';
import { adversarialSeats } from '../sampling/plan.ts';
import { adversaryDenominator, itemCount, type Job, jobCodec, type SignedJob } from './job.ts';

/** What a judge of jobs must know of the network. */
export type JobRules = {
  readonly network: Digest;
  readonly seats: number;
  readonly suite: CryptoSuite;
};

/**
 * Judges a job by itself: everything that stays false for ever is rejected by name.
 * Nonces, balances and time are the ledger's to judge.
 * @see spec/protocol/job.md J3 to J14
 */
export function admitJob(signed: SignedJob, rules: JobRules): Verdict {
  const { job } = signed;
  if (!sameBytes(job.network, rules.network)) return refuse('J3', 'JOB_OTHER_NETWORK');
  if (job.version !== protocolVersion) return refuse('J4', 'JOB_VERSION');
  if (job.rewriter !== rewriterVersion || job.costTable !== costTableVersion)
    return refuse('J5', 'JOB_METERING_VERSION');
  if (!fuelInRange(job)) return refuse('J6', 'JOB_FUEL_OUT_OF_RANGE');
  if (job.tier !== 'exact') return refuse('J7', 'JOB_TIER_UNSUPPORTED');
  if (job.spare !== 0) return refuse('J8', 'JOB_SPARE_UNSUPPORTED');
  if (job.subtasks > itemCount(job)) return refuse('J9', 'JOB_MORE_SUBTASKS_THAN_ITEMS');
  if ((job.input.kind === 'generated') !== (job.cut === 'generated') || !namesBlob(job.program))
    return refuse('J10', 'JOB_INPUT_MALFORMED');
  if (job.waves < waveCountMin) return refuse('J11', 'JOB_TOO_FEW_WAVES');
  if (!adversaryFits(signed, rules.seats)) return refuse('J12', 'JOB_ADVERSARY_TOO_LARGE');
  const message = signedMessage('job', rules.network, jobCodec.encode(job));
  if (!rules.suite.verify(job.submitter, message, signed.signature))
    return refuse('J13', 'JOB_SIGNATURE');
  mark('J14');
  return accept;
}

function fuelInRange({ fuelItem, fuelCombine, fuelFold, fuelRender }: Job): boolean {
  const calls = [fuelItem, fuelCombine, fuelRender];
  const fits = (fuel: bigint, most: bigint): boolean => fuel >= 1n && fuel <= most;
  return calls.every((fuel) => fits(fuel, fuelCallMax)) && fits(fuelFold, fuelFoldMax);
}

function namesBlob(bytes: Uint8Array): boolean {
  return isCid(bytes) && cidCodec(bytes) !== listCodec;
}

function adversaryFits({ job }: SignedJob, seats: number): boolean {
  try {
    adversarialSeats(seats, adversaryDenominator(job.adversary));
    return true;
  } catch (error) {
    if (error instanceof ProtocolError) return false;
    throw error;
  }
}

function refuse(line: string, code: string): Verdict {
  mark(line);
  return reject(code);
}

/**
 * Whether a job whose anchor has `anchorTimeMs` may live as long as it asks.
 * @see spec/protocol/job.md J16
 */
export function lifeFits(includeByMs: number, anchorTimeMs: number): boolean {
  mark('J16');
  return includeByMs <= anchorTimeMs + jobLifeMsMax;
}
