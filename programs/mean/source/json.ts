/** Write a value as JSON whose numbers are exact decimals. */
import { allocate, result } from '../../shared-as/source/memory';
import { bucketBytes, checkValue, headBytes } from './tally';

let to: usize = 0;

function put(byte: u32): void {
  store<u8>(to, <u8>byte);
  to += 1;
}

function putText(text: string): void {
  for (let at = 0; at < text.length; at++) put(text.charCodeAt(at));
}

let quotientHigh: u64 = 0;
let quotientLow: u64 = 0;

/** Divides a number of 128 bits, bit by bit; returns the rest. The divisor is below 2^63. */
function divide(high: u64, low: u64, divisor: u64): u64 {
  let rest: u64 = 0;
  for (let bit = 0; bit < 128; bit++) {
    rest = (rest << 1) | (high >> 63);
    high = (high << 1) | (low >> 63);
    low <<= 1;
    if (rest >= divisor) {
      rest -= divisor;
      low |= 1;
    }
  }
  quotientHigh = high;
  quotientLow = low;
  return rest;
}

/** Writes a number of 128 bits with a point before its last `digits` digits. */
function putDecimal(high: u64, low: u64, digits: u32): void {
  const reversed = allocate(64);
  let count: u32 = 0;
  do {
    store<u8>(reversed + count, <u8>(48 + divide(high, low, 10)));
    high = quotientHigh;
    low = quotientLow;
    count += 1;
  } while (high != 0 || low != 0 || count <= digits);
  while (count > 0) {
    if (count == digits) put(46);
    count -= 1;
    put(load<u8>(reversed + count));
  }
}

function putSigned(number: i64, digits: u32): void {
  if (number < 0) put(45);
  putDecimal(0, number < 0 ? 0 - <u64>number : <u64>number, digits);
}

/** Digits of the mean behind those of the numbers. */
const meanDigits = 6;

/** Writes sum / count, cut off behind its last digit. */
function putMean(high: u64, low: u64, count: u64, digits: u32): void {
  let rest = divide(high, low, count);
  putDecimal(quotientHigh, quotientLow, digits);
  if (digits == 0) put(46);
  for (let digit = 0; digit < meanDigits; digit++) {
    rest *= 10;
    put(48 + <u32>(rest / count));
    rest %= count;
  }
}

/** One JSON object; a bucket is its lower end and how many numbers are in it. */
export function render(value: usize, length: u32, digits: u32, width: i64): u64 {
  checkValue(value, length);
  const count = load<u64>(value);
  // More numbers than any job has; beyond this the digits of the mean would overflow.
  if (count >= 1 << 59) unreachable();
  const target = allocate(512 + u64(length) * 5);
  to = target;
  let low = load<u64>(value, 16);
  let high = load<u64>(value, 24);
  const negative = <i64>high < 0;
  if (negative) {
    low = 0 - low;
    high = ~high + u64(low == 0);
  }
  putText('{"count":');
  putDecimal(0, count, 0);
  putText(',"skipped":');
  putDecimal(0, load<u64>(value, 8), 0);
  putText(',"sum":');
  if (negative) put(45);
  putDecimal(high, low, digits);
  putText(',"mean":');
  if (count == 0) putText('null');
  else {
    if (negative) put(45);
    putMean(high, low, count, digits);
  }
  putText(',"minimum":');
  if (count == 0) putText('null');
  else putSigned(load<i64>(value, 32), digits);
  putText(',"maximum":');
  if (count == 0) putText('null');
  else putSigned(load<i64>(value, 40), digits);
  putText(',"histogram":[');
  const end = value + length;
  for (let at = value + headBytes; at < end; at += bucketBytes) {
    if (at > value + headBytes) put(44);
    put(91);
    putSigned(load<i64>(at) * width, digits);
    put(44);
    putDecimal(0, load<u64>(at, 8), 0);
    put(93);
  }
  putText(']}');
  return result(target, to - target);
}
