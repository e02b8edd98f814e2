/** Dial wanted peers again and again, backing off; keep one reason for each that is missing. */
import type { Libp2p } from '@libp2p/interface';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import { mark } from '../../protocol/assert.ts';
import { NetworkError } from './error.ts';
import type { NetworkLog, Unreachable } from './event.ts';
import {
  dialMsMax,
  foundMsMax,
  foundPeerCountMax,
  foundPoliteMs,
  foundRedialMsMax,
  knownPeerCountMax,
  politeMs,
  redialMsMax,
  redialMsMin,
  wantedPeerCountMax,
} from './limits.ts';

/** Milliseconds after which a connection counts as a good one. */
const steadyMs = 5_000;
/** Doublings of the wait after which it does not grow any more, whatever the limits are. */
const failureCountMax = 16;

/** A peer that is dialled whenever it is not connected. */
type Known = {
  /** The address as it was given; for a peer that was found, its id as one. */
  readonly address: string;
  targets: readonly Multiaddr[];
  /** Whether others named it; its address was given otherwise. */
  readonly isFound: boolean;
  /** Peer id, from the address or from who answered there; null until then. */
  peer: string | null;
  failureCount: number;
  /** When it was reached last, in milliseconds of the process. */
  reachedMs: number;
  /** When it was a peer of ours last; of a found peer that never was, when it was found. */
  goodMs: number;
  /** Why it is not here, in one sentence; null while nothing speaks against it. */
  reason: string | null;
  timer: NodeJS.Timeout | null;
  dialling: Promise<void> | null;
};

/** A peer that is wanted, as others may see it. */
export type Wanted = {
  readonly id: string | null;
  readonly addresses: readonly string[];
  /** Why it is not here; null where nothing speaks against it. */
  readonly reason: string | null;
};

/** The known peers of one host. */
export type Redial = {
  /** Adds an address and waits for the end of the first dial, whether or not it succeeds. */
  readonly add: (address: string) => Promise<void>;
  /** Wants a peer that others have named, under addresses that were looked at. */
  readonly found: (peer: string, addresses: readonly Multiaddr[]) => void;
  /** Starts dialling all that are known. */
  readonly start: () => void;
  /** A peer has come and is one of ours. */
  readonly welcome: (peer: string) => void;
  /** A peer has gone: it is dialled soon if it is known. */
  readonly lost: (peer: string) => void;
  /** Says why a peer that answers is not wanted as it is. */
  readonly blame: (peer: string, reason: string) => void;
  /** Whether the address of a peer was given: such a one is kept whatever it does. */
  readonly knows: (peer: string) => boolean;
  /** Given addresses whose peers are not here. */
  readonly unreachable: () => readonly Unreachable[];
  /** All that are wanted, given or found, here or not. */
  readonly wanted: () => readonly Wanted[];
  /** Ends all waits and dials. The addresses stay known. */
  readonly stop: () => Promise<void>;
};

/** What all known peers share. */
type Dialler = {
  /** The running host, or null while there is none. */
  readonly host: () => Libp2p | null;
  readonly self: string;
  /** Whether a peer of our network is here. */
  readonly isHere: (peer: string) => boolean;
  readonly log: NetworkLog;
  readonly known: Map<string, Known>;
  stopping: AbortController;
};

/** Reads an address. @throws {@link NetworkError} `NETWORK_ADDRESS` */
export function readAddress(address: string): { target: Multiaddr; peer: string | null } {
  try {
    const target = multiaddr(address);
    const parts = target.getComponents();
    const peer = parts.findLast(({ name }) => name === 'p2p')?.value ?? null;
    if (!parts.some(({ name }) => name === 'tcp')) throw new Error('it names no tcp port');
    return { target, peer };
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new NetworkError({ code: 'NETWORK_ADDRESS', address, reason }, cause);
  }
}

/**
 * @param host - The running host, or null while there is none.
 * @param isHere - Whether a peer of our network is here.
 */
export function createRedial(
  host: () => Libp2p | null,
  self: string,
  isHere: (peer: string) => boolean,
  log: NetworkLog,
): Redial {
  const known = new Map<string, Known>();
  const dialler: Dialler = { host, self, isHere, log, known, stopping: new AbortController() };
  const entries = (): Known[] => [...known.values()];
  const of = (peer: string): Known[] => entries().filter((entry) => entry.peer === peer);
  const here = ({ peer }: Known): boolean => peer !== null && (peer === self || isHere(peer));
  const add: Redial['add'] = async (address) => {
    const { target, peer } = readAddress(address);
    const entry = known.get(address) ?? unknown(address, [target], peer, false);
    const given = entries().filter(({ isFound }) => !isFound).length;
    if (!known.has(address) && given >= knownPeerCountMax) {
      const reason = `${knownPeerCountMax} addresses are known already`;
      throw new NetworkError({ code: 'NETWORK_ADDRESS', address, reason });
    }
    known.set(address, entry);
    await dial(dialler, entry);
  };
  return {
    add,
    found: (peer, addresses) => found(dialler, peer, addresses),
    start: () => {
      dialler.stopping = new AbortController();
      for (const entry of known.values()) first(dialler, entry);
    },
    welcome: (peer) => {
      for (const entry of of(peer))
        Object.assign(entry, { reason: null, goodMs: performance.now() });
    },
    lost: (peer) => {
      for (const entry of of(peer)) lost(dialler, entry);
    },
    blame: (peer, reason) => {
      for (const entry of of(peer)) entry.reason = reason;
    },
    knows: (peer) => of(peer).some(({ isFound }) => !isFound),
    unreachable: () =>
      entries()
        .filter((entry) => !entry.isFound && !here(entry))
        .map(({ address, reason }) => ({ address, reason: reason ?? lostReason })),
    wanted: () =>
      entries()
        .filter(({ peer }) => peer !== self)
        .map(({ peer, targets, reason }) => {
          return { id: peer, addresses: targets.map((target) => target.toString()), reason };
        }),
    stop: async () => {
      dialler.stopping.abort();
      for (const entry of known.values()) {
        if (entry.timer !== null) clearTimeout(entry.timer);
        entry.timer = null;
      }
      await Promise.all(entries().map(({ dialling }) => dialling));
    },
  };
}

/** What stands where nothing else is known. */
export const lostReason = 'the connection was lost';
const silentReason = 'it answers, and has not said who it is';

function unknown(
  address: string,
  targets: readonly Multiaddr[],
  peer: string | null,
  isFound: boolean,
): Known {
  return {
    address,
    targets,
    isFound,
    peer,
    failureCount: 0,
    reachedMs: 0,
    goodMs: performance.now(),
    reason: 'not dialled yet',
    timer: null,
    dialling: null,
  };
}

/** Takes up a peer that others named, unless it is known, or nobody can make room for it. */
function found(dialler: Dialler, peer: string, targets: readonly Multiaddr[]): void {
  const { known, self, stopping } = dialler;
  if (peer === self || targets.length === 0 || stopping.signal.aborted) return;
  const address = `/p2p/${peer}`;
  const entry = known.get(address);
  if (entry !== undefined) {
    entry.targets = targets;
    return;
  }
  const all = [...known.values()];
  if (all.some((other) => other.peer === peer)) return;
  const others = all.filter(({ isFound }) => isFound);
  if (others.length >= foundPeerCountMax) {
    const idle = others.filter((other) => !dialler.isHere(other.peer!));
    const worst = idle.sort((a, b) => a.goodMs - b.goodMs)[0];
    // One that has not even been tried is not given up for the next one that somebody names.
    if (worst === undefined || worst.failureCount === 0) return;
    forget(dialler, worst);
  }
  mark('W40');
  const fresh = unknown(address, targets, peer, true);
  known.set(address, fresh);
  first(dialler, fresh);
}

function forget({ known }: Dialler, entry: Known): void {
  if (entry.timer !== null) clearTimeout(entry.timer);
  known.delete(entry.address);
}

function isConnected({ host }: Dialler, peer: string | null): boolean {
  if (peer === null) return false;
  const peers = host()?.getPeers() ?? [];
  return peers.some((id) => id.toString() === peer);
}

/** Dials all at the start. */
function first(dialler: Dialler, entry: Known): void {
  // Where both know each other the larger id dials, so that there is one connection and not two.
  // The smaller one cannot know that it is known: it waits a little, then dials too.
  if (entry.peer === null || dialler.self > entry.peer) void dial(dialler, entry);
  else {
    mark('W20');
    const ms = entry.isFound ? foundPoliteMs : politeMs;
    dialIn(dialler, entry, ms * (1 + Math.random() / 2));
  }
}

function lost(dialler: Dialler, entry: Known): void {
  if (entry.timer !== null || dialler.stopping.signal.aborted) return;
  mark('W23');
  entry.reason ??= lostReason;
  // Who answers only to hang up again is not dialled faster than who does not answer.
  if (performance.now() - entry.reachedMs < steadyMs) dialLater(dialler, entry);
  else {
    entry.failureCount = 0;
    const polite = dialler.self > (entry.peer ?? '') ? 0 : politeMs;
    dialIn(dialler, entry, polite + redialMsMin * Math.random());
  }
}

/** Dials after a wait that doubles with each failure, and is never the same for two. */
function dialLater(dialler: Dialler, entry: Known): void {
  const isOld = performance.now() - entry.goodMs > foundMsMax;
  if (entry.isFound && isOld && !isConnected(dialler, entry.peer)) {
    mark('W41');
    forget(dialler, entry);
    return;
  }
  const longest = entry.isFound ? foundRedialMsMax : redialMsMax;
  const wait = Math.min(longest, redialMsMin * 2 ** entry.failureCount);
  entry.failureCount = Math.min(entry.failureCount + 1, failureCountMax);
  dialIn(dialler, entry, wait * (0.5 + Math.random() / 2));
}

function dialIn(dialler: Dialler, entry: Known, ms: number): void {
  if (entry.timer !== null) clearTimeout(entry.timer);
  entry.timer = setTimeout(() => {
    entry.timer = null;
    void dial(dialler, entry);
  }, ms);
}

/** Dials, unless it is being dialled. Never rejects. */
function dial(dialler: Dialler, entry: Known): Promise<void> {
  entry.dialling ??= dialOnce(dialler, entry).finally(() => {
    entry.dialling = null;
  });
  return entry.dialling;
}

async function dialOnce(dialler: Dialler, entry: Known): Promise<void> {
  const { self, log, stopping } = dialler;
  const host = dialler.host();
  if (host === null || entry.peer === self || stopping.signal.aborted) return;
  if (isConnected(dialler, entry.peer)) {
    if (entry.peer !== null && dialler.isHere(entry.peer)) entry.reason = null;
    return;
  }
  if (entry.isFound && host.getPeers().length >= wantedPeerCountMax) {
    entry.reason = `${wantedPeerCountMax} other peers are connected: it is not needed`;
    dialLater(dialler, entry);
    return;
  }
  try {
    const signal = AbortSignal.any([AbortSignal.timeout(dialMsMax), stopping.signal]);
    const connection = await host.dial([...entry.targets], { signal });
    entry.peer = connection.remotePeer.toString();
    if (dialler.isHere(entry.peer)) entry.reason = null;
    // Of one that was refused the reason stands until it comes as another.
    else if (entry.reachedMs === 0) entry.reason = silentReason;
    entry.reachedMs = performance.now();
    mark('W21');
  } catch (cause) {
    if (stopping.signal.aborted) return;
    const reason = reasonOf(cause);
    // Once for each reason: it is tried for ever.
    if (reason !== entry.reason) log({ kind: 'unreachable', address: entry.address, reason });
    entry.reason = reason;
    dialLater(dialler, entry);
    mark('W22');
  }
}

/** One sentence for a person: the library wraps the reason of a socket several times. */
function reasonOf(error: unknown): string {
  const all: Error[] = [];
  const walk = (one: unknown): void => {
    if (!(one instanceof Error) || all.length > 16) return;
    all.push(one);
    walk(one.cause);
    if (one instanceof AggregateError) for (const inner of one.errors) walk(inner);
  };
  walk(error);
  const text = all.map(({ name, message }) => `${name} ${message}`).join('; ');
  if (text.includes('ECONNREFUSED')) return 'nobody listens there (connection refused)';
  if (text.includes('EHOSTUNREACH') || text.includes('ENETUNREACH')) return 'no route to it';
  if (/UnexpectedPeer|does not match|peer id/i.test(text)) return 'another peer answers there';
  if (/Timeout|Abort/.test(text)) return `no answer within ${dialMsMax} ms`;
  return all.at(-1)?.message ?? String(error);
}
