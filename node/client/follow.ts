/** Follow a submitted job to its end, or to the reason why nobody can. */
import { type Hex, hex } from '../../protocol/brand.ts';
import { quorum } from '../../protocol/consensus/seats.ts';
import type { JobRecord } from '../../protocol/ledger/record.ts';
import { describeJob, type ProvisionalJob } from '../../protocol/replica/view.ts';
import type { AnwansiNode } from '../node.ts';
import { ClientError } from './error.ts';
import type { Prepared } from './prepare.ts';

/** Milliseconds without a new final header after which a missing quorum is called by name. */
export const stallMs = 20_000;
/** Milliseconds between two looks at the clock. */
const lookMs = 250;

/** How far a job is, as its client's node sees it. */
export type Sighting = {
  /** Null until a final block has ordered the job. */
  readonly job: ProvisionalJob | null;
  readonly finalHeight: number;
  /** Items executed so far, by all seats that were drawn. */
  readonly executedItems: number;
  readonly elapsedMs: number;
};

export type FollowOptions = {
  readonly nodes: readonly AnwansiNode[];
  readonly prepared: Prepared;
  readonly show: (sighting: Sighting) => void;
  readonly signal: AbortSignal;
};

/** How a job ended, and the heights and times on the way. */
export type Ending = {
  readonly record: JobRecord;
  readonly executedItems: number;
  readonly elapsedMs: number;
};

/**
 * Waits for the end of a job.
 * @throws ClientError NOT_INCLUDED, NETWORK_NO_QUORUM, NODE_FAILED; the signal's reason
 */
export function followJob({ nodes, prepared, show, signal }: FollowOptions): Promise<Ending> {
  const [node] = nodes;
  if (node === undefined) throw new Error('a job is followed on a node');
  const id: Hex = hex(prepared.id);
  const startedAt = Date.now();
  let finalAt = startedAt;
  let executedItems = 0;
  return new Promise<Ending>((resolve, refuse) => {
    const unwatch: (() => void)[] = [];
    const end = (finish: () => void): void => {
      for (const stop of unwatch) stop();
      clearInterval(timer);
      signal.removeEventListener('abort', abort);
      finish();
    };
    const abort = (): void => end(() => refuse(signal.reason as Error));
    const look = (): void => {
      const { final } = node.state();
      const job = describeJob(final, prepared.id, node.rules);
      const elapsedMs = Date.now() - startedAt;
      show({ job, finalHeight: final.header.height, executedItems, elapsedMs });
      if (job !== null && job.record.ended !== null)
        end(() => resolve({ record: job.record, executedItems, elapsedMs }));
      else if (job === null && final.header.timeMs > prepared.signed.job.includeByMs)
        end(() => refuse(notIncluded(prepared)));
      else if (Date.now() - finalAt > stallMs) {
        const stalled = noQuorum(node);
        if (stalled !== null) end(() => refuse(stalled));
      }
    };
    for (const each of nodes)
      unwatch.push(
        each.watch((event) => {
          if (event.kind === 'progress' && event.job === id) executedItems += event.items;
          if (event.kind === 'failed' && each === node)
            end(() =>
              refuse(new ClientError({ code: 'NODE_FAILED', reason: String(event.reason) })),
            );
          if (event.kind !== 'final' || each !== node) return;
          finalAt = Date.now();
          look();
        }),
      );
    const timer = setInterval(look, lookMs);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
  });
}

function notIncluded({ signed }: Prepared): ClientError {
  const includeBy = new Date(signed.job.includeByMs).toISOString();
  return new ClientError({ code: 'NOT_INCLUDED', includeBy });
}

/** The error that names who is missing; null while enough seats are heard. */
function noQuorum(node: AnwansiNode): ClientError | null {
  const seats = node.rules.genesis.seats.length;
  const heard = node.seatsHeardSince(Date.now() - stallMs);
  const needed = quorum(seats);
  if (heard.size >= needed) return null;
  const missing = Array.from({ length: seats }, (_, seat) => seat).filter((s) => !heard.has(s));
  return new ClientError({ code: 'NETWORK_NO_QUORUM', heard: heard.size, needed, missing });
}
