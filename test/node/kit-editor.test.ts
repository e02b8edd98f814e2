// Goal: an editor finds AssemblyScript from the folder that `program new` writes, wherever it lies,
// and sees no fault in it.
// Method: the compiler of TypeScript, as editors run it, on projects in a folder that no
// node_modules lies above, and below one. Beside it, the settings that would not be found there.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { editorSettings } from '../../node/kit/compilers.ts';
import { beginProject } from '../../node/kit/project.ts';
import { packageRoot } from '../support/anwansi-process.ts';

const directory = mkdtempSync(join(tmpdir(), 'anwansi-kit-editor-'));
afterAll(() => rmSync(directory, { recursive: true }));
const template = join(packageRoot, 'programs', 'template-as', 'source', 'tsconfig.json');
const byPackage = 'assemblyscript/std/assembly.json';

/** What TypeScript says of a project; nothing if all is right. */
function seen(folder: string): string {
  const compiler = join(packageRoot, 'node_modules', '.bin', 'tsc');
  const settings = join(folder, 'source', 'tsconfig.json');
  // The library's own declarations are no author's matter.
  const words = ['--noEmit', '--skipLibCheck', '-p', settings];
  try {
    return execFileSync(compiler, words, { encoding: 'utf8', timeout: 60_000 });
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

test('outside of the clone: by the full path of the one that builds', async () => {
  const { folder } = await beginProject(join(directory, 'far'), 'as');
  const path = editorSettings(folder);
  expect(path).not.toBe(byPackage);
  const text = readFileSync(join(folder, 'source', 'tsconfig.json'), 'utf8');
  expect(text).toContain(JSON.stringify(path));
  expect(text).toMatch(/^\/\/ For editors only/);
  expect(seen(folder)).toBe('');
  cpSync(template, join(folder, 'source', 'tsconfig.json'));
  expect(seen(folder)).toContain(`'${byPackage}' not found`);
});

test('where a folder above has the package: by its name', async () => {
  const above = join(directory, 'near', 'node_modules');
  mkdirSync(above, { recursive: true });
  symlinkSync(join(packageRoot, 'node_modules', 'assemblyscript'), join(above, 'assemblyscript'));
  const { folder } = await beginProject(join(directory, 'near', 'mine'), 'as');
  expect(editorSettings(folder)).toBe(byPackage);
  const text = readFileSync(join(folder, 'source', 'tsconfig.json'), 'utf8');
  expect(text).toBe(readFileSync(template, 'utf8'));
  expect(seen(folder)).toBe('');
});
