/** Find a field in a line of CSV, and read the number in it. */

/** Where the field of a column (from 1) begins, past blanks and a quote; 0 if there is none. */
export function findField(line: usize, end: usize, column: i64): usize {
  let quoted = false;
  let at = line;
  for (let left = column - 1; left > 0; at++) {
    if (at >= end) return 0;
    const byte = load<u8>(at);
    if (byte == 34) quoted = !quoted;
    else if (byte == 44 && !quoted) left -= 1;
  }
  while (at < end && (load<u8>(at) == 32 || load<u8>(at) == 34)) at += 1;
  return at;
}

/** What parseNumber read. */
export let parsed: i64 = 0;

/** Numbers are less than this from zero, so that nothing overflows here. */
const numberEnd: i64 = 1 << 61;

/** Reads a decimal number as a whole number of 10^-digits; false for anything else. */
export function parseNumber(at: usize, end: usize, digits: i64): bool {
  let negative = false;
  if (at < end && (load<u8>(at) == 45 || load<u8>(at) == 43)) {
    negative = load<u8>(at) == 45;
    at += 1;
  }
  let value: i64 = 0;
  let seen = 0;
  // Digits behind the point; -1 before it.
  let behind: i64 = -1;
  for (; at < end; at++) {
    const byte = load<u8>(at);
    if (byte == 46 && behind < 0) {
      behind = 0;
      continue;
    }
    if (byte < 48 || byte > 57) break;
    seen += 1;
    if (behind >= 0) {
      // Zeros beyond the last digit say nothing.
      if (behind == digits && byte == 48) continue;
      if (behind == digits) return false;
      behind += 1;
    }
    value = value * 10 + i64(byte - 48);
    if (value >= numberEnd) return false;
  }
  for (let missing = digits - max<i64>(behind, 0); missing > 0; missing--) {
    value *= 10;
    if (value >= numberEnd) return false;
  }
  while (at < end && (load<u8>(at) == 32 || load<u8>(at) == 34 || load<u8>(at) == 13)) at += 1;
  parsed = negative ? -value : value;
  return seen > 0 && (at == end || load<u8>(at) == 44);
}
