// Goal: the rewriter takes what its list names and refuses the rest by name; what it makes of a
// valid module is valid, exports what the original does, and is the same bytes each time.
// Method: a broken module a rule, with the cap that decides it; small modules that are run.
import { describe, expect, test } from 'vitest';
import { engine, validateModule } from '../../node/executor/engine.ts';
import { instrument } from '../../protocol/execution/instrument.ts';
import { protocolLimits } from '../../protocol/execution/limits.ts';
import { header, op, section, unsigned } from '../fixtures/programs/assemble.ts';
import { linesBut } from '../support/execution-lines.ts';
import { reachEveryLine } from '../support/lines.ts';
import {
  exampleNames,
  exampleProgram,
  f64,
  i32,
  i64,
  meter,
  moduleOf,
  rewritten,
  text,
  wide,
} from '../support/modules.ts';

reachEveryLine('execution', linesBut([35, 39], [43, 45], [59, 61], 94));

const programs = exampleNames.map(exampleProgram);
const run = (body: readonly number[], locals: readonly number[] = []) =>
  moduleOf([{ name: 'run', body, locals }]);
const code = (bytes: Uint8Array, options = {}): string => {
  const made = instrument(bytes, options);
  return made.kind === 'ok' ? 'ok' : made.code;
};

describe('refusals', () => {
  const nested = (count: number) => [
    ...new Array<number[]>(count).fill([0x02, 0x40]).flat(),
    ...new Array<number>(count).fill(0x0b),
  ];
  const constructs = (count: number) => new Array<number[]>(count).fill([0x02, 0x40, 0x0b]).flat();
  const labels = (count: number) => [
    0x41,
    0,
    0x0e,
    ...unsigned(count),
    ...new Array<number>(count + 1).fill(0),
  ];
  const many = new Array<number>(3_999).fill(i32);
  const chain = (count: number) =>
    moduleOf(
      Array.from({ length: count }, (_, at) => ({
        locals: new Array<number>(4_000).fill(i64),
        body: at === 0 ? [] : op.call(at - 1),
      })),
    );
  /** Blocks of 125 parameters and 125 results. */
  const wideBlocks = (count: number) => {
    const operands = [125, ...new Array<number>(125).fill(i32)];
    return moduleOf(
      [
        {
          body: [
            ...new Array<number[]>(125).fill([0x41, 0]).flat(),
            ...new Array<number[]>(count).fill([0x02, 1, 0x0b]).flat(),
            ...new Array<number>(125).fill(0x1a),
          ],
        },
      ],
      { 1: [2, 0x60, 0, 0, 0x60, ...operands, ...operands] },
    );
  };
  const memory = (pages: number) => moduleOf([{ body: [] }], { 5: [1, 0, ...unsigned(pages)] });
  const importing = (...entry: number[]) =>
    moduleOf([], { 1: [1, 0x60, 0, 0], 2: [1, 1, 0x65, 1, 0x6e, ...entry], 5: [0], 7: [0] });
  /** The one type of a function, 16 384 times: enough for an index that is i32, written long. */
  const signed = moduleOf([{ body: [0x41, 0, 0x1a, 0x02, 0xff, 0x7f, 0x41, 0, 0x0b, 0x1a] }], {
    1: [...unsigned(16_384), ...new Array<number[]>(16_384).fill([0x60, 0, 0]).flat()],
  });
  const global = (...constant: number[]) =>
    moduleOf([{ body: [] }], { 6: [1, i32, 0, ...constant, 0x0b] });

  test.each<[string, string, Uint8Array, string]>([
    ['nesting', 'PROGRAM_LIMIT', run(nested(257)), 'nesting'],
    ['locals by constructs', 'PROGRAM_LIMIT', run(constructs(500), many), 'localsByConstructs'],
    ['labels', 'PROGRAM_LIMIT', run(labels(4_097)), 'branchLabels'],
    ['locals', 'PROGRAM_LIMIT', run([], [...many, ...many]), 'locals'],
    ['a chain of calls', 'PROGRAM_LIMIT', chain(13), 'chainDepth'],
    ['a large memory', 'PROGRAM_LIMIT', memory(4_097), 'memoryPages'],
    ['a large function', 'PROGRAM_LIMIT', run(new Array<number>(262_144).fill(1)), 'functionBytes'],
    [
      'a large table',
      'PROGRAM_LIMIT',
      moduleOf([], { 4: [1, 0x70, 0, ...unsigned(65_537)] }),
      'tableElements',
    ],
    [
      'many results',
      'PROGRAM_LIMIT',
      moduleOf([{ params: new Array<number>(256).fill(i32), body: [] }]),
      'arity',
    ],
    [
      'many types',
      'PROGRAM_LIMIT',
      moduleOf([], {
        1: [...unsigned(20_001), ...new Array<number[]>(20_001).fill([0x60, 0, 0]).flat()],
      }),
      'types',
    ],
    [
      'many functions',
      'PROGRAM_LIMIT',
      moduleOf([], {
        1: [1, 0x60, 0, 0],
        3: [...unsigned(20_001), ...new Array<number>(20_001).fill(0)],
        10: [...unsigned(20_001), ...new Array<number[]>(20_001).fill([2, 0, 0x0b]).flat()],
      }),
      'functions',
    ],
    ['many operands of blocks', 'PROGRAM_LIMIT', wideBlocks(4_001), 'blockOperands'],
    [
      'many bytes',
      'PROGRAM_LIMIT',
      moduleOf([], { 0: [1, 0x78, ...new Array<number>(4 * 1024 * 1024).fill(0)] }),
      'moduleBytes',
    ],
  ])('%s: %s, and one cap decides it', (_, expected, bytes, cap) => {
    expect(validateModule(bytes)).toBe(true);
    expect(code(bytes)).toBe(expected);
    const limits = { ...protocolLimits, [cap]: 2 ** 40 };
    if (cap === 'locals') Object.assign(limits, { localsByConstructs: 2 ** 40 });
    expect(validateModule(rewritten(bytes, { limits }))).toBe(true);
    expect(code(bytes, { limits: wide })).toBe('ok');
  });

  test('what just fits is taken', () => {
    const fits = [
      run(nested(256)),
      run(constructs(499), many),
      run(labels(4_096)),
      chain(12),
      memory(4_096),
    ];
    for (const bytes of fits) expect(validateModule(rewritten(bytes))).toBe(true);
  });

  test('caps of the engine hold even where the given ones are wide', () => {
    const locals = (count: number) => [
      ...header,
      ...section(1, [1, 0x60, 0, 0]),
      ...section(3, [1, 0]),
      ...section(10, [
        1,
        ...unsigned(3 + unsigned(count).length),
        1,
        ...unsigned(count),
        i32,
        0x0b,
      ]),
    ];
    expect(validateModule(Uint8Array.from(locals(50_000)))).toBe(true);
    expect(code(Uint8Array.from(locals(50_000)), { limits: wide })).toBe('PROGRAM_LIMIT');
    expect(validateModule(rewritten(Uint8Array.from(locals(49_992)), { limits: wide }))).toBe(true);
  });

  test.each<[string, string, Uint8Array]>([
    ['an import', 'PROGRAM_IMPORTS', importing(0, 0)],
    ['a reserved name', 'PROGRAM_UNKNOWN_EXPORT', moduleOf([{ name: '__anw_fuel', body: [] }])],
    ['an extended constant', 'PROGRAM_UNSUPPORTED', global(0x41, 1, 0x41, 1, 0x6a)],
    ['a tag', 'PROGRAM_UNSUPPORTED', moduleOf([{ body: [] }], { 13: [1, 0, 0] })],
    ['a second memory', 'PROGRAM_UNSUPPORTED', moduleOf([], { 5: [2, 0, 1, 0, 1], 7: [0] })],
    ['a missing operand', 'PROGRAM_MALFORMED', run([0x6a])],
    ['a missing result', 'PROGRAM_MALFORMED', moduleOf([{ results: [i32], body: [] }])],
    ['an operand of the outer block', 'PROGRAM_MALFORMED', run([0x41, 0, 0x02, 0x40, 0x1a, 0x0b])],
    ['an else without an if', 'PROGRAM_MALFORMED', run([0x02, 0x40, 0x05, 0x0b])],
    ['two elses', 'PROGRAM_MALFORMED', run([0x41, 0, 0x04, 0x40, 0x05, 0x05, 0x0b])],
    ['no end', 'PROGRAM_MALFORMED', run([0x02, 0x40])],
    ['code behind the end', 'PROGRAM_MALFORMED', run([0x0b, 0x01])],
    ['a local that is none', 'PROGRAM_MALFORMED', run([0x20, 0, 0x1a])],
    ['the fuel, by its number', 'PROGRAM_MALFORMED', run([0x23, 0, 0x1a])],
    ['the grow function, by its number', 'PROGRAM_MALFORMED', run([0x41, 0, 0x10, 1, 0x1a])],
    ['a label that is none', 'PROGRAM_MALFORMED', run([0x0c, 1])],
    ['a label that is none, in dead code', 'PROGRAM_MALFORMED', run([0x00, 0x0c, 1])],
    ['a type that is none', 'PROGRAM_MALFORMED', run([0x02, 5, 0x0b])],
    ['a type with a sign', 'PROGRAM_UNSUPPORTED', signed],
    ['a table that is none', 'PROGRAM_MALFORMED', run([0x41, 0, 0x11, 0, 0])],
    ['a memory that is none', 'PROGRAM_MALFORMED', run([0x3f, 1, 0x1a])],
    ['a data segment that is none', 'PROGRAM_MALFORMED', run([0xfc, 9, 0])],
    ['an alignment with a memory', 'PROGRAM_UNSUPPORTED', run([0x41, 0, 0x28, 0x40, 0, 0, 0x1a])],
    ['a body too few', 'PROGRAM_MALFORMED', moduleOf([{ body: [] }], { 10: [0] })],
    ['an export of nothing', 'PROGRAM_MALFORMED', moduleOf([], { 7: [1, ...text('f'), 0, 0] })],
    ['a start of nothing', 'PROGRAM_MALFORMED', moduleOf([], { 8: [0] })],
    [
      'an element of nothing',
      'PROGRAM_MALFORMED',
      moduleOf([], { 4: [1, 0x70, 0, 1], 9: [1, 0, 0x41, 0, 0x0b, 1, 0] }),
    ],
    [
      'a count beyond the end',
      'PROGRAM_MALFORMED',
      moduleOf([], { 1: [0xff, 0xff, 0xff, 0xff, 0x0f] }),
    ],
    ['nothing', 'PROGRAM_MALFORMED', new Uint8Array(0)],
    ['a header only half', 'PROGRAM_MALFORMED', Uint8Array.from(header.slice(0, 5))],
  ])('%s: %s', (_, expected, bytes) => {
    expect(code(bytes, { limits: wide })).toBe(expected);
    expect(instrument(bytes)).toMatchObject({ kind: 'rejected', offset: expect.any(Number) });
  });

  test('imports of every kind pass where they may', () => {
    const entries = [
      [0, 0],
      [1, 0x70, 0, 1],
      [2, 0, 1],
      [3, i32, 1],
    ];
    for (const entry of entries)
      expect(validateModule(rewritten(importing(...entry), { imports: 'any' }))).toBe(true);
    expect(code(importing(4, 0, 0), { imports: 'any' })).toBe('PROGRAM_UNSUPPORTED');
    // No import at all is none, whatever the section says.
    const none = moduleOf([{ body: [] }], { 2: [0] });
    expect(validateModule(rewritten(none))).toBe(true);
  });
});

describe('the module', () => {
  const names = (bytes: Uint8Array): string[] =>
    engine.Module.exports(new engine.Module(bytes)).map(({ name }) => name);

  test('exports follow those of the original, a start function waits to be called', () => {
    const started = moduleOf(
      [{ name: 'get', results: [i32], body: [0x23, 0] }, { body: [0x41, 9, 0x24, 0] }],
      {
        6: [1, i32, 1, 0x41, 4, 0x0b],
        8: [1],
      },
    );
    const bytes = rewritten(started);
    expect(names(bytes)).toEqual([...names(started), '__anw_fuel', '__anw_depth', '__anw_start']);
    const metered = meter(bytes, 100n);
    expect(metered.call('get').value).toBe(4);
    expect(metered.call('__anw_start').outcome).toBe('ok');
    expect(metered.call('get').value).toBe(9);
  });

  test('the smallest module is taken, custom sections go', () => {
    const empty = rewritten(Uint8Array.from(header));
    expect(names(empty)).toEqual(['__anw_fuel', '__anw_depth']);
    const named = moduleOf([{ name: 'f', body: [] }], { 0: [...text('name'), 1, 2, 3] });
    expect(rewritten(named)).toEqual(rewritten(moduleOf([{ name: 'f', body: [] }])));
    const bad = moduleOf([], { 0: [9, 1] });
    expect(code(bad)).toBe('PROGRAM_MALFORMED');
  });

  test('the same bytes give the same bytes, and the original stays as it was', () => {
    for (const bytes of programs) {
      const before = bytes.slice();
      expect(rewritten(bytes)).toEqual(rewritten(bytes.slice()));
      expect(bytes).toEqual(before);
    }
  });

  test('it cannot be rewritten twice', () => {
    for (const bytes of programs) expect(code(rewritten(bytes))).toBe('PROGRAM_UNKNOWN_EXPORT');
  });

  test('functions, blocks and branches with many values', () => {
    const results = [i32, i64, f64];
    const three = [0x41, 1, 0x42, 2, 0x44, ...new Array<number>(8).fill(0)];
    const source = moduleOf([
      {
        name: 'run',
        params: [i32],
        results,
        body: [...three, 0x02, 1, 0x20, 0, 0x0d, 1, 0x0b, 0x03, 1, 0x20, 0, 0x0d, 0, 0x0b, 0x0f],
      },
      { params: results, results, body: [0x20, 0, 0x20, 1, 0x20, 2] },
    ]);
    expect(validateModule(source)).toBe(true);
    const metered = meter(rewritten(source), 10_000n);
    expect(metered.call('run', 1)).toMatchObject({ outcome: 'ok', value: [1, 2n, 0] });
    expect(metered.call('run', 0)).toMatchObject({ outcome: 'ok', value: [1, 2n, 0] });
  });
});
