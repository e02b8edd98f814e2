/** List the peers that a node knows, and why some are not connected. */
import type { Client, Peer } from '../../client/http.ts';
import { plainText } from '../../client/plain.ts';
import { defineCommand } from '../command.ts';
import { askNode, everyPage, nodeOptions } from '../connect.ts';
import { table } from '../output.ts';

/** Peers that are listed at most. */
const peerCountMax = 4_096;

export const nodePeers = defineCommand({
  name: 'node peers',
  summary: 'List the peers that a node knows, and why some are not connected.',
  examples: [['anwansi node peers', 'Of the node on this machine.']],
  options: nodeOptions,
  run: (context, values) =>
    askNode(values, context, async (client) => {
      const { output, signal } = context;
      const peers = await allPeers(client, signal);
      if (peers.length === 0) output.note('no peers: `anwansi node doctor` says what follows');
      output.result({ peers }, peerTable(peers));
      return undefined;
    }),
});

async function allPeers(client: Client, signal: AbortSignal): Promise<readonly Peer[]> {
  const peers: Peer[] = [];
  for await (const peer of everyPage((page) => client.peers({ ...page, signal }))) {
    peers.push(peer);
    if (peers.length === peerCountMax) break;
  }
  return peers;
}

function peerTable(peers: readonly Peer[]): string {
  return table([
    ['peer', 'connected', 'score', 'address', 'why not'],
    ...peers.map(({ id, connected, score, addresses, reason }) => [
      plainText(id, 60),
      connected ? 'yes' : 'no',
      score.toFixed(1),
      plainText(addresses[0] ?? '', 80),
      plainText(reason ?? '', 80),
    ]),
  ]);
}
