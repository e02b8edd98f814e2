// Goal: whatever a submitter gives it, the command line says what is wrong, why and what to do,
// ends with the right code and without a stack, and the network runs the next job.
// Method: hostile programs, inputs and options, all at once, on one network of four real hosts;
// then a good job on the same network. Receipts of failed jobs are verified.
import { readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runOn } from '../../node/cli/commands/run.ts';
import { verify } from '../../node/cli/commands/verify.ts';
import { type Embedded, startEmbedded } from '../../node/embedded.ts';
import { utf8 } from '../../protocol/brand.ts';
import { sha256 } from '../../protocol/crypto/hash.ts';
import { itemBytesMax } from '../../protocol/params.ts';
import { harmlessProgram, programs } from '../fixtures/programs/hostile.ts';
import { newPlace } from '../support/anwansi-process.ts';
import { runWords } from '../support/command-line.ts';

/** Nobody waits for windows that all seats fill; a loaded machine must not need a second wave. */
const parameters = { commitWindowMs: 30_000, revealWindowMs: 20_000 };
const patienceMs = 240_000;

const place = newPlace();
const file = (name: string): string => join(place.directory, name);
let shared: Embedded;

beforeAll(async () => {
  const nonce = sha256(utf8('bad-jobs.test'));
  const common = { faulty: 0, fault: null, readable: [], parameters };
  shared = await startEmbedded({ seats: 4, nonce, ...common });
  for (const [name, bytes] of Object.entries(programs)) writeFileSync(file(`${name}.wasm`), bytes);
  writeFileSync(file('harmless.wasm'), harmlessProgram);
  writeFileSync(file('empty'), '');
  writeFileSync(file('text'), 'one two three');
  writeFileSync(file('one-word'), Buffer.alloc(itemBytesMax + 1, 'a'));
  writeFileSync(file('huge.wasm'), '');
  truncateSync(file('huge.wasm'), 64 * 1024 * 1024);
  for (const [at, row] of rows.entries()) outcomes[at] = here(['run', ...row[1], '--json']);
}, patienceMs);

afterAll(async () => {
  await shared?.stop();
  place.remove();
}, patienceMs);

/** Runs a command line in the place, `run` on the shared network. */
function here(words: string[]) {
  return runWords([runOn(async () => shared), verify], words, { directory: place.directory });
}

type Row = readonly [what: string, words: string[], code: string, exitCode: number, says: string];

/** A job that is submitted although it fails where it is tried. */
const unasked = (name: string, ...more: string[]) => [`./${name}.wasm`, ...more, '--unchecked'];
const primes = ['primes', '--params', '{"from":0,"to":1000000}'];

const rows: readonly Row[] = [
  ['no WebAssembly', ['./not-wasm.wasm'], 'PROGRAM_REJECTED', 8, 'PROGRAM_NOT_WASM'],
  ['a cut program', ['./truncated.wasm'], 'PROGRAM_REJECTED', 8, 'PROGRAM_MALFORMED'],
  ['no bytes at all', ['./empty.wasm'], 'PROGRAM_REJECTED', 8, 'PROGRAM_NOT_WASM'],
  ['64 MiB', ['./huge.wasm'], 'PROGRAM_REJECTED', 8, 'PROGRAM_TOO_LARGE'],
  ['a missing export', ['./no-map.wasm'], 'PROGRAM_REJECTED', 8, 'PROGRAM_MISSING_EXPORT'],
  ['an import', ['./imports.wasm'], 'PROGRAM_REJECTED', 8, 'PROGRAM_IMPORTS'],
  ['1 GiB of memory', ['./gigabyte-memory.wasm'], 'PROGRAM_REJECTED', 8, 'PROGRAM_MEMORY'],
  ['no such program', ['nothing'], 'PROGRAM_NOT_FOUND', 3, 'there is no program nothing'],
  ['no such file', ['./nothing.wasm'], 'PROGRAM_NOT_FOUND', 3, './nothing.wasm'],
  ['a directory', ['.'], 'PROGRAM_NOT_FOUND', 3, 'there is no program'],
  ['a trap', ['./trap.wasm'], 'ITEM_FAILED', 8, 'trap (anw_map trapped: unreachable in anw_map)'],
  ['garbage', ['./garbage.wasm'], 'ITEM_FAILED', 8, 'item 0 failed here: bad-value'],
  ['a value of 1 GB', ['./gigabyte-value.wasm'], 'ITEM_FAILED', 8, 'a result of 1000000000 bytes'],
  ['a trap in combine', ['./trap-combine.wasm'], 'COMBINE_FAILED', 8, 'value of item 1'],
  ['a trap in render', ['./trap-render.wasm'], 'RENDER_FAILED', 8, 'anw_render trapped'],
  ['an endless item', ['./endless.wasm', '--fuel', '64M'], 'ITEM_FAILED', 8, 'used up 64M units'],
  [
    'an endless combine',
    ['./endless-combine.wasm', '--fuel-combine', '64M'],
    'COMBINE_FAILED',
    8,
    'used up 64M units of fuel here, all that the job would give a combine',
  ],
  ['too deep', ['./deep-recursion.wasm'], 'ITEM_FAILED', 8, 'too-deep'],
  ['parameters', ['mean', '--params', '{}', '--input', 'text'], 'ITEM_FAILED', 8, 'bytes 0 to 12'],
  [
    'a trap',
    unasked('trap'),
    'JOB_ITEM_FAILED',
    8,
    'trap in item 0 of the job, counted from 0, in subtask 0',
  ],
  ['garbage', unasked('garbage'), 'JOB_ITEM_FAILED', 8, 'bad-value in item 0'],
  ['a value of 1 GB', unasked('gigabyte-value'), 'JOB_ITEM_FAILED', 8, 'bad-value in item 0'],
  ['a trap in combine', unasked('trap-combine'), 'COMBINE_FAILED', 8, 'combine-failed'],
  ['a trap in render', unasked('trap-render'), 'RESULT_UNRENDERABLE', 8, 'cannot fold or render'],
  [
    'an endless item',
    unasked('endless', '--fuel', '64M'),
    'JOB_ITEM_FAILED',
    8,
    'out-of-fuel in item 0 of the job, counted from 0, in subtask 0: it used up its limit of 64M units',
  ],
  ['an endless count', ['./endless-count.wasm'], 'COUNT_FAILED', 8, 'used up its fuel'],
  ['endless recursion', unasked('deep-recursion'), 'JOB_ITEM_FAILED', 8, 'too-deep in item 0'],
  ['no fuel', [...primes, '--fuel', '0'], 'FUEL_OUT_OF_RANGE', 2, '--fuel asks for 0 units'],
  ['too much fuel', [...primes, '--fuel', '69G'], 'FUEL_OUT_OF_RANGE', 2, '1 to 68.7G'],
  ['fuel in words', [...primes, '--fuel', '1e6'], 'USAGE', 2, '--fuel 1e6'],
  ['no items', ['./no-items.wasm'], 'COUNT_OUT_OF_RANGE', 2, 'expected 1 to'],
  ['2^40 items', ['./too-many-items.wasm'], 'COUNT_OUT_OF_RANGE', 2, '1099511627776 items'],
  ['no input', ['wordcount'], 'INPUT_MISSING', 2, 'none was given'],
  ['no such input', ['wordcount', '--input', 'none'], 'INPUT_NOT_FOUND', 3, 'none'],
  ['an empty input', ['wordcount', '--input', 'empty'], 'INPUT_EMPTY', 2, 'is empty'],
  ['an empty device', ['wordcount', '--input', '/dev/null'], 'INPUT_EMPTY', 2, 'is empty'],
  ['a directory', ['wordcount', '--input', '.'], 'INPUT_IS_DIRECTORY', 2, 'is a directory'],
  ['one endless word', ['wordcount', '--input', 'one-word'], 'INPUT_UNSPLITTABLE', 2, 'to cut'],
  ['a needless input', ['primes', '--input', 'text'], 'INPUT_NEEDLESS', 2, 'takes no input'],
  ['no JSON', ['primes', '--params', '{"from":'], 'PARAMETERS_NOT_JSON', 2, 'is not JSON'],
  ['other JSON', ['primes', '--params', '[]'], 'PARAMETERS_REFUSED', 2, 'refused these'],
  [
    'long parameters',
    ['primes', '--params', `"${'a'.repeat(40_000)}"`],
    'PARAMETERS_TOO_LONG',
    2,
    '40002 bytes',
  ],
  ['loss 0', [...primes, '--loss', '0'], 'USAGE', 2, '--loss 0'],
  ['loss 2', [...primes, '--loss', '2'], 'USAGE', 2, '--loss 2'],
  ['loss abc', [...primes, '--loss', 'abc'], 'USAGE', 2, '--loss abc'],
  ['adversary 1', [...primes, '--adversary', '1'], 'USAGE', 2, '--adversary 1'],
  ['more subtasks', [...primes, '--subtasks', '65537'], 'USAGE', 2, '65536'],
  ['3 nodes', [...primes, '--nodes', '3'], 'USAGE', 2, 'from 4 to 31'],
  ['faulty, but not how', [...primes, '--faulty', '1'], 'USAGE', 2, 'but not how'],
  [
    'too many that equivocate',
    [...primes, '--faulty', '3', '--fault', 'equivocate'],
    'USAGE',
    2,
    'break consensus',
  ],
  ['only faulty', [...primes, '--faulty', '7', '--fault', 'silent'], 'USAGE', 2, 'no honest'],
  ['no such place', [...primes, '--out', 'no/where'], 'OUTPUT_UNWRITABLE', 2, 'cannot be written'],
  ['a place taken', [...primes, '--receipt', '.'], 'OUTPUT_UNWRITABLE', 2, 'is a directory'],
];
const outcomes: ReturnType<typeof here>[] = [];

const ended = (what: string, code: string) =>
  outcomes[rows.findIndex((row) => row[0] === what && row[2] === code)]!;

describe('a bad job is refused or fails by name', () => {
  test.each(rows.map(([what, , code, exitCode, says], at) => ({ what, code, exitCode, says, at })))(
    '$what ($at): $code, exit $exitCode',
    async ({ code, exitCode, says, at }) => {
      const ended = await outcomes[at]!;
      const [error] = ended.document.errors as { code: string; message: string; hint: string }[];
      expect(error, ended.err).toMatchObject({ code });
      expect(ended.exitCode).toBe(exitCode);
      expect(error!.message).toContain(says);
      expect(error!.hint, 'what to do').toMatch(/^[A-Z].*\.|^See: anwansi/);
      expect(ended.err).toContain(`error ${code} `);
      expect(ended.err).not.toMatch(/\n +at |UNEXPECTED|undefined|\[object/);
      expect(ended.document).toMatchObject({ success: false, schema_version: 1 });
    },
    patienceMs,
  );
});

test(
  'a failed job has a receipt, which verifies as failed',
  async () => {
    const { document } = await ended('a trap', 'JOB_ITEM_FAILED');
    expect(document.data).toMatchObject({ state: 'failed', result: null });
    const { exitCode, out } = await here(['verify', document.data.receipt.file, '--trust', 'dev']);
    expect({ exitCode, last: out.trimEnd().split('\n').at(-1) }).toEqual({
      exitCode: 0,
      last: `VERIFIED: failed job ${document.data.job}`,
    });
    expect(out).toContain('trap in item 0 of the job, counted from 0, in subtask 0');
  },
  patienceMs,
);

test(
  'a job without end has a receipt that says so, and an unrenderable one too',
  async () => {
    const [endless, unrenderable] = await Promise.all(
      [
        ['an endless item', 'JOB_ITEM_FAILED'] as const,
        ['a trap in render', 'RESULT_UNRENDERABLE'] as const,
      ].map(([what, code]) => ended(what, code)),
    );
    const failure = { class: 'out-of-fuel', subtask: 0, item: 0 };
    expect(endless!.document.data).toMatchObject({ state: 'failed', result: null, failure });
    expect(unrenderable!.document.data).toMatchObject({ state: 'settled', result: null });
    const receipt = unrenderable!.document.data.receipt.file;
    const { exitCode, out } = await here(['verify', receipt, '--trust', 'dev']);
    expect(exitCode).toBe(0);
    expect(out).toContain('unrenderable: trap in the render');
  },
  patienceMs,
);

test(
  'what fails where it is tried is never submitted: no job, no receipt, nothing paid',
  async () => {
    await Promise.all(outcomes);
    const refused = rows.flatMap(([, words, code], at) =>
      /^(ITEM|COMBINE|RENDER)_/.test(code) && !words.includes('--unchecked') ? [at] : [],
    );
    expect(refused.length).toBeGreaterThan(6);
    const named = new Set<string>();
    for (const at of refused) {
      const { document } = await outcomes[at]!;
      const { failure } = document.data;
      expect(document.data).toMatchObject({ job: null, state: 'refused', result: null });
      expect(failure).toMatchObject({ class: expect.any(String), said: expect.any(String) });
      named.add(failure.what);
      expect(document.errors[0].hint).toMatch(/^Nothing was submitted, and nothing is paid\.$/m);
      expect(document.errors[0].hint).toContain('--unchecked');
    }
    expect([...named].sort()).toEqual(['combine', 'item', 'render']);
    // Only jobs that were submitted have a receipt, and they all have one.
    const submitted = rows.filter(([, words]) => words.includes('--unchecked')).length;
    const found = readdirSync(place.directory).filter((name) => name.endsWith('.receipt'));
    expect(found.filter((name) => !/^(harmless|primes)-/.test(name))).toHaveLength(submitted);
    const { ids } = await shared.nodes[0]!.jobs(null, 100);
    expect(ids.length).toBeGreaterThanOrEqual(submitted);
    expect(ids.length).toBeLessThan(rows.length);
  },
  patienceMs,
);

test(
  'the network is healthy after all of it',
  async () => {
    await Promise.all(outcomes);
    const before = shared.nodes.map((node) => node.state().final.header.height);
    const { exitCode, document, err } = await here(['run', ...primes, '--json']);
    expect(exitCode, err).toBe(0);
    expect(document.data.result).toEqual({ bytes: 5, file: null, text: '78498' });
    const { exitCode: mine, out } = await here(['run', './harmless.wasm']);
    expect({ mine, out }).toEqual({ mine: 0, out: '\0' });
    await expect
      .poll(
        () => shared.nodes.every((node, at) => node.state().final.header.height > before[at]!),
        { timeout: 60_000 },
      )
      .toBe(true);
    const receipts = readdirSync(place.directory).filter((name) => name.endsWith('.receipt'));
    expect(receipts.sort().join()).toMatch(/harmless-.*primes-[0-9a-f]{8}\.receipt/);
  },
  patienceMs,
);
