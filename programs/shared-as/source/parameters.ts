/** Read a JSON object of whole numbers exactly: JavaScript would round large ones. */

let at: usize = 0;
let end: usize = 0;
let isFirst = true;

/** Begins to read: then take each name and its number, and ask for the end. */
export function openParameters(text: usize, length: u32): bool {
  at = text;
  end = text + length;
  isFirst = true;
  // No parameters at all are an object without any.
  return length == 0 || take(123); // {
}

function take(byte: u32): bool {
  while (at < end && isSpace(load<u8>(at))) at += 1;
  if (at == end || u32(load<u8>(at)) != byte) return false;
  at += 1;
  return true;
}

function isSpace(byte: u32): bool {
  return byte == 32 || byte == 9 || byte == 10 || byte == 13;
}

/** Whether `name` comes next; if so, its number is to be taken. */
export function takeName(name: string): bool {
  const start = at;
  if ((isFirst || take(44)) && take(34)) { // , "
    let place = 0;
    while (place < name.length && at < end && u32(load<u8>(at)) == u32(name.charCodeAt(place))) {
      place += 1;
      at += 1;
    }
    // The quote at once: blanks before it would be part of the name.
    if (place == name.length && at < end && load<u8>(at) == 34) {
      at += 1;
      isFirst = false;
      if (take(58)) return true; // :
    }
  }
  at = start;
  return false;
}

/** A whole number below 2^62 without sign, fraction or exponent; -1 for anything else. */
export function readNumber(): i64 {
  while (at < end && isSpace(load<u8>(at))) at += 1;
  const start = at;
  let value: i64 = 0;
  while (at < end && load<u8>(at) >= 48 && load<u8>(at) <= 57) {
    const digit = i64(load<u8>(at) - 48);
    // Asked before the product, which may wrap.
    if (value > ((1 << 62) - 1 - digit) / 10) return -1;
    value = value * 10 + digit;
    at += 1;
  }
  return at == start || (load<u8>(start) == 48 && at > start + 1) ? -1 : value;
}

/** As readNumber; traps on anything else. */
export function takeNumber(): i64 {
  const value = readNumber();
  if (value < 0) unreachable();
  return value;
}

/** Whether the object ends here, and the text with it. */
export function endParameters(text: usize, length: u32): bool {
  if (length == 0) return true;
  if (!take(125)) return false; // }
  while (at < end && isSpace(load<u8>(at))) at += 1;
  return at == end;
}
