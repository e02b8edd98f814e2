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
  /** The protocol by which peers of this network find each other. */
  readonly discovery: string;
  /** What stands before the names of its pings, without slashes at the ends. */
  readonly ping: string;
  /** One sentence on why a peer that speaks these protocols is none of ours; null where it is. */
  readonly strangerReason: (protocols: readonly string[]) => string | null;
};

/** The name by which a node of any network and version is known: version, prefix. */
const syncName = /^\/anwansi\/(\d{1,9})\/([0-9a-f]{16})\/sync$/;
const ourVersion = protocolName.slice(protocolName.indexOf('/') + 1);

/** Names under a 32-byte network id. @see spec/protocol/network.md W1, W2 */
export function networkNames(network: Uint8Array): NetworkNames {
  assert(network.length === digestBytes, 'a network is named by a digest');
  const prefix = hex(network.subarray(0, prefixBytes));
  const front = `/${protocolName}/${prefix}`;
  const topic = (word: Topic): string => `${front}/${word}`;
  const byName = new Map(topics.map((word) => [topic(word), word]));
  const protocol = (word: StreamProtocol): string => {
    mark('W2');
    return `${front}/${word}`;
  };
  mark('W1');
  return {
    topic,
    protocol,
    topicOf: (name) => byName.get(name) ?? null,
    discovery: `${front}/kad`,
    ping: front.slice(1),
    strangerReason: (protocols) =>
      protocols.includes(`${front}/sync`) ? null : strangerReason(prefix, protocols),
  };
}

/** @see spec/protocol/network.md W19 */
function strangerReason(prefix: string, protocols: readonly string[]): string {
  for (const protocol of protocols) {
    const [, version, other] = syncName.exec(protocol) ?? [];
    if (version === undefined || other === undefined) continue;
    if (version !== ourVersion)
      return `it speaks version ${version} of the protocol, this node version ${ourVersion}`;
    return `it belongs to another network: its genesis begins with ${other}, ours with ${prefix}`;
  }
  return 'it is no node of this kind: it speaks none of our protocols';
}
