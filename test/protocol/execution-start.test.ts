// Goal: a start function is the beginning of every call: it runs once, first, on the call's fuel
// and depth, and what ends it ends the call.
// Method: programs whose start function leaves a trace, on limits that are just enough and one unit
// less, beside the same programs without it; modules whose start function is something else, too.
import { describe, expect, test } from 'vitest';
import { engine } from '../../node/executor/engine.ts';
import { type CallResult, HostFailure } from '../../node/executor/instance.ts';
import { combine, mapItem, openProgram, render } from '../../node/executor/program.ts';
import { runOutcome } from '../../protocol/execution/outcome.ts';
import { type FunctionSource, i32, i64, op, program } from '../fixtures/programs/assemble.ts';
import { linesBut } from '../support/execution-lines.ts';
import { reachEveryLine } from '../support/lines.ts';
import { meter, moduleOf, rewritten, text } from '../support/modules.ts';

reachEveryLine('execution', linesBut(7));

const plenty = 10n ** 8n;
const none = new Uint8Array(0);
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);
const start = (body: readonly number[], name: string | null = null): FunctionSource => ({
  ...{ name, params: [], results: [], body },
});
const section = { id: 8, content: [4] };
type Bodies = Parameters<typeof program>[0];

/** The harmless program with some bodies exchanged, and a start function, number 4. */
const starting = (
  body: readonly number[],
  bodies: Bodies = {},
  { name = null as string | null, data = [] as readonly number[] } = {},
): Uint8Array => {
  const segment = data.length === 0 ? [] : [{ id: 11, content: data }];
  return program(bodies, [start(body, name)], { raw: [section, ...segment] });
};
/** The same without the section that makes it start. */
const idle = (body: readonly number[], bodies: Bodies = {}): Uint8Array =>
  program(bodies, [start(body)]);

const map = (code: Uint8Array, fuel = plenty, item = bytes('item')): CallResult =>
  mapItem(openProgram(code), none, item, fuel);
const used = (result: CallResult): bigint => (result.ok ? result.fuel : -1n);
const failed = (failure: string, reason = /./) =>
  expect.objectContaining({ ok: false, class: failure, reason: expect.stringMatching(reason) });
const done = (value: Uint8Array) => expect.objectContaining({ ok: true, value });

/** Adds one to the byte at 100. */
const mark = [...[...op.i32(100), ...op.i32(100), 0x2d, 0, 0, ...op.i32(1), 0x6a, 0x3a, 0, 0]];
const showMark = { anw_map: op.i64((100n << 32n) | 1n) };
const endless = [...op.loopForever, ...op.unreachable];

describe('a start function', () => {
  test('runs once in each instance, and nothing of it is there for the next', () => {
    const opened = openProgram(starting(mark, showMark));
    for (let time = 0; time < 3; time++)
      for (const item of [none, bytes('item')])
        expect(mapItem(opened, none, item, plenty)).toEqual(done(Uint8Array.of(1)));
    expect(map(idle(mark, showMark))).toEqual(done(Uint8Array.of(0)));
  });

  test('comes before the allocations, and behind the data', () => {
    const moved = starting([...op.i32(5_000), 0x24, 0], { anw_map: op.pack(2, 2) });
    // A value from where the item lies, and as long as that is far.
    const result = map(moved);
    expect(result.ok && result.value.length).toBe(5_000);
    expect(result.ok && result.value.subarray(0, 4)).toEqual(bytes('item'));
    expect(map(starting(mark, showMark, { data: [1, 0, ...op.i32(100), 0x0b, 1, 41] }))).toEqual(
      done(Uint8Array.of(42)),
    );
    const outside = [1, 0, ...op.i32(65_535), 0x0b, 2, 1, 2];
    expect(map(starting(endless, {}, { data: outside }))).toEqual(failed('trap'));
  });

  test('begins each kind of call, and none that the host answers alone', () => {
    const traps = openProgram(starting(op.unreachable));
    const [a, b] = [bytes('a'), bytes('b')];
    expect(combine(traps, a, b, plenty)).toEqual(failed('trap', /^the start function trapped/));
    expect(map(starting(op.unreachable), plenty, none)).toEqual(failed('trap'));
    // It has no anw_render: nothing of it runs.
    expect(render(traps, none, a, 0n)).toEqual({ ok: true, value: a, fuel: 0n });
  });

  test('is paid by its call, to the unit', () => {
    // `mark` is a load, an addition and a store.
    const [with_, without] = [starting(mark), idle(mark)].map((code) => used(map(code)));
    expect(with_! - without!).toBe(5n);
    expect(map(starting(mark), with_!)).toEqual(done(bytes('item')));
    expect(map(starting(mark), with_! - 1n)).toEqual(failed('out-of-fuel'));
    // Nothing in it looks at the fuel that runs out with its last instruction; the host does.
    const nothing = { anw_map: op.i64(0n) };
    const begun = used(map(idle([], nothing), plenty, none));
    const late = (fuel: bigint) => map(starting(mark, nothing), fuel, none);
    expect(late(begun + 5n)).toEqual(done(none));
    expect(late(begun + 4n)).toEqual(failed('out-of-fuel', /^the start function used up/));
  });

  test.each<[string, readonly number[], string]>([
    ['traps', op.unreachable, 'trap'],
    ['never ends', endless, 'out-of-fuel'],
    [
      'grows by nothing for ever',
      [0x03, 0x40, ...op.i32(0), ...op.grow, 0x1a, 0x0c, 0, 0x0b],
      'out-of-fuel',
    ],
    ['calls itself', op.call(4), 'too-deep'],
  ])('that %s ends the call', (_, body, failure) => {
    expect(map(starting(body))).toEqual(failed(failure));
    expect(map(idle(body))).toEqual(done(bytes('item')));
  });

  test('has the depth of the call, and gives it back', () => {
    const down = [...op.get(0), 0x04, 0x40, ...op.get(0), ...op.i32(1), 0x6b, ...op.call(5), 0x0b];
    const descent: FunctionSource = { name: null, params: [i32], results: [], body: down };
    const twice = (first: number, second: number) =>
      map(
        program(
          { anw_map: [...op.i32(second), ...op.call(5), ...op.pack(2, 3)] },
          [start([...op.i32(first), ...op.call(5)]), descent],
          { raw: [section] },
        ),
      );
    const deepest = 8_000;
    expect(twice(deepest, deepest)).toEqual(done(bytes('item')));
    expect(twice(deepest, 2 * deepest)).toEqual(failed('too-deep', /^anw_map/));
    expect(twice(2 * deepest, 0)).toEqual(failed('too-deep', /^the start function/));
  });

  test('may grow the memory that the call then has', () => {
    const grows = starting([...op.i32(3), ...op.grow, 0x24, 0], {
      anw_map: [0x3f, 0, 0xad, ...op.i64(32n), 0x86],
    });
    // What it returns is an empty value behind the fourth page; the pages are seen by the next one.
    expect(map(grows, plenty, none)).toEqual(done(none));
    const last = { anw_map: op.i64((BigInt(4 * 65_536 - 1) << 32n) | 1n) };
    expect(map(starting([...op.i32(3), ...op.grow, 0x1a], last))).toEqual(done(Uint8Array.of(0)));
    expect(map(starting([...op.i32(2), ...op.grow, 0x1a], last))).toEqual(failed('bad-value'));
  });

  test('may be an export, the marker, or called by name: it costs the same', () => {
    const calls = { anw_map: [...op.call(4), ...op.pack(2, 3)] };
    const both = used(map(starting(mark, calls)));
    // Once more by name: paid ahead by the caller, with the call.
    expect(both - used(map(starting(mark)))).toBe(10n + 5n);
    const exported = map(starting(mark, calls, { name: 'run' }));
    // Four for each byte of the export.
    expect(used(exported) - both).toBe(4n * BigInt('run'.length + 3));
    const marker = program({ anw_abi_v1: mark, ...showMark }, [], {
      raw: [{ id: 8, content: [0] }],
    });
    expect(map(marker)).toEqual(done(Uint8Array.of(1)));
    // By any other name nothing runs unasked.
    for (const name of ['_start', '_initialize', 'main'])
      expect(map(program(showMark, [start(mark, name)]))).toEqual(done(Uint8Array.of(0)));
  });

  test('that writes every global it has touches no counter', () => {
    const globals = Array.from({ length: 8 }, (_, at) => [at % 2 === 0 ? i32 : i64, 1]);
    const content = globals.flatMap(([type, mutable]) => [
      ...[type!, mutable!, ...(type === i32 ? op.i32(0) : op.i64(0n)), 0x0b],
    ]);
    const writes = globals.flatMap(([type], at) => [
      ...[...(type === i32 ? op.i32(-1) : op.i64(-1n)), 0x24, at],
    ]);
    const module = moduleOf([{ name: 'run', body: [] }, { body: writes }], {
      6: [globals.length, ...content],
      8: [1],
    });
    expect(meter(rewritten(module), 100n).call('__anw_start')).toMatchObject({
      ...{ outcome: 'ok', left: 100n - BigInt(globals.length), depth: 100_000 },
    });
    // The number of the first counter is no global of the program.
    const beyond = moduleOf([{ name: 'run', body: [] }, { body: [...op.i64(-1n), 0x24, 8] }], {
      6: [globals.length, ...content],
      8: [1],
    });
    expect(() => new engine.Module(beyond)).toThrow(/global/);
  });

  test('that is imported is the import itself', () => {
    const imported = [1, ...text('m'), ...text('f'), 0, 0];
    const code = rewritten(moduleOf([{ name: 'run', body: [] }], { 2: imported, 8: [0] }), {
      imports: 'any',
    });
    let calls = 0;
    const metered = meter(code, 100n, 1_000, { m: { f: () => (calls += 1) } });
    expect(calls).toBe(0);
    expect(metered.call('__anw_start')).toMatchObject({ outcome: 'ok', left: 100n });
    expect(calls).toBe(1);
    expect(runOutcome({ returned: true, fuel: 0n, depth: 0 })).toBe('ok');
  });

  test('that fills the stack is run again in the code that a host has for that', () => {
    const opened = openProgram(starting(op.call(4)));
    const code = rewritten(starting(op.call(4)));
    // `global.get depth; i32.const weight; i32.sub; local.tee`: the weight becomes nothing.
    const at = code.findIndex((_, from) => code[from] === 0x41 && code[from + 2] === 0x6b);
    expect(code[at + 1]).toBe(8);
    code[at + 1] = 0;
    const greedy = { ...opened, module: new engine.Module(code) };
    const call = (one: typeof opened) => () => mapItem(one, none, none, 10n ** 12n);
    expect(call(greedy)).toThrow(HostFailure);
    expect(call({ ...greedy, baseline: () => opened.module })()).toEqual(failed('too-deep'));
  });
});
