/** Run a development network in this process and count what goes through its ports and sockets. */

import { randomBytes } from 'node:crypto';
import diagnostics from 'node:diagnostics_channel';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nativeKeys } from '../node/crypto.ts';
import { type ChildPool, createExecutor } from '../node/executor/pool.ts';
import { createLibp2pNetwork, type Libp2pNetwork } from '../node/network/libp2p.ts';
import { type AnwansiNode, blobDirectoryOf, startNode } from '../node/node.ts';
import type { Network } from '../node/ports.ts';
import { hash } from '../protocol/crypto/hash.ts';
import { networkId } from '../protocol/ledger/genesis.ts';
import { devGenesis, devSeatSeed } from '../protocol/receipt/dev.ts';
import { sleep } from './measure.ts';

/** What went through the network ports of all nodes together. */
export type Traffic = {
  /** Announcements, counted once at whoever makes them, and as often as somebody accepted them. */
  readonly published: number;
  readonly publishedBytes: number;
  readonly delivered: number;
  readonly deliveredBytes: number;
  /** Questions by stream, each with its answer, and the bytes of both. */
  readonly requests: number;
  readonly requestBytes: number;
  /** Bytes on all TCP connections, both ways, with all that libp2p adds. */
  readonly wireBytes: number;
};

export type MeasuredNetwork = {
  readonly nodes: readonly AnwansiNode[];
  readonly executor: ChildPool;
  readonly scratch: string;
  readonly traffic: () => Traffic;
  readonly stop: () => Promise<void>;
};

export type MeasuredOptions = {
  readonly seats: number;
  /** Milliseconds that anything takes from one node to another, on top of what it takes anyway. */
  readonly oneWayMs?: number;
};

type Counters = { -readonly [K in Exclude<keyof Traffic, 'wireBytes'>]: number };

const blobQuotaBytes = 4 * 1024 * 1024 * 1024;
const meshMsMax = 20_000;

/** As the embedded network of the command line, with ports that count, and may be slow. */
export async function startMeasured({
  seats,
  oneWayMs = 0,
}: MeasuredOptions): Promise<MeasuredNetwork> {
  const genesis = devGenesis({ seats, nonce: randomBytes(32), timeMs: Date.now() });
  const network = networkId(genesis);
  const root = await mkdtemp(join(tmpdir(), 'anwansi-bench-'));
  const scratch = join(root, 'scratch');
  const directories = genesis.seats.map((_, seat) => join(root, `node-${seat}`));
  const readable = [scratch, ...directories.map(blobDirectoryOf)];
  for (const directory of readable) await mkdir(directory, { recursive: true });
  const executor = await createExecutor({ readable });
  const counters: Counters = {
    published: 0,
    publishedBytes: 0,
    delivered: 0,
    deliveredBytes: 0,
    requests: 0,
    requestBytes: 0,
  };
  const sockets = watchSockets();
  const nodes: AnwansiNode[] = [];
  const stop = async (): Promise<void> => {
    sockets.stop();
    await Promise.allSettled(nodes.map((node) => node.stop()));
    await executor.close();
    await rm(root, { recursive: true, force: true });
  };
  try {
    const hosts: Libp2pNetwork[] = [];
    for (let seat = 0; seat < seats; seat++)
      hosts.push(await createLibp2pNetwork({ network, privateKeySeed: hash('dev', 'peer', seat) }));
    const starts = directories.map((directory, seat) =>
      startNode({
        genesis,
        seat,
        keys: nativeKeys(devSeatSeed(seat)),
        network: counted(hosts[seat]!, counters, oneWayMs),
        executor,
        directory,
        blobQuotaBytes,
      }),
    );
    nodes.push(...(await Promise.all(starts)));
    await connect(hosts);
  } catch (error) {
    await stop();
    throw error;
  }
  const traffic = (): Traffic => ({ ...counters, wireBytes: sockets.bytes() });
  return { nodes, executor, scratch, traffic, stop };
}

async function connect(hosts: readonly Libp2pNetwork[]): Promise<void> {
  const dials = hosts.flatMap((host, place) =>
    hosts
      .slice(place + 1)
      .flatMap((other) => other.addresses().map((address) => host.dial(address))),
  );
  await Promise.all(dials);
  const deadline = performance.now() + meshMsMax;
  while (hosts.some((host) => host.peers().length < hosts.length - 1)) {
    if (performance.now() > deadline) throw new Error('the nodes did not find each other');
    await sleep(20);
  }
}

/** The same network, counted, and slow by `oneWayMs`. Nothing overtakes anything by it. */
function counted(inner: Network, counters: Counters, oneWayMs: number): Network {
  return {
    ...inner,
    publish: (topic, bytes) => {
      counters.published += 1;
      counters.publishedBytes += bytes.length;
      if (oneWayMs === 0) inner.publish(topic, bytes);
      else setTimeout(() => inner.publish(topic, bytes), oneWayMs);
    },
    request: async (peer, protocol, body, signal) => {
      if (oneWayMs > 0) await sleep(2 * oneWayMs);
      const answer = await inner.request(peer, protocol, body, signal);
      counters.requests += 1;
      counters.requestBytes += body.length + answer.length;
      return answer;
    },
    start: (handlers) =>
      inner.start({
        ...handlers,
        heard: (topic, bytes, from) => {
          counters.delivered += 1;
          counters.deliveredBytes += bytes.length;
          handlers.heard(topic, bytes, from);
        },
      }),
  };
}

/** Counts the bytes of all connections that this process makes, at the end that makes them. */
function watchSockets(): { readonly bytes: () => number; readonly stop: () => void } {
  const channel = diagnostics.channel('net.client.socket');
  const sockets = new Set<Socket>();
  let past = 0;
  const bytesOf = (socket: Socket): number => socket.bytesRead + (socket.bytesWritten ?? 0);
  const opened = (message: unknown): void => {
    const { socket } = message as { readonly socket: Socket };
    sockets.add(socket);
    socket.once('close', () => {
      past += bytesOf(socket);
      sockets.delete(socket);
    });
  };
  channel.subscribe(opened);
  return {
    bytes: () => [...sockets].reduce((sum, socket) => sum + bytesOf(socket), past),
    stop: () => channel.unsubscribe(opened),
  };
}
