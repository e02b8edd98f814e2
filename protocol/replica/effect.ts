/** List all that a replica can ask for. */
import type { Certificate, Vote } from '../consensus/message.ts';
import type { SignedJob } from '../job/job.ts';
import type { SignedStatement } from '../job/statement.ts';
import type { ChainState } from '../ledger/chain.ts';
import type { Topic } from './input.ts';
import type { SealedBlock, SyncRequest } from './wire.ts';

/** One lane that this seat was drawn for, with all that running it takes. */
export type Duty = {
  /** Names the duty: draw id, job, lane. */
  readonly key: string;
  readonly signed: SignedJob;
  readonly job: Uint8Array;
  readonly lane: number;
  readonly lanes: number;
  readonly wave: number;
  readonly seat: number;
  readonly drawId: Uint8Array;
  /** The beacon that drew the wave: noise follows from it. */
  readonly beacon: Uint8Array;
  readonly saltKey: Uint8Array;
  /** Milliseconds after which a blob that nobody gave counts as unavailable. */
  readonly patienceMs: number;
};

/**
 * Effects are performed in order. What `log-…` and `store-…` name is durable before any later
 * effect is performed, so that a vote is on disk before it is on the wire (I5); a host may make all
 * of a step durable at once, in one atomic batch, before it performs the rest.
 */
export type Effect =
  | { readonly kind: 'log-vote'; readonly vote: Vote }
  | { readonly kind: 'log-statement'; readonly signed: SignedStatement }
  | { readonly kind: 'log-proposal'; readonly block: SealedBlock }
  /** A certificate that later votes may rest on. */
  | { readonly kind: 'log-certificate'; readonly certificate: Certificate }
  /** A block of somebody else that we are about to vote for: it must be here to be served. */
  | { readonly kind: 'store-block'; readonly block: SealedBlock }
  | { readonly kind: 'store-job'; readonly signed: SignedJob }
  | {
      readonly kind: 'finalize';
      /** Newly final blocks in rising height; the last is directly final. */
      readonly blocks: readonly SealedBlock[];
      readonly certificate: Certificate;
      readonly chain: ChainState;
    }
  | { readonly kind: 'publish'; readonly topic: Topic; readonly bytes: Uint8Array }
  | {
      readonly kind: 'request';
      readonly id: number;
      /** A peer that should know, or null for any. */
      readonly prefer: string | null;
      readonly request: SyncRequest;
    }
  | { readonly kind: 'execute'; readonly duty: Duty }
  | { readonly kind: 'forget'; readonly key: string }
  | { readonly kind: 'notice'; readonly notice: Notice }
  | { readonly kind: 'wake'; readonly at: number };

/** Facts for people and tests. Nothing depends on them. */
export type Notice =
  | { readonly kind: 'block-refused'; readonly height: number; readonly code: string }
  | { readonly kind: 'equivocation'; readonly seat: number; readonly view: number }
  | { readonly kind: 'job-refused'; readonly code: string }
  /** Said by a node, not by its replica: somebody who watched it threw. */
  | { readonly kind: 'watcher-failed'; readonly reason: string };
