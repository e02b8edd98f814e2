// Goal: `matmul` multiplies matrices of anybody's own modulo 2^61 - 1, its check refutes wrong ones.
// Method: values byte for byte against the product on bigints, for lines of any kind cut anywhere;
// values made to deceive a known seed; a whole job in the real sandbox.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { programPath } from '../../programs/build.ts';
import { groundOf, jobOn } from '../support/kit-ground.ts';
import { openProgram, outcomeOf } from '../support/open-program.ts';

const matmul = openProgram(programPath('matmul'));
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const prime = 2n ** 61n - 1n;
const modulo = (number: bigint): bigint => ((number % prime) + prime) % prime;
const parametersOf = (rows: number, columns: number): string =>
  `{"rows":${rows},"columns":${columns}}`;

type Product = { lines: bigint; skipped: bigint; magnitude: bigint; cells: bigint[] };
type Shape = { readonly rows: number; readonly columns: number };

/** The product once more: on bigints, line by line as it is written. */
function productAgain(text: string, { rows, columns }: Shape): Product {
  const cells = Array.from({ length: rows * columns }, () => 0n);
  const product = { lines: 0n, skipped: 0n, magnitude: 0n, cells };
  const largest = (numbers: readonly bigint[]): bigint =>
    numbers.map((one) => (one < 0n ? -one : one)).reduce((a, b) => (a > b ? a : b));
  for (const line of text
    .replace(/\n$/, '')
    .split('\n')
    .slice(text === '' ? 1 : 0)) {
    const fields = line.split(',');
    const isNumber = fields.every((field) => /^[ \t\r]*[+-]?\d+[ \t\r]*$/.test(field));
    const numbers = isNumber ? fields.map((field) => BigInt(field.trim().replace('+', ''))) : [];
    if (numbers.length !== rows + columns || largest(numbers) >= prime) {
      product.skipped += 1n;
      continue;
    }
    const [left, right] = [numbers.slice(0, rows), numbers.slice(rows)];
    product.lines += 1n;
    product.magnitude += largest(left) * largest(right);
    for (let at = 0; at < rows * columns; at++)
      cells[at] = modulo(cells[at]! + left[Math.floor(at / columns)]! * right[at % columns]!);
  }
  return product;
}

function valueAgain({ lines, skipped, magnitude, cells }: Product): Uint8Array {
  const capped = magnitude > 2n ** 60n ? 2n ** 60n : magnitude;
  return new Uint8Array(BigUint64Array.from([lines, skipped, capped, ...cells]).buffer);
}

function textOf({ lines, skipped, magnitude, cells }: Product, { columns }: Shape): string {
  const signed = cells.map((cell) => (cell >= 2n ** 60n ? cell - prime : cell));
  const rows = [];
  for (let at = 0; at < cells.length; at += columns)
    rows.push(`[${signed.slice(at, at + columns).join()}]`);
  return (
    `{"lines":${lines},"skipped":${skipped},"exact":${magnitude < 2n ** 60n},` +
    `"product":[${rows.join()}]}`
  );
}

const edges = [0n, 1n, -1n, 2n ** 31n, 2n ** 30n - 1n, 2n ** 60n, prime - 1n, 1n - prime];
const number = fc.oneof(
  fc.constantFrom(...edges),
  fc.bigInt({ min: 1n - prime, max: prime - 1n }),
  fc.bigInt({ min: -99n, max: 99n }),
);
const cell = fc.oneof(
  { weight: 30, arbitrary: number.map(String) },
  { weight: 3, arbitrary: number.map((one) => ` ${one < 0n ? '' : '+'}${one}\t`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('', 'x', '1.5', '"1"', '- 1', `${prime}`, '0007', '9'.repeat(40)),
  },
);
const shape = fc.record({
  rows: fc.integer({ min: 1, max: 5 }),
  columns: fc.integer({ min: 1, max: 5 }),
});
const scene = shape.chain((one) => {
  const count = one.rows + one.columns;
  const line = fc.oneof(
    {
      weight: 12,
      arbitrary: fc.array(cell, { minLength: count, maxLength: count }).map((all) => all.join()),
    },
    { weight: 1, arbitrary: fc.constantFrom('', '\r', 'a,b,c', '1', ',', '1,'.repeat(count)) },
  );
  return fc.record({ shape: fc.constant(one), lines: fc.array(line, { maxLength: 12 }) });
});
const seed = fc.uint8Array({ minLength: 32, maxLength: 32 });

describe('the product', () => {
  test('is that on bigints, byte for byte, and as text', () => {
    fc.assert(
      fc.property(scene, fc.boolean(), ({ shape, lines }, ends) => {
        const text = lines.join('\n') + (ends && lines.length > 0 ? '\n' : '');
        const parameters = parametersOf(shape.rows, shape.columns);
        const value = matmul.map(parameters, bytes(text));
        const again = productAgain(text, shape);
        expect(value).toEqual(valueAgain(again));
        expect(matmul.render(parameters, value)).toBe(textOf(again, shape));
      }),
      { numRuns: 300 },
    );
  });

  test('of lines in any parts and order is that of the whole; lines that are twice count twice', () => {
    fc.assert(
      fc.property(scene, fc.array(fc.nat(12), { maxLength: 4 }), ({ shape, lines }, cuts) => {
        const parameters = parametersOf(shape.rows, shape.columns);
        const ends = [...cuts, 0, lines.length].sort((a, b) => a - b);
        const parts = ends
          .slice(1)
          .map((end, at) => lines.slice(ends[at]!, end))
          .filter((part) => part.length > 0)
          .map((part) => matmul.map(parameters, bytes(`${part.join('\n')}\n`)));
        const whole = valueAgain(productAgain(`${lines.join('\n')}\n`, shape));
        if (parts.length === 0) return;
        expect(parts.reduce(matmul.combine)).toEqual(whole);
        expect(parts.reduceRight(matmul.combine)).toEqual(whole);
        const twice = valueAgain(productAgain(`${[...lines, ...lines].join('\n')}\n`, shape));
        expect(matmul.combine(whole, whole)).toEqual(twice);
      }),
      { numRuns: 100 },
    );
  });

  test.each([
    [3, 2, 130],
    [1, 20_000, 60],
    [40, 30, 65],
  ])('of %i by %i numbers over %i lines, gathered in parts', (rows, columns, count) => {
    let state = 1n;
    const drawn = (): bigint => {
      // Many numbers take their time: those of a wide matrix are a few in turn.
      if (columns > 1_000) return (state += 1n) % 89n;
      state = (state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n) % 2n ** 64n;
      return (state >> 3n) - 2n ** 60n;
    };
    const lines = Array.from({ length: count }, () =>
      Array.from({ length: rows + columns }, drawn).join(),
    );
    const value = matmul.map(parametersOf(rows, columns), bytes(lines.join('\n')));
    expect(
      Buffer.compare(value, valueAgain(productAgain(lines.join('\n'), { rows, columns }))),
    ).toBe(0);
  });

  test('is known: powers of the matrix of Fibonacci, and where residues begin to differ', () => {
    const parameters = parametersOf(2, 2);
    // A's columns beside B's rows, for [[1,1],[1,0]] times [[F(n+1),F(n)],[F(n),F(n-1)]].
    const [a, b, c] = [75_025n, 46_368n, 28_657n];
    const value = matmul.map(parameters, bytes(`1,1,${a},${b}\n1,0,${b},${c}\n`));
    expect(JSON.parse(matmul.render(parameters, value))).toEqual({
      lines: 2,
      skipped: 0,
      exact: true,
      product: [
        [121_393, 75_025],
        [75_025, 46_368],
      ],
    });
    const edge = (text: string): string =>
      matmul.render(parametersOf(1, 1), matmul.map(parametersOf(1, 1), bytes(text)));
    const most = 2n ** 60n - 1n;
    expect(edge(`1,${most}`)).toBe(`{"lines":1,"skipped":0,"exact":true,"product":[[${most}]]}`);
    expect(edge(`1,${most}\n1,1`)).toBe(
      `{"lines":2,"skipped":0,"exact":false,"product":[[${-most}]]}`,
    );
  });
});

/** The vector that a seed stands for, once more: powers of r, times s, in the field of p^2. */
function vectorAgain(chance: Uint8Array, count: number): bigint[] {
  const words = new BigUint64Array(chance.slice().buffer);
  const [r0, r1, s0, s1] = [...words].map(modulo) as [bigint, bigint, bigint, bigint];
  let [real, imaginary] = [1n, 0n];
  return Array.from({ length: count }, () => {
    const x = modulo(real * s0 + imaginary * s1);
    [real, imaginary] = [modulo(real * r0 - imaginary * r1), modulo(real * r1 + imaginary * r0)];
    return x;
  });
}

describe('the check', () => {
  test('holds for the right value and any seed, and refutes whatever is changed', () => {
    const change = fc.record({ at: fc.nat(), by: fc.bigInt({ min: 1n, max: prime - 1n }) });
    fc.assert(
      fc.property(
        scene,
        seed,
        fc.array(change, { minLength: 1, maxLength: 3 }),
        ({ shape, lines }, chance, changes) => {
          const parameters = parametersOf(shape.rows, shape.columns);
          const item = bytes(lines.join('\n'));
          const value = matmul.map(parameters, item);
          expect(matmul.check(parameters, item, value, chance)).toBe(1);
          // Seeds of a few bits are no chance: equal words make a vector of nothing but zeros.
          if (new Set(new BigUint64Array(chance.slice().buffer)).size < 4) return;
          const wrong = value.slice();
          const words = new BigUint64Array(wrong.buffer);
          for (const { at, by } of changes) {
            const place = at % words.length;
            words[place] =
              place < 3 ? words[place]! ^ (by & 255n || 1n) : modulo(words[place]! + by);
          }
          if (Buffer.compare(wrong, value) === 0) return;
          expect(matmul.check(parameters, item, wrong, chance)).toBe(0);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('a value made for a known seed passes it, and no other: the seed comes after the value', () => {
    const parameters = parametersOf(3, 4);
    const item = bytes('1,2,3,4,5,6,7\n-1,5,9,8,7,6,5\n');
    const value = matmul.map(parameters, item);
    const drawn = fc.sample(seed, { numRuns: 40, seed: 7 });
    const [known, ...others] = drawn as [Uint8Array, ...Uint8Array[]];
    const [, , first, second] = vectorAgain(known, 4) as [bigint, bigint, bigint, bigint];
    const wrong = value.slice();
    const words = new BigUint64Array(wrong.buffer);
    // An error that is orthogonal to the vector of that seed, in the second row.
    words[3 + 6] = modulo(words[3 + 6]! + second);
    words[3 + 7] = modulo(words[3 + 7]! - first);
    expect(wrong).not.toEqual(value);
    expect(matmul.check(parameters, item, wrong, known)).toBe(1);
    for (const other of others) expect(matmul.check(parameters, item, wrong, other)).toBe(0);
  });

  test('holds where the vector is orthogonal to the right value', () => {
    for (const chance of fc.sample(seed, { numRuns: 40, seed: 8 })) {
      const [x, y] = vectorAgain(chance, 2) as [bigint, bigint];
      const item = bytes(`1,${y},${-x}\n`);
      const parameters = parametersOf(1, 2);
      expect(matmul.check(parameters, item, matmul.map(parameters, item), chance)).toBe(1);
    }
  });

  test('refutes what is no value of this shape', () => {
    const parameters = parametersOf(2, 2);
    const item = bytes('1,2,3,4\n');
    const value = matmul.map(parameters, item);
    const chance = Uint8Array.from({ length: 32 }, (_, at) => at * 7 + 1);
    const words = (change: (all: BigUint64Array) => void): Uint8Array => {
      const copy = value.slice();
      change(new BigUint64Array(copy.buffer));
      return copy;
    };
    // The same residue, written otherwise.
    const same = words((all) => void (all[3] = all[3]! + prime));
    const loud = words((all) => void (all[2] = 2n ** 60n + 1n));
    const wide = matmul.map(parametersOf(4, 1), bytes('1,1,2,2,3\n'));
    for (const wrong of [same, loud, value.slice(1), value.slice(0, -8), new Uint8Array(0)]) {
      expect(matmul.check(parameters, item, wrong, chance)).toBe(0);
      expect(outcomeOf(() => matmul.render(parameters, wrong))).toBe('failed');
      if (wrong.length > 0) expect(outcomeOf(() => matmul.combine(value, wrong))).toBe('failed');
    }
    expect(matmul.check(parameters, item, wide, chance)).toBe(0);
    expect(matmul.check('{"rows":2}', item, value, chance)).toBe(0);
    expect(matmul.check(parameters, item, value, chance)).toBe(1);
  });
});

test('samples add up, in any order and bracket', () => {
  fc.assert(
    fc.property(seed, seed, seed, (...seeds) => {
      const [a, b, c] = seeds.map(matmul.sample) as [Uint8Array, Uint8Array, Uint8Array];
      const { combine } = matmul;
      expect(combine(a, b)).toEqual(combine(b, a));
      expect(combine(combine(a, b), c)).toEqual(combine(a, combine(b, c)));
    }),
    { numRuns: 100 },
  );
});

test('refuses parameters that are no shape, and shapes that are too large', () => {
  const item = bytes('1,1\n');
  for (const parameters of [
    '',
    '{}',
    '{"rows":1}',
    '{"rows":0,"columns":1}',
    '{"rows":1,"columns":524289}',
    '{"rows":725,"columns":725}',
    '{"rows":4294967296,"columns":4294967297}',
    '{"rows":1,"columns":1,"rows":1}',
    '{"rows":1.0,"columns":1}',
  ])
    expect(
      outcomeOf(() => matmul.map(parameters, item)),
      parameters,
    ).toBe('failed');
  const most = matmul.map('{"columns":524288,"rows":1}', item);
  expect(most).toHaveLength(24 + 8 * 524_288);
  expect(matmul.render('{"columns":524288,"rows":1}', most)).toContain('"skipped":1');
});

test('a whole job of several items is the product, in any order', async () => {
  const ground = await groundOf('matmul');
  const directory = mkdtempSync(join(tmpdir(), 'anwansi-matmul-'));
  try {
    const lines = Array.from({ length: 90_000 }, (_, at) =>
      [at % 97, -at, at * 31, 5, at % 13, 7 - (at % 11)].join(),
    );
    const input = join(directory, 'input');
    writeFileSync(input, `a,b,c,x,y,z\n${lines.join('\n')}\n`);
    const job = await jobOn(ground, parametersOf(3, 3), input);
    expect(job).toMatchObject({ kind: 'done', items: 3 });
    const again = productAgain(readFileSync(input, 'utf8'), { rows: 3, columns: 3 });
    expect(again).toMatchObject({ lines: 90_000n, skipped: 1n });
    expect(Buffer.from((job as { result: Uint8Array }).result).toString()).toBe(
      textOf(again, { rows: 3, columns: 3 }),
    );
  } finally {
    await ground.close();
    rmSync(directory, { recursive: true });
  }
});

test('the check runs in the real sandbox, for a small part of what the product uses', async () => {
  const ground = await groundOf('matmul');
  try {
    const [rows, columns] = [200, 210];
    const cells = Array.from({ length: rows + columns }, (_, at) => at * at * 31);
    const lines = Array.from({ length: 60 }, (_, at) => cells.map((one) => one - at * 999).join());
    const path = join(ground.scratch, 'item');
    writeFileSync(path, lines.join('\n'));
    const value = matmul.map(parametersOf(rows, columns), bytes(lines.join('\n')));
    const wrong = value.slice();
    wrong[24 + 8 * 1_234]! ^= 1;
    const ask = async (claimed: Uint8Array) => {
      const chance = Uint8Array.from({ length: 32 }, (_, at) => at * 11 + 5);
      const parameters = bytes(parametersOf(rows, columns));
      const question = {
        item: { kind: 'file', path } as const,
        parameters,
        value: claimed,
        seed: chance,
      };
      return ground.executor.check(ground.programPath, question, ground.signal);
    };
    const [held, refuted] = [await ask(value), await ask(wrong)];
    expect(held).toMatchObject({ kind: 'ok', value: Uint8Array.of(1) });
    expect(refuted).toMatchObject({ kind: 'ok', value: Uint8Array.of(0) });
    const run = await ground.executor.runSubtask(
      {
        programPath: ground.programPath,
        parameters: bytes(parametersOf(rows, columns)),
        items: [{ kind: 'file', path }],
        plan: [0],
        fuel: { item: 2n ** 36n, combine: 2n ** 36n },
      },
      ground.signal,
    );
    if (run.kind !== 'done' || held.kind !== 'ok') throw new Error(JSON.stringify(run));
    expect(run.value).toEqual(value);
    expect(held.fuel * 4n).toBeLessThan(run.mapFuel);
  } finally {
    await ground.close();
  }
});
