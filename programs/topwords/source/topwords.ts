/**
 * Find the words that a text has most often, in a value whose size does not grow with the text.
 *
 * Parameters: {"top": K, "seed": S}; K words are shown (20 unless given), and S draws the hash
 * functions (0 unless given). A word is a run of letters, digits and bytes from 0x80 on, in lower
 * case; of a longer one than 32 bytes, these count.
 */
import { escapeBytes, putCount, putWord, writeTo, written } from '../../wordcount/source/json';
import { headerBytes, wordLength } from '../../wordcount/source/list';
import { allocate, result } from '../../wordcount/source/memory';
import { countWords } from '../../wordcount/source/words';
import {
  endParameters,
  openParameters,
  takeName,
  takeNumber,
} from '../../shared-as/source/parameters';
import { merge, readCounters, writeCounters } from './counters';
import { findWords, foundBytes, foundCount, leastOf, lengthOf, mostOf } from './found';
import {
  addWord,
  allocateCounters,
  allocateKey,
  bucketCount,
  countersOf,
  keyBytes,
  mixed,
  openHash,
  writeKey,
} from './sketch';

const topMax: i64 = 1000;

let top: i64 = 0;

/** Reads the parameters, and draws the hash functions. */
function readParameters(text: usize, length: u32): void {
  let seed: i64 = -1;
  top = -1;
  if (!openParameters(text, length)) unreachable();
  while (true) {
    if (top < 0 && takeName('top')) top = takeNumber();
    else if (seed < 0 && takeName('seed')) seed = takeNumber();
    else break;
  }
  if (!endParameters(text, length)) unreachable();
  if (top < 0) top = 20;
  if (top < 1 || top > topMax) unreachable();
  openHash(<u64>max<i64>(seed, 0));
}

export function anw_abi_v1(): void {}

export function anw_alloc(size: u32): usize {
  return allocate(size);
}

export function anw_map(parameters: usize, parametersLength: u32, item: usize, length: u32): u64 {
  readParameters(parameters, parametersLength);
  const list = countWords(item, length);
  const counters = allocateCounters();
  const key = allocateKey();
  let entry = <usize>(list >> 32);
  const end = entry + <usize>(list & 0xffffffff);
  while (entry < end) {
    const bytes = wordLength(entry, end);
    writeKey(key, entry + headerBytes, bytes);
    addWord(counters, key, load<u64>(entry, 4));
    entry += headerBytes + bytes;
  }
  return writeCounters(counters);
}

export function anw_combine(a: usize, aLength: u32, b: usize, bLength: u32): u64 {
  return merge(a, aLength, b, bLength);
}

/** Words of a text: a bucket of each row has them. */
function totalOf(counters: usize): u64 {
  let total: u64 = 0;
  for (let bucket: u32 = 0; bucket < bucketCount; bucket++)
    total += load<u64>(countersOf(counters, 0, bucket));
  return total;
}

function putText(text: string): void {
  const at = written();
  for (let place = 0; place < text.length; place++)
    store<u8>(at + place, <u8>text.charCodeAt(place));
  writeTo(at + text.length);
}

/** One JSON object; the count of each word lies between estimate - bound and estimate. */
export function anw_render(
  parameters: usize,
  parametersLength: u32,
  value: usize,
  length: u32,
): u64 {
  readParameters(parameters, parametersLength);
  const counters = readCounters(value, length);
  const found = findWords(counters, <u32>top);
  const target = allocate(128 + u64(foundCount) * (u64(keyBytes) * escapeBytes + 96));
  writeTo(target);
  putText('{"words":');
  putCount(totalOf(counters));
  putText(',"top":[');
  for (let at: u32 = 0; at < foundCount; at++) {
    const word = found + usize(at) * foundBytes;
    putText(at > 0 ? ',{"word":' : '{"word":');
    putWord(word, word + lengthOf(word));
    putText(',"estimate":');
    putCount(mostOf(word));
    putText(',"bound":');
    putCount(mostOf(word) - leastOf(word));
    putText('}');
  }
  putText(']}');
  return result(target, written() - target);
}

/** A value for the test of the laws: up to fifteen words, as often as any number says. */
export function anw_sample(seed: usize): u64 {
  openHash(0);
  const counters = allocateCounters();
  const key = allocateKey();
  let state = load<u64>(seed);
  const count = u32(load<u8>(seed, 8)) & 15;
  for (let at: u32 = 0; at < count; at++) {
    state = mixed(state + 0x9e3779b97f4a7c15);
    // Few words, so that samples share them.
    store<u64>(key, 0x6161616161616161 + (state & 0x0303));
    // Counts of all magnitudes, up to those that wrap.
    addWord(counters, key, mixed(state) >> (state >> 58));
  }
  return writeCounters(counters);
}
