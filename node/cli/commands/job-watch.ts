/** Follow a job until it has ended. */
import type { JobEvent, JobView } from '../../client/http.ts';
import { type Context, defineCommand } from '../command.ts';
import { askNode, findJob, nodeOptions } from '../connect.ts';
import { exitCodes } from '../error.ts';
import { badEnd, jobLines, progressView } from '../job-words.ts';

export const jobWatch = defineCommand({
  name: 'job watch',
  summary: 'Follow a job until it has ended; it does not mind who watches.',
  examples: [
    ['anwansi job watch 1a2b3c4d', 'Until it is settled; Ctrl+C leaves it alone.'],
    ['anwansi job watch 1a2b3c4d --json', 'One JSON value a line, for programs.'],
  ],
  arguments: { job: { kind: 'text', describe: 'Id of the job, or its first digits.' } },
  options: nodeOptions,
  run: (context, values) =>
    askNode(values, context, async (client) => {
      const { signal } = context;
      const id = await findJob(client, values.job, signal);
      return watch(client.events(id, { signal }), client.url, context);
    }),
});

async function watch(
  events: AsyncIterable<JobEvent>,
  url: string,
  { output }: Context,
): Promise<number> {
  const { seenJob } = await import('../../client/remote-gateway.ts');
  const startedAt = Date.now();
  const progress = output.progress();
  let last: JobView | null = null;
  try {
    for await (const event of events) {
      last = event.job;
      if (output.json) output.event(event, '');
      const { items, subtasks } = event.job;
      const elapsedMs = Date.now() - startedAt;
      const terms = { items, subtasks, loss: null };
      progress.show(progressView({ job: seenJob(event.job), elapsedMs }, terms));
    }
  } finally {
    progress.end();
  }
  if (last === null) throw new Error('events end with an end');
  const { id, state, reason } = last;
  if (state !== 'settled' && state !== 'failed') {
    output.result(last, jobLines(last).join('\n'));
    throw badEnd(id, state, reason?.code ?? 'NOT_INCLUDED');
  }
  const where = url === '' ? '' : ` --api ${url}`;
  output.note(`get it, audited here: anwansi job result ${id}${where}`);
  output.result(last, jobLines(last).join('\n'));
  return state === 'settled' ? exitCodes.done : exitCodes.jobFailed;
}
