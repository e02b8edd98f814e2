/** Bound and shape what travels: arrays in fixed field order, one way to write each value. */
import { CodecError } from './error.ts';

/** What dag-cbor carries for us: integers, texts, bytes, booleans, null, and arrays of them. */
export type Wire = number | bigint | string | boolean | null | Uint8Array | readonly Wire[];

/** How one type is written and read. `read` refuses what `write` would not have written. */
export type Shape<T> = {
  // Methods, so that a shape of a struct is also a shape of something unknown.
  write(value: T): Wire;
  read(wire: Wire, at: string): T;
};

/** The value type of a shape. */
export type ShapeOf<S> = S extends Shape<infer T> ? T : never;

function refuse(at: string, expected: string): never {
  throw new CodecError({ code: 'CODEC_SHAPE', at, expected });
}

/** An integer in `min..max`, at most 2^53 - 1. */
export function uint(max: number, min = 0): Shape<number> {
  return {
    write: (value) => {
      if (!Number.isSafeInteger(value) || value < min || value > max)
        throw new CodecError({ code: 'CODEC_RANGE', at: '', value: String(value), min, max });
      return value;
    },
    read: (wire, at) => {
      if (typeof wire !== 'number' || !Number.isSafeInteger(wire)) refuse(at, 'an integer');
      if (wire < min || wire > max)
        throw new CodecError({ code: 'CODEC_RANGE', at, value: String(wire), min, max });
      return wire;
    },
  };
}

/** An integer in `0..max` that may pass 2^53; written like every other CBOR integer. */
export function bigUint(max: bigint): Shape<bigint> {
  const range = (value: bigint, at: string): never => {
    throw new CodecError({
      code: 'CODEC_RANGE',
      at,
      value: String(value),
      min: 0,
      max: String(max),
    });
  };
  return {
    write: (value) => (value < 0n || value > max ? range(value, '') : value),
    read: (wire, at) => {
      if (typeof wire !== 'bigint' && !Number.isSafeInteger(wire)) refuse(at, 'an integer');
      const value = BigInt(wire as number | bigint);
      return value < 0n || value > max ? range(value, at) : value;
    },
  };
}

/** Exactly `length` bytes. */
export function fixedBytes(length: number): Shape<Uint8Array> {
  return bytesUpTo(length, length);
}

/** Between `min` and `max` bytes. */
export function bytesUpTo(max: number, min = 0): Shape<Uint8Array> {
  const check = (value: Uint8Array, at: string): Uint8Array => {
    if (value.length < min || value.length > max)
      throw new CodecError({ code: 'CODEC_RANGE', at, value: `${value.length} bytes`, min, max });
    return value;
  };
  return {
    write: (value) => check(value, ''),
    read: (wire, at) => (wire instanceof Uint8Array ? check(wire, at) : refuse(at, 'bytes')),
  };
}

/** Text of at most `max` UTF-16 units, without lone surrogates. */
export function text(max: number): Shape<string> {
  const check = (value: string, at: string): string => {
    if (value.length > max)
      throw new CodecError({ code: 'CODEC_RANGE', at, value: `${value.length}`, min: 0, max });
    if (!value.isWellFormed()) refuse(at, 'well-formed text');
    return value;
  };
  return {
    write: (value) => check(value, ''),
    read: (wire, at) => (typeof wire === 'string' ? check(wire, at) : refuse(at, 'text')),
  };
}

export const bool: Shape<boolean> = {
  write: (value) => value,
  read: (wire, at) => (typeof wire === 'boolean' ? wire : refuse(at, 'true or false')),
};

/** One of a few words, written as its place in the list. */
export function oneOf<const W extends string>(words: readonly W[]): Shape<W> {
  return {
    write: (value) => {
      const place = words.indexOf(value);
      return place < 0 ? refuse('', `one of ${words.join(', ')}`) : place;
    },
    read: (wire, at) =>
      (typeof wire === 'number' ? words[wire] : undefined) ??
      refuse(at, `one of ${words.join(', ')}`),
  };
}

/** A value, or null. */
export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return {
    write: (value) => (value === null ? null : shape.write(value)),
    read: (wire, at) => (wire === null ? null : shape.read(wire, at)),
  };
}

/** Between `min` and `max` values of one shape. */
export function list<T>(shape: Shape<T>, max: number, min = 0): Shape<readonly T[]> {
  const check = (length: number, at: string): void => {
    if (length < min || length > max)
      throw new CodecError({ code: 'CODEC_RANGE', at, value: `${length} entries`, min, max });
  };
  return {
    write: (values) => {
      check(values.length, '');
      return values.map((value) => shape.write(value));
    },
    read: (wire, at) => {
      if (!Array.isArray(wire)) refuse(at, 'a list');
      check(wire.length, at);
      return (wire as Wire[]).map((entry, index) => shape.read(entry, `${at}[${index}]`));
    },
  };
}

/** Named fields, written as an array in the order given here. */
export function struct<T extends Record<string, unknown>>(
  fields: {
    readonly [K in keyof T]: Shape<T[K]>;
  },
): Shape<Readonly<T>> {
  const names = Object.keys(fields) as (keyof T & string)[];
  return {
    write: (value) => names.map((name) => fields[name].write(value[name])),
    read: (wire, at) => {
      if (!Array.isArray(wire) || wire.length !== names.length)
        refuse(at, `${names.length} fields`);
      const value: Partial<T> = {};
      names.forEach((name, index) => {
        value[name] = fields[name].read((wire as Wire[])[index]!, `${at}.${name}`);
      });
      return value as T;
    },
  };
}

type Variants = Record<string, Shape<unknown>>;
type Union<V extends Variants> = {
  [K in keyof V & string]: { readonly kind: K } & ShapeOf<V[K]>;
}[keyof V & string];

/** One of several structs; `kind` says which, and is written as its place in the list. */
export function union<const V extends Variants>(variants: V): Shape<Union<V>> {
  const kinds = Object.keys(variants) as (keyof V & string)[];
  return {
    write: (value) => {
      const shape = variants[value.kind] ?? refuse('', `one of ${kinds.join(', ')}`);
      return [kinds.indexOf(value.kind), shape.write(value)];
    },
    read: (wire, at) => {
      if (!Array.isArray(wire) || wire.length !== 2) refuse(at, 'a kind and its fields');
      const [place, fields] = wire as [Wire, Wire];
      const kind = typeof place === 'number' ? kinds[place] : undefined;
      if (kind === undefined) return refuse(at, `one of ${kinds.join(', ')}`);
      const shape = variants[kind] as Shape<object>;
      return { kind, ...shape.read(fields, `${at}.${kind}`) } as unknown as Union<V>;
    },
  };
}
