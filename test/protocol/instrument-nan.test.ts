// Goal: no program sees which NaN a processor makes: what is stored, passed on or tested bit by bit
// is the canonical one, while bits that no arithmetic touched stay as they are.
// Method: made-up float expressions against an evaluation with exact bits; every vector operation
// on NaNs of all kinds; the originals show that this machine does make other NaNs.
import { describe, expect, test } from 'vitest';
import { engine } from '../../node/executor/engine.ts';
import { unsigned } from '../fixtures/programs/assemble.ts';
import { linesBut } from '../support/execution-lines.ts';
import { reachEveryLine } from '../support/lines.ts';
import { f32, f64, meter, moduleOf, rewritten, v128 } from '../support/modules.ts';
import { numbers } from '../support/small-code.ts';

reachEveryLine('execution', linesBut(53, 54));

const canonical = 0x7ff8_0000_0000_0000n;
const canonical32 = 0x7fc0_0000n;
const view = new DataView(new ArrayBuffer(8));
const toFloat = (bits: bigint): number => {
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
};
const isNan = (bits: bigint): boolean => (bits & ~(1n << 63n)) > 0x7ff0_0000_0000_0000n;
const toBits = (value: number): bigint => {
  if (Number.isNaN(value)) return canonical;
  view.setFloat64(0, value);
  return view.getBigUint64(0);
};
const sign = 1n << 63n;

/** Numbers and NaNs of every kind: quiet and not, of both signs, with and without payload. */
const samples = [
  ...[0, -0, 1.5, -2.5, 1e308, -1e308, 4e-320, Infinity, -Infinity].map(toBits),
  ...[canonical, canonical | sign, canonical | 0xabcn, 0x7ff0_0000_0000_0001n],
  ...[0xfff4_0000_0000_0defn, 0x7fff_ffff_ffff_ffffn],
];

/** Memory: samples from 1 024 on, results from 0 on. */
const samplesAt = 1_024;
const load = (at: number): number[] => [0x41, 0, 0x2b, 3, ...unsigned(samplesAt + 8 * at)];

type Tree = { readonly code: number[]; readonly bits: bigint };
const nearest = (value: number): number => {
  const low = Math.floor(value);
  if (!Number.isFinite(value) || value === low) return value;
  const up = value - low > 0.5 || (value - low === 0.5 && low % 2 !== 0);
  const rounded = up ? low + 1 : low;
  return rounded === 0 && (value < 0 || Object.is(value, -0)) ? -0 : rounded;
};
const unary: readonly (readonly [code: number, of: (a: number) => number])[] = [
  [0x9b, Math.ceil],
  [0x9c, Math.floor],
  [0x9d, Math.trunc],
  [0x9e, nearest],
  [0x9f, Math.sqrt],
];
const binary: readonly (readonly [code: number, of: (a: number, b: number) => number])[] = [
  [0xa0, (a, b) => a + b],
  [0xa1, (a, b) => a - b],
  [0xa2, (a, b) => a * b],
  [0xa3, (a, b) => a / b],
  [0xa4, Math.min],
  [0xa5, Math.max],
];

/** An f64 expression with the bits that it must have: every operation canonical at once. */
function tree(pick: (below: number) => number, depth = 0): Tree {
  const sub = (): Tree => tree(pick, depth + 1);
  switch (depth > 5 ? 0 : pick(12)) {
    case 0: {
      const at = pick(samples.length);
      return { code: load(at), bits: samples[at]! };
    }
    case 1:
    case 2:
    case 3: {
      const [code, of] = unary[pick(unary.length)]!;
      const a = sub();
      return { code: [...a.code, code], bits: toBits(of(toFloat(a.bits))) };
    }
    case 4: {
      const a = sub();
      return { code: [...a.code, 0x9a], bits: a.bits ^ sign };
    }
    case 5: {
      const [a, b] = [sub(), sub()];
      return { code: [...a.code, ...b.code, 0xa6], bits: (a.bits & ~sign) | (b.bits & sign) };
    }
    case 6: {
      // Through a local, a block with a result and a branch out of it.
      const a = sub();
      const moved = [...a.code, 0x22, 0, 0x1a, 0x02, f64, 0x20, 0, 0x0c, 0, 0x0b];
      return pick(2) === 0
        ? { code: moved, bits: a.bits }
        : { code: [0x02, f64, ...a.code, 0x41, 1, 0x0d, 0, 0x0b], bits: a.bits };
    }
    case 7: {
      const [a, b, which] = [sub(), sub(), pick(2)];
      const bits = which === 1 ? a.bits : b.bits;
      return { code: [...a.code, ...b.code, 0x41, which, 0x1b], bits };
    }
    case 8: {
      // As bits and back, or as the condition of an arm.
      const a = sub();
      return { code: [...a.code, 0xbd, 0xbf], bits: a.bits };
    }
    default: {
      const [code, of] = binary[pick(binary.length)]!;
      const [a, b] = [sub(), sub()];
      return {
        code: [...a.code, ...b.code, code],
        bits: toBits(of(toFloat(a.bits), toFloat(b.bits))),
      };
    }
  }
}

const data = (bits: readonly bigint[]): { 11: number[] } => {
  const bytes = bits.flatMap((one) =>
    Array.from({ length: 8 }, (_, at) => Number((one >> BigInt(8 * at)) & 255n)),
  );
  return { 11: [1, 0, 0x41, ...[0x80, 0x08], 0x0b, ...unsigned(bytes.length), ...bytes] };
};
const word = (memory: Uint8Array, at: number): bigint =>
  new DataView(memory.buffer).getBigUint64(at, true);

describe('scalars', () => {
  test('expressions have the bits of an evaluation that is canonical at once', () => {
    const store = ({ code }: Tree, at: number): number[] => [
      0x41,
      0,
      ...code,
      0x39,
      3,
      ...unsigned(8 * at),
    ];
    let nans = 0;
    let others = 0;
    for (let seed = 0; seed < 60; seed++) {
      const pick = numbers(seed);
      const trees = Array.from({ length: 30 }, () => tree(pick));
      const source = moduleOf(
        [{ name: 'run', locals: [f64], body: trees.flatMap(store) }],
        data(samples),
      );
      const metered = meter(rewritten(source), 10n ** 9n);
      expect(metered.call('run').outcome).toBe('ok');
      const plain = new engine.Instance(new engine.Module(source), {}).exports;
      (plain.run as () => void)();
      const unlike = new Uint8Array((plain.memory as unknown as { buffer: ArrayBuffer }).buffer);
      trees.forEach(({ bits }, at) => {
        expect(word(metered.memory(), 8 * at).toString(16), `${seed}, ${at}`).toBe(
          bits.toString(16),
        );
        if (isNan(bits)) nans += 1;
        if (word(unlike, 8 * at) !== bits) others += 1;
      });
    }
    expect(nans).toBeGreaterThan(300);
    expect(others, 'the original makes other NaNs').toBeGreaterThan(50);
  });

  test('f32, and from one width to the other', () => {
    const bits = [canonical | 0xabcn, 0xffc0_0123n];
    const wide = load(0);
    const narrow = [0x41, 0, 0x2a, 2, ...unsigned(samplesAt + 8)];
    const store32 = (at: number, code: number[]): number[] => [0x41, at, ...code, 0x38, 2, 0];
    const store64 = (at: number, code: number[]): number[] => [0x41, at, ...code, 0x39, 3, 0];
    const body = [
      ...store32(0, [...wide, 0xb6]),
      ...store64(8, [...narrow, 0xbb]),
      ...store32(16, [...narrow, ...narrow, 0x92]),
      ...store32(24, [...narrow, 0x91, 0x8c]),
      ...store32(32, narrow),
      ...store32(40, [...wide, 0xb6, 0xbb, 0xb6]),
    ];
    const metered = meter(rewritten(moduleOf([{ name: 'run', body }], data(bits))), 1_000n);
    expect(metered.call('run').outcome).toBe('ok');
    const read = (at: number): bigint => word(metered.memory(), at) & 0xffff_ffffn;
    expect([read(0), read(16), read(24), read(32), read(40)]).toEqual([
      ...[canonical32, canonical32, canonical32 | 0x8000_0000n, bits[1]!, canonical32],
    ]);
    expect(word(metered.memory(), 8)).toBe(canonical);
  });

  test('what nobody looks at is left alone', () => {
    const sum = [...load(0), ...load(1), 0xa0];
    const size = (code: number[]): number =>
      rewritten(moduleOf([{ name: 'run', locals: [f64, f32], body: code }], data(samples))).length;
    const base = size([...sum, ...sum, 0xa0, 0x1a]);
    // Adding, comparing, converting and dropping need no canonical operand.
    expect(size([...sum, ...sum, 0xa0, 0x1a])).toBe(base);
    expect(size([...sum, ...sum, 0x61, 0x1a])).toBe(base);
    expect(size([...sum, ...sum, 0xa0, 0xfc, 2, 0x1a])).toBeLessThan(base + 8);
    expect(size([...sum, ...sum, 0xa0, 0x21, 0])).toBeGreaterThan(base + 15);
    expect(size([...sum, ...sum, 0xa0, 0xbd, 0x1a])).toBeGreaterThan(base + 15);
  });
});

describe('vectors', () => {
  const vector = (at: number): number[] => [0x41, 0, 0xfd, 0, 4, ...unsigned(samplesAt + 16 * at)];
  const wide = [
    canonical | sign | 0xabcn,
    0x7ff0_0000_0000_0001n,
    0x3ff0_0000_0000_0000n,
    toBits(Infinity),
  ];
  const narrow = [
    0xffc0_0abc_7f80_0001n,
    0x3f80_0000_7f80_0000n,
    0x7fc0_0000_ffff_ffffn,
    0xff80_0000_0000_0000n,
  ];
  const make = (lanes: readonly bigint[], code: number[]): Uint8Array => {
    const body = [0x41, 0, ...code, 0xfd, 11, 4, 0];
    const source = moduleOf([{ name: 'run', locals: [v128], body }], data(lanes));
    const metered = meter(rewritten(source), 1_000n);
    expect(metered.call('run').outcome).toBe('ok');
    return metered.memory().slice(0, 16);
  };
  const simd = (opcode: number): number[] => [0xfd, ...unsigned(opcode)];
  const lanes64 = (bytes: Uint8Array): bigint[] => [word(bytes, 0), word(bytes, 8)];
  const lanes32 = (bytes: Uint8Array): bigint[] =>
    lanes64(bytes).flatMap((one) => [one & 0xffff_ffffn, one >> 32n]);
  const nan32 = (bits: bigint): boolean => (bits & 0x7fff_ffffn) > 0x7f80_0000n;

  test.each([
    ['f64x2', wide, [0x74, 0x75, 0x7a, 0x94, 0xef], [0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5]],
    ['f32x4', narrow, [0x67, 0x68, 0x69, 0x6a, 0xe3], [0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9]],
  ])('%s makes canonical NaNs only', (shape, lanes, one, two) => {
    let nans = 0;
    const codes = [
      ...one.flatMap((code) => [0, 1].map((at) => [...vector(at), ...simd(code)])),
      ...two.flatMap((code) =>
        [0, 1].map((at) => [...vector(at), ...vector(1 - at), ...simd(code)]),
      ),
    ];
    for (const code of codes) {
      const made = make(lanes, code);
      const found = shape === 'f64x2' ? lanes64(made).filter(isNan) : lanes32(made).filter(nan32);
      nans += found.length;
      expect(new Set([...found, shape === 'f64x2' ? canonical : canonical32]).size).toBe(1);
    }
    expect(nans).toBeGreaterThan(20);
  });

  test('a NaN of one shape is looked at by operations on the other', () => {
    // The halves of an f64 NaN with payload would be an f32 number and an f32 NaN.
    const sum = [...vector(0), ...vector(1), ...simd(0xf0)];
    const zero = [0xfd, 12, ...new Array<number>(16).fill(0)];
    const made = lanes32(make(wide, [...sum, ...zero, ...simd(0xe4)]));
    expect(made).toEqual([0n, canonical32, 0n, canonical32]);
    const alike = lanes64(make(wide, [...sum, ...zero, ...simd(0xf0)]));
    expect(alike).toEqual([canonical, canonical]);
  });

  test('bits that no arithmetic touched stay', () => {
    expect(lanes64(make(wide, vector(0)))).toEqual(wide.slice(0, 2));
    // neg flips the sign, pmin gives its first operand.
    expect(lanes64(make(wide, [...vector(0), ...simd(0xed)]))).toEqual(
      wide.slice(0, 2).map((one) => one ^ sign),
    );
    expect(lanes64(make(wide, [...vector(0), ...vector(1), ...simd(0xf6)]))).toEqual(
      wide.slice(0, 2),
    );
  });

  test('from one shape to the other', () => {
    expect(lanes32(make(wide, [...vector(0), ...simd(0x5e)]))).toEqual([
      canonical32,
      canonical32,
      0n,
      0n,
    ]);
    expect(lanes64(make(narrow, [...vector(0), ...simd(0x5f)]))).toEqual([canonical, canonical]);
  });
});
