// Goal: what a rewritten function uses is the sum of the costs of what it executes, and not a unit
// less is enough; its value is the original's.
// Method: made-up functions against an interpreter that counts each instruction; calls, bulk
// instructions, growth and recursion by hand.
import { describe, expect, test } from 'vitest';
import { engine } from '../../node/executor/engine.ts';
import { protocolLimits } from '../../protocol/execution/limits.ts';
import { depthLimit } from '../../protocol/execution/outcome.ts';
import { op, unsigned } from '../fixtures/programs/assemble.ts';
import { linesBut } from '../support/execution-lines.ts';
import { reachEveryLine } from '../support/lines.ts';
import {
  fuelOf,
  i32,
  i64,
  type Metered,
  meter,
  moduleOf,
  type Run,
  rewritten,
  type Source,
} from '../support/modules.ts';
import {
  bodyOf,
  Exhausted,
  interpret,
  localCount,
  makeUp,
  type Statement,
  Trap,
} from '../support/small-code.ts';

reachEveryLine('execution', linesBut(40, [46, 52], [55, 58], [62, 66]));

const plenty = 10n ** 15n;

describe('made-up functions', () => {
  const budget = 3_000;
  const locals = new Array<number>(localCount - 1).fill(i32);
  // A loop that is repeated once keeps a function from being prepaid.
  const loop: Statement[] = [
    { kind: 'set', local: 2, to: { kind: 'const', value: 1 } },
    {
      kind: 'loop',
      body: [
        {
          kind: 'if',
          test: { kind: 'get', local: 2 },
          taken: [
            { kind: 'set', local: 2, to: { kind: 'const', value: 0 } },
            { kind: 'br', label: 1 },
          ],
          other: null,
        },
      ],
    },
  ];
  const build = (functions: readonly (readonly Statement[])[]) =>
    rewritten(
      moduleOf(
        functions.map((statements, index) => ({
          ...(index === 0 ? { name: 'run' } : {}),
          params: [i32],
          results: [i32],
          locals,
          body: bodyOf(statements),
        })),
      ),
    );

  test('values, fuel and traps are those of the interpreter; one unit less is too little', () => {
    const seen = { done: 0, trap: 0, spent: 0, long: 0 };
    for (let seed = 0; seed < 1_500; seed++) {
      const made = makeUp(seed, 3);
      const functions = seed % 2 === 0 ? made : made.map((body) => [...loop, ...body]);
      const bytes = build(functions);
      const run = interpret(functions, { budget, calls: 200 });
      // Without loops, callees may be prepaid: then it is as if all their arms were taken.
      const exact = seed % 2 === 1;
      for (const argument of [0, 1, 7]) {
        let expected: { value: number; fuel: number };
        try {
          expected = run(0, argument);
        } catch (error) {
          if (error instanceof Exhausted) {
            seen.spent += 1;
            const { outcome } = meter(bytes, BigInt(budget)).call('run', argument);
            if (exact)
              expect(['out-of-fuel', 'too-deep', 'trap'], `seed ${seed}`).toContain(outcome);
            continue;
          }
          if (!(error instanceof Trap)) throw error;
          seen.trap += 1;
          expect(meter(bytes, plenty).call('run', argument).outcome, `seed ${seed}`).toBe('trap');
          continue;
        }
        seen.done += 1;
        const { outcome, value, left, depth } = meter(bytes, plenty).call('run', argument);
        expect({ outcome, value, depth }, `seed ${seed}`).toEqual({
          outcome: 'ok',
          value: expected.value,
          depth: depthLimit,
        });
        const used = plenty - left;
        if (exact) expect(used, `seed ${seed}`).toBe(BigInt(expected.fuel));
        else expect(used >= BigInt(expected.fuel), `seed ${seed}`).toBe(true);
        if (expected.fuel > 60) seen.long += 1;
        expect(meter(bytes, used).call('run', argument).outcome, `seed ${seed}`).toBe('ok');
        if (used === 0n) continue;
        const short = meter(bytes, used - 1n).call('run', argument);
        expect(short.outcome, `seed ${seed}`).toBe('out-of-fuel');
      }
    }
    for (const [kind, count] of Object.entries(seen)) expect(count, kind).toBeGreaterThan(25);
  });
});

const repeat = (body: readonly number[]): number[] => [
  // The second local counts down from the first one.
  ...[0x20, 0, 0x21, 1, 0x03, 0x40, ...body],
  ...[0x20, 1, 0x41, 1, 0x6b, 0x22, 1, 0x0d, 0, 0x0b],
];
/** Loop header, subtraction, branch. */
const perTurn = 3n;

describe('calls', () => {
  const leaf: Source = { params: [i32], results: [i32], body: [0x20, 0, 0x41, 1, 0x6a] };
  const caller = (callee: number): Source => ({
    name: 'run',
    params: [i32],
    locals: [i32],
    body: repeat([0x20, 1, ...op.call(callee), 0x1a]),
  });
  const used = (functions: readonly Source[], turns = 1): bigint =>
    fuelOf(rewritten(moduleOf(functions)), (it) => it.call('run', turns));

  test('a small leaf is paid by its caller, exported or not', () => {
    // Ten for the call, one for the addition.
    expect(used([leaf, caller(0)])).toBe(perTurn + 11n);
    expect(used([{ ...leaf, name: 'leaf' }, caller(0)], 5)).toBe(5n * (perTurn + 11n));
    const bytes = rewritten(moduleOf([{ ...leaf, name: 'leaf' }, caller(0)]));
    expect(fuelOf(bytes, (it) => it.call('leaf', 7))).toBe(1n);
    expect(meter(bytes, plenty).call('leaf', 7).value).toBe(8);
  });

  test('both arms of a prepaid leaf are paid, an arm that traps is free', () => {
    const choose = (then: number[]): Source => ({
      params: [i32],
      results: [i32],
      body: [0x20, 0, 0x04, 0x40, ...then, 0x0b, 0x41, 0],
    });
    const work = new Array<number[]>(9).fill([0x20, 0, 0x45, 0x1a]).flat();
    expect(used([choose(work), caller(0)])).toBe(perTurn + 10n + 1n + 9n);
    const trap = { ...caller(0), params: [i32], body: [0x41, 0, ...op.call(0), 0x1a] };
    expect(used([choose([...work, 0x00]), trap])).toBe(10n + 1n);
    const heavy = new Array<number[]>(64).fill([0x20, 0, 0x45, 0x1a]).flat();
    // 65 are too many to be prepaid: the arm that is not taken costs nothing then.
    expect(used([choose(heavy), { ...trap, body: [0x41, 0, ...op.call(0), 0x1a] }])).toBe(11n);
    expect(used([choose(heavy.slice(4)), trap])).toBe(10n + 64n);
  });

  test('no chain of calls without loops runs long unseen', () => {
    const work = new Array<number[]>(70).fill([0x41, 0, 0x1a, 0x41, 0, 0x45, 0x1a]).flat();
    const doubling = Array.from(
      { length: 60 },
      (_, at): Source => ({
        body: at === 0 ? work : [...op.call(at - 1), ...op.call(at - 1)],
      }),
    );
    const bytes = rewritten(moduleOf([...doubling, { name: 'run', body: op.call(59) }]));
    expect(meter(bytes, 1_000_000n).call('run')).toMatchObject({ outcome: 'out-of-fuel' });
  });

  test('an indirect call costs 16 and finds the function that pays for itself', () => {
    const table = { 4: [1, 0x70, 0, 1], 9: [1, 0, 0x41, 0, 0x0b, 1, 0] };
    const run: Source = { name: 'run', params: [i32], results: [i32], body: [] };
    const indirect = { ...run, body: [0x20, 0, 0x41, 0, 0x11, 0, 0] };
    const bytes = rewritten(moduleOf([leaf, indirect], table));
    expect(fuelOf(bytes, (it) => it.call('run', 1))).toBe(17n);
    expect(meter(bytes, plenty).call('run', 1).value).toBe(2);
  });

  test('fuel is right around imports that call back', () => {
    const imports = { 2: [1, 1, 0x65, 1, 0x66, 0, 0] };
    const back: Source = {
      name: 'back',
      body: new Array<number[]>(5).fill([0x41, 0, 0x45, 0x1a]).flat(),
    };
    const functions: Source[] = [
      back,
      { name: 'run', params: [i32], locals: [i32], body: repeat(op.call(0)) },
    ];
    // One import in front shifts the functions: the exports say 0 and 1, and mean 1 and 2.
    const shifted = moduleOf(functions, {
      ...imports,
      7: [2, 4, 0x62, 0x61, 0x63, 0x6b, 0, 1, 3, 0x72, 0x75, 0x6e, 0, 2],
    });
    const bytes = rewritten(shifted, { imports: 'any' });
    const used = (calls: number): bigint => {
      const link: { it?: Metered } = {};
      const f = () => {
        for (let i = 0; i < calls; i++) link.it!.call('back');
      };
      link.it = meter(bytes, plenty, depthLimit, { e: { f } });
      return plenty - link.it.call('run', 4).left;
    };
    expect(used(0)).toBe(4n * (perTurn + 110n));
    expect(used(3)).toBe(4n * (perTurn + 110n + 15n));
  });
});

describe('bulk instructions and growth', () => {
  const fill = [0x41, 0, 0x41, 7, 0x20, 0, 0xfc, 11, 0];
  const copy = [0x41, 0, 0x41, 8, 0x20, 0, 0xfc, 10, 0, 0];
  const init = [0x41, 0, 0x41, 0, 0x20, 0, 0xfc, 8, 0, 0];
  const data = { 12: [1], 11: [1, 1, 20, ...new Array<number>(20).fill(9)] };
  test.each([
    ['fill', fill, [0, 7, 8, 20]],
    ['copy', copy, [0, 7, 8, 20]],
    ['init', init, [0, 7, 8, 20]],
  ])('memory.%s costs 300 and an eighth of its length', (_, code, lengths) => {
    const straight: Source = { name: 'run', params: [i32], body: code };
    const looped: Source = { name: 'loop', params: [i32], locals: [i32], body: repeat(code) };
    const bytes = rewritten(moduleOf([straight, looped], data));
    for (const length of lengths) {
      const used = fuelOf(bytes, (it) => it.call('run', length));
      expect(used).toBe(300n + BigInt(length >> 3));
      expect(meter(bytes, used - 1n).call('run', length).outcome).toBe('out-of-fuel');
    }
    expect(fuelOf(bytes, (it) => it.call('loop', 16))).toBe(16n * (perTurn + 302n));
    // What cannot be paid is not begun.
    const poor = meter(bytes, 400n);
    expect(poor.call('run', 65_000).outcome).toBe('out-of-fuel');
    expect(
      poor
        .memory()
        .slice(0, 100)
        .every((byte) => byte === 0),
    ).toBe(true);
  });

  const grow = (pages: number): Source => ({
    name: 'run',
    params: [i32],
    results: [i32],
    locals: [i32],
    body: [...repeat([]), ...op.i32(pages), ...op.grow],
  });
  test('growth is paid by the page and refused above the maximum only', () => {
    const run = (pages: number, fuel = plenty): Run =>
      meter(rewritten(moduleOf([grow(pages)])), fuel).call('run', 1);
    expect(run(15)).toMatchObject({ outcome: 'ok', value: 1, left: plenty - 1_015_000n - perTurn });
    expect(run(0)).toMatchObject({ outcome: 'ok', value: 1, left: plenty - 1_000_000n - perTurn });
    for (const pages of [16, -1])
      expect(run(pages)).toMatchObject({
        outcome: 'ok',
        value: -1,
        left: plenty - 1_000_000n - perTurn,
      });
    expect(run(15, 1_014_999n + perTurn).outcome).toBe('out-of-fuel');
    const narrow = rewritten(moduleOf([grow(2)]), {
      limits: { ...protocolLimits, memoryPages: 2 },
    });
    expect(meter(narrow, plenty).call('run', 1)).toMatchObject({ outcome: 'ok', value: -1 });
  });

  test('a machine that cannot grow ends the run, and the program does not see it', () => {
    // An imported memory whose real maximum is less than the module may expect.
    const imported = { 2: [1, 1, 0x65, 1, 0x6d, 2, 1, 1, 16], 5: [0] };
    const bytes = rewritten(moduleOf([grow(9)], imported), { imports: 'any' });
    const memory = new (engine.Memory as unknown as new (it: object) => object)({
      initial: 1,
      maximum: 4,
    });
    const run = meter(bytes, plenty, depthLimit, { e: { m: memory } }).call('run', 1);
    expect(run.outcome).toBe('host-oom');
  });
});

describe('depth', () => {
  const down = (callee: number, name?: string): Source => ({
    ...(name === undefined ? {} : { name }),
    params: [i64],
    results: [i64],
    body: [
      0x20,
      0,
      0x50,
      0x04,
      i64,
      0x42,
      0,
      0x05,
      0x20,
      0,
      0x42,
      1,
      0x7d,
      ...op.call(callee),
      0x0b,
    ],
  });
  test('recursion is counted by its frame, and unwound', () => {
    const bytes = rewritten(moduleOf([down(0, 'run')]));
    // 8, one parameter, two operands at most.
    const weight = 11;
    const fits = Math.floor(depthLimit / weight) - 1;
    expect(meter(bytes, plenty).call('run', BigInt(fits))).toMatchObject({
      outcome: 'ok',
      depth: depthLimit,
    });
    expect(meter(bytes, plenty).call('run', BigInt(fits + 1))).toMatchObject({
      outcome: 'too-deep',
    });
    const mutual = rewritten(moduleOf([down(1, 'run'), down(0)]));
    expect(meter(mutual, plenty, 11 * 50).call('run', 49n).outcome).toBe('ok');
    expect(meter(mutual, plenty, 11 * 50).call('run', 50n).outcome).toBe('too-deep');
  });

  test('what is not recursive is not counted, unless a table may lead back', () => {
    const chain: Source[] = [down(1, 'run'), { params: [i64], results: [i64], body: [0x20, 0] }];
    expect(meter(rewritten(moduleOf(chain)), plenty, 0).call('run', 5n).outcome).toBe('ok');
    const through: Source = {
      ...down(0, 'run'),
      body: [
        0x20,
        0,
        0x50,
        0x04,
        i64,
        0x42,
        0,
        0x05,
        0x20,
        0,
        0x42,
        1,
        0x7d,
        0x41,
        0,
        0x11,
        0,
        0,
        0x0b,
      ],
    };
    const table = { 4: [1, 0x70, 0, 1], 9: [1, 0, 0x41, 0, 0x0b, 1, 0] };
    const bytes = rewritten(moduleOf([through], table));
    expect(meter(bytes, plenty, 12 * 10).call('run', 9n).outcome).toBe('ok');
    expect(meter(bytes, plenty, 12 * 10).call('run', 10n).outcome).toBe('too-deep');
  });

  test('a return from inside a counted loop gives fuel and depth back', () => {
    const early: Source = {
      name: 'run',
      params: [i32],
      results: [i32, i32],
      locals: [i32],
      body: [
        ...[0x20, 0, 0x45, 0x04, 0x40, 0x41, 1, 0x41, 2, 0x0f, 0x0b],
        ...repeat([0x20, 0, 0x41, 1, 0x6b, ...op.call(0), 0x0f]),
        ...[0x41, 3, 0x41, 4],
      ],
    };
    const run = meter(rewritten(moduleOf([early])), plenty).call('run', 20);
    expect(run).toMatchObject({ outcome: 'ok', value: [1, 2], depth: depthLimit });
    expect(run.left).toBeLessThan(plenty - 200n);
  });
});

test('costs and lengths are written alike whatever their size', () => {
  for (const count of [63, 64, 127, 128, 8_191, 8_192]) {
    const body = new Array<number[]>(count).fill([0x20, 0, 0x45, 0x1a]).flat();
    const bytes = rewritten(moduleOf([{ name: 'run', params: [i32], body }]));
    expect(fuelOf(bytes, (it) => it.call('run', 1))).toBe(BigInt(count));
    expect(unsigned(count).length).toBeLessThan(3);
  }
});
