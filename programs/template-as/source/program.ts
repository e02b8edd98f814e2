/**
 * Add the whole numbers of a text, one a line; other lines are counted as skipped.
 *
 * Change three functions to make a program of your own: anw_map makes a value of an item,
 * anw_combine makes one value of two, anw_render shows the last one. A value is any bytes, here
 * two numbers of eight. Equal values must be equal bytes, and combine must not mind order or
 * bracket: `anwansi program check` looks for a counterexample.
 */
import { allocate, result } from './memory';

export function anw_abi_v1(): void {}

export function anw_alloc(size: u32): usize {
  return allocate(size);
}

function valueOf(sum: u64, skipped: u64): u64 {
  const value = allocate(16);
  store<u64>(value, sum);
  store<u64>(value, skipped, 8);
  return result(value, 16);
}

export function anw_map(parameters: usize, parametersLength: u32, item: usize, length: u32): u64 {
  const end = item + length;
  let sum: u64 = 0;
  let skipped: u64 = 0;
  while (item < end) {
    let number: u64 = 0;
    let isNumber = load<u8>(item) != 10;
    for (; item < end && load<u8>(item) != 10; item++) {
      const digit = load<u8>(item) - 48;
      if (digit > 9) isNumber = false;
      number = number * 10 + digit;
    }
    if (isNumber) sum += number;
    else skipped += 1;
    item += 1;
  }
  return valueOf(sum, skipped);
}

export function anw_combine(a: usize, aLength: u32, b: usize, bLength: u32): u64 {
  return valueOf(load<u64>(a) + load<u64>(b), load<u64>(a, 8) + load<u64>(b, 8));
}

export function anw_render(
  parameters: usize,
  parametersLength: u32,
  value: usize,
  length: u32,
): u64 {
  // Twice twenty digits, and a word between.
  const text = allocate(64);
  let to = putNumber(text, load<u64>(value));
  to = putWord(to, ' skipped ');
  to = putNumber(to, load<u64>(value, 8));
  return result(text, to - text);
}

function putWord(to: usize, word: string): usize {
  for (let at = 0; at < word.length; at++) store<u8>(to++, <u8>word.charCodeAt(at));
  return to;
}

function putNumber(to: usize, number: u64): usize {
  let power: u64 = 1;
  while (number / power >= 10) power *= 10;
  for (; power > 0; power /= 10) store<u8>(to++, <u8>(48 + ((number / power) % 10)));
  return to;
}
