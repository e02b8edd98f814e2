// Goal: the specification and the code name the same rules: each numbered line of a page of
// spec/protocol/ is marked somewhere in protocol/, and each mark has its line.
// Method: compare the two sets; made-up pages and sources show that each difference is told.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The letter of each page's lines. */
const letters: Readonly<Record<string, string>> = {
  codec: 'E',
  crypto: 'K',
  merkle: 'M',
  sampling: 'S',
  algebra: 'N',
  execution: 'X',
  job: 'J',
  consensus: 'C',
  aggregation: 'A',
  ledger: 'L',
  receipt: 'V',
  replica: 'R',
  network: 'W',
  storage: 'B',
  sync: 'Y',
  laws: 'T',
};

type Texts = ReadonlyMap<string, string>;

/** What is wrong between pages (by name, such as `codec`) and sources (by path). */
function differences(pages: Texts, code: Texts): string[] {
  const faults: string[] = [];
  const defined = new Map<string, string>();
  for (const [page, text] of pages) {
    if (!(page in letters)) faults.push(`page ${page} has no letter`);
    for (const [, line = ''] of text.matchAll(/^- \*\*([A-Z]\d+)\*\*/gm)) {
      if (line[0] !== letters[page]) faults.push(`${page} defines ${line}, a line of another page`);
      if (defined.has(line)) faults.push(`${line} is defined twice`);
      defined.set(line, page);
    }
    for (const heading of ['Deviations', 'Assumptions'])
      if (!new RegExp(`^## ${heading}$`, 'm').test(text)) faults.push(`${page} lacks ${heading}`);
  }
  const marked = new Set<string>();
  for (const [path, text] of code) {
    for (const line of new Set(marksIn(text))) {
      marked.add(line);
      if (!defined.has(line)) faults.push(`${path} marks ${line}, which no page defines`);
    }
  }
  for (const [line, page] of defined)
    if (!marked.has(line)) faults.push(`${page} defines ${line}, which nothing marks`);
  return faults;
}

/** Names of lines in a source: in `mark('X1')`, or handed to what marks them. */
function marksIn(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*/g, '');
  return [...code.matchAll(/'([A-Z]\d+)'/g)].map(([, line]) => line!);
}

function read(directory: string, name: RegExp): Map<string, string> {
  const found = new Map<string, string>();
  if (!existsSync(join(root, directory))) return found;
  for (const path of readdirSync(join(root, directory), { recursive: true, encoding: 'utf8' }))
    if (name.test(path)) found.set(path, readFileSync(join(root, directory, path), 'utf8'));
  return found;
}

const pages = new Map(
  [...read('spec/protocol', /^[a-z]+\.md$/)].map(([path, text]) => [path.slice(0, -3), text]),
);

test('every line of the specification is marked in the code, and every mark has its line', () => {
  expect(pages.size).toBeGreaterThan(0);
  const code = new Map([...read('protocol', /\.ts$/), ...read('node', /\.ts$/)]);
  expect(differences(pages, code)).toEqual([]);
});

test('every room with marks has a page with their letter', () => {
  const rooms = new Set<string>();
  for (const [path, text] of read('protocol', /\/.*\.ts$/))
    if (/\bmark\('/.test(text)) rooms.add(path.split('/')[0]!);
  expect([...rooms].filter((room) => !pages.has(room))).toEqual([]);
});

test('each difference is told', () => {
  const end = '\n## Deviations\n\nNone.\n\n## Assumptions\n\nNone.\n';
  const page = (text: string) => new Map([['codec', `${text}${end}`]]);
  const code = (text: string) => new Map([['codec/codec.ts', text]]);
  const both = '- **E1** Short.\n- **E2** Long.\n';
  expect(differences(page(both), code("mark('E1'); refuse('E2');"))).toEqual([]);
  expect(differences(page(both), code("mark('E1'); // mark('E2')"))).toEqual([
    'codec defines E2, which nothing marks',
  ]);
  expect(differences(page('- **E1** Short.\n'), code("mark('E1'); mark('E9');"))).toEqual([
    'codec/codec.ts marks E9, which no page defines',
  ]);
  expect(differences(page('- **E1** A.\n- **E1** B.\n'), code("mark('E1')"))).toEqual([
    'E1 is defined twice',
  ]);
  expect(differences(page('- **K1** A.\n'), code("mark('K1')"))).toEqual([
    'codec defines K1, a line of another page',
  ]);
  expect(differences(new Map([['codec', '- **E1** A.\n']]), code("mark('E1')"))).toEqual([
    'codec lacks Deviations',
    'codec lacks Assumptions',
  ]);
  expect(differences(new Map([['poetry', end]]), new Map())).toEqual(['page poetry has no letter']);
});
