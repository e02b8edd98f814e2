/** Build a libp2p host whose every queue and count has a limit. */
import { gossipsub } from '@chainsafe/libp2p-gossipsub';
import { identify } from '@libp2p/identify';
import type { PrivateKey } from '@libp2p/interface';
import type { KadDHTComponents } from '@libp2p/kad-dht';
import { noise } from '@libp2p/noise';
import { ping } from '@libp2p/ping';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { createLibp2p } from 'libp2p';
import { protocolName } from '../../protocol/params.ts';
import { batching } from './batch.ts';
import { type Discovery, discovery } from './discovery.ts';
import { gossipOptions } from './gossip.ts';
import {
  connectionCountMax,
  dialMsMax,
  gossipQueueBytesMax,
  handshakeCountMax,
  handshakesPerSecondMax,
  inboundStreamCountMax,
  loopbackHandshakesPerSecondMax,
} from './limits.ts';
import { type NetworkNames, streamProtocols } from './names.ts';
import type { BanList } from './watchdog.ts';
import { thrifty } from './windows.ts';

/** Streams of all protocols on one connection: ours both ways, gossip, identify, some to spare. */
const muxedStreamCountMax = inboundStreamCountMax * streamProtocols.length + 32;

/** A host that has not been started. */
export type Host = Awaited<ReturnType<typeof createHost>>['host'];

/** What a host is made for. */
export type HostParts = {
  readonly names: NetworkNames;
  readonly bans: BanList;
  /** Whether it finds peers by asking those that are here. */
  readonly discover: boolean;
};

/**
 * @param listen - Multiaddrs to listen on; none for a host that only dials.
 * @returns The host, and its way to find peers; null where it was not asked for.
 */
export async function createHost(
  privateKey: PrivateKey,
  listen: readonly string[],
  { names, bans, discover }: HostParts,
) {
  const isLocal = listen.every((address) => /^\/(ip4\/127\.|ip6\/::1\/)/.test(address));
  let found: Discovery | null = null;
  const services = { identify: identify(), pubsub: gossipsub(gossipOptions(names)) };
  // The search needs to ping whom it asks.
  const finding = {
    ping: ping({ protocolPrefix: names.ping }),
    discovery: (components: KadDHTComponents) => {
      found = discovery(names)(components);
      return found;
    },
  };
  const host = await createLibp2p({
    start: false,
    privateKey,
    nodeInfo: { name: protocolName, version: '1', userAgent: protocolName },
    addresses: { listen: [...listen] },
    transports: [tcp({ maxConnections: connectionCountMax + handshakeCountMax })],
    connectionEncrypters: [batching(noise())],
    streamMuxers: [
      thrifty(
        yamux({
          maxInboundStreams: muxedStreamCountMax,
          maxOutboundStreams: muxedStreamCountMax,
          // Who dials may ask before we are ready: by default the eleventh stream ends all.
          maxEarlyStreams: muxedStreamCountMax,
          streamOptions: { maxWriteBufferLength: gossipQueueBytesMax + 65_536 },
        }),
      ),
    ],
    connectionManager: {
      maxConnections: connectionCountMax,
      maxIncomingPendingConnections: handshakeCountMax,
      // Hosts on one machine share an address, and start together.
      inboundConnectionThreshold: isLocal ? loopbackHandshakesPerSecondMax : handshakesPerSecondMax,
      dialTimeout: dialMsMax,
      inboundUpgradeTimeout: dialMsMax,
    },
    connectionGater: {
      denyDialMultiaddr: () => false,
      denyInboundEncryptedConnection: (peer) => bans.has(peer.toString()),
    },
    services: (discover ? { ...services, ...finding } : services) as typeof services,
  });
  return { host, discovery: found as Discovery | null };
}

/** Stops a host, and the one timer that it leaves running. */
export async function stopHost(host: Host): Promise<void> {
  await host.stop();
  const { components } = host as unknown as {
    components?: { addressManager?: { _updatePeerStoreAddresses?: { stop?: () => void } } };
  };
  components?.addressManager?._updatePeerStoreAddresses?.stop?.();
}
