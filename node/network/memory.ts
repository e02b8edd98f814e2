/** Be a network within one process: the same promises, with faults on demand. */
import { assert } from '../../protocol/assert.ts';
import { gossipBytesMax } from '../../protocol/params.ts';
import type { Network, NetworkHandlers, Topic } from '../ports.ts';
import { NetworkError } from './error.ts';
import { requestBytesMax, responseBytesMax } from './limits.ts';

/** Messages that one member remembers to have seen; the oldest are forgotten first. */
const seenCountMax = 65_536;

/** Faults of the network in memory. All are asked at each step, so they may change at any time. */
export type MemoryFaults = {
  /** Whether two members are connected; all are, unless told otherwise. Symmetric. */
  readonly linked?: (a: string, b: string) => boolean;
  /** Milliseconds that something takes from one to the other. */
  readonly delayMs?: (from: string, to: string) => number;
  /** Whether one gossip message is lost on its way. */
  readonly loses?: (from: string, to: string, topic: Topic) => boolean;
  /** Told of messages that were not accepted, or not sent. */
  readonly log?: (event: MemoryEvent) => void;
};

export type MemoryEvent = {
  readonly kind: 'ignored' | 'rejected' | 'too-large';
  readonly member: string;
  readonly from: string;
  readonly topic: Topic;
  readonly code: string;
};

export type MemoryNetworks = {
  /** A member that is stopped. Names are peer ids: each is used once. */
  readonly create: (name: string) => Network;
};

type Member = {
  readonly name: string;
  /** Null while it is stopped. */
  handlers: NetworkHandlers | null;
  /** Numbers of the messages that it has seen. */
  seen: Set<number>;
  /** Fires when it stops. */
  stopping: AbortController;
};

type World = Required<MemoryFaults> & {
  readonly members: Map<string, Member>;
  messageCount: number;
};

/** Connects the networks that it creates. */
export function createMemoryNetworks(faults: MemoryFaults = {}): MemoryNetworks {
  const world: World = {
    linked: () => true,
    delayMs: () => 0,
    loses: () => false,
    log: () => undefined,
    ...faults,
    members: new Map(),
    messageCount: 0,
  };
  return { create: (name) => createMember(world, name) };
}

function createMember(world: World, name: string): Network {
  assert(!world.members.has(name), 'a member has a name of its own');
  const member: Member = {
    name,
    handlers: null,
    seen: new Set(),
    stopping: new AbortController(),
  };
  world.members.set(name, member);
  return {
    self: name,
    start: async (handlers) => {
      assert(member.handlers === null, 'a network is started once until it is stopped');
      member.handlers = handlers;
      member.stopping = new AbortController();
    },
    stop: async () => {
      member.handlers = null;
      member.seen = new Set();
      member.stopping.abort();
    },
    publish: (topic, bytes) => publish(world, member, topic, bytes),
    peers: () => peersOf(world, member).map((peer) => peer.name),
    request: (peer, protocol, body, signal) =>
      request(world, member, peer, (handlers) => handlers.answer(protocol, body.slice(), name), {
        doing: protocol,
        bytes: body.length,
        signal,
      }),
  };
}

function connected(world: World, a: Member, b: Member): boolean {
  return a !== b && a.handlers !== null && b.handlers !== null && world.linked(a.name, b.name);
}

function peersOf(world: World, member: Member): Member[] {
  return [...world.members.values()].filter((other) => connected(world, member, other));
}

function publish(world: World, member: Member, topic: Topic, bytes: Uint8Array): void {
  if (member.handlers === null) return;
  if (bytes.length === 0 || bytes.length > gossipBytesMax) {
    const code = 'NETWORK_MESSAGE_TOO_LARGE';
    world.log({ kind: 'too-large', member: member.name, from: member.name, topic, code });
    return;
  }
  world.messageCount += 1;
  see(member, world.messageCount);
  pass(world, member, topic, bytes.slice(), world.messageCount);
}

/** Sends a message on to all peers that have not seen it. */
function pass(world: World, from: Member, topic: Topic, bytes: Uint8Array, message: number): void {
  for (const to of peersOf(world, from)) {
    if (to.seen.has(message) || world.loses(from.name, to.name, topic)) continue;
    const delay = world.delayMs(from.name, to.name);
    setTimeout(() => arrive(world, from, to, topic, bytes, message), delay);
  }
}

function arrive(
  world: World,
  from: Member,
  to: Member,
  topic: Topic,
  bytes: Uint8Array,
  message: number,
): void {
  if (to.handlers === null || !world.linked(from.name, to.name) || to.seen.has(message)) return;
  see(to, message);
  // A copy for each: a receiver that writes into it must not write into another's.
  const verdict = to.handlers.judge(topic, bytes.slice(), from.name);
  if (verdict.verdict === 'accept') {
    pass(world, to, topic, bytes, message);
    to.handlers.heard(topic, bytes.slice(), from.name);
    return;
  }
  const kind = verdict.verdict === 'reject' ? 'rejected' : 'ignored';
  world.log({ kind, member: to.name, from: from.name, topic, code: verdict.code });
}

function see(member: Member, message: number): void {
  member.seen.add(message);
  for (const oldest of member.seen) {
    if (member.seen.size <= seenCountMax) break;
    member.seen.delete(oldest);
  }
}

async function request(
  world: World,
  member: Member,
  peer: string,
  answer: (handlers: NetworkHandlers) => Promise<Uint8Array>,
  { doing, bytes, signal }: { doing: string; bytes: number; signal: AbortSignal },
): Promise<Uint8Array> {
  if (member.handlers === null) throw new NetworkError({ code: 'NETWORK_STOPPED' });
  if (bytes > requestBytesMax) {
    const bytesMax = requestBytesMax;
    throw new NetworkError({ code: 'NETWORK_TOO_LARGE', peer, what: 'request', bytesMax });
  }
  const late = new NetworkError({ code: 'NETWORK_TIMEOUT', peer, doing });
  if (signal.aborted) throw late;
  const other = world.members.get(peer);
  if (other === undefined || !connected(world, member, other))
    throw new NetworkError({ code: 'NETWORK_PEER_UNKNOWN', peer });
  const exchange = async (): Promise<Uint8Array> => {
    await waitMs(world.delayMs(member.name, peer));
    if (other.handlers === null || !world.linked(member.name, peer)) throw broken(peer);
    const response = await answer(other.handlers).catch((cause) => refused(peer, reasonOf(cause)));
    if (response.length > responseBytesMax) refused(peer, 'the answer is too long to send');
    await waitMs(world.delayMs(peer, member.name));
    if (!connected(world, member, other)) throw broken(peer);
    return response.slice();
  };
  return first(exchange(), [
    [signal, late],
    [member.stopping.signal, new NetworkError({ code: 'NETWORK_STOPPED' })],
    [other.stopping.signal, broken(peer)],
  ]);
}

function waitMs(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function reasonOf(cause: unknown): string {
  const { code } = cause as { code?: unknown };
  return typeof code === 'string' ? code : 'it cannot be answered';
}

function refused(peer: string, reason: string): never {
  throw new NetworkError({ code: 'NETWORK_REFUSED', peer, reason });
}

function broken(peer: string): NetworkError {
  return new NetworkError({ code: 'NETWORK_CLOSED', peer, reason: 'the connection was lost' });
}

/** The promise, or the error of the signal that fires before it. */
function first<T>(
  promise: Promise<T>,
  ends: readonly (readonly [AbortSignal, Error])[],
): Promise<T> {
  return new Promise<T>((resolve, refuse) => {
    const over = new AbortController();
    for (const [signal, error] of ends)
      signal.addEventListener('abort', () => refuse(error), { once: true, signal: over.signal });
    promise.then(resolve, refuse).finally(() => over.abort());
  });
}
