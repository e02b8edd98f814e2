// Goal: the network in memory and the one on libp2p keep the same promises.
// Method: one suite for both; libp2p with real sockets on the loopback.
import { hash } from 'node:crypto';
import { createLibp2pNetwork, type Libp2pNetwork } from '../../node/network/libp2p.ts';
import { createMemoryNetworks } from '../../node/network/memory.ts';
import { topics } from '../../node/network/names.ts';
import type { Network } from '../../node/ports.ts';
import { utf8 } from '../../protocol/brand.ts';
import { sha256 } from '../../protocol/crypto/hash.ts';
import { eventually, type NetworkWorld, networkLaws } from './network.ts';

networkLaws('memory', async () => {
  const links = new Set<string>();
  const key = (a: string, b: string): string => [a, b].sort().join(' ');
  const hub = createMemoryNetworks({ linked: (a, b) => links.has(key(a, b)) });
  return {
    create: async (name) => hub.create(name),
    connect: async (a, b) => void links.add(key(a.self, b.self)),
    close: async () => undefined,
  };
});

networkLaws('libp2p', async (): Promise<NetworkWorld> => {
  const network = sha256(utf8('a network of tests'));
  const made = new Map<Network, Libp2pNetwork>();
  return {
    create: async (name) => {
      const privateKeySeed = new Uint8Array(hash('sha256', `test ${name}`, 'buffer'));
      const one = await createLibp2pNetwork({ network, privateKeySeed });
      made.set(one, one);
      return one;
    },
    connect: async (a, b) => {
      const [one, other] = [made.get(a)!, made.get(b)!];
      await one.dial(other.addresses()[0]!);
      for (const [from, to] of [
        [one, other],
        [other, one],
      ] as const) {
        await eventually('it is a peer', () => from.peers().includes(to.self));
        for (const topic of topics)
          await eventually('gossip flows', () => from.mesh(topic).includes(to.self));
      }
    },
    close: async () => {
      await Promise.all([...made.values()].map((one) => one.stop()));
    },
  };
});
