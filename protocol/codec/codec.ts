/** Encode and decode canonically, within limits (dag-cbor). */
import * as dagCbor from '@ipld/dag-cbor';
import { mark } from '../assert.ts';
import { sameBytes } from '../brand.ts';
import { CodecError } from './error.ts';
import { headsWithin } from './heads.ts';
import type { Shape, Wire } from './schema.ts';

/** The one encoding of a type. `encode(decode(bytes))` gives back the same bytes. */
export type Codec<T> = {
  readonly name: string;
  readonly bytesMax: number;
  /** @throws {@link CodecError} when a field is outside its limits: a bug of ours. */
  readonly encode: (value: T) => Uint8Array;
  /** @throws {@link CodecError} for bytes that are too long, malformed, or not canonical. */
  readonly decode: (bytes: Uint8Array) => T;
};

/** Items of an encoding where a codec says nothing else: some milliseconds of work. */
const headsMaxDefault = 65_536;

/** The value type of a codec. */
export type CodecOf<C> = C extends Codec<infer T> ? T : never;

/**
 * A codec of at most `bytesMax` bytes for one shape.
 *
 * Decoding is total: any byte string gives a value or a {@link CodecError}. The library alone
 * accepts several encodings of one value, so what was read is written again and compared.
 *
 * @param headsMax - Items that an encoding may have, lists and their entries counted.
 */
export function codec<T>(
  name: string,
  bytesMax: number,
  shape: Shape<T>,
  headsMax = headsMaxDefault,
): Codec<T> {
  const encode = (value: T): Uint8Array => {
    const bytes = written(shape.write(value));
    if (bytes.length > bytesMax)
      throw new CodecError({ code: 'CODEC_TOO_LONG', bytes: bytes.length, bytesMax });
    return bytes;
  };
  const decode = (bytes: Uint8Array): T => {
    if (bytes.length > bytesMax) {
      mark('E1');
      throw new CodecError({ code: 'CODEC_TOO_LONG', bytes: bytes.length, bytesMax });
    }
    if (!headsWithin(bytes, headsMax)) {
      mark('E6');
      throw new CodecError({ code: 'CODEC_TOO_MANY', headsMax });
    }
    const value = shaped(shape, parse(bytes), name);
    if (!sameBytes(dagCbor.encode(shape.write(value)), bytes)) {
      mark('E4');
      throw new CodecError({ code: 'CODEC_NOT_CANONICAL' });
    }
    mark('E5');
    return value;
  };
  return { name, bytesMax, encode, decode };
}

function parse(bytes: Uint8Array): Wire {
  try {
    return dagCbor.decode<Wire>(bytes);
  } catch (cause) {
    mark('E2');
    const reason = cause instanceof RangeError ? 'nested too deeply' : (cause as Error).message;
    throw new CodecError({ code: 'CODEC_MALFORMED', reason });
  }
}

function shaped<T>(shape: Shape<T>, wire: Wire, name: string): T {
  try {
    return shape.read(wire, name);
  } catch (error) {
    if (error instanceof CodecError) mark('E3');
    throw error;
  }
}

/** The library may hand out a Buffer, whose `slice` shares memory: ours are plain bytes. */
function written(wire: Wire): Uint8Array {
  const { buffer, byteOffset, byteLength } = dagCbor.encode(wire);
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Decodes, or returns null where {@link Codec.decode} would throw for the sender's fault. */
export function tryDecode<T>({ decode }: Codec<T>, bytes: Uint8Array): T | null {
  try {
    return decode(bytes);
  } catch (error) {
    if (error instanceof CodecError) return null;
    throw error;
  }
}
