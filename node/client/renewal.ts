/** Submit a job anew when its time ran out and nobody can order it any more. */
import type { SeatKeys } from '../../protocol/crypto/suite.ts';
import { ApiError, ClientError } from './error.ts';
import type { Gateway } from './gateway.ts';
import { type Prepared, renewJob } from './prepare.ts';
import { wait } from './wait.ts';

/** Times that a job is submitted anew. */
export const renewalCountMax = 3;
/** Milliseconds for which a chain that catches up is waited for. */
const calmMsMax = 300_000;
/** Milliseconds between our clock and chain time that are none, and for which its pace is looked at. */
const calmLagMs = 10_000;
const calmLookMs = 8_000;
/** Chain time by ours up to which it is calm. */
const calmPace = 1.5;

/** What a node says of a job that comes when its time is over. */
const lateCode = 'JOB_NOT_INCLUDED_IN_TIME';

/** A job that took the place of one whose time was over. It has an id and a nonce of its own. */
export type Renewal = {
  readonly before: Prepared;
  readonly prepared: Prepared;
};

/** What it takes to submit a job anew. */
export type RenewalWish = {
  readonly keys: SeatKeys;
  /** Hears of the new job just before the network can know of it. */
  readonly renewing: (renewal: Renewal) => void;
  /** Waits for a chain that catches up; {@link untilCalm} unless given. */
  readonly calm?: typeof untilCalm;
};

type Way = { readonly gateway: Gateway; readonly signal: AbortSignal };
export type RenewalOptions = RenewalWish & Way;

/**
 * Submits a job; one that came too late to be taken at all is anchored anew. Gives the job that the
 * network has.
 * @throws what the gateway throws; the signal's reason
 */
export async function submitRenewing(
  prepared: Prepared,
  options: RenewalOptions,
): Promise<Prepared> {
  for (let job = prepared; ; job = await renewed(job, options))
    try {
      await options.gateway.submit(job.signed, options.signal);
      return job;
    } catch (error) {
      // The node says that a final header is past it: nobody can order it any more.
      if (!isLate(error) || job.renewals >= renewalCountMax) throw error;
    }
}

/** The job that takes the place of one whose time is over. @throws the signal's reason */
export async function renewed(before: Prepared, options: RenewalOptions): Promise<Prepared> {
  const { gateway, keys, signal, renewing } = options;
  signal.throwIfAborted();
  const prepared = await renewJob(before, gateway, keys, signal);
  renewing({ before, prepared });
  return prepared;
}

/**
 * Whether a job may be submitted anew, and can never be ordered: a final header is past its time,
 * and at that height or later the node, which knows the job, has no block that ordered it. A job
 * that somebody withdrew is not wanted any more.
 */
export async function isOver(
  { id, signed, renewals }: Prepared,
  { gateway, signal }: Way,
): Promise<boolean> {
  if (renewals >= renewalCountMax) return false;
  const pulse = await gateway.pulse(signal);
  if (pulse.timeMs <= signed.job.includeByMs) return false;
  // Asked for after the pulse; a node that was put back meanwhile says so by its height.
  const seen = await gateway.look(id, signal);
  if (seen === null || seen.at < pulse.height || seen.includedHeight !== null) return false;
  return seen.state === 'pending' || seen.state === 'expired';
}

/**
 * Waits for a chain that catches up after an outage: what is ordered meanwhile has as little time
 * for its waves as it had to be ordered. It has caught up when its time is about ours, or goes on
 * about as fast: where both clocks are right the first comes early, and the second comes always.
 */
export async function untilCalm({
  gateway,
  signal,
  pulseMs,
}: {
  readonly gateway: Pick<Gateway, 'pulse'>;
  readonly signal: AbortSignal;
  readonly pulseMs: number;
}): Promise<void> {
  const begunAt = performance.now();
  let at = begunAt;
  let { timeMs } = await gateway.pulse(signal);
  for (;;) {
    if (Math.abs(Date.now() - timeMs) <= calmLagMs) return;
    await wait(pulseMs, signal);
    const pulse = await gateway.pulse(signal);
    const now = performance.now();
    if (Math.abs(Date.now() - pulse.timeMs) <= calmLagMs || now - begunAt > calmMsMax) return;
    // Within a short look, a single block may be all that comes.
    if (now - at < calmLookMs) continue;
    if (pulse.timeMs - timeMs <= calmPace * (now - at)) return;
    timeMs = pulse.timeMs;
    at = now;
  }
}

function isLate(error: unknown): boolean {
  if (error instanceof ApiError) return error.code === lateCode;
  if (!(error instanceof ClientError)) return false;
  return error.detail.code === 'JOB_REFUSED' && error.detail.refusal === lateCode;
}
