/** Be a network on libp2p: TCP, Noise, Yamux, gossipsub, and kept request streams. */
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { assert } from '../../protocol/assert.ts';
import type { Network, NetworkHandlers, Topic } from '../ports.ts';
import { NetworkError } from './error.ts';
import type { NetworkEvent, NetworkLog, Unreachable } from './event.ts';
import { networkNames } from './names.ts';
import { createRedial, lostReason, readAddress, type Wanted } from './redial.ts';
import { type Running, type Setup, startAny } from './running.ts';
import { strangers } from './strangers.ts';
import { banList } from './watchdog.ts';

/** Bytes from which a peer id comes. */
const seedBytes = 32;

/** Who we are, where we listen, and whom we know. */
export type Libp2pNetworkOptions = {
  /** The 32-byte genesis hash: part of every topic and protocol name. */
  readonly network: Uint8Array;
  /** 32 secret bytes from which the peer id comes. */
  readonly privateKeySeed: Uint8Array;
  /** Multiaddrs to listen on. A free port of the loopback unless given. */
  readonly listen?: readonly string[];
  /** Multiaddrs of known peers, best with `/p2p/…` at their end. */
  readonly peers?: readonly string[];
  /** Whether other peers of the network are found by asking those that are known. Off by default. */
  readonly discover?: boolean;
  readonly log?: (event: NetworkEvent) => void;
};

/** A peer that is connected, or wanted, or was refused lately. */
export type KnownPeer = {
  /** Text of its peer id; null for a given address where nobody has answered yet. */
  readonly id: string | null;
  readonly addresses: readonly string[];
  /** Whether it is here as a peer of our network. */
  readonly connected: boolean;
  /** Why it is not, in one sentence. */
  readonly reason: string | null;
  readonly score: number;
};

export type Libp2pNetwork = Network & {
  /** Multiaddrs under which we can be dialled, with our peer id; none while stopped. */
  readonly addresses: () => readonly string[];
  /**
   * Knows an address from now on. Resolves when the first dial is over, whether or not somebody
   * was there; {@link unreachable} tells, and it is dialled for ever.
   * @throws {@link NetworkError} `NETWORK_ADDRESS`
   */
  readonly dial: (address: string) => Promise<void>;
  /** Known peers that are not connected, each with the reason that stands now. */
  readonly unreachable: () => readonly Unreachable[];
  /** All peers that are connected, wanted, or were refused lately, each once. */
  readonly known: () => readonly KnownPeer[];
  /** Score of a peer: 0 for a stranger; below -400 nothing it says is heard. */
  readonly score: (peer: string) => number;
  /** Peers to whom what is published on a topic goes at once. */
  readonly mesh: (topic: Topic) => readonly string[];
};

/** Makes a network that is stopped. @throws {@link NetworkError} `NETWORK_ADDRESS` */
export async function createLibp2pNetwork(options: Libp2pNetworkOptions): Promise<Libp2pNetwork> {
  const { privateKeySeed, listen = ['/ip4/127.0.0.1/tcp/0'], peers = [] } = options;
  assert(privateKeySeed.length === seedBytes, 'a peer id comes from 32 bytes');
  const log: NetworkLog = options.log ?? (() => undefined);
  const privateKey = await generateKeyPairFromSeed('Ed25519', privateKeySeed);
  const self = peerIdFromPrivateKey(privateKey).toString();
  let running: Running | null = null;
  const here = new Set<string>();
  const redial = createRedial(
    () => running?.host ?? null,
    self,
    (peer) => here.has(peer),
    log,
  );
  const setup: Setup = {
    privateKey,
    names: networkNames(options.network),
    bans: banList(),
    redial,
    strangers: strangers(),
    discover: options.discover ?? false,
    here,
    log,
  };
  for (const address of [...listen, ...peers]) readAddress(address);
  for (const address of peers) await redial.add(address);
  const inTurn = turns();
  let bound: readonly string[] = listen;

  const addresses = (): readonly string[] =>
    running?.host.getMultiaddrs().map((address) => address.toString()) ?? [];
  const start = async (handlers: NetworkHandlers): Promise<void> => {
    assert(running === null, 'a network is started once until it is stopped');
    running = await startAny(setup, [bound, listen], handlers);
    bound = boundAgain(listen, addresses());
    redial.start();
    log({ kind: 'listening', addresses: addresses() });
  };
  const stop = async (): Promise<void> => {
    const was = running;
    running = null;
    await was?.stop();
  };
  const request: Network['request'] = async (peer, protocol, body, signal) => {
    if (running === null) throw new NetworkError({ code: 'NETWORK_STOPPED' });
    return running.asker.ask(peer, protocol, body, signal);
  };
  return {
    self,
    start: (handlers) => inTurn(() => start(handlers)),
    stop: () => inTurn(stop),
    publish: (topic, bytes) => running?.gossip.publish(topic, bytes),
    peers: () => [...here],
    request,
    addresses,
    dial: redial.add,
    unreachable: redial.unreachable,
    known: () => knownPeers(setup, running),
    score: (peer) => running?.gossip.score(peer) ?? 0,
    mesh: (topic) => running?.gossip.mesh(topic) ?? [],
  };
}

/** What is known of each peer, once for each id. */
function knownPeers({ redial, strangers, here }: Setup, running: Running | null): KnownPeer[] {
  const connections = running?.host.getConnections() ?? [];
  const present: Wanted[] = connections.map(({ remotePeer, remoteAddr }) => ({
    id: remotePeer.toString(),
    addresses: [remoteAddr.toString()],
    reason: null,
  }));
  const merged = new Map<string, Wanted>();
  const arrived = present.filter(({ id }) => id !== null && here.has(id));
  for (const one of [...redial.wanted(), ...strangers.all(), ...arrived]) {
    const key = one.id ?? one.addresses.join();
    const before = merged.get(key);
    // The port from which somebody dialled us is none that he listens on: better than nothing.
    if (before !== undefined && arrived.includes(one)) continue;
    const addresses = [...new Set([...(before?.addresses ?? []), ...one.addresses])];
    merged.set(key, { id: one.id, addresses, reason: before?.reason ?? one.reason });
  }
  return [...merged.values()].map(({ id, addresses, reason }) => {
    const connected = id !== null && here.has(id);
    const score = id === null ? 0 : (running?.gossip.score(id) ?? 0);
    return { id, addresses, connected, reason: connected ? null : (reason ?? lostReason), score };
  });
}

/** Starts and stops happen one after the other, in the order in which they were asked for. */
function turns(): (act: () => Promise<void>) => Promise<void> {
  let last: Promise<void> = Promise.resolve();
  return (act) => {
    const next = last.then(act);
    last = next.catch(() => undefined);
    return next;
  };
}

/** Where to listen after a stop: on the port that was free last time, for peers know it. */
function boundAgain(listen: readonly string[], addresses: readonly string[]): readonly string[] {
  const port = /\/tcp\/(\d+)/.exec(addresses[0] ?? '')?.[1];
  if (listen.length !== 1 || port === undefined) return listen;
  return listen.map((address) => address.replace(/\/tcp\/0\b/, `/tcp/${port}`));
}
