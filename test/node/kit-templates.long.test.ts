// Goal: what `program new` gives an author does what it says: memory grows as often as it doubles,
// and a trap tells that it ran out; parameters come in any order and may be left out; a text is
// never written past its end; a function that is to keep its name keeps it.
// Method: programs of the templates, in both languages, built by the kit and called in the sandbox;
// fuel tells how often memory grew. Beside each, the same with the fault put in.
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { combine, mapItem, openProgram, type Program } from '../../node/executor/program.ts';
import { buildProgram, hasClang, type Language } from '../../node/kit/build.ts';
import { beginProject } from '../../node/kit/project.ts';

const directory = mkdtempSync(join(tmpdir(), 'anwansi-kit-templates-'));
afterAll(() => rmSync(directory, { recursive: true }));
const programs = fileURLToPath(new URL('../../programs/', import.meta.url));
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const fuel = 2n ** 34n;

let count = 0;
/** A program whose anw_map is the given body, of what it has to include and have before it. */
async function built(
  language: Language,
  body: string,
  before = '',
  files: Record<string, string> = {},
): Promise<Program> {
  const { folder, recipe } = await beginProject(join(directory, `p${count++}`), language);
  const source = join(folder, 'source');
  const text =
    language === 'c'
      ? `#include "abi.h"
         #include "parameters.h"
         ${before}
         EXPORT(anw_abi_v1) void anw_abi_v1(void) {}
         EXPORT(anw_alloc) void *anw_alloc(u32 bytes) { return allocate(bytes); }
         EXPORT(anw_map) u64 anw_map(const u8 *text, u32 length, const u8 *item, u32 item_length) {
           (void)text, (void)length, (void)item, (void)item_length;
           ${body}
         }
         EXPORT(anw_combine) u64 anw_combine(const u8 *a, u32 al, const u8 *b, u32 bl) {
           (void)b, (void)bl;
           return result(a, al);
         }`
      : `import { allocate, result } from './memory';
         ${before}
         export function anw_abi_v1(): void {}
         export function anw_alloc(size: u32): usize { return allocate(size); }
         export function anw_map(text: usize, length: u32, item: usize, itemLength: u32): u64 {
           ${body}
         }
         export function anw_combine(a: usize, al: u32, b: usize, bl: u32): u64 {
           return result(a, al);
         }`;
  writeFileSync(join(source, `program.${language === 'c' ? 'c' : 'ts'}`), text);
  for (const [file, from] of Object.entries(files))
    cpSync(join(programs, from), join(source, file));
  return openProgram(await buildProgram(recipe));
}

/** What a call of anw_map comes to: a text, or why there is none. */
function mapped(program: Program, parameters = '', item = 'item'): string {
  const called = mapItem(program, bytes(parameters), bytes(item), fuel);
  return called.ok ? new TextDecoder().decode(called.value) : `${called.class}: ${called.reason}`;
}

const mebibyte = 2 ** 20;
type Step = readonly [bytes: number, count: number];
/** Takes memory in the steps that its item names, and writes a byte in each. */
const takes: Readonly<Record<Language, string>> = {
  c: `const u32 *step = (const u32 *)item, *end = (const u32 *)(item + item_length);
      for (; step < end; step += 2)
        for (u32 at = 0; at < step[1]; at++) *(volatile u8 *)allocate(step[0] - 48) = 1;
      return result(item, 4);`,
  as: `for (let step = item; step < item + itemLength; step += 8)
        for (let at: u32 = 0; at < load<u32>(step, 4); at++)
          store<u8>(allocate(load<u32>(step) - 48), 1);
      return result(item, 4);`,
};
const taken = (program: Program, ...steps: readonly Step[]) =>
  mapItem(program, bytes(''), new Uint8Array(Uint32Array.from(steps.flat()).buffer), fuel);
const fuelOf = (program: Program, ...steps: readonly Step[]): bigint => {
  const called = taken(program, ...steps);
  if (!called.ok) throw new Error(`${called.class}: ${called.reason}`);
  return called.fuel;
};

test.for(['c', 'as'] as const)('memory in %s', async (language, context) => {
  if (language === 'c' && !hasClang()) context.skip('clang is missing');
  const program = await built(language, takes[language]);
  // A growth costs a million: of the 1 760 steps, hardly one may grow it. What AssemblyScript
  // fills with zeros costs its bytes / 8.
  const filled = language === 'as' ? BigInt(240 * mebibyte) / 8n : 0n;
  const half = fuelOf(program, [130 * mebibyte, 1], [65_536, 1_760]);
  expect(half - filled).toBeLessThan(16_000_000n);
  expect(fuelOf(program, [65_536, 3_840]) - filled).toBeLessThan(22_000_000n);
  // As much as there is, and then a trap that says so.
  expect(taken(program, [200 * mebibyte, 1])).toMatchObject({ ok: true });
  expect(taken(program, [240 * mebibyte, 1], [mebibyte, 14])).toMatchObject({ ok: true });
  const out = language === 'c' ? 'out_of_memory, called by allocate' : 'memory/outOfMemory, called';
  for (const steps of [
    [[65_536, 4_800]],
    [[64 * mebibyte, 5]],
    [[200 * mebibyte, 2]],
    [[300 * mebibyte, 1]],
    [[2 ** 32 - 65_536, 2]],
  ] as const)
    expect(taken(program, ...steps)).toMatchObject({
      class: 'trap',
      reason: expect.stringContaining(`anw_map trapped: unreachable in ${out}`),
    });
});

test('an allocator that takes page by page is told from ours by its fuel', async (context) => {
  if (!hasClang()) context.skip('clang is missing');
  const steps: Step = [65_536, 128];
  expect(fuelOf(await built('c', takes.c), steps)).toBeLessThan(10_000_000n);
  const paged = await built('c', takes.c, '', { 'memory.c': 'primes/source/memory.c' });
  expect(fuelOf(paged, steps)).toBeGreaterThan(100_000_000n);
});

const readsOfAs = `
  import { endParameters, neededNumber, neededText, openParameters, optionalNumber, optionalText }
    from './parameters';
  function shown(text: string): u64 {
    const bytes = String.UTF8.encode(text);
    return result(changetype<usize>(bytes), bytes.byteLength);
  }`;

/** Reads three numbers, of which as many have to be there as its item says. */
const readsNumbers: Readonly<Record<Language, readonly [body: string, before: string]>> = {
  c: [
    `u64 numbers[] = {7, 8, 9};
     u32 needed = item[0] - '0';
     int ok = needed == 3 ? read_numbers(text, length, names, numbers, 3)
                          : read_optional_numbers(text, length, names, numbers, 3, needed);
     if (!ok) return result("no", 2);
     Text shown = open_text(64);
     for (u32 at = 0; at < 3; at++) put_number(&shown, numbers[at], 1), put_text(&shown, " ");
     return text_result(&shown);`,
    'static const char *const names[] = {"from", "to", "step"};',
  ],
  // Asked for in another order than that of the names: that is no matter either.
  as: [
    `const needed = load<u8>(item) - 48;
     openParameters(text, length);
     const step = needed > 2 ? neededNumber('step') : optionalNumber('step', 9);
     const from = needed > 0 ? neededNumber('from') : optionalNumber('from', 7);
     const to = needed > 1 ? neededNumber('to') : optionalNumber('to', 8);
     return shown(endParameters() ? \`\${from} \${to} \${step} \` : 'no');`,
    readsOfAs,
  ],
};

describe.for(['c', 'as'] as const)('parameters in %s', (language) => {
  const isMissing = language === 'c' && !hasClang();
  test('may come in any order and be left out; what is none is refused', async (context) => {
    if (isMissing) context.skip('clang is missing');
    const reads = await built(language, ...readsNumbers[language]);
    const read = (text: string): string[] =>
      ['3', '1', '0'].map((needed) => mapped(reads, text, needed));
    for (const [parameters, ...said] of [
      ['', 'no', 'no', '7 8 9 '],
      ['{}', 'no', 'no', '7 8 9 '],
      [' { } ', 'no', 'no', '7 8 9 '],
      ['{"from":1}', 'no', '1 8 9 ', '1 8 9 '],
      ['{"step":3,"from":1}', 'no', '1 8 3 ', '1 8 3 '],
      ['{"to":2}', 'no', 'no', '7 2 9 '],
      ['{"step":3,"from":1,"to":2}', '1 2 3 ', '1 2 3 ', '1 2 3 '],
      [
        '{"from":0,"to":9223372036854775807}',
        'no',
        '0 9223372036854775807 9 ',
        '0 9223372036854775807 9 ',
      ],
      ['{"from":1,"other":2}', 'no', 'no', 'no'],
      ['{"from":1,"fro":2}', 'no', 'no', 'no'],
      ['{"from":1,"from":1}', 'no', 'no', 'no'],
      ['{"to":1,"from":1,"step":1,"to":1}', 'no', 'no', 'no'],
      ['{"other":1,"other":1}', 'no', 'no', 'no'],
      ['{"from":1,}', 'no', 'no', 'no'],
      ['{"from":1 "to":2}', 'no', 'no', 'no'],
      ['{"from" 1}', 'no', 'no', 'no'],
      ['{from:1}', 'no', 'no', 'no'],
      ['{"from ":1}', 'no', 'no', 'no'],
      ['{"fr\\u006fm":1}', 'no', 'no', 'no'],
      ['{"from', 'no', 'no', 'no'],
      ['{"from":1', 'no', 'no', 'no'],
      ['{,}', 'no', 'no', 'no'],
      ['{"from":}', 'no', 'no', 'no'],
      ['{"from":-1}', 'no', 'no', 'no'],
      ['{"from":01}', 'no', 'no', 'no'],
      ['{"from":1.0}', 'no', 'no', 'no'],
      ['{"from":1e3}', 'no', 'no', 'no'],
      ['{"from":"1"}', 'no', 'no', 'no'],
      ['{"from":"', 'no', 'no', 'no'],
      ['{"from":true}', 'no', 'no', 'no'],
      ['{"from":null}', 'no', 'no', 'no'],
      ['{"from":[1]}', 'no', 'no', 'no'],
      ['{"from":{}}', 'no', 'no', 'no'],
      ['{"from":9223372036854775808}', 'no', 'no', 'no'],
      ['{"from":99999999999999999999}', 'no', 'no', 'no'],
      ['{}x', 'no', 'no', 'no'],
      ['{}{}', 'no', 'no', 'no'],
      ['{', 'no', 'no', 'no'],
      [' ', 'no', 'no', 'no'],
      ['[]', 'no', 'no', 'no'],
      ['null', 'no', 'no', 'no'],
    ] as const)
      expect(read(parameters), parameters).toEqual(said);
    // Any subset, in any order and spacing, against what JSON says.
    const space = fc.constantFrom('', ' ', '\n\t');
    const number = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });
    const order = fc.shuffledSubarray(['from', 'to', 'step']);
    fc.assert(
      fc.property(
        order,
        fc.array(number, { minLength: 3, maxLength: 3 }),
        space,
        (keys, n, gap) => {
          const pairs = keys.map((key, at) => `"${key}"${gap}:${gap}${n[at]}`);
          const text = `${gap}{${gap}${pairs.join(`${gap},${gap}`)}${gap}}${gap}`;
          const defaults: Record<string, bigint> = { from: 7n, to: 8n, step: 9n };
          for (const [at, key] of keys.entries()) defaults[key] = n[at]!;
          const line = `${Object.values(defaults).join(' ')} `;
          expect(read(text)).toEqual([
            keys.length === 3 ? line : 'no',
            keys.includes('from') ? line : 'no',
            line,
          ]);
        },
      ),
      { numRuns: 60 },
    );
  });
});

test('parameters that trap in AssemblyScript tell so, and memory that ran out tells itself', async () => {
  const body = `openParameters(text, length);
    const least = optionalNumber('least', 5);
    needParameters();
    return result(allocate(least), 0);`;
  const before = `import { needParameters, openParameters, optionalNumber } from './parameters';`;
  const needs = await built('as', body, before);
  expect(mapped(needs, '{"least":1000}')).toBe('');
  expect(mapped(needs, '{"most":1000}')).toContain('unreachable in parameters/wrongParameters');
  expect(mapped(needs, '{"least":1000000000}')).toContain('unreachable in memory/outOfMemory');
});

test('texts among the parameters of AssemblyScript', async () => {
  const body = `openParameters(text, length);
    const least = optionalNumber('least', 5), word = neededText('word');
    const unit = optionalText('einheit ü', 'm');
    return shown(endParameters() ? \`\${least} \${word} \${unit}\` : 'no');`;
  const reads = await built('as', body, readsOfAs);
  for (const [parameters, said] of [
    ['{"word":"fish"}', '5 fish m'],
    ['{"word":""}', '5  m'],
    ['{"einheit ü":"µ𝄞","word" : "a {b}, [c]: 1","least":2}', '2 a {b}, [c]: 1 µ𝄞'],
    ['', 'no'],
    ['{"least":2}', 'no'],
    ['{"word":1}', 'no'],
    ['{"word":"a","least":"2"}', 'no'],
    ['{"word":"a","word":"a"}', 'no'],
    ['{"word":"a","other":"b"}', 'no'],
    ['{"word":"a\\nb"}', 'no'],
    ['{"word":"a\\"b"}', 'no'],
    ['{"word":"a\nb"}', 'no'],
    ['{"word":"a}', 'no'],
    ["{'word':'a'}", 'no'],
    ['{"word":null}', 'no'],
  ] as const)
    expect(mapped(reads, parameters), parameters).toBe(said);
});

test('a reader that takes names in their own order is told from ours', async () => {
  const inOrder = await built(
    'as',
    `if (!openParameters(text, length)) return result(text, 0);
     if (takeName('from')) takeNumber();
     if (takeName('to')) takeNumber();
     return endParameters(text, length) ? result(text, length) : result(text, 0);`,
    `import { endParameters, openParameters, takeName, takeNumber } from './parameters';`,
    { 'parameters.ts': 'shared-as/source/parameters.ts' },
  );
  expect(mapped(inOrder, '{"from":1,"to":2}')).toBe('{"from":1,"to":2}');
  expect(mapped(inOrder, '{"to":2,"from":1}')).toBe('');
});

describe('C', () => {
  test('a text that is full traps, and what lies behind it is not written', async (context) => {
    if (!hasClang()) context.skip('clang is missing');
    const body = `
      Text shown = open_text(item_length);
      put_text(&shown, "four");
      if (length > 0) put_number(&shown, 12, length);
      return text_result(&shown);`;
    const puts = await built('c', body);
    const full = 'trap: anw_map trapped: unreachable in text_is_full';
    expect(mapped(puts, '', '1234')).toBe('four');
    expect(mapped(puts, '', '123')).toContain(full);
    expect(mapped(puts, '12', '123456')).toBe('four12');
    expect(mapped(puts, '123', '123456')).toContain(full);
    expect(mapped(puts, '123', '1234567')).toBe('four012');
    const unbounded = await built('c', body, '', {
      'abi.c': 'shared-c/source/abi.c',
      'abi.h': 'shared-c/source/abi.h',
    });
    expect(mapped(unbounded, '', '123')).toBe('four');
  });

  test('a function that is NAMED tells its name in a trap, and another may not', async (context) => {
    if (!hasClang()) context.skip('clang is missing');
    const fails = (named: string) =>
      built(
        'c',
        'refuses(item_length); return result(item, item_length);',
        `${named} static void refuses(u32 length) { if (length > 3) __builtin_trap(); }`,
      );
    expect(mapped(await fails('NAMED'))).toContain('unreachable in refuses, called by anw_map');
    expect(mapped(await fails(''))).toMatch(/unreachable in anw_map$/);
  });

  test('a value that is none traps by name', async (context) => {
    if (!hasClang()) context.skip('clang is missing');
    const { recipe } = await beginProject(join(directory, 'value'), 'c');
    const program = openProgram(await buildProgram(recipe));
    const combined = combine(program, new Uint8Array(16), new Uint8Array(15), fuel);
    expect(combined).toMatchObject({
      class: 'trap',
      reason: expect.stringContaining('in wrong_value, called by'),
    });
  });
});
