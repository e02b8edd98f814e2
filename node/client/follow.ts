/** Follow a submitted job to its end, or to the reason why nobody can. */
import type { JobRecord } from '../../protocol/ledger/record.ts';
import { ClientError } from './error.ts';
import type { Gateway, Pulse, SeenJob } from './gateway.ts';
import type { Prepared } from './prepare.ts';
import { isOver, type RenewalWish, renewed, submitRenewing, untilCalm } from './renewal.ts';
import { wait } from './wait.ts';

/** Milliseconds without a new final header after which a missing quorum is called by name. */
export const stallMs = 20_000;
/** Milliseconds between two looks at the clock, and between two at the network. */
const tickMs = 250;
const pulseMsUsual = 2_000;
/** Milliseconds that a node may be away before its job is given up. */
const awayMs = 120_000;

/** How far a job is, as its client's node sees it. */
export type Sighting = {
  /** Null until something was seen of it. */
  readonly job: SeenJob | null;
  readonly elapsedMs: number;
};

export type FollowOptions = {
  readonly gateway: Gateway;
  readonly prepared: Prepared;
  readonly show: (sighting: Sighting) => void;
  readonly signal: AbortSignal;
  /** Milliseconds between two looks at the network; two seconds unless given. */
  readonly pulseMs?: number;
  /** Lets the job be submitted anew; without it, a job that no block took ends there. */
  readonly renewal?: RenewalWish;
};

/** How a job ended, and what it took. */
export type Ending = {
  /** The job that ended: another one than was followed first, where it was submitted anew. */
  readonly prepared: Prepared;
  readonly record: JobRecord;
  /** Items executed by all drawn seats; null where nobody counted them. */
  readonly executedItems: number | null;
  readonly elapsedMs: number;
};

/**
 * Waits for the end of a job. Where no block took it in its time and none can any more, and a
 * renewal is wished for, it is submitted anew once the chain has caught up; a job that may still be
 * ordered never is, so that nothing is executed twice.
 * @throws ClientError NOT_INCLUDED (tried often enough, or not sure), NETWORK_NO_QUORUM,
 * NODE_FAILED, those of the gateway; the signal's reason
 */
export async function followJob(options: FollowOptions): Promise<Ending> {
  const { renewal, pulseMs = pulseMsUsual } = options;
  const startedAt = Date.now();
  for (let { prepared } = options; ; ) {
    try {
      return await followOne({ ...options, prepared }, startedAt);
    } catch (error) {
      const isLate = error instanceof ClientError && error.code === 'NOT_INCLUDED';
      if (!isLate || renewal === undefined) throw error;
      const part = { ...options, ...renewal, pulseMs };
      if (!(await isOver(prepared, part))) throw error;
      await (renewal.calm ?? untilCalm)(part);
      prepared = await submitRenewing(await renewed(prepared, part), part);
    }
  }
}

async function followOne(options: FollowOptions, startedAt: number): Promise<Ending> {
  const { gateway, prepared, show, signal } = options;
  // Whatever ends the following ends all of it.
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  let job: SeenJob | null = null;
  const tell = (): void => show({ job, elapsedMs: Date.now() - startedAt });
  const ticks = setInterval(tell, tickMs);
  tell();
  try {
    const seeing = lastSighting(gateway, prepared, either, (seen) => {
      job = seen;
      tell();
    });
    const watching = watchNetwork({ ...options, signal: either }, () => job);
    // Whichever comes second ends by the signal, and nobody looks at it.
    for (const each of [seeing, watching]) each.catch(() => {});
    const last = await Promise.race([seeing, watching]);
    job = last;
    tell();
    const record = await gateway.record(prepared.id, either);
    if (record === null) throw notIncluded(prepared);
    const { executedItems } = last;
    return { prepared, record, executedItems, elapsedMs: Date.now() - startedAt };
  } finally {
    clearInterval(ticks);
    over.abort(new Error('the job is not followed any more'));
  }
}

async function lastSighting(
  gateway: Gateway,
  prepared: Prepared,
  signal: AbortSignal,
  see: (job: SeenJob) => void,
): Promise<SeenJob> {
  for await (const seen of gateway.sightings(prepared.id, signal)) {
    see(seen);
    if (seen.ended) return seen;
  }
  throw new ClientError({ code: 'NODE_FAILED', reason: 'it tells no more of the job' });
}

/** Rejects when the job cannot be included any more, or nothing can; never resolves. */
async function watchNetwork(
  { gateway, prepared, signal, pulseMs = pulseMsUsual }: FollowOptions,
  latest: () => SeenJob | null,
): Promise<never> {
  let finalAt = Date.now();
  let heardAt = Date.now();
  let height = -1;
  for (;;) {
    await wait(pulseMs, signal);
    const pulse = await gateway.pulse(signal).catch((error: unknown) => {
      signal.throwIfAborted();
      // A node that is away for a moment comes back, and the sightings ask again on their own.
      if (Date.now() - heardAt < awayMs) return null;
      throw error;
    });
    if (pulse === null) continue;
    heardAt = Date.now();
    if (pulse.height > height) {
      height = pulse.height;
      finalAt = Date.now();
    }
    const open = (latest()?.includedHeight ?? null) === null;
    if (open && pulse.timeMs > prepared.signed.job.includeByMs) {
      // Asked for after the pulse, so that it knows all blocks up to that one.
      const seen = await gateway.look(prepared.id, signal);
      if (seen === null || seen.includedHeight === null) throw notIncluded(prepared);
    }
    if (Date.now() - finalAt > stallMs && pulse.heard.length < pulse.quorum) throw noQuorum(pulse);
  }
}

function notIncluded({ signed, renewals }: Prepared): ClientError {
  const includeBy = new Date(signed.job.includeByMs).toISOString();
  return new ClientError({ code: 'NOT_INCLUDED', includeBy, renewals });
}

/** The error that names who is missing. */
function noQuorum({ heard, quorum, seats }: Pulse): ClientError {
  const missing = Array.from({ length: seats }, (_, seat) => seat).filter(
    (seat) => !heard.includes(seat),
  );
  return new ClientError({
    code: 'NETWORK_NO_QUORUM',
    heard: heard.length,
    needed: quorum,
    missing,
  });
}
