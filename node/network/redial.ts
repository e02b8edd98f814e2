/** Dial known peers for ever, backing off; keep one reason for each that is missing. */
import type { Libp2p } from '@libp2p/interface';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import { mark } from '../../protocol/assert.ts';
import { NetworkError } from './error.ts';
import type { NetworkLog, Unreachable } from './event.ts';
import { dialMsMax, knownPeerCountMax, politeMs, redialMsMax, redialMsMin } from './limits.ts';

/** Milliseconds after which a connection counts as a good one. */
const steadyMs = 5_000;
/** Doublings of the wait after which it does not grow any more, whatever the limits are. */
const failureCountMax = 16;

/** An address that is dialled whenever its peer is not connected. */
type Known = {
  readonly address: string;
  readonly target: Multiaddr;
  /** Peer id, from the address or from who answered there; null until then. */
  peer: string | null;
  failureCount: number;
  /** When it was reached last, in milliseconds of the process. */
  reachedMs: number;
  /** Why it is not here, in one sentence; null while nothing speaks against it. */
  reason: string | null;
  timer: NodeJS.Timeout | null;
  dialling: Promise<void> | null;
};

/** The known peers of one host. */
export type Redial = {
  /** Adds an address and waits for the end of the first dial, whether or not it succeeds. */
  readonly add: (address: string) => Promise<void>;
  /** Starts dialling all that are known. */
  readonly start: () => void;
  /** A peer has gone: it is dialled soon if it is known. */
  readonly lost: (peer: string) => void;
  /** Says why a peer that answers is not wanted as it is. */
  readonly blame: (peer: string, reason: string) => void;
  readonly knows: (peer: string) => boolean;
  readonly unreachable: () => readonly Unreachable[];
  /** Ends all waits and dials. The addresses stay known. */
  readonly stop: () => Promise<void>;
};

/** What all known peers share. */
type Dialler = {
  /** The running host, or null while there is none. */
  readonly host: () => Libp2p | null;
  readonly self: string;
  readonly log: NetworkLog;
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

/** @param host - The running host, or null while there is none. */
export function createRedial(host: () => Libp2p | null, self: string, log: NetworkLog): Redial {
  const dialler: Dialler = { host, self, log, stopping: new AbortController() };
  const known = new Map<string, Known>();
  const entries = (): Known[] => [...known.values()];
  const add: Redial['add'] = async (address) => {
    const { target, peer } = readAddress(address);
    const entry = known.get(address) ?? unknown(address, target, peer);
    if (!known.has(address) && known.size >= knownPeerCountMax) {
      const reason = `${knownPeerCountMax} addresses are known already`;
      throw new NetworkError({ code: 'NETWORK_ADDRESS', address, reason });
    }
    known.set(address, entry);
    await dial(dialler, entry);
  };
  return {
    add,
    start: () => {
      dialler.stopping = new AbortController();
      for (const entry of known.values()) first(dialler, entry);
    },
    lost: (peer) => {
      for (const entry of known.values()) if (entry.peer === peer) lost(dialler, entry);
    },
    blame: (peer, reason) => {
      for (const entry of known.values()) if (entry.peer === peer) entry.reason = reason;
    },
    knows: (peer) => entries().some((entry) => entry.peer === peer),
    unreachable: () =>
      entries()
        .filter((entry) => entry.peer !== self && !isHere(dialler, entry))
        .map(({ address, reason }) => ({ address, reason: reason ?? 'the connection was lost' })),
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

function unknown(address: string, target: Multiaddr, peer: string | null): Known {
  return {
    address,
    target,
    peer,
    failureCount: 0,
    reachedMs: 0,
    reason: 'not dialled yet',
    timer: null,
    dialling: null,
  };
}

function isHere({ host }: Dialler, { peer }: Known): boolean {
  return (
    peer !== null &&
    (host()
      ?.getPeers()
      .some((id) => id.toString() === peer) ??
      false)
  );
}

/** Dials all at the start. */
function first(dialler: Dialler, entry: Known): void {
  // Where both know each other the larger id dials, so that there is one connection and not two.
  // The smaller one cannot know that it is known: it waits a little, then dials too.
  if (entry.peer === null || dialler.self > entry.peer) void dial(dialler, entry);
  else {
    mark('W20');
    dialIn(dialler, entry, politeMs * (1 + Math.random() / 2));
  }
}

function lost(dialler: Dialler, entry: Known): void {
  if (entry.timer !== null || dialler.stopping.signal.aborted) return;
  mark('W23');
  entry.reason ??= 'the connection was lost';
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
  const wait = Math.min(redialMsMax, redialMsMin * 2 ** entry.failureCount);
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
  if (isHere(dialler, entry)) {
    entry.reason = null;
    return;
  }
  try {
    const signal = AbortSignal.any([AbortSignal.timeout(dialMsMax), stopping.signal]);
    const connection = await host.dial(entry.target, { signal });
    entry.peer = connection.remotePeer.toString();
    entry.reason = null;
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
