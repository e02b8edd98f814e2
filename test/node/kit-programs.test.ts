// Goal: the example programs of the kit compute what they say, exactly, in any order and bracket.
// Method: whole jobs in the real sandbox, each subtask in several orders, against ten-line
// computations of the same thing; the committed bytes against a build from source.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { programCheck } from '../../node/cli/commands/program-check.ts';
import { ClientError } from '../../node/client/error.ts';
import { hasClang } from '../../node/kit/build.ts';
import { buildProgram, programPath, programs } from '../../programs/build.ts';
import { runWords } from '../support/command-line.ts';
import { groundOf, jobOn, type OpenGround, resultOf } from '../support/kit-ground.ts';

const directory = mkdtempSync(join(tmpdir(), 'anwansi-kit-programs-'));
afterAll(() => rmSync(directory, { recursive: true }));
const fileOf = (text: string): string => {
  const path = join(directory, 'input');
  writeFileSync(path, text);
  return path;
};

const temperatures = [
  'time,site,temperature',
  '1,"north, upper",21.5',
  '2,south,-3.25',
  '3,south,none',
  '4,north, 21.50 \r',
  '5,"quoted","-0.01"',
].join('\n');

describe.each([
  ['nqueens', '{"size":7}', null],
  ['mean', '{"column":3,"digits":2,"bucket":500}', temperatures],
  ['montecarlo', '{"points":3000000,"seed":4}', null],
  ['matmul', '{"rows":2,"columns":2}', '1,3,5,6\n2,4,7,8\n-3,2305843009213693950,0,-1\na,b,c,d\n'],
  ['topwords', '{"top":3}', 'one two two\nthree three three\nOne\n'],
] as const)('%s', (name, parameters, input) => {
  test('passes its own check', async () => {
    const words = ['program', 'check', name, '--params', parameters, '--seed', '1', '--json'];
    if (input !== null) words.push('--input', fileOf(input));
    const { exitCode, document } = await runWords([programCheck], [...words, '--runs', '60']);
    expect(document.data).toMatchObject({ verdict: 'none-found', counterexample: null });
    expect(document.data.pool.samples).toBeGreaterThan(50);
    expect(exitCode).toBe(0);
  });
});

// The compiler of AssemblyScript takes seconds: what else it builds is in programs-built.long.test.ts.
test.for(['nqueens', 'montecarlo', 'matmul'] as const)(
  '%s is built from its source, byte for byte',
  async (name, context) => {
    if (programs[name].language === 'c' && !hasClang()) context.skip('clang is missing');
    expect(Buffer.compare(await buildProgram(name), readFileSync(programPath(name)))).toBe(0);
  },
);

describe('nqueens', () => {
  let ground: OpenGround;
  beforeAll(async () => {
    ground = await groundOf('nqueens');
  });
  afterAll(() => ground.close());

  /** Boards once more: by columns, row after row, comparing each pair. */
  function countAgain(size: number, queens: readonly number[] = []): number {
    if (queens.length === size) return 1;
    const attacked = (column: number): boolean =>
      queens.some((other, row) => [0, queens.length - row].includes(Math.abs(column - other)));
    return Array.from({ length: size }, (_, column) => column)
      .filter((column) => !attacked(column))
      .reduce((sum, column) => sum + countAgain(size, [...queens, column]), 0);
  }

  test.each([1, 2, 3, 4, 5, 6, 7, 8])('of size %i is as counted by pairs', async (size) => {
    expect(await resultOf(ground, `{"size":${size}}`)).toBe(String(countAgain(size)));
  });

  test('of sizes 9 to 11 is as in the books (OEIS A000170)', async () => {
    const found = await Promise.all(
      [9, 10, 11].map((size) => resultOf(ground, `{"size": ${size} }`)),
    );
    expect(found).toEqual(['352', '724', '2680']);
  });

  test.each([
    '',
    '{}',
    '{"size":0}',
    '{"size":28}',
    '{"size":8.0}',
    '{"size":08}',
    '{"size":8,"size":8}',
    '{"size":8}x',
    '{"n":8}',
  ])('refuses %j', async (parameters) => {
    await expect(resultOf(ground, parameters)).rejects.toThrow(ClientError);
  });
});

describe('montecarlo', () => {
  let ground: OpenGround;
  beforeAll(async () => {
    ground = await groundOf('montecarlo');
  });
  afterAll(() => ground.close());

  const mask = 2n ** 64n - 1n;
  const mixed = (word: bigint): bigint => {
    const one = ((word ^ (word >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
    const two = ((one ^ (one >> 27n)) * 0x94d049bb133111ebn) & mask;
    return two ^ (two >> 31n);
  };
  /** Points inside once more, on bigints. */
  function insideAgain(points: number, seed: bigint): number {
    const step = 0x9e3779b97f4a7c15n;
    let word = mixed(mixed((seed + step) & mask));
    let inside = 0;
    for (let point = 0; point < points; point++) {
      word = (word + step) & mask;
      const drawn = mixed(word);
      const [x, y] = [drawn & 0xffff_ffffn, drawn >> 32n];
      if (x * x + y * y <= mask) inside += 1;
    }
    return inside;
  }

  test('a few points are as ten other lines count them', async () => {
    const known = JSON.parse(await resultOf(ground, '{"points":20000,"seed":9007199254740993}'));
    const inside = insideAgain(20_000, 9_007_199_254_740_993n);
    const share = inside / 20_000;
    expect(known).toEqual({
      inside,
      points: 20_000,
      pi: Math.floor(share * 4e6) / 1e6,
      error: expect.closeTo(Math.sqrt((4 * share * (4 - 4 * share)) / 20_000), 5),
    });
  });

  test('many points over many items come near pi, by their own error', async () => {
    const { points, pi, error } = JSON.parse(await resultOf(ground, '{"points":5000001,"seed":1}'));
    expect(points).toBe(5_000_001);
    expect(Math.abs(pi - Math.PI)).toBeLessThan(4 * error);
    expect(error).toBeLessThan(0.002);
    expect(await resultOf(ground, '{"points":5000001,"seed":2}')).not.toContain(`"pi":${pi}`);
  });

  test('a share of nothing, or too much, is refused', async () => {
    for (const parameters of [
      '{"points":0,"seed":1}',
      '{"points":1099511627777,"seed":1}',
      '{"points":5}',
    ])
      await expect(resultOf(ground, parameters)).rejects.toThrow(ClientError);
  });
});

describe('mean', () => {
  let ground: OpenGround;
  beforeAll(async () => {
    ground = await groundOf('mean');
  });
  afterAll(() => ground.close());

  test('of a column of a table, with what a person may write there', async () => {
    expect(
      await resultOf(ground, '{"column":3,"digits":2,"bucket":500}', fileOf(temperatures)),
    ).toBe(
      '{"count":4,"skipped":2,"sum":39.74,"mean":9.93500000,"minimum":-3.25,"maximum":21.50,' +
        '"histogram":[[-5.00,2],[20.00,2]]}',
    );
    expect(await resultOf(ground, '{"column":1}', fileOf('-7\n+3\n1e3\n\n'))).toBe(
      '{"count":2,"skipped":2,"sum":-4,"mean":-2.000000,"minimum":-7,"maximum":3,' +
        '"histogram":[[-7,1],[3,1]]}',
    );
    expect(await resultOf(ground, '{"column":9}', fileOf(temperatures))).toBe(
      '{"count":0,"skipped":6,"sum":0,"mean":null,"minimum":null,"maximum":null,"histogram":[]}',
    );
  });

  /** The same once more, on bigints. */
  function meanAgain(numbers: readonly bigint[], bucket: bigint) {
    const sum = numbers.reduce((all, one) => all + one, 0n);
    const histogram = new Map<bigint, number>();
    for (const number of numbers) {
      const lower = number - (((number % bucket) + bucket) % bucket);
      histogram.set(lower, (histogram.get(lower) ?? 0) + 1);
    }
    const sorted = [...histogram].sort(([a], [b]) => (a < b ? -1 : 1));
    const [whole, size] = [sum < 0n ? -sum : sum, BigInt(numbers.length)];
    const part = String(((whole % size) * 1_000_000n) / size).padStart(6, '0');
    const order = [...numbers].sort((a, b) => (a < b ? -1 : 1));
    return (
      `{"count":${size},"skipped":0,"sum":${sum},"mean":${sum < 0n ? '-' : ''}${whole / size}.${part},` +
      `"minimum":${order[0]},"maximum":${order.at(-1)},` +
      `"histogram":[${sorted.map(([low, count]) => `[${low},${count}]`).join()}]}`
    );
  }

  test('of any whole numbers, also where their sum passes 64 bits', async () => {
    const edge = 2n ** 61n - 1n;
    const number = fc.oneof(
      fc.bigInt({ min: -edge, max: edge }),
      fc.bigInt({ min: -50n, max: 50n }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(number, { minLength: 1, maxLength: 60 }),
        fc.bigInt({ min: 1n, max: 40n }),
        async (numbers, bucket) => {
          const input = fileOf(numbers.map((one) => `x,${one}\n`).join(''));
          const parameters = `{"bucket":${bucket},"column":2}`;
          expect(await resultOf(ground, parameters, input)).toBe(meanAgain(numbers, bucket));
        },
      ),
      { numRuns: 20 },
    );
  });

  test('of several items, each cut at a line', async () => {
    const numbers = Array.from({ length: 300_000 }, (_, at) => BigInt((at * 7_919) % 10_007));
    const input = fileOf(numbers.map((one) => `row,${one}\n`).join(''));
    const job = await jobOn(ground, '{"column":2,"bucket":1000}', input);
    expect(job).toMatchObject({ kind: 'done', items: 3, subtasks: 1, orders: 3 });
    expect(Buffer.from((job as { result: Uint8Array }).result).toString()).toBe(
      meanAgain(numbers, 1_000n),
    );
  });

  test('parameters that are not such numbers trap', async () => {
    for (const parameters of [
      '',
      '{}',
      '{"column":0}',
      '{"column":1,"digits":10}',
      '{"column":1,"bucket":0}',
      '{"column":1 "digits":1}',
      '{"column":1,"column":1}',
      '{"column":-1}',
      '{"column":1}}',
      '{"column ":1}',
    ])
      expect(await jobOn(ground, parameters, fileOf('1\n')), parameters).toMatchObject({
        kind: 'failed',
        reason: expect.stringMatching(/^trap \(anw_map trapped: unreachable in /),
      });
  });
});
