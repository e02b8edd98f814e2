/** Be a network on libp2p: TCP, Noise, Yamux, gossipsub, and kept request streams. */
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { assert } from '../../protocol/assert.ts';
import type { Network, NetworkHandlers, Topic } from '../ports.ts';
import { NetworkError } from './error.ts';
import type { NetworkEvent, NetworkLog, Unreachable } from './event.ts';
import { networkNames } from './names.ts';
import { createRedial, readAddress } from './redial.ts';
import { type Running, type Setup, startAny } from './running.ts';
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
  readonly log?: (event: NetworkEvent) => void;
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
  const redial = createRedial(() => running?.host ?? null, self, log);
  const names = networkNames(options.network);
  const here = new Set<string>();
  const setup: Setup = { privateKey, names, bans: banList(), redial, here, log };
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
    score: (peer) => running?.gossip.score(peer) ?? 0,
    mesh: (topic) => running?.gossip.mesh(topic) ?? [],
  };
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
