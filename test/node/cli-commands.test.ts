// Goal: `quote` and `explain` say what is so, the catalogue knows every code of the sources, and
// the real process minds signals, closed pipes and an old Node.
// Method: the decided table of theory.md; a search through the sources; child processes.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { codeCatalogue } from '../../node/cli/codes.ts';
import { explain } from '../../node/cli/commands/explain.ts';
import { quote } from '../../node/cli/commands/quote.ts';
import { runWords } from '../support/command-line.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const run = (words: string[]) => runWords([quote, explain], words);

describe('quote', () => {
  test('shows the decided numbers, and never a bound of 0', async () => {
    const { document, out } = await run(['quote', '--json']);
    const rows = document.data.quotes as Record<string, unknown>[];
    // Seats; adversarial, executions, lanes: the table of theory.md for beta = 0.2, loss 1e-9.
    expect(
      rows.map((row) => [row.seats, row.adversarial_seats, row.executions_per_subtask, row.lanes]),
    ).toEqual([
      [4, 1, 2, 2],
      [7, 2, 3, 2],
      [13, 3, 4, 3],
      [16, 4, 5, 3],
      [31, 7, 8, 3],
      [64, 13, 12, 5],
      [128, 26, 14, 9],
      [256, 52, 15, 17],
      [1024, 205, 17, 60],
      [4096, 820, 18, 227],
    ]);
    expect(rows[1]).toMatchObject({ bound: null, condition: 'more than 2 of 7 collude' });
    expect(rows[5]).toMatchObject({ bound: expect.stringMatching(/e-1[0-9]$/), condition: null });
    expect(out).not.toMatch(/"0"/);
    expect((await run(['quote'])).out).toContain('only if more than 2 of 7 collude');
  });

  test('takes a wish, and refuses one that cannot be had', async () => {
    const wish = ['quote', '--seats', '4096', '--adversary', 'max', '--json'];
    expect((await run(wish)).document.data.quotes).toMatchObject([
      { adversarial_seats: 1365, executions_per_subtask: 26, lanes: 157 },
    ]);
    expect((await run(['quote', '--loss', '0.001', '--json'])).document.data.loss).toBe('1e-3');
    for (const words of [
      ['--loss', '2e-9'],
      ['--loss', '0'],
      ['--loss', '1e-16'],
      ['--adversary', '0.3'],
      ['--adversary', '0.2', '--seats', '6'],
    ])
      expect((await run(['quote', ...words])).exitCode, words.join(' ')).toBe(2);
    const many = await run(['quote', '--adversary', '0.2']);
    expect(many.exitCode).toBe(0);
  });
});

describe('explain', () => {
  test('turns a code into sentences, and knows what was meant', async () => {
    const { out } = await run(['explain', 'store_locked']);
    for (const part of ['STORE_LOCKED', 'what ', 'why ', 'remedy ', 'exit '])
      expect(out).toContain(part);
    const unknown = await run(['explain', 'STORE_LOKED']);
    expect(unknown.exitCode).toBe(3);
    expect(unknown.err).toContain('Did you mean STORE_LOCKED');
    expect((await run(['explain', 'QQQQQQQQQQQQ'])).err).toContain('list of all codes');
    expect((await run(['explain', '--json'])).document.data.codes).toHaveLength(
      codeCatalogue.length,
    );
  });

  test('has every code once, each with sentences', () => {
    const codes = codeCatalogue.map(({ code }) => code);
    expect(codes).toEqual([...new Set(codes)].sort());
    for (const { code, meaning, cause, remedy } of codeCatalogue) {
      expect(code).toMatch(/^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/);
      for (const sentence of [meaning, cause, remedy])
        expect(sentence, code).toMatch(/^[A-Z`’].*[.]$/s);
    }
  });

  test('knows every code that appears in the sources', () => {
    const known = new Set(codeCatalogue.map(({ code }) => code));
    const missing = ['protocol', 'node', 'contracts-sim']
      .flatMap((room) => sources(join(root, room)))
      .filter((path) => !path.includes(join('cli', 'codes')))
      .flatMap((path) => codesIn(readFileSync(path, 'utf8')))
      .filter((code) => !known.has(code));
    expect([...new Set(missing)].sort(), 'codes without an entry in node/cli/codes/').toEqual([]);
  });

  test('finds codes in each position where they stand, and nothing else', () => {
    expect(codesIn("f({ code: 'USAGE', x })")).toEqual(['USAGE']);
    expect(codesIn("return reject('BAD');\nreturn ignore('LATE');")).toEqual(['BAD', 'LATE']);
    expect(codesIn("? refuse('J3', 'JOB_OLD') : 'LANE_LATE'")).toEqual(['JOB_OLD', 'LANE_LATE']);
    expect(codesIn("/** like 'NOT_THIS' */ // 'NOR_THIS'\nmark('J3'); 'utf8'; \"ENOENT\"")).toEqual(
      [],
    );
    expect(codesIn("case 'LEVEL_LOCKED': 'ERR_MODULE_NOT_FOUND'")).toEqual([]);
  });
});

/** TypeScript and JavaScript files under a directory. */
function sources(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.m?[tj]s$/.test(name))
    .map((name) => join(directory, name));
}

/** Codes of other people’s software, and names of environment variables. */
const foreign = /^(LEVEL|ERR|ANWANSI)_|^(FIND_NODE|PEER_RESPONSE)$/;

/** Upper-case literals that stand where a code stands, or have two words. */
function codesIn(text: string): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*/g, '');
  const found = code.matchAll(
    /(?:\bcode: |\breject\(|\bignore\()'([A-Z][A-Z0-9]*)'|'([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)'/g,
  );
  return [...found].map(([, one, two]) => (one ?? two)!).filter((name) => !foreign.test(name));
}

describe('the real process', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'anwansi-cli-'));
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));
  const script = join(root, 'node', 'anwansi.mjs');
  const execute = promisify(execFile);

  test('prints, exits with the code of its outcome, and minds a closed pipe', async () => {
    const { stdout } = await execute(process.execPath, [script, 'quote', '--seats', '7']);
    expect(stdout).toContain('only if more than 2 of 7 collude');
    await expect(execute(process.execPath, [script, 'explain', 'NO_SUCH'])).rejects.toMatchObject({
      code: 3,
      stdout: '',
    });
    const child = spawn(process.execPath, [script, 'explain']);
    child.stdout.destroy();
    let err = '';
    child.stderr.on('data', (text) => (err += text));
    await once(child, 'close');
    expect(err).toBe('');
  });

  test('that is too old says so in one sentence, exit 2', async () => {
    for (const [version, exitCode] of [
      ['20.20.2', 2],
      ['22.17.1', 2],
      ['23.5.0', 2],
      ['22.18.0', 0],
    ] as const) {
      const pretend = `Object.defineProperty(process.versions, 'node', { value: '${version}' })`;
      const old = `data:text/javascript,${encodeURIComponent(pretend)}`;
      const child = spawn(process.execPath, ['--import', old, script, '--version']);
      let err = '';
      child.stderr.on('data', (text) => (err += text));
      const [code] = await once(child, 'close');
      expect(code, version).toBe(exitCode);
      if (exitCode === 2)
        expect(err).toMatch(/^anwansi needs Node 22.18 or later; this is [^\n]*\n$/);
    }
  });

  /** A process whose one command waits, and takes its time to clean up when told so. */
  async function waiting(cleanUp: string): Promise<ChildProcess> {
    const path = join(scratch, `hold-${cleanUp.length}.ts`);
    const frame = JSON.stringify(join(root, 'node', 'cli'));
    writeFileSync(
      path,
      `const { runCommandLine } = await import(${frame} + '/frame.ts');
       const { defineCommand } = await import(${frame} + '/command.ts');
       const { processSurroundings } = await import(${frame} + '/surroundings.ts');
       const hold = defineCommand({ name: 'hold', summary: 'Hold.', examples: [],
         run: async ({ output, onExit }) => {
           onExit(async () => { ${cleanUp} });
           output.note('ready');
           setInterval(() => {}, 1_000);
           await new Promise(() => {});
         } });
       const program = { version: '0', summary: 'A test.', commands: [hold] };
       process.exit(await runCommandLine(['hold'], program, processSurroundings('/')));`,
    );
    const child = spawn(process.execPath, [path]);
    await once(child.stderr, 'data');
    return child;
  }

  test('on a signal cleans up and exits with its code; a second signal does not wait', async () => {
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
    ] as const) {
      const child = await waiting("process.stdout.write('cleaned');");
      let out = '';
      child.stdout!.on('data', (text) => (out += text));
      child.kill(signal);
      expect((await once(child, 'close'))[0]).toBe(code);
      expect(out).toBe('cleaned');
    }
    const stubborn = await waiting("process.stderr.write('begun'); await new Promise(() => {});");
    stubborn.kill('SIGINT');
    await once(stubborn.stderr!, 'data');
    stubborn.kill('SIGINT');
    expect((await once(stubborn, 'close'))[0]).toBe(130);
  });
});
