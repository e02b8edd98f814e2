/** Show where a job stands, why, and what it waits for. */
import { defineCommand } from '../command.ts';
import { askNode, findJob, nodeOptions } from '../connect.ts';
import { jobLines } from '../job-words.ts';

export const jobShow = defineCommand({
  name: 'job show',
  summary: 'Show where a job stands, why, and what it waits for.',
  examples: [['anwansi job show 1a2b3c4d', 'By the first digits of its id.']],
  arguments: { job: { kind: 'text', describe: 'Id of the job, or its first digits.' } },
  options: nodeOptions,
  run: (context, values) =>
    askNode(values, context, async (client) => {
      const { output, signal } = context;
      const job = await client.job(await findJob(client, values.job, signal), { signal });
      output.result(job, jobLines(job, client.url).join('\n'));
      return undefined;
    }),
});
