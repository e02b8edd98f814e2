// Goal: the fuel that was quoted is what a receipt states and what is paid; a limit that is one
// unit short fails the job, by name, with a receipt that verifies and the option that raises it.
// Method: the real command line on one embedded network of four hosts; a program whose items are
// all alike, run with no limit of its own, with exactly what an item uses, and with one unit less.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Listening, startApi } from '../../node/api/server.ts';
import { jobResult } from '../../node/cli/commands/job-result.ts';
import { jobShow } from '../../node/cli/commands/job-show.ts';
import { jobWatch } from '../../node/cli/commands/job-watch.ts';
import { quote } from '../../node/cli/commands/quote.ts';
import { runOn } from '../../node/cli/commands/run.ts';
import { verify } from '../../node/cli/commands/verify.ts';
import { type Embedded, startEmbedded } from '../../node/embedded.ts';
import { utf8 } from '../../protocol/brand.ts';
import { sha256 } from '../../protocol/crypto/hash.ts';
import { endlessAbove, programs } from '../fixtures/programs/hostile.ts';
import { newPlace } from '../support/anwansi-process.ts';
import { testApi } from '../support/api.ts';
import { runWords } from '../support/command-line.ts';

/** Nobody waits for windows that all seats fill; a loaded machine must not need a second wave. */
const parameters = { commitWindowMs: 30_000, revealWindowMs: 20_000 };
const patienceMs = 240_000;
const alike = ['montecarlo', '--params', '{"points":4194304,"seed":1}'];
const place = newPlace();
let shared: Embedded;
let api: Listening;

type SeatWord = { readonly wave: number; readonly verdict: string };

const commands = [runOn(async () => shared), quote, verify, jobShow, jobWatch, jobResult];
const here = (words: string[]) => runWords(commands, words, { directory: place.directory });
const there = (line: string) => here([...line.split(' '), '--api', api.address]);
const run = (...words: string[]) => here(['run', ...words, '--json']);

beforeAll(async () => {
  const nonce = sha256(utf8('fuel.test'));
  shared = await startEmbedded({
    ...{ seats: 4, nonce, faulty: 0, fault: null, readable: [], parameters },
  });
  const { nodes, executor, scratch } = shared;
  const { app, parts } = testApi({ node: nodes[0]!, executor, scratch });
  const host = '127.0.0.1';
  api = await startApi({ app, host, port: 0, allowRemote: false, log: parts.log });
}, patienceMs);
afterAll(async () => {
  await api?.stop();
  await shared?.stop();
  place.remove();
}, patienceMs);

test(
  'what was quoted is what the receipt states and what is paid',
  async () => {
    const quoted = (await here(['quote', ...alike, '--seats', '4', '--json'])).document.data;
    const { document, err } = await run(...alike);
    expect(document.success, err).toBe(true);
    const { fuel, work } = document.data;
    expect(fuel.mapFuel).toBe(quoted.job.fuel);
    expect(fuel.limits).toEqual(quoted.job.limits);
    expect(fuel.escrow).toBe(quoted.quotes[0].escrow);
    // Two seats a lane, both paid; each lane rounds down.
    expect(work.lanes).toBe(2);
    const lane = BigInt(quoted.job.fuel) / 2n / 1_000_000n;
    expect(fuel.paid).toBe(String(2n * 2n * lane));
    expect(Number(quoted.quotes[0].price) - Number(fuel.paid)).toBeLessThanOrEqual(2);
    expect(err).toContain(`paid: ${fuel.paid} tokens for all executions`);
    const shown = await here(['verify', document.data.receipt.file, '--trust', 'dev']);
    expect(shown.out).toContain(String(BigInt(fuel.mapFuel) / 2n));
  },
  patienceMs,
);

test(
  'exactly enough fuel settles; one unit less fails the job, and its receipt verifies as failed',
  async () => {
    const quoted = (await here(['quote', ...alike, '--seats', '4', '--json'])).document.data;
    const most = BigInt(quoted.job.measured.most);
    const [enough, less, refused] = await Promise.all([
      run(...alike, '--fuel', String(most)),
      run(...alike, '--fuel', String(most - 1n), '--unchecked'),
      run(...alike, '--fuel', String(most - 1n)),
    ]);
    expect(enough!.exitCode, enough!.err).toBe(0);
    expect(enough!.document.data).toMatchObject({ state: 'settled', failure: null });
    expect(less!.exitCode).toBe(8);
    const { data, errors, warnings } = less!.document;
    expect(data).toMatchObject({
      state: 'failed',
      result: null,
      failure: { class: 'out-of-fuel', subtask: 0, item: 0 },
    });
    expect(errors[0]).toMatchObject({ code: 'JOB_ITEM_FAILED' });
    expect(errors[0].message).toContain(
      'out-of-fuel in item 0 of the job, counted from 0, in subtask 0',
    );
    expect(errors[0].hint).toMatch(/--fuel 436M/);
    expect(warnings[0]).toMatch(/item 0 used up .* the job will fail/);
    expect(refused!.exitCode).toBe(8);
    expect(refused!.document.data).toMatchObject({ job: null, state: 'refused' });
    expect(refused!.document.errors).toMatchObject([{ code: 'ITEM_FAILED' }]);
    expect(refused!.document.errors[0].hint).toMatch(/--fuel 436M/);
    // Both lanes fail at their first item, each of which counts all that it had.
    expect(BigInt(data.fuel.mapFuel)).toBeGreaterThanOrEqual(2n * (most - 1n));
    const { exitCode, out } = await here(['verify', data.receipt.file, '--trust', 'dev']);
    expect(exitCode).toBe(0);
    expect(out).toContain('out-of-fuel in item 0 of the job, counted from 0, in subtask 0');
    expect(out.trimEnd().split('\n').at(-1)).toBe(`VERIFIED: failed job ${data.job}`);
  },
  patienceMs,
);

test(
  'through a node, a job that ran out of fuel is shown with its item and the remedy',
  async () => {
    const count = 'run primes --params {"from":0,"to":1000000} --detach --json';
    const [settled, detached] = await Promise.all([
      there(count),
      there(`${count} --fuel 100k --unchecked`),
    ]);
    expect(settled.document.warnings).toEqual([]);
    expect(detached.document.warnings[0]).toContain('item 0 used up 100k');
    const [good, failed] = [settled, detached].map(({ document }) => document.data.job);
    expect((await there(`job watch ${good}`)).exitCode).toBe(0);
    expect((await there(`job watch ${failed}`)).exitCode).toBe(8);
    const { out, err } = await there(`job show ${failed}`);
    expect(out, err).toMatch(/^fuel +200k units in one execution of all items$/m);
    expect(out).toMatch(
      /^failed +the job failed: out-of-fuel in item 0 of the job, counted from 0, in subtask 0: .* 100k /m,
    );
    expect(out).toMatch(/^remedy .*--fuel 1\.6M/m);
    const { data } = (await there(`job show ${failed} --json`)).document;
    expect(data).toMatchObject({ fuelItem: '100000', mapFuel: '200000', state: 'failed' });
    expect(data.failure).toMatchObject({ class: 'out-of-fuel', subtask: 0, item: 0 });
    expect((await there(`job show ${good} --json`)).document.data.failure).toBeNull();
    const result = await there(`job result ${failed}`);
    expect([result.exitCode, result.err]).toEqual([8, expect.stringContaining('--fuel 1.6M')]);
    const paid = (await there(`job result ${good} --json`)).document.data.fuel;
    // Two lanes of two seats each; each lane rounds down.
    expect(BigInt(paid.paid)).toBeLessThanOrEqual((2n * BigInt(paid.mapFuel)) / 1_000_000n);
    expect(BigInt(paid.paid)).toBeGreaterThan((2n * BigInt(paid.mapFuel)) / 1_000_000n - 4n);
  },
  patienceMs,
);

test(
  'a combine that never ends fails its job as such, wherever it is met, and soon',
  async () => {
    // The fold may use what takes minutes: what ends it is the limit of a combine.
    const most = ['--fuel', '1M', '--fuel-combine', '1M', '--fuel-fold', '1.09T', '--unchecked'];
    const ended = async (longest: number, ...words: string[]) => {
      const file = join(place.directory, `above-${longest}.wasm`);
      writeFileSync(file, endlessAbove(longest));
      return run(file, ...most, ...words);
    };
    // Two lanes of two items each: a subtask's own, a lane's and the submitter's fold meet it.
    const [inSubtask, inLane, inResult, never] = await Promise.all([
      ended(2, '--subtasks', '1'),
      ended(1),
      ended(3),
      ended(4),
    ]);
    const failure = { class: 'combine-failed', subtask: 0, item: null };
    for (const [{ document, exitCode, err }, where] of [
      [inSubtask, failure],
      [inLane, { class: 'combine-failed', subtask: null, lane: 0 }],
    ] as const) {
      expect(exitCode, err).toBe(8);
      expect(document.data).toMatchObject({ state: 'failed', result: null, failure: where });
      // It is a result: all drawn seats say the same, none has to be asked again.
      const verdicts = document.data.work.seats.map((seat: SeatWord) => [seat.wave, seat.verdict]);
      expect(new Set(verdicts.map(String))).toEqual(new Set(['0,agreed']));
      expect(document.errors[0]).toMatchObject({ code: 'COMBINE_FAILED' });
      expect(document.errors[0].message).toContain('combine-failed');
      const receipt = document.data.receipt.file;
      const { exitCode: verified, out } = await here(['verify', receipt, '--trust', 'dev']);
      expect(verified).toBe(0);
      expect(out.trimEnd().split('\n').at(-1)).toBe(`VERIFIED: failed job ${document.data.job}`);
    }
    expect(inResult.exitCode, inResult.err).toBe(8);
    expect(inResult.document.data).toMatchObject({ state: 'settled', result: null });
    const [error] = inResult.document.errors;
    expect(error).toMatchObject({ code: 'RESULT_UNRENDERABLE' });
    expect(error.message).toContain('a combine used up the limit of 1M units');
    expect(error.hint).toContain('--fuel-combine (now 1M)');
    expect(error.hint).not.toContain('--fuel-fold');
    // The same program where no sum is too long: it has a result.
    expect(never.exitCode, never.err).toBe(0);
    expect(never.document.data).toMatchObject({ state: 'settled', result: { bytes: 4 } });
  },
  patienceMs,
);

test(
  'a program that recurses without end fails as too-deep',
  async () => {
    const file = join(place.directory, 'deep.wasm');
    writeFileSync(file, programs['deep-recursion']);
    const { exitCode, document } = await run(file, '--fuel', '64M', '--unchecked');
    expect(exitCode).toBe(8);
    const [error] = document.errors;
    expect(error.message).toContain('too-deep in item 0');
    expect(error.hint).toContain('No option changes that limit');
    expect(document.data.failure).toMatchObject({ class: 'too-deep', item: 0 });
  },
  patienceMs,
);
