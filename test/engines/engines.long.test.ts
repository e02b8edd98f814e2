// Goal: engines agree at length: all cases on all of them, and a million mutants.
// Method: the command that a person runs, in a process of its own.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

test('npm run test:engines passes with 10^6 mutants', () => {
  const cwd = fileURLToPath(new URL('../..', import.meta.url));
  const words = ['run', '-s', 'test:engines', '--', '--fuzz', '1000000'];
  const { stdout, status } = spawnSync('npm', words, { cwd, encoding: 'utf8', maxBuffer: 2 ** 26 });
  expect(stdout).toMatch(/\n[1-9]\d* passed, 0 failed\n$/);
  expect(stdout).toContain('1000000 mutants');
  expect(status).toBe(0);
});
