/** Say where the bytes that came out differ from those that were expected. */
import { shownBytes, wholeLetters } from '../laws/origin.ts';

/** Bytes that are shown of each side before the first difference, and from it on. */
const beforeMax = 16;
const fromMax = 32;
/** Bytes of a side that is short enough to be shown whole. */
const wholeMax = 48;

/**
 * What was expected and what was found, in a sentence without its full stop: whole where both are
 * short, else the first byte in which they differ, its line, and what surrounds it on both sides.
 */
export function differenceText(expected: Uint8Array, found: Uint8Array): string {
  if (Math.max(expected.length, found.length) <= wholeMax)
    return `expected ${shownBytes(expected)}, found ${shownBytes(found)}`;
  const at = firstDifference(expected, found);
  const line = expected.subarray(0, at).reduce((lines, byte) => lines + (byte === 10 ? 1 : 0), 1);
  const lengths =
    expected.length === found.length
      ? `${found.length} bytes, as expected`
      : `${found.length} bytes, expected ${expected.length}`;
  const around = (bytes: Uint8Array): string => surroundings(bytes, at);
  return (
    `found ${lengths}; the first that differs is byte ${at}, counted from 0, in line ${line}: ` +
    `expected ${around(expected)}, found ${around(found)}`
  );
}

/** Where one has another byte than the other, or none any more. */
export function firstDifference(one: Uint8Array, other: Uint8Array): number {
  const length = Math.min(one.length, other.length);
  for (let at = 0; at < length; at++) if (one[at] !== other[at]) return at;
  return length;
}

function surroundings(bytes: Uint8Array, at: number): string {
  let start = Math.max(0, at - beforeMax);
  // No letter of UTF-8 is cut through: at most three bytes follow its first one.
  for (let more = 0; start > 0 && more < 3 && (bytes[start]! & 0xc0) === 0x80; more++) start++;
  const cut = Math.min(bytes.length, at + fromMax);
  const some = bytes.subarray(start, cut);
  const whole = cut < bytes.length ? wholeLetters(some) : some;
  const end = start + whole.length;
  const shown = `${start > 0 ? '…' : ''}${shownBytes(whole)}`;
  if (at >= bytes.length) return `${shown} and no more`;
  return `${shown}${end < bytes.length ? '…' : ''}`;
}
