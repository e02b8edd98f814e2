/** Read and write length-prefixed frames, of which no more is read than may come. */
import type { Stream } from '@libp2p/interface';
import { type LengthPrefixedStream, lpStream } from '@libp2p/utils';

export type Frames = LengthPrefixedStream<Stream>;

/** Bytes of the longest prefix: seven bits in each, lowest first. */
const prefixBytesMax = 4;

/**
 * Frames of at most `bytesMax` bytes on a stream. What comes faster than it is read, beyond one
 * frame, ends the stream.
 */
export function framesOf(stream: Stream, bytesMax: number): Frames {
  return lpStream(stream, {
    maxDataLength: bytesMax,
    maxBufferSize: bytesMax + prefixBytesMax,
    lengthDecoder: decodeLength,
  });
}

/**
 * The library's own decoder takes an endless prefix for an unfinished one, and reads it byte by
 * byte for as long as it comes: 6 microseconds for each byte that a hostile peer sends.
 */
function decodeLength(prefix: { byteLength: number; get: (index: number) => number }): number {
  let length = 0;
  for (let i = 0; i < prefix.byteLength; i++) {
    const byte = prefix.get(i);
    length += (byte & 127) * 128 ** i;
    if (byte < 128) return length;
  }
  if (prefix.byteLength < prefixBytesMax) throw new RangeError('more of the prefix is to come');
  throw new PrefixError('a length prefix has at most 4 bytes');
}

/** A prefix without end. The library goes on reading after a RangeError, but not after this. */
export class PrefixError extends Error {
  override readonly name = 'PrefixError';
}
