// Goal: whoever is told that a program imports something knows what, and what to do about it, and a
// hostile name does nothing to the terminal that it is shown on.
// Method: the imports that compilers make, by name; names of any characters and lengths.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { admitProgram } from '../../protocol/execution/admit.ts';
import { shownName } from '../../protocol/execution/imports.ts';
import { instrument } from '../../protocol/execution/instrument.ts';
import { custom, i32, program, unsigned } from '../fixtures/programs/assemble.ts';

const kinds: Readonly<Record<string, readonly number[]>> = {
  function: [0, 0],
  table: [1, 0x70, 0, 1],
  memory: [2, 0, 1],
  global: [3, i32, 0],
};
type Import = readonly [module: string, name: string, kind: keyof typeof kinds];

const importing = (...imports: Import[]): Uint8Array => {
  const entries = imports.flatMap(([module, name, kind]) => [
    ...[...custom(module), ...custom(name), ...kinds[kind]!],
  ]);
  return program({}, [], { raw: [{ id: 2, content: [...unsigned(imports.length), ...entries] }] });
};

/** What is said of it, by admission and by the rewriter alike. */
function reasonOf(bytes: Uint8Array): string {
  const [admission, made] = [admitProgram(bytes, { validate: () => true }), instrument(bytes)];
  if (admission.kind === 'ok' || made.kind === 'ok') throw new Error('it is admitted');
  expect([made.code, made.offset, made.reason]).toEqual([
    ...[admission.code, admission.offset, admission.reason],
  ]);
  expect(admission.code).toBe('PROGRAM_IMPORTS');
  return admission.reason;
}

describe('an import', () => {
  test.each<[Import, RegExp]>([
    [
      ['env', 'abort', 'function'],
      /^it imports the function env\.abort; AssemblyScript .*--use abort=/,
    ],
    [['env', 'seed', 'function'], /function env\.seed; chance /],
    [['env', 'console.log', 'function'], /env\.console\.log; .* no terminal/],
    [['env', 'Date.now', 'function'], /env\.Date\.now; .* no clock/],
    [['m', 'of any name', 'memory'], /m\.of\\u\{20\}any\\u\{20\}name; .*its own memory/],
    [['env', 'memory', 'memory'], /the memory env\.memory; .*its own memory/],
    [
      ['wasi_snapshot_preview1', 'fd_write', 'function'],
      /wasi_snapshot_preview1\.fd_write; .*WASI/,
    ],
    [['wasi_unstable', 'proc_exit', 'function'], /wasi_unstable\.proc_exit; .*WASI/],
    [['wbg', '__wbindgen_throw', 'function'], /wbg\.__wbindgen_throw; wasm-bindgen/],
    [['./app_bg.js', 'f', 'function'], /\.\/app_bg\.js\.f; wasm-bindgen/],
    [['env', 'sqrt', 'function'], /the function env\.sqrt; .*by the ABI and nothing else/],
    [['env', '__indirect_function_table', 'table'], /the table env\.__indirect_function_table; /],
    [['GOT.mem', 'x', 'global'], /the global GOT\.mem\.x; /],
  ])('%j is named, with its remedy', (one, said) => {
    expect(reasonOf(importing(one))).toMatch(said);
  });

  test('that is the first of several says how many more', () => {
    const [a, b]: [Import, Import] = [
      ['env', 'abort', 'function'],
      ['env', 'seed', 'function'],
    ];
    expect(reasonOf(importing(a, b, b))).toMatch(
      /^it imports the function env\.abort and 2 more; /,
    );
    expect(reasonOf(importing(b, a))).toMatch(/env\.seed and 1 more; chance/);
    expect(reasonOf(importing(a))).not.toContain('more;');
  });

  test('of any name is said in printable words, and few', () => {
    const name = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.constantFrom('', '\u001b[2J', '\u202e', '\r\n', '\\', '💣'.repeat(50), 'x'.repeat(20_000)),
    );
    fc.assert(
      fc.property(name, name, fc.constantFrom(...Object.keys(kinds)), (module, name, kind) => {
        const well = [module, name].map((text) => text.toWellFormed()) as [string, string];
        expect(reasonOf(importing([...well, kind]))).toMatch(/^[ -~…]{1,1200}$/);
      }),
      { numRuns: 100 },
    );
    const other = program({}, [
      { name: `anw_${'\n'.repeat(20_000)}`, params: [], results: [], body: [] },
    ]);
    expect(admitProgram(other, { validate: () => true })).toMatchObject({
      code: 'PROGRAM_UNKNOWN_EXPORT',
      reason: expect.stringMatching(/^[ -~…]{1,400}$/),
    });
  });

  test('without anything in it is none', () => {
    const bytes = program({}, [], { raw: [{ id: 2, content: [0] }] });
    expect(() => reasonOf(bytes)).toThrow('it is admitted');
  });
});

test('a name is shown as it is, or told apart from others', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[!-[\]-~]{0,40}$/), (name) => {
      expect(shownName(name)).toBe(name);
    }),
  );
  expect(shownName('a b')).toBe('a\\u{20}b');
  expect(shownName('\\u{20}')).toBe('\\u{5c}u{20}');
  expect(shownName('x'.repeat(41))).toBe(`${'x'.repeat(40)}…`);
  expect(shownName('💣💣')).toBe('\\u{1f4a3}\\u{1f4a3}');
});
