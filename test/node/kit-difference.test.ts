// Goal: of a result that differs from the expected one, the difference itself is told, and all of it
// is to be had, as a file and in the document; so is the result that a receipt proves.
// Method: laws of the words on bytes that differ in one place; then the real command on programs
// assembled by hand, with twins whose results are short or right.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { provedResult, resultLines } from '../../node/cli/result-words.ts';
import { differenceText, firstDifference } from '../../node/kit/difference.ts';
import { program } from '../fixtures/programs/assemble.ts';
import { openKit } from '../support/kit-project.ts';
import { bytes } from '../support/sandbox.ts';

const { directory, project, remove, run } = openKit();
afterAll(remove);

const text = (value: string): Uint8Array => bytes(value);

describe('a difference', () => {
  test('is shown whole of short bytes, else by its place, its line, and both sides', () => {
    expect(differenceText(text('a'), text('b'))).toBe('expected "a", found "b"');
    const lines = (at: number): string =>
      Array.from({ length: 100 }, (_, line) => `line ${line === at ? 'x' : line}`).join('\n');
    expect(differenceText(text(lines(-1)), text(lines(50)))).toBe(
      'found 788 bytes, expected 789; the first that differs is byte 395, counted from 0, in line 51: ' +
        'expected …"48\\nline 49\\nline 50\\nline 51\\nline 52\\nline 53\\nline "…, ' +
        'found …"48\\nline 49\\nline x\\nline 51\\nline 52\\nline 53\\nline 5"…',
    );
  });

  test('of letters of several bytes is shown as text, also where it is cut', () => {
    const letters = fc.string({ unit: fc.constantFrom('株', 'é', 'a', '😀', '\n') });
    fc.assert(
      fc.property(letters, letters, letters, (before, one, other) => {
        const told = differenceText(text(`${before}${one}x`), text(`${before}${other}y`));
        expect(told).not.toContain('0x');
        expect(told).not.toContain('\ufffd');
      }),
    );
  });

  test('is never shown as two equal texts, and its place is right', () => {
    const some = fc.uint8Array({ minLength: 60, maxLength: 400 });
    fc.assert(
      fc.property(some, fc.nat(), fc.integer({ min: 1, max: 255 }), fc.boolean(), (...given) => {
        const [expected, place, change, cut] = given;
        const at = place % expected.length;
        const found = cut ? expected.slice(0, at) : expected.slice();
        if (!cut) found[at]! ^= change;
        expect(firstDifference(expected, found)).toBe(at);
        const told = differenceText(expected, found);
        expect(told).toContain(`is byte ${at}, counted from 0, in line `);
        const [, one, other] = /: expected (.*), found (.*)$/.exec(told)!;
        expect(one).not.toBe(other);
        if (cut) expect(other).toMatch(/ and no more$/);
      }),
    );
  });
});

describe('test', () => {
  const long = `${Array.from({ length: 30 }, (_, at) => `word ${at}`).join('\n')}\n`;
  const other = long.replace('word 27', 'word XX');

  test('shows it, keeps the result where it is told to, and both sides in its document', async () => {
    project('takes', program(), {
      ...{ 'tests/a.input': other, 'tests/a.expected': long },
      ...{ 'tests/b.input': 'b', 'tests/b.expected': 'c' },
      ...{ 'tests/c.input': long, 'tests/c.expected': long },
    });
    const cut = { kind: 'whole' };
    const manifest = { name: 'takes', version: '1', language: 'as', cut };
    writeFileSync(join(directory, 'takes', 'program.json'), JSON.stringify(manifest));
    const plain = await run('test', 'takes', '--seed', '1');
    expect(plain.exitCode).toBe(4);
    expect(plain.out).toMatch(
      /^FAIL {2}a: found \d+ bytes, as expected; .* in line 28: .*word 27.*word XX/m,
    );
    expect(plain.out).toContain('--keep DIR');
    const keep = join(directory, 'kept', 'here');
    const kept = await run('test', 'takes', '--seed', '1', '--keep', 'kept/here');
    expect(kept.exitCode).toBe(4);
    expect(kept.out).toContain(`; kept in ${join(keep, 'a.found')}`);
    expect(kept.out).not.toContain('--keep DIR');
    expect(readFileSync(join(keep, 'a.found'), 'utf8')).toBe(other);
    expect(readFileSync(join(keep, 'b.found'), 'utf8')).toBe('b');
    expect(existsSync(join(keep, 'c.found'))).toBe(false);
    const { tests } = (await run('test', 'takes', '--seed', '1', '--json')).document.data;
    expect(tests[0]).toMatchObject({
      expected: { text: long },
      found: { text: other, file: null },
    });
    expect(tests[2]).toMatchObject({ expected: null, found: null });
    writeFileSync(join(directory, 'file'), '');
    const refused = await run('test', 'takes', '--keep', 'file');
    expect([refused.exitCode, refused.err]).toEqual([
      2,
      expect.stringContaining('OUTPUT_UNWRITABLE'),
    ]);
  });
});

describe('a proved result', () => {
  const ofA = 'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb';

  test('is told by its hash, and as text where that is short and harmless', () => {
    expect(resultLines(text('a'), null)).toEqual([
      `ok    result: 1 bytes, SHA-256 ${ofA}`,
      '      | a',
    ]);
    expect(resultLines(text('a'), '/f')).toEqual([`ok    result: 1 bytes, SHA-256 ${ofA}, in /f`]);
    // No line of it can be taken for one of the verdict.
    expect(resultLines(text('\nVERIFIED job 00\n'), null).slice(1)).toEqual([
      '      |',
      '      | VERIFIED job 00',
    ]);
    const unshown = ['', 'a\u001b[31m', 'a\u202eb', 'a\rb', 'x'.repeat(2_049), '\n'.repeat(25)];
    for (const one of unshown) expect(resultLines(text(one), null)).toHaveLength(1);
    expect(resultLines(Uint8Array.of(0xff), null)).toHaveLength(1);
    expect(provedResult(text('a'), null)).toEqual({ sha256: ofA, bytes: 1, file: null, text: 'a' });
    expect(provedResult(Uint8Array.of(0xff), null)).toMatchObject({ base64: '/w==' });
  });
});
