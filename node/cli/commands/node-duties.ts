/** List what became of each draw of a node's seat: executed, counted, late, paid. */
import type { DutyView } from '../../client/http.ts';
import { plainText } from '../../client/plain.ts';
import { defineCommand } from '../command.ts';
import { askNode, everyPage, nodeOptions, shortened } from '../connect.ts';
import { table } from '../output.ts';

export const nodeDuties = defineCommand({
  name: 'node duties',
  summary: 'List what became of each draw of the seat of a node, newest first, and why.',
  examples: [
    ['anwansi node duties', 'The latest twenty of the node on this machine.'],
    ['anwansi node duties --limit 500 --json', 'More of them, as a document.'],
  ],
  options: {
    ...nodeOptions,
    limit: {
      kind: 'integer',
      placeholder: 'N',
      describe: 'Draws to list at most.',
      min: 1,
      max: 10_000,
      default: 20,
    },
  },
  run: (context, values) =>
    askNode(values, context, async (client) => {
      const { output, signal } = context;
      const duties: DutyView[] = [];
      let more = false;
      for await (const duty of everyPage((page) => client.duties({ ...page, signal }))) {
        more = duties.length === values.limit;
        if (more) break;
        duties.push(duty);
      }
      if (more) output.note(`the latest ${duties.length}; more with --limit`);
      const summary = await client.dutySummary({ signal });
      output.note(plainText(summary.text, 400));
      output.result({ duties, more, summary }, dutyTable(duties));
      return undefined;
    }),
});

function dutyTable(duties: readonly DutyView[]): string {
  return table([
    ['job', 'lane', 'wave', 'drawn', 'closed', 'state', 'paid', 'why'],
    ...duties.map((duty) => [
      shortened(duty.job),
      String(duty.lane),
      String(duty.wave),
      String(duty.drawnHeight),
      String(duty.closedHeight ?? ''),
      duty.state,
      duty.paid,
      plainText(duty.why, 240),
    ]),
  ]);
}
