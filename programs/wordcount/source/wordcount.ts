/** Count the words of a text: the exports of ABI version 1. */
import { renderList } from './json';
import { merge } from './list';
import { allocate } from './memory';
import { countWords } from './words';

export function anw_abi_v1(): void {}

export function anw_alloc(size: u32): usize {
  return allocate(size);
}

export function anw_map(parameters: usize, parametersLength: u32, item: usize, length: u32): u64 {
  return countWords(item, length);
}

export function anw_combine(a: usize, aLength: u32, b: usize, bLength: u32): u64 {
  return merge(a, aLength, b, bLength);
}

export function anw_render(
  parameters: usize,
  parametersLength: u32,
  value: usize,
  length: u32,
): u64 {
  return renderList(value, length);
}

/** A value for the test of the laws: the words of a random text of up to 255 bytes. */
export function anw_sample(seed: usize): u64 {
  let state = load<u64>(seed) | 1;
  const text = allocate(256);
  const length: u32 = load<u8>(seed, 8);
  for (let at: u32 = 0; at < length; at++) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    const pick = <u32>(state >> 40) % 10;
    // Few letters, so that samples share words; some bytes beyond ASCII; the rest spaces.
    store<u8>(text + at, <u8>(pick < 4 ? 97 + pick : pick < 6 ? 65 + pick : pick == 6 ? 0xe9 : 32));
  }
  return countWords(text, length);
}
