/** List all that can happen to a replica. */
import type { LaneTranscript } from '../algebra/transcript.ts';
import type { SignedJob } from '../job/job.ts';
import type { AbstainClass, LaneClaim } from '../job/statement.ts';
import type { SyncResponse } from './wire.ts';

/** Gossip topics. */
export type Topic = 'jobs' | 'proposals' | 'votes' | 'statements';

/** What came of executing a lane in the seat's own noise. */
export type LaneOutcome =
  | {
      readonly kind: 'done';
      readonly claim: LaneClaim;
      readonly transcript: LaneTranscript;
      readonly workRoot: Uint8Array;
      /** The lane's value, where it is small enough to travel in a reveal. */
      readonly inlineValue: Uint8Array | null;
    }
  | { readonly kind: 'local'; readonly class: AbstainClass };

/** `now` is the host's clock, milliseconds since 1970; it never decides what replicas agree on. */
export type Input =
  | { readonly kind: 'tick'; readonly now: number }
  /** A gossip message that {@link judgeGossip} did not reject. */
  | {
      readonly kind: 'heard';
      readonly now: number;
      readonly topic: Topic;
      readonly bytes: Uint8Array;
      readonly from: string;
    }
  /** The answer to a request, or null when no peer gave one. */
  | {
      readonly kind: 'answered';
      readonly now: number;
      readonly id: number;
      readonly response: SyncResponse | null;
    }
  | { readonly kind: 'submitted'; readonly now: number; readonly signed: SignedJob }
  /** A job that was submitted here is wanted no more, if it is not ordered yet. */
  | { readonly kind: 'withdrawn'; readonly now: number; readonly job: Uint8Array }
  | {
      readonly kind: 'executed';
      readonly now: number;
      readonly key: string;
      readonly outcome: LaneOutcome;
    };
