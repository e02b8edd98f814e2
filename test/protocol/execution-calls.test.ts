// Goal: a call of a program costs what the page says, and whatever the program does in it, it ends
// in one of the named ways.
// Method: calls of small hostile modules in this process; fuel by property and by hand.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { engine, validateModule } from '../../node/executor/engine.ts';
import { callProgram, HostFailure } from '../../node/executor/instance.ts';
import {
  check,
  combine,
  count,
  fold,
  mapItem,
  openProgram,
  sample,
} from '../../node/executor/program.ts';
import { admitProgram } from '../../protocol/execution/admit.ts';
import { combineValues } from '../../protocol/execution/evaluate.ts';
import { callFuel, fuelAtStart, wallGuardMs } from '../../protocol/execution/fuel.ts';
import { custom, header, i32, i64, op, program, unsigned } from '../fixtures/programs/assemble.ts';
import { linesBut } from '../support/execution-lines.ts';
import { reachEveryLine } from '../support/lines.ts';
import { rewritten } from '../support/modules.ts';

reachEveryLine('execution', linesBut([23, 28], [33, 34], [67, 70], [73, 76], 93));

const real = { validate: validateModule };
const pointers = [i32, i32, i32, i32];

describe('calls', () => {
  const callable = (bytes: Uint8Array) => ({
    module: new engine.Module(rewritten(bytes)),
    setupFuel: 0,
  });
  const plenty = 1_000_000n;
  const call = (bytes: Uint8Array, ...items: Uint8Array[]) =>
    callProgram(callable(bytes), {
      name: 'anw_map',
      arguments: items,
      valueBytesMax: 1_000,
      fuel: plenty,
    });
  const parameters = new TextEncoder().encode('{}');
  const none = new Uint8Array(0);
  const failed = (failure: string) => expect.objectContaining({ ok: false, class: failure });
  const done = (value: Uint8Array) => expect.objectContaining({ ok: true, value });
  const loop = [...op.loopForever, ...op.unreachable];

  test('a value is copied out, and nothing is allocated for nothing', () => {
    const item = Uint8Array.of(1, 2, 3);
    expect(call(program(), parameters, item)).toEqual(done(item));
    const greedy = program({ anw_alloc: op.unreachable });
    expect(call(greedy, none, none)).toEqual(done(none));
    expect(call(greedy, parameters, none)).toEqual(failed('trap'));
  });

  test('lies about memory are bad values', () => {
    const returning = (pointer: number, length: number) => {
      const result = op.i64((BigInt(pointer) << 32n) | BigInt(length));
      return call(program({ anw_map: result }), none, Uint8Array.of(1));
    };
    const edge = 65_536;
    const lawful = [
      [edge, 0],
      [edge - 1, 1],
      [0, 1_000],
    ] as const;
    for (const [pointer, length] of lawful)
      expect(returning(pointer, length)).toEqual(done(new Uint8Array(length)));
    const lies = [
      [edge + 1, 0],
      [edge - 1, 2],
      [0, 1_001],
      [0, 2 ** 30],
      [2 ** 32 - 1, 2 ** 32 - 1],
    ];
    for (const [pointer, length] of lies)
      expect(returning(pointer!, length!), `${pointer}+${length}`).toEqual(failed('bad-value'));
    for (const pointer of [-1, edge, 0x7fffffff])
      expect(call(program({ anw_alloc: op.i32(pointer) }), none, Uint8Array.of(1))).toEqual(
        failed('bad-value'),
      );
  });

  test('what ends a call early is told by its counters', () => {
    expect(call(program({ anw_map: op.unreachable }), none, none)).toEqual(failed('trap'));
    const outside = { raw: [{ id: 11, content: [1, 0, ...op.i32(65_536), 0x0b, 1, 9] }] };
    expect(call(program({}, [], outside), none, none)).toEqual(failed('trap'));
    const deep = program({ anw_map: [...[0, 1, 2, 3].flatMap(op.get), ...op.call(2)] });
    expect(call(deep, none, none)).toEqual(failed('too-deep'));
    expect(call(program({ anw_map: loop }), none, none)).toEqual(failed('out-of-fuel'));
    expect(call(program({ anw_alloc: loop }), parameters)).toEqual(failed('out-of-fuel'));
  });

  test('fuel that runs out with the last instruction is told before a bad value', () => {
    const lie = program({ anw_alloc: op.i32(-1), anw_map: op.i64(-1n) });
    const limited = (name: string, given: Uint8Array[], fuel: bigint) =>
      callProgram(callable(lie), { name, arguments: given, valueBytesMax: 10, fuel });
    const begun = callFuel(0, 0);
    expect(limited('anw_map', [], begun)).toEqual(failed('bad-value'));
    expect(limited('anw_map', [], begun - 1n)).toEqual(failed('out-of-fuel'));
    // Four additions, which nothing checks but the end.
    const busy = [...op.i32(0), ...new Array(4).fill([0x41, 1, 0x6a]).flat(), 0x1a];
    const late = callable(program({ anw_map: [...busy, ...op.i64(-1n)] }));
    const end = { name: 'anw_map', arguments: [], valueBytesMax: 10 };
    expect(callProgram(late, { ...end, fuel: begun + 4n })).toEqual(failed('bad-value'));
    expect(callProgram(late, { ...end, fuel: begun + 3n })).toEqual(failed('out-of-fuel'));
  });

  test('a stack that is full too early is tried again in the code that a host has for that', () => {
    const itself = program({ anw_map: [...[0, 1, 2, 3].flatMap(op.get), ...op.call(2)] });
    const counted = new engine.Module(rewritten(itself));
    const code = rewritten(itself);
    // `global.get depth; i32.const weight; i32.sub; local.tee`: the weight becomes nothing.
    const at = code.findIndex((_, from) => code[from] === 0x41 && code[from + 2] === 0x6b);
    expect(code[at + 1]).toBeGreaterThan(8);
    code[at + 1] = 0;
    const greedy = { module: new engine.Module(code), setupFuel: 0 };
    let asked = 0;
    const baseline = () => {
      asked += 1;
      return counted;
    };
    const mapped = (callable: typeof greedy, fuel: bigint) => () =>
      callProgram(callable, { name: 'anw_map', arguments: [none, none], valueBytesMax: 9, fuel });
    const wide = 10n ** 12n;
    expect(mapped(greedy, wide)).toThrow(HostFailure);
    expect(mapped({ ...greedy, ...{ baseline } }, wide)()).toEqual(failed('too-deep'));
    expect(asked).toBe(1);
    // Where the stack is not the matter, nobody asks for other code.
    expect(mapped({ ...greedy, ...{ baseline } }, 20_000n)()).toEqual(failed('out-of-fuel'));
    expect(mapped({ module: counted, setupFuel: 0, ...{ baseline } }, wide)()).toEqual(
      failed('too-deep'),
    );
    expect(asked).toBe(1);
  });

  test('what the machine lacks, and what was not admitted, is not the program’s failure', () => {
    // A stack that is far too small for the depth that a run may have.
    const deep = openProgram(
      program({ anw_map: [...[0, 1, 2, 3].flatMap(op.get), ...op.call(2)] }),
    );
    const shallow = (levels: number): unknown =>
      levels === 0 ? mapItem(deep, none, none, plenty) : shallow(levels - 1);
    const deepest = (): number => {
      let levels = 0;
      const count = (): void => {
        levels += 1;
        count();
      };
      expect(count).toThrow(RangeError);
      return levels;
    };
    let levels = deepest();
    let told: unknown = null;
    while (levels > 0 && told === null)
      try {
        shallow(levels);
        break;
      } catch (error) {
        if (error instanceof HostFailure) told = error;
        levels = Math.floor(levels * 0.95);
      }
    expect(told).toMatchObject({ class: 'host-oom' });
    for (const bytes of [Uint8Array.from(header), program({}, [], { memory: null })])
      expect(() => openProgram(bytes)).toThrow(HostFailure);
    // Admitted by what it exports, refused by what it does: it changes a table.
    const growing = program(
      { anw_map: [0xd0, 0x70, ...op.i32(1), 0xfc, 15, 0, 0x1a, ...op.i64(0n)] },
      [],
      { raw: [{ id: 4, content: [1, 0x70, 0, 1] }] },
    );
    expect(admitProgram(growing, real).kind).toBe('ok');
    expect(() => openProgram(growing)).toThrow(
      expect.objectContaining({ class: 'inadmissible', message: expect.stringContaining('LIMIT') }),
    );
    const plain = { module: new engine.Module(program()), setupFuel: 0 };
    const end = { name: 'anw_map', arguments: [], valueBytesMax: 10, fuel: plenty };
    expect(() => callProgram(plain, end), 'not rewritten').toThrow(HostFailure);
    expect(() => callProgram(callable(program()), { ...end, name: 'nothing' })).toThrow(
      /exports no function/,
    );
  });

  test('a count is eight bytes, or refused', () => {
    const item = { name: 'anw_item', params: [i32, i32, i64], results: [i64], body: op.i64(0n) };
    const counting = (number: bigint) => {
      const body = op.i64(number);
      const made = { name: 'anw_count', params: [i32, i32], results: [i64], body };
      return count(openProgram(program({}, [made, item])), none, plenty);
    };
    expect(counting(258n)).toEqual(done(Uint8Array.of(0, 0, 0, 0, 0, 0, 1, 2)));
    expect(counting(-2n).ok).toBe(true);
    expect(counting(-1n)).toEqual(failed('bad-value'));
    expect(count(openProgram(program()), none, plenty)).toEqual(failed('bad-value'));
  });

  test('a program checks and makes values, if it has what it takes', () => {
    const seed = Uint8Array.from({ length: 32 }, (_, at) => at);
    const first = [...op.get(0), 0xad, ...op.i64(32n), 0x86, ...op.i64(4n), 0x84];
    const rich = openProgram(
      program({}, [
        { name: 'anw_sample', params: [i32], results: [i64], body: first },
        {
          ...{ name: 'anw_check', params: [...pointers, i32, i32, i32], results: [i32] },
          // The first byte of the seed behind the item's, taken from the value's.
          body: [0x20, 4, 0x2d, 0, 0, 0x20, 2, 0x2d, 0, 0, 0x6b, 0x20, 6, 0x2d, 0, 0, 0x6b],
        },
      ]),
    );
    expect(sample(rich, seed, plenty)).toEqual(done(Uint8Array.of(0, 1, 2, 3)));
    const asks = (item: number, value: number) => {
      const question = { parameters, item: Uint8Array.of(item), value: Uint8Array.of(value), seed };
      return check(rich, question, plenty);
    };
    expect(asks(5, 6)).toEqual(done(Uint8Array.of(1)));
    expect(asks(5, 5)).toEqual(done(Uint8Array.of(0)));
    const poor = openProgram(program());
    expect(sample(poor, seed, plenty)).toEqual(failed('bad-value'));
    const question = { parameters, item: none, value: none, seed };
    expect(check(poor, question, plenty)).toEqual(failed('bad-value'));
    expect(() => sample(rich, seed.slice(1), plenty)).toThrow(/32 bytes/);
  });
});

describe('fuel', () => {
  const bytes = fc.nat(2 ** 24);
  test('a call is charged for its instance, its arguments and its setup', () => {
    expect(callFuel(0, 0)).toBe(16_384n);
    expect([1, 8, 9].map((count) => callFuel(count, 5))).toEqual([16_390n, 16_390n, 16_391n]);
    fc.assert(
      fc.property(bytes, bytes, fc.bigInt({ min: -3n, max: 3n }), (given, setup, spare) => {
        const left = fuelAtStart(callFuel(given, setup) + spare, given, setup);
        expect(left).toBe(spare < 0n ? null : spare);
      }),
    );
  });

  test('setup is charged by the byte of what each instance makes anew', () => {
    const setup = (...raw: { id: number; content: number[] }[]): number => {
      const admission = admitProgram(program({}, [], { raw }), real);
      if (admission.kind !== 'ok') throw new Error(admission.reason);
      return admission.setupFuel - 2_243;
    };
    const table = { id: 4, content: [1, 0x70, 0, ...unsigned(300)] };
    expect(setup(table)).toBe(300);
    expect(setup(table, { id: 9, content: [1, 0, 0x41, 0, 0x0b, 2, 0, 1] })).toBe(300 + 4 * 8);
    expect(setup({ id: 11, content: [1, 0, 0x41, 0, 0x0b, 2, 7, 7] })).toBe(8);
    expect(setup({ id: 0, content: custom('any', [1, 2, 3]) })).toBe(0);
    const pages = admitProgram(
      program({}, [], { memory: [1, ...unsigned(300), ...unsigned(300)] }),
      real,
    );
    expect(pages).toMatchObject({ setupFuel: 243 + 600_000 });
  });

  test('the guard grows with the fuel, in whole milliseconds, rounded up', () => {
    expect(wallGuardMs(0n)).toBe(5_000);
    expect(wallGuardMs(1n)).toBe(5_001);
    expect(wallGuardMs(1_000_000n)).toBe(5_030);
    expect(wallGuardMs(2n ** 36n)).toBe(5_000 + 2_061_585);
    expect(() => wallGuardMs(-1n)).toThrow();
  });

  test('an item that the program makes has one limit, a fold of values one and one a combine', () => {
    const made = openProgram(
      program({}, [
        { name: 'anw_count', params: [i32, i32], results: [i64], body: op.i64(1n) },
        { name: 'anw_item', params: [i32, i32, i64], results: [i64], body: op.i64(9n) },
      ]),
    );
    const parameters = new TextEncoder().encode('{}');
    const whole = mapItem(made, parameters, 0n, 1_000_000n);
    if (!whole.ok) throw new Error(whole.reason);
    expect(whole.fuel > 2n * callFuel(0, made.setupFuel)).toBe(true);
    expect(mapItem(made, parameters, 0n, whole.fuel).ok).toBe(true);
    const short = { ok: false, class: 'out-of-fuel' };
    expect(mapItem(made, parameters, 0n, whole.fuel - 1n)).toMatchObject(short);
    expect(mapItem(made, parameters, 0n, 9n)).toMatchObject(short);
    const values = ['a', '', 'b', 'c'].map((text) => new TextEncoder().encode(text));
    const within = (combine: bigint, all: bigint, some = values) =>
      fold(made, some, { combine, fold: all });
    const folded = within(1_000_000n, 1_000_000n);
    if (!folded.ok) throw new Error(folded.reason);
    expect(within(1_000_000n, folded.fuel).ok).toBe(true);
    // The second combine has what the first one left.
    const dearest = combine(made, values[0]!, values[2]!, 1_000_000n);
    if (!dearest.ok) throw new Error(dearest.reason);
    expect(folded.fuel).toBe(2n * dearest.fuel);
    expect(within(1_000_000n, folded.fuel - 1n)).toMatchObject({
      ...short,
      limit: dearest.fuel - 1n,
    });
    expect(within(dearest.fuel, folded.fuel).ok).toBe(true);
    expect(within(dearest.fuel - 1n, 1_000_000n)).toMatchObject({
      ...short,
      limit: dearest.fuel - 1n,
    });
    expect(within(0n, 0n, values.slice(0, 2))).toMatchObject({ ok: true, fuel: 0n });
    expect(combineValues(() => folded, new Uint8Array(0), values[0]!)).toMatchObject({ fuel: 0n });
  });
});
