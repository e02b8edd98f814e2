/** Draw integers from a seed, all equally likely. */
import { assert, mark } from '../assert.ts';
import { digestBytes, itemCountMax } from '../params.ts';
import { sha256 } from './hash.ts';
import { atOnce, type Stretches, stretchHashCount } from './stretches.ts';

/** Values that one word of a stream can have. */
const wordCount = 2 ** 32;
/** Bytes of a word. */
const wordBytes = 4;

/** Integers without end, the same from the same seed. It moves on with every call. */
export type Stream = {
  /** An integer in `0..n-1`; n from 1 to 2^32. */
  readonly below: (n: number) => number;
  /** The integers `0..n-1` in an order of which all are equally likely; n up to 2^20. */
  readonly shuffled: (n: number) => number[];
  /** The same, in stretches. */
  readonly shuffledStretches: (n: number) => Stretches<Int32Array>;
};

/** The stream of a 32-byte seed, from its beginning. @see spec/protocol/crypto.md K16 to K19 */
export function stream(seed: Uint8Array): Stream {
  assert(seed.length === digestBytes, 'a stream starts from a digest');
  const input = new Uint8Array(digestBytes + 8);
  input.set(seed);
  const counter = new DataView(input.buffer, digestBytes);
  let blockIndex = 0;
  let block: DataView = new DataView(input.buffer, 0, 0);
  let at = 0;

  const word = (): number => {
    if (at === block.byteLength) {
      counter.setBigUint64(0, BigInt(blockIndex));
      const bytes = sha256(input);
      block = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      blockIndex += 1;
      at = 0;
      mark('K16');
    }
    const value = block.getUint32(at);
    at += wordBytes;
    return value;
  };

  const below = (n: number): number => {
    assert(Number.isSafeInteger(n) && n >= 1 && n <= wordCount, 'a draw is from 1 to 2^32 values');
    const limit = wordCount - (wordCount % n);
    let value = word();
    while (value >= limit) {
      mark('K17');
      value = word();
    }
    mark('K18');
    return value % n;
  };

  const shuffledStretches = function* (n: number): Stretches<Int32Array> {
    assert(Number.isSafeInteger(n) && n >= 0 && n <= itemCountMax, 'a shuffle is of 0 to 2^20');
    const order = new Int32Array(n);
    for (let index = 0; index < n; index++) order[index] = index;
    for (let last = n - 1; last > 0; last--) {
      const other = below(last + 1);
      const moved = order[last]!;
      order[last] = order[other]!;
      order[other] = moved;
      if (last % stretchHashCount === 0) yield;
    }
    mark('K19');
    return order;
  };

  return { below, shuffledStretches, shuffled: (n) => [...atOnce(shuffledStretches(n))] };
}
