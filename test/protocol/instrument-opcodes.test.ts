// Goal: the rewriter knows each instruction of WebAssembly 2.0 as the engine does, charges what the
// specification says, and refuses every other opcode by name.
// Method: every opcode with operands of all types, to see which ones the engine takes; the costs
// listed a second time.
import { describe, expect, test } from 'vitest';
import { validateModule } from '../../node/executor/engine.ts';
import { instrument } from '../../protocol/execution/instrument.ts';
import { protocolLimits } from '../../protocol/execution/limits.ts';
import { costs, form, forms, pops, prefixed, pushes } from '../../protocol/execution/opcodes.ts';
import { unsigned } from '../fixtures/programs/assemble.ts';
import { linesBut } from '../support/execution-lines.ts';
import { reachEveryLine } from '../support/lines.ts';
import { f32, f64, i32, i64, moduleOf, rewritten, v128 } from '../support/modules.ts';

reachEveryLine('execution', linesBut([41, 42]));

const run = (body: readonly number[]) => moduleOf([{ name: 'run', body }]);
const code = (bytes: Uint8Array, options = {}): string => {
  const made = instrument(bytes, options);
  return made.kind === 'ok' ? 'ok' : made.code;
};

describe('the list of instructions', () => {
  // A table, a data and an element segment, a mutable global and a function: number 0 of each.
  const shell = (body: readonly number[]): Uint8Array =>
    moduleOf([{ name: 'run', body, locals: [i32] }], {
      4: [1, 0x70, 0, 1],
      6: [1, i32, 1, 0x41, 0, 0x0b],
      9: [1, 0, 0x41, 0, 0x0b, 1, 0],
      11: [1, 1, 1, 7],
      12: [1],
    });
  const zero: Record<number, number[]> = {
    [i32]: [0x41, 0],
    [i64]: [0x42, 0],
    [f32]: [0x43, 0, 0, 0, 0],
    [f64]: [0x44, 0, 0, 0, 0, 0, 0, 0, 0],
    [v128]: [0xfd, 12, ...new Array<number>(16).fill(0)],
    112: [0xd0, 0x70],
  };
  const types = Object.keys(zero).map(Number);
  const operands: number[][] = [
    ...[[], [i32, i32, i32], [v128, v128, v128], [i32, 112, i32]],
    ...types.map((type) => [type]),
    ...types.flatMap((a) => types.map((b) => [a, b])),
  ];
  /** Bytes behind an opcode, by our own list: a wrong one leads the engine astray. */
  const immediates: Record<number, number[]> = {
    [form.plain]: [],
    [form.memoryLane]: [0, 0, 0],
    [form.memory]: [0, 0],
    [form.memoryCopy]: [0, 0],
    [form.memoryInit]: [0, 0],
    [form.tableCopy]: [0, 0],
    [form.tableInit]: [0, 0],
    [form.referenceType]: [0x70],
    [form.selectTyped]: [1, i32],
    [form.f32]: [0, 0, 0, 0],
    [form.f64]: new Array<number>(8).fill(0),
    [form.bits128]: new Array<number>(16).fill(0),
    [form.lanes16]: new Array<number>(16).fill(0),
  };
  type Found = { readonly moves: Set<string>; readonly bytes: Uint8Array[] };
  /** All the ways in which the engine takes an opcode outside of control flow. */
  const find = (opcode: readonly number[], immediate: readonly number[]): Found => {
    const found: Found = { moves: new Set(), bytes: [] };
    for (const given of operands)
      for (const results of [0, 1]) {
        const before = given.flatMap((type) => zero[type]!);
        const after = new Array<number>(results).fill(0x1a);
        const bytes = shell([...before, ...opcode, ...immediate, ...after]);
        if (!validateModule(bytes)) continue;
        found.moves.add(`${given.length}>${results}`);
        found.bytes.push(bytes);
      }
    return found;
  };
  /** Opcodes of control flow, where operands depend on types; each has tests of its own. */
  const control = new Set([
    0x00,
    ...[0x02, 0x03, 0x04, 0x05, 0x0b],
    0x0c,
    0x0d,
    0x0e,
    0x0f,
    0x10,
    0x11,
  ]);
  const tableChanges = new Set([0x26, ...[12, 14, 15, 17].map((it) => prefixed[0xfc] + it)]);

  test('each moves the operands that the engine says, and survives the rewriting', () => {
    let listed = 0;
    const refused: string[] = [];
    const all = [
      ...Array.from({ length: 0xfb }, (_, at) => [at, [at]] as const),
      ...Array.from({ length: 18 }, (_, at) => [prefixed[0xfc] + at, [0xfc, at]] as const),
      ...Array.from(
        { length: 256 },
        (_, at) => [prefixed[0xfd] + at, [0xfd, ...unsigned(at)]] as const,
      ),
    ];
    for (const [opcode, bytes] of all) {
      if (control.has(opcode)) continue;
      const name = bytes.map((byte) => byte.toString(16)).join(' ');
      if (forms[opcode] === 0) {
        // Nothing, or a feature that came later.
        expect(code(run([...bytes, 0, 0])), name).toBe('PROGRAM_UNSUPPORTED');
        refused.push(name);
        continue;
      }
      const { moves, bytes: modules } = find(bytes, immediates[forms[opcode]!] ?? [0]);
      const [taken, given] = [pops[opcode]!, pushes[opcode]!];
      expect(moves.delete(`${taken}>${given}`), name).toBe(true);
      // What leaves nothing leaves an operand more, if there is one, to the drop.
      if (given === 0) moves.delete(`${taken + 1}>1`);
      expect([...moves], name).toEqual([]);
      const limits = { ...protocolLimits, tableChanges: 1 };
      for (const module of modules) {
        expect(code(module), name).toBe(tableChanges.has(opcode) ? 'PROGRAM_LIMIT' : 'ok');
        expect(validateModule(rewritten(module, { limits })), name).toBe(true);
      }
      listed += 1;
    }
    // WebAssembly 2.0: 172 at first, 5 for signs, 8 conversions, 7 bulk, 9 references, 236 vectors.
    expect(listed).toBe(172 + 5 + 8 + 7 + 9 + 236 - control.size);
    expect(refused).toEqual(
      expect.arrayContaining(['12', '13', '6', '8', '18', '1f', 'd3', 'fd 9a 1']),
    );
  });

  test('each costs what the table of the specification says', () => {
    const range = (first: number, last = first) =>
      Array.from({ length: last - first + 1 }, (_, at) => first + at);
    const [fc, fd] = [prefixed[0xfc], prefixed[0xfd]];
    const expected = new Map<number, number>();
    const expectAll = (fuel: number, ...opcodes: number[][]) => {
      for (const opcode of opcodes.flat()) expected.set(opcode, fuel);
    };
    // All of v128 and all else first; then what is dearer or cheaper.
    expectAll(1, range(0x00, fc - 1), range(fc, fd - 1));
    expectAll(2, range(fd, fd + 255));
    expectAll(0, range(0x00, 0x02), [0x05, 0x0b, 0x1a], range(0x20, 0x22), range(0x41, 0x44));
    expectAll(0, [fd + 12]);
    expectAll(2, range(0x28, 0x3e), [0x25, 0x26, 0x6c, 0x7e], range(0x8b, 0x90), [0x98]);
    expectAll(
      2,
      range(0x99, 0x9e),
      [0xa6],
      range(0xa8, 0xab),
      range(0xae, 0xbb),
      range(fc, fc + 7),
    );
    expectAll(3, [0x0e], range(0x92, 0x94), range(0x96, 0x97), range(0xa0, 0xa2), [0xa4, 0xa5]);
    expectAll(8, [0xd2]);
    expectAll(10, [0x10]);
    expectAll(12, range(0x6d, 0x70), range(0x7f, 0x82), [0x91, 0x95, 0x9f, 0xa3]);
    expectAll(
      12,
      [0xe3, 0xe7, 0xef, 0xf3].map((it) => fd + it),
    );
    expectAll(16, [0x11]);
    expectAll(
      300,
      [8, 10, 11, 12, 14, 15, 17].map((it) => fc + it),
    );
    expectAll(1_000_000, [0x40]);
    const unlike = [...expected].filter(([at, fuel]) => forms[at] !== 0 && costs[at] !== fuel);
    expect(unlike).toEqual([]);
  });

  test.each<[string, number[]]>([
    ['relaxed SIMD', [0xfd, ...unsigned(256), 0]],
    ['atomics', [0xfe, 0, 0, 0]],
    ['garbage collection', [0xfb, 0, 0]],
    ['a tail call', [0x12, 0]],
    ['an exception', [0x08, 0]],
    ['an exception in dead code', [0x00, 0x08, 0]],
    ['a bulk instruction that is none', [0xfc, 18]],
    ['an opcode that is written long and is none', [0xfd, 0xff, 0xff, 0xff, 0xff, 0x0f]],
  ])('%s is refused at its place', (_, instruction) => {
    const bytes = run([0x01, ...instruction]);
    const made = instrument(bytes);
    expect(made).toMatchObject({ kind: 'rejected', code: 'PROGRAM_UNSUPPORTED' });
    expect(made.kind === 'rejected' && bytes[made.offset]).toBe(
      instruction[0] === 0 ? instruction[1] : instruction[0],
    );
  });
});
