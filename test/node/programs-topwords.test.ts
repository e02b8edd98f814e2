// Goal: `topwords` finds what is frequent, between bounds that hold for any text; adds up exactly.
// Method: values byte for byte against the same counters on bigints; bounds against exact counts,
// for texts of many kinds, one of them made to hide a word; misses over many hash functions.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { programPath } from '../../programs/build.ts';
import { openProgram, outcomeOf } from '../support/open-program.ts';

const topwords = openProgram(programPath('topwords'));
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const mask = 2n ** 64n - 1n;
const prime = 2n ** 61n - 1n;
const rows = 4;
const buckets = 1_024;
const planes = 257;

/** The words of a text and how often each occurs, by the bytes that count of it. */
function wordsOf(text: Uint8Array): Map<string, number> {
  const counts = new Map<string, number>();
  const latin = Buffer.from(text).toString('latin1');
  for (const [word] of latin.matchAll(/[A-Za-z0-9\x80-\xff]+/g)) {
    const lower = word.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
    // A character that 32 bytes would cut in two is left out, if it is one.
    const cut = /^[\s\S]{29,31}(?=[^\x80-\xbf][\x80-\xbf]{0,2}$)/.exec(lower.slice(0, 32));
    const isCut = lower.length > 32 && /[\x80-\xbf]/.test(lower[32]!) && cut !== null;
    const key = isCut ? cut[0] : lower.slice(0, 32);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return counts;
}

/** The bucket of a word in each row, once more. */
function hashAgain(seed: bigint): (word: string) => number[] {
  let state = seed;
  const drawn = (): bigint => {
    state = (state + 0x9e3779b97f4a7c15n) & mask;
    const one = ((state ^ (state >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
    const two = ((one ^ (one >> 27n)) * 0x94d049bb133111ebn) & mask;
    return (two ^ (two >> 31n)) % prime;
  };
  const functions = Array.from({ length: rows }, () => Array.from({ length: 6 }, drawn));
  return (word) => {
    const key = Buffer.alloc(35);
    key.write(word, 'latin1');
    return functions.map((numbers) => {
      let sum = numbers[5]!;
      for (let limb = 0; limb < 5; limb++) {
        const part = key.subarray(limb * 7, limb * 7 + 7).reverse();
        sum += BigInt(`0x${part.toString('hex')}`) * numbers[limb]!;
        part.reverse();
      }
      return Number((sum % prime) >> 51n);
    });
  };
}

function encodeNumber(number: bigint): number[] {
  const groups: number[] = [];
  for (; number > 127n; number >>= 7n) groups.push(Number(number & 127n) | 128);
  return [...groups, Number(number)];
}

/** The value of words, once more: counters by their place, then written. */
function sketchAgain(words: ReadonlyMap<string, number | bigint>, seed: bigint): Uint8Array {
  const hash = hashAgain(seed);
  const counters = new Map<number, bigint>();
  const add = (place: number, count: number | bigint): void =>
    void counters.set(place, ((counters.get(place) ?? 0n) + BigInt(count)) & mask);
  for (const [word, count] of words)
    hash(word).forEach((bucket, row) => {
      const first = (row * buckets + bucket) * planes;
      add(first, count);
      for (let bit = 0; bit < word.length * 8; bit++)
        if ((word.charCodeAt(bit >> 3) >> (bit & 7)) & 1) add(first + 1 + bit, count);
    });
  const written: number[] = [];
  let next = 0;
  const zerosTo = (place: number): void => {
    if (place > next) written.push(0, ...encodeNumber(BigInt(place - next)));
  };
  for (const [place, count] of [...counters].sort(([a], [b]) => a - b)) {
    if (count === 0n) continue;
    zerosTo(place);
    written.push(...encodeNumber(count));
    next = place + 1;
  }
  zerosTo(rows * buckets * planes);
  return Uint8Array.from(written);
}

type Shown = {
  readonly words: number;
  readonly top: readonly {
    readonly word: string;
    readonly estimate: number;
    readonly bound: number;
  }[];
};

const shown = (parameters: string, value: Uint8Array): Shown =>
  JSON.parse(topwords.render(parameters, value));

/** Expects all that is said of a text to be true of it. */
function expectTrue({ words, top }: Shown, counts: ReadonlyMap<string, number>): void {
  expect(words).toBe([...counts.values()].reduce((a, b) => a + b, 0));
  for (const { word, estimate, bound } of top) {
    const count = counts.get(Buffer.from(word).toString('latin1')) ?? 0;
    expect(count).toBeLessThanOrEqual(estimate);
    expect(count).toBeGreaterThanOrEqual(estimate - bound);
  }
  expect(top.map(({ estimate }) => estimate)).toEqual(
    top.map(({ estimate }) => estimate).sort((a, b) => b - a),
  );
  expect(new Set(top.map(({ word }) => word)).size).toBe(top.length);
}

const texts = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc
    .array(
      fc.constantFrom('a', 'B', 'the', 'The', ' ', '\n', 'é', '漢字', 'x'.repeat(31), '\u{1f600}'),
    )
    .map((parts) => bytes(parts.join(''))),
  fc
    .array(fc.constantFrom(0xc3, 0xa9, 0xe2, 0x82, 0xac, 0x80, 0x41), {
      minLength: 28,
      maxLength: 40,
    })
    .map((list) => Uint8Array.from(list)),
);

describe('the value', () => {
  test('is that of the same counters on bigints, for any bytes and seed', () => {
    fc.assert(
      fc.property(texts, fc.bigInt({ min: 0n, max: 2n ** 62n - 1n }), (text, seed) => {
        const value = topwords.map(`{"seed":${seed}}`, text);
        expect(Buffer.compare(value, sketchAgain(wordsOf(text), seed))).toBe(0);
        // Few words have buckets of their own: then all is exact.
        const { top } = shown(`{"seed":${seed},"top":1000}`, value);
        const counts = wordsOf(text);
        if (counts.size <= 4)
          expect(top.map(({ estimate, bound }) => [estimate, bound]).sort()).toEqual(
            [...counts.values()].map((count) => [count, 0]).sort(),
          );
      }),
      { numRuns: 60 },
    );
  });

  test('of parts adds up to that of the whole, in any order', () => {
    fc.assert(
      fc.property(texts, texts, texts, (...parts) => {
        const [a, b, c] = parts.map((part) => topwords.map('', part)) as [...Uint8Array[]] as [
          Uint8Array,
          Uint8Array,
          Uint8Array,
        ];
        const { combine } = topwords;
        const whole = topwords.map('', Uint8Array.from(parts.flatMap((part) => [...part, 0x20])));
        expect(Buffer.compare(combine(combine(a, b), c), whole)).toBe(0);
        expect(Buffer.compare(combine(c, combine(b, a)), whole)).toBe(0);
      }),
      { numRuns: 20 },
    );
  });

  test('of samples adds up too, also where counters wrap to zero', () => {
    const seed = fc.uint8Array({ minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(seed, seed, seed, (...seeds) => {
        const [a, b, c] = seeds.map(topwords.sample) as [Uint8Array, Uint8Array, Uint8Array];
        const { combine } = topwords;
        expect(Buffer.compare(combine(a, b), combine(b, a))).toBe(0);
        expect(Buffer.compare(combine(combine(a, b), c), combine(a, combine(b, c)))).toBe(0);
      }),
      { numRuns: 30 },
    );
    const words = new Map([['again', 2n ** 63n]]);
    const half = sketchAgain(words, 0n);
    expect(topwords.combine(half, half)).toEqual(sketchAgain(new Map(), 0n));
  });

  test('has one form: bytes that say the same otherwise, or nothing, are refused', () => {
    const value = topwords.map('', bytes('one two two'));
    const end = encodeNumber(BigInt(rows * buckets * planes));
    const empty = Uint8Array.from([0, ...end]);
    expect(topwords.map('', bytes(' . '))).toEqual(empty);
    const forms: number[][] = [
      [],
      [...value, 0],
      [...value.slice(0, -1)],
      // Zeros one by one, zeros in two runs, a run of none, one that is too long.
      [0, 1, 0, ...encodeNumber(BigInt(rows * buckets * planes - 1))],
      [0, 0, ...empty],
      [0, ...encodeNumber(BigInt(rows * buckets * planes + 1))],
      [0, ...encodeNumber(2n ** 32n + BigInt(rows * buckets * planes))],
      // Numbers with groups to spare, and beyond 64 bits.
      [0, ...end.slice(0, -1), end.at(-1)! | 128, 0],
      [129, 0, 0, ...encodeNumber(BigInt(rows * buckets * planes - 1))],
      [...Array(9).fill(255), 2, 0, ...encodeNumber(BigInt(rows * buckets * planes - 1))],
      [...Array(10).fill(128), 1, 0, ...encodeNumber(BigInt(rows * buckets * planes - 1))],
    ];
    for (const form of forms) {
      const bad = Uint8Array.from(form);
      expect(
        outcomeOf(() => topwords.combine(bad, value)),
        String(form),
      ).toBe('failed');
      expect(
        outcomeOf(() => topwords.combine(value, bad)),
        String(form),
      ).toBe('failed');
      expect(
        outcomeOf(() => topwords.render('', bad)),
        String(form),
      ).toBe('failed');
    }
    const wide = [
      ...Array(9).fill(255),
      1,
      0,
      ...encodeNumber(BigInt(rows * buckets * planes - 1)),
    ];
    expect(topwords.combine(Uint8Array.from(wide), empty)).toEqual(Uint8Array.from(wide));
  });
});

/** Words in turn, so that each occurs as often as it shall. */
function textOf(counts: ReadonlyMap<string, number>): Uint8Array {
  return bytes([...counts].map(([word, count]) => `${word} `.repeat(count)).join(''));
}

describe('what is shown', () => {
  test('is known for a small text, the more frequent word first, then by bytes', () => {
    const text = bytes('The cat, the CAT & the cafés: 3');
    expect(topwords.render('{"top":3}', topwords.map('', text))).toBe(
      '{"words":7,"top":[{"word":"the","estimate":3,"bound":0},' +
        '{"word":"cat","estimate":2,"bound":0},{"word":"3","estimate":1,"bound":0}]}',
    );
    expect(topwords.render('', topwords.map('', bytes('')))).toBe('{"words":0,"top":[]}');
  });

  test('is true of texts whose words are many, however they are parted', () => {
    const zipf = fc
      .record({
        size: fc.integer({ min: 200, max: 4_000 }),
        steep: fc.integer({ min: 0, max: 12 }),
      })
      .map(({ size, steep }) => {
        return new Map(
          Array.from({ length: size }, (_, at) => {
            return [
              `w${(at * 7_919).toString(36)}`,
              1 + Math.floor(900 / (at + 1) ** (steep / 10)),
            ];
          }),
        );
      });
    fc.assert(
      fc.property(zipf, fc.nat(1_000), fc.nat(99), (counts, seed, cut) => {
        const given = `{"seed":${seed},"top":200}`;
        const text = textOf(counts);
        const at = text.indexOf(0x20, Math.floor((text.length * cut) / 100));
        const both = [text.slice(0, at), text.slice(at)].map((part) => topwords.map(given, part));
        expectTrue(shown(given, topwords.combine(both[0]!, both[1]!)), counts);
      }),
      { numRuns: 12 },
    );
  });

  test('has each word of a hundredth, with an excess below a hundredth, for 10 seeds', () => {
    // Half of the text is 50 words of a hundredth each; the rest is 5000 others, alike.
    const heavy = Array.from({ length: 50 }, (_, at) => `heavy${at}`);
    const light = Array.from({ length: 5_000 }, (_, at) => `light${(at * 7_919) % 100_003}`);
    const counts = new Map([
      ...heavy.map((word) => [word, 101] as const),
      ...light.map((word) => [word, 1] as const),
    ]);
    const total = 50 * 101 + 5_000;
    const text = textOf(counts);
    let missing = 0;
    for (let seed = 0; seed < 10; seed++) {
      const given = `{"seed":${seed},"top":50}`;
      const found = shown(given, topwords.map(given, text));
      expectTrue(found, counts);
      const estimates = new Map(found.top.map(({ word, estimate }) => [word, estimate]));
      for (const word of heavy) {
        const excess = (estimates.get(word) ?? Number.POSITIVE_INFINITY) - 101;
        if (excess >= total / 100) missing += 1;
      }
    }
    // Expected by Markov's inequality: fewer than 500 * (100 / 1024)^4 = 0.05.
    expect(missing).toBe(0);
  });

  test('a text made for a known seed can hide a word, but not from another seed, nor lie', () => {
    const victim = 'victim';
    const hash = hashAgain(0n);
    const target = hash(victim);
    const counts = new Map([[victim, 200]]);
    // In each row, enough of other words in the bucket of the word that shall not be seen.
    const weights = [0, 0, 0, 0];
    for (let at = 0; weights.some((weight) => weight < 600); at++) {
      const word = `j${at.toString(36)}`;
      const row = hash(word).findIndex((bucket, here) => bucket === target[here]);
      if (row < 0 || weights[row]! >= 600) continue;
      counts.set(word, 150);
      weights[row]! += 150;
    }
    const text = textOf(counts);
    const known = shown('{"top":1000}', topwords.map('', text));
    const words = ({ top }: Shown): string[] => top.map(({ word }) => word);
    expect(words(known)).not.toContain(victim);
    expectTrue(known, counts);
    for (const seed of [1, 2, 3]) {
      const given = `{"top":1000,"seed":${seed}}`;
      const other = shown(given, topwords.map(given, text));
      expect(words(other)[0]).toBe(victim);
      expectTrue(other, counts);
    }
  });

  test('bounds a word from both sides where others share all of its buckets', () => {
    const hash = hashAgain(0n);
    const target = hash('victim');
    const counts = new Map([['victim', 2_000]]);
    const shared = [0, 0, 0, 0];
    // Words as long, of which each differs elsewhere: no counter tells the victim alone.
    for (let at = 1; shared.some((count) => count < 20); at++) {
      const word = ((at * 2_654_435_761) % 36 ** 6).toString(36).padStart(6, '0');
      const row = hash(word).findIndex((bucket, here) => bucket === target[here]);
      if (row < 0 || shared[row]! >= 20) continue;
      counts.set(word, 30);
      shared[row]! += 1;
    }
    const found = shown('{"top":1}', topwords.map('', textOf(counts)));
    expectTrue(found, counts);
    const [first] = found.top;
    expect(first!.word).toBe('victim');
    expect(first!.estimate).toBeGreaterThan(2_000);
    expect(first!.estimate).toBeLessThan(2_000 + 20 * 30);
  });

  test('names nobody where nobody stands out', () => {
    const many = Array.from(
      { length: 60_000 },
      (_, at) => `u${((at * 2_654_435_761) % 2 ** 32).toString(36)}`,
    );
    const value = topwords.map('', bytes(many.join(' ')));
    const found = shown('{"top":1000}', value);
    expect(found.words).toBe(60_000);
    expect(found.top.length).toBeLessThan(5);
    expect(value.length).toBeLessThan(500_000);
  });
});

test('refuses parameters that it does not know', () => {
  for (const parameters of [
    '[]',
    '{"top":0}',
    '{"top":1001}',
    '{"seed":-1}',
    '{"seed":4611686018427387904}',
    '{"top":1,"top":1}',
    '{"to":1}',
    '{"top":1}}',
  ]) {
    expect(
      outcomeOf(() => topwords.map(parameters, bytes('a'))),
      parameters,
    ).toBe('failed');
    const value = topwords.map('{}', bytes('a'));
    expect(
      outcomeOf(() => topwords.render(parameters, value)),
      parameters,
    ).toBe('failed');
  }
});
