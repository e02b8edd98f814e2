// Goal: modules made to break a machine are refused by name, each in its place; the rest is
// rewritten to modules that count what they do, whatever a host catches meanwhile.
// Method: the hostile fixtures, admitted and rewritten in this process; instructions that cost
// nothing, calls that come back, and vectors by hand.
import { describe, expect, test } from 'vitest';
import { validateModule } from '../../node/executor/engine.ts';
import { admitProgram } from '../../protocol/execution/admit.ts';
import { instrument } from '../../protocol/execution/instrument.ts';
import { depthLimit } from '../../protocol/execution/outcome.ts';
import { refused } from '../fixtures/hostile/refused.ts';
import { running } from '../fixtures/hostile/running.ts';
import { op } from '../fixtures/programs/assemble.ts';
import { linesBut } from '../support/execution-lines.ts';
import { reachEveryLine } from '../support/lines.ts';
import {
  fuelOf,
  i32,
  i64,
  type Metered,
  meter,
  moduleOf,
  rewritten,
  type Source,
  v128,
} from '../support/modules.ts';

reachEveryLine('execution', linesBut(91, 92));

const admit = (bytes: Uint8Array) => admitProgram(bytes, { validate: validateModule });
const repeat = (count: number, ...code: number[]): number[] =>
  new Array<readonly number[]>(count).fill(code).flat();

describe('the hostile corpus', () => {
  test('is as large as it says', () => {
    expect(Object.keys(refused).length + Object.keys(running).length).toBeGreaterThanOrEqual(100);
  });

  test.each(Object.entries(refused))('%s is refused', (_, { bytes, code, late }) => {
    const admission = admit(bytes);
    if (late === undefined) expect(admission).toMatchObject({ kind: 'rejected', code });
    else expect(admission.kind).toBe('ok');
    // The rewriter answers to all of them, admitted or not.
    const made = instrument(bytes);
    if (late !== undefined) expect(made).toMatchObject({ kind: 'rejected', code });
    if (made.kind === 'rejected') expect(made.offset).toBeLessThanOrEqual(bytes.length);
  });

  test.each(Object.entries(running))('%s is rewritten', (_, { bytes }) => {
    expect(admit(bytes).kind).toBe('ok');
    expect(validateModule(rewritten(bytes))).toBe(true);
  });
});

describe('instructions that cost nothing', () => {
  const used = (body: readonly number[], locals: readonly number[] = [i32]): bigint =>
    fuelOf(rewritten(moduleOf([{ name: 'run', params: [i32], locals, body }])), (it) =>
      it.call('run', 3),
    );

  test('each eighth one beyond 32 costs 1, unless the slot is dearer', () => {
    // A local of its own counts as one.
    expect(used(repeat(16, 0x20, 0, 0x1a), [])).toBe(0n);
    expect(used(repeat(19, 0x20, 0, 0x1a), [])).toBe(0n);
    expect(used(repeat(20, 0x20, 0, 0x1a), [])).toBe(1n);
    expect(used(repeat(20, 0x41, 0, 0x21, 0), [])).toBe(1n);
    expect(used(repeat(40, 0x02, 0x40, 0x0b), [])).toBe(1n);
    expect(used([], repeat(40, i64))).toBe(1n);
    expect(used([], repeat(20, v128))).toBe(1n);
    expect(used(repeat(1_016, 0x20, 0, 0x1a), [])).toBe(250n);
    const sums = repeat(2, 0x20, 0, 0x45, 0x1a);
    expect(used([...sums, ...repeat(18, 0x20, 0, 0x1a)], [])).toBe(2n);
    expect(used([...sums, ...repeat(30, 0x20, 0, 0x1a)], [])).toBe(4n);
  });

  test('those of a loop are paid each time around, those of an unrepeated one with what is around', () => {
    const idle = repeat(100, 0x20, 0, 0x1a);
    const down = [0x20, 0, 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0];
    // 205 in the slot of the loop up to its branch: 21 each, and 3 rounds.
    expect(used([0x03, 0x40, ...idle, ...down, 0x0b])).toBe(3n * 21n);
    expect(used([0x03, 0x40, ...idle, 0x0b], [])).toBe(21n);
  });
});

describe('calls that come back', () => {
  // The import is function 0, of the type of the first one here, and shifts the others by one.
  const [trap, deep] = [2, 3];
  const down = [0x20, 0, 0x41, 1, 0x6b];
  const module = moduleOf(
    [
      { body: [] },
      { params: [i32], body: [0x20, 0, 0x45, 0x04, 0x40, 0x00, 0x0b, ...down, ...op.call(trap)] },
      { params: [i32], body: [0x20, 0, 0x04, 0x40, 0x10, 0, ...down, ...op.call(deep), 0x0b] },
      { params: [i32], body: [...repeat(3, 0x10, 0), 0x20, 0, ...op.call(deep)] },
      { params: [i32], body: [...repeat(3, 0x41, 0, 0x11, 0, 0), 0x20, 0, ...op.call(deep)] },
    ],
    {
      2: [1, 1, 0x65, 1, 0x66, 0, 0],
      4: [1, 0x70, 0, 1],
      7: [4, 1, 0x74, 0, trap, 1, 0x64, 0, deep, 1, 0x72, 0, 4, 1, 0x62, 0, 5],
      9: [1, 0, 0x41, 0, 0x0b, 1, 0],
    },
  );

  test.each(['d', 'r', 'b'])('a trap that the host catches costs no depth: %s', (name) => {
    const link: { it?: Metered } = {};
    let caught = 0;
    const f = (): void => {
      if (caught++ < 4) expect(link.it!.call('t', 5).outcome).toBe('trap');
    };
    link.it = meter(rewritten(module, { imports: 'any' }), 10n ** 9n, depthLimit, { e: { f } });
    expect(link.it.call(name, 5)).toMatchObject({ outcome: 'ok', depth: depthLimit });
    expect(caught).toBeGreaterThan(4);
  });
});

describe('vectors', () => {
  test('operands count twice in the frame of a function that may hold some', () => {
    const zero = [0xfd, 12, ...repeat(16, 0)];
    const recursion = (type: number, one: readonly number[]): Source => ({
      name: 'run',
      params: [i32],
      body: [...repeat(20, ...one), 0x20, 0, 0x10, 0, ...repeat(20, 0x1a)],
      locals: [type],
    });
    const calls = (source: Source): number => {
      const run = meter(rewritten(moduleOf([source])), 10n ** 9n, 10_000).call('run', 1);
      expect(run.outcome).toBe('too-deep');
      return 10_000 - run.depth;
    };
    expect(calls(recursion(i64, [0x42, 0]))).toBe(31 * Math.ceil(10_001 / 31));
    expect(calls(recursion(v128, zero))).toBe(53 * Math.ceil(10_001 / 53));
  });
});
