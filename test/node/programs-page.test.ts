// Goal: docs/programs.md is true: its program compiles, is admitted and counts lines; its commands,
// as the shell takes them, come to what it says.
// Method: the page's own source and compiler options, against splitting, cut anywhere; its blocks
// of commands by a real shell, their jobs in the own sandbox (a network runs them in the long test).
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { validateModule } from '../../node/executor/engine.ts';
import { callProgram } from '../../node/executor/instance.ts';
import { openProgram } from '../../node/executor/program.ts';
import { programs } from '../../programs/build.ts';
import { admitProgram } from '../../protocol/execution/admit.ts';
import { fuelCallMax, valueBytesMax } from '../../protocol/params.ts';
import { groundOf, resultOf } from '../support/kit-ground.ts';
import { pageCommands, wordsOf } from '../support/page-commands.ts';

const page = readFileSync(new URL('../../docs/programs.md', import.meta.url), 'utf8');
const source = /^```ts\n([\s\S]*?)^```$/m.exec(page)![1]!;
const options = /^npx asc (.*)$/m.exec(page)![1]!.split(' ');
const directory = mkdtempSync(join(tmpdir(), 'anwansi-page-'));
afterAll(() => rmSync(directory, { recursive: true }));

const compiled = new Map<string, Uint8Array>();
function compile(text: string): Uint8Array {
  const known = compiled.get(text);
  if (known !== undefined) return known;
  writeFileSync(join(directory, 'lines.ts'), text);
  const root = dirname(createRequire(import.meta.url).resolve('assemblyscript/package.json'));
  execFileSync(process.execPath, [join(root, 'bin/asc.js'), ...options], { cwd: directory });
  const module = readFileSync(join(directory, 'lines.wasm'));
  compiled.set(text, module);
  return module;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const none = new Uint8Array(0);

test('the program of the page counts lines, however the text is cut', () => {
  const program = compile(source);
  expect(admitProgram(program, { validate: validateModule })).toMatchObject({ kind: 'ok' });
  const opened = openProgram(program);
  const call = (name: string, ...parts: Uint8Array[]): Uint8Array => {
    const result = callProgram(opened, {
      ...{ name, arguments: parts, valueBytesMax, fuel: fuelCallMax },
    });
    if (!result.ok) throw new Error(`${result.class}: ${result.reason}`);
    return result.value;
  };
  const line = fc.constantFrom('', 'a', '\n', 'b\nc\n', 'x'.repeat(70_000));
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), fc.array(line, { maxLength: 8 }), (a, b) => {
      const [one, two] = [a.join(''), b.join('')].map((part) => call('anw_map', none, bytes(part)));
      const both = call('anw_combine', one!, two!);
      expect(both).toEqual(call('anw_combine', two!, one!));
      const ends = [...a, ...b].join('').split('\n').length - 1;
      expect(new TextDecoder().decode(call('anw_render', none, both))).toBe(`${ends}`);
    }),
    { numRuns: 30 },
  );
});

/** Whether a module has a start function: section 8. */
function starts(module: Uint8Array): boolean {
  for (let at = 8; at < module.length; ) {
    const id = module[at++]!;
    let size = 0;
    for (let shift = 0, byte = 128; byte >= 128; shift += 7) {
      byte = module[at++]!;
      size |= (byte & 127) << shift;
    }
    if (id === 8) return true;
    at += size;
  }
  return false;
}

test('what the page calls dearer runs: a global whose initial value is computed', () => {
  const computed = source.replace('let free: usize = 0;', 'let free: usize = __heap_base;');
  const [plain, started] = [compile(source), compile(computed)];
  expect([starts(plain), starts(started)]).toEqual([false, true]);
  const counts = [plain, started].map((module) =>
    callProgram(openProgram(module), {
      ...{ name: 'anw_map', arguments: [none, bytes('a\nb\n')], valueBytesMax, fuel: fuelCallMax },
    }),
  );
  expect(counts[1]).toMatchObject({ ok: true, value: (counts[0] as { value: Uint8Array }).value });
});

test('the page has a row for each program that comes along, and no other', () => {
  const rows = [...page.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name!);
  expect(rows.sort()).toEqual(Object.keys(programs).sort());
});

const commands = pageCommands('programs.md').map((command) => {
  const name = /anwansi -- run (\w+)/.exec(command.text)![1]!;
  return { name, command };
});

test('the page has a whole command for each program that comes along, but for primes', () => {
  expect([...commands.map(({ name }) => name), 'primes'].sort()).toEqual(
    Object.keys(programs).sort(),
  );
});

test.each(commands)(
  'the command of $name comes to what the page says',
  async ({ command, name }) => {
    const words = wordsOf(command, directory);
    const optionOf = (option: string): string | null =>
      words.includes(option) ? words[words.indexOf(option) + 1]! : null;
    expect(words.slice(0, 2)).toEqual(['run', name]);
    expect(words.length).toBe(2 + 2 * words.filter((word) => word.startsWith('--')).length);
    const input = optionOf('--input');
    const ground = await groundOf(name);
    try {
      const inputPath = input === null ? null : join(directory, input);
      const result = await resultOf(ground, optionOf('--params') ?? '', inputPath);
      expect(result).toBe(command.expected);
    } finally {
      await ground.close();
    }
  },
);
