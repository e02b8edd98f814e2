/** Start everything that exists only while a network on libp2p runs, and stop it in reverse. */
import type { IdentifyResult, PeerId, PrivateKey } from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { mark } from '../../protocol/assert.ts';
import type { NetworkHandlers } from '../ports.ts';
import { registerAnswers } from './answers.ts';
import { type Named, type Searches, startSearches } from './discovery.ts';
import { NetworkError } from './error.ts';
import type { NetworkLog } from './event.ts';
import { type Gossip, startGossip } from './gossip.ts';
import { createHost, type Host, stopHost } from './host.ts';
import { strangerMs } from './limits.ts';
import type { NetworkNames } from './names.ts';
import type { Redial } from './redial.ts';
import type { Strangers } from './strangers.ts';
import { type Asker, createAsker } from './streams.ts';
import { type BanList, hangUp, startWatchdog, type Watchdog } from './watchdog.ts';

/** What outlives a stop. */
export type Setup = {
  readonly privateKey: PrivateKey;
  readonly names: NetworkNames;
  readonly bans: BanList;
  readonly redial: Redial;
  readonly strangers: Strangers;
  /** Whether peers are found by asking those that are here. */
  readonly discover: boolean;
  /** Peers of our network that are connected now. */
  readonly here: Set<string>;
  readonly log: NetworkLog;
};

/** A network that runs. */
export type Running = {
  readonly host: Host;
  readonly gossip: Gossip;
  readonly asker: Asker;
  readonly stop: () => Promise<void>;
};

/** Starts on the first of several sets of addresses on which it can. */
export async function startAny(
  setup: Setup,
  choices: readonly (readonly string[])[],
  handlers: NetworkHandlers,
): Promise<Running> {
  let failure: unknown = null;
  for (const addresses of choices) {
    try {
      return await startOn(setup, addresses, handlers);
    } catch (cause) {
      failure = cause;
    }
  }
  const reason = listenReason(failure as Error);
  const addresses = choices.at(-1)!;
  throw new NetworkError({ code: 'NETWORK_LISTEN', addresses, reason }, failure);
}

/** The library lists all that it tried, with stacks: the line with the reason is enough. */
function listenReason({ message }: Error): string {
  return /\bE[A-Z]+: [^\n]*/.exec(message)?.[0] ?? message.split('\n')[0]!;
}

async function startOn(
  setup: Setup,
  addresses: readonly string[],
  handlers: NetworkHandlers,
): Promise<Running> {
  const { names, bans, redial, here, log } = setup;
  const { host, discovery } = await createHost(setup.privateKey, addresses, setup);
  // Before the start: the first peer may be here before the start is over.
  const endAnswers = await registerAnswers(host, names, handlers.answer);
  let searches: Searches | null = null;
  const endPeers = followPeers(host, setup, () => searches?.soon());
  try {
    await host.start();
  } catch (cause) {
    endPeers();
    await stopHost(host);
    throw cause;
  }
  let watchdog: Watchdog | null = null;
  const ruined = (peer: string): void => watchdog?.ban(peer);
  const gossip = startGossip(host.services.pubsub, names, handlers, log, ruined);
  const asker = createAsker(host, names);
  const { score, gossips } = gossip;
  const alsoDo = (): void => {
    asker.sweep();
    gossip.fit(here.size);
  };
  watchdog = startWatchdog({ host, score, gossips, knows: redial.knows, bans, log, alsoDo });
  if (discovery !== null)
    searches = startSearches(discovery, host.peerId, (named) => found(host, setup, named));
  const stop = async (): Promise<void> => {
    watchdog.stop();
    searches?.stop();
    endPeers();
    asker.stop();
    endAnswers();
    const endGossip = gossip.stop();
    await redial.stop();
    here.clear();
    await stopHost(host);
    endGossip();
  };
  return { host, gossip, asker, stop };
}

/**
 * Keeps the set of peers of our network that are here. Returns how to end.
 * @param came - Called when there is one more.
 */
function followPeers(host: Host, setup: Setup, came: () => void): () => void {
  const { names, redial, here, log, strangers } = setup;
  const leaving = new Set<NodeJS.Timeout>();
  const refuse = (peer: string, address: string, reason: string): void => {
    mark('W19');
    log({ kind: 'stranger', peer, reason });
    redial.blame(peer, reason);
    strangers.add(peer, address, reason);
    // It may be asking just now who we are: then its owner is told too.
    const timer = setTimeout(() => {
      leaving.delete(timer);
      void hangUp(host, peer);
    }, strangerMs);
    leaving.add(timer);
  };
  const identified = ({ detail }: CustomEvent<IdentifyResult>): void => {
    const peer = detail.peerId.toString();
    const reason = names.strangerReason(detail.protocols);
    if (reason !== null) {
      refuse(peer, detail.connection.remoteAddr.toString(), reason);
      return;
    }
    if (here.has(peer) || host.getConnections(detail.peerId).length === 0) return;
    here.add(peer);
    redial.welcome(peer);
    strangers.remove(peer);
    log({ kind: 'connected', peer });
    came();
  };
  const gone = ({ detail }: CustomEvent<PeerId>): void => {
    const peer = detail.toString();
    if (here.delete(peer)) log({ kind: 'disconnected', peer });
    redial.lost(peer);
  };
  host.addEventListener('peer:identify', identified);
  host.addEventListener('peer:disconnect', gone);
  return () => {
    host.removeEventListener('peer:identify', identified);
    host.removeEventListener('peer:disconnect', gone);
    for (const timer of leaving) clearTimeout(timer);
  };
}

/** Takes up a peer that another one named, under the addresses that are worth a dial. */
function found(host: Host, { redial }: Setup, { peer, addresses, from }: Named): void {
  const connection = host.getConnections().find((one) => one.remotePeer.toString() === from);
  if (connection === undefined) return;
  // Who is not on this machine knows nothing of its loopback: it would have us knock at any door.
  const isNear = isLoopback(connection.remoteAddr);
  const targets = addresses
    .filter((address) => isDialable(address) && (isNear || !isLoopback(address)))
    .map((address) => (hasId(address) ? address : address.encapsulate(`/p2p/${peer}`)));
  const own = targets.filter((target) => target.toString().endsWith(`/p2p/${peer}`));
  redial.found(peer, own);
}

const firstOf = (address: Multiaddr): { readonly name: string; readonly value?: string } =>
  address.getComponents()[0] ?? { name: '' };

/** An IP address with a TCP port, and nothing between or after them but a peer id. */
function isDialable(address: Multiaddr): boolean {
  return /^\/ip[46]\/[0-9a-f.:]+\/tcp\/[1-9]\d*(\/p2p\/\w+)?$/i.test(address.toString());
}

function isLoopback(address: Multiaddr): boolean {
  const { name, value = '' } = firstOf(address);
  return name === 'ip4' ? value.startsWith('127.') : name === 'ip6' && value === '::1';
}

const hasId = (address: Multiaddr): boolean =>
  address.getComponents().some(({ name }) => name === 'p2p');
