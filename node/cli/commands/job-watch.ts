/** Follow a job until it has ended. */
import type { Client, JobEvent, JobView } from '../../client/http.ts';
import { type Context, defineCommand } from '../command.ts';
import { askNode, findJob, nodeOptions } from '../connect.ts';
import { exitCodes } from '../error.ts';
import { badEnd, guessText, jobLines, leaving, progressView } from '../job-words.ts';

export const jobWatch = defineCommand({
  name: 'job watch',
  summary: 'Follow a job until it has ended; it does not mind who watches.',
  examples: [
    [
      'anwansi job watch 1a2b3c4d',
      'Until it is settled; Ctrl+C leaves it alone, and tells how to follow it again.',
    ],
    ['anwansi job watch 1a2b3c4d --json', 'One JSON value a line, for programs.'],
  ],
  arguments: { job: { kind: 'text', describe: 'Id of the job, or its first digits.' } },
  options: nodeOptions,
  run: (context, values) =>
    askNode(values, context, async (client) => {
      const { signal } = context;
      const id = await findJob(client, values.job, signal);
      const leave = leaving(client.url, context);
      leave.following(id);
      return watch(sightings(client, id, signal), client.url, context).finally(leave.over);
    }),
});

/**
 * What the job is now, before anything happens, and then what happens to it. The stream of events
 * begins with the present state too, but may be long in coming: that is not said twice.
 */
async function* sightings(
  client: Client,
  id: string,
  signal: AbortSignal,
): AsyncGenerator<JobEvent, void, undefined> {
  const { isEnd } = await import('../../client/remote-gateway.ts');
  const first = await client.job(id, { signal });
  if (isEnd(first)) return yield { kind: 'ended', job: first };
  yield { kind: 'seen', job: first };
  let isFirst = true;
  for await (const event of client.events(id, { signal })) {
    const again = isFirst && event.kind === 'seen' && saysTheSame(event.job, first);
    isFirst = false;
    if (!again) yield event;
  }
}

/** Whether two views differ in their height at most. */
function saysTheSame(a: JobView, b: JobView): boolean {
  return JSON.stringify({ ...a, at: 0 }) === JSON.stringify({ ...b, at: 0 });
}

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
      const seen = progressView({ job: seenJob(event.job), elapsedMs }, terms);
      progress.show({ ...seen, guess: guessText(event.job) });
    }
  } finally {
    progress.end();
  }
  if (last === null) throw new Error('events end with an end');
  const { id, state, reason } = last;
  if (state !== 'settled' && state !== 'failed') {
    output.result(last, jobLines(last, url).join('\n'));
    throw badEnd(id, state, reason?.code ?? 'NOT_INCLUDED');
  }
  output.note(`get it, audited here: anwansi job result ${id} --api ${url}`);
  output.result(last, jobLines(last, url).join('\n'));
  return state === 'settled' ? exitCodes.done : exitCodes.jobFailed;
}
