// Goal: `dev` keeps a network running that others can use and join, and that goes on after a kill.
// Method: the real command line; a process for each validator, killed; then all in one process.
// What no process of its own is needed for is run in this one.
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { dev } from '../../node/cli/commands/dev.ts';
import { verify } from '../../node/cli/commands/verify.ts';
import {
  anwansi,
  descendants,
  documentOf,
  isRunning,
  newPlace,
  type Started,
  startAnwansi,
} from '../support/anwansi-process.ts';
import { runWords } from '../support/command-line.ts';
import { until } from '../support/nodes.ts';

const msMax = 120_000;
const place = newPlace();
const started: Started[] = [];
afterAll(async () => {
  for (const { child } of started) child.kill('SIGKILL');
  await Promise.all(started.map(({ ended }) => ended));
  place.remove();
}, msMax);

type Ready = { readonly api: string; readonly trust: string; readonly join: string };

async function startDev(words: readonly string[]): Promise<Started & { readonly ready: Ready }> {
  const wish = ['dev', '--nodes', '4', '--data-dir', 'net', '--api-port', '0', '--json'];
  const one = startAnwansi([...wish, ...words], { place });
  started.push(one);
  void one.ended.then(({ err }) => {
    if (!one.out().includes('ready')) throw new Error(err);
  });
  await until('dev is ready', () => one.out().includes('\n'), 60_000);
  return { ...one, ready: JSON.parse(one.out().split('\n')[0]!) as Ready };
}

async function runPrimes({ api, trust }: Ready) {
  const job = ['run', 'primes', '--params', '{"from":0,"to":1000000}', '--json', '--api', api];
  const ended = await anwansi(job, { place });
  expect(ended.exitCode, ended.err).toBe(0);
  const { data } = documentOf(ended);
  expect(data.result.text).toBe('78498');
  const { directory } = place;
  const words = ['verify', data.receipt.file, '--trust', 'dev'];
  const verified = await runWords([verify], words, { directory });
  expect(verified.exitCode, verified.err).toBe(0);
  expect(trust).toBe(join(place.directory, 'net', 'trust.json'));
  return data.job as string;
}

test(
  'processes are used, joined, killed with their parent, and go on in one process',
  async () => {
    const first = await startDev(['--processes']);
    const children = descendants(first.child.pid!);
    expect(children.length).toBeGreaterThanOrEqual(4);
    const job = await runPrimes(first.ready);

    // The line that is printed is all that a newcomer needs.
    const [init, start] = first.ready.join.split(' && ').map((line) => line.split(' ').slice(1));
    expect((await anwansi(init!, { place })).exitCode).toBe(0);
    const newcomer = startAnwansi(start!, { place });
    started.push(newcomer);
    await newcomer.says('"seatsHeard":4');

    // The parent dies without a word: its validators end with it, and the locks are free.
    first.child.kill('SIGKILL');
    await first.ended;
    await until('all validators have ended', () => !children.some(isRunning));

    const second = await startDev([]);
    const shown = await anwansi(
      ['job', 'show', job.slice(0, 12), '--api', second.ready.api, '--json'],
      {
        place,
      },
    );
    const listed = await anwansi(['job', 'list', '--api', second.ready.api], { place });
    const seen = `${JSON.stringify([first.ready, second.ready])}\n${Buffer.from(listed.out)}`;
    expect(documentOf(shown).data, `${shown.err}\n${seen}`).toMatchObject({
      id: job,
      state: 'settled',
    });
    await runPrimes(second.ready);
    second.child.kill('SIGINT');
    const { exitCode, err } = await second.ended;
    expect(exitCode, err).toBe(0);
  },
  msMax,
);

test(
  'a folder with another kind of network is refused by name',
  async () => {
    const wish = ['dev', '--nodes', '5', '--data-dir', 'net', '--api-port', '0'];
    const ended = await runWords([dev], wish, { directory: place.directory });
    expect(ended.exitCode).toBe(2);
    expect(ended.err).toContain('DEV_OTHER_NETWORK');
  },
  msMax,
);
