// Goal: `program test` tells a failing test, one that lacks a file, a lawless program and a stale
// module apart, tries the orders that it says, and lets no test hide another.
// Method: the real command in folders of our own, on programs assembled by hand.
import { existsSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { bundledProgram } from '../../node/client/program-file.ts';
import { openProject } from '../../node/kit/project.ts';
import { sourcesHash, stampPath, stampText } from '../../node/kit/stamp.ts';
import { op, program } from '../fixtures/programs/assemble.ts';
import { combines, eightByteProgram } from '../fixtures/programs/lawless.ts';
import { openKit } from '../support/kit-project.ts';

const { directory, project, remove, run } = openKit();
afterAll(remove);

const eightBytes = (number: bigint): Uint8Array =>
  new Uint8Array(new BigUint64Array([number]).buffer);
/** A body that gives eight bytes, always the same. */
const constant = (number: bigint): number[] => [
  ...[...op.i32(8), ...op.i64(number), 0x37, 0, 0],
  ...op.i64((8n << 32n) | 8n),
];
const floats = (...numbers: number[]): Uint8Array =>
  new Uint8Array(new Float64Array(numbers).buffer);

describe('test', () => {
  const eight = { 'tests/a.input': floats(1, 2, 3), 'tests/a.expected': floats(6) };

  test('passes where the bytes are those that were expected, at the end of a line or not', async () => {
    project('adds', eightByteProgram('float sum'), eight);
    const { exitCode, out } = await run('test', 'adds', '--seed', '1');
    expect([exitCode, out]).toEqual([
      0,
      'ok    a: 3 items in 3 orders\n1 passed, 0 failed, seed 1\n',
    ]);
    project('takes', program(), { 'tests/a.input': 'one line', 'tests/a.expected': 'one line\n' });
    expect(await run('test', 'takes')).toMatchObject({
      exitCode: 0,
      out: expect.stringMatching(/^ok {4}a: 1 item: no order to try$/m),
    });
  });

  test('cuts lines that are one item smaller, and tries these in several orders', async () => {
    const few = { 'tests/a.input': 'b\na\n\nc', 'tests/a.expected': 'b\na\n\nc' };
    // Keeps the first of two: right in one item, and another in each order.
    project('first', program(), few);
    const first = await run('test', 'first', '--seed', '1');
    expect(first.exitCode).toBe(4);
    expect(first.out).toMatch(/^FAIL {2}a: .*of the 4 that its input makes, cut smaller, came to/m);
    // Counts its items: no order shows, but where the input is cut does.
    const counts = constant(1n);
    const one = { 'tests/a.input': 'b\na\n', 'tests/a.expected': eightBytes(1n) };
    const counting = program({ anw_map: counts, anw_combine: combines.sum.body });
    project('counting', counting, one);
    expect((await run('test', 'counting', '--seed', '1')).out).toMatch(
      /^FAIL {2}a: 0x0100000000000000 from one item, but 0x0200000000000000 from the same lines in 2 /m,
    );
    // Adds up what does not depend on items; another rule of cutting is kept to.
    const nought = program({ anw_map: constant(0n), anw_combine: combines.sum.body });
    project('nought', nought, { ...one, 'tests/a.expected': eightBytes(0n) });
    expect(await run('test', 'nought', '--seed', '1')).toMatchObject({
      exitCode: 0,
      out: 'ok    a: 1 item, then as 2 smaller items in 2 orders\n1 passed, 0 failed, seed 1\n',
    });
    project('fixed', eightByteProgram('first'), {
      'tests/a.input': 'a\nb\nc\nd\n',
      'tests/a.expected': 'a\nb\nc\nd\n',
    });
    const { document } = await run('test', 'fixed', '--json');
    expect(document.data.tests).toEqual([
      {
        name: 'a',
        state: 'passed',
        fault: null,
        expected: null,
        found: null,
        tried: [{ items: 1, orders: 1, smaller: false }],
      },
    ]);
  });

  test('fails with what was expected and what was found', async () => {
    project('differs', program(), {
      'tests/a.input': 'found',
      'tests/a.expected': 'expected',
      'tests/b.input': 'b',
      'tests/b.expected': 'b',
    });
    const { exitCode, out } = await run('test', 'differs', '--seed', '1');
    expect(exitCode).toBe(4);
    expect(out).toBe(
      'FAIL  a: expected "expected", found "found"\nok    b: 1 item: no order to try\n1 passed, 1 failed, seed 1\n',
    );
  });

  test('tells a program whose result depends on the order, whatever was expected', async () => {
    const many = Array.from({ length: 64 }, (_, at) => 10 ** (at % 17) / 3);
    project('minds', eightByteProgram('float sum'), {
      'tests/a.input': floats(...many),
      'tests/a.expected': floats(0),
    });
    const { exitCode, out } = await run('test', 'minds', '--seed', '1');
    expect(exitCode).toBe(4);
    expect(out).toMatch(/^FAIL {2}a: items \d+ to \d+ came to different bytes in another order/m);
  });

  test('tells an item that fails, and what is missing', async () => {
    project('traps', program({ anw_map: op.unreachable }), eight);
    expect((await run('test', 'traps')).out).toMatch(
      /^FAIL {2}a: item 0 failed: trap \(anw_map trapped: /m,
    );
    project('bare', program(), {});
    expect(await run('test', 'bare')).toMatchObject({
      exitCode: 3,
      err: expect.stringContaining('PROGRAM_NO_TESTS'),
    });
    project('unbuilt', null, eight);
    expect(await run('test', 'unbuilt')).toMatchObject({
      exitCode: 3,
      err: expect.stringContaining('PROGRAM_NOT_BUILT'),
    });
    expect(existsSync(join(directory, 'unbuilt', 'unbuilt.wasm'))).toBe(false);
  });

  test('tells what a test lacks, for that test; the others run', async () => {
    project('halves', program(), {
      'tests/good.input': 'good',
      'tests/good.expected': 'good',
      'tests/inputless.expected': '1',
      'tests/aimless.input': '1',
      'tests/empty.input': '',
      'tests/empty.expected': '',
      'tests/odd.input': 'odd',
      'tests/odd.json': '{',
      'tests/odd.expected': 'odd',
      'tests/typo.jsn': '{}',
      'tests/.swap': '',
    });
    const { exitCode, out, err } = await run('test', 'halves', '--seed', '1');
    expect(exitCode).toBe(4);
    expect(out.split('\n')).toEqual([
      'FAIL  aimless: tests/aimless.expected is not there: nothing says what has to come out',
      'FAIL  empty: tests/empty.input is empty: there is nothing to compute',
      'ok    good: 1 item: no order to try',
      'FAIL  inputless: tests/inputless.input is not there, and the program works on an input',
      expect.stringMatching(/^FAIL {2}odd: tests\/odd\.json is not JSON: /),
      '1 passed, 4 failed, seed 1',
      '',
    ]);
    expect(err).toContain('tests/typo.jsn is of no test');
    expect(err).not.toContain('.swap');
  });

  test('of a program that makes its items, an input is needless, and parameters may be refused', async () => {
    const bytes = readFileSync(bundledProgram('nqueens'));
    project('queens', bytes, {
      'tests/eight.json': '{"size":8}',
      'tests/eight.expected': '92\n',
      'tests/needless.json': '{"size":8}',
      'tests/needless.expected': '92',
      'tests/needless.input': '8',
      'tests/none.expected': '92',
    });
    const { exitCode, out } = await run('test', 'queens', '--seed', '1');
    expect(exitCode).toBe(4);
    expect(out).toMatch(/^ok {4}eight: \d+ items in 3 orders$/m);
    expect(out).toMatch(/^FAIL {2}needless: tests\/needless\.input is needless/m);
    expect(out).toMatch(/^FAIL {2}none: .*parameters/m);
  });
});

describe('a module that is older than its sources', () => {
  const files = { 'tests/a.input': 'a', 'tests/a.expected': 'a', 'source/program.ts': 'now' };
  const bytes = program();
  /** A project as build leaves it, built just after its sources were written. */
  async function built(name: string) {
    mkdirSync(join(directory, name, 'source', 'node_modules'), { recursive: true });
    project(name, bytes, files);
    const folder = join(directory, name);
    const opened = await openProject(folder);
    writeFileSync(stampPath(opened), stampText(bytes, await sourcesHash(opened)));
    return { opened, source: join(folder, 'source', 'program.ts') };
  }
  const stale = async (name: string): Promise<string | null> => {
    const { exitCode, err } = await run('test', name);
    if (exitCode === 0) return null;
    expect([exitCode, err]).toEqual([3, expect.stringContaining('PROGRAM_STALE')]);
    return err;
  };
  const later = new Date(Date.now() + 60_000);

  test('is refused with a remedy; what was only touched, or is no source, is not', async () => {
    const { opened, source } = await built('stamped');
    expect(await stale('stamped')).toBeNull();
    utimesSync(source, later, later);
    for (const other of ['.program.ts.swp', 'program.ts~', 'node_modules/x.js'])
      writeFileSync(join(directory, 'stamped', 'source', other), 'x');
    expect(await stale('stamped')).toBeNull();
    writeFileSync(source, 'later');
    const said = await stale('stamped');
    expect(said).toMatch(/source\/ or program\.json was changed since it was built/);
    expect(said).toContain('Run `anwansi program build` again');
    writeFileSync(source, 'now');
    expect(await stale('stamped')).toBeNull();
    writeFileSync(join(directory, 'stamped', 'source', 'more.ts'), '');
    expect(await stale('stamped')).not.toBeNull();
    rmSync(join(directory, 'stamped', 'source', 'more.ts'));
    const json = join(opened.folder, 'program.json');
    writeFileSync(json, readFileSync(json, 'utf8').replace('"version":"1"', '"version":"2"'));
    expect(await stale('stamped')).not.toBeNull();
  });

  test('is told by time where no stamp is of it', async () => {
    const { opened, source } = await built('unstamped');
    const past = new Date(Date.now() - 60_000);
    for (const file of [source, join(opened.folder, 'program.json')]) utimesSync(file, past, past);
    // Built by other means: its stamp is of another module.
    writeFileSync(opened.target, program({ anw_combine: op.pack(2, 3) }));
    expect(await stale('unstamped')).toBeNull();
    utimesSync(source, later, later);
    expect(await stale('unstamped')).toMatch(/source\/program\.ts was written after it/);
    for (const torn of ['', '{}', 'null', '{"module":1}']) {
      writeFileSync(stampPath(opened), torn);
      expect(await stale('unstamped'), torn).not.toBeNull();
      utimesSync(source, past, past);
      expect(await stale('unstamped'), torn).toBeNull();
      utimesSync(source, later, later);
    }
  });
});
