/** Build a libp2p host whose every queue and count has a limit. */
import { gossipsub } from '@chainsafe/libp2p-gossipsub';
import { identify } from '@libp2p/identify';
import type { PrivateKey } from '@libp2p/interface';
import { noise } from '@libp2p/noise';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { createLibp2p } from 'libp2p';
import { protocolName } from '../../protocol/params.ts';
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

/** Streams of all protocols on one connection: ours both ways, gossip, identify, some to spare. */
const muxedStreamCountMax = inboundStreamCountMax * streamProtocols.length + 16;

/** A host that has not been started. */
export type Host = Awaited<ReturnType<typeof createHost>>;

/** @param listen - Multiaddrs to listen on; none for a host that only dials. */
export async function createHost(
  privateKey: PrivateKey,
  listen: readonly string[],
  names: NetworkNames,
  bans: BanList,
) {
  const isLocal = listen.every((address) => /^\/(ip4\/127\.|ip6\/::1\/)/.test(address));
  return createLibp2p({
    start: false,
    privateKey,
    nodeInfo: { name: protocolName, version: '1', userAgent: protocolName },
    addresses: { listen: [...listen] },
    transports: [tcp({ maxConnections: connectionCountMax + handshakeCountMax })],
    connectionEncrypters: [noise()],
    streamMuxers: [
      yamux({
        maxInboundStreams: muxedStreamCountMax,
        maxOutboundStreams: muxedStreamCountMax,
        // Who dials may ask before we are ready: by default the eleventh stream ends all.
        maxEarlyStreams: muxedStreamCountMax,
        streamOptions: { maxWriteBufferLength: gossipQueueBytesMax + 65_536 },
      }),
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
    services: {
      identify: identify(),
      pubsub: gossipsub(gossipOptions(names)),
    },
  });
}

/** Stops a host, and the one timer that it leaves running. */
export async function stopHost(host: Host): Promise<void> {
  await host.stop();
  const { components } = host as unknown as {
    components?: { addressManager?: { _updatePeerStoreAddresses?: { stop?: () => void } } };
  };
  components?.addressManager?._updatePeerStoreAddresses?.stop?.();
}
