/** Count words in a hash table, then write them out sorted. */
import { compareTails, headerBytes } from './list';
import { allocate, result } from './memory';

/** A slot: prefix (u64), count (u64), word (u32), its length (u32, 0 when free), hash (u64). */
const slotBytes: usize = 32;
const slotBitsFirst: u64 = 12;
/** A record to sort: prefix (u64), slot (u32). */
const recordBytes: usize = 16;
const runBytes: usize = 12 * recordBytes;

let slots: usize = 0;
let mask: u32 = 0;
/** Sixty-four less the bits of a slot's number. */
let shift: u64 = 0;
let used: u32 = 0;

export function openTable(): void {
  slots = allocate((1 << slotBitsFirst) * slotBytes);
  mask = (1 << <u32>slotBitsFirst) - 1;
  shift = 64 - slotBitsFirst;
  used = 0;
}

@inline
function sameTail(a: usize, b: usize, length: u32): bool {
  for (let at: u32 = 8; at < length; at++)
    if (load<u8>(a + at) != load<u8>(b + at)) return false;
  return true;
}

/**
 * Counts a word. `prefix` is its first eight bytes as a number, first byte highest, zeros behind
 * a shorter one; `tail` is some hash of the bytes behind them.
 */
@inline
export function countWord(word: usize, length: u32, prefix: u64, tail: u32): void {
  // A product carries upwards only: its highest bits depend on every byte, its lowest on few.
  const hash = (prefix ^ u64(tail)) * 0x9e3779b97f4a7c15;
  for (let at = <u32>(hash >> shift); ; at = (at + 1) & mask) {
    const slot = slots + usize(at) * slotBytes;
    const found = load<u32>(slot, 20);
    if (
      found == length &&
      load<u64>(slot) == prefix &&
      sameTail(load<u32>(slot, 16), word, length)
    ) {
      store<u64>(slot, load<u64>(slot, 8) + 1, 8);
      return;
    }
    if (found == 0) {
      store<u64>(slot, prefix);
      store<u64>(slot, 1, 8);
      store<u32>(slot, word, 16);
      store<u32>(slot, length, 20);
      store<u64>(slot, hash, 24);
      used += 1;
      if (used > mask >> 1) grow();
      return;
    }
  }
}

function grow(): void {
  const old = slots;
  const oldEnd = slots + (usize(mask) + 1) * slotBytes;
  mask = (mask << 1) | 1;
  shift -= 1;
  slots = allocate((u64(mask) + 1) * slotBytes);
  for (let slot = old; slot < oldEnd; slot += slotBytes) {
    if (load<u32>(slot, 20) == 0) continue;
    let at = <u32>(load<u64>(slot, 24) >> shift);
    while (load<u32>(slots + usize(at) * slotBytes, 20) != 0) at = (at + 1) & mask;
    memory.copy(slots + usize(at) * slotBytes, slot, slotBytes);
  }
}

/** Whether the record at `a` sorts before the one at `b`. Words are unique. */
@inline
function before(a: usize, b: usize): bool {
  const left = load<u64>(a);
  const right = load<u64>(b);
  if (left != right) return left < right;
  const first = load<u32>(a, 8);
  const second = load<u32>(b, 8);
  return (
    compareTails(
      load<u32>(first, 16),
      load<u32>(first, 20),
      load<u32>(second, 16),
      load<u32>(second, 20),
    ) < 0
  );
}

@inline
function move(target: usize, source: usize): void {
  store<u64>(target, load<u64>(source));
  store<u32>(target, load<u32>(source, 8), 8);
}

/** Sorts one short run in place. `spare` holds one record. */
function sortRun(start: usize, end: usize, spare: usize): void {
  for (let next = start + recordBytes; next < end; next += recordBytes) {
    move(spare, next);
    let at = next;
    while (at > start && before(spare, at - recordBytes)) {
      move(at, at - recordBytes);
      at -= recordBytes;
    }
    move(at, spare);
  }
}

/** Merges two sorted runs that lie behind one another. */
function mergeRuns(target: usize, left: usize, middle: usize, end: usize): void {
  let right = middle;
  while (left < middle && right < end) {
    if (before(right, left)) {
      move(target, right);
      right += recordBytes;
    } else {
      move(target, left);
      left += recordBytes;
    }
    target += recordBytes;
  }
  memory.copy(target, left, middle - left);
  memory.copy(target + (middle - left), right, end - right);
}

/** Sorts `count` records; returns where they are. Time n log n whatever the words. */
function sortRecords(records: usize, count: u32): usize {
  const bytes = usize(count) * recordBytes;
  let other = allocate(u64(bytes) + recordBytes);
  for (let at: usize = 0; at < bytes; at += runBytes)
    sortRun(records + at, records + min(bytes, at + runBytes), other);
  for (let width: usize = runBytes; width < bytes; width <<= 1) {
    for (let at: usize = 0; at < bytes; at += width << 1) {
      const middle = min(bytes, at + width);
      const end = min(bytes, at + (width << 1));
      mergeRuns(other + at, records + at, records + middle, records + end);
    }
    const swap = records;
    records = other;
    other = swap;
  }
  return records;
}

/** The table as a sorted list. */
export function writeTable(): u64 {
  let records = allocate(u64(used) * recordBytes);
  let to = records;
  let bytes: u64 = 0;
  const slotsEnd = slots + (usize(mask) + 1) * slotBytes;
  for (let slot = slots; slot < slotsEnd; slot += slotBytes) {
    const length = load<u32>(slot, 20);
    if (length == 0) continue;
    store<u64>(to, load<u64>(slot));
    store<u32>(to, <u32>slot, 8);
    to += recordBytes;
    bytes += headerBytes + length;
  }
  records = sortRecords(records, used);
  const target = allocate(bytes);
  let entry = target;
  for (let at: u32 = 0; at < used; at++) {
    const slot: usize = load<u32>(records + usize(at) * recordBytes, 8);
    const word: usize = load<u32>(slot, 16);
    const length = load<u32>(slot, 20);
    store<u32>(entry, length);
    store<u64>(entry, load<u64>(slot, 8), 4);
    if (length <= 8) store<u64>(entry + headerBytes, load<u64>(word));
    else memory.copy(entry + headerBytes, word, length);
    entry += headerBytes + length;
  }
  return result(target, entry - target);
}
