// Goal: bytes decide alike on every host what is a program, what is an item, and what a plan gives.
// Method: one broken module a rule and fuzzed bytes; cuts against a second definition under any
// chunking; plans against a plain sum; calls of small hostile modules in this process.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { validateModule } from '../../node/executor/engine.ts';
import { sha256 } from '../../protocol/crypto/hash.ts';
import { admitProgram, memoryPagesMax } from '../../protocol/execution/admit.ts';
import { Cutter, cutInput } from '../../protocol/execution/cut.ts';
import {
  evaluatePlan,
  isPlan,
  placeStates,
  type Step,
  type StepFailureClass,
} from '../../protocol/execution/evaluate.ts';
import {
  type CutRule,
  defaultManifest,
  manifestSection,
  packProgram,
} from '../../protocol/execution/manifest.ts';
import { InputError } from '../../protocol/execution/rejection.ts';
import { itemBytesMax, itemBytesTarget, itemCountMax } from '../../protocol/params.ts';
import {
  assemble,
  custom,
  harmless,
  header,
  i32,
  i64,
  op,
  program,
  section,
  smallMemory,
  unsigned,
} from '../fixtures/programs/assemble.ts';
import { cutAgain, isWord } from '../fixtures/programs/cut.ts';
import { shuffledPlan } from '../fixtures/programs/plan.ts';
import { linesBut } from '../support/execution-lines.ts';
import { reachEveryLine } from '../support/lines.ts';

reachEveryLine('execution', linesBut([1, 6], [8, 22], [28, 32], [71, 72]));

const real = { validate: validateModule };
/** An engine that believes everything, to see what our own rules are worth. */
const gullible = { validate: () => true };

const code = (bytes: Uint8Array, validation = real): string => {
  const admission = admitProgram(bytes, validation);
  return admission.kind === 'ok' ? 'ok' : admission.code;
};
const pointers = [i32, i32, i32, i32];
const extra = (name: string, params: number[] = [], results: number[] = [], body: number[] = []) =>
  program({}, [{ name, params, results, body }]);
const withSections = (...raw: { id: number; content: number[] }[]) => program({}, [], { raw });

describe('admission', () => {
  test('a program is admitted with what it exports', () => {
    expect(admitProgram(program(), real)).toEqual({
      kind: 'ok',
      exports: { generates: false, render: false, check: false, sample: false },
      manifest: defaultManifest,
      memoryPagesMax: 16,
      // The contents of its globals, of its exports four times, and a page.
      setupFuel: 7 + 4 * 59 + 2_000,
    });
    const zero = op.i64(0n);
    const rich = program({}, [
      { name: 'anw_count', params: [i32, i32], results: [i64], body: zero },
      { name: 'anw_item', params: [i32, i32, i64], results: [i64], body: zero },
      { name: 'anw_render', params: pointers, results: [i64], body: zero },
      { name: 'anw_check', params: [...pointers, i32, i32, i32], results: [i32], body: op.i32(1) },
      { name: 'anw_sample', params: [i32], results: [i64], body: zero },
      { name: 'something_else', params: [], results: [], body: [] },
    ]);
    expect(admitProgram(rich, real)).toMatchObject({
      exports: { generates: true, render: true, check: true, sample: true },
    });
  });

  const importLog = { id: 2, content: [1, 3, 0x61, 0x6e, 0x77, 3, 0x6c, 0x6f, 0x67, 0, 0] };
  const memory = (...limits: number[]) => program({}, [], { memory: limits });
  const without = (name: string) =>
    assemble({ functions: harmless.filter((it) => it.name !== name), memory: smallMemory });
  const pages = (count: number) => memory(1, 1, ...unsigned(count));
  const large = program({}, [
    { name: null, params: [], results: [], body: new Array(262_144).fill(0x01) },
  ]);
  const crowded = assemble({
    functions: [
      ...harmless,
      ...new Array(20_001).fill({ name: null, params: [], results: [], body: [] }),
    ],
    memory: smallMemory,
  });
  test.each<[string, string, Uint8Array]>([
    ['PROGRAM_TOO_LARGE', '4 MiB and a byte', new Uint8Array(4 * 1024 * 1024 + 1)],
    ['PROGRAM_NOT_WASM', 'nothing', new Uint8Array(0)],
    ['PROGRAM_NOT_WASM', 'text', new TextEncoder().encode('#!/bin/sh\necho hello\n')],
    ['PROGRAM_NOT_WASM', 'another version', Uint8Array.from([...header.slice(0, 4), 2, 0, 0, 0])],
    ['PROGRAM_NOT_WASM', 'ill-typed code', program({ anw_map: op.i32(1) })],
    ['PROGRAM_NOT_WASM', 'a cut-off module', program().slice(0, -1)],
    ['PROGRAM_UNSUPPORTED', 'an exception tag', withSections({ id: 13, content: [1, 0, 0] })],
    ['PROGRAM_UNSUPPORTED', 'a shared memory', memory(3, 1, 1)],
    ['PROGRAM_UNSUPPORTED', 'a 64-bit memory', memory(5, 1, 1)],
    ['PROGRAM_UNSUPPORTED', 'a struct type', Uint8Array.from([...header, 1, 3, 1, 0x5f, 0])],
    ['PROGRAM_LIMIT', 'a large function', large],
    ['PROGRAM_LIMIT', 'too many functions', crowded],
    ['PROGRAM_LIMIT', 'a large table', withSections({ id: 4, content: [1, 0x70, 0, 129, 128, 4] })],
    ['PROGRAM_IMPORTS', 'an import', withSections(importLog)],
    ['ok', 'a start function', withSections({ id: 8, content: [0] })],
    ['PROGRAM_MEMORY', 'no memory', program({}, [], { memory: null })],
    ['PROGRAM_MEMORY', 'a hidden memory', program({}, [], { exportsMemory: false })],
    ['PROGRAM_MEMORY', 'no maximum', memory(0, 1)],
    ['PROGRAM_MEMORY', 'too many pages', pages(memoryPagesMax + 1)],
    ['PROGRAM_MISSING_EXPORT', 'no marker', without('anw_abi_v1')],
    ['PROGRAM_MISSING_EXPORT', 'no combine', without('anw_combine')],
    ['PROGRAM_MISSING_EXPORT', 'half a pair', extra('anw_count', [i32, i32], [i64], op.i64(0n))],
    ['PROGRAM_EXPORT_TYPE', 'a wrong type', extra('anw_sample', [i64], [i64], op.i64(0n))],
    ['PROGRAM_UNKNOWN_EXPORT', 'a void export', extra('anw_finish')],
    ['PROGRAM_UNKNOWN_EXPORT', 'a name of the node', extra('__anw_fuel')],
    ['PROGRAM_ABI', 'another marker', extra('anw_abi_v2')],
    ['PROGRAM_MANIFEST', 'noise', withSections({ id: 0, content: custom(manifestSection, [1]) })],
    [
      'PROGRAM_MANIFEST',
      'two manifests',
      Uint8Array.from([
        ...packProgram(program(), defaultManifest),
        ...packProgram(program(), defaultManifest).slice(program().length),
      ]),
    ],
  ])('%s: %s', (expected, _, bytes) => {
    expect(code(bytes)).toBe(expected);
  });

  test('the largest memory is admitted', () => {
    expect(code(pages(memoryPagesMax))).toBe('ok');
  });

  test('our own reader finds what a gullible engine lets pass', () => {
    const broken = [
      [...header, 1],
      [...header, 1, 200],
      [...header, ...section(1, [1, 0x60, 0, 0, 0])],
      [...header, ...section(3, [0]), ...section(1, [0])],
      [...header, ...section(1, [0x80, 0x80, 0x80, 0x80, 0x10])],
      [...header, ...section(1, [0x80, 0x80, 0x80, 0x80, 0x80, 0])],
      [...header, ...section(7, [1, 1, 0xff, 0, 0])],
      [...header, ...section(4, [1, 0x7f, 0, 0])],
      [...program(), ...section(7, [0])],
    ];
    for (const bytes of broken)
      expect(code(Uint8Array.from(bytes), gullible)).toBe('PROGRAM_MALFORMED');
    const twice = [...harmless, harmless[0]!];
    expect(code(assemble({ functions: twice, memory: smallMemory }), gullible)).toBe(
      'PROGRAM_MALFORMED',
    );
    const locals = [...header, ...section(10, [1, 4, 1, 0x81, 0x20, 0x7f])];
    expect(code(Uint8Array.from(locals), gullible)).toBe('PROGRAM_LIMIT');
    const kind = [...header, ...section(7, [1, 0, 4, 0])];
    expect(code(Uint8Array.from(kind), gullible)).toBe('PROGRAM_UNSUPPORTED');
  });

  test('no bytes make it throw', () => {
    const whole = packProgram(program(), defaultManifest);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }), (changes) => {
        const bytes = whole.slice();
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte;
        admitProgram(bytes, gullible);
        admitProgram(bytes, real);
      }),
      { numRuns: 2_000 },
    );
    for (let length = 0; length < whole.length; length++)
      admitProgram(whole.subarray(0, length), gullible);
  });
});

describe('cutting', () => {
  const run = fc.record({
    length: fc.oneof(fc.nat(40), fc.nat(700_000), fc.integer({ min: 1_048_574, max: 1_048_578 })),
    byte: fc.constantFrom(0x61, 0x5a, 0x39, 0xc3, 0x20, 0x2c),
    end: fc.constantFrom(0x0a, 0x20, 0x61, 0x2e, 0x7b, 0x40, 0xff),
  });
  const inputs = fc.array(run, { maxLength: 7 }).map((runs) => {
    const bytes = new Uint8Array(runs.reduce((sum, { length }) => sum + length + 1, 0));
    let at = 0;
    for (const { length, byte, end } of runs) {
      bytes.fill(byte, at, at + length);
      bytes[(at += length)] = end;
      at += 1;
    }
    return bytes;
  });

  test('items are those of the rules, whatever the chunks, and no word straddles two', () => {
    fc.assert(
      fc.property(inputs, fc.array(fc.integer({ min: 1, max: 2_000_000 })), (input, sizes) => {
        const cutter = new Cutter({ kind: 'lines' });
        const items: Uint8Array[] = [];
        let at = 0;
        for (const size of sizes) {
          items.push(...cutter.push(input.subarray(at, at + size)));
          at = Math.min(input.length, at + size);
        }
        items.push(...cutter.push(input.subarray(at)), ...cutter.finish());
        const expected = cutAgain(input);
        expect(items.map(({ length }) => length)).toEqual(expected.map(({ length }) => length));
        expect(Buffer.compare(Buffer.concat(items), input)).toBe(0);
        for (const item of items.slice(0, -1)) expect(isWord(item.at(-1)!)).toBe(false);
      }),
      { numRuns: 25 },
    );
  });

  test('a line end is better than a space, and both are better than growing', () => {
    const sizes = (places: Record<number, number>): number[] => {
      const input = new Uint8Array(itemBytesTarget + 5).fill(0x61);
      for (const [at, byte] of Object.entries(places)) input[Number(at)] = byte;
      return cutInput({ kind: 'lines' }, input).map(({ length }) => length);
    };
    const last = itemBytesTarget - 1;
    expect(sizes({ 9: 0x0a, 20: 0x20 })).toEqual([10, itemBytesTarget - 5]);
    expect(sizes({ 9: 0x20, 20: 0x2c })).toEqual([21, itemBytesTarget - 16]);
    expect(sizes({ [last]: 0x0a })).toEqual([itemBytesTarget, 5]);
    expect(sizes({ [last + 1]: 0x0a, [last + 3]: 0x0a })).toEqual([itemBytesTarget + 1, 4]);
    expect(sizes({})).toEqual([itemBytesTarget + 5]);
  });

  test('by size, and not at all', () => {
    const input = Uint8Array.from({ length: 1_000 }, (_, at) => at);
    const sizes = (rule: CutRule) => cutInput(rule, input).map(({ length }) => length);
    expect(sizes({ kind: 'fixed', bytes: 300 })).toEqual([300, 300, 300, 100]);
    expect(sizes({ kind: 'fixed', bytes: 500 })).toEqual([500, 500]);
    expect(sizes({ kind: 'whole' })).toEqual([1_000]);
    for (const kind of ['lines', 'whole'] as const)
      expect(cutInput({ kind }, new Uint8Array(0))).toEqual([]);
  });

  test('an item grows to 16 MiB and not beyond', () => {
    const word = new Uint8Array(itemBytesMax + 1).fill(0x61);
    const lines: CutRule = { kind: 'lines' };
    expect(cutInput(lines, word.subarray(1)).length).toBe(1);
    const ended = word.slice();
    ended[itemBytesMax - 1] = 0x2e;
    expect(cutInput(lines, ended).map(({ length }) => length)).toEqual([itemBytesMax, 1]);
    for (const rule of [lines, { kind: 'whole' } as const]) {
      const unsplittable = { code: 'INPUT_UNSPLITTABLE', offset: 0, itemBytesMax };
      expect(() => cutInput(rule, word)).toThrow(
        expect.objectContaining({ detail: unsplittable }) as InputError,
      );
    }
    const shifted = new Uint8Array(word.length + 5).fill(0x61);
    shifted[4] = 0x0a;
    expect(() => cutInput(lines, shifted)).toThrow(/from byte 5 of/);
  });

  test('there are at most 2^20 items', () => {
    const rule: CutRule = { kind: 'fixed', bytes: 1 };
    const cutter = new Cutter(rule);
    expect(cutter.push(new Uint8Array(itemCountMax)).length).toBe(itemCountMax);
    expect(() => cutter.push(new Uint8Array(1))).toThrow(InputError);
  });
});

describe('plans', () => {
  const number = (bytes: Uint8Array): number => bytes.reduce((sum, byte) => sum * 256 + byte, 0);
  const bytesOf = (value: number): Uint8Array =>
    value === 0 ? new Uint8Array(0) : Uint8Array.of(value >> 8, value & 255);
  const sum = (a: Uint8Array, b: Uint8Array): Step => {
    expect(Math.min(a.length, b.length), 'no empty value reaches combine').toBeGreaterThan(0);
    return { ok: true, value: bytesOf(number(a) + number(b)), fuel: 1n };
  };
  const fuelItem = 1_000n;

  test('the value and the hashes of items are the same for every plan', () => {
    const values = fc.array(fc.nat(200), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(values, fc.nat(), (items, seed) => {
        const plan = shuffledPlan(items.length, seed);
        const map = (place: number): Step => {
          const value = bytesOf(items[place]!);
          return { ok: true, value, fuel: BigInt(items[place]!) };
        };
        const done = evaluatePlan(plan, items.length, fuelItem, { map, combine: sum, sha256 });
        expect(done.value).toEqual(bytesOf(items.reduce((a, b) => a + b, 0)));
        expect(done.folds?.length).toBe(32 * (items.length - 1));
        if (items.length > 1) expect(done.folds!.slice(-32)).toEqual(sha256(done.value!));
        expect([...done.states]).toEqual(items.map(() => 1));
        const hashes = items.flatMap((value) => [...sha256(bytesOf(value))]);
        expect([...done.hashes]).toEqual(hashes);
        expect(done.mapFuel).toBe(BigInt(items.reduce((a, b) => a + b, 0)));
      }),
    );
  });

  test('the lowest failing item is the same for every plan, a failing combine or not', () => {
    const places = fc.array(
      fc.constantFrom('ok', 'ok', 'ok', 'ok', 'ok', 'trap', 'bad-value', 'out-of-fuel', 'too-deep'),
      { minLength: 1, maxLength: 30 },
    );
    fc.assert(
      fc.property(places, fc.nat(), fc.boolean(), (items, seed, combines) => {
        const plan = shuffledPlan(items.length, seed);
        const map = (place: number): Step => {
          const outcome = items[place]! as 'ok' | StepFailureClass;
          return outcome === 'ok'
            ? { ok: true, value: Uint8Array.of(1), fuel: BigInt(place + 1) }
            : { ok: false, class: outcome };
        };
        const combine = (a: Uint8Array): Step =>
          combines ? { ok: true, value: a, fuel: 7n } : { ok: false, class: 'trap' };
        const done = evaluatePlan(plan, items.length, fuelItem, { map, combine, sha256 });
        const lowest = items.findIndex((item) => item !== 'ok');
        const below = lowest < 0 ? items.length : lowest;
        expect(done.states.subarray(0, below).every((state) => state === 1)).toBe(true);
        if (lowest >= 0) expect(placeStates[done.states[lowest]!]).toBe(items[lowest]);
        const hashed = sha256(Uint8Array.of(1));
        done.states.forEach((state, place) => {
          const found = done.hashes.slice(32 * place, 32 * place + 32);
          expect(found).toEqual(state === 1 ? hashed : new Uint8Array(32));
        });
        // What is ok below counts what it used, the lowest failing one all that it had.
        const used = (below * (below + 1)) / 2;
        expect(done.mapFuel).toBe(BigInt(used) + (lowest < 0 ? 0n : fuelItem));
        const whole = lowest < 0 && (combines || items.length === 1);
        expect(done.value !== null).toBe(whole);
        expect(done.folds !== null).toBe(whole);
        expect(done.combineFailed).toBe(lowest < 0 && !whole);
      }),
      { examples: [[['ok', 'ok'], 0, false]] },
    );
  });

  test('what is no plan is refused', () => {
    for (const plan of [[], [0, 0, -1], [0, 1], [0, -1, 1], [-1, 0, 1], [0, 2, -1], [0, 1.5, -1]])
      expect(isPlan(plan, 2), plan.join(' ')).toBe(false);
    expect(isPlan([1, 0, -1], 2)).toBe(true);
  });
});
