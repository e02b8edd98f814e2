// Count the words of 64 KiB of text in a table of hashes.
import { next, restart } from './kernel';

const size = 65536;
const slots = 16384;
const text = new Uint8Array(size);
const hashes = new Uint32Array(slots);
const counts = new Uint32Array(slots);

function isLetter(byte: u8): bool {
  return byte >= 97 && byte <= 122;
}

function count(hash: u32): void {
  let slot = hash & (slots - 1);
  while (counts[slot] != 0 && hashes[slot] != hash) slot = (slot + 1) & (slots - 1);
  hashes[slot] = hash;
  counts[slot]++;
}

export function run(times: u32): u64 {
  restart();
  for (let at = 0; at < size; at++) {
    const value = next() >> 24;
    text[at] = value < 64 ? 32 : ((97 + (value % 5)) as u8);
  }
  let sum: u64 = 0;
  for (let time: u32 = 0; time < times; time++) {
    for (let slot = 0; slot < slots; slot++) counts[slot] = 0;
    let hash: u32 = 0;
    for (let at = 0; at < size; at++) {
      if (isLetter(text[at])) hash = (hash ^ text[at]) * 16777619 + 1;
      else if (hash != 0) {
        count(hash);
        hash = 0;
      }
    }
    for (let slot = 0; slot < slots; slot++)
      sum = sum * 31 + (counts[slot] as u64) * (counts[slot] as u64);
  }
  return sum;
}
