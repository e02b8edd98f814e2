// Goal: the program on docs/programs.md is one: it compiles, is admitted, and counts lines.
// Method: the page's own source and compiler options; against splitting, cut anywhere.
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

const page = readFileSync(new URL('../../docs/programs.md', import.meta.url), 'utf8');
const source = /^```ts\n([\s\S]*?)^```$/m.exec(page)![1]!;
const options = /^npx asc (.*)$/m.exec(page)![1]!.split(' ');
const directory = mkdtempSync(join(tmpdir(), 'anwansi-page-'));
afterAll(() => rmSync(directory, { recursive: true }));

function compile(text: string): Uint8Array {
  writeFileSync(join(directory, 'lines.ts'), text);
  const root = dirname(createRequire(import.meta.url).resolve('assemblyscript/package.json'));
  execFileSync(process.execPath, [join(root, 'bin/asc.js'), ...options], { cwd: directory });
  return readFileSync(join(directory, 'lines.wasm'));
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

test('what the page warns of is refused: a global whose initial value is computed', () => {
  const broken = compile(source.replace('let free: usize = 0;', 'let free: usize = __heap_base;'));
  expect(admitProgram(broken, { validate: validateModule })).toMatchObject({
    kind: 'rejected',
    code: 'PROGRAM_START',
  });
});

test('the page has a row for each program that comes along, and no other', () => {
  const rows = [...page.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name!);
  expect(rows.sort()).toEqual(Object.keys(programs).sort());
});
