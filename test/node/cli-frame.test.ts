// Goal: the command line keeps its contract: result on stdout and all else on stderr, one JSON
// document, stable exit codes, no stack for what is foreseen, clean-ups on every way out.
// Method: commands of our own in made-up surroundings.
import { describe, expect, test } from 'vitest';
import { defineCommand } from '../../node/cli/command.ts';
import { CliError, exitCodeMeanings, exitCodes } from '../../node/cli/error.ts';
import { callerDirectory } from '../../node/cli/frame.ts';
import { openOutput, table } from '../../node/cli/output.ts';
import { type ProgressView, progressLine, renderProgress } from '../../node/cli/progress.ts';
import { StorageError } from '../../node/storage/error.ts';
import { runWords, type World } from '../support/command-line.ts';

const run = (words: string[], world: World = {}) =>
  runWords([echo, fail, hold, thingMake], words, world);

const echo = defineCommand({
  name: 'echo',
  summary: 'Show what it was given.',
  examples: [['anwansi echo a.txt', 'An example of it.']],
  arguments: {
    first: { kind: 'path', describe: 'A path.' },
    more: { kind: 'text', describe: 'Words.', optional: true, many: true },
  },
  options: {
    count: { kind: 'integer', placeholder: 'N', describe: 'A number.', min: 1, max: 9, default: 3 },
    outFile: { kind: 'path', placeholder: 'FILE', describe: 'Another path.' },
    mode: { kind: 'text', placeholder: 'M', describe: 'A word.', choices: ['one', 'two'] },
    loud: { kind: 'flag', describe: 'A flag.' },
  },
  run: async ({ output }, values) => {
    // The types are part of the contract.
    const typed: {
      first: string;
      more: readonly string[];
      count: number;
      outFile: string | undefined;
      mode: 'one' | 'two' | undefined;
      loud: boolean;
    } = values;
    output.note('a note');
    output.warn('a warning');
    output.detail('a detail');
    output.result({ ...typed, large: 2n ** 64n }, values.loud ? Uint8Array.of(65, 10, 66) : 'text');
    return undefined;
  },
});

const failures: Record<string, () => unknown> = {
  foreseen: () =>
    new CliError({ code: 'X_CASE', message: 'it is so', hint: 'Do this.', exitCode: 5 }),
  storage: () => new StorageError({ code: 'STORE_NO_SPACE', directory: '/d' }),
  bug: () => new TypeError('a is undefined', { cause: new Error('the root of it') }),
  text: () => 'a text, not an error',
};

const fail = defineCommand({
  name: 'fail',
  summary: 'Fail.',
  examples: [],
  arguments: { how: { kind: 'text', describe: 'How.' } },
  run: async ({ output, onExit }, { how }) => {
    onExit(() => output.note('cleaned first thing'));
    onExit(async () => {
      throw new Error('this one fails');
    });
    onExit(() => output.note('cleaned last thing'));
    if (how === 'refuted') {
      output.result({ findings: 2 }, 'findings');
      return exitCodes.refuted;
    }
    if (how in failures) throw failures[how]!();
    return undefined;
  },
});

const hold = defineCommand({
  name: 'hold',
  summary: 'Run until it is interrupted.',
  examples: [],
  run: async ({ output, onExit, signal }) => {
    onExit(() => output.note(`removed, after ${String(signal.reason)}`));
    await new Promise(() => {});
    return undefined;
  },
});

const thingMake = defineCommand({
  name: 'thing make',
  summary: 'Make a thing.',
  examples: [],
  options: { part: { kind: 'paths', placeholder: 'FILE', describe: 'Its parts.' } },
  run: async ({ output }, { part }) => {
    output.result({ part }, part.join());
    return undefined;
  },
});

describe('a command line', () => {
  test('puts the result on stdout and everything else on stderr', async () => {
    const { exitCode, out, err } = await run(['echo', 'a']);
    expect({ exitCode, out, err }).toEqual({
      exitCode: 0,
      out: 'text\n',
      err: 'a note\nwarning a warning\n',
    });
    expect((await run(['echo', 'a', '-q'])).err).toBe('warning a warning\n');
    expect((await run(['-v', 'echo', 'a'])).err).toContain('a detail\n');
    expect((await run(['echo', '--loud', 'a'])).out, 'bytes as they are').toBe('A\nB');
    expect((await run(['echo', '--loud', 'a'], { terminal: true })).out).toBe('A\nB\n');
  });

  test('prints one JSON document, whatever happens', async () => {
    const { document } = await run(['echo', 'a', '--json']);
    expect(document).toEqual({
      schema_version: 1,
      success: true,
      data: expect.objectContaining({ count: 3, large: '18446744073709551616' }),
      warnings: ['a warning'],
      errors: [],
    });
    const failed = await run(['fail', 'foreseen', '--json']);
    expect(failed.exitCode).toBe(5);
    expect(failed.document).toMatchObject({
      success: false,
      data: null,
      errors: [{ code: 'X_CASE', message: 'it is so', hint: 'Do this.', retryable: true }],
    });
    const misspelt = await run(['--json', 'ehco']);
    expect(misspelt.exitCode).toBe(2);
    expect(misspelt.document).toMatchObject({ success: false, errors: [{ code: 'USAGE' }] });
    const refuted = await run(['fail', 'refuted', '--json']);
    expect(refuted.exitCode).toBe(4);
    expect(refuted.document).toMatchObject({ success: false, data: { findings: 2 } });
  });

  test('resolves paths against the caller, and leaves - and words alone', async () => {
    const given = ['--json', 'echo', 'a/../b', 'x', 'y', '--out-file', '/abs', '--mode', 'two'];
    expect((await run([...given, '--count', '9'])).document.data).toMatchObject({
      first: '/home/me/b',
      more: ['x', 'y'],
      outFile: '/abs',
      mode: 'two',
      count: 9,
      loud: false,
    });
    expect((await run(['--json', 'echo', '-'])).document.data.first).toBe('-');
    const npm = { INIT_CWD: '/home/me/sub' };
    expect(callerDirectory(npm, '/package', '/package')).toBe('/home/me/sub');
    expect(callerDirectory(npm, '/elsewhere', '/package'), 'npm moved nobody').toBe('/elsewhere');
    expect(callerDirectory({}, '/package', '/package')).toBe('/package');
  });

  test.each([
    [['ehco', 'a'], "unknown command 'ehco'", 'Did you mean echo?'],
    [['echo'], "missing required argument 'first'", 'anwansi echo --help'],
    [['echo', 'a', '--lodu'], "unknown option '--lodu'", 'Did you mean --loud?'],
    [['echo', 'a', '--count', '10'], 'Expected a whole number from 1 to 9.', ''],
    [['echo', 'a', '--count', '1.5'], 'Expected a whole number from 1 to 9.', ''],
    [['echo', 'a', '--mode', 'three'], 'Allowed choices are one, two.', ''],
    [['fail', 'a', 'b'], 'too many arguments', ''],
    [['thing', 'make', '--lodu'], "unknown option '--lodu'", 'See: anwansi thing make --help'],
    [['thing', 'mkae'], "unknown command 'mkae'", 'See: anwansi thing --help'],
    [['help', 'bogus'], 'there is no command bogus', 'See: anwansi --help'],
    [['--quiet', 'help', 'ehco'], 'there is no command ehco', 'Did you mean echo?'],
    [['help', 'thing', 'mkae'], 'there is no command thing mkae', 'Did you mean thing make?'],
    [['help', 'echo', 'a'], 'there is no command echo a', 'See: anwansi echo --help'],
  ])('refuses %j with exit code 2', async (words, message, hint) => {
    const { exitCode, out, err } = await run(words);
    expect(exitCode).toBe(2);
    expect(out).toBe('');
    expect(err).toMatch(/^error USAGE /);
    expect(err).toContain(message);
    expect(err).toContain(hint);
  });

  test('gives a list that was not given as an empty one, and says nothing of that in its help', async () => {
    expect((await run(['thing', 'make', '--json'])).document.data).toEqual({ part: [] });
    const given = await run(['thing', 'make', '--part', 'a', '/b', '--json']);
    expect(given.document.data).toEqual({ part: ['/home/me/a', '/b'] });
    expect((await run(['thing', 'make', '--help'])).out).not.toContain('default');
  });

  test('shows help with examples and exit codes, and its version', async () => {
    const help = await run(['--help']);
    expect(help.exitCode).toBe(0);
    for (const [code, meaning] of exitCodeMeanings)
      expect(help.out).toMatch(new RegExp(`\\n +${code} +${meaning}`));
    expect(exitCodeMeanings.map(([code]) => code)).toEqual(Object.values(exitCodes));
    const one = await run(['echo', '--help']);
    expect(one.out).toContain('anwansi echo a.txt\n      An example of it.');
    expect(one.out).toContain('--out-file <FILE>');
    expect(await run(['help', 'echo']), 'asked for in words').toEqual(one);
    const verb = await run(['thing', 'make', '--help']);
    expect(verb.out).toContain('Usage: anwansi thing make');
    expect(await run(['help', 'thing', 'make'])).toEqual(verb);
    for (const words of [['help'], ['help', 'help']]) expect(await run(words)).toEqual(help);
    const refused = await run(['help', 'bogus', '--json']);
    expect(refused.document).toMatchObject({ success: false, errors: [{ code: 'USAGE' }] });
    expect(await run(['thing'])).toMatchObject({ exitCode: 2, out: '' });
    expect(await run(['--version'])).toMatchObject({ exitCode: 0, out: '1.2.3\n' });
    expect(await run([])).toMatchObject({ exitCode: 2, out: '' });
  });
});

describe('an error', () => {
  test('that was foreseen is a sentence and a hint, without a stack', async () => {
    const { exitCode, out, err } = await run(['fail', 'foreseen', '-v']);
    expect(exitCode).toBe(5);
    expect(out).toBe('');
    expect(err).toContain('error X_CASE it is so\nDo this.\n');
    const plain = await run(['fail', 'storage']);
    expect(plain.exitCode).toBe(1);
    expect(plain.err).toContain('error STORE_NO_SPACE no space left for /d');
    expect(plain.err).toContain('anwansi explain STORE_NO_SPACE');
    expect(plain.err).not.toMatch(/\n +at /);
  });

  test('that nobody foresaw shows its stack and causes only when asked', async () => {
    const short = await run(['fail', 'bug']);
    expect(short.exitCode).toBe(1);
    expect(short.err).toContain('error UNEXPECTED a is undefined\nThis is a bug.');
    expect(short.err).not.toMatch(/\n +at /);
    for (const world of [{ environment: { ANWANSI_DEBUG: '1' } }, {}]) {
      const long = await run(['fail', 'bug', ...('environment' in world ? [] : ['-v'])], world);
      expect(long.err).toMatch(/TypeError: a is undefined\n +at /);
      expect(long.err).toContain('caused by Error: the root of it');
    }
    expect((await run(['fail', 'text'])).err).toContain('error UNEXPECTED a text, not an error');
  });

  test('lets all clean-ups run, last one first, even when one of them fails', async () => {
    for (const how of ['bug', 'nothing']) {
      const { err } = await run(['fail', how]);
      const order = ['cleaned last thing', 'this one fails', 'cleaned first thing'];
      expect(order.map((text) => err.indexOf(text))).toEqual(
        order.map((text) => err.indexOf(text)).sort((a, b) => a - b),
      );
      expect(err).toContain('cleaned first thing');
    }
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    [new Error('thrown in a callback'), 1],
  ] as const)('by %s ends a command that never would', async (what, code) => {
    const interrupt: World['interrupt'] = (give) => setTimeout(() => give(what), 5);
    const { exitCode, err } = await run(['hold'], { interrupt });
    expect(exitCode).toBe(code);
    expect(err).toContain(`removed, after ${String(what)}`);
    if (what instanceof Error) expect(err).toContain('error UNEXPECTED thrown in a callback');
  });
});

test('colours show on a terminal only, and NO_COLOR, FORCE_COLOR and TERM are respected', async () => {
  const colored = async (words: string[], world: World) =>
    (await run(['fail', 'bug', ...words], world)).err.includes('\x1b[31m');
  expect(await colored([], { terminal: true })).toBe(true);
  expect(await colored([], {})).toBe(false);
  expect(await colored(['--no-color'], { terminal: true })).toBe(false);
  expect(await colored([], { terminal: true, environment: { NO_COLOR: '1' } })).toBe(false);
  expect(await colored([], { terminal: true, environment: { TERM: 'dumb' } })).toBe(false);
  expect(await colored([], { environment: { FORCE_COLOR: '1' } })).toBe(true);
});

describe('progress', () => {
  const view: ProgressView = {
    state: 'revealing',
    elapsedMs: 6_249,
    lanes: [
      { accepted: true, votes: 3, needed: 3 },
      { accepted: false, votes: 1, needed: 3 },
    ],
    subtasks: { done: 128, total: 256 },
    bound: { soFar: '4.1e-5', asked: '1e-9' },
    guess: null,
    awaited: 'the reveals of seats 3 and 5, at most 4 s',
  };

  test('is a few lines with lanes, subtasks, the bound so far and what is awaited', () => {
    expect(renderProgress(view, 80)).toEqual([
      'revealing  6.2 s',
      '  lanes     ████████████░░░░░░░░░░░░  1 of 2',
      '            lane 1: 1 of 3 agree',
      '  subtasks  ████████████░░░░░░░░░░░░  128 of 256',
      '  bound     4.1e-5 so far, 1e-9 asked',
      '  waiting   the reveals of seats 3 and 5, at most 4 s',
    ]);
    const guess = '1 of 2 lanes, 8 of 16 items';
    expect(renderProgress({ ...view, guess }, 80)[5]).toBe(
      '  guess     1 of 2 lanes, 8 of 16 items, provisional',
    );
    const nothing = { lanes: [], bound: null, guess: null, awaited: null };
    const before = { ...nothing, subtasks: { done: 0, total: 0 } };
    expect(renderProgress({ state: 'ordering', elapsedMs: 0, ...before }, 80)).toEqual([
      'ordering  0.0 s',
    ]);
    for (const width of [20, 33, 41])
      for (const line of renderProgress(view, width))
        expect([...line].length).toBeLessThanOrEqual(width);
    expect(renderProgress(view, 20)[5]).toBe('  waiting   the rev…');
  });

  const shown = (terminal: boolean, quiet: boolean, views: ProgressView[]): string => {
    let err = '';
    const stderr = { write: (text: unknown) => (err += text), isTTY: terminal, columns: 60 };
    const options = { json: false, quiet, verbosity: 0, color: true, environment: {} };
    const output = openOutput({ ...options, stdout: { write: () => {} }, stderr });
    const progress = output.progress();
    for (const one of views) progress.show(one);
    output.note('a note in between');
    output.end(null, true);
    return err;
  };

  test('without a terminal is one plain line per change of state', () => {
    const later = { ...view, subtasks: { done: 200, total: 256 } };
    const accepted = { ...view, lanes: view.lanes.map((lane) => ({ ...lane, accepted: true })) };
    const guessed = { ...accepted, guess: '2 of 2 lanes, 16 of 16 items' };
    expect(shown(false, false, [accepted, guessed, guessed])).toBe(
      `${progressLine(accepted)}\n${progressLine(guessed)}\na note in between\n`,
    );
    expect(progressLine(guessed)).toContain('provisional guess for 2 of 2 lanes, 16 of 16 items');
    expect(shown(false, false, [view, later, accepted, accepted])).toBe(
      `${progressLine(view)}\n${progressLine(accepted)}\na note in between\n`,
    );
    expect(progressLine(view)).toBe(
      'revealing, 1 of 2 lanes, 128 of 256 subtasks, bound 4.1e-5, ' +
        'waiting for the reveals of seats 3 and 5, at most 4 s',
    );
    expect(shown(false, true, [view])).toBe('');
  });

  test('on a terminal is drawn, and taken away before anything else is written', () => {
    const drawn = renderProgress(view, 59).join('\n');
    expect(shown(true, false, [view])).toBe(`${drawn}\n\x1b[6A\x1b[0Ja note in between\n`);
  });
});

test('a table has its columns under one another', () => {
  expect(
    table([
      ['a', 'bb'],
      ['ccc', ''],
    ]),
  ).toBe('a    bb\nccc');
});
