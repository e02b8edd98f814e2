/** Read the front of a file of ours: its magic and its version. */
import { utf8 } from '../brand.ts';

// An array of up to 23 fields, the first of which is a text of up to 23 bytes.
const arrayFront = 0x80;
const arrayFrontMask = 0xe0;
const textFront = 0x60;

/**
 * The version of what begins with a magic, or null for bytes that do not begin like that.
 *
 * It is read before anything else is, so that a later version may have another form.
 */
export function frontVersion(bytes: Uint8Array, magic: string): number | null {
  const magicBytes = utf8(magic);
  const at = magicBytes.length + 2;
  const front = textFront + magicBytes.length;
  if (bytes.length <= at || (bytes[0]! & arrayFrontMask) !== arrayFront || bytes[1] !== front)
    return null;
  if (!magicBytes.every((byte, index) => bytes[index + 2] === byte)) return null;
  const first = bytes[at]!;
  if (first < 24) return first;
  const width = [1, 2, 4][first - 24];
  if (width === undefined || bytes.length < at + 1 + width) return null;
  let version = 0;
  for (let index = 0; index < width; index++) version = version * 256 + bytes[at + 1 + index]!;
  return version;
}
