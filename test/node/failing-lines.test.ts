// Goal: whoever is told of a failing item is told the line by which it fails, and what is told fails.
// Method: laws of the search against made-up items, also where answers fail to come; then a program
// that traps on one letter, in the real sandbox, by every command that tells of items, and its twins.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { programBench } from '../../node/cli/commands/program-bench.ts';
import { programCheck } from '../../node/cli/commands/program-check.ts';
import { quote } from '../../node/cli/commands/quote.ts';
import { failingLines, smallestRun } from '../../node/client/failing-lines.ts';
import { linesText, shownLine, trapHint } from '../../node/client/foreseen.ts';
import { benchProgram } from '../../node/kit/bench.ts';
import type { FailureClass } from '../../node/ports.ts';
import { packProgram } from '../../protocol/execution/manifest.ts';
import { op, program } from '../fixtures/programs/assemble.ts';
import { newPlace } from '../support/anwansi-process.ts';
import { runWords } from '../support/command-line.ts';
import { groundOf } from '../support/kit-ground.ts';
import { openKit } from '../support/kit-project.ts';
import { bytes, never, openSandbox, parameters, plenty } from '../support/sandbox.ts';

const callCountMax = 64;

describe('the search', () => {
  const line = fc.integer({ min: 0, max: 30_000 });

  test('finds a run that fails, and no shorter end of it does; alone where one line does', async () => {
    await fc.assert(
      fc.asyncProperty(line, line, fc.nat(40), async (at, behind, wide) => {
        const [first, last] = [at, at + wide];
        const count = last + behind + 1;
        let calls = 0;
        const run = await smallestRun(count, async (from, end) => {
          calls++;
          expect(from).toBeLessThan(end);
          return from <= first && end > last;
        });
        expect(calls).toBeLessThanOrEqual(callCountMax);
        if (wide === 0 && count > 1) expect(run).toEqual({ first, end: last + 1, least: true });
        else if (count === wide + 1 && count > 1) expect(run).toBeNull();
        else expect(run).toEqual({ first, end: last + 1, least: true });
      }),
    );
  });

  test('tells only what was seen to fail, also where failures are of no order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 5_000 }), fc.integer(), async (count, salt) => {
        const fails = (first: number, end: number): boolean =>
          (first === 0 && end === count) || ((first * 31 + end * 17 + salt) & 3) === 0;
        const seen = new Set<string>();
        const run = await smallestRun(count, async (first, end) => {
          if (fails(first, end)) seen.add(`${first} ${end}`);
          return fails(first, end);
        });
        if (run !== null && count > 1) expect(seen).toContain(`${run.first} ${run.end}`);
      }),
    );
  });

  test('ends with what it knows where answers do not come any more', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 4_000 }),
        fc.nat(),
        fc.nat(12),
        async (...given) => {
          const [count, some, answers] = given;
          const culprit = some % count;
          let calls = 0;
          const run = await smallestRun(count, async (first, end) =>
            calls++ < answers ? first <= culprit && culprit < end : null,
          );
          if (answers === 0) expect(run).toBeNull();
          if (run === null) return;
          expect(run.first <= culprit && culprit < run.end && run.end - run.first < count).toBe(
            true,
          );
          if (run.end - run.first > 1) expect(run.least).toBe(false);
        },
      ),
    );
  });
});

describe('words', () => {
  const told = (text: string | Uint8Array): string =>
    shownLine({ text: typeof text === 'string' ? bytes(text) : text });

  test('are a line that steers nothing, cut to what can be read', () => {
    expect(told('1700073996 GET / 200 0')).toBe('"1700073996 GET / 200 0"');
    expect(told('a\u001b[31m\u202e\u0085"ö')).toBe('"a\\u001b[31m\\u{202e}\\u{85}\\"ö"');
    expect(told('x'.repeat(81))).toBe(`"${'x'.repeat(80)}"…`);
    expect(told(Uint8Array.of(0xff, 0x31))).toBe('0xff31');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (some) => {
        expect(told(some)).not.toMatch(/[\p{Cc}\p{Cf}\u2028\u2029]/u);
        expect(told(some).length).toBeLessThan(80 * 8 + 16);
      }),
    );
  });

  test('say which lines they are, of what, and whether fewer would do', () => {
    const one = { first: 7, last: 7, of: 'input', text: bytes('a'), least: true } as const;
    expect(linesText(one)).toBe('; so does line 7 of the input: "a"');
    expect(linesText({ ...one, of: 'item' })).toBe('; so does line 7 of that item: "a"');
    expect(linesText({ ...one, first: 3 })).toBe(
      '; so do lines 3 to 7 of the input, the last of them: "a"',
    );
    expect(linesText({ ...one, first: 3, least: false })).toMatch(/lines 3 to 7 .* search came$/);
    expect(linesText(null)).toBe('');
  });

  test('name the stack of C where memory was left, and nowhere else', () => {
    expect(trapHint('anw_map trapped: memory access out of bounds in f')).toContain('64 KiB');
    for (const said of ['anw_map trapped: unreachable in f', null])
      expect(trapHint(said)).toBeNull();
  });
});

/** Traps at a letter Z, wherever in the item it stands; gives no bytes else. */
const scanning = [
  ...[0x02, 0x40, 0x03, 0x40, ...op.get(3), 0x45, 0x0d, 1],
  ...[...op.get(2), 0x2d, 0, 0, ...op.i32(0x5a), 0x46, 0x04, 0x40, ...op.unreachable, 0x0b],
  ...[...op.get(2), ...op.i32(1), 0x6a, 0x21, 2],
  ...[...op.get(3), ...op.i32(1), 0x6b, 0x21, 3, 0x0c, 0, 0x0b, 0x0b],
  ...op.i64(0n),
];
/** Reads in front of its memory. */
const straying = [...op.i32(-8), 0x29, 0, 0];
const culprit = 60_007;
const line = (at: number): string => `17${String(at).padStart(8, '0')} GET / 200 0`;
const culpritLine = 'Z\u001b[31m';
const lines = Array.from({ length: 70_000 }, (_, at) =>
  at + 1 === culprit ? culpritLine : line(at),
);
const wideMemory = { memory: [1, 64, 64] };

const sandbox = openSandbox();

describe('in the sandbox', () => {
  const programPath = sandbox.file(program({ anw_map: scanning }));
  const look = (text: string, failure: FailureClass = 'trap', fuel = plenty, signal = never) => {
    const failed = { programPath, parameters, path: sandbox.file(bytes(text)), input: null };
    const item = { ...failed, class: failure, fuel };
    return failingLines(item, sandbox.pool(), sandbox.directory, signal);
  };

  test('the line is found; not in another class, not of another one, not of an endless item', async () => {
    expect(await look('a\nb\n\nxZx\r\nc')).toEqual({
      ...{ first: 4, last: 4, of: 'item', text: bytes('xZx\r'), least: true },
    });
    // The only line is the one, whatever it ends with.
    for (const text of ['Z', 'Z\n'])
      expect(await look(text)).toMatchObject({ first: 1, last: 1, text: bytes('Z') });
    // Nothing that the search runs fails as the item is said to have failed.
    expect(await look('a\nZ\nb', 'too-deep')).toBeNull();
    expect(await look('a\nZ\nb', 'out-of-fuel')).toBeNull();
    expect(await look('')).toBeNull();
    await expect(look('a\nZ\nb', 'trap', plenty, AbortSignal.abort())).rejects.toThrow();
    await sandbox.expectHealthy();
  });
});

describe('whoever asks', () => {
  const place = newPlace();
  afterAll(() => place.remove());
  const write = (name: string, content: string | Uint8Array): string => {
    writeFileSync(join(place.directory, name), content);
    return `./${name}`;
  };
  write('log', `${lines.join('\n')}\n`);
  const scan = program({ anw_map: scanning }, [], wideMemory);
  const scans = write('scans.wasm', scan);
  const ask = (...words: string[]) =>
    runWords([quote, programBench, programCheck], words, { directory: place.directory });
  const says = `; so does line ${culprit} of the input: "Z\\u001b[31m"`;

  test.each([
    ['quote', ['quote']],
    ['bench', ['program', 'bench']],
    ['check', ['program', 'check', '--seed', '1', '--runs', '20']],
  ])('%s tells the line, and a document of it', async (_, words) => {
    const told = await ask(...words, scans, '--input', 'log');
    expect(told.exitCode, told.err).toBe(8);
    expect(told.out.split('\n')[0]).toContain(
      `trap (anw_map trapped: unreachable in anw_map)${says}`,
    );
    const { data } = (await ask(...words, scans, '--input', 'log', '--json')).document;
    expect((data.job ?? data).failures[0].lines).toEqual({
      ...{ first: culprit, last: culprit, of: 'input', least: true, text: '"Z\\u001b[31m"' },
    });
  });

  test('test tells the line of the item, and hides no other test', async () => {
    const { directory, project, remove, run } = openKit();
    project('scans', scan, {
      'tests/a.input': `${lines.join('\n')}\n`,
      'tests/a.expected': '',
      'tests/b.input': 'b\n',
      'tests/b.expected': '',
    });
    const json = JSON.stringify({
      name: 'scans',
      version: '1',
      language: 'as',
      cut: { kind: 'lines' },
    });
    writeFileSync(join(directory, 'scans', 'program.json'), json);
    const { exitCode, out } = await run('test', 'scans', '--seed', '1');
    remove();
    expect(exitCode).toBe(4);
    expect(out).toMatch(
      /^FAIL {2}a: items 0 to 1 failed: trap .*; item 1 fails by itself; so does line 60007 /m,
    );
    expect(out).toMatch(/^ok {4}b: /m);
  });

  test('of items that are no lines is told their place, as of fixed ones', async () => {
    const manifest = {
      abi: 1,
      name: 'scans',
      version: '1',
      cut: { kind: 'fixed', bytes: 8 },
    } as const;
    const fixed = write('fixed.wasm', packProgram(scan, manifest));
    write('eights', 'aaaaaaaaa\naaaaaZ');
    const told = await ask('program', 'bench', fixed, '--input', 'eights');
    expect(told.exitCode).toBe(8);
    expect(told.out).toMatch(
      /^fails +item 1, bytes 8 to 15 of the input, "a\\naaaaaZ", failed here/,
    );
    expect(told.out).not.toContain('so does');
  });

  test('of memory that was left is told what may be behind it; of another trap is not', async () => {
    write('few', 'a\nb\n');
    write('last', 'a\nZ');
    const strays = write('strays.wasm', program({ anw_map: straying }));
    expect((await ask('quote', strays, '--input', 'few')).out).toContain('it has 64 KiB');
    expect((await ask('quote', scans, '--input', 'last')).out).not.toContain('64 KiB');
  });

  test('bench stops at the first failing item, also at one that was not measured before', async () => {
    const manifest = {
      abi: 1,
      name: 'scans',
      version: '1',
      cut: { kind: 'fixed', bytes: 8 },
    } as const;
    const fixed = write('fixed.wasm', packProgram(scan, manifest));
    // Even indices of 40 in 16 are 0, 3, 5, 8, ...: neither 1 nor 7 is among them.
    const items = Array.from({ length: 40 }, (_, at) =>
      at === 7 || at === 1 ? 'aaaaaaaZ' : 'aaaaaaaa',
    );
    write('forty', items.join(''));
    write('sound', 'aaaaaaaa'.repeat(3));
    const { document, exitCode } = await ask(
      ...['program', 'bench', fixed, '--input', 'forty', '--items', '40', '--json'],
    );
    expect(exitCode).toBe(8);
    expect(document.data).toMatchObject({ run: 2, failed: [{ index: 1, start: 8 }], failures: [] });
    const whole = await ask(
      ...['program', 'bench', fixed, '--input', 'sound', '--items', '2', '--json'],
    );
    expect(whole.document.data).toMatchObject({ run: 2, failed: [], stopped_ms: null });
  });

  test('bench is broken off when its time is over, and tells what was measured until then', async () => {
    write('many', 'aaaaaaaa'.repeat(500));
    const manifest = {
      abi: 1,
      name: 'scans',
      version: '1',
      cut: { kind: 'fixed', bytes: 8 },
    } as const;
    write('fixed.wasm', packProgram(scan, manifest));
    const ground = await groundOf(join(place.directory, 'fixed.wasm'));
    const given = { inputPath: join(place.directory, 'many'), itemCount: 500, wished: {} };
    const late = await benchProgram(ground, { ...given, msMax: 1 });
    expect(late.stoppedMs).toBe(1);
    expect(late.unrun).toBeNull();
    expect(late.benched.length).toBeGreaterThan(0);
    expect(late.benched.length).toBeLessThan(500);
    expect(late.item).not.toBeNull();
    const heard: number[] = [];
    const told = (done: number, total: number): void => void heard.push(done, total);
    const whole = await benchProgram(ground, { ...given, itemCount: 3, told });
    expect(heard).toEqual([0, 3, 1, 3, 2, 3]);
    expect(whole).toMatchObject({ stoppedMs: null });
    await ground.close();
  });
});
