/** Make small functions whose bits engines are known to differ in, or that end in each way. */
import { op, unsigned } from '../fixtures/programs/assemble.ts';
import { f32, f64, i32, i64, moduleOf, type Source, v128 } from '../support/modules.ts';
import type { EngineCase } from './cases.ts';

const repeat = (count: number, ...code: number[]): number[] =>
  new Array<readonly number[]>(count).fill(code).flat();
/** Does something for each value of local 0 down to 1; local 1 is for the body. */
const countDown = (...body: number[]): number[] => [
  ...[0x02, 0x40, 0x03, 0x40, 0x20, 0, 0x45, 0x0d, 1],
  ...[...body, 0x20, 0, 0x41, 1, 0x6b, 0x21, 0, 0x0c, 0, 0x0b, 0x0b],
];
const simd = (opcode: number): number[] => [0xfd, ...unsigned(opcode)];

function kernel(
  name: string,
  result: EngineCase['result'],
  source: Partial<Source>,
  count: number,
  others: readonly Source[] = [],
): EngineCase {
  const types = { none: [], i32: [i32], i64: [i64], f32: [f32], f64: [f64] }[result];
  const run: Source = { body: [], ...source, name: 'run', params: [i32], results: types };
  const module = moduleOf([run, ...others], {
    11: [1, 0, 0x41, 0, 0x0b, 32, ...floats],
  });
  const numbers = [['i32', BigInt(count)]] as const;
  return { name, module, call: 'run', bytes: [], numbers, result, fuel: 30_000_000n };
}

/** Four numbers to begin with: a NaN with payload, one that signals, infinity, and 1.5. */
const floats = [
  ...[0xbc, 0x0a, 0, 0, 0, 0, 0xf8, 0xff, 1, 0, 0, 0, 0, 0, 0xf0, 0x7f],
  ...[0, 0, 0, 0, 0, 0, 0xf0, 0x7f, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f],
];
const load64 = (at: number): number[] => [0x41, 0, 0x2b, 3, 8 * at];
const load128 = (at: number): number[] => [0x41, 0, ...simd(0), 4, 16 * at];
/** Stores what is on top in a place that follows from local 0. */
const keep64 = [0x21, 1, 0x20, 0, 0x41, 3, 0x74, 0x20, 1, 0x39, 3, ...unsigned(1_024)];
const keep128 = [0x21, 1, 0x20, 0, 0x41, 4, 0x74, 0x20, 1, ...simd(11), 4, ...unsigned(1_024)];

function floatKernels(): readonly EngineCase[] {
  const scalars = [0x9b, 0x9c, 0x9d, 0x9e, 0x9f].map((code) => [...load64(0), code]);
  const pairs = [0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6].flatMap((code) =>
    [
      [0, 1],
      [2, 3],
      [1, 2],
      [2, 2],
    ].map(([a, b]) => [...load64(a!), ...load64(b!), code]),
  );
  const vectors = [0xe3, 0xef, 0x67, 0x68, 0x69, 0x6a, 0x74, 0x75, 0x7a, 0x94, 0x5e, 0x5f].map(
    (code) => [...load128(0), ...simd(code)],
  );
  const vectorPairs = [
    ...[0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xeb],
    ...[0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7],
  ].map((code) => [...load128(0), ...load128(1), ...simd(code)]);
  const each = (codes: readonly number[][], keep: readonly number[], local: number) =>
    codes.map((code, at) => ({ name: `${local === f64 ? 'float' : 'vector'} ${at}`, code, keep }));
  return [
    ...[...each([...scalars, ...pairs], keep64, f64)].map(({ name, code, keep }) =>
      kernel(name, 'none', { locals: [f64], body: countDown(...code, ...keep) }, 8),
    ),
    ...[...each([...vectors, ...vectorPairs], keep128, v128)].map(({ name, code, keep }) =>
      kernel(name, 'none', { locals: [v128], body: countDown(...code, ...keep) }, 8),
    ),
    kernel(
      'a sum of NaNs, as it is returned',
      'f64',
      { body: [...load64(0), ...load64(1), 0xa0] },
      0,
    ),
    kernel('a NaN made narrow', 'f32', { body: [...load64(0), 0xb6] }, 0),
    kernel(
      'numbers that are too small',
      'f64',
      {
        locals: [f64],
        body: [
          ...[0x44, 1, 0, 0, 0, 0, 0, 8, 0, 0x21, 1],
          ...countDown(0x20, 1, 0x44, 0, 0, 0, 0, 0, 0, 0xe8, 0x3f, 0xa2, 0x21, 1),
          ...[0x20, 1],
        ],
      },
      2_000,
    ),
  ];
}

const plain = (code: readonly number[], locals: readonly number[] = [i64]): Partial<Source> => ({
  locals,
  body: [...countDown(...code), 0x20, 1],
});

export function kernels(): readonly EngineCase[] {
  const mixing = [
    0x20,
    1,
    ...op.i64(6_364_136_223_846_793_005n),
    0x7e,
    0x20,
    0,
    0xad,
    0x7c,
    0x21,
    1,
  ];
  const fibonacci: Source = {
    ...{ params: [i32], results: [i64] },
    body: [
      ...[0x20, 0, 0x41, 2, 0x49, 0x04, i64, 0x20, 0, 0xad, 0x05],
      ...[0x20, 0, 0x41, 1, 0x6b, 0x10, 1, 0x20, 0, 0x41, 2, 0x6b, 0x10, 1, 0x7c, 0x0b],
    ],
  };
  return [
    ...floatKernels(),
    kernel('mixing', 'i64', plain(mixing), 20_000),
    kernel(
      'mixing in a small loop in a small loop',
      'i64',
      {
        locals: [i64, i32],
        body: [
          ...countDown(
            ...[
              0x41,
              9,
              0x21,
              2,
              0x03,
              0x40,
              ...mixing,
              0x20,
              2,
              0x41,
              1,
              0x6b,
              0x22,
              2,
              0x0d,
              0,
              0x0b,
            ],
          ),
          0x20,
          1,
        ],
      },
      3_000,
    ),
    kernel(
      'division',
      'i64',
      plain([0x20, 1, ...op.i64(12_345n), 0x7c, 0x20, 0, 0xad, 0x80, 0x21, 1]),
      5_000,
    ),
    kernel(
      'division that ends by zero',
      'i64',
      plain([0x20, 1, 0x20, 0, 0xad, ...op.i64(5n), 0x7d, 0x80, 0x21, 1]),
      900,
    ),
    kernel('recursion', 'i64', { body: [0x20, 0, 0x10, 1] }, 17, [fibonacci]),
    kernel(
      'stores up to the end and over it',
      'i64',
      plain([...op.i32(65_600), 0x20, 0, 0x6b, 0x41, 1, 0x3a, 0, 0]),
      900,
    ),
    kernel(
      'fills of growing length',
      'i64',
      plain([0x41, 0, 0x20, 0, 0x20, 0, 0xfc, 11, 0]),
      3_000,
    ),
    kernel('copies that overlap', 'i64', plain([0x41, 5, 0x41, 0, 0x20, 0, 0xfc, 10, 0, 0]), 3_000),
    kernel(
      'growth up to the maximum',
      'i64',
      plain([0x20, 1, 0x41, 1, 0x40, 0, 0xac, 0x7c, 0x21, 1]),
      20,
    ),
    kernel(
      'vectors of integers',
      'i64',
      {
        locals: [v128],
        body: [
          ...countDown(
            0x20,
            1,
            0x20,
            0,
            ...simd(0x11),
            ...simd(0xae),
            ...op.i32(3),
            ...simd(0xab),
            0x20,
            0,
            ...simd(0x0f),
            ...simd(0xba),
            0x21,
            1,
          ),
          ...[0x20, 1, ...simd(0x1d), 1],
        ],
      },
      3_000,
    ),
    kernel(
      'a table of branches',
      'i64',
      {
        locals: [i64],
        body: [
          ...countDown(
            ...[0x02, 0x40, 0x02, 0x40, 0x02, 0x40, 0x20, 0, 0x41, 3, 0x70, 0x0e, 2, 0, 1, 2, 0x0b],
            ...[0x20, 1, 0x42, 1, 0x7c, 0x21, 1, 0x0c, 1, 0x0b],
            ...[0x20, 1, 0x42, 7, 0x7e, 0x21, 1, 0x0b],
          ),
          ...[0x20, 1],
        ],
      },
      3_000,
    ),
    kernel(
      'many locals and nothing else',
      'i64',
      {
        locals: repeat(400, i64),
        body: [...countDown(...repeat(50, 0x20, 1, 0x21, 2)), 0x20, 1],
      },
      300,
    ),
  ];
}
