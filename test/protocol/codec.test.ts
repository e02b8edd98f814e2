// Goal: every value has one encoding, and every byte string is read or refused by a numbered line.
// Method: one codec with all shapes; random values and random damage; hand-made CBOR for each way
// to write a thing differently, beside the one way that is accepted.
import * as dagCbor from '@ipld/dag-cbor';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, hex, unhex } from '../../protocol/brand.ts';
import { type Codec, type CodecOf, codec, tryDecode } from '../../protocol/codec/codec.ts';
import { CodecError } from '../../protocol/codec/error.ts';
import {
  bigUint,
  bool,
  bytesUpTo,
  fixedBytes,
  list,
  nullable,
  oneOf,
  type Shape,
  struct,
  text,
  uint,
  union,
} from '../../protocol/codec/schema.ts';
import { reachEveryLine } from '../support/lines.ts';

reachEveryLine('codec');

const bytes = (digits: string): Uint8Array => unhex(digits)!;

/** One of everything. */
const all = codec(
  'all',
  4_096,
  struct({
    count: uint(2 ** 53 - 1),
    small: uint(9, 3),
    large: bigUint(2n ** 64n - 1n),
    id: fixedBytes(4),
    blob: bytesUpTo(300, 1),
    name: text(40),
    flag: bool,
    word: oneOf(['yes', 'no', 'maybe']),
    place: nullable(uint(5)),
    values: list(uint(1_000), 30, 1),
    body: union({ one: struct({ a: uint(7) }), two: struct({ b: text(5), c: bool }) }),
  }),
);
type All = CodecOf<typeof all>;

const value: fc.Arbitrary<All> = fc.record({
  count: fc.maxSafeNat(),
  small: fc.integer({ min: 3, max: 9 }),
  large: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  id: fc.uint8Array({ minLength: 4, maxLength: 4 }),
  blob: fc.uint8Array({ minLength: 1, maxLength: 300 }),
  name: fc.string({ unit: 'binary', maxLength: 20 }),
  flag: fc.boolean(),
  word: fc.constantFrom('yes' as const, 'no' as const, 'maybe' as const),
  place: fc.option(fc.nat(5)),
  values: fc.array(fc.nat(1_000), { minLength: 1, maxLength: 30 }),
  body: fc.oneof(
    fc.record({ kind: fc.constant('one' as const), a: fc.nat(7) }),
    fc.record({
      kind: fc.constant('two' as const),
      b: fc.string({ unit: 'binary', maxLength: 2 }),
      c: fc.boolean(),
    }),
  ),
});

/** The code of the refusal, or `accepted`; anything but a CodecError is a bug and passes. */
function outcome<T>({ decode }: Codec<T>, input: Uint8Array): string {
  try {
    decode(input);
    return 'accepted';
  } catch (error) {
    if (error instanceof CodecError) return error.code;
    throw error;
  }
}

describe('any value', () => {
  test('comes back from its bytes', () => {
    fc.assert(
      fc.property(value, (given) => {
        expect(all.decode(all.encode(given))).toEqual(given);
      }),
    );
  });

  test('is refused when truncated anywhere, or with anything behind it', () => {
    fc.assert(
      fc.property(
        value,
        fc.nat(),
        fc.uint8Array({ minLength: 1, maxLength: 8 }),
        (given, at, tail) => {
          const written = all.encode(given);
          expect(outcome(all, written.subarray(0, at % written.length))).toBe('CODEC_MALFORMED');
          expect(outcome(all, concatBytes(written, tail))).toBe('CODEC_MALFORMED');
        },
      ),
    );
  });

  test('has no second encoding: damaged bytes are refused or another value', () => {
    fc.assert(
      fc.property(value, fc.nat(), fc.integer({ min: 1, max: 255 }), (given, at, change) => {
        const written = Uint8Array.from(all.encode(given));
        written[at % written.length]! ^= change;
        const read = tryDecode(all, written);
        if (read === null) return;
        expect(read).not.toEqual(given);
        expect(hex(all.encode(read))).toBe(hex(written));
      }),
      { numRuns: 2_000 },
    );
  });

  test('is refused field by field when a field is lengthened by another encoder', () => {
    fc.assert(
      fc.property(value, (given) => {
        const wire = dagCbor.decode<unknown[]>(all.encode(given));
        expect(outcome(all, dagCbor.encode([...wire, 0]))).toBe('CODEC_SHAPE');
        expect(outcome(all, dagCbor.encode(wire.slice(1)))).toBe('CODEC_SHAPE');
        expect(outcome(all, dagCbor.encode({ ...given, body: 0, place: 0 }))).toBe('CODEC_SHAPE');
        expect(outcome(all, dagCbor.encode(wire))).toBe('accepted');
      }),
    );
  });
});

test('any bytes at all are read or refused, never an exception of another kind', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (input) => {
      const read = tryDecode(all, input);
      if (read !== null) expect(hex(all.encode(read))).toBe(hex(input));
    }),
    { numRuns: 2_000 },
  );
});

type Row = readonly [what: string, digits: string, expected: string];

function rows<T>(name: string, shape: Shape<T>, table: readonly Row[], bytesMax = 64): void {
  const one = codec(name, bytesMax, shape);
  test.each(table)(`${name}: %s`, (_, digits, expected) => {
    const input = bytes(digits);
    expect(outcome(one, input)).toBe(expected);
    if (expected === 'accepted') expect(hex(one.encode(one.decode(input)))).toBe(digits);
    else expect(tryDecode(one, input)).toBeNull();
    // Named by its place: it was refused when it was read, not when it was written again.
    if (expected === 'CODEC_SHAPE' || expected === 'CODEC_RANGE')
      expect(() => one.decode(input)).toThrow(new RegExp(`^${name}(\\.|\\[|:)`));
  });
}

describe('one way to write', () => {
  rows('integer', uint(2 ** 53 - 1), [
    ['zero', '00', 'accepted'],
    ['the largest', '1b001fffffffffffff', 'accepted'],
    ['one above the largest', '1b0020000000000000', 'CODEC_SHAPE'],
    ['zero in two bytes', '1800', 'CODEC_MALFORMED'],
    ['one in three bytes', '190001', 'CODEC_MALFORMED'],
    ['one in five bytes', '1a00000001', 'CODEC_MALFORMED'],
    ['one in nine bytes', '1b0000000000000001', 'CODEC_MALFORMED'],
    ['one as half float', 'f93c00', 'CODEC_NOT_CANONICAL'],
    ['one as single float', 'fa3f800000', 'CODEC_NOT_CANONICAL'],
    ['one as double float', 'fb3ff0000000000000', 'CODEC_NOT_CANONICAL'],
    ['minus zero', 'fb8000000000000000', 'CODEC_NOT_CANONICAL'],
    ['one and a half', 'fb3ff8000000000000', 'CODEC_SHAPE'],
    ['not a number', 'fb7ff8000000000000', 'CODEC_MALFORMED'],
    ['minus one', '20', 'CODEC_RANGE'],
    ['one as a big number', 'c24101', 'CODEC_MALFORMED'],
    ['a date', 'c001', 'CODEC_MALFORMED'],
    ['a broken link', 'd82a420000', 'CODEC_MALFORMED'],
    ['true', 'f5', 'CODEC_SHAPE'],
    ['null', 'f6', 'CODEC_SHAPE'],
    ['undefined', 'f7', 'CODEC_SHAPE'],
    ['a map', 'a0', 'CODEC_SHAPE'],
    ['a map with a key twice', 'a2616101616102', 'CODEC_MALFORMED'],
    ['nothing', '', 'CODEC_MALFORMED'],
    ['two of them', '0000', 'CODEC_MALFORMED'],
    ['half a head', '19', 'CODEC_MALFORMED'],
    ['a reserved head', '1c', 'CODEC_MALFORMED'],
    ['a lone break', 'ff', 'CODEC_MALFORMED'],
  ]);

  rows('bounded integer', uint(9, 3), [
    ['the least', '03', 'accepted'],
    ['below the least', '02', 'CODEC_RANGE'],
    ['the most', '09', 'accepted'],
    ['above the most', '0a', 'CODEC_RANGE'],
  ]);

  rows('large integer', bigUint(2n ** 64n - 2n), [
    ['five', '05', 'accepted'],
    ['2^53', '1b0020000000000000', 'accepted'],
    ['the most', '1bfffffffffffffffe', 'accepted'],
    ['above the most', '1bffffffffffffffff', 'CODEC_RANGE'],
    ['minus 2^64', '3bffffffffffffffff', 'CODEC_RANGE'],
    ['five in two bytes', '1805', 'CODEC_MALFORMED'],
    ['2^53 as a float', 'fb4340000000000000', 'CODEC_SHAPE'],
    ['one as a float', 'f93c00', 'CODEC_NOT_CANONICAL'],
    ['bytes', '4105', 'CODEC_SHAPE'],
  ]);

  rows('bytes', bytesUpTo(3, 1), [
    ['one', '4100', 'accepted'],
    ['three', '43000000', 'accepted'],
    ['none', '40', 'CODEC_RANGE'],
    ['four', '4400000000', 'CODEC_RANGE'],
    ['one, its length in two bytes', '580100', 'CODEC_MALFORMED'],
    ['one in an indefinite string', '5f4100ff', 'CODEC_MALFORMED'],
    ['more promised than there are', '5affffffff00', 'CODEC_MALFORMED'],
    ['a list of integers', '8100', 'CODEC_SHAPE'],
    ['text', '6161', 'CODEC_SHAPE'],
  ]);

  rows('text', text(2), [
    ['empty', '60', 'accepted'],
    ['two units in four bytes', '64f09f9880', 'accepted'],
    ['three units', '63616161', 'CODEC_RANGE'],
    ['a byte that is no UTF-8', '61ff', 'CODEC_NOT_CANONICAL'],
    ['an overlong form', '62c080', 'CODEC_NOT_CANONICAL'],
    ['half a surrogate pair', '63eda080', 'CODEC_RANGE'],
    ['an indefinite string', '7f6161ff', 'CODEC_MALFORMED'],
    ['bytes', '4161', 'CODEC_SHAPE'],
  ]);

  rows('boolean', bool, [
    ['false', 'f4', 'accepted'],
    ['true', 'f5', 'accepted'],
    ['false in two bytes', 'f814', 'CODEC_MALFORMED'],
    ['zero', '00', 'CODEC_SHAPE'],
    ['null', 'f6', 'CODEC_SHAPE'],
  ]);

  rows('word', oneOf(['yes', 'no']), [
    ['the first', '00', 'accepted'],
    ['the second', '01', 'accepted'],
    ['a third', '02', 'CODEC_SHAPE'],
    ['minus one', '20', 'CODEC_SHAPE'],
    ['a place between', 'f93e00', 'CODEC_SHAPE'],
    ['the second as a float', 'f93c00', 'CODEC_NOT_CANONICAL'],
    ['its text', '63796573', 'CODEC_SHAPE'],
  ]);

  rows('perhaps', nullable(uint(5)), [
    ['null', 'f6', 'accepted'],
    ['undefined', 'f7', 'CODEC_NOT_CANONICAL'],
    ['five', '05', 'accepted'],
    ['six', '06', 'CODEC_RANGE'],
  ]);

  rows('list', list(uint(5), 2, 1), [
    ['one', '8105', 'accepted'],
    ['none', '80', 'CODEC_RANGE'],
    ['three', '83000000', 'CODEC_RANGE'],
    ['an entry out of range', '8106', 'CODEC_RANGE'],
    ['one, its count in two bytes', '980100', 'CODEC_MALFORMED'],
    ['an indefinite list', '9f00ff', 'CODEC_MALFORMED'],
    ['fewer than promised', '8200', 'CODEC_MALFORMED'],
    ['2^32 - 1 promised', '9affffffff00', 'CODEC_MALFORMED'],
    ['a map', 'a0', 'CODEC_SHAPE'],
  ]);

  rows('struct', struct({ a: uint(5), b: bool }), [
    ['two fields', '8205f4', 'accepted'],
    ['in another order', '82f405', 'CODEC_SHAPE'],
    ['a field too few', '8105', 'CODEC_SHAPE'],
    ['a field too many', '8305f400', 'CODEC_SHAPE'],
    ['a map of them', 'a26161056162f4', 'CODEC_SHAPE'],
  ]);

  rows('union', union({ a: struct({ x: uint(3) }), b: struct({}) }), [
    ['the first kind', '82008103', 'accepted'],
    ['the second kind', '820180', 'accepted'],
    ['a third kind', '820280', 'CODEC_SHAPE'],
    ['a kind with the fields of another', '82018103', 'CODEC_SHAPE'],
    ['its kind as a float', '82f900008103', 'CODEC_NOT_CANONICAL'],
    ['a kind by its name', '8261618103', 'CODEC_SHAPE'],
    ['only a kind', '8100', 'CODEC_SHAPE'],
    ['more behind', '8300810300', 'CODEC_SHAPE'],
  ]);
});

describe('limits', () => {
  const three = codec('three', 3, bytesUpTo(8));

  test('a codec reads and writes up to its length, and no byte more', () => {
    expect(hex(three.encode(bytes('0102')))).toBe('420102');
    expect(outcome(three, bytes('420102'))).toBe('accepted');
    expect(outcome(three, bytes('43010203'))).toBe('CODEC_TOO_LONG');
    expect(() => three.encode(bytes('010203'))).toThrow(CodecError);
  });

  test('too long is said before the bytes are looked at', () => {
    expect(outcome(three, bytes('ffffffff'))).toBe('CODEC_TOO_LONG');
  });

  test('nesting deeper than any stack is refused', () => {
    const deep = codec('deep', 2 ** 20, list(uint(1), 1));
    const nested = new Uint8Array(500_000).fill(0x81);
    expect(outcome(deep, concatBytes(nested, bytes('00')))).toMatch(
      /^CODEC_(MALFORMED|SHAPE|TOO_MANY)$/,
    );
    expect(outcome(deep, bytes('818100'))).toBe('CODEC_SHAPE');
  });

  test('writing refuses what reading would refuse', () => {
    const refused: readonly (() => unknown)[] = [
      () => codec('n', 99, uint(5)).encode(6),
      () => codec('n', 99, uint(5, 2)).encode(1),
      () => codec('n', 99, uint(5)).encode(1.5),
      () => codec('n', 99, bigUint(5n)).encode(6n),
      () => codec('n', 99, bigUint(5n)).encode(-1n),
      () => codec('n', 99, fixedBytes(2)).encode(bytes('00')),
      () => codec('n', 99, text(2)).encode('abc'),
      () => codec('n', 99, text(2)).encode('\ud800'),
      () => codec('n', 99, oneOf(['a'])).encode('b' as 'a'),
      () => codec('n', 99, list(bool, 1)).encode([true, true]),
      () => codec('n', 99, union({ a: struct({}) })).encode({ kind: 'b' } as never),
    ];
    for (const [index, write] of refused.entries())
      expect(write, `case ${index}`).toThrow(CodecError);
    expect(hex(codec('n', 99, uint(5)).encode(5))).toBe('05');
  });
});

test('a refusal names the place, and what was expected there', () => {
  const nested = codec('job', 99, struct({ parts: list(uint(5), 3) }));
  expect(() => nested.decode(bytes('81820506'))).toThrow('job.parts[1]: 6 is not in 0..5');
  expect(() => nested.decode(bytes('818205f4'))).toThrow('job.parts[1]: expected an integer');
});

test('tryDecode lets bugs through', () => {
  const broken: Shape<number> = {
    write: (given) => given,
    read: () => {
      throw new TypeError('a bug of ours');
    },
  };
  expect(() => tryDecode(codec('broken', 9, broken), bytes('00'))).toThrow(TypeError);
  expect(tryDecode(codec('n', 9, uint(5)), bytes('06'))).toBeNull();
});

describe('the count of items', () => {
  const numbers = codec('numbers', 8 * 1024 * 1024, list(list(uint(255), 4), 2 ** 20), 1_000);

  test('is taken before anything is built: a bomb of empty lists is refused at once', () => {
    const bomb = new Uint8Array(4 * 1024 * 1024).fill(0x80);
    bomb.set([0x9a, 0, 0x3f, 0xff, 0xfb]); // a list of 4 194 299 empty lists
    expect(() => numbers.decode(bomb)).toThrow(expect.objectContaining({ code: 'CODEC_TOO_MANY' }));
    const value = Array.from({ length: 2_000 }, () => []);
    const encoded = dagCbor.encode(value);
    expect(() => numbers.decode(encoded)).toThrow(
      expect.objectContaining({ code: 'CODEC_TOO_MANY' }),
    );
    const wider = codec('wider', 8 * 1024 * 1024, list(list(uint(255), 4), 2 ** 20), 2_001);
    expect(wider.decode(encoded)).toEqual(value);
  });

  test('does not count what lies inside byte strings and texts', () => {
    const blobs = codec('blobs', 8 * 1024 * 1024, list(bytesUpTo(1_000_000), 10), 11);
    const value = Array.from({ length: 10 }, (_, i) => new Uint8Array(i * 1_000).fill(0x80));
    expect(blobs.decode(blobs.encode(value))).toEqual(value);
  });
});
