/** Name what others may ask of a running node. */
import type { Hex } from '../protocol/brand.ts';
import type { Certificate } from '../protocol/consensus/message.ts';
import type { Verdict } from '../protocol/errors.ts';
import type { SignedJob } from '../protocol/job/job.ts';
import type { ChainState, LedgerRules } from '../protocol/ledger/chain.ts';
import type { ReplicaState } from '../protocol/replica/state.ts';
import type { SealedBlock } from '../protocol/replica/wire.ts';
import type { DutySummaryView, DutyView } from './api/contract.ts';
import type { LawEvent } from './laws/inspection.ts';
import type { LawJob, LawWord } from './laws/kept.ts';
import type { Blobs } from './storage/blobs.ts';

/** What watchers hear of. Each is a fact about this node, not a promise. */
export type NodeEvent =
  | {
      readonly kind: 'final';
      readonly chain: ChainState;
      /** The chain at the final block before, and the blocks since, in rising height. */
      readonly before: ChainState;
      readonly blocks: readonly SealedBlock[];
    }
  | { readonly kind: 'progress'; readonly job: Hex; readonly seat: number; readonly items: number }
  /** A program was looked at: what its laws came to here. */
  | LawEvent
  /**
   * Something went wrong. `fatal`: the node has left its network and does nothing more, and only a
   * start of its own helps; else one thing is lost, such as a lane of its seat, and it goes on.
   */
  | { readonly kind: 'failed'; readonly reason: unknown; readonly fatal: boolean };

/** The end of a node that nobody asked for. */
export type NodeFailure = { readonly reason: unknown };

/** A job that was submitted to this node, kept durably before it was acknowledged. */
export type Submission = {
  readonly signed: SignedJob;
  /** `cancelled`: this node announces it no more. Whether it was ordered, the chain tells. */
  readonly state: 'pending' | 'cancelled';
  /** Milliseconds since 1970 by this machine's clock. */
  readonly at: number;
};

/** A final block, and the certificate that finalized it directly, if one did. */
export type FinalBlock = {
  readonly block: SealedBlock;
  readonly certificate: Certificate | null;
};

/** Duties of one page, newest first. */
export type DutyPage = { readonly data: readonly DutyView[]; readonly next: string | null };

/** Jobs of one page, newest first. `next` is where the next page begins, null at the end. */
export type JobPage = { readonly ids: readonly Uint8Array[]; readonly next: string | null };

export type AnwansiNode = {
  readonly rules: LedgerRules;
  readonly blobs: Blobs;
  /** The seat of this node; null for an observer. */
  readonly seat: number | null;
  /** Milliseconds since 1970 at which it started. */
  readonly startedAt: number;
  /** What the node could not go on from; null as long as it runs. */
  readonly failure: () => NodeFailure | null;
  readonly state: () => ReplicaState;
  /**
   * Judges a job; an accepted one is durably kept before this resolves, and announced until it is
   * ordered or can no longer be. The same job again is accepted again and changes nothing.
   */
  readonly submit: (signed: SignedJob) => Promise<Verdict>;
  /** Announces a job no more. It may still be ordered by whoever has heard of it. */
  readonly cancel: (job: Uint8Array) => Promise<'cancelled' | 'ordered' | 'unknown'>;
  /** What was submitted here, whatever became of it; null for jobs that came from elsewhere. */
  readonly submission: (job: Uint8Array) => Promise<Submission | null>;
  /** A job that was ordered or submitted here; null if this node never knew it. */
  readonly signedJob: (job: Uint8Array) => Promise<SignedJob | null>;
  /** Jobs that are final or were submitted here. @throws RangeError for a cursor that is none */
  readonly jobs: (cursor: string | null, limit: number) => Promise<JobPage>;
  /** The final block at a height; null above the last one. Height 0 has no block. */
  readonly block: (height: number) => Promise<FinalBlock | null>;
  /** The height of a final block by its hash; null for others. */
  readonly heightOf: (hash: Uint8Array) => Promise<number | null>;
  readonly fetch: (cid: Uint8Array, bytesMax: number, signal: AbortSignal) => Promise<void>;
  readonly receipt: (job: Uint8Array) => Promise<Uint8Array>;
  /** Proof bytes of what the last final state holds under a key, or that it holds nothing. */
  readonly stateProof: (key: Uint8Array) => Promise<Uint8Array>;
  /** Draws of the own seat, newest first. @throws RangeError for a cursor that is none */
  readonly duties: (cursor: string | null, limit: number) => Promise<DutyPage>;
  /** What the draws of the latest jobs brought the own seat, and how likely it was to be passed. */
  readonly dutySummary: () => Promise<DutySummaryView>;
  /** What this node's own check says of a job and its program; null where nothing is known. */
  readonly laws: (job: LawJob) => LawWord | null;
  /** Seats whose votes came in since a time of this machine's clock, the own seat included. */
  readonly seatsHeardSince: (ms: number) => ReadonlySet<number>;
  readonly watch: (listener: (event: NodeEvent) => void) => () => void;
  /** Stops announcing and taking part, writes what is left, closes what was opened. */
  readonly stop: () => Promise<void>;
};
