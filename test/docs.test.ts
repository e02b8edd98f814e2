// Goal: pages that follow from the code are what the code says.
// Method: make each page anew and compare; `UPDATE_DOCS=1 npm test` writes it.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { codeCatalogue } from '../node/cli/codes.ts';
import { exitCodeMeanings } from '../node/cli/error.ts';

const root = new URL('..', import.meta.url).pathname;

function files(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${folder}/${name}`)
    .sort((a, b) => compare(dirname(a), dirname(b)) || compare(a, b));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function sentence(file: string): string {
  const text = readFileSync(join(root, file), 'utf8');
  const comment = /\/\*\*\s*\n?\s*\*?\s*([^\n]*?)\s*(\*\/|\n)/.exec(text);
  return comment?.[1] ?? '';
}

function architecture(): string {
  const lines = [
    '# Architecture',
    '',
    'Made from the first sentence of each file. A file of `protocol/` imports its own room or a lower one; `test/tidy.test.ts` holds the rule. `protocol/` is pure: it runs in the node, in the simulator and in a web page.',
    '',
  ];
  for (const folder of ['protocol', 'node', 'contracts-sim']) {
    let room = '';
    lines.push(`## ${folder}`, '');
    for (const file of files(folder)) {
      const parts = file.split('/');
      const here = parts.slice(1, -1).join('/');
      if (here !== room) lines.push('', `### ${folder}/${here}`, '');
      room = here;
      lines.push(`- \`${parts.at(-1)}\` ${sentence(file)}`);
    }
    lines.push('');
  }
  return `${lines
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trimEnd()}\n`;
}

function codes(): string {
  const lines = [
    '# Codes',
    '',
    'Every code that a message, a document or a receipt can show. `anwansi explain CODE` says the same.',
    '',
    '| code | meaning | cause | what to do | exit |',
    '|---|---|---|---|---|',
    ...codeCatalogue.map(
      ({ code, meaning, cause, remedy, exitCode }) =>
        `| \`${code}\` | ${meaning} | ${cause} | ${remedy} | ${exitCode ?? ''} |`,
    ),
    '',
    '## Exit codes',
    '',
    '| exit | meaning |',
    '|---|---|',
    ...exitCodeMeanings.map(([exit, meaning]) => `| ${exit} | ${meaning} |`),
  ];
  return `${lines.join('\n')}\n`;
}

describe('generated pages', () => {
  test.each([
    ['docs/architecture.md', architecture],
    ['docs/reference/codes.md', codes],
  ])('%s', (page, make) => {
    const path = join(root, page);
    const made = make();
    if (process.env.UPDATE_DOCS === '1') writeFileSync(path, made);
    expect(readFileSync(path, 'utf8'), 'run UPDATE_DOCS=1 npm test').toBe(made);
  });

  test('every file has its sentence', () => {
    for (const folder of ['protocol', 'node', 'contracts-sim'])
      for (const file of files(folder)) expect(sentence(file), file).not.toBe('');
  });
});
