/** Find peers by asking those that are here whom they know (Kademlia). */
import { randomBytes } from 'node:crypto';
import { type PeerId, type Startable, type Stream, start, stop } from '@libp2p/interface';
import { type KadDHT, type KadDHTComponents, kadDHT, passthroughMapper } from '@libp2p/kad-dht';
import type { Multiaddr } from '@multiformats/multiaddr';
import { mark } from '../../protocol/assert.ts';
import {
  foundAddressCountMax,
  namedPeerCountMax,
  searchBytesMax,
  searchMs,
  searchMsMax,
  searchSoonMs,
} from './limits.ts';
import type { NetworkNames } from './names.ts';

/** A peer that another one named. */
export type Named = {
  readonly peer: string;
  readonly addresses: readonly Multiaddr[];
  /** Who named it. */
  readonly from: string;
};

/** The part of a host that finds peers. */
export type Discovery = Startable & {
  /** Asks whoever is here, and whoever they know, for peers near a key. */
  readonly search: (key: Uint8Array, signal: AbortSignal) => AsyncIterable<Named>;
};

type ConnectionManager = KadDHTComponents['connectionManager'];

/** Streams of searches that a peer may hold open to us, and we to it. */
const inboundCountMax = 4;
const outboundCountMax = 8;
/** Peers that are asked at once in one search. */
const askedCountMax = 3;
/** Milliseconds in which the library would search by itself: never, for we do. */
const neverMs = 2 ** 31 - 1;
/** Found peers that wait to be taken into the table of whom to ask. */
const updateCountMax = 256;

/**
 * Makes the service of one network.
 *
 * The library alone would write every address that any peer names into its own book, dial it, and
 * store records for strangers. Here it asks and answers who is where, over connections that we
 * have made; what comes of it is ours to judge.
 * @see spec/protocol/network.md W38
 */
export function discovery(names: NetworkNames): (components: KadDHTComponents) => Discovery {
  return (components) => {
    const table = kadDHT({
      protocol: names.discovery,
      clientMode: false,
      // Private and loopback addresses are as good as others: networks live on one machine too.
      peerInfoMapper: passthroughMapper,
      allowQueryWithZeroPeers: true,
      alpha: askedCountMax,
      disjointPaths: askedCountMax,
      querySelfInterval: neverMs,
      initialQuerySelfInterval: neverMs,
      routingTableUpdateMaxQueueSize: updateCountMax,
      maxInboundStreams: inboundCountMax,
      maxOutboundStreams: outboundCountMax,
    })(withoutDials(components)) as Inside;
    restrict(table);
    return {
      start: () => start(table),
      stop: () => stop(table),
      search: (key, signal) => search(table, key, signal),
    };
  };
}

/** The host's parts, of which the one that opens streams dials nobody for it. */
function withoutDials(components: KadDHTComponents): KadDHTComponents {
  const { connectionManager } = components;
  const openStream: ConnectionManager['openStream'] = async (peer, protocol, options) => {
    const id = peer.toString();
    const isHere = connectionManager.getConnections().some((one) => `${one.remotePeer}` === id);
    if (!isHere) throw new Error('only peers that are connected are asked');
    return connectionManager.openStream(peer, protocol, options);
  };
  const replaced = new Map<unknown, unknown>([
    ['openStream', openStream],
    // What it would dial is not dialled: that the addresses could be is enough.
    ['isDialable', async () => true],
  ]);
  const limited = instead(connectionManager, (key) => replaced.get(key));
  return instead(components, (key) => (key === 'connectionManager' ? limited : undefined));
}

/** The same object, some of whose members are others. */
function instead<T extends object>(object: T, other: (key: string | symbol) => unknown): T {
  return new Proxy(object, {
    get: (target, key) => {
      const value: unknown = other(key) ?? Reflect.get(target, key);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** Leaves of the library's protocol only the question who is near, and bounds its answers. */
function restrict({ rpc, network }: Inside): void {
  for (const kind of Object.keys(rpc.handlers))
    if (kind !== 'FIND_NODE' && kind !== 'PING') delete rpc.handlers[kind];
  const answer = rpc.onIncomingStream.bind(rpc);
  rpc.onIncomingStream = async (stream, connection) => {
    bound(stream);
    // A stream that is broken off tells by itself.
    await answer(stream, connection).catch((cause: Error) => stream.abort(cause));
  };
  const exchange = network._writeReadMessage.bind(network);
  network._writeReadMessage = (stream, message, options) => {
    bound(stream);
    return exchange(stream, message, options);
  };
}

/** Ends a stream on which more comes than a few answers need. */
function bound(stream: Stream): void {
  let bytes = 0;
  stream.addEventListener('message', ({ data }) => {
    bytes += data.byteLength;
    if (bytes > searchBytesMax) stream.abort(new Error('its answer is too long'));
  });
}

async function* search(table: KadDHT, key: Uint8Array, signal: AbortSignal): AsyncIterable<Named> {
  for await (const event of table.getClosestPeers(key, { signal })) {
    if (event.name !== 'PEER_RESPONSE') continue;
    const from = event.from.toString();
    mark('W38');
    for (const { id, multiaddrs } of event.closer.slice(0, namedPeerCountMax)) {
      const addresses = multiaddrs.slice(0, foundAddressCountMax);
      yield { peer: id.toString(), addresses, from };
    }
  }
}

/** Searches that go on until they are stopped. */
export type Searches = {
  /** Searches soon: somebody new can be asked. */
  readonly soon: () => void;
  readonly stop: () => void;
};

/**
 * Searches near ourselves and near a key drawn by chance, soon after each new connection, and
 * every half a minute or so.
 * @param named - Told of each peer that was named.
 */
export function startSearches(
  { search }: Discovery,
  self: PeerId,
  named: (one: Named) => void,
): Searches {
  const stopping = new AbortController();
  let timer: NodeJS.Timeout | null = null;
  let dueMs = Infinity;
  const wait = (ms: number): void => {
    if (stopping.signal.aborted || performance.now() + ms >= dueMs) return;
    if (timer !== null) clearTimeout(timer);
    dueMs = performance.now() + ms;
    timer = setTimeout(() => void once(), ms);
  };
  const once = async (): Promise<void> => {
    dueMs = Infinity;
    timer = null;
    wait(searchMs * (0.5 + Math.random()));
    mark('W39');
    const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(searchMsMax)]);
    try {
      for (const key of [self.toMultihash().bytes, new Uint8Array(randomBytes(32))])
        for await (const one of search(key, signal)) named(one);
    } catch {
      // Nobody to ask, or too slow: the next search asks others.
    }
  };
  wait(searchSoonMs * (0.5 + Math.random()));
  return {
    soon: () => wait(searchSoonMs * (0.5 + Math.random())),
    stop: () => {
      stopping.abort();
      if (timer !== null) clearTimeout(timer);
    },
  };
}

/** What the library has and its public type does not say. */
type Inside = KadDHT & {
  readonly rpc: {
    readonly handlers: Record<string, unknown>;
    onIncomingStream: (stream: Stream, connection: unknown) => Promise<void>;
  };
  readonly network: {
    _writeReadMessage: (stream: Stream, message: unknown, options: unknown) => Promise<unknown>;
  };
};
