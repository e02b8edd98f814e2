/** Name what the API is made of, and what it tells its log: not more than anybody can read. */
import type { AnwansiNode } from '../face.ts';
import type { Executor } from '../ports.ts';
import type { DutyView, Finding, Peer } from './contract.ts';

/** Facts for logs and metrics. Nothing in them is secret; texts of strangers are cut short. */
export type ApiEvent =
  | {
      readonly kind: 'answered';
      readonly method: string;
      /** The path as it is documented, or `other`. */
      readonly route: string;
      readonly status: number;
      /** Stable code of a refusal; null when the answer is what was asked for. */
      readonly code: string | null;
      readonly ms: number;
    }
  | { readonly kind: 'unexpected'; readonly route: string; readonly reason: unknown }
  | { readonly kind: 'submitted'; readonly job: string }
  | { readonly kind: 'receipt'; readonly job: string; readonly bytes: number }
  | { readonly kind: 'streams'; readonly open: number }
  /** Connections that broke the rules of HTTP, or that there was no place for. */
  | { readonly kind: 'connection-refused'; readonly reason: string }
  /** Troubles of the second before that were like others, and are not told one by one. */
  | { readonly kind: 'suppressed'; readonly count: number };

export type ApiLog = (event: ApiEvent) => void;

/** A page of a list that somebody else keeps. @throws RangeError for a cursor that is none */
export type PageOf<T> = (
  cursor: string | null,
  limit: number,
) => Promise<{ readonly data: readonly T[]; readonly next: string | null }>;

export type ApiParts = {
  readonly node: AnwansiNode;
  readonly executor: Executor;
  /** A folder that the executor may read, for programs of results. */
  readonly scratch: string;
  /** Name and version of this software. */
  readonly software: string;
  readonly peers: () => readonly Peer[];
  /** Multiaddrs on which peers reach this node. */
  readonly addresses: () => readonly string[];
  readonly findings: () => Promise<readonly Finding[]>;
  readonly duties: PageOf<DutyView>;
  /** The bytes of a proof that the last final state holds a key, or does not. */
  readonly stateProof: (key: Uint8Array) => Promise<Uint8Array>;
  /** What every request must carry; null where none is needed, on loopback alone. */
  readonly token: string | null;
  /** Names besides the loopback ones: `name`, or `name:port`. */
  readonly allowedHosts: readonly string[];
  readonly log: ApiLog;
};

/** Troubles of one kind that are told in one second. */
const toldCountMax = 5;
/** Kinds of trouble that are told apart. */
const kindCountMax = 64;

/**
 * A log that strangers cannot fill: of one kind of trouble a few are told each second, and then
 * how many were not. What goes well passes. Metrics count before this, and so count all.
 */
export function boundedLog(write: ApiLog, now: () => number = Date.now): ApiLog {
  const told = new Map<string, number>();
  let second = 0;
  let suppressed = 0;
  return (event) => {
    const kind = troubleOf(event);
    if (kind === null) return write(event);
    const at = Math.floor(now() / 1000);
    if (at !== second) {
      if (suppressed > 0) write({ kind: 'suppressed', count: suppressed });
      told.clear();
      second = at;
      suppressed = 0;
    }
    const count = told.get(kind) ?? 0;
    if (count >= toldCountMax || (count === 0 && told.size >= kindCountMax)) suppressed++;
    else {
      told.set(kind, count + 1);
      write(event);
    }
  };
}

function troubleOf(event: ApiEvent): string | null {
  if (event.kind === 'unexpected') return `${event.kind} ${event.route}`;
  if (event.kind === 'connection-refused') return `${event.kind} ${event.reason}`;
  return event.kind === 'answered' && event.code !== null ? event.code : null;
}
