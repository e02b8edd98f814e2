// Goal: what compares engines notices every bend, and what mutants are made of breaks nothing.
// Method: observations bent one by one; a text of the suite written again and run; some mutants.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Instrumented } from '../../protocol/execution/instrument.ts';
import { depthLimit } from '../../protocol/execution/outcome.ts';
import { moduleOf } from '../support/modules.ts';
import { plainCases } from './cases.ts';
import { differences } from './differences.ts';
import { fuzz, seeds } from './fuzz.ts';
import { observe } from './observe.ts';
import { runSpecFile } from './spec-suite.ts';
import { textOf } from './spec-text.ts';
import { callExactly, gave } from './spec-values.ts';

describe('observations', () => {
  const cases = plainCases().filter(({ name }) =>
    /^(mixing|float 5|recursion|made up 9)$/.test(name),
  );
  const once = cases.map((one) => observe(one));

  test('are the same a second time', () => {
    expect(once.length).toBe(4);
    expect(
      differences(
        once,
        cases.map((one) => observe(one)),
      ),
    ).toEqual([]);
  });

  test('a run out of fuel ends below 0, an exact one at 0', () => {
    for (const { runs } of once) {
      const [, exact, less] = runs;
      if (runs[0]!.outcome === 'ok') expect(exact).toMatchObject({ outcome: 'ok', fuel: '0' });
      expect(less!.outcome).toBe('out-of-fuel');
      expect(BigInt(less!.fuel)).toBeLessThan(0n);
    }
  });

  test('a start function runs before the call', () => {
    const starts = plainCases().filter(({ name }) => name.startsWith('a start function'));
    const ends = new Set(starts.map((one) => observe(one).runs[0]!.outcome));
    expect([...ends].sort()).toEqual(['ok', 'out-of-fuel', 'too-deep', 'trap']);
  });

  test.each([
    'outcome',
    'returned',
    'value',
    'fuel',
    'depth',
    'pages',
    'sha256',
    'digest',
  ] as const)('a bent %s is noticed', (key) => {
    const [first, ...rest] = once;
    const runs = first!.runs.map((run, at) => (at === 2 ? { ...run, [key]: 'bent' } : run));
    expect(differences(once, [{ ...first!, runs }, ...rest])).toHaveLength(1);
  });

  test('other bytes, a missing run and a missing case are noticed', () => {
    const [first, ...rest] = once;
    expect(differences(once, [{ ...first!, sha256: '' }, ...rest])).toHaveLength(1);
    expect(differences(once, [{ ...first!, runs: first!.runs.slice(1) }, ...rest])).toHaveLength(1);
    expect(differences(once, rest)).toHaveLength(2);
  });
});

describe('the suite', () => {
  test('is written again as text', () => {
    const program = [
      'let $0 = instantiate(`(module (func $$f (export "f") (param i32) (result f32)))`);',
      'register($0, `M`);',
      'invoke($0, `f`, [1]);',
      'assert_return(() => invoke($0, `f`, [1]), [`canonical_nan`]);',
      'assert_return(() => invoke(`M`, `f`, [1n, value("f32", -0)]), [bytes("f32", [1, 0, 0xa0, 0xff])]);',
      'assert_trap(() => invoke($0, `f`, [i8x16([1, 255])]), `out of bounds`);',
      'assert_malformed(() => instantiate(`(func`), `unexpected end`);',
    ].join('\n');
    expect(textOf(program).trim().split('\n')).toEqual([
      '(module (func $f (export "f") (param i32) (result f32)))',
      '(register "M")',
      '(invoke "f" (i32.const 1))',
      '(assert_return (invoke "f" (i32.const 1)) (f32.const nan:canonical))',
      '(assert_return (invoke $M "f" (i64.const 1) (f32.const -0)) (f32.const -nan:0x200001))',
      '(assert_trap (invoke "f" (v128.const i8x16 1 255)) "out of bounds")',
      '(assert_malformed (module quote "(func") "unexpected end")',
    ]);
  });

  test('what is otherwise than it says is noticed, as it is and rewritten', () => {
    const folder = mkdtempSync(join(tmpdir(), 'anwansi-suite-'));
    const same = { name: 'same', params: [0x7f], results: [0x7f], body: [0x20, 0] };
    const endless = { name: 'endless', body: [0x10, 1] };
    writeFileSync(join(folder, 'm.wasm'), moduleOf([same, endless, { name: 'trap', body: [0] }]));
    const invoke = (field: string, ...args: object[]) => ({ type: 'invoke', field, args });
    const is = (value: string) => ({ type: 'i32', value });
    const commands = [
      { type: 'module', line: 1, filename: 'm.wasm' },
      { type: 'assert_return', line: 2, action: invoke('same', is('7')), expected: [is('7')] },
      { type: 'assert_return', line: 3, action: invoke('same', is('7')), expected: [is('8')] },
      { type: 'assert_trap', line: 4, action: invoke('trap'), expected: [] },
      { type: 'assert_trap', line: 5, action: invoke('same', is('7')), expected: [is('0')] },
      { type: 'assert_exhaustion', line: 6, action: invoke('endless'), expected: [] },
      { type: 'assert_exhaustion', line: 7, action: invoke('trap'), expected: [] },
      { type: 'assert_return', line: 8, action: invoke('trap'), expected: [] },
    ];
    writeFileSync(join(folder, 'm.json'), JSON.stringify({ commands }));
    for (const rewrites of [false, true]) {
      const { returns, traps, exhaustions, deviations } = runSpecFile(folder, 'm', rewrites);
      expect({ returns, traps, exhaustions }).toEqual({ returns: 3, traps: 2, exhaustions: 2 });
      expect(deviations.map((one) => one.split(': ')[0])).toEqual(
        [3, 5, 7, 8].map((line) => `m.wast:${line}`),
      );
    }
    rmSync(folder, { recursive: true });
  });

  test('values are compared bit by bit, NaNs by their kind', () => {
    const identity = moduleOf([{ name: 'same', params: [0x7d], results: [0x7d], body: [0x20, 0] }]);
    const web = globalThis as unknown as {
      WebAssembly: typeof import('../../node/executor/engine.ts').engine;
    };
    const { Instance, Module } = web.WebAssembly;
    const { same } = new Instance(new Module(identity), {}).exports;
    const nans = { canonical: 0, negative: 0, other: 0 };
    const gives = (bits: number, expected: string): boolean => {
      const given = callExactly(
        same as never,
        [{ type: 'f32', value: `${bits}` }],
        [{ type: 'f32' }],
      );
      return gave(given, [{ type: 'f32', value: expected }], nans);
    };
    expect(gives(0x7fc00000, 'nan:canonical')).toBe(true);
    expect(gives(0xffc00000, 'nan:canonical')).toBe(true);
    expect(gives(0x7fc00001, 'nan:canonical')).toBe(false);
    expect(gives(0x7fc00001, 'nan:arithmetic')).toBe(true);
    expect(gives(0x7f800001, 'nan:arithmetic')).toBe(false);
    expect(gives(0x7f800001, `${0x7f800001}`)).toBe(true);
    expect(gives(0x7f800001, `${0x7f800002}`)).toBe(false);
    expect(nans).toEqual({ canonical: 1, negative: 1, other: 3 });
  });
});

describe('mutants', () => {
  test('of all kinds are answered, and run alike on both compilers', () => {
    const figures = fuzz(1_500, 1729, seeds(), { depth: depthLimit / 2 });
    expect(figures.mutants).toBe(1_500);
    for (const kind of ['invalidRefused', 'invalidTaken', 'validTaken'] as const)
      expect(figures[kind], kind).toBeGreaterThan(10);
    expect(figures.calls.ok).toBeGreaterThan(20);
  });

  test('a rewriter that throws, breaks a module or makes it differ is told with the mutant', () => {
    const thrown = (): never => {
      throw new RangeError('offset is out of bounds');
    };
    const broken = (): Instrumented => ({ kind: 'ok', bytes: new Uint8Array(3) });
    const outside = (): Instrumented => {
      const detail = { code: 'PROGRAM_MALFORMED', offset: 2 ** 30, reason: 'nowhere' } as const;
      return { kind: 'rejected', ...detail };
    };
    for (const rewrite of [thrown, broken, outside])
      expect(() => fuzz(400, 1, seeds(), { rewrite })).toThrow(/^mutant \d+ of seed 1: AGFzb/);
  });
});
