/** Write a list of counts as JSON. */
import { headerBytes, wordLength } from './list';
import { allocate, result } from './memory';

/** Bytes that an entry needs beside its word: quotes, colon, comma, twenty digits. */
const frameBytes: u64 = 24;
/** Bytes that one byte of a word needs at most: `\udcff`. */
export const escapeBytes: u64 = 6;

let to: usize = 0;

/** Where the next byte goes. */
export function writeTo(target: usize): void {
  to = target;
}

/** Where the last byte went, and one further. */
export function written(): usize {
  return to;
}

@inline
export function put(byte: u32): void {
  store<u8>(to, <u8>byte);
  to += 1;
}

@inline
function digit(value: u32): u32 {
  return value < 10 ? 48 + value : 87 + value;
}

/** A byte that belongs to no character: the lone surrogate U+DC00 + byte, which JSON can write. */
function putEscaped(byte: u32): void {
  put(92); // backslash
  put(117); // u
  put(100); // d
  put(99); // c
  put(digit(byte >> 4));
  put(digit(byte & 15));
}

@inline
function continues(at: usize, end: usize, low: u32, high: u32): bool {
  if (at >= end) return false;
  const byte = u32(load<u8>(at));
  return byte >= low && byte <= high;
}

/** Bytes of the UTF-8 character at `at` (RFC 3629), or 0 when there is none. */
function characterBytes(at: usize, end: usize): u32 {
  const first = u32(load<u8>(at));
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const low: u32 = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const high: u32 = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (!continues(at + 1, end, low, high)) return 0;
  if (first < 0xe0) return 2;
  if (!continues(at + 2, end, 0x80, 0xbf)) return 0;
  if (first < 0xf0) return 3;
  return continues(at + 3, end, 0x80, 0xbf) ? 4 : 0;
}

export function putWord(word: usize, end: usize): void {
  put(34); // "
  while (word < end) {
    let bytes = characterBytes(word, end);
    if (bytes == 0) {
      putEscaped(u32(load<u8>(word)));
      word += 1;
    }
    // No character of a word needs an escape: quotes, backslashes and controls end words.
    for (; bytes > 0; bytes--) {
      put(u32(load<u8>(word)));
      word += 1;
    }
  }
  put(34);
}

export function putCount(count: u64): void {
  let power: u64 = 1;
  while (count / power >= 10) power *= 10;
  for (; power > 0; power /= 10) put(48 + <u32>((count / power) % 10));
}

/** One JSON object; its keys are the words in the order of their bytes. */
export function renderList(list: usize, length: usize): u64 {
  const end = list + length;
  let bytes: u64 = 2;
  for (let entry = list; entry < end; ) {
    const word = wordLength(entry, end);
    bytes += u64(word) * escapeBytes + frameBytes;
    entry += headerBytes + word;
  }
  const target = allocate(bytes);
  to = target;
  put(123); // {
  for (let entry = list; entry < end; ) {
    const word = entry + headerBytes;
    const wordEnd = word + load<u32>(entry);
    if (entry != list) put(44); // ,
    putWord(word, wordEnd);
    put(58); // :
    putCount(load<u64>(entry, 4));
    entry = wordEnd;
  }
  put(125); // }
  return result(target, to - target);
}
