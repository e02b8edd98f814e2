// Goal: a program is found by name, folder or path, alike for every command; a name that could be
// two programs is refused, and one that is none is answered with the one that was meant.
// Method: real files in a folder of our own; the words of the error against what is there.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { programBench } from '../../node/cli/commands/program-bench.ts';
import { programCheck } from '../../node/cli/commands/program-check.ts';
import { quote } from '../../node/cli/commands/quote.ts';
import { loadProgram } from '../../node/client/program.ts';
import { bundledProgram, programFile } from '../../node/client/program-file.ts';
import { runWords } from '../support/command-line.ts';

const directory = mkdtempSync(join(tmpdir(), 'anwansi-program-file-'));
afterAll(() => rmSync(directory, { recursive: true }));
const resolvePath = (path: string): string => resolve(directory, path);
const find = (program: string): Promise<string> => programFile(program, resolvePath);
const path = (...parts: string[]): string => join(directory, ...parts);

/** The folder of a program of that name, with a module unless it is not built. */
function folder(at: string, name: string, isBuilt = true): void {
  mkdirSync(path(at, 'source'), { recursive: true });
  const manifest = { name, version: '1', language: 'as', cut: { kind: 'lines' } };
  writeFileSync(path(at, 'program.json'), JSON.stringify(manifest));
  if (isBuilt) copyFileSync(bundledProgram('wordcount'), path(at, `${name}.wasm`));
}

beforeAll(() => {
  folder('longest', 'longest');
  folder('deep/inner', 'words');
  folder('unbuilt', 'unbuilt', false);
  folder('primes', 'primes');
  folder('old', 'old');
  const past = new Date(Date.now() - 60_000);
  utimesSync(path('old', 'old.wasm'), past, past);
  mkdirSync(path('bare'));
  copyFileSync(bundledProgram('wordcount'), path('counted.wasm'));
  writeFileSync(path('broken'), '');
  writeFileSync(path('text'), 'one two two\n');
});

describe('a program', () => {
  test.each([
    ['nqueens', bundledProgram('nqueens')],
    ['./primes', path('primes', 'primes.wasm')],
    ['longest', path('longest', 'longest.wasm')],
    ['longest/', path('longest', 'longest.wasm')],
    ['deep/inner', path('deep', 'inner', 'words.wasm')],
    ['counted.wasm', path('counted.wasm')],
    [path('counted.wasm'), path('counted.wasm')],
    [bundledProgram('primes'), bundledProgram('primes')],
    ['old/old.wasm', path('old', 'old.wasm')],
  ])('%s is where it is', async (program, file) => {
    expect(await find(program)).toBe(file);
  });

  test('of a folder has the name that the folder gives it, wherever one stands', async () => {
    expect((await loadProgram('deep/inner', resolvePath)).name).toBe('words');
    const inside = (given: string): string => resolve(path('deep', 'inner'), given);
    expect((await loadProgram('.', inside)).name).toBe('words');
  });

  test.each([
    ['unbuilt', 'PROGRAM_NOT_BUILT', /unbuilt\.wasm is not there/],
    ['old', 'PROGRAM_STALE', /program\.json was written after it/],
    ['primes', 'PROGRAM_AMBIGUOUS', /expected \.\/primes for the folder, or .*primes\.wasm/],
    ['bare', 'PROGRAM_NOT_FOUND', /bare: it is a folder without program\.json/],
    ['broken/x', 'PROGRAM_NOT_FOUND', /there is no program broken\/x: expected a name/],
  ])('%s is refused: %s', async (program, code, says) => {
    await expect(find(program)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(says),
    });
  });
});

describe('what was meant', () => {
  test.each([
    ['wordcuont', 'wordcount'],
    ['nqueen', 'nqueens'],
    ['Mean', 'mean'],
    ['counted', 'counted.wasm'],
    ['./countd.wasm', './counted.wasm'],
    ['longst', 'longest'],
    ['longest/longest', 'longest/longest.wasm'],
    ['longest/logest.wasm', 'longest/longest.wasm'],
    ['deep/iner/', 'deep/inner'],
  ])('by %s is %s', async (program, meant) => {
    await expect(find(program)).rejects.toMatchObject({
      code: 'PROGRAM_NOT_FOUND',
      message: expect.stringMatching(/; did you mean ([^?]+)\?$/),
      detail: { meant },
    });
    // What is offered is there.
    expect(await find(meant)).toMatch(/\.wasm$/);
  });

  test.each(['nothing-like-it', './nowhere/wordcuont', 'wordcount.txt.gz'])(
    'by %s is nothing that is here',
    async (program) => {
      await expect(find(program)).rejects.toMatchObject({ detail: { meant: null } });
    },
  );
});

describe('every command that takes a program', () => {
  const commands = [programCheck, programBench, quote];
  test.each([['program check'], ['program bench'], ['quote']])(
    '%s takes a folder',
    async (name) => {
      const run = (...rest: string[]) =>
        runWords(commands, [...name.split(' '), ...rest, '--json'], { directory });
      const few = name === 'program check' ? ['--runs', '10'] : [];
      const ended = await run('longest', '--input', 'text', ...few);
      expect(ended.exitCode, ended.err).toBe(0);
      for (const [program, code] of [
        ['unbuilt', 'PROGRAM_NOT_BUILT'],
        ['primes', 'PROGRAM_AMBIGUOUS'],
        ['longst', 'PROGRAM_NOT_FOUND'],
      ] as const)
        expect((await run(program, '--input', 'text')).document.errors).toMatchObject([{ code }]);
    },
  );
});
