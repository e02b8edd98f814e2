/** List the jobs that a node knows, newest first. */
import { jobStates } from '../../../protocol/ledger/record.ts';
import type { JobView } from '../../client/http.ts';
import { defineCommand } from '../command.ts';
import { askNode, everyJob, nodeOptions, shortened } from '../connect.ts';
import { table } from '../output.ts';

export const jobList = defineCommand({
  name: 'job list',
  summary: 'List the jobs that a node knows, newest first.',
  examples: [
    ['anwansi job list', 'Of the node on this machine.'],
    ['anwansi job list --state running --limit 5', 'The latest five that are under way.'],
  ],
  options: {
    ...nodeOptions,
    state: {
      kind: 'text',
      placeholder: 'STATE',
      describe: 'Only jobs in this state.',
      choices: ['pending', 'cancelled', ...jobStates],
    },
    limit: {
      kind: 'integer',
      placeholder: 'N',
      describe: 'Jobs to list at most.',
      min: 1,
      max: 10_000,
      default: 20,
    },
  },
  run: (context, values) =>
    askNode(values, context, async (client) => {
      const { output, signal } = context;
      const jobs: JobView[] = [];
      let more = false;
      for await (const job of everyJob(client, signal, values.state)) {
        more = jobs.length === values.limit;
        if (more) break;
        jobs.push(job);
      }
      if (more) output.note(`the latest ${jobs.length}; more with --limit`);
      if (jobs.length === 0) output.note('no jobs; submit one: anwansi run --help');
      output.result({ jobs, more }, jobTable(jobs));
      return undefined;
    }),
});

function jobTable(jobs: readonly JobView[]): string {
  return table([
    ['job', 'state', 'items', 'ordered', 'ended', 'reason'],
    ...jobs.map(({ id, state, items, includedHeight, endedHeight, reason }) => [
      shortened(id),
      state,
      String(items ?? ''),
      String(includedHeight ?? ''),
      String(endedHeight ?? ''),
      reason?.code ?? '',
    ]),
  ]);
}
