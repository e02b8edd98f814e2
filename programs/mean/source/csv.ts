/** Find a field in a line of CSV, and read the number in it. */

/** Where the field of a column (from 1) begins; 0 if there is none. */
export function findField(line: usize, end: usize, column: i64): usize {
  let quoted = false;
  let at = line;
  for (let left = column - 1; left > 0; at++) {
    if (at >= end) return 0;
    const byte = load<u8>(at);
    if (byte == 34) quoted = !quoted;
    else if (byte == 44 && !quoted) left -= 1;
  }
  return at;
}

/** Past blanks, tabs and carriage returns. */
function pastBlanks(at: usize, end: usize): usize {
  while (at < end && (load<u8>(at) == 32 || load<u8>(at) == 9 || load<u8>(at) == 13)) at += 1;
  return at;
}

/** What parseNumber read. */
export let parsed: i64 = 0;

/** Numbers are at most this far from zero, so that nothing overflows here. */
const numberMax: i64 = (1 << 61) - 1;
const numberMaxHead: i64 = numberMax / 10;
const numberMaxDigit: i64 = numberMax % 10;

/** `value` with one digit more, or -1 where that is too much. */
@inline
function withDigit(value: i64, digit: i64): i64 {
  // Asked before the product, which may wrap; and without a division, which is dear.
  if (value > numberMaxHead || (value == numberMaxHead && digit > numberMaxDigit)) return -1;
  return value * 10 + digit;
}

/**
 * Reads a field that holds a decimal number, and nothing else but blanks and quotes around it, as
 * a whole number of 10^-digits; false for anything else.
 */
export function parseNumber(field: usize, end: usize, digits: i64): bool {
  let at = pastBlanks(field, end);
  const isQuoted = at < end && load<u8>(at) == 34;
  if (isQuoted) at = pastBlanks(at + 1, end);
  const isNegative = at < end && load<u8>(at) == 45;
  if (isNegative || (at < end && load<u8>(at) == 43)) at += 1;
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
    value = withDigit(value, i64(byte - 48));
    if (value < 0) return false;
  }
  for (let missing = digits - max<i64>(behind, 0); missing > 0; missing--) {
    value = withDigit(value, 0);
    if (value < 0) return false;
  }
  parsed = isNegative ? -value : value;
  at = pastBlanks(at, end);
  if (isQuoted) {
    // A comma inside quotes belongs to the field: "1,234" is no number.
    if (at == end || load<u8>(at) != 34) return false;
    at = pastBlanks(at + 1, end);
  }
  return seen > 0 && (at == end || load<u8>(at) == 44);
}
