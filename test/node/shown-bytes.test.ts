// Goal: bytes that are a text are shown as one, in whatever script, and none of them steers a line;
// all others are shown as they are, in hexadecimal.
// Method: fixed bytes of each kind; laws of what is shown, and of where a text may be cut.
import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { shownBytes, wholeLetters } from '../../node/laws/origin.ts';
import { bytes } from '../support/sandbox.ts';

test('a text is shown in quotes, its marks escaped; what is none, in hexadecimal', () => {
  expect(shownBytes(bytes('0\n株式会社'))).toBe('"0\\n株式会社"');
  expect(shownBytes(bytes('a "b"\t'))).toBe('"a \\"b\\"\\t"');
  expect(shownBytes(bytes('a\u202eb\u2028\ufeffc'))).toBe('"a\\u{202e}b\\u{2028}\\u{feff}c"');
  expect(shownBytes(bytes('a\u001b[31m'))).toBe('0x611b5b33316d');
  expect(shownBytes(bytes('a\u0085'))).toBe('0x61c285');
  expect(shownBytes(Uint8Array.of(5, 0, 0, 0))).toBe('0x05000000');
  // All that there is, and no letter: it was not cut here.
  expect(shownBytes(Uint8Array.of(0x61, 0xe6, 0xa0))).toBe('0x61e6a0');
  expect(shownBytes(new Uint8Array(0))).toBe('no bytes');
});

test('a long text is cut between its letters', () => {
  const long = bytes(`a${'株'.repeat(20)}`);
  expect(shownBytes(long)).toBe(`"a${'株'.repeat(15)}"… (61 bytes)`);
  expect(shownBytes(long.subarray(0, 48), 61)).toBe(shownBytes(long));
  const letters = fc.string({ unit: fc.constantFrom('株', 'é', 'a', '😀', '\u202e') });
  fc.assert(
    fc.property(letters, fc.nat(), (text, some) => {
      const all = bytes(text);
      const cut = all.subarray(0, some % (all.length + 1));
      const whole = wholeLetters(cut);
      expect(isUtf8(whole)).toBe(true);
      expect(cut.length - whole.length).toBeLessThan(4);
      if (isUtf8(cut)) expect(whole.length).toBe(cut.length);
    }),
  );
});

test('nothing that is shown steers a terminal, whatever the bytes', () => {
  const some = fc.oneof(
    fc.uint8Array({ maxLength: 80 }),
    fc.string({ unit: 'binary' }).map((text) => bytes(text)),
  );
  fc.assert(
    fc.property(some, (all) => {
      expect(shownBytes(all)).not.toMatch(/[\p{C}\u2028\u2029]/u);
      expect(wholeLetters(all).length).toBeGreaterThanOrEqual(Math.max(0, all.length - 3));
    }),
  );
});
