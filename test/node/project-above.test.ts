// Goal: whoever names a source where a program should stand is told which folder to name instead.
// Method: folders on disk, through the commands and the loader; modules and strangers beside them.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { programBuild } from '../../node/cli/commands/program-build.ts';
import { programCheck } from '../../node/cli/commands/program-check.ts';
import { loadProgram } from '../../node/client/program.ts';
import { projectAbove } from '../../node/kit/project-above.ts';
import { program } from '../fixtures/programs/assemble.ts';
import { runWords } from '../support/command-line.ts';

const directory = mkdtempSync(join(tmpdir(), 'anwansi-above-'));
afterAll(() => rmSync(directory, { recursive: true }));
const project = join(directory, 'mine');
mkdirSync(join(project, 'source', 'deep'), { recursive: true });
mkdirSync(join(directory, 'plain'));
const put = (name: string, content: string | Uint8Array) =>
  writeFileSync(join(directory, name), content);
put('mine/program.json', '{}');
put('mine/source/program.ts', 'export function anw_abi_v1(): void {}\n');
put('mine/source/deep/sum.c', 'int x;\n');
put('mine/notes', 'a text\n');
put('mine/spoiled.wasm', 'no module');
put('mine/module', program({}));
put('plain/program.ts', 'export {};\n');

test.each([
  ['mine/source/program.ts', 'source file'],
  ['mine/source/deep/sum.c', 'source file'],
  ['mine/source', 'folder'],
  ['mine/source/deep', 'folder'],
  ['mine/notes', 'file'],
])('%s is a %s of its project, whichever command is asked', async (name, what) => {
  const says = `this is a ${what} of the project ${project}: name that folder`;
  const check = await runWords([programCheck], ['program', 'check', name], { directory });
  expect([check.exitCode, check.err]).toEqual([2, expect.stringContaining(says)]);
  expect(check.err).toContain('PROGRAM_IS_SOURCE');
  const build = await runWords([programBuild], ['program', 'build', name], { directory });
  expect([build.exitCode, build.err]).toEqual([2, expect.stringContaining(says)]);
});

test('a module in a project is a program, and a stranger is told as before', async () => {
  const resolved = (path: string): string => join(directory, path);
  expect((await loadProgram('mine/module', resolved)).name).toBe('module');
  for (const [name, code] of [
    ['mine/spoiled.wasm', 'PROGRAM_REJECTED'],
    ['plain/program.ts', 'PROGRAM_REJECTED'],
    ['plain', 'PROGRAM_NOT_FOUND'],
    ['mine/source/none.ts', 'PROGRAM_NOT_FOUND'],
  ] as const)
    await expect(loadProgram(name, resolved), name).rejects.toMatchObject({ code });
});

test('the nearest project counts; there is none above nothing', async () => {
  put('program.json', '{}');
  try {
    expect(await projectAbove(join(project, 'source'))).toEqual({ project, what: 'folder' });
    expect(await projectAbove(project)).toEqual({ project: directory, what: 'folder' });
    expect(await projectAbove(join(project, 'none'))).toBeNull();
  } finally {
    rmSync(join(directory, 'program.json'));
  }
  expect(await projectAbove(project)).toBeNull();
});
