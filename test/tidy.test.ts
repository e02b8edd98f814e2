// Goal: the shape of the tree is a test, not a habit; each ban names what to use in its place.
// Method: read every source as text, once; each rule has a twin that must fail on made-up lines.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path/posix';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Rooms of protocol/, low to high: a file imports its own room or a lower row, nothing else. */
const rows = [
  ['assert', 'brand'],
  ['errors'],
  ['ratio'],
  ['params'],
  ['codec'],
  ['crypto'],
  ['merkle'],
  ['algebra', 'sampling'],
  ['execution'],
  ['job'],
  ['consensus', 'aggregation'],
  ['ledger'],
  ['receipt'],
  ['replica'],
  ['index', 'verify'],
];

/** External packages that a room of protocol/ may import; the other rooms import none. */
const roomPackages: Readonly<Record<string, RegExp>> = {
  codec: /^(@ipld\/dag-cbor|multiformats)(\/|$)/,
  crypto: /^@noble\//,
};

/** Packages that only one place of node/ knows. */
const packagePlaces: readonly (readonly [packages: RegExp, place: string])[] = [
  [/^(libp2p|@libp2p\/.*|@chainsafe\/.*|@multiformats\/.*)$/, 'node/network/'],
  [/^classic-level$/, 'node/storage/'],
  [/^commander$/, 'node/cli/'],
  [/^merkletreejs$/, 'node/prover.ts'],
  [/^(hono|@hono\/.*|prom-client)$|^hono\//, 'node/api/'],
  [/^eventsource-parser/, 'node/client/'],
  [/^(smol-toml|env-paths|pino)$/, 'node/operator/'],
];

/** What contracts-sim/ may import besides its own files. */
const contractsImports = /^protocol\/(ledger\/contracts|errors|ratio|brand)\.ts$/;

/** Words that protocol/ does without, and what takes their place. */
const bans: readonly (readonly [word: RegExp, instead: string])[] = [
  [/\b(async|await|Promise)\b/, 'an effect, and an input with its answer'],
  [/\b(Date|performance)\b/, 'a time that comes in an input'],
  [/\bMath\.(?!(?:floor|min|max|abs)\b)\w+/, 'integers; randomness comes from crypto/stream.ts'],
  [/\b(setTimeout|setInterval|setImmediate|queueMicrotask)\b/, 'an effect that asks to be woken'],
  [/\bconsole\b/, 'a value that says it; the node logs'],
  [/\b(process|globalThis|require|fetch)\b/, 'an input'],
  [/\bBuffer\b/, 'Uint8Array'],
  [/\b(localeCompare|toLocale\w+|Intl)\b/, 'compareBytes or <'],
  [/(?<![\w.])\d[\d_]*\.\d|(?<![\w.])\d[\d_]*[eE]-?\d|\bparseFloat\b|\btoFixed\b/, 'Ratio, bigint'],
];

/** Words that say nothing, in names of files and of what is exported. */
const emptyWords = /^(manager|util|helper|service|agent|hub|utility|utilitie)s?$/i;

/** Files that nothing but tests and simulations runs, each for a reason. */
const testOnly: Readonly<Record<string, string>> = {
  'node/storage/memory.ts': 'a store whose disk fails when a test says so',
  'node/storage/memory-blobs.ts': 'blobs without a disk',
  'node/network/memory.ts': 'a network inside one process',
};

const lineCountMax = 400;
const doorLengthMax = 90;

/** Source and specifier of each import, export from, dynamic import and `new URL('./…')`. */
function importsOf(text: string): string[] {
  const code = text.replace(comments, '');
  const found = code.matchAll(/(?:\bfrom\s+|\bimport\s+|\bimport\(\s*|\bnew URL\(\s*)'([^'\n]+)'/g);
  return [...found].map(([, specifier]) => specifier!);
}

const comments = /\/\*[\s\S]*?\*\/|(?<=^|[\s;{}(,])\/\/[^\n]*/g;

/** The code without comments and texts; of a template, what stands in its holes. */
function codeOf(text: string): string {
  return text.replace(
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g,
    (piece) => {
      if (piece.startsWith('/')) return '';
      const holes = piece.startsWith('`') ? piece.matchAll(/\$\{([^}]*)\}/g) : [];
      return ` ${[...holes].map(([, hole]) => hole).join(' ')} `;
    },
  );
}

/** `codec` of `protocol/codec/codec.ts`, `assert` of `protocol/assert.ts`. */
function roomOf(path: string): string {
  return path.split(/[/.]/)[1] ?? '';
}

function rowOf(path: string): number {
  return rows.findIndex((rooms) => rooms.includes(roomOf(path)));
}

type Rule = (path: string, text: string) => readonly string[];

const rules = {
  'imports point down': (path, text) =>
    importsOf(text).flatMap((specifier) => {
      if (!specifier.startsWith('.')) return [];
      const target = normalize(join(dirname(path), specifier));
      const fault = `imports ${target}`;
      if (path.startsWith('protocol/')) {
        if (rowOf(path) < 0) return [`${roomOf(path)} is no room of protocol/`];
        const own = roomOf(target) === roomOf(path) && target.startsWith('protocol/');
        const lower = target.startsWith('protocol/') && rowOf(target) >= 0;
        return own || (lower && rowOf(target) < rowOf(path)) ? [] : [fault];
      }
      if (path.startsWith('contracts-sim/'))
        return target.startsWith('contracts-sim/') || contractsImports.test(target) ? [] : [fault];
      return path.startsWith('node/') && /^(test|bench)\//.test(target) ? [fault] : [];
    }),
  'packages stay in their places': (path, text) =>
    importsOf(text).flatMap((specifier) => {
      if (specifier.startsWith('.')) return [];
      const fault = `imports ${specifier}`;
      if (path.startsWith('protocol/'))
        return roomPackages[roomOf(path)]?.test(specifier) ? [] : [fault];
      if (path.startsWith('contracts-sim/')) return [fault];
      if (!path.startsWith('node/')) return [];
      const place = packagePlaces.find(([packages]) => packages.test(specifier))?.[1];
      return place === undefined || path.startsWith(place) ? [] : [`${fault}: only ${place} does`];
    }),
  'protocol/ is pure, synchronous and whole-numbered': (path, text) => {
    if (!path.startsWith('protocol/')) return [];
    const code = codeOf(text);
    return bans.flatMap(([word, instead]) => {
      const found = word.exec(code);
      return found === null ? [] : [`${found[0].trim()}: use ${instead}`];
    });
  },
  'nothing is exported by default': (_path, text) =>
    /^export (default\b|\{[^}]*\bas default\b)/m.test(text) ? ['exports by default'] : [],
  'a file has at most 400 lines': (_path, text) => {
    const count = text.trimEnd().split('\n').length;
    return count > lineCountMax ? [`has ${count} lines: find its joint`] : [];
  },
  'a sentence stands over the door': (path, text) => {
    if (!/^(protocol|node|contracts-sim)\//.test(path)) return [];
    const door = /^(?:#![^\n]*\n)?\/\*\*\s(?:\s*\*\s)?([^\n]*)/.exec(text)?.[1];
    const sentence = door?.replace(/ \*\/$/, '') ?? '';
    if (!/^[A-Z].*\.$/.test(sentence)) return ['does not begin with a sentence on one line'];
    const { length } = sentence;
    return length > doorLengthMax ? [`begins with a sentence of ${length} characters`] : [];
  },
  'a test file says its goal and its method': (path, text) => {
    if (!/^test\/.*\.test\.ts$/.test(path)) return [];
    const head = text.split('\n').findIndex((line) => !line.startsWith('//'));
    const said = text.split('\n').slice(0, Math.max(head, 0));
    return ['Goal', 'Method'].filter(
      (word) => !said.some((line) => line.startsWith(`// ${word}: `)),
    );
  },
  'names say something': (path, text) => {
    const exported = codeOf(text).matchAll(
      /^export (?:abstract )?(?:async )?(?:const|let|function\*?|type|class|interface) (\w+)/gm,
    );
    const names = [path, ...[...exported].map(([, name]) => name!)];
    return names.filter((name) =>
      name.split(/[^a-zA-Z]+|(?<=[a-z])(?=[A-Z])/).some((word) => emptyWords.test(word)),
    );
  },
  'no test is passed over without a reason beside it': (path, text) => {
    if (!path.startsWith('test/')) return [];
    const lines = text.split('\n');
    return lines.flatMap((line, index) => {
      const found = /\b(?:test|it|describe)(?:\.\w+)*\.(only|skip|skipIf|runIf|todo|fails)\b/.exec(
        line.replace(/'[^']*'/g, ''),
      );
      if (found === null) return [];
      const reason = [line, lines[index - 1] ?? ''].some((one) => /\/\/ \w/.test(one));
      return found[1] === 'only' || !reason ? [`line ${index + 1}: ${found[0]}`] : [];
    });
  },
  'nothing is left for later, and no machine is named': (_path, text) => {
    const found = /\b(TO[D]O|FIX[M]E|X[X]X|HA[C]K)\b|(?<![\w.])\/work\/\w|\/tmp\/bri[e]f/.exec(
      text,
    );
    return found === null ? [] : [found[0]];
  },
} satisfies Record<string, Rule>;

/** Paths of the sources under the root, with slashes. */
function sources(): string[] {
  return ['protocol', 'node', 'contracts-sim', 'test', 'bench', 'programs']
    .filter((room) => existsSync(join(root, room)))
    .flatMap((room) =>
      readdirSync(join(root, room), { recursive: true, encoding: 'utf8' }).map((name) =>
        join(room, name.replaceAll('\\', '/')),
      ),
    )
    .filter((path) => /\.m?[tj]s$/.test(path) && !/^programs\/[^/]+\/source\//.test(path));
}

const texts = new Map(sources().map((path) => [path, readFileSync(join(root, path), 'utf8')]));

test.each(Object.entries<Rule>(rules))('%s', (_name, rule) => {
  const faults = [...texts].flatMap(([path, text]) =>
    rule(path, text).map((fault) => `${path}: ${fault}`),
  );
  expect(faults).toEqual([]);
});

/** Files that cannot be reached from an entry point by imports. */
function unreached(files: ReadonlyMap<string, string>, entries: readonly string[]): string[] {
  const seen = new Set<string>();
  const open = entries.filter((path) => files.has(path));
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    for (const specifier of importsOf(files.get(path)!)) {
      const target = normalize(join(dirname(path), specifier));
      if (specifier.startsWith('.') && files.has(target)) open.push(target);
    }
  }
  return [...files.keys()].filter((path) => !seen.has(path));
}

test('no file is dead: each is reached from what people run', () => {
  const { bin, exports, scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const named = [...Object.values(bin), ...Object.values(exports), ...Object.values(scripts)];
  const entries = (named as string[]).flatMap((text) => text.match(/\w[\w/-]*\.m?[tj]s\b/g) ?? []);
  expect(entries).toEqual(expect.arrayContaining(['node/anwansi.mjs', 'protocol/verify.ts']));
  const dead = unreached(texts, [...entries, ...Object.keys(testOnly)]).filter((path) =>
    /^(protocol|node|contracts-sim)\//.test(path),
  );
  expect(dead, 'files that nothing reaches').toEqual([]);
  const tests = [...texts].filter(([path]) => path.startsWith('test/'));
  const tested = unreached(
    texts,
    tests.map(([path]) => path),
  );
  expect(Object.keys(testOnly).filter((path) => texts.has(path) && tested.includes(path))).toEqual(
    [],
  );
});

test('every page of docs and spec has one title, at its top', () => {
  const pages = ['docs', 'spec']
    .filter((room) => existsSync(join(root, room)))
    .flatMap((room) =>
      readdirSync(join(root, room), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.md'))
        .map((name) => join(room, name.replaceAll('\\', '/'))),
    );
  const faults = pages.filter((path) => !oneTitle(readFileSync(join(root, path), 'utf8')));
  expect(faults).toEqual([]);
});

function oneTitle(text: string): boolean {
  const prose = text.replace(/^```[\s\S]*?^```/gm, '').replace(/^---\n[\s\S]*?\n---\n/, '');
  return /^\s*# \S/.test(prose) && prose.match(/^# /gm)?.length === 1;
}

const door = '/** Say something. */\n';
const twins: readonly (readonly [keyof typeof rules, string, string, string])[] = [
  ['imports point down', 'protocol/codec/a.ts', "import { x } from '../merkle/list.ts';", 'merkle'],
  [
    'imports point down',
    'protocol/algebra/a.ts',
    "export * from '../sampling/plan.ts';",
    'plan.ts',
  ],
  ['imports point down', 'protocol/assert.ts', "import { x } from './brand.ts';", 'brand'],
  ['imports point down', 'protocol/job/a.ts', "import('../../node/ports.ts')", 'node/ports.ts'],
  ['imports point down', 'protocol/poetry/a.ts', "import '../assert.ts';", 'poetry is no room'],
  ['imports point down', 'contracts-sim/a.ts', "from '../protocol/ledger/state.ts'", 'state.ts'],
  ['imports point down', 'node/a.ts', "from '../test/support/lines.ts'", 'lines.ts'],
  ['packages stay in their places', 'protocol/codec/a.ts', "from '@noble/hashes'", '@noble/hashes'],
  ['packages stay in their places', 'protocol/job/a.ts', "from 'multiformats/cid'", 'multiformats'],
  ['packages stay in their places', 'protocol/crypto/a.ts', "from 'node:crypto'", 'node:crypto'],
  ['packages stay in their places', 'contracts-sim/a.ts', "from 'fast-check'", 'fast-check'],
  ['packages stay in their places', 'node/driver.ts', "from '@libp2p/tcp'", 'only node/network/'],
  ['packages stay in their places', 'node/api/a.ts', "from 'classic-level'", 'only node/storage/'],
  ['nothing is exported by default', 'node/a.ts', 'export default 1;', 'default'],
  ['nothing is exported by default', 'node/a.ts', 'export { a as default };', 'default'],
  ['a file has at most 400 lines', 'test/a.ts', 'x\n'.repeat(401), '401 lines'],
  ['a sentence stands over the door', 'node/a.ts', 'const a = 1;', 'does not begin'],
  ['a sentence stands over the door', 'node/a.ts', '/** say it. */', 'does not begin'],
  ['a sentence stands over the door', 'node/a.ts', '/** No end\n * of it. */', 'does not begin'],
  ['a sentence stands over the door', 'node/a.ts', `/** S${'a'.repeat(89)}. */`, '91 characters'],
  ['names say something', 'node/storage/store-utils.ts', '', 'store-utils'],
  ['a test file says its goal and its method', 'test/a.test.ts', '// Goal: x.\nimport 1', 'Method'],
  ['a test file says its goal and its method', 'test/a.test.ts', 'test()\n// Goal: x.', 'Goal'],
  ['names say something', 'node/a.ts', 'export class JobManager {}', 'JobManager'],
  ['names say something', 'node/a.ts', 'export const blobHelper = 1;', 'blobHelper'],
  ['no test is passed over without a reason beside it', 'test/a.ts', 'test.skip(x)', 'line 1'],
  [
    'no test is passed over without a reason beside it',
    'test/a.ts',
    '// why\ntest.only(x)',
    'line 2',
  ],
  [
    'no test is passed over without a reason beside it',
    'test/a.ts',
    'describe.skipIf(a)(b)',
    'skipIf',
  ],
  ['nothing is left for later, and no machine is named', 'node/a.ts', `// ${'TO'}DO: it`, 'TO'],
  ['nothing is left for later, and no machine is named', 'node/a.ts', `'/${'work'}/main'`, 'work'],
];

test.each(twins)('%s: %s with %j is told', (name, path, text, part) => {
  expect((rules[name] as Rule)(path, text).join('\n')).toContain(part);
});

test.each([
  'async function f() {}',
  'const t = Date.now();',
  'Math.random()',
  'Math.sqrt(2)',
  'setTimeout(f)',
  'console.log(1)',
  'process.env',
  'Buffer.from(a)',
  'a.localeCompare(b)',
  'const x = 0.5;',
  'const x = 1e-9;',
  `const t = \`$\{await f()}\`;`,
])('%s is told in protocol/, and nowhere else', (code) => {
  const rule: Rule = rules['protocol/ is pure, synchronous and whole-numbered'];
  expect(rule('protocol/job/a.ts', code)).toHaveLength(1);
  expect(rule('node/a.ts', code)).toEqual([]);
});

test('what is good passes every rule', () => {
  const good: Record<string, string> = {
    'protocol/merkle/a.ts': `${door}import { x } from '../crypto/hash.ts';\nimport { y } from './b.ts';\n`,
    'protocol/crypto/a.ts': `${door}import { sha256 } from '@noble/hashes/sha2.js';\n`,
    'protocol/job/a.ts': `/**\n * Say a thing.\n */\nexport const a = Math.floor(1 / 2); // await 0.5\n`,
    'protocol/job/b.ts': `${door}const s = 'a process, 1e-9' + \`Date \${a[0]}\`; const v = 2 ** 48;\n`,
    'contracts-sim/a.ts': `${door}import type { C } from '../protocol/ledger/contracts.ts';\n`,
    'node/network/a.ts': `${door}import { tcp } from '@libp2p/tcp';\n`,
    'node/cli/a.mjs': `#!/usr/bin/env node\n${door}export const useful = 1;\n`,
    'test/a.test.ts':
      "// Goal: a.\n// Method: b.\n\n// needs clang\ntest.skipIf(!clang)('x', f);\nexpect('test.skip').toBe(1);\n",
  };
  for (const [path, text] of Object.entries(good))
    for (const [name, rule] of Object.entries<Rule>(rules))
      expect(rule(path, text), `${name}: ${path}`).toEqual([]);
});

test('a file that nothing reaches is told, one that is reached by any way is not', () => {
  const files = new Map([
    ['node/main.ts', "import './a.ts'; const c = new URL('./child.ts', import.meta.url);"],
    ['node/a.ts', "export { b } from '../protocol/b.ts'; const l = () => import('./late.ts');"],
    ['node/child.ts', ''],
    ['node/late.ts', ''],
    ['protocol/b.ts', "// from './dead.ts'"],
    ['protocol/dead.ts', "import './b.ts';"],
  ]);
  expect(unreached(files, ['node/main.ts'])).toEqual(['protocol/dead.ts']);
  expect(oneTitle('# One\n\n```\n# a comment\n```\n')).toBe(true);
  expect(oneTitle('# One\n\n# Two\n')).toBe(false);
  expect(oneTitle('Text\n\n# One\n')).toBe(false);
});
