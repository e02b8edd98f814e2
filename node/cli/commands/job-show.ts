/** Show where a job stands, why, and what it waits for. */
import type { Client } from '../../client/http.ts';
import { type Context, defineCommand } from '../command.ts';
import { askNode, findJob, nodeOptions } from '../connect.ts';
import type { FailureWords } from '../fuel-words.ts';
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
      const failure = job.state === 'failed' ? await failureOf(client, job.id, context) : null;
      const lines = failure === null ? [] : failureLines(failure);
      output.result({ ...job, failure }, [...jobLines(job, client.url), ...lines].join('\n'));
      return undefined;
    }),
});

/** What the job's receipt says of its failure; null where the node has none to give. */
async function failureOf(client: Client, id: string, { signal, output }: Context) {
  const { receiptFailure } = await import('../remote-job.ts');
  return receiptFailure(client, id, signal).catch((error: unknown) => {
    signal.throwIfAborted();
    output.detail(`its receipt does not tell why: ${(error as Error).message}`);
    return null;
  });
}

function failureLines({ message, hint }: FailureWords): readonly string[] {
  return [`failed    ${message}`, `remedy    ${hint.replaceAll('\n', ' ')}`];
}
