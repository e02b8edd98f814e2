/** Name what a network tells its owner's log. */
import type { Topic } from '../ports.ts';
import type { NetworkError } from './error.ts';

/** Things worth a line in a log or a count in a metric. Peers are texts of peer ids. */
export type NetworkEvent =
  | { readonly kind: 'listening'; readonly addresses: readonly string[] }
  | { readonly kind: 'connected' | 'disconnected'; readonly peer: string }
  | { readonly kind: 'unreachable'; readonly address: string; readonly reason: string }
  | { readonly kind: 'stranger'; readonly peer: string; readonly reason: string }
  | { readonly kind: 'banned'; readonly peer: string; readonly score: number }
  | { readonly kind: 'zombie'; readonly peer: string }
  | {
      readonly kind: 'judged';
      readonly topic: Topic;
      readonly peer: string;
      readonly verdict: 'ignore' | 'reject';
      readonly code: string;
    }
  | { readonly kind: 'error'; readonly error: NetworkError };

export type NetworkLog = (event: NetworkEvent) => void;

/** A peer that is wanted and not there: the address, and the one reason that stands now. */
export type Unreachable = { readonly address: string; readonly reason: string };
