/** Gossip within one network: judge before relay, hear what is accepted, punish lies. */
import {
  type GossipSub,
  type GossipsubMessage,
  type GossipsubOpts,
  type Message,
  StrictNoSign,
  TopicValidatorResult,
} from '@chainsafe/libp2p-gossipsub';
import type { PeerId } from '@libp2p/interface';
import { mark } from '../../protocol/assert.ts';
import { reject, type Verdict } from '../../protocol/errors.ts';
import { gossipBytesMax } from '../../protocol/params.ts';
import type { NetworkHandlers, Topic } from '../ports.ts';
import { messageId, repeatWindow, unwrapMessage, wrapMessage } from './envelope.ts';
import { NetworkError } from './error.ts';
import type { NetworkLog } from './event.ts';
import {
  gossipFrameBytesMax,
  gossipQueueBytesMax,
  lazyHeartbeatCount,
  seenMs,
  unwantedBytesMin,
} from './limits.ts';
import { type NetworkNames, topics } from './names.ts';

/** Scores below which a peer is told nothing new, sent nothing of ours, not listened to. */
export const scoreThresholds = {
  gossipThreshold: -100,
  publishThreshold: -200,
  graylistThreshold: -400,
  acceptPXThreshold: 1_000,
  opportunisticGraftThreshold: 1,
} as const;

/**
 * What counts for and against a peer in a topic.
 *
 * The library's own values forget a false message within seconds and outweigh it by mere time in
 * the mesh. Here five false messages silence a peer, and a minute of good behaviour redeems it.
 */
const topicScore = {
  topicWeight: 1,
  timeInMeshWeight: 0.0033,
  timeInMeshQuantum: 1_000,
  timeInMeshCap: 300,
  firstMessageDeliveriesWeight: 0.1,
  firstMessageDeliveriesDecay: 0.95,
  firstMessageDeliveriesCap: 50,
  meshMessageDeliveriesWeight: 0,
  meshFailurePenaltyWeight: 0,
  invalidMessageDeliveriesWeight: -20,
  invalidMessageDeliveriesDecay: 0.99,
} as const;

/** False messages that ruin a peer, milliseconds in which one is forgiven, peers counted. */
const falseCountMax = 5;
const forgiveMs = 12_000;
const blamedCountMax = 4_096;

/** How many peers get a message at once, and between which counts that may vary. */
export type MeshShape = Readonly<Record<'D' | 'Dlo' | 'Dhi' | 'Dout' | 'Dscore' | 'Dlazy', number>>;

/** Shapes by the most peers for which each is meant, rising. */
const meshShapes: readonly (readonly [peersMax: number, shape: MeshShape])[] = [
  [16, { D: 3, Dlo: 3, Dhi: 5, Dout: 1, Dscore: 2, Dlazy: 3 }],
  [64, { D: 4, Dlo: 3, Dhi: 7, Dout: 1, Dscore: 2, Dlazy: 4 }],
  [Infinity, { D: 6, Dlo: 4, Dhi: 12, Dout: 2, Dscore: 4, Dlazy: 6 }],
];

/**
 * The mesh of a node that is connected to so many peers.
 *
 * Each message comes about D times to everybody: among few, where any three know everybody within
 * two hops, more copies only cost. What a mesh of silent peers loses, lazy gossip brings within
 * two seconds, and what is announced again goes anew.
 * @see spec/protocol/network.md W35
 */
export function meshShape(peerCount: number): MeshShape {
  return meshShapes.find(([peersMax]) => peerCount <= peersMax)![1];
}

/** Options of the gossip library for one network. @see spec/protocol/network.md W3, W5 */
export function gossipOptions(names: NetworkNames): Partial<GossipsubOpts> {
  const allowedTopics = topics.map(names.topic);
  const scored = Object.fromEntries(allowedTopics.map((name) => [name, { ...topicScore }]));
  mark('W3');
  return {
    globalSignaturePolicy: StrictNoSign,
    allowedTopics,
    msgIdFn: (message) => messageId(message.topic, message.data),
    msgIdToStrFn: (id) => Buffer.from(id).toString('latin1'),
    seenTTL: seenMs,
    fallbackToFloodsub: false,
    ...meshShape(0),
    // One copy to each peer of the mesh, not to everybody, and encoded once.
    floodPublish: false,
    batchPublish: true,
    mcacheGossip: lazyHeartbeatCount,
    idontwantMinDataSize: unwantedBytesMin,
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: true,
    maxInboundDataLength: gossipFrameBytesMax,
    maxOutboundBufferSize: gossipQueueBytesMax,
    maxTopicBytesPerPeer: 64 * 1024,
    scoreThresholds,
    scoreParams: {
      IPColocationFactorWeight: 0,
      behaviourPenaltyThreshold: 6,
      behaviourPenaltyDecay: 0.9,
      topics: scored as unknown as NonNullable<GossipsubOpts['scoreParams']['topics']>,
    },
  };
}

/** Gossip that is running. */
export type Gossip = {
  readonly publish: (topic: Topic, payload: Uint8Array) => void;
  /** Score of a peer: 0 for a stranger, below 0 for one that is on its way out. */
  readonly score: (peer: string) => number;
  /** Whether the library believes that it talks with a peer both ways. */
  readonly gossips: (peer: string) => boolean;
  /** Peers to whom messages on a topic go at once. */
  readonly mesh: (topic: Topic) => readonly string[];
  /** Fits the mesh to the number of peers that are connected. */
  readonly fit: (peerCount: number) => void;
  /** Hears nothing any more. Returns what is left to do when the host has stopped. */
  readonly stop: () => () => void;
};

/**
 * Subscribes to all topics of a started host, and tells the library what messages are worth.
 *
 * @param ruined - Told of a peer when it has sent as many false messages as silence it. The score
 * says the same, but the library looks at it anew only once a second.
 */
export function startGossip(
  pubsub: GossipSub,
  names: NetworkNames,
  handlers: Pick<NetworkHandlers, 'judge' | 'heard'>,
  log: NetworkLog,
  ruined: (peer: string) => void,
): Gossip {
  // From the validator to the listener below: the payload is copied and judged once.
  const accepted = new WeakMap<Message, Uint8Array>();
  const inside = pubsub as Inside;
  const judge = judgeOf(handlers, log, ruined);
  const listen = ({ detail }: CustomEvent<GossipsubMessage>): void => {
    const topic = names.topicOf(detail.msg.topic);
    const payload = accepted.get(detail.msg);
    if (topic === null || payload === undefined) return;
    // The library relays right after this listener returns: what we do with it comes second.
    queueMicrotask(() => handlers.heard(topic, payload, detail.propagationSource.toString()));
  };
  pubsub.addEventListener('gossipsub:message', listen);
  for (const topic of topics) {
    pubsub.topicValidators.set(names.topic(topic), (peer: PeerId, message: Message) => {
      const payload = unwrapMessage(message.data);
      const result = judge(topic, payload, peer.toString());
      if (payload !== null && result === TopicValidatorResult.Accept) {
        accepted.set(message, payload);
      }
      return result;
    });
    pubsub.subscribe(names.topic(topic));
  }
  const publish = (topic: Topic, payload: Uint8Array): void => {
    if (payload.length > gossipBytesMax || payload.length === 0) {
      mark('W6');
      const detail = { topic, bytes: payload.length, bytesMax: gossipBytesMax };
      const error = new NetworkError({ code: 'NETWORK_MESSAGE_TOO_LARGE', ...detail });
      log({ kind: 'error', error });
      return;
    }
    // It fails only while the host stops; gossip promises nothing, and will be told again.
    pubsub.publish(names.topic(topic), wrapMessage(Date.now(), payload)).catch(() => undefined);
  };
  const stop = (): (() => void) => {
    pubsub.removeEventListener('gossipsub:message', listen);
    pubsub.topicValidators.clear();
    const { status } = inside;
    // Left alone, the library's heartbeat fires once more after the end of its host.
    return () => clearTimeout(status?.heartbeatTimeout);
  };
  return {
    publish,
    score: (peer) => inside.getScore(peer),
    gossips: (peer) => inside.streamsInbound.has(peer) && inside.streamsOutbound.has(peer),
    mesh: (topic) => inside.getMeshPeers(names.topic(topic)),
    fit: (peerCount) => {
      mark('W35');
      // The library reads its options at each heartbeat.
      Object.assign(inside.opts, meshShape(peerCount));
    },
    stop,
  };
}

/** The only place where verdicts become the library's words. */
function judgeOf(
  { judge }: Pick<NetworkHandlers, 'judge'>,
  log: NetworkLog,
  ruined: (peer: string) => void,
): (topic: Topic, payload: Uint8Array | null, peer: string) => TopicValidatorResult {
  const repeats = repeatWindow();
  const blame = blamer(ruined);
  const verdictOf = (topic: Topic, payload: Uint8Array | null, peer: string): Verdict | null => {
    if (payload === null) return reject('NETWORK_MESSAGE_SIZE');
    // A monotonic clock: the hold must not end early, nor last, because somebody set the time.
    if (repeats.isRepeat(topic, payload, performance.now())) {
      mark('W8');
      return null;
    }
    try {
      return judge(topic, payload, peer);
    } catch (cause) {
      // The library would swallow it, and the peer is not to blame for a bug of ours.
      log({
        kind: 'error',
        error: new NetworkError({ code: 'NETWORK_JUDGE_FAILED', topic }, cause),
      });
      return null;
    }
  };
  return (topic, payload, peer) => {
    const verdict = verdictOf(topic, payload, peer);
    if (verdict === null) return TopicValidatorResult.Ignore;
    if (verdict.verdict === 'accept') {
      mark('W9');
      return TopicValidatorResult.Accept;
    }
    log({ kind: 'judged', topic, peer, verdict: verdict.verdict, code: verdict.code });
    if (verdict.verdict === 'ignore') {
      mark('W10');
      return TopicValidatorResult.Ignore;
    }
    mark('W11');
    if (payload !== null) repeats.forget(topic, payload);
    blame(peer, performance.now());
    return TopicValidatorResult.Reject;
  };
}

/** Counts false messages, of which one is forgiven in a while. */
function blamer(ruined: (peer: string) => void): (peer: string, nowMs: number) => void {
  const counts = new Map<string, { count: number; atMs: number }>();
  return (peer, nowMs) => {
    const last = counts.get(peer) ?? { count: 0, atMs: nowMs };
    const count = Math.max(0, last.count - (nowMs - last.atMs) / forgiveMs) + 1;
    // Last used last, so that the oldest entries are the first ones.
    counts.delete(peer);
    counts.set(peer, { count, atMs: nowMs });
    for (const oldest of counts.keys()) {
      if (counts.size <= blamedCountMax) break;
      counts.delete(oldest);
    }
    if (count > falseCountMax) ruined(peer);
  };
}

/** What the library has and its public type does not say. */
type Inside = GossipSub & {
  readonly getScore: (peer: string) => number;
  readonly getMeshPeers: (topic: string) => string[];
  readonly opts: MeshShape;
  readonly streamsInbound: ReadonlyMap<string, unknown>;
  readonly streamsOutbound: ReadonlyMap<string, unknown>;
  readonly status?: { readonly heartbeatTimeout?: NodeJS.Timeout };
};
