/** Choose among peers who may have a blob: prefer the good, hedge the silent, drop liars. */
import { mark } from '../../protocol/assert.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import type { Standing } from './standing.ts';

/** What came of asking one peer: the thing, that it has not got it, or a lie. */
export type Attempt<T> = { readonly got: T } | 'absent' | 'lie';

/** What the asking of one peer goes by. */
export type Asking = {
  /** Fires when somebody else was first, or nobody waits any more. */
  readonly signal: AbortSignal;
  /** Called when a part of a long answer has come: whoever is heard of is not given up. */
  readonly alive: () => void;
  /** How often everybody has been asked in vain before: a reason to be more patient. */
  readonly round: number;
};

/** Asks one peer. */
export type Work<T> = (peer: string, asking: Asking) => Promise<Attempt<T>>;

/** Peers who are asked for the pieces of one blob. */
export type Crowd = {
  /**
   * Does `work` with one peer after the other until it gives something, round after round, for as
   * long as the signal allows. Where one is silent for a while, another is asked beside it.
   */
  readonly seek: <T>(work: Work<T>, signal: AbortSignal) => Promise<T>;
  /** Why the peers that were asked did not give it, one reason each. */
  readonly reasons: () => readonly string[];
};

export type CrowdOptions = {
  /** Told once of each liar, which is not asked again. */
  readonly blame: (peer: string) => void;
  /** What is known of peers from other blobs. */
  readonly standing: Standing;
  /** Milliseconds of silence after which a second peer is asked; Infinity for never. */
  readonly hedgeMs: number;
};

/** Milliseconds of silence after which a second peer is asked for the same piece, usually. */
export const hedgeMsUsual = 400;
/** A peer may take so many times as long as it usually does, and at most so many milliseconds. */
const hedgeFactor = 3;
const hedgeMsMax = 2_000;
/** Pieces of one blob that are asked for twice at the same time: what hedging may cost. */
const hedgeCountMax = 2;
/** Milliseconds between two rounds in which nobody had it: the first wait, and the longest. */
const roundMsMin = 100;
const roundMsMax = 2_000;
/** Peers whose reasons are kept. */
const reasonCountMax = 64;
/** How much it speaks against a peer that it was silent or failed, and that it lied. */
const silenceWeight = 1;
const lieWeight = 4;
/** What speaks so much against a peer that all others are asked before. */
const faultAsked = 0.5;
/** Places in the order of the caller that make a difference, and what one request more is worth. */
const placeCountMax = 4;
const busyWeight = 2;

type Members = {
  readonly peers: () => readonly string[];
  readonly options: CrowdOptions;
  readonly liars: Set<string>;
  readonly busy: Map<string, number>;
  readonly failures: Map<string, number>;
  readonly reasons: Map<string, string>;
  hedges: number;
};

/** @param peers - Who can be asked now, best first. */
export function crowdOf(peers: () => readonly string[], options: CrowdOptions): Crowd {
  const members: Members = {
    peers,
    options,
    liars: new Set(),
    busy: new Map(),
    failures: new Map(),
    reasons: new Map(),
    hedges: 0,
  };
  const seek: Crowd['seek'] = async (work, signal) => {
    for (let round = 0; ; round++) {
      const found = await askAll(members, work, signal, round);
      if (found !== null) return found.got;
      mark('W32');
      await pause(Math.min(roundMsMin * 2 ** round, roundMsMax), signal);
    }
  };
  return { seek, reasons: () => [...members.reasons.values()] };
}

/** The best peer that has not been tried, or null. */
function choose(members: Members, tried: ReadonlySet<string>): string | null {
  const { peers, options, liars, busy, failures } = members;
  const now = performance.now();
  let best: string | null = null;
  let bestWeight = Infinity;
  for (const [place, peer] of peers().entries()) {
    if (liars.has(peer) || tried.has(peer)) continue;
    const requests = busy.get(peer) ?? 0;
    const fault = options.standing.fault(peer, now);
    // Whoever has failed comes after whoever has not, however busy; whom nobody knows yet is asked
    // for one thing at a time while others can be asked.
    const weight =
      (failures.get(peer) ?? 0) * 1_000 +
      (fault >= faultAsked ? 500 * fault : 0) +
      (requests > 0 && !options.standing.isProven(peer) ? 100 : 0) +
      requests * busyWeight +
      Math.min(place, placeCountMax);
    if (weight < bestWeight) [best, bestWeight] = [peer, weight];
  }
  return best;
}

function failed(members: Members, peer: string, reason: string): void {
  const { failures, reasons } = members;
  failures.set(peer, (failures.get(peer) ?? 0) + 1);
  if (reasons.size < reasonCountMax || reasons.has(peer)) reasons.set(peer, reason);
}

/** One peer that is being asked. */
type Asked<T> = {
  readonly peer: string;
  /** When it was asked, and when it was last heard of. */
  readonly askedMs: number;
  aliveMs: number;
  /** When its silence was counted last; 0 for never. */
  silentMs: number;
  /** Resolves to itself and what it gave; null when that is nothing. Never rejects for a peer. */
  done: Promise<{ readonly asked: Asked<T>; readonly got: { readonly got: T } | null }>;
};

/** One round: asks until somebody has given it, or nobody is left to be asked. */
async function askAll<T>(
  members: Members,
  work: Work<T>,
  signal: AbortSignal,
  round: number,
): Promise<{ readonly got: T } | null> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const tried = new Set<string>();
  const running = new Set<Asked<T>>();
  let hedges = 0;
  const askNext = (): boolean => {
    const peer = choose(members, tried);
    if (peer === null) return false;
    tried.add(peer);
    running.add(ask(members, peer, work, { signal: either, round }));
    return true;
  };
  try {
    for (;;) {
      signal.throwIfAborted();
      if (running.size === 0 && !askNext()) return null;
      const first = await firstOf(running, silenceLeftMs(members, running));
      if (first !== null) {
        running.delete(first.asked);
        if (first.got !== null) return first.got;
        continue;
      }
      if (silenceLeftMs(members, running) > 0) continue;
      for (const asked of running) silent(members, asked);
      if (members.hedges >= hedgeCountMax || !askNext()) continue;
      mark('W36');
      hedges += 1;
      members.hedges += 1;
    }
  } finally {
    members.hedges -= hedges;
    over.abort(new Error('another peer gave it'));
  }
}

/** Milliseconds until all who are being asked have been silent for too long. */
function silenceLeftMs<T>({ options }: Members, running: ReadonlySet<Asked<T>>): number {
  const now = performance.now();
  const left = [...running].map(({ peer, aliveMs, silentMs }) => {
    const usual = hedgeFactor * (options.standing.usualMs(peer) ?? 0);
    const patience = Math.max(options.hedgeMs, Math.min(usual, hedgeMsMax));
    // After its silence was counted it is looked at again in as long a time.
    return Math.max(aliveMs, silentMs) + patience - now;
  });
  return Math.max(...left);
}

/** Counts the silence of a peer, once for each thing it was asked. */
function silent<T>({ options }: Members, asked: Asked<T>): void {
  const now = performance.now();
  if (asked.silentMs === 0) options.standing.failed(asked.peer, silenceWeight, now);
  asked.silentMs = now;
}

/** The first that ends, or null when `ms` are over before. */
async function firstOf<T>(
  running: ReadonlySet<Asked<T>>,
  ms: number,
): Promise<Awaited<Asked<T>['done']> | null> {
  const ends = [...running].map(({ done }) => done);
  if (ms === Infinity) return Promise.race(ends);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, Math.max(1, ms), null);
  });
  try {
    return await Promise.race([...ends, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks one peer, and keeps what came of it for the next choice. */
function ask<T>(
  members: Members,
  peer: string,
  work: Work<T>,
  { signal, round }: Omit<Asking, 'alive'>,
): Asked<T> {
  const { busy } = members;
  const now = performance.now();
  const asked = { peer, askedMs: now, aliveMs: now, silentMs: 0 } as Asked<T>;
  const alive = (): void => {
    asked.aliveMs = performance.now();
  };
  const attempt = async (): Promise<{ readonly got: T } | null> => {
    busy.set(peer, (busy.get(peer) ?? 0) + 1);
    try {
      return judge(members, asked, await work(peer, { signal, alive, round }));
    } catch (error) {
      // Given up because another was first, or because nobody waits any more: no fault of its own.
      if (signal.aborted) return null;
      if (!(error instanceof ProtocolError)) throw error;
      failed(members, peer, error.message);
      silent(members, asked);
      return null;
    } finally {
      busy.set(peer, busy.get(peer)! - 1);
    }
  };
  asked.done = attempt().then((got) => ({ asked, got }));
  // Whoever still waits looks at it; when another was first, nobody does.
  asked.done.catch(() => undefined);
  return asked;
}

function judge<T>(
  members: Members,
  { peer, askedMs }: Asked<T>,
  attempt: Attempt<T>,
): { readonly got: T } | null {
  const { options, liars } = members;
  const now = performance.now();
  if (attempt === 'absent') {
    failed(members, peer, `${peer} has not got it`);
    return null;
  }
  if (attempt === 'lie') {
    mark('W31');
    failed(members, peer, `${peer} gave other bytes`);
    options.standing.failed(peer, lieWeight, now);
    if (!liars.has(peer)) options.blame(peer);
    liars.add(peer);
    return null;
  }
  options.standing.gave(peer, now - askedMs, now);
  return attempt;
}

/** Waits, and leaves no timer behind when the signal fires first. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, refuse) => {
    const giveUp = (): void => {
      clearTimeout(timer);
      refuse(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', giveUp);
      resolve();
    }, ms);
    if (signal.aborted) giveUp();
    else signal.addEventListener('abort', giveUp, { once: true });
  });
}
