/**
 * Keep counts as a sorted list, the program's value.
 *
 * An entry is the word's length (u32), its count (u64), both little-endian, and its bytes. Words
 * are unique and ascend by their bytes, so that equal counts are equal bytes.
 */
import { allocate, result } from './memory';

export const headerBytes: usize = 12;

/** The first eight bytes of a word as a number that sorts like them; zeros where it is shorter. */
@inline
function prefixOf(word: usize, length: u32): u64 {
  const first = bswap(load<u64>(word));
  // No byte of a word is below 0x30, so zeros mark its end without doubt.
  return length >= 8 ? first : first & ~(u64.MAX_VALUE >> (u64(length) << 3));
}

/** Negative, zero or positive as a word is below, equal to or above one of equal prefix. */
export function compareTails(a: usize, aLength: u32, b: usize, bLength: u32): i32 {
  const shared = min(aLength, bLength);
  for (let at: u32 = 8; at < shared; at += 8) {
    const left = prefixOf(a + at, shared - at);
    const right = prefixOf(b + at, shared - at);
    if (left != right) return left < right ? -1 : 1;
  }
  return aLength == bLength ? 0 : aLength < bLength ? -1 : 1;
}

/** Copies `bytes` bytes, eight at a time; may write up to seven more. */
@inline
export function copyShort(target: usize, source: usize, bytes: usize): void {
  for (let at: usize = 0; at < bytes; at += 8) store<u64>(target + at, load<u64>(source + at));
}

/** Length of the word of the entry at `entry`; traps when the entry exceeds its list. */
@inline
export function wordLength(entry: usize, end: usize): u32 {
  if (end - entry < headerBytes) unreachable();
  const length = load<u32>(entry);
  if (length == 0 || usize(length) > end - entry - headerBytes) unreachable();
  return length;
}

/** Merges two lists; a word that stands in both has the sum of its counts. */
export function merge(a: usize, aLength: usize, b: usize, bLength: usize): u64 {
  const target = allocate(u64(aLength) + u64(bLength));
  const aEnd = a + aLength;
  const bEnd = b + bLength;
  let to = target;
  while (a < aEnd && b < bEnd) {
    const aWord = wordLength(a, aEnd);
    const bWord = wordLength(b, bEnd);
    const aPrefix = prefixOf(a + headerBytes, aWord);
    const bPrefix = prefixOf(b + headerBytes, bWord);
    let order: i32 = aPrefix < bPrefix ? -1 : 1;
    if (aPrefix == bPrefix)
      order = compareTails(a + headerBytes, aWord, b + headerBytes, bWord);
    if (order <= 0) {
      const bytes = headerBytes + aWord;
      copyShort(to, a, bytes);
      a += bytes;
      if (order == 0) {
        store<u64>(to + 4, load<u64>(to + 4) + load<u64>(b + 4));
        b += bytes;
      }
      to += bytes;
    } else {
      const bytes = headerBytes + bWord;
      copyShort(to, b, bytes);
      b += bytes;
      to += bytes;
    }
  }
  memory.copy(to, a, aEnd - a);
  to += aEnd - a;
  memory.copy(to, b, bEnd - b);
  to += bEnd - b;
  return result(target, to - target);
}
