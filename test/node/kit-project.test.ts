// Goal: `program new` and `program build` do what they say, touch nothing that is there, leave no
// module that looks new when it is not, and tell each fault with its code and a remedy.
// Method: the real commands and compilers in folders of our own.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { hasClang } from '../../node/kit/build.ts';
import { openKit } from '../support/kit-project.ts';

const { directory, project, remove, run } = openKit();
afterAll(remove);

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

  test('refuses a name that no program may have, says one like it, and leaves nothing behind', async () => {
    const before = readdirSync(directory);
    for (const [name, like] of [
      ['Upper', 'upper'],
      ['1st', 'st'],
      ['with blank', 'with-blank'],
      ['x'.repeat(65), 'x'.repeat(64)],
      ['Größe_β', 'gro-e'],
      ['…', 'my-sum'],
      ['a\nb', 'a-b'],
      ['deep/er/My Sum!', 'my-sum'],
    ] as const) {
      const { exitCode, err } = await run('new', name);
      expect(exitCode, name).toBe(2);
      expect(err).toMatch(/error PROGRAM_NAME .*cannot be the name of a program/);
      expect(err).toContain(`such as ${like}\n`);
      expect(err).not.toContain('UNEXPECTED');
    }
    expect(readdirSync(directory)).toEqual(before);
  });

  test('tells another language, a file in the way, a link to nowhere, a place that is none', async () => {
    const before = readdirSync(directory);
    const rust = await run('new', 'rusty', '--lang', 'rust');
    expect([rust.exitCode, rust.err]).toEqual([2, expect.stringMatching(/choices are as, c/)]);
    expect(readdirSync(directory)).toEqual(before);
    writeFileSync(join(directory, 'file'), 'mine');
    symlinkSync(join(directory, 'nowhere'), join(directory, 'link'));
    for (const name of ['file', 'link'])
      expect(await run('new', name), name).toMatchObject({
        exitCode: 2,
        err: expect.stringContaining('PROGRAM_EXISTS'),
      });
    expect(readFileSync(join(directory, 'file'), 'utf8')).toBe('mine');
    const inFile = await run('new', 'file/inside');
    expect([inFile.exitCode, inFile.err]).toEqual([
      2,
      expect.stringMatching(/OUTPUT_UNWRITABLE .*file\/inside cannot be written/),
    ]);
    expect(readdirSync(directory).sort()).toEqual([...before, 'file', 'link'].sort());
  });

  test('its next commands name the folder, by a path where its name is taken', async () => {
    const { err } = await run('new', 'mean', '--lang', 'c');
    expect(err).toMatch(/^ {2}anwansi program check \.\/mean --input/m);
    expect((await run('new', 'means', '--lang', 'c')).err).toMatch(
      /^ {2}anwansi program test means$/m,
    );
    rmSync(join(directory, 'mean'), { recursive: true });
  });
});

describe('build', () => {
  test('says what the compiler says, and leaves no module that looks new', async (context) => {
    if (!hasClang()) context.skip('clang is missing');
    await run('new', 'broken', '--lang', 'c');
    expect((await run('build', 'broken')).exitCode).toBe(0);
    const module = join(directory, 'broken', 'broken.wasm');
    const source = join(directory, 'broken', 'source', 'program.c');
    const [built, text] = [readFileSync(module), readFileSync(source, 'utf8')];
    expect((await run('test', 'broken')).exitCode).toBe(0);
    writeFileSync(source, 'int x = nowhere;\n');
    const { exitCode, err } = await run('build', 'broken');
    expect(exitCode).toBe(8);
    expect(err).toMatch(/PROGRAM_BUILD_FAILED[\s\S]*program\.c:1:9: error/);
    expect(err).toContain(`the program of an earlier build is now ${module}.old`);
    expect([existsSync(module), readFileSync(`${module}.old`).equals(built)]).toEqual([
      false,
      true,
    ]);
    expect(await run('test', 'broken')).toMatchObject({
      exitCode: 3,
      err: expect.stringContaining('PROGRAM_NOT_BUILT'),
    });
    // Where it cannot be renamed, the compiler's word is still the one that is heard.
    rmSync(`${module}.old`);
    mkdirSync(join(`${module}.old`, 'in the way'), { recursive: true });
    writeFileSync(module, built);
    const stuck = await run('build', 'broken');
    expect(stuck.err).toMatch(/PROGRAM_BUILD_FAILED/);
    expect(stuck.err).toContain(`${module} is of an earlier build, and cannot be renamed`);
    rmSync(`${module}.old`, { recursive: true });
    await run('build', 'broken');
    // What a network would refuse is refused here, with the reason; what lies aside stays there.
    writeFileSync(source, 'int x = 1;\n');
    const refused = await run('build', 'broken');
    expect(refused.exitCode).toBe(8);
    expect(refused.err).toMatch(/PROGRAM_REJECTED.*anw_abi_v1 is missing/);
    expect(refused.err).not.toContain('earlier build');
    expect(readFileSync(`${module}.old`).equals(built)).toBe(true);
    writeFileSync(source, text);
    expect((await run('build', 'broken')).exitCode).toBe(0);
    expect([readFileSync(module).equals(built), existsSync(`${module}.old`)]).toEqual([
      true,
      false,
    ]);
    expect((await run('test', 'broken')).exitCode).toBe(0);
  });

  test.for([
    ['as', 'ts', /^fun/, 'unreachable();', 'program/anw_map'],
    ['c', 'c', /^static u64/, '__builtin_trap();', 'fails'],
  ] as const)(
    'in %s keeps the names of functions, for traps to tell',
    async ([lang, end, first, trap, told], context) => {
      if (lang === 'c' && !hasClang()) context.skip('clang is missing');
      const name = `named-${lang}`;
      await run('new', name, '--lang', lang);
      const source = join(directory, name, 'source', `program.${end}`);
      const text = readFileSync(source, 'utf8');
      const body = `if (length > 20) ${trap}`;
      const fails =
        lang === 'as'
          ? `function fails(length: u32): void { ${body} }`
          : `static __attribute__((noinline)) void fails(u32 length) { ${body} }`;
      const lines = text.split('\n');
      lines.splice(
        lines.findIndex((line) => first.test(line)),
        0,
        fails,
      );
      const calls = lines
        .join('\n')
        .replace('let sum: u64 = 0;', 'fails(length); let sum: u64 = 0;')
        .replace('Value value = {0, 0};', 'Value value = {0, 0}; fails(item_length);');
      expect(calls).toMatch(/fails\((item_)?length\);/);
      writeFileSync(source, calls);
      expect((await run('build', name)).exitCode).toBe(0);
      const { out } = await run('test', name, '--seed', '1');
      expect(out).toMatch(/^ok {4}few: /m);
      expect(out).toMatch(
        new RegExp(`^FAIL {2}thousand: item 0 failed: trap .* in ${told}\\b`, 'm'),
      );
      // Names only: nothing of this machine.
      expect(readFileSync(join(directory, name, `${name}.wasm`), 'latin1')).not.toContain(
        directory,
      );
    },
  );

  test('in C, a stack that is full traps, and runs into no data', async (context) => {
    if (!hasClang()) context.skip('clang is missing');
    await run('new', 'stack', '--lang', 'c');
    const source = join(directory, 'stack', 'source', 'program.c');
    const text = readFileSync(source, 'utf8');
    const stack = (bytes: number): string =>
      text.replace('Value value = {0, 0};', 'Value value = {0, 0}; full(item);').replace(
        /^static u64/m,
        `static __attribute__((noinline)) void full(const u8 *item) {
             volatile u8 local[${bytes}];
             for (u32 at = 0; at < ${bytes}; at++) local[at] = *item;
           }\nstatic u64`,
      );
    for (const [bytes, line] of [
      [60_000, /^ok {4}few: /m],
      [66_000, /^FAIL {2}few: item 0 failed: trap .*out of bounds in full/m],
    ] as const) {
      writeFileSync(source, stack(bytes));
      expect((await run('build', 'stack')).err).not.toContain('error');
      expect((await run('test', 'stack')).out).toMatch(line);
    }
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
    expect((await run('build', 'nonee')).err).toContain('it is not there; did you mean none?');
    expect((await run('build', 'none/program.json')).err).toContain('name that folder');
    project('sourceless', null, {});
    expect((await run('build', 'sourceless')).err).toContain('source/ has to hold program.ts');
  });
});
