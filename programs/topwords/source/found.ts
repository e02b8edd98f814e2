/** Find the words that weigh most in counters, and between which numbers their counts lie. */
import { isWordByte } from '../../wordcount/source/words';
import { allocate } from '../../wordcount/source/memory';
import {
  bucketCount,
  bucketOf,
  countersOf,
  keyBits,
  keyBytes,
  rowCount,
} from './sketch';

/** A word that was found: its bytes, the most and the least that it can occur. */
export const foundBytes: usize = 48;
const mostAt: usize = 32;
const leastAt: usize = 40;

export function mostOf(found: usize): u64 {
  return load<u64>(found, mostAt);
}

export function leastOf(found: usize): u64 {
  return load<u64>(found, leastAt);
}

/** Bytes of a word. */
export function lengthOf(found: usize): u32 {
  let length: u32 = 0;
  while (length < keyBytes && load<u8>(found + length) != 0) length += 1;
  return length;
}

/** Writes the word that has each bit as most words in a bucket; whether there can be such a word. */
function decode(planes: usize, key: usize): bool {
  const total = load<u64>(planes);
  memory.fill(key, 0, keyBytes);
  for (let bit: u32 = 0; bit < keyBits; bit++) {
    const set = load<u64>(planes + 8 + (usize(bit) << 3));
    if (set <= total - set) continue;
    const at = key + (bit >> 3);
    store<u8>(at, <u8>(u32(load<u8>(at)) | (1 << (bit & 7))));
  }
  const length = lengthOf(key);
  for (let at = length; at < keyBytes; at++) if (load<u8>(key + at) != 0) return false;
  for (let at: u32 = 0; at < length; at++) if (!isWordByte(u32(load<u8>(key + at)))) return false;
  return length > 0;
}

/**
 * Writes between which numbers the count of a word lies. In each of its buckets, the word counts
 * in every counter that agrees with it, so that it occurs no more often than the least of them
 * says. Every other word counts in at least one that does not agree: together these are no fewer
 * than the other words.
 */
function bound(counters: usize, found: usize): void {
  let most: u64 = u64.MAX_VALUE;
  let least: u64 = 0;
  for (let row: u32 = 0; row < rowCount; row++) {
    const planes = countersOf(counters, row, bucketOf(found, row));
    const total = load<u64>(planes);
    most = min(most, total);
    let others: u64 = 0;
    for (let bit: u32 = 0; bit < keyBits; bit++) {
      const set = load<u64>(planes + 8 + (usize(bit) << 3));
      const isSet = ((u32(load<u8>(found + (bit >> 3))) >> (bit & 7)) & 1) != 0;
      const agreeing = isSet ? set : total - set;
      most = min(most, agreeing);
      // No further than the total, beyond which a sum says nothing.
      others = min(total - others, total - agreeing) + others;
    }
    least = max(least, total - others);
  }
  store<u64>(found, most, mostAt);
  store<u64>(found, min(least, most), leastAt);
}

/** Negative where a word goes before another: the more frequent one, else by their bytes. */
function compare(a: usize, b: usize): i32 {
  if (mostOf(a) != mostOf(b)) return mostOf(a) > mostOf(b) ? -1 : 1;
  return memory.compare(a, b, keyBytes);
}

/** Puts a word into a sorted list of `count`, of at most `countMax`; returns how many there are. */
function insert(list: usize, count: u32, countMax: u32, found: usize): u32 {
  let at = count;
  for (; at > 0; at--) {
    const order = compare(found, list + usize(at - 1) * foundBytes);
    if (order == 0) return count;
    if (order > 0) break;
  }
  if (at == countMax) return count;
  const place = list + usize(at) * foundBytes;
  const moved = min(count, countMax - 1) - at;
  memory.copy(place + foundBytes, place, usize(moved) * foundBytes);
  memory.copy(place, found, foundBytes);
  return min(count + 1, countMax);
}

/** How many findWords found. */
export let foundCount: u32 = 0;

/** The words that may occur most often, at most `countMax` of them, the first one first. */
export function findWords(counters: usize, countMax: u32): usize {
  const list = allocate(u64(countMax) * foundBytes);
  const word = allocate(foundBytes + 8);
  for (let row: u32 = 0; row < rowCount; row++)
    for (let bucket: u32 = 0; bucket < bucketCount; bucket++) {
      const planes = countersOf(counters, row, bucket);
      if (!decode(planes, word)) continue;
      // A word of another bucket is no word: it came of two or more.
      if (bucketOf(word, row) != bucket) continue;
      bound(counters, word);
      // What was read is a word for certain only where it outweighs all others: that must be possible.
      const most = mostOf(word);
      if (most > load<u64>(planes) - most) foundCount = insert(list, foundCount, countMax, word);
    }
  return list;
}
