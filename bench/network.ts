/** Run a development network in this process and count what goes through its ports and sockets. */

import { randomBytes } from 'node:crypto';
import diagnostics from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import { startEmbedded } from '../node/embedded.ts';
import type { ChildPool } from '../node/executor/pool.ts';
import type { AnwansiNode } from '../node/node.ts';
import type { Network } from '../node/ports.ts';
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

/** As the embedded network of the command line, with ports that count, and may be slow. */
export async function startMeasured({
  seats,
  oneWayMs = 0,
}: MeasuredOptions): Promise<MeasuredNetwork> {
  const counters: Counters = {
    published: 0,
    publishedBytes: 0,
    delivered: 0,
    deliveredBytes: 0,
    requests: 0,
    requestBytes: 0,
  };
  const sockets = watchSockets();
  const network = await startEmbedded({
    seats,
    faulty: 0,
    fault: null,
    nonce: randomBytes(32),
    readable: [],
    wrap: (inner) => counted(inner, counters, oneWayMs),
  });
  const stop = async (): Promise<void> => {
    sockets.stop();
    await network.stop();
  };
  const { nodes, executor, scratch } = network;
  const traffic = (): Traffic => ({ ...counters, wireBytes: sockets.bytes() });
  return { nodes, executor, scratch, traffic, stop };
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
