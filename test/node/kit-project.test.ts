// Goal: `program new`, `build` and `test` do what they say, touch nothing that is there, and tell a
// failing test, a lawless program and a broken source apart, each with its code.
// Method: the real commands in folders of our own; programs assembled by hand where none is built.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { programBuild } from '../../node/cli/commands/program-build.ts';
import { programNew } from '../../node/cli/commands/program-new.ts';
import { programTest } from '../../node/cli/commands/program-test.ts';
import { hasClang } from '../../node/kit/build.ts';
import { op, program } from '../fixtures/programs/assemble.ts';
import { eightByteProgram } from '../fixtures/programs/lawless.ts';
import { runWords } from '../support/command-line.ts';

const directory = mkdtempSync(join(tmpdir(), 'anwansi-kit-project-'));
afterAll(() => rmSync(directory, { recursive: true }));
const run = (...words: string[]) =>
  runWords([programNew, programBuild, programTest], ['program', ...words], { directory });

/** A folder as `new` and `build` leave it, of the given bytes and files. */
function project(
  name: string,
  bytes: Uint8Array | null,
  files: Record<string, string | Uint8Array>,
) {
  const folder = join(directory, name);
  mkdirSync(join(folder, 'tests'), { recursive: true });
  const manifest = { name, version: '1', language: 'as', cut: { kind: 'fixed', bytes: 8 } };
  writeFileSync(join(folder, 'program.json'), JSON.stringify(manifest));
  if (bytes !== null) writeFileSync(join(folder, `${name}.wasm`), bytes);
  for (const [file, content] of Object.entries(files)) writeFileSync(join(folder, file), content);
  return name;
}

const floats = (...numbers: number[]): Uint8Array =>
  new Uint8Array(new Float64Array(numbers).buffer);

describe('new', () => {
  test('writes a program with its tests, and touches nothing that is there', async () => {
    const { exitCode, out } = await run('new', 'fresh', '--lang', 'c');
    expect([exitCode, out]).toEqual([0, `${join(directory, 'fresh')}\n`]);
    const files = readdirSync(join(directory, 'fresh'), {
      recursive: true,
      encoding: 'utf8',
    }).sort();
    expect(files).toEqual(
      expect.arrayContaining([
        'program.json',
        'source/abi.c',
        'source/program.c',
        'tests/few.expected',
      ]),
    );
    expect(JSON.parse(readFileSync(join(directory, 'fresh', 'program.json'), 'utf8'))).toEqual({
      ...{ name: 'fresh', version: '0.1.0', language: 'c', cut: { kind: 'lines' } },
    });
    writeFileSync(join(directory, 'fresh', 'source', 'program.c'), 'mine');
    const again = await run('new', 'fresh');
    expect(again.exitCode).toBe(2);
    expect(again.err).toContain('PROGRAM_EXISTS');
    expect(readFileSync(join(directory, 'fresh', 'source', 'program.c'), 'utf8')).toBe('mine');
  });

  test('refuses a name that no program may have, and leaves nothing behind', async () => {
    const before = readdirSync(directory);
    for (const name of ['Upper', '1st', 'with blank', 'x'.repeat(65)]) {
      const { exitCode, err } = await run('new', name);
      expect([exitCode, err.includes('PROGRAM_PROJECT')], name).toEqual([2, true]);
    }
    expect(readdirSync(directory)).toEqual(before);
  });
});

describe('build', () => {
  test('says what the compiler says, and keeps the program of before', async (context) => {
    if (!hasClang()) context.skip('clang is missing');
    await run('new', 'broken', '--lang', 'c');
    expect((await run('build', 'broken')).exitCode).toBe(0);
    const built = readFileSync(join(directory, 'broken', 'broken.wasm'));
    expect((await run('test', 'broken')).exitCode).toBe(0);
    writeFileSync(join(directory, 'broken', 'source', 'program.c'), 'int x = nowhere;\n');
    const { exitCode, err } = await run('build', 'broken');
    expect(exitCode).toBe(8);
    expect(err).toMatch(/PROGRAM_BUILD_FAILED[\s\S]*program\.c:1:9: error/);
    // What a network would refuse is refused here, with the reason.
    writeFileSync(join(directory, 'broken', 'source', 'program.c'), 'int x = 1;\n');
    const refused = await run('build', 'broken');
    expect(refused.exitCode).toBe(8);
    expect(refused.err).toMatch(/PROGRAM_REJECTED.*anw_abi_v1 is missing/);
    expect(readFileSync(join(directory, 'broken', 'broken.wasm')).equals(built)).toBe(true);
  });

  test('of a folder that is none tells what is wrong', async () => {
    mkdirSync(join(directory, 'empty'));
    expect((await run('build', 'empty')).err).toContain('it has no program.json');
    project('odd', null, {
      'program.json':
        '{"name":"odd","version":"1","language":"c","cut":{"kind":"lines"},"speed":1}',
    });
    const odd = await run('build', 'odd');
    expect([odd.exitCode, odd.err]).toEqual([2, expect.stringContaining('speed')]);
    project('none', null, { 'program.json': '{' });
    expect((await run('build', 'none')).err).toContain('program.json is not JSON');
  });
});

describe('test', () => {
  const eight = { 'tests/a.input': floats(1, 2, 3), 'tests/a.expected': floats(6) };

  test('passes where the bytes are those that were expected, at the end of a line or not', async () => {
    project('adds', eightByteProgram('float sum'), eight);
    const { exitCode, out } = await run('test', 'adds', '--seed', '1');
    expect([exitCode, out]).toEqual([0, 'ok    a\n1 passed, 0 failed, seed 1\n']);
    project('takes', program(), { 'tests/a.input': 'one line', 'tests/a.expected': 'one line\n' });
    expect((await run('test', 'takes')).exitCode).toBe(0);
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
      'FAIL  a: expected "expected", found "found"\nok    b\n1 passed, 1 failed, seed 1\n',
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
    expect((await run('test', 'traps')).out).toMatch(/^FAIL {2}a: item 0 failed: trap$/m);
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
    project('no-input', program(), { 'tests/a.expected': '1' });
    expect(await run('test', 'no-input')).toMatchObject({
      exitCode: 2,
      err: expect.stringContaining('INPUT_MISSING'),
    });
    expect(existsSync(join(directory, 'unbuilt', 'unbuilt.wasm'))).toBe(false);
  });
});
