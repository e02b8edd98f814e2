/** Have a node announce a job no more, as long as no block has ordered it. */
import { defineCommand } from '../command.ts';
import { askNode, findJob, nodeOptions } from '../connect.ts';

export const jobCancel = defineCommand({
  name: 'job cancel',
  summary: 'Have a node announce a job no more, as long as no block has ordered it.',
  examples: [['anwansi job cancel 1a2b3c4d', 'Too late once it is ordered: then it runs.']],
  arguments: { job: { kind: 'text', describe: 'Id of the job, or its first digits.' } },
  options: nodeOptions,
  run: (context, values) =>
    askNode(values, context, async (client) => {
      const { output, signal } = context;
      const job = await findJob(client, values.job, signal);
      await client.cancel(job, { signal });
      output.note('whoever has heard of it already may still order it, until its time is over');
      output.result({ job, state: 'cancelled' }, `cancelled ${job}`);
      return undefined;
    }),
});
