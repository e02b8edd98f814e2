/** Hosts for tests of the network: ours, and one that obeys nobody. Ends them after each test. */
import { hash } from 'node:crypto';
import { gossipsub, StrictNoSign } from '@chainsafe/libp2p-gossipsub';
import { identify } from '@libp2p/identify';
import type { Stream } from '@libp2p/interface';
import { noise } from '@libp2p/noise';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import { afterEach } from 'vitest';
import type { NetworkEvent } from '../../node/network/event.ts';
import { createLibp2pNetwork, type Libp2pNetwork } from '../../node/network/libp2p.ts';
import { networkNames, topics } from '../../node/network/names.ts';
import type { NetworkHandlers } from '../../node/ports.ts';
import { utf8 } from '../../protocol/brand.ts';
import { sha256 } from '../../protocol/crypto/hash.ts';
import { accept } from '../../protocol/errors.ts';

export const networkId = sha256(utf8('a network of tests'));
export const names = networkNames(networkId);

/** One of ours, and what it logged. */
export type Ours = Libp2pNetwork & { readonly events: NetworkEvent[] };

const endings: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(endings.splice(0).map((end) => end()));
});

/** A network of ours, stopped, that is stopped again after the test. */
export async function ours(
  name: string,
  options: { network?: Uint8Array; peers?: string[]; listen?: string[]; discover?: boolean } = {},
): Promise<Ours> {
  const events: NetworkEvent[] = [];
  const one = await createLibp2pNetwork({
    network: networkId,
    privateKeySeed: new Uint8Array(hash('sha256', name, 'buffer')),
    log: (event) => events.push(event),
    ...options,
  });
  endings.push(one.stop);
  return Object.assign(one, { events });
}

/** A bare peer: it speaks the protocols, and obeys nobody. */
export async function bare(handler: (stream: Stream) => void = () => undefined) {
  const host = await createLibp2p({
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: {
      identify: identify(),
      pubsub: gossipsub({
        globalSignaturePolicy: StrictNoSign,
        allowPublishToZeroTopicPeers: true,
        ignoreDuplicatePublishError: true,
      }),
    },
  });
  endings.push(async () => host.stop());
  for (const topic of topics) host.services.pubsub.subscribe(names.topic(topic));
  for (const protocol of ['sync', 'blob'] as const)
    await host.handle(names.protocol(protocol), (stream) => handler(stream));
  return host;
}

/** Handlers that accept all, hear nothing, and send back what they are asked. */
export const quiet: NetworkHandlers = {
  judge: () => accept,
  heard: () => undefined,
  answer: async (_protocol, body) => body,
};
export const soon = (ms = 20_000): AbortSignal => AbortSignal.timeout(ms);
export const addressOf = (one: Libp2pNetwork): Multiaddr => multiaddr(one.addresses()[0]!);
/** What it logged of one kind. */
export function logged({ events }: Ours, kind: NetworkEvent['kind']): NetworkEvent[] {
  return events.filter((event) => event.kind === kind);
}
