/** State what a submitter needs of a network, wherever its node runs. */

import type { SignedJob } from '../../protocol/job/job.ts';
import type { Genesis } from '../../protocol/ledger/genesis.ts';
import type { JobRecord, JobState } from '../../protocol/ledger/record.ts';
import type { Cid } from '../../protocol/merkle/cid.ts';
import type { LanePhase } from '../../protocol/replica/view.ts';

/** One lane of a job as a person sees it. */
export type SeenLane = {
  readonly phase: LanePhase;
  readonly accepted: boolean;
  readonly votes: number;
  readonly needed: number;
  /** Seats that the lane waits for, and the chain time until which it does. */
  readonly awaited: readonly number[];
  readonly untilMs: number | null;
};

/** A job as one node sees it: provisional until it has ended, and its word even then. */
export type SeenJob = {
  readonly state: 'pending' | 'cancelled' | JobState;
  /** Height of the final block that this is of. */
  readonly at: number;
  /** The state is an end. */
  readonly ended: boolean;
  readonly includedHeight: number | null;
  readonly lanes: readonly SeenLane[];
  /** Bound on the error so far, as text; null before there is one. */
  readonly bound: string | null;
  /** Share of all executions that are done, 0 to 1; null where nobody counts them. */
  readonly share: number | null;
  /** Items executed so far by all seats that were drawn; null where nobody counts them. */
  readonly executedItems: number | null;
};

/** How a network is now, as one node sees it. */
export type Pulse = {
  readonly height: number;
  /** Time of the last final header, in milliseconds since 1970. */
  readonly timeMs: number;
  /** Seats that were heard lately, and how many a quorum takes. */
  readonly heard: readonly number[];
  readonly seats: number;
  readonly quorum: number;
};

/** The block on which a job is anchored. */
export type Anchor = {
  readonly height: number;
  readonly hash: Uint8Array;
  readonly timeMs: number;
};

/**
 * A network, as whoever submits a job needs it: through a node in this process, or over HTTP.
 * Everything that waits takes a signal and rejects with its reason, and ends by itself.
 */
export type Gateway = {
  readonly genesis: Genesis;
  readonly network: Uint8Array;
  readonly anchor: (signal: AbortSignal) => Promise<Anchor>;
  /** Keeps bytes for the network; the same bytes again change nothing. */
  readonly putBlob: (bytes: Uint8Array, signal: AbortSignal) => Promise<Cid>;
  readonly putList: (entries: readonly Uint8Array[], signal: AbortSignal) => Promise<Cid>;
  /** Blobs that may be put at the same time. */
  readonly putsAtOnce: number;
  /** A file that holds exactly this blob, for the sandbox to run or to read. */
  readonly file: (cid: Cid, signal: AbortSignal) => Promise<string>;
  /** @throws ClientError JOB_REFUSED */
  readonly submit: (signed: SignedJob, signal: AbortSignal) => Promise<void>;
  /** What is seen of a job now; null for one that the node does not know. */
  readonly look: (job: Uint8Array, signal: AbortSignal) => Promise<SeenJob | null>;
  /** What is seen of a job, from now on, until it has ended. */
  readonly sightings: (job: Uint8Array, signal: AbortSignal) => AsyncIterable<SeenJob>;
  readonly pulse: (signal: AbortSignal) => Promise<Pulse>;
  /** What the state keeps of a job, on the node's word; null for one that was not ordered. */
  readonly record: (job: Uint8Array, signal: AbortSignal) => Promise<JobRecord | null>;
  readonly receipt: (job: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>;
};
