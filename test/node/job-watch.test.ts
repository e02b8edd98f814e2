// Goal: whoever watches a job sees at once where it is, and how to come back when he goes.
// Method: a scripted node whose stream of events says nothing, the same, something else, the end.
import type { ServerResponse } from 'node:http';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { jobWatch } from '../../node/cli/commands/job-watch.ts';
import type { Interruption } from '../../node/cli/frame.ts';
import type { JobView } from '../../node/client/http.ts';
import { digest, job, problem } from '../support/client-answers.ts';
import { runWords } from '../support/command-line.ts';
import { type ScriptedServer, says, scriptedServer } from '../support/scripted-server.ts';

let server: ScriptedServer;
beforeEach(async () => {
  server = await scriptedServer();
});
afterEach(() => server.stop());

/** The job is so now, and of what comes each event is told. */
function node(now: JobView, events: readonly (readonly ['seen' | 'ended', JobView])[]): void {
  server.on(`GET /v1/jobs/${digest}`, says(now));
  server.on(`GET /v1/jobs/${digest}/events`, (_, response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
    for (const [kind, view] of events)
      response.write(`event: ${kind}\nid: ${view.at}\ndata: ${JSON.stringify(view)}\n\n`);
  });
}

/** Watches; once the stream is asked for and has had time to speak, somebody presses Ctrl+C. */
async function watch(...more: string[]) {
  const interrupt = (give: (what: Interruption) => void): void => {
    const look = setInterval(() => {
      if (!server.asked.some((one) => one.endsWith('/events'))) return;
      clearInterval(look);
      setTimeout(() => give('SIGINT'), 100);
    }, 10);
    look.unref();
  };
  return runWords([jobWatch], ['job', 'watch', digest, '--api', server.url, ...more], {
    interrupt,
  });
}

/** What was told before the closing document. */
const toldIn = (out: string) =>
  out
    .trimEnd()
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));

const attach = () => `anwansi job watch ${digest} --api ${server.url}`;
const events = () => server.asked.filter((one) => one.endsWith('/events')).length;

test('before anything happens it is told where the job is', async () => {
  node(job(7), []);
  const plain = await watch();
  expect(plain.err).toMatch(/^running/);
  const { out, document } = await watch('--json');
  expect(toldIn(out)).toEqual([{ kind: 'seen', job: job(7) }]);
  expect(document.success).toBe(false);
});

test('who leaves is told how to come back, in words and in the document', async () => {
  node(job(7), [['seen', job(8)]]);
  const plain = await watch();
  expect([plain.exitCode, plain.out]).toEqual([130, '']);
  expect(plain.err).toContain(
    `the job goes on, if the node has it. Follow it again: ${attach()}\n`,
  );
  const { exitCode, document } = await watch('--json');
  expect(exitCode).toBe(130);
  expect(document.data).toEqual({ job: digest, state: 'detached', attach: attach() });
  expect(document.errors).toMatchObject([{ code: 'INTERRUPTED' }]);
});

test('what the stream repeats is not said twice, and what is new in it is', async () => {
  const waits = (at: number): JobView => ({ ...job(at), awaits: 'Awaits seat 3.' });
  node(job(7), [
    ['seen', job(8)],
    ['seen', waits(8)],
    ['seen', job(9)],
  ]);
  const { out } = await watch('--json');
  expect(toldIn(out).map((one) => one.job)).toEqual([job(7), waits(8), job(9)]);
});

test('to the end: nobody is told to come back', async () => {
  node(job(7), [['ended', job(9, 'settled')]]);
  const { exitCode, out, err, document } = await watch('--json');
  expect(exitCode, err).toBe(0);
  expect(toldIn(out)).toEqual([
    { kind: 'seen', job: job(7) },
    { kind: 'ended', job: job(9, 'settled') },
  ]);
  expect(document.data).toMatchObject({ id: digest, state: 'settled' });
  expect(err).toContain(`anwansi job result ${digest} --api ${server.url}`);
  expect(err).not.toContain('job watch');
});

test('a job that has ended is told at once, and no stream is opened for it', async () => {
  node(job(9, 'settled'), []);
  const { exitCode, out, document } = await watch('--json');
  expect([exitCode, events()]).toEqual([0, 0]);
  expect(toldIn(out)).toEqual([{ kind: 'ended', job: job(9, 'settled') }]);
  expect(document.data).toMatchObject({ state: 'settled' });
  const failed = { ...job(9, 'settled'), state: 'failed' as const };
  node(failed, []);
  expect((await watch()).exitCode).toBe(8);
});

test('a job that the node does not know is no job to come back to', async () => {
  server.on(`GET /v1/jobs/${digest}`, says(problem, 404, 'application/problem+json'));
  const { exitCode, err } = await watch();
  expect(exitCode).toBe(3);
  expect(err).not.toContain('Follow it again');
});

test('progress tells how much of the job the guess covers', async () => {
  const coverage = { lanes: 1, lanesAll: 2, items: 3, itemsAll: 6 };
  const guess: JobView = { ...job(8), provisional: { bound: '1', coverage, lanes: [] } };
  node(job(7), [['seen', guess]]);
  expect((await watch()).err).toContain('provisional guess for 1 of 2 lanes, 3 of 6 items');
});
