// Goal: in a real process, Ctrl+C leaves a job alone and says how to follow it again, and what is
// watched is one JSON value a line.
// Method: four nodes and an API here, the command line as children, but where its being a process
// is of no matter; a job that does not end.
import { mkdirSync, readdirSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Listening, startApi } from '../../node/api/server.ts';
import { run } from '../../node/cli/commands/run.ts';
import type { AnwansiNode } from '../../node/face.ts';
import { unhex } from '../../protocol/brand.ts';
import {
  anwansi,
  documentOf,
  newPlace,
  type Place,
  startAnwansi,
} from '../support/anwansi-process.ts';
import { testApi } from '../support/api.ts';
import { runWords } from '../support/command-line.ts';
import { createMachines, type Machines } from '../support/nodes.ts';

let machines: Machines;
let nodes: readonly AnwansiNode[];
let api: Listening;
let place: Place;

beforeAll(async () => {
  machines = await createMachines(4);
  nodes = await machines.start([0, 1, 2, 3]);
  const scratch = `${machines.root}/scratch`;
  mkdirSync(scratch);
  const { app, parts } = testApi({ node: nodes[0]!, executor: machines.executor, scratch });
  const host = '127.0.0.1';
  api = await startApi({ app, host, port: 0, allowRemote: false, log: parts.log });
  place = newPlace();
}, 60_000);
afterAll(async () => {
  await api?.stop();
  await machines?.remove();
  place?.remove();
});

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const endless = ['run', 'primes', '--params', '{"from":0,"to":5000000000}'];

test('before anything is submitted there is nothing to attach to', async () => {
  const words = ['run', 'primes', '--params', '{"from":2,"to":1}', '--api', api.address];
  const ended = await runWords([run], words, { directory: place.directory });
  expect(ended.exitCode, ended.err).not.toBe(0);
  expect(ended.err).toContain('PARAMETERS_REFUSED');
  expect(ended.err).not.toContain('job watch');
}, 120_000);

test('job watch --json prints one JSON value a line, the document last', async () => {
  const count = ['run', 'primes', '--params', '{"from":0,"to":3000000}', '--detach', '--quiet'];
  const detached = await anwansi([...count, '--api', api.address], { place });
  expect(detached.exitCode, detached.err).toBe(0);
  const job = textOf(detached.out).trim();
  expect(job).toMatch(/^[0-9a-f]{64}$/);
  const watched = await anwansi(['job', 'watch', job, '--json', '--api', api.address], { place });
  expect(watched.exitCode, watched.err).toBe(0);
  const lines = textOf(watched.out)
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const document = lines.pop();
  expect(document).toMatchObject({ success: true, data: { id: job, state: 'settled' } });
  expect(lines.map(({ kind }) => kind).at(-1)).toBe('ended');
  for (const line of lines) expect(line).toMatchObject({ job: { id: job } });
}, 120_000);

// The last one: its job keeps the sandbox busy to the end.
test('Ctrl+C during run --api detaches: exit 130, and the line that attaches again', async () => {
  const started = startAnwansi([...endless, '--json', '--api', api.address], { place });
  await started.says('running');
  started.child.kill('SIGINT');
  const ended = await started.ended;
  expect(ended.exitCode, ended.err).toBe(130);
  const { data, warnings, errors } = documentOf(ended);
  expect(data).toMatchObject({ state: 'detached', job: expect.stringMatching(/^[0-9a-f]{64}$/) });
  expect(data.attach).toBe(`anwansi job watch ${data.job} --api ${api.address}`);
  expect(warnings[0]).toContain(data.attach);
  expect(errors).toMatchObject([{ code: 'INTERRUPTED' }]);
  expect(readdirSync(place.temporary), 'nothing is left').toEqual([]);
  expect(await nodes[0]!.signedJob(unhex(data.job)!), 'the job goes on').not.toBeNull();
  const [, ...words] = data.attach.split(' ');
  const attached = startAnwansi(words, { place });
  await attached.says('running');
  attached.child.kill('SIGINT');
  expect((await attached.ended).exitCode).toBe(130);
}, 120_000);
