// Goal: the example programs compute what they say, for any input, order and bracket.
// Method: against ten-line definitions of the same thing; laws by property; real children for
// plans; the committed bytes against a build from source.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { validateModule } from '../../node/executor/engine.ts';
import { callProgram } from '../../node/executor/instance.ts';
import { type ChildPool, createExecutor } from '../../node/executor/pool.ts';
import { count as countOf, openProgram, sample as sampleOf } from '../../node/executor/program.ts';
import type { ItemSource } from '../../node/ports.ts';
import { buildProgram, hasClang, type ProgramName, programPath } from '../../programs/build.ts';
import { admitProgram } from '../../protocol/execution/admit.ts';
import { cutInput } from '../../protocol/execution/cut.ts';
import { fuelCallMax, fuelFoldMax, valueBytesMax } from '../../protocol/params.ts';
import { leftPlan, shuffledPlan } from '../fixtures/programs/plan.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array): string => new TextDecoder().decode(value);
const never = new AbortController().signal;

function open(name: ProgramName) {
  const program = readFileSync(programPath(name));
  const opened = openProgram(program);
  const call = (exported: string, parts: Uint8Array[], index?: bigint): Uint8Array => {
    const rest = index === undefined ? {} : { index };
    const result = callProgram(opened, {
      name: exported,
      arguments: parts,
      valueBytesMax,
      fuel: fuelCallMax,
      ...rest,
    });
    if (!result.ok) throw new Error(`${result.class}: ${result.reason}`);
    return result.value;
  };
  const combine = (a: Uint8Array, b: Uint8Array): Uint8Array => {
    if (a.length === 0 || b.length === 0) return a.length > 0 ? a : b;
    return call('anw_combine', [a, b]);
  };
  const sample = (seed: Uint8Array): Uint8Array => {
    const result = sampleOf(opened, seed, fuelCallMax);
    if (!result.ok) throw new Error(`${result.class}: ${result.reason}`);
    return result.value;
  };
  return { program, opened, call, combine, sample };
}

const wordcount = open('wordcount');
const primes = open('primes');
const none = new Uint8Array(0);

let executor: ChildPool;
const directory = mkdtempSync(join(tmpdir(), 'anwansi-programs-'));
beforeAll(async () => {
  const readable = [
    directory,
    join(programPath('primes'), '..'),
    join(programPath('wordcount'), '..'),
  ];
  executor = await createExecutor({ children: 2, readable });
});
afterAll(async () => {
  await executor.close();
  rmSync(directory, { recursive: true });
});

describe.each(['wordcount', 'primes'] as const)('%s', (name) => {
  const { program, combine, sample } = open(name);

  test('is admitted under its name', () => {
    expect(admitProgram(program, { validate: validateModule })).toMatchObject({
      kind: 'ok',
      manifest: { name, version: '1.0.0' },
      exports: { generates: name === 'primes', render: true, sample: true },
    });
  });

  test('combines commutatively and associatively, with the empty value as identity', () => {
    const seed = fc.uint8Array({ minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(seed, seed, seed, (one, two, three) => {
        const [a, b, c] = [one, two, three].map(sample) as [Uint8Array, Uint8Array, Uint8Array];
        expect(combine(a, b)).toEqual(combine(b, a));
        expect(combine(combine(a, b), c)).toEqual(combine(a, combine(b, c)));
        expect(combine(a, none)).toEqual(a);
        expect(combine(none, a)).toEqual(a);
      }),
      { numRuns: 60 },
    );
  });

  test('is built from its source, byte for byte', async (context) => {
    if (name === 'primes' && !hasClang()) context.skip('clang or wasm-ld is missing');
    expect(Buffer.compare(await buildProgram(name), program)).toBe(0);
  });
});

/** Words and counts, once more: on text in which each character is a byte. */
function countAgain(input: Uint8Array): Map<string, number> {
  const counts = new Map<string, number>();
  const latin = Buffer.from(input).toString('latin1');
  for (const [word] of latin.matchAll(/[A-Za-z0-9\x80-\xff]+/g)) {
    const lower = word.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
    counts.set(lower, (counts.get(lower) ?? 0) + 1);
  }
  return counts;
}

/** The JSON of counts, once more. */
function renderAgain(counts: Map<string, number>): string {
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const character = (word: Buffer): [string, number] => {
    for (let length = 1; length <= Math.min(4, word.length); length++) {
      try {
        return [strict.decode(word.subarray(0, length)), length];
      } catch {}
    }
    return [`\\udc${word[0]!.toString(16)}`, 1];
  };
  const entries = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  const fields = entries.map(([word, count]) => {
    let rest = Buffer.from(word, 'latin1');
    let key = '';
    while (rest.length > 0) {
      const [written, length] = character(rest);
      key += written;
      rest = rest.subarray(length);
    }
    return `"${key}":${count}`;
  });
  return `{${fields.join()}}`;
}

const texts = fc.oneof(
  fc.uint8Array({ maxLength: 400 }),
  fc.string({ unit: 'binary', maxLength: 120 }).map(bytes),
  fc
    .array(
      fc.constantFrom('a', 'B', 'the', 'The', 'abcdefgh', 'abcdefghi', 'abcdefghI', ' ', '\n', 'é'),
    )
    .map((parts) => bytes(parts.join(''))),
  fc
    .array(fc.constantFrom(0xe2, 0x82, 0xac, 0xf0, 0x90, 0x8d, 0xed, 0xa0, 0x80, 0xc3, 0x41, 0x20))
    .map((list) => Uint8Array.from(list)),
);

describe('wordcount', () => {
  const map = (input: Uint8Array): Uint8Array => wordcount.call('anw_map', [none, input]);
  const render = (value: Uint8Array): string => text(wordcount.call('anw_render', [none, value]));

  test('counts the words of any bytes', () => {
    fc.assert(
      fc.property(texts, (input) => {
        const rendered = render(map(input));
        expect(rendered).toBe(renderAgain(countAgain(input)));
        JSON.parse(rendered);
      }),
      { numRuns: 500 },
    );
    expect(render(map(bytes('The cat, the CAT & the cafés: 3')))).toBe(
      '{"3":1,"cafés":1,"cat":2,"the":3}',
    );
    expect(render(map(Uint8Array.of(0xe9, 0x20, 0x63, 0xe9)))).toBe('{"c\\udce9":1,"\\udce9":1}');
  });

  test('a text cut between words counts as its parts together', () => {
    fc.assert(
      fc.property(texts, texts, (a, b) => {
        const whole = Uint8Array.from([...a, 0x20, ...b]);
        expect(map(whole)).toEqual(wordcount.combine(map(a), map(b)));
      }),
    );
  });

  test('a large vocabulary grows the table and stays sorted', () => {
    const words = Array.from({ length: 60_000 }, (_, at) => `w${(at * 7_919) % 30_011}x${at % 3}`);
    const input = bytes(words.join('\n'));
    expect(render(map(input))).toBe(renderAgain(countAgain(input)));
  });

  test('a value that is none traps instead of reading elsewhere', () => {
    for (const value of [
      [1],
      [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0],
      [9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 65],
    ]) {
      expect(() => render(Uint8Array.from(value))).toThrow('trap');
      expect(() => wordcount.combine(Uint8Array.from(value), map(bytes('a')))).toThrow('trap');
    }
  });
});

/** Primality once more: Miller and Rabin with twelve bases, on bigints. */
function isPrimeAgain(number: bigint): boolean {
  const bases = [2n, 3n, 5n, 7n, 11n, 13n, 17n, 19n, 23n, 29n, 31n, 37n];
  if (number < 2n) return false;
  for (const base of bases) if (number % base === 0n) return number === base;
  let odd = number - 1n;
  while (odd % 2n === 0n) odd /= 2n;
  const power = (base: bigint, exponent: bigint): bigint => {
    let [value, square] = [1n, base];
    for (let rest = exponent; rest > 0n; rest >>= 1n) {
      if (rest & 1n) value = (value * square) % number;
      square = (square * square) % number;
    }
    return value;
  };
  return bases.every((base) => {
    let value = power(base, odd);
    if (value === 1n) return true;
    for (let exponent = odd; exponent < number - 1n; exponent *= 2n) {
      if (value === number - 1n) return true;
      value = (value * value) % number;
    }
    return false;
  });
}

describe('primes', () => {
  const range = (from: bigint | number, to: bigint | number): Uint8Array =>
    bytes(`{"from": ${from}, "to": ${to}}`);
  const count = (parameters: Uint8Array): bigint | null => {
    const result = countOf(primes.opened, parameters, fuelCallMax);
    return result.ok ? new DataView(result.value.buffer).getBigUint64(0) : null;
  };
  const item = (parameters: Uint8Array, index: bigint): Uint8Array =>
    primes.call('anw_item', [parameters], index);
  const all = (parameters: Uint8Array): bigint => {
    let value: Uint8Array = none;
    for (let index = 0n; index < count(parameters)!; index++)
      value = primes.combine(value, primes.call('anw_map', [parameters, item(parameters, index)]));
    return BigInt(text(primes.call('anw_render', [parameters, value])));
  };
  const end = 2n ** 63n;
  const middle = 2n ** 40n;

  test('below the sieve’s end: as a plain sieve has it', () => {
    const last = 3_000_000;
    const below = new Uint32Array(last + 2);
    const composite = new Uint8Array(last + 1);
    for (let number = 2; number <= last; number++)
      if (composite[number] === 0)
        for (let other = number * number; other <= last; other += number) composite[other] = 1;
    for (let number = 0; number <= last; number++)
      below[number + 1] = below[number]! + (number > 1 ? 1 - composite[number]! : 0);
    const limits = fc.oneof(fc.nat(last), fc.nat(40));
    fc.assert(
      fc.property(limits, limits, (a, b) => {
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        expect(all(range(from, to))).toBe(BigInt(below[to]! - below[from]!));
      }),
      { numRuns: 120 },
    );
  });

  test('near and above it: as an exact test has it', () => {
    const starts = fc.oneof(
      fc.bigInt({ min: middle - 700n, max: middle + 10n }),
      fc.bigInt({ min: middle, max: end - 700n }),
      fc.constant(end - 700n),
      fc.bigInt({ min: 0n, max: middle }),
    );
    fc.assert(
      fc.property(starts, fc.bigInt({ min: 0n, max: 700n }), (from, width) => {
        let expected = 0n;
        for (let number = from; number < from + width; number++)
          if (isPrimeAgain(number)) expected += 1n;
        expect(all(range(from, from + width))).toBe(expected);
      }),
      { numRuns: 40 },
    );
    // Strong pseudoprimes to many bases (OEIS A014233), and the largest prime below 2^63.
    for (const liar of [3_215_031_751n, 3_825_123_056_546_413_051n, 341_550_071_728_321n])
      expect(all(range(liar, liar + 1n))).toBe(0n);
    expect(all(range(end - 25n, end - 24n))).toBe(1n);
  });

  test('its items are the range, in order and without gaps', () => {
    const width = fc.bigInt({ min: 0n, max: 30_000_000n });
    const start = fc.oneof(
      fc.constantFrom(0n, middle - 10_000_000n, middle),
      fc.bigInt({ min: 0n, max: middle * 2n }),
    );
    fc.assert(
      fc.property(start, width, (from, length) => {
        const parameters = range(from, from + length);
        let next = from;
        for (let index = 0n; index < count(parameters)!; index++) {
          const view = new DataView(item(parameters, index).buffer);
          expect(view.getBigUint64(0, true)).toBe(next);
          next = view.getBigUint64(8, true);
        }
        expect(next).toBe(from + length);
        expect(() => item(parameters, count(parameters)!)).toThrow('trap');
      }),
      { numRuns: 15 },
    );
    expect(count(range(0, 100_000_000))).toBe(191n);
    expect(count(range(0, middle))).toBe(2n ** 18n);
    expect(count(range(middle, end)), 'told truly, for the caller to refuse').toBe(
      (end - middle) / 65_536n,
    );
  });

  test('refuses parameters that are not exactly two such numbers', () => {
    const wrong = ['', '{}', '[]', '{"from":0}', '{"from":2,"to":1}', '{"from":-1,"to":1}'];
    wrong.push('{"from":0,"to":1.5}', '{"from":0,"to":1e3}', '{"from":00,"to":1}');
    wrong.push('{"from":0,"to":9223372036854775809}', '{"from":0,"to":99999999999999999999}');
    wrong.push('{"from":0,"to":1,"by":2}', '{"from":0,"from":0,"to":1}', '{"from":0,"to":1} x');
    wrong.push(
      '{"from":0,"to":1,}',
      '{"from":"0","to":1}',
      '{"from":0 "to":1}',
      '{"from":0,"to":1',
    );
    for (const parameters of wrong) {
      expect(count(bytes(parameters)), parameters).toBe(null);
      expect(() => item(bytes(parameters), 0n), parameters).toThrow('trap');
    }
    expect(count(bytes(' { "to" : 9223372036854775808 ,\n"from":9223372036854775808 } '))).toBe(1n);
  });
});

describe('in real children', () => {
  const left = (count: number): readonly number[] => leftPlan(count);
  const fuel = { item: fuelCallMax, combine: fuelCallMax };

  async function expectOneResult(
    name: ProgramName,
    parameters: Uint8Array,
    items: readonly ItemSource[],
  ): Promise<Uint8Array> {
    const run = (plan: readonly number[]) =>
      executor.runSubtask({ programPath: programPath(name), parameters, items, plan, fuel }, never);
    const first = await run(left(items.length));
    if (first.kind !== 'done' || first.value === null) throw new Error(JSON.stringify(first));
    const seeds = Array.from({ length: 12 }, (_, seed) => seed);
    const others = await Promise.all(
      seeds.map((seed) => run(shuffledPlan(items.length, seed + 1))),
    );
    for (const other of others)
      expect(other).toMatchObject({ hashes: first.hashes, value: first.value });
    return first.value;
  }

  test('words: any order and bracket gives the count of the whole', async () => {
    const lines = Array.from({ length: 9_000 }, (_, at) => `line ${at} Of ${at % 97} words é`);
    const input = bytes(lines.join('\n'));
    const items = cutInput({ kind: 'fixed', bytes: 8_192 }, input).map((piece, at) => {
      const path = join(directory, `piece-${at}`);
      writeFileSync(path, piece);
      return { kind: 'file', path } as const;
    });
    const value = await expectOneResult('wordcount', bytes('{}'), items);
    const pieces = items.map(({ path }) => countAgain(readFileSync(path)));
    const total = new Map<string, number>();
    for (const piece of pieces)
      for (const [word, count] of piece) total.set(word, (total.get(word) ?? 0) + count);
    const path = programPath('wordcount');
    const rendered = await executor.render(path, bytes('{}'), value, fuelCallMax, never);
    expect(rendered.kind === 'ok' && text(rendered.value)).toBe(renderAgain(total));
  });

  test('primes: any order and bracket gives 1 270 607 below 20 000 000', async () => {
    const parameters = bytes('{"from":0,"to":20000000}');
    const items = Array.from({ length: 39 }, (_, index) => ({ kind: 'generated', index }) as const);
    const value = await expectOneResult('primes', parameters, items);
    const path = programPath('primes');
    const rendered = await executor.render(path, parameters, value, fuelCallMax, never);
    expect(rendered.kind === 'ok' && text(rendered.value)).toBe('1270607');
    const halves = [items.slice(0, 20), items.slice(20)].map(async (part) => {
      const plan = left(part.length);
      const run = { programPath: path, parameters, items: part, plan, fuel };
      const outcome = await executor.runSubtask(run, never);
      return outcome.kind === 'done' ? outcome.value! : none;
    });
    const most = { combine: fuelCallMax, fold: fuelFoldMax };
    const folded = await executor.fold(path, await Promise.all(halves), most, never);
    expect(folded).toMatchObject({ kind: 'ok', value });
  });
});
