/**
 * Read a JSON object of whole numbers and texts, its names in any order.
 *
 * Open it, ask for each name once, and at the end whether all was right: every name there that has
 * to be, once, none that nobody asked for, and each with a value of its kind. Numbers are exact,
 * where JavaScript would round large ones: below 2^63, without sign, fraction or exponent.
 */

/** A name of the object and what it has: bytes of the text that was opened. */
class Pair {
  name: usize = 0;
  nameLength: usize = 0;
  isText: bool = false;
  isAsked: bool = false;
  number: u64 = 0;
  text: usize = 0;
  textLength: usize = 0;
}

const numberMax: u64 = i64.MAX_VALUE;

let at: usize = 0;
let end: usize = 0;
let isRight: bool = false;
let pairs: Pair[] = [];

/** Begins to read. No text at all, as without --params, is an object without names. */
export function openParameters(text: usize, length: u32): void {
  at = text;
  end = text + length;
  pairs = [];
  isRight = length == 0 || takeObject();
  skipSpace();
  if (at != end) isRight = false;
}

/** A number that has to be there. */
export function neededNumber(name: string): u64 {
  const pair = find(name, false);
  if (pair == null) isRight = false;
  return pair == null ? 0 : pair.number;
}

/** A number that may be left out: then it is `otherwise`. */
export function optionalNumber(name: string, otherwise: u64): u64 {
  const pair = find(name, false);
  return pair == null ? otherwise : pair.number;
}

/** A text that has to be there. One with a backslash is not taken. */
export function neededText(name: string): string {
  const pair = find(name, true);
  if (pair == null) isRight = false;
  return pair == null ? '' : String.UTF8.decodeUnsafe(pair.text, pair.textLength);
}

/** A text that may be left out: then it is `otherwise`. One with a backslash is not taken. */
export function optionalText(name: string, otherwise: string): string {
  const pair = find(name, true);
  return pair == null ? otherwise : String.UTF8.decodeUnsafe(pair.text, pair.textLength);
}

/** Whether all was right, and every name of the object has been asked for. */
export function endParameters(): bool {
  for (let i = 0; i < pairs.length; i++) if (!pairs[i].isAsked) isRight = false;
  return isRight;
}

/** As endParameters, but traps in wrongParameters where something was not. */
export function needParameters(): void {
  if (!endParameters()) refuse();
}

function wrongParameters(): void {
  unreachable();
}

/** By a variable: the compiler would else put it into its callers, and a trap not tell its name. */
let refuse: () => void = wrongParameters;

/** What has this name, if it is there; notes what is there twice, or of another kind. */
function find(name: string, isText: bool): Pair | null {
  const bytes = String.UTF8.encode(name);
  const length = <usize>bytes.byteLength;
  let found: Pair | null = null;
  for (let i = 0; i < pairs.length; i++) {
    const pair = pairs[i];
    if (pair.nameLength != length) continue;
    if (memory.compare(pair.name, changetype<usize>(bytes), length) != 0) continue;
    if (found != null || pair.isText != isText) isRight = false;
    pair.isAsked = true;
    found = pair;
  }
  return found;
}

function takeObject(): bool {
  if (!take(123)) return false; // {
  if (take(125)) return true; // }
  do {
    const pair = new Pair();
    if (!take(34)) return false; // "
    pair.name = at;
    if (!takeText()) return false;
    pair.nameLength = at - 1 - pair.name;
    if (!take(58)) return false; // :
    pair.isText = take(34); // "
    if (pair.isText) {
      pair.text = at;
      if (!takeText()) return false;
      pair.textLength = at - 1 - pair.text;
    } else if (!takeNumber(pair)) return false;
    pairs.push(pair);
  } while (take(44)); // ,
  return take(125); // }
}

/** Whether `byte` comes next, past spaces; if so it is taken. */
function take(byte: u32): bool {
  skipSpace();
  if (at == end || u32(load<u8>(at)) != byte) return false;
  at += 1;
  return true;
}

function skipSpace(): void {
  while (at < end && isSpace(load<u8>(at))) at += 1;
}

function isSpace(byte: u32): bool {
  return byte == 32 || byte == 9 || byte == 10 || byte == 13;
}

/** Whether a text and its closing quote come next; if so they are taken. */
function takeText(): bool {
  while (at < end && load<u8>(at) != 34) {
    // Control bytes are none of JSON's; a backslash stands for what would have to be made.
    if (load<u8>(at) < 32 || load<u8>(at) == 92) return false;
    at += 1;
  }
  at += 1;
  return at <= end;
}

/** Whether a whole number comes next; if so it is taken. */
function takeNumber(pair: Pair): bool {
  skipSpace();
  const start = at;
  let value: u64 = 0;
  while (at < end && load<u8>(at) >= 48 && load<u8>(at) <= 57) {
    const digit = u64(load<u8>(at) - 48);
    // Asked before the product, which may wrap.
    if (value > (numberMax - digit) / 10) return false;
    value = value * 10 + digit;
    at += 1;
  }
  pair.number = value;
  return at > start && (load<u8>(start) != 48 || at == start + 1);
}
