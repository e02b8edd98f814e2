// Goal: whoever types the commands of README.md and docs/programs.md in the clone, where they are
// meant, changes nothing that git would show.
// Method: every file or folder that a command of these pages writes, against .gitignore.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packageRoot } from './support/anwansi-process.ts';

const read = (file: string): string => readFileSync(join(packageRoot, file), 'utf8');
const ignored = read('.gitignore').split('\n');
const isIgnored = (name: string): boolean =>
  [`/${name}`, `/${name}/`, name.replace(/^.*(?=\.[^.]+$)/, '*')].some((line) =>
    ignored.includes(line),
  );

/** What the commands of a page write by name. */
function written(page: string): string[] {
  const blocks = page.matchAll(/^```sh\n([\s\S]*?)^```$/gm);
  const names = [...blocks].flatMap(([, text]) => [
    ...text!.matchAll(
      /(?:^[^#\n]*? > |--(?:out|outFile|receipt|report|data-dir|keep) )([\w./-]+)/gm,
    ),
  ]);
  return names.map(([, name]) => name!);
}

test.each([
  ['README.md', ['words.json', 'net']],
  ['docs/programs.md', ['pets.txt', 'readings.csv', 'ab.csv', 'lines.wasm']],
])('%s', (file, expected) => {
  const names = written(read(file));
  expect(names).toEqual(expect.arrayContaining(expected));
  expect(names.filter((name) => !isIgnored(name))).toEqual([]);
});

test('a file that nobody ignores is told', () => {
  const names = written(
    '```sh\nanwansi run a --out b.json --receipt c.receipt\ncat d > e.txt\n```\n',
  );
  expect(names).toEqual(['b.json', 'c.receipt', 'e.txt']);
  expect(names.filter((name) => !isIgnored(name))).toEqual(['b.json', 'e.txt']);
});
