/**
 * Write many counters, most of them zero, as few bytes, in one way only; and add two such lists.
 *
 * A counter that is not zero is its seven-bit groups, the lowest first, all but the last with the
 * high bit set. A run of zeros, as long as it goes, is a zero byte and its length, likewise.
 */
import { allocate, result } from '../../wordcount/source/memory';
import { allocateCounters, counterCount } from './sketch';

/** Bytes of a counter at most. */
const numberBytesMax: u64 = 10;

let to: usize = 0;
/** Zeros that are to be written before what comes next. */
let zeros: u32 = 0;

function putNumber(number: u64): void {
  while (number > 127) {
    store<u8>(to++, <u8>((number & 127) | 128));
    number >>= 7;
  }
  store<u8>(to++, <u8>number);
}

function putZeros(): void {
  if (zeros == 0) return;
  store<u8>(to++, 0);
  putNumber(zeros);
  zeros = 0;
}

@inline
function putCounter(counter: u64): void {
  if (counter == 0) zeros += 1;
  else {
    putZeros();
    putNumber(counter);
  }
}

/** The value of counters. */
export function writeCounters(counters: usize): u64 {
  const end = counters + usize(counterCount) * 8;
  let used: u64 = 0;
  for (let at = counters; at < end; at += 8) used += u64(load<u64>(at) != 0);
  // Between counters that are not zero stand runs of at most five bytes.
  const value = allocate((used + 1) * (numberBytesMax + 5));
  to = value;
  for (let at = counters; at < end; at += 8) putCounter(load<u64>(at));
  putZeros();
  return result(value, to - value);
}

let numberEnd: usize = 0;

/** Reads a number; traps where it is cut off, has groups to spare, or exceeds 64 bits. */
function readNumber(at: usize, end: usize): u64 {
  let number: u64 = 0;
  let shift: u64 = 0;
  while (true) {
    if (at >= end) unreachable();
    const byte = u64(load<u8>(at++));
    if (shift == 63 && byte > 1) unreachable();
    number |= (byte & 127) << shift;
    if (byte < 128) {
      if (byte == 0 && shift > 0) unreachable();
      numberEnd = at;
      return number;
    }
    shift += 7;
  }
}

/** A place in a value: what stands there is `run` more zeros, or a counter. */
@unmanaged
class Cursor {
  at: usize;
  end: usize;
  run: u32;
  counter: u64;
  /** Counters that the value still has to have. */
  left: u32;
}

function open(value: usize, length: u32): Cursor {
  const cursor = changetype<Cursor>(allocate(offsetof<Cursor>()));
  cursor.at = value;
  cursor.end = value + length;
  cursor.left = counterCount;
  step(cursor);
  return cursor;
}

/** On to the next run or counter; traps on bytes that are no value. */
function step(cursor: Cursor): void {
  const isAfterRun = cursor.run > 0;
  cursor.run = 0;
  cursor.counter = 0;
  if (cursor.left == 0) {
    if (cursor.at != cursor.end) unreachable();
    return;
  }
  cursor.counter = readNumber(cursor.at, cursor.end);
  cursor.at = numberEnd;
  if (cursor.counter != 0) {
    cursor.left -= 1;
    return;
  }
  const run = readNumber(cursor.at, cursor.end);
  cursor.at = numberEnd;
  if (isAfterRun || run == 0 || run > cursor.left) unreachable();
  cursor.run = u32(run);
  cursor.left -= u32(run);
}

/** Passes `count` counters that are known to be there. */
@inline
function pass(cursor: Cursor, count: u32): void {
  if (cursor.run > count) cursor.run -= count;
  else step(cursor);
}

/** The value of two together. */
export function merge(a: usize, aLength: u32, b: usize, bLength: u32): u64 {
  const left = open(a, aLength);
  const right = open(b, bLength);
  // A run begins where one of theirs does, or where a sum of two counters is zero.
  const value = allocate(u64(aLength) + u64(bLength));
  to = value;
  for (let rest = counterCount; rest > 0; ) {
    const both = min(left.run, right.run);
    zeros += both;
    if (both == 0) putCounter(left.counter + right.counter);
    const passed = max<u32>(both, 1);
    pass(left, passed);
    pass(right, passed);
    rest -= passed;
  }
  putZeros();
  return result(value, to - value);
}

/** The counters of a value. */
export function readCounters(value: usize, length: u32): usize {
  const counters = allocateCounters();
  const cursor = open(value, length);
  for (let at: u32 = 0; at < counterCount; ) {
    const passed = max<u32>(cursor.run, 1);
    store<u64>(counters + (usize(at) << 3), cursor.counter);
    at += passed;
    pass(cursor, passed);
  }
  return counters;
}
