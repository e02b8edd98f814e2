/** Look after connections: heal gossip that died in silence, shut out the ruined. */
import type { Connection, Libp2p } from '@libp2p/interface';
import { mark } from '../../protocol/assert.ts';
import type { NetworkLog } from './event.ts';
import { scoreThresholds } from './gossip.ts';
import { banCountMax, banMs, watchGraceMs, watchMissCountMax, watchMs } from './limits.ts';

/** Strangers that are kept out for a while. */
export type BanList = {
  readonly has: (peer: string) => boolean;
  readonly add: (peer: string) => void;
};

export function banList(): BanList {
  const until = new Map<string, number>();
  const has = (peer: string): boolean => (until.get(peer) ?? 0) > performance.now();
  const add = (peer: string): void => {
    for (const [other, end] of until) {
      if (end > performance.now() && until.size < banCountMax) break;
      until.delete(other);
    }
    until.set(peer, performance.now() + banMs);
  };
  return { has, add };
}

export type WatchdogParts = {
  readonly host: Libp2p;
  readonly score: (peer: string) => number;
  /** Whether the gossip library believes that it talks with a peer both ways. */
  readonly gossips: (peer: string) => boolean;
  /** Whether a peer is one of those that are dialled for ever. */
  readonly knows: (peer: string) => boolean;
  readonly bans: BanList;
  readonly log: NetworkLog;
  /** Called at each look, for other work of the same rhythm. */
  readonly alsoDo: () => void;
};

/**
 * Looks at every connection once a second until it is stopped.
 *
 * The gossip library does not open a stream again that was reset while its connection lives: the
 * peer seems connected and hears nothing. Closing the connection heals it, for it is dialled
 * again at once.
 */
export function startWatchdog(parts: WatchdogParts): Watchdog {
  const misses = new Map<string, number>();
  let lookedMs = performance.now();
  const timer = setInterval(() => {
    const isLate = performance.now() - lookedMs > 1.5 * watchMs;
    lookedMs = performance.now();
    look(parts, misses, isLate);
  }, watchMs);
  return { ban: (peer) => ban(parts, peer), stop: () => clearInterval(timer) };
}

export type Watchdog = {
  /** Shuts a stranger out at once. Whom we know we keep: he is not listened to until he mends. */
  readonly ban: (peer: string) => void;
  readonly stop: () => void;
};

function ban({ host, knows, bans, score, log }: WatchdogParts, peer: string): void {
  if (knows(peer) || bans.has(peer)) return;
  mark('W25');
  bans.add(peer);
  log({ kind: 'banned', peer, score: score(peer) });
  // Hard, so that what it has sent already is not read any more.
  const reason = new Error('its messages were false');
  for (const connection of host.getConnections())
    if (connection.remotePeer.toString() === peer) connection.abort(reason);
}

/** @param isLate - Whether this process was too busy to look in time: then others seem silent. */
function look(parts: WatchdogParts, misses: Map<string, number>, isLate: boolean): void {
  const { host, bans, log } = parts;
  const peers = new Set<string>();
  for (const id of host.getPeers()) {
    const peer = id.toString();
    peers.add(peer);
    if (parts.score(peer) < scoreThresholds.graylistThreshold) ban(parts, peer);
    if (bans.has(peer)) continue;
    const alive = parts.gossips(peer) && flows(host.getConnections(id));
    const isFine = alive || isLate || isYoung(host.getConnections(id));
    const missCount = isFine ? 0 : (misses.get(peer) ?? 0) + 1;
    misses.set(peer, missCount);
    if (missCount < watchMissCountMax) continue;
    mark('W24');
    misses.delete(peer);
    log({ kind: 'zombie', peer });
    void hangUp(host, peer);
  }
  for (const peer of misses.keys()) if (!peers.has(peer)) misses.delete(peer);
  parts.alsoDo();
}

/** Closes all connections to a peer, the hard way if it does not take part. */
export async function hangUp(host: Libp2p, peer: string): Promise<void> {
  const connections = host
    .getConnections()
    .filter(({ remotePeer }) => remotePeer.toString() === peer);
  await Promise.all(
    connections.map((connection) =>
      connection
        .close({ signal: AbortSignal.timeout(1_000) })
        .catch((cause: Error) => connection.abort(cause)),
    ),
  );
}

function isYoung(connections: readonly Connection[]): boolean {
  return connections.some(({ timeline }) => Date.now() - timeline.open < watchGraceMs);
}

/** Whether gossip streams are open both ways: the library does not notice all that end. */
function flows(connections: readonly Connection[]): boolean {
  const streams = connections
    .flatMap((connection) => connection.streams)
    .filter(({ protocol, status }) => protocol.startsWith('/meshsub/') && status === 'open');
  const has = (word: 'inbound' | 'outbound'): boolean =>
    streams.some(({ direction }) => direction === word);
  return has('inbound') && has('outbound');
}
