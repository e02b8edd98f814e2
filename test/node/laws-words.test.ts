// Goal: the lines of a check say what was compared and nothing more: a law that is refuted has its
// FAIL, items that failed are no `ok`, a check without a value names why; an example that is made
// small takes a bounded time, and a person hears of it.
// Method: programs whose combine is known through the real command and sandbox, each beside a sound
// one; a clock of the test.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { checkProgress } from '../../node/cli/check-progress.ts';
import { programCheck } from '../../node/cli/commands/program-check.ts';
import { passLaws, unlookedLine, untestedLines } from '../../node/cli/law-gate.ts';
import { type ProgressView, progressLine, startProgress } from '../../node/cli/progress.ts';
import { type ChildPool, createExecutor } from '../../node/executor/pool.ts';
import { checkLaws, quickBounds } from '../../node/laws/check.ts';
import { readLawReport } from '../../node/laws/report.ts';
import { reportLines } from '../../node/laws/words.ts';
import { op, program } from '../fixtures/programs/assemble.ts';
import { type CombineName, eightByteProgram } from '../fixtures/programs/lawless.ts';
import { runWords } from '../support/command-line.ts';
import { floatItems, lawSubject } from '../support/law-subject.ts';

const directory = mkdtempSync(join(tmpdir(), 'anwansi-laws-words-'));
let executor: ChildPool;
beforeAll(async () => {
  executor = await createExecutor({ children: 1, readable: [directory] });
  writeFileSync(join(directory, 'numbers'), new Uint8Array(Float64Array.of(1, 2, 3, 4, 5).buffer));
});
afterAll(async () => {
  await executor.close();
  rmSync(directory, { recursive: true });
});

async function told(module: Uint8Array, ...options: string[]) {
  writeFileSync(join(directory, 'subject.wasm'), module);
  const words = ['program', 'check', './subject.wasm', '--seed', '7', '--runs', '64', ...options];
  const { exitCode, out, err } = await runWords([programCheck], words, { directory });
  return { exitCode, lines: out.trimEnd().split('\n'), err };
}

const input = ['--input', 'numbers'];
/** A program that fails on each item, and one that keeps the laws. */
const failing = program({ anw_map: op.unreachable });
const sound = eightByteProgram('sum');

describe('the lines of a check', () => {
  test.each([[[]], [input]])('have FAIL for the law that is refuted, with %j', async (options) => {
    const { exitCode, lines } = await told(eightByteProgram('first'), ...options);
    expect(exitCode).toBe(4);
    const [, law] = /^REFUTED: (\w+)/.exec(lines.at(-1)!)!;
    expect(lines.filter((line) => line.startsWith(`FAIL  ${law}: `))).toHaveLength(1);
    // What was found broken at first is not told as held.
    if (options.length > 0) expect(lines.some((line) => /^FAIL {2}order: /.test(line))).toBe(true);
    expect(lines.some((line) => /^ok {4}(order|commutative): /.test(line))).toBe(false);
    const kept = await told(sound, ...options);
    expect([kept.exitCode, kept.lines.some((line) => line.startsWith('FAIL'))]).toEqual([0, false]);
    if (options.length > 0)
      expect(kept.lines.some((line) => /^ok {4}order: /.test(line))).toBe(true);
  });

  test('have no ok for items that all failed, and say what was compared', async () => {
    const { exitCode, lines } = await told(failing, ...input);
    expect(exitCode).toBe(8);
    expect(lines.filter((line) => /^ok/.test(line))).toEqual([]);
    expect(lines).toContain(
      'none  replay: 1 of 1 items failed, alike each time; no values were compared (1 tried)',
    );
    expect(lines.some((line) => line.includes('Give it what it takes'))).toBe(false);
  });

  test('say why no value was there, and what to give, where nothing was given', async () => {
    const { exitCode, lines } = await told(failing);
    expect(exitCode).toBe(5);
    expect(lines[0]).toMatch(
      /^none {2}no item that was tried gave a value; the first: map of .*: trap \(anw_map trapped: unreachable/,
    );
    expect(lines[1]).toMatch(/--params JSON; .*--input FILE/);
    const given = await told(failing, '--params', '{}');
    expect(given.lines[1]).not.toContain('--params');
    expect(given.lines[1]).toContain('--input FILE');
    expect((await told(sound)).lines[0]).toMatch(/^ok {4}/);
  });
});

describe('items of which some fail', () => {
  const map = [...op.ifItemStartsWith(0x74, op.unreachable), ...op.pack(2, 3)];
  test('say nothing of their order, and little by being run twice', async () => {
    const packed = { ...floatItems([1, 2, 3], directory) };
    const folder = mkdtempSync(join(directory, 'mixed-'));
    const texts = ['sound...', 'traps...', 'sound too'.slice(0, 8)];
    for (const [index, text] of texts.entries()) writeFileSync(join(folder, `${index}`), text);
    const items = {
      ...packed,
      source: (index: number) => ({ kind: 'file', path: join(folder, `${index}`) }) as const,
      bytes: async (index: number) => new TextEncoder().encode(texts[index]!),
    };
    const bare = program({ anw_map: map });
    const options = { runs: 16, seed: '7', bounds: quickBounds };
    const lines = async (module: Uint8Array) =>
      reportLines(
        await checkLaws(lawSubject(module, directory, executor), items, options),
        () => null,
        '',
      );
    const some = await lines(bare);
    expect(some).toContain(
      'none  order: 1 of 3 items failed, in each order; no values were compared (2 tried)',
    );
    expect(some).toContain(
      'none  replay: 1 of 3 items failed, alike each time; only values of items before them were compared (3 tried)',
    );
    const all = await lines(sound);
    expect(all.filter((line) => /^ok {4}(order|replay): /.test(line))).toHaveLength(2);
  });
});

describe('an example', () => {
  const checked = (name: CombineName, rest: object) =>
    checkLaws(
      lawSubject(eightByteProgram(name), directory, executor),
      floatItems([0.1, 2e300, -3.5, 7, 1e-9], directory),
      { runs: 64, seed: '7', bounds: quickBounds, ...rest },
    );

  test('that is small enough at once is the one that was found, and refutes all the same', async () => {
    const calls: string[] = [];
    const at = { broke: () => calls.push('broke'), isSmallEnough: () => calls.push('asked') > 0 };
    const large = await checked('first', at);
    expect(calls.slice(0, 2)).toEqual(['broke', 'asked']);
    expect(large.report.verdict).toBe('refuted');
    expect(readLawReport(large.blob!.bytes)).toEqual(large.report);
    const small = await checked('first', {});
    const operands = (check: typeof small) => check.report.example!.operands.length;
    expect([large.report.example!.law, small.report.example!.law]).toEqual([
      'order',
      'commutative',
    ]);
    expect(operands(large)).toBeGreaterThan(operands(small));
  });

  test('shows a value that is a text as one, in whatever script', async () => {
    const lines = async (text: string): Promise<string> => {
      const items = ['aaaaaaa\n', text].map((item) => new TextEncoder().encode(item));
      const folder = mkdtempSync(join(directory, 'texts-'));
      for (const [index, item] of items.entries()) writeFileSync(join(folder, `${index}`), item);
      const subject = lawSubject(eightByteProgram('first'), directory, executor);
      const given = {
        count: 2,
        source: (index: number) => ({ kind: 'file', path: join(folder, `${index}`) }) as const,
        bytes: async (index: number) => items[index]!,
      };
      // As it was found: what is made smaller may be of no item any more.
      const options = { runs: 16, seed: '7', bounds: { ...quickBounds, shrunk: 0 } };
      return reportLines(await checkLaws(subject, given, options), () => null, '').join('\n');
    };
    expect(await lines('株株0\n')).toContain('"株株0\\n" as a text');
    const broken = await lines('株株\u0000\n');
    expect(broken).not.toContain('株');
    expect(broken).toContain('"aaaaaaa\\n" as a text');
  });

  test('keeps what was seen of it where nothing can be run any more', async () => {
    const stop = new AbortController();
    let asked = 0;
    const isSmallEnough = (): boolean => {
      asked += 1;
      if (asked === 3) stop.abort();
      return asked >= 3;
    };
    const subject = lawSubject(eightByteProgram('first'), directory, executor);
    const { report, blob } = await checkLaws(
      { ...subject, signal: stop.signal },
      floatItems([0.1, 2e300, -3.5, 7, 1e-9], directory),
      { runs: 64, seed: '7', bounds: quickBounds, isSmallEnough },
    );
    expect(report.example!.operands).toHaveLength(2);
    const sides = [report.example!.leftValue, report.example!.rightValue];
    const values = report.example!.operands.map(({ value }) => value);
    for (const side of [...sides, ...values]) expect(side.kind).toBe('value');
    // Of a machine that was stopped nothing is kept or passed on.
    expect(blob).toBeNull();
  });

  test('is told to be made small, in at most so many seconds, before a job', async () => {
    const notes: string[] = [];
    const context = {
      output: { note: (line: string) => notes.push(line), detail: () => {} },
      signal: new AbortController().signal,
      environment: { ANWANSI_DATA_DIR: join(directory, 'data') },
      resolvePath: (path: string) => path,
    };
    const passed = async (name: CombineName) => {
      const { program: subject, scratch } = lawSubject(eightByteProgram(name), directory, executor);
      const wish = { program: { ...subject, name, bundled: false }, parameters: '' };
      const inputPath = join(directory, 'numbers');
      const job = { program: name, input: inputPath, params: undefined };
      const ground = { executor, scratch };
      return passLaws({ ...wish, inputPath } as never, ground, job, context as never);
    };
    await expect(passed('first')).rejects.toMatchObject({ detail: { exitCode: 4 } });
    expect(notes).toEqual([
      'a law is broken; making the example small, at most 3 s and what runs then',
    ]);
    expect(await passed('sum')).toEqual([]);
    expect(notes).toHaveLength(1);
  });
});

describe('progress of a check', () => {
  const fixed = (terminal: boolean) => {
    let text = '';
    const stream = { write: (chunk: string | Uint8Array) => void (text += chunk), columns: 80 };
    return { output: { progress: () => startProgress(stream, terminal) }, text: () => text };
  };

  test.each([false, true])('is shown after a moment, once a stage (terminal: %s)', (terminal) => {
    vi.useFakeTimers();
    try {
      const { output, text } = fixed(terminal);
      const progress = checkProgress(output, 1_000);
      progress.trying(160);
      vi.advanceTimersByTime(1_500);
      expect(text()).toBe('');
      vi.advanceTimersByTime(3_000);
      expect(text()).toContain('checking the laws');
      expect(text()).toContain('160 of 1000');
      progress.broke();
      vi.advanceTimersByTime(3_000);
      expect(text()).toContain('a law is broken: making its example small');
      if (!terminal) expect(text().trimEnd().split('\n')).toHaveLength(2);
      progress.end();
      const after = text();
      vi.advanceTimersByTime(10_000);
      expect(text()).toBe(after);
    } finally {
      vi.useRealTimers();
    }
  });

  test('names what it counts', () => {
    const nothing = { lanes: [], bound: null, guess: null, awaited: null, elapsedMs: 0 };
    const subtasks = { done: 1, total: 2 };
    const view: ProgressView = { state: 'running', subtasks, ...nothing };
    expect(progressLine(view)).toBe('running, 1 of 2 subtasks');
    expect(progressLine({ ...view, subtasks: { ...subtasks, name: 'statements' } })).toBe(
      'running, 1 of 2 statements',
    );
  });
});

test('who submits without a test is told what order would mean, and promised nothing', () => {
  const pool = { items: 3, made: 0, samples: 0, folds: 0, doubled: 0 };
  const tried = { commutative: 0, associative: 0, canonical: 0, identity: 0, order: 0, replay: 0 };
  const report = { bounds: quickBounds, tried, failedAlike: 0, pool };
  const job = { program: 'x', input: undefined, params: undefined };
  const lines = untestedLines({ report, check: null, late: true } as never, job).join(' ');
  expect(lines).toContain('that of this cut and its order alone');
  expect(lines).not.toContain('no result');
  expect(unlookedLine).toMatch(/^laws not looked at \(--unchecked\)/);
  expect(unlookedLine).not.toContain('\n');
});
