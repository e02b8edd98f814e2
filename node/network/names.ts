/** Name the topics and stream protocols of one network, so that networks never mix. */
import { assert, mark } from '../../protocol/assert.ts';
import { hex } from '../../protocol/brand.ts';
import { digestBytes, protocolName } from '../../protocol/params.ts';
import type { StreamProtocol, Topic } from '../ports.ts';

export const topics: readonly Topic[] = ['jobs', 'proposals', 'votes', 'statements'];
export const streamProtocols: readonly StreamProtocol[] = ['sync', 'blob'];

/** Bytes of the network id that stand in names: 64 bits never meet by accident. */
const prefixBytes = 8;

/** What one network calls its topics and stream protocols. */
export type NetworkNames = {
  readonly topic: (topic: Topic) => string;
  readonly protocol: (protocol: StreamProtocol) => string;
  /** The topic of a name, or null for a name of no topic of ours. */
  readonly topicOf: (name: string) => Topic | null;
};

/** Names under a 32-byte network id. @see spec/protocol/network.md W1, W2 */
export function networkNames(network: Uint8Array): NetworkNames {
  assert(network.length === digestBytes, 'a network is named by a digest');
  const front = `/${protocolName}/${hex(network.subarray(0, prefixBytes))}`;
  const topic = (word: Topic): string => `${front}/${word}`;
  const byName = new Map(topics.map((word) => [topic(word), word]));
  const protocol = (word: StreamProtocol): string => {
    mark('W2');
    return `${front}/${word}`;
  };
  mark('W1');
  return { topic, protocol, topicOf: (name) => byName.get(name) ?? null };
}
