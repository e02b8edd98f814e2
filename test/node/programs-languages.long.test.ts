// Goal: programs written in C and in AssemblyScript give the same bytes, or fail, alike.
// What AssemblyScript's own library offers works in a program, its start function included.
// Method: both builds of two programs side by side, on random and extreme parameters, items,
// values, damaged values and seeds; a comparison that tells different programs apart. A program of
// the library, built by the kit, against a count in JavaScript, by many plans; and the same with an
// allocator that hands out what is the library's.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import * as sandbox from '../../node/executor/program.ts';
import { buildProgram as build, hasClang } from '../../node/kit/build.ts';
import { beginProject } from '../../node/kit/project.ts';
import { buildProgram, programPath, twins } from '../../programs/build.ts';
import { sha256 } from '../../protocol/crypto/hash.ts';
import { evaluatePlan } from '../../protocol/execution/evaluate.ts';
import { leftPlan, shuffledPlan } from '../fixtures/programs/plan.ts';
import { type OpenProgram, openProgram, outcomeOf } from '../support/open-program.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

type Pair = readonly [one: OpenProgram, other: OpenProgram];

const pairOf = (twin: keyof typeof twins): Pair => [
  openProgram(programPath(twins[twin].of)),
  openProgram(programPath(twin)),
];

/** What a call comes to in both programs of a pair, if that is the same; else throws. */
function alike<T>(pair: Pair, call: (program: OpenProgram) => T): T | 'failed' {
  const [one, other] = pair.map((program) => outcomeOf(() => call(program))) as [T, T];
  expect(other).toEqual(one);
  return one;
}

const seed = fc.oneof(
  fc.uint8Array({ minLength: 32, maxLength: 32 }),
  fc.constantFrom(0, 1, 127, 128, 255).map((byte) => new Uint8Array(32).fill(byte)),
);

/** Values of a pair and such as are none: cut short, longer, with other bytes. */
function damaged(values: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  return fc
    .record({ value: fc.constantFrom(...values), at: fc.nat(), byte: fc.nat(255), way: fc.nat(5) })
    .map(({ value, at, byte, way }) => {
      const place = at % (value.length + 1);
      if (way === 0) return value.slice(0, place);
      if (way === 1) return Uint8Array.from([...value, byte]);
      if (way === 2) return Uint8Array.from(value, (old, here) => (here === place ? byte : old));
      return value;
    });
}

describe('mean', () => {
  const pair = pairOf('mean-c');
  const edge = 2n ** 61n;
  const number = fc.oneof(
    fc.constantFrom(edge - 1n, 1n - edge, edge, -edge, 10n ** 18n, 10n ** 19n, 2n ** 64n, 0n, -1n),
    fc.bigInt({ min: -edge, max: edge }),
    fc.bigInt({ min: -300n, max: 300n }),
  );
  const cell = fc.oneof(
    number.map(String),
    number.map((one) => `"${one}"`),
    fc.tuple(number, fc.nat(12), fc.nat(999_999)).map(([one, zeros, part]) => {
      return `${one}.${'0'.repeat(zeros)}${part}`;
    }),
    fc
      .array(fc.constantFrom(...'0123456789.,+-" \t\rex'), { maxLength: 8 })
      .map((all) => all.join('')),
  );
  const text = fc
    .array(fc.array(cell, { maxLength: 3 }), { maxLength: 8 })
    .map((lines) => lines.map((cells) => cells.join()).join('\n'));
  const parameters = fc.oneof(
    {
      weight: 8,
      arbitrary: fc
        .tuple(
          fc.integer({ min: 1, max: 3 }),
          fc.nat(9),
          fc.oneof(fc.bigInt({ min: 1n, max: 99n }), fc.constant(2n ** 62n - 1n)),
        )
        .map(([column, digits, bucket]) => {
          return `{"bucket":${bucket}, "column" : ${column},"digits":${digits}}`;
        }),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        ...['', '{}', ' {"column":2} ', '{"column":0}', '{"column":1,"digits":10}', '{"column":1'],
        ...['{"column":01}', '{"column":1,}', '{,"column":1}', '{"column":1,"column":1}', '[1]'],
        ...['{"column":1}x', '{"column ":1}', '{"column":-1}', '{"column":1,"bucket":0}', '{'],
        ...['{"column":4611686018427387904}', '{"column":4611686018427387903}'],
        ...[
          '{"column":1,"bucket":9500000000000000000}',
          '{"column":1,"digits":99999999999999999999}',
        ],
      ),
    },
  );

  test('values and results of any text are the same bytes', () => {
    const seen = { values: 0, refused: 0 };
    fc.assert(
      fc.property(parameters, text, text, (given, first, second) => {
        const [a, b] = [first, second].map((one) => alike(pair, (p) => p.map(given, bytes(one))));
        if (a === 'failed' || b === 'failed') {
          seen.refused += 1;
          return;
        }
        seen.values += 1;
        const both = alike(pair, (program) => program.combine(a!, b!));
        expect(alike(pair, (program) => program.render(given, both as Uint8Array))).toContain('{');
      }),
      { numRuns: 200 },
    );
    expect(Math.min(seen.values, seen.refused)).toBeGreaterThan(10);
  });

  test('samples are the same bytes, and so is what they and damaged ones come to', () => {
    const values = fc.sample(seed, { numRuns: 40, seed: 1 }).map((one) => {
      return alike(pair, (program) => program.sample(one)) as Uint8Array;
    });
    const outcomes = new Set<boolean>();
    fc.assert(
      fc.property(damaged(values), damaged(values), (a, b) => {
        const both = alike(pair, (program) => program.combine(a, b));
        outcomes.add(both === 'failed');
        for (const value of [a, both])
          if (value !== 'failed')
            alike(pair, (program) => program.render('{"column":1,"digits":3}', value));
      }),
      { numRuns: 300 },
    );
    expect(outcomes.size).toBe(2);
  });
});

describe('nqueens', () => {
  const pair = pairOf('nqueens-as');
  const parameters = fc.oneof(
    fc.integer({ min: 1, max: 9 }).map((size) => `{"size":${size}}`),
    fc.constantFrom(
      ...['', '{}', '{"size":0}', '{"size":28}', '{"size":27}', '{"size":08}', ' { "size" : 8 } '],
      ...['{"size":8}x', '{"n":8}', '{"size":8,"size":8}', '{"size":8,}', '{"size":-8}'],
      ...['{"size":8.0}', '{"size":4294967304}', '{"size":18446744073709551624}'],
    ),
  );

  test('counts, items, values and results are the same bytes', () => {
    fc.assert(
      fc.property(parameters, fc.nat(), (given, which) => {
        const count = alike(pair, (program) => program.count(given));
        const wanted = typeof count === 'bigint' && count > 0n ? BigInt(which) % (count + 1n) : 0n;
        const item = alike(pair, (program) => program.item(given, wanted));
        if (given.includes('27')) return;
        alike(pair, (program) => program.map(given, item === 'failed' ? bytes('ab') : item));
      }),
      { numRuns: 200 },
    );
  });

  test('every item of a board of 10, and the sum of all, is the same', () => {
    const given = '{"size":10}';
    const values = Array.from({ length: Number(pair[0].count(given)) }, (_, index) =>
      alike(pair, (program) => program.map(given, program.item(given, BigInt(index)))),
    );
    const all = (values as Uint8Array[]).reduce(
      (a, b) => alike(pair, (program) => program.combine(a, b)) as Uint8Array,
    );
    expect(alike(pair, (program) => program.render('', all))).toBe('724');
  });

  test('items that are none, samples and damaged values come to the same', () => {
    const values = fc.sample(seed, { numRuns: 20, seed: 2 }).map((one) => {
      return alike(pair, (program) => program.sample(one)) as Uint8Array;
    });
    fc.assert(
      fc.property(
        damaged(values),
        damaged(values),
        fc.uint8Array({ maxLength: 5 }),
        (a, b, item) => {
          alike(pair, (program) => program.combine(a, b));
          alike(pair, (program) => program.render('{}', a));
          alike(pair, (program) => program.map('{"size":12}', item));
          alike(pair, (program) =>
            program.map(
              '{"size":7}',
              item.map((column) => column % 7),
            ),
          );
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('the library of AssemblyScript', () => {
  const directory = mkdtempSync(join(tmpdir(), 'anwansi-library-'));
  afterAll(() => rmSync(directory, { recursive: true }));
  const source = new URL('../fixtures/programs/words-library.as.txt', import.meta.url);
  const built = async (name: string, files: Record<string, string> = {}): Promise<Uint8Array> => {
    const { folder, recipe } = await beginProject(join(directory, name), 'as');
    const program = { 'program.ts': readFileSync(source, 'utf8'), ...files };
    for (const [file, text] of Object.entries(program))
      writeFileSync(join(folder, 'source', file), text);
    return build(recipe);
  };
  const fuel = { item: 10n ** 9n, combine: 10n ** 9n };
  const evaluate = (program: sandbox.Program, items: readonly string[], plan: number[]) =>
    evaluatePlan(plan, items.length, fuel.item, {
      map: (place) => sandbox.mapItem(program, bytes(''), bytes(items[place]!), fuel.item),
      combine: (a, b) => sandbox.combine(program, a, b, fuel.combine),
      sha256,
    });
  /** The same count, in JavaScript. */
  const counted = (items: readonly string[]): string => {
    const counts = new Map<string, number>();
    for (const word of items.flatMap((item) => item.toLowerCase().split(/[ \t\r\n.,;:!?()"]/)))
      if (word !== '') counts.set(word, (counts.get(word) ?? 0) + 1);
    const words = [...counts.keys()].sort((a, b) => (a < b ? -1 : 1));
    return words.map((word) => `${counts.get(word)} ${word}`).join('\n');
  };
  const word = fc.oneof(
    fc.constantFrom('the', 'The', 'naïve', 'Ä', '日本', '🙂', 'x'.repeat(3_000), "it's"),
    fc.stringMatching(/^[a-zA-Z0-9]{1,8}$/),
  );
  const gap = fc.constantFrom(' ', '\n', '. ', ', "', ')', '\t\t');
  const item = fc
    .array(fc.tuple(word, gap), { maxLength: 60 })
    .map((parts) => parts.flat().join(''));

  test('maps, sets, arrays, strings and objects give the right bytes, whatever the plan', async () => {
    const program = sandbox.openProgram(await built('words'));
    fc.assert(
      fc.property(fc.array(item, { minLength: 1, maxLength: 5 }), fc.nat(), (items, seed) => {
        const straight = evaluate(program, items, leftPlan(items.length));
        expect(new TextDecoder().decode(straight.value!)).toBe(counted(items));
        const shuffled = evaluate(program, items, shuffledPlan(items.length, seed));
        for (const part of ['value', 'mapFuel', 'hashes'] as const)
          expect(shuffled[part], part).toEqual(straight[part]);
      }),
      { numRuns: 30 },
    );
    const long = Array.from({ length: 30_000 }, (_, at) => `word${(at * at) % 4_999}\n`).join('');
    const whole = evaluate(program, [long], leftPlan(1));
    expect(new TextDecoder().decode(whole.value!)).toBe(counted([long]));
  });

  test('an allocator of its own would hand out the library’s memory', async () => {
    const memory = `
      let top: usize = 0;
      export function allocate(size: u64): usize {
        if (top == 0) top = __heap_base;
        const start = top;
        top += <usize>size;
        return start;
      }
      export function result(pointer: usize, length: usize): u64 {
        return (u64(pointer) << 32) | u64(length);
      }`;
    const program = sandbox.openProgram(await built('collides', { 'memory.ts': memory }));
    const text = 'the cat and the dog '.repeat(100);
    const { value } = evaluate(program, [text], leftPlan(1));
    expect(value === null || new TextDecoder().decode(value) !== counted([text])).toBe(true);
  });
});

test('programs that differ are told apart', () => {
  const [mean] = pairOf('mean-c');
  const [queens] = pairOf('nqueens-as');
  expect(() => alike([mean, queens], (program) => program.sample(new Uint8Array(32)))).toThrow();
  let column = 1;
  const other = () => alike([mean, mean], (p) => p.map(`{"column":${column++}}`, bytes('1,2\n')));
  expect(other).toThrow();
});

test('the twin in C is built from its source, byte for byte', async (context) => {
  // That in AssemblyScript is in programs-built.long.test.ts.
  if (!hasClang()) context.skip('clang is missing');
  const { bytes: committed } = openProgram(programPath('mean-c'));
  expect(Buffer.compare(await buildProgram('mean-c'), committed)).toBe(0);
});
