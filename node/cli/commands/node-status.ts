/** Show how a node is: what is final, whether it keeps up, and why not. */
import type { Status } from '../../client/http.ts';
import { plainText } from '../../client/plain.ts';
import { defineCommand } from '../command.ts';
import { agoText, askNode, nodeOptions } from '../connect.ts';

export const nodeStatus = defineCommand({
  name: 'node status',
  summary: 'Show how a node is: what is final, whether it keeps up, and why not.',
  examples: [
    ['anwansi node status', 'Of the node on this machine.'],
    ['anwansi node status --api https://node.example --json', 'Of another one, as a document.'],
  ],
  options: nodeOptions,
  run: (context, values) =>
    askNode(values, context, async (client) => {
      const { output, signal } = context;
      const status = await client.status({ signal });
      output.result({ api: client.url, ...status }, statusLines(status, client.url).join('\n'));
      return undefined;
    }),
});

function statusLines(status: Status, url: string): readonly string[] {
  const { final, sync, reason, heard, quorum, seats, seat } = status;
  const missing = Array.from({ length: Math.min(seats, 4_096) }, (_, index) => index).filter(
    (index) => !heard.includes(index),
  );
  const silent = missing.length === 0 ? '' : `, missing ${missing.slice(0, 16).join(', ')}`;
  return [
    `node      ${url}, ${plainText(status.software, 60)}`,
    `network   ${status.network}`,
    `sync      ${sync}${reason === null ? '' : `: ${plainText(reason.meaning, 160)}`}`,
    ...(reason === null ? [] : [`          ${plainText(reason.remedy, 160)}`]),
    `final     height ${final.height}, ${agoText(final.timeMs)}, ${final.hash}`,
    `seat      ${seat === null ? 'none: an observer' : seat}, of ${seats}`,
    `heard     ${heard.length} seats${silent}; a quorum takes ${quorum}`,
    `peers     ${status.peers}`,
    `jobs      ${status.openJobs} open`,
    `started   ${status.startedAt}`,
  ];
}
