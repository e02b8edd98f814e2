/**
 * Keep what is known of some numbers: the program's value, little-endian.
 *
 * How many (u64), lines skipped (u64), the sum (i128), the least and the largest (i64 each; the
 * ends of i64 the other way round where there is none), then the buckets that have any, ascending:
 * number of the bucket (i64), how many (u64).
 */
import { allocate, result } from '../../shared-as/source/memory';

export const headBytes: usize = 48;
export const bucketBytes: usize = 16;

let keys: usize = 0;
let count: u32 = 0;
let room: u32 = 0;
let width: i64 = 1;
let sumLow: u64 = 0;
let sumHigh: i64 = 0;
// Set when we begin: to set them here would take a start function.
let least: i64 = 0;
let largest: i64 = 0;

/** Begins with no numbers; there may be `most`, in buckets so wide. */
export function open(most: u32, bucketWidth: i64): void {
  room = most;
  width = bucketWidth;
  keys = allocate(u64(most) * 8);
  least = i64.MAX_VALUE;
  largest = i64.MIN_VALUE;
}

export function addNumber(number: i64): void {
  if (count == room) unreachable();
  // Buckets reach down from their number, also below zero.
  let key = number / width;
  if (number % width < 0) key -= 1;
  store<i64>(keys + (usize(count) << 3), key);
  count += 1;
  const low = sumLow + <u64>number;
  sumHigh += (number >> 63) + i64(low < sumLow);
  sumLow = low;
  least = min(least, number);
  largest = max(largest, number);
}

/** Sorts the keys by merging runs; returns where they are. */
function sorted(): usize {
  let from = keys;
  let to = allocate(u64(count) * 8);
  const end = usize(count) << 3;
  for (let run: usize = 8; run < end; run <<= 1) {
    for (let start: usize = 0; start < end; start += run << 1) {
      let left = start;
      const middle = min(start + run, end);
      let right = middle;
      const last = min(start + (run << 1), end);
      for (let at = start; at < last; at += 8) {
        const isLeft =
          left < middle && (right >= last || load<i64>(from + left) <= load<i64>(from + right));
        store<i64>(to + at, load<i64>(from + (isLeft ? left : right)));
        if (isLeft) left += 8;
        else right += 8;
      }
    }
    const swap = from;
    from = to;
    to = swap;
  }
  return from;
}

/** The value of the numbers so far. */
export function finish(skipped: u64): u64 {
  const from = sorted();
  const value = allocate(u64(headBytes) + u64(count) * bucketBytes);
  store<u64>(value, count);
  store<u64>(value, skipped, 8);
  store<u64>(value, sumLow, 16);
  store<i64>(value, sumHigh, 24);
  store<i64>(value, least, 32);
  store<i64>(value, largest, 40);
  let to = value + headBytes;
  for (let at: u32 = 0; at < count; at++) {
    const key = load<i64>(from + (usize(at) << 3));
    if (at > 0 && load<i64>(to - bucketBytes) == key) {
      store<u64>(to - bucketBytes, load<u64>(to - bucketBytes, 8) + 1, 8);
    } else {
      store<i64>(to, key);
      store<u64>(to, 1, 8);
      to += bucketBytes;
    }
  }
  return result(value, to - value);
}

/** Traps on bytes that are no value. */
export function checkValue(value: usize, length: u32): void {
  if (length < <u32>headBytes || (length - <u32>headBytes) % <u32>bucketBytes != 0) unreachable();
  const end = value + length;
  for (let at = value + headBytes + bucketBytes; at < end; at += bucketBytes)
    if (load<i64>(at) <= load<i64>(at - bucketBytes)) unreachable();
}

export function merge(a: usize, aLength: u32, b: usize, bLength: u32): u64 {
  checkValue(a, aLength);
  checkValue(b, bLength);
  const value = allocate(u64(aLength) + u64(bLength));
  store<u64>(value, load<u64>(a) + load<u64>(b));
  store<u64>(value, load<u64>(a, 8) + load<u64>(b, 8), 8);
  const low = load<u64>(a, 16) + load<u64>(b, 16);
  store<u64>(value, low, 16);
  store<i64>(value, load<i64>(a, 24) + load<i64>(b, 24) + i64(low < load<u64>(a, 16)), 24);
  store<i64>(value, min(load<i64>(a, 32), load<i64>(b, 32)), 32);
  store<i64>(value, max(load<i64>(a, 40), load<i64>(b, 40)), 40);
  const aEnd = a + aLength;
  const bEnd = b + bLength;
  let to = value + headBytes;
  a += headBytes;
  b += headBytes;
  while (a < aEnd || b < bEnd) {
    const isA = a < aEnd && (b == bEnd || load<i64>(a) <= load<i64>(b));
    const isB = b < bEnd && (a == aEnd || load<i64>(b) <= load<i64>(a));
    store<i64>(to, load<i64>(isA ? a : b));
    store<u64>(to, (isA ? load<u64>(a, 8) : 0) + (isB ? load<u64>(b, 8) : 0), 8);
    if (isA) a += bucketBytes;
    if (isB) b += bucketBytes;
    to += bucketBytes;
  }
  return result(value, to - value);
}
