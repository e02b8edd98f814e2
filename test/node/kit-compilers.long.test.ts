// Goal: the compiler of C is the one that an author has: by CC, by PATH, else the system's; what
// was used is told, and what is missing is named, with how to get it.
// Method: folders of made-up tools, and a real build by a compiler that lies elsewhere.
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { programBuild } from '../../node/cli/commands/program-build.ts';
import { programNew } from '../../node/cli/commands/program-new.ts';
import { buildProgram, hasClang } from '../../node/kit/build.ts';
import { findToolsOfC, systemFolder } from '../../node/kit/compilers.ts';
import { openProject } from '../../node/kit/project.ts';
import { buildProgram as buildExample, programPath } from '../../programs/build.ts';
import { runWords } from '../support/command-line.ts';

const directory = mkdtempSync(join(tmpdir(), 'anwansi-kit-compilers-'));
afterAll(() => rmSync(directory, { recursive: true }));

/** A folder of such tools; those that end in `-` may not be executed. */
function folderOf(name: string, tools: readonly string[], text = '#!/bin/sh\nexit 1\n'): string {
  const folder = join(directory, name);
  mkdirSync(folder);
  for (const tool of tools) {
    const file = join(folder, tool.replace(/-$/, ''));
    writeFileSync(file, text);
    chmodSync(file, tool.endsWith('-') ? 0o644 : 0o755);
  }
  return folder;
}

describe('the tools of C', () => {
  const both = folderOf('both', ['clang', 'wasm-ld']);
  const other = folderOf('other', ['clang', 'clang-16', 'wasm-ld', 'gcc']);
  const bare = folderOf('bare', ['clang']);
  const linker = folderOf('linker', ['wasm-ld']);
  const dead = folderOf('dead', ['clang-', 'wasm-ld-']);
  const none = folderOf('none', []);
  mkdirSync(join(none, 'clang'));
  const tools = (clang: string, folder: string, name = 'clang') => ({
    clang: join(clang, name),
    linker: join(folder, 'wasm-ld'),
  });

  test.each([
    ['the folder, without PATH', {}, both, tools(both, both)],
    ['the first of PATH', { PATH: `${other}:${both}` }, none, tools(other, other)],
    [
      'neither folders nor what may not be executed',
      { PATH: `${none}:${dead}` },
      both,
      tools(both, both),
    ],
    ['no folder that depends on where one stands', { PATH: ':.:bare' }, both, tools(both, both)],
    ['a linker that lies elsewhere', { PATH: `${bare}:${linker}` }, both, tools(bare, linker)],
    [
      'the linker beside the compiler first',
      { PATH: `${linker}:${both}` },
      none,
      tools(both, both),
    ],
    [
      'CC as a path',
      { CC: join(other, 'clang-16'), PATH: both },
      none,
      tools(other, other, 'clang-16'),
    ],
    [
      'CC as a name',
      { CC: 'clang-16', PATH: `${both}:${other}` },
      none,
      tools(other, other, 'clang-16'),
    ],
    ['no CC that is no clang', { CC: join(other, 'gcc'), PATH: both }, none, tools(both, both)],
  ] as const)('are %s', (_, environment, folder, expected) => {
    expect(findToolsOfC(environment, folder)).toEqual(expected);
  });

  test('that are missing are named, each with its package, and only those', () => {
    const said = (folder: string, environment = {}): string => {
      try {
        return JSON.stringify(findToolsOfC(environment, folder));
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(said(none)).toMatch(
      /^\S*\/clang \(the compiler of C\) and \S*\/wasm-ld \(the linker.* is not there: install clang and lld /,
    );
    expect(said(bare)).toMatch(
      /^\S*\/wasm-ld \(the linker that clang calls\) is not there: install lld /,
    );
    expect(said(bare)).not.toContain('bare/clang');
    expect(said(linker)).toMatch(/^\S*\/clang \(the compiler of C\) is not there: install clang /);
    expect(said(linker)).not.toContain('wasm-ld');
    expect(said(both, { CC: '/nowhere/clang-16' })).toMatch(
      /^CC=\/nowhere\/clang-16 \(the compiler of C\) is not there: /,
    );
    // The folder in which the compiler runs is another one.
    const nearby = relative(process.cwd(), join(both, 'clang'));
    expect(said(both, { CC: nearby })).toContain(`CC=${nearby} (the compiler of C) is not there`);
    expect(said(both)).toContain(join(both, 'clang'));
  });
});

describe('a build', () => {
  const run = (environment: Record<string, string>, ...words: string[]) =>
    runWords([programNew, programBuild], ['program', ...words], { directory, environment });

  test('in C takes the compiler of PATH, and says which, if asked', async (context) => {
    if (!hasClang()) context.skip('clang is missing');
    const log = join(directory, 'log');
    const own = folderOf(
      'own',
      ['clang'],
      `#!/bin/sh\necho "$@" >>'${log}'\nexec /usr/bin/clang "$@"\n`,
    );
    const far = folderOf('far', ['wasm-ld'], '#!/bin/sh\nexec /usr/bin/wasm-ld "$@"\n');
    expect((await run({}, 'new', 'mine', '--lang', 'c')).exitCode).toBe(0);
    const module = join(directory, 'mine', 'mine.wasm');
    const plain = await run({}, 'build', 'mine', '-v');
    expect(plain.err).toMatch(
      /^compiled by \/usr\/bin\/clang \(.*version.*\), linked by \S*wasm-ld$/m,
    );
    const bytes = readFileSync(module);
    const found = await run({ PATH: `${own}:${far}` }, 'build', 'mine', '-v');
    expect(found.exitCode, found.err).toBe(0);
    expect(found.err).toContain(`compiled by ${own}/clang (`);
    expect(found.err).toContain(`linked by ${far}/wasm-ld\n`);
    expect(readFileSync(log, 'utf8')).toContain(`-fuse-ld=${far}/wasm-ld`);
    expect(readFileSync(module).equals(bytes)).toBe(true);
    expect((await run({ PATH: own }, 'build', 'mine')).err).not.toContain('compiled by');
    // The examples are built by the system's alone.
    rmSync(log);
    const { recipe } = await openProject(join(directory, 'mine'));
    const { isOwn, ...example } = recipe;
    expect(isOwn).toBe(true);
    const tools: string[] = [];
    const options = { environment: { PATH: own }, tell: (line: string) => tools.push(line) };
    await buildProgram(example, options);
    expect(tools).toEqual([expect.stringContaining(`compiled by ${systemFolder}/clang `)]);
    const nqueens = await buildExample('nqueens');
    expect(Buffer.compare(nqueens, readFileSync(programPath('nqueens')))).toBe(0);
  });

  test('in C without its compiler says so, with 2 and no stack', async () => {
    await run({}, 'new', 'toolless', '--lang', 'c');
    const { exitCode, err } = await run({ CC: '/nowhere/clang' }, 'build', 'toolless');
    expect(exitCode).toBe(2);
    expect(err).toMatch(/error PROGRAM_TOOL_MISSING CC=\/nowhere\/clang \(the compiler of C\)/);
  });

  test('in AssemblyScript says which compiler it takes', async () => {
    await run({}, 'new', 'other-one');
    const { err } = await run({}, 'build', 'other-one', '-v');
    expect(err).toMatch(/^compiled by \S+asc\.js \(AssemblyScript \d+\.\d+\.\d+\)$/m);
  });
});
