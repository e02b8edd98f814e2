/**
 * Add up words in counters that are too few for them: the program's value, and what it stands for.
 *
 * There are four rows of 1024 buckets; each row puts a word into one of its buckets, by a hash
 * function of its own. A bucket has 257 counters modulo 2^64: of all words in it, and of those
 * whose bits 0 to 255 are set. A word of fewer than 32 bytes is followed by zeros. All of that is
 * a sum over the words, so that values add up, in any order and bracket.
 */
import { allocate } from '../../wordcount/source/memory';

export const rowCount: u32 = 4;
export const bucketBits: u32 = 10;
export const bucketCount: u32 = 1 << bucketBits;
export const keyBytes: u32 = 32;
export const keyBits: u32 = keyBytes * 8;
/** Counters of a bucket, and of all. */
export const planeCount: u32 = 1 + keyBits;
export const counterCount: u32 = rowCount * bucketCount * planeCount;

const prime: u64 = (1 << 61) - 1;
const limbBytes: u32 = 7;
const limbCount: u32 = 5;
/** Numbers of a row's hash function: one for each limb, and one to add. */
const rowNumbers: u32 = limbCount + 1;

let coefficients: usize = 0;

/** SplitMix64 (Steele, Lea, Flood 2014): the word of a counter, each bit of it mixed. */
export function mixed(word: u64): u64 {
  word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9;
  word = (word ^ (word >> 27)) * 0x94d049bb133111eb;
  return word ^ (word >> 31);
}

/** The residue of a number modulo 2^61 - 1. */
@inline
function residue(number: u64): u64 {
  const folded = (number & prime) + (number >> 61);
  return folded >= prime ? folded - prime : folded;
}

/** a * b modulo 2^61 - 1, of residues. */
@inline
function times(a: u64, b: u64): u64 {
  const half: u64 = (1 << 31) - 1;
  const middle = (a & half) * (b >> 31) + (a >> 31) * (b & half);
  // 2^62 is 2, and 2^31 times the upper part of the middle begins again at 1.
  return residue(
    (a & half) * (b & half) +
      (((a >> 31) * (b >> 31)) << 1) +
      (middle >> 30) +
      ((middle & ((1 << 30) - 1)) << 31),
  );
}

/** Draws the hash functions. The same seed, the same functions. */
export function openHash(seed: u64): void {
  coefficients = allocate(rowCount * rowNumbers * 8);
  for (let at: u32 = 0; at < rowCount * rowNumbers; at++) {
    seed += 0x9e3779b97f4a7c15;
    store<u64>(coefficients + (usize(at) << 3), residue(mixed(seed)));
  }
}

/** Room for a word of 32 bytes, and for eight bytes behind it to be read. */
export function allocateKey(): usize {
  return allocate(keyBytes + 8);
}

/**
 * The bucket of a word in a row: a linear function of its limbs of seven bytes. Over all such
 * functions, two words share a bucket with a probability of 1/1024.
 */
export function bucketOf(key: usize, row: u32): u32 {
  const numbers = coefficients + usize(row * rowNumbers) * 8;
  let sum = load<u64>(numbers + limbCount * 8);
  for (let limb: u32 = 0; limb < limbCount; limb++) {
    const bytes = load<u64>(key + limb * limbBytes) & (limb == 4 ? 0xffffffff : (1 << 56) - 1);
    sum = residue(sum + times(bytes, load<u64>(numbers + (usize(limb) << 3))));
  }
  return u32(sum >> (61 - bucketBits));
}

/** Where the counters of a bucket lie. */
@inline
export function countersOf(counters: usize, row: u32, bucket: u32): usize {
  return counters + usize((row * bucketCount + bucket) * planeCount) * 8;
}

export function allocateCounters(): usize {
  return allocate(u64(counterCount) * 8);
}

/** Adds a word that occurs `count` times. */
export function addWord(counters: usize, key: usize, count: u64): void {
  for (let row: u32 = 0; row < rowCount; row++) {
    const planes = countersOf(counters, row, bucketOf(key, row));
    store<u64>(planes, load<u64>(planes) + count);
    for (let at: u32 = 0; at < keyBytes; at += 8) {
      const first = planes + 8 + usize(at) * 64;
      for (let bits = load<u64>(key + at); bits != 0; bits &= bits - 1) {
        const plane = first + (usize(ctz(bits)) << 3);
        store<u64>(plane, load<u64>(plane) + count);
      }
    }
  }
}

/**
 * Writes a word to a key of zeros. Of a longer one, the first 32 bytes count, less those of a
 * character that would be cut in two.
 */
export function writeKey(key: usize, word: usize, length: u32): void {
  let bytes = length;
  if (bytes > keyBytes) {
    bytes = keyBytes;
    while (bytes > keyBytes - 3 && (load<u8>(word + bytes) & 0xc0) == 0x80) bytes -= 1;
    // Four such bytes in a row are no character: then all count.
    if ((load<u8>(word + bytes) & 0xc0) == 0x80) bytes = keyBytes;
  }
  memory.fill(key, 0, keyBytes);
  memory.copy(key, word, bytes);
}
