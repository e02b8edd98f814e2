/**
 * Count, add up and sort into buckets the numbers of one column of a CSV file, exactly.
 *
 * Parameters: {"column": K, "digits": D, "bucket": W}. Columns count from 1. Numbers have up to D
 * digits behind the point (0 to 9; 0 unless given) and are held as whole numbers of 10^-D. A
 * bucket is W of these wide (1 unless given). A line without such a number is skipped and counted.
 */
import { allocate } from '../../shared-as/source/memory';
import {
  endParameters,
  openParameters,
  takeName,
  takeNumber,
} from '../../shared-as/source/parameters';
import { findField, parseNumber, parsed } from './csv';
import { render } from './json';
import { addNumber, finish, merge, open } from './tally';

let column: i64 = 0;
let digits: i64 = 0;
let bucket: i64 = 1;

function readParameters(text: usize, length: u32): void {
  column = -1;
  digits = -1;
  bucket = -1;
  if (!openParameters(text, length)) unreachable();
  while (true) {
    if (column < 0 && takeName('column')) column = takeNumber();
    else if (digits < 0 && takeName('digits')) digits = takeNumber();
    else if (bucket < 0 && takeName('bucket')) bucket = takeNumber();
    else break;
  }
  if (!endParameters(text, length)) unreachable();
  if (digits < 0) digits = 0;
  if (bucket < 0) bucket = 1;
  if (column < 1 || digits > 9 || bucket < 1) unreachable();
}

export function anw_abi_v1(): void {}

export function anw_alloc(size: u32): usize {
  return allocate(size);
}

export function anw_map(parameters: usize, parametersLength: u32, item: usize, length: u32): u64 {
  readParameters(parameters, parametersLength);
  open(length / 2 + 1, bucket);
  let skipped: u64 = 0;
  const end = item + length;
  while (item < end) {
    let line = item;
    while (line < end && load<u8>(line) != 10) line += 1;
    const field = findField(item, line, column);
    if (field != 0 && parseNumber(field, line, digits)) addNumber(parsed);
    else skipped += 1;
    item = line + 1;
  }
  return finish(skipped);
}

export function anw_combine(a: usize, aLength: u32, b: usize, bLength: u32): u64 {
  return merge(a, aLength, b, bLength);
}

export function anw_render(
  parameters: usize,
  parametersLength: u32,
  value: usize,
  length: u32,
): u64 {
  readParameters(parameters, parametersLength);
  return render(value, length, <u32>digits, bucket);
}

/** A value for the test of the laws: up to fifteen numbers of any magnitude. */
export function anw_sample(seed: usize): u64 {
  let state = load<u64>(seed) | 1;
  const count = u32(load<u8>(seed, 8)) & 15;
  open(16, 1);
  for (let at: u32 = 0; at < count; at++) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    // Magnitudes of all sizes, and few enough small ones to meet again.
    addNumber((<i64>state >> 2) >> (state & 63));
  }
  return finish(u64(load<u8>(seed, 9)));
}
