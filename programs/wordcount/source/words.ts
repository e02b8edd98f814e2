/** Find the words of a text: maximal runs of letters, digits and bytes from 0x80 on. */
import { countWord, openTable, writeTable } from './table';

/** Per byte: 0 where no word goes on, else the byte in lower case. */
const lowerCase = memory.data<u8>([
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
  0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 0,
  0, 0, 0, 0, 0, 0, 97, 98, 99, 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112,
  113, 114, 115, 116, 117, 118, 119, 120, 121, 122, 0, 0, 0, 0, 0, 0, 97, 98, 99, 100, 101, 102,
  103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119, 120, 121,
  122, 0, 0, 0, 0, 0, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 138, 139, 140, 141, 142,
  143, 144, 145, 146, 147, 148, 149, 150, 151, 152, 153, 154, 155, 156, 157, 158, 159, 160, 161,
  162, 163, 164, 165, 166, 167, 168, 169, 170, 171, 172, 173, 174, 175, 176, 177, 178, 179, 180,
  181, 182, 183, 184, 185, 186, 187, 188, 189, 190, 191, 192, 193, 194, 195, 196, 197, 198, 199,
  200, 201, 202, 203, 204, 205, 206, 207, 208, 209, 210, 211, 212, 213, 214, 215, 216, 217, 218,
  219, 220, 221, 222, 223, 224, 225, 226, 227, 228, 229, 230, 231, 232, 233, 234, 235, 236, 237,
  238, 239, 240, 241, 242, 243, 244, 245, 246, 247, 248, 249, 250, 251, 252, 253, 254, 255,
]);

/** Whether a byte can stand in a counted word. */
export function isWordByte(byte: u32): bool {
  return byte != 0 && u32(load<u8>(lowerCase + byte)) == byte;
}

/** Counts the words of a text; writes lower case into it. */
export function countWords(text: usize, length: usize): u64 {
  openTable();
  const end = text + length;
  let at = text;
  while (at < end) {
    let byte = u32(load<u8>(at));
    let lower = u32(load<u8>(lowerCase + byte));
    if (lower == 0) {
      at += 1;
      continue;
    }
    const word = at;
    let prefix: u64 = 0;
    const prefixEnd = min(end, word + 8);
    do {
      // Most text is lower case already: a store a byte would cost more than the question.
      if (lower != byte) store<u8>(at, <u8>lower);
      prefix = (prefix << 8) | u64(lower);
      at += 1;
      if (at == prefixEnd) break;
      byte = u32(load<u8>(at));
      lower = u32(load<u8>(lowerCase + byte));
    } while (lower != 0);
    let tail: u32 = 0;
    const prefixLength = <u32>(at - word);
    if (prefixLength == 8) {
      while (at < end) {
        byte = u32(load<u8>(at));
        lower = u32(load<u8>(lowerCase + byte));
        if (lower == 0) break;
        if (lower != byte) store<u8>(at, <u8>lower);
        tail = (rotl(tail, 5) ^ lower) * 0x9e3779b1;
        at += 1;
      }
    }
    countWord(word, <u32>(at - word), prefix << (u64(8 - prefixLength) << 3), tail);
  }
  return writeTable();
}
