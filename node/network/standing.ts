/** Remember from blob to blob which peers answer soon and which do not, and forgive in time. */
import { mark } from '../../protocol/assert.ts';

/** What is known of peers that were asked for pieces. Times are milliseconds of one clock. */
export type Standing = {
  /** 0 for a peer against which nothing speaks; 1 or more for one that is asked last. */
  readonly fault: (peer: string, nowMs: number) => number;
  /** Whether a peer has ever given something, as far as that is remembered. */
  readonly isProven: (peer: string) => boolean;
  /** How long a peer usually takes to give a piece; null where nobody knows. */
  readonly usualMs: (peer: string) => number | null;
  /** It gave what it was asked for. */
  readonly gave: (peer: string, tookMs: number, nowMs: number) => void;
  /** It was silent, failed, or lied; `weight` says how bad that is. */
  readonly failed: (peer: string, weight: number, nowMs: number) => void;
};

type Entry = { fault: number; atMs: number; usualMs: number | null };

/** Peers that are remembered; those of which nothing was heard for longest go first. */
const peerCountMax = 1_024;
/** The most that can speak against a peer, and milliseconds in which half is forgiven. */
const faultMax = 8;
const forgiveMs = 60_000;
/** Part of what spoke against a peer that is left when it gives something. */
const redeemed = 0.25;
/** Weight of the last answer in what is usual. */
const newest = 0.3;

/** @see spec/protocol/network.md W37 */
export function standing(): Standing {
  const known = new Map<string, Entry>();
  const faultOf = ({ fault, atMs }: Entry, nowMs: number): number =>
    fault * 0.5 ** ((nowMs - atMs) / forgiveMs);
  const put = (peer: string, entry: Entry): void => {
    known.delete(peer);
    known.set(peer, entry);
    for (const oldest of known.keys()) {
      if (known.size <= peerCountMax) break;
      known.delete(oldest);
    }
  };
  const at = (peer: string, nowMs: number): Entry => {
    const entry = known.get(peer);
    if (entry === undefined) return { fault: 0, atMs: nowMs, usualMs: null };
    return { ...entry, fault: faultOf(entry, nowMs), atMs: nowMs };
  };
  return {
    fault: (peer, nowMs) => {
      const entry = known.get(peer);
      return entry === undefined ? 0 : faultOf(entry, nowMs);
    },
    isProven: (peer) => (known.get(peer)?.usualMs ?? null) !== null,
    usualMs: (peer) => known.get(peer)?.usualMs ?? null,
    gave: (peer, tookMs, nowMs) => {
      const { fault, usualMs } = at(peer, nowMs);
      const usual = usualMs === null ? tookMs : usualMs + newest * (tookMs - usualMs);
      put(peer, { fault: fault * redeemed, atMs: nowMs, usualMs: usual });
    },
    failed: (peer, weight, nowMs) => {
      mark('W37');
      const { fault, usualMs } = at(peer, nowMs);
      put(peer, { fault: Math.min(faultMax, fault + weight), atMs: nowMs, usualMs });
    },
  };
}
