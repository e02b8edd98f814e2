/** Choose among peers who may have a blob: try each, prefer the good ones, drop liars. */
import { mark } from '../../protocol/assert.ts';
import { ProtocolError } from '../../protocol/errors.ts';

/** What came of asking one peer: the thing, that it has not got it, or a lie. */
export type Attempt<T> = { readonly got: T } | 'absent' | 'lie';

/** Peers who are asked for the pieces of one blob. */
export type Crowd = {
  /**
   * Does `work` with one peer after the other until it gives something, round after round, for as
   * long as the signal allows.
   */
  readonly seek: <T>(
    work: (peer: string) => Promise<Attempt<T>>,
    signal: AbortSignal,
  ) => Promise<T>;
  /** Why the peers that were asked did not give it, one reason each. */
  readonly reasons: () => readonly string[];
};

/** Milliseconds between two rounds in which nobody had it: the first wait, and the longest. */
const roundMsMin = 100;
const roundMsMax = 2_000;
/** Peers whose reasons are kept. */
const reasonCountMax = 64;

/**
 * @param peers - Who can be asked now, best first.
 * @param blame - Told once of each liar, which is not asked again.
 */
export function crowdOf(peers: () => readonly string[], blame: (peer: string) => void): Crowd {
  const liars = new Set<string>();
  const busy = new Map<string, number>();
  const failures = new Map<string, number>();
  const reasons = new Map<string, string>();

  const choose = (tried: ReadonlySet<string>): string | null => {
    let best: string | null = null;
    let bestWeight = Infinity;
    for (const peer of peers()) {
      if (liars.has(peer) || tried.has(peer)) continue;
      // Whoever has failed comes after whoever has not, however busy.
      const weight = (failures.get(peer) ?? 0) * 1_000 + (busy.get(peer) ?? 0);
      if (weight < bestWeight) [best, bestWeight] = [peer, weight];
    }
    return best;
  };
  const failed = (peer: string, reason: string): void => {
    failures.set(peer, (failures.get(peer) ?? 0) + 1);
    if (reasons.size < reasonCountMax || reasons.has(peer)) reasons.set(peer, reason);
  };
  const tryOne = async <T>(
    peer: string,
    work: (peer: string) => Promise<Attempt<T>>,
    signal: AbortSignal,
  ): Promise<{ readonly got: T } | null> => {
    busy.set(peer, (busy.get(peer) ?? 0) + 1);
    try {
      const attempt = await work(peer);
      if (attempt === 'absent') failed(peer, `${peer} has not got it`);
      else if (attempt === 'lie') {
        mark('W31');
        failed(peer, `${peer} gave other bytes`);
        if (!liars.has(peer)) blame(peer);
        liars.add(peer);
      } else return attempt;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ProtocolError)) throw error;
      failed(peer, error.message);
    } finally {
      busy.set(peer, busy.get(peer)! - 1);
    }
    return null;
  };

  const seek: Crowd['seek'] = async (work, signal) => {
    for (let round = 0; ; round++) {
      const tried = new Set<string>();
      for (let peer = choose(tried); peer !== null; peer = choose(tried)) {
        signal.throwIfAborted();
        tried.add(peer);
        const attempt = await tryOne(peer, work, signal);
        if (attempt !== null) return attempt.got;
      }
      mark('W32');
      await pause(Math.min(roundMsMin * 2 ** round, roundMsMax), signal);
    }
  };
  return { seek, reasons: () => [...reasons.values()] };
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
