// Goal: docs/programming.md does what it says: from an empty folder to a program of one's own whose
// receipt verifies, in AssemblyScript and in C.
// Method: every file block of the page is written and every shell block is run, in their order, by
// the real command line in an empty directory.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hasClang } from '../../node/kit/build.ts';
import { anwansi, type Ended, newPlace, packageRoot } from '../support/anwansi-process.ts';
import { wordsOf } from '../support/page-commands.ts';

const msMax = 240_000;
const page = readFileSync(join(packageRoot, 'docs', 'programming.md'), 'utf8');

type Block = { readonly language: string; readonly rest: string; readonly text: string };
const blocks: readonly Block[] = [...page.matchAll(/^```(\S*)(?: (.*))?\n([\s\S]*?)^```$/gm)].map(
  ([, language, rest, text]) => ({ language: language!, rest: rest ?? '', text: text! }),
);

type Step = { readonly name: string; readonly line: string; readonly exitCode: number };
/** What the page says that a step prints, among other things. */
const says: { readonly step: Step; readonly text: string }[] = [];
const steps: Step[] = [];
/** What happens in the order of the page: a step, or a file that is written. */
const events: (Step | { readonly file: string; readonly text: string })[] = [];
for (const { language, rest, text } of blocks) {
  if (language === '' && steps.length > 0) says.push({ step: steps.at(-1)!, text });
  if (language !== 'sh') {
    if (rest !== '') events.push({ file: rest, text });
    continue;
  }
  if (rest.split(' ').includes('c') && !hasClang()) continue;
  const exitCode = Number(/exits (\d+)/.exec(rest)?.[1] ?? 0);
  for (const line of text.trim().split('\n')) {
    const step = { name: `${steps.length + 1}: ${line}`, line, exitCode };
    steps.push(step);
    events.push(step);
  }
}

const place = newPlace();
const outcomes = new Map<Step, Ended>();

beforeAll(async () => {
  for (const event of events) {
    if ('file' in event) {
      const path = join(place.directory, event.file);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, event.text);
      continue;
    }
    expect(event.line).toMatch(/^anwansi /);
    const words = wordsOf({ text: event.line }, place.directory);
    const ended = await anwansi(words, { place });
    outcomes.set(event, ended);
    if (ended.exitCode !== event.exitCode) break;
  }
}, msMax);
afterAll(() => place.remove());

const shown = ({ err, out }: Ended): string => `${err}\n${Buffer.from(out).toString()}`;

describe('the page', () => {
  test('has its commands and files', () => {
    expect(steps.length).toBe(hasClang() ? 23 : 18);
    expect(steps.filter(({ exitCode }) => exitCode === 4)).toHaveLength(2);
    expect(events.filter((event) => 'file' in event).length).toBeGreaterThanOrEqual(10);
  });

  test('names each file in the paragraph above it, for whoever reads it rendered', () => {
    for (const { language, rest } of blocks) {
      if (language === 'sh' || rest === '') continue;
      const above = page.slice(0, page.indexOf(`\`\`\`${language} ${rest}\n`));
      expect(above.split('\n\n').slice(-6).join('\n\n'), rest).toContain(`\`${rest}\``);
    }
  });

  test.each(steps)('$name', (step) => {
    const ended = outcomes.get(step);
    expect(ended, 'a step before it failed').toBeDefined();
    expect(ended!.exitCode, shown(ended!)).toBe(step.exitCode);
  });

  test('says what the commands say', () => {
    const of = (part: string): string =>
      shown(outcomes.get(steps.find(({ line }) => line.includes(part))!)!);
    expect(of('anwansi run')).toMatch(/^ten eleven twelve$/m);
    expect(of('least.receipt')).toMatch(/^ten eleven twelve$/m);
    expect(of('anwansi verify')).toMatch(/^VERIFIED job/m);
    const refuted = of('program check longest --input words.txt --seed 3');
    expect(refuted).toMatch(/^REFUTED: commutative/m);
    expect(says).toHaveLength(4);
    for (const { step, text } of says) expect(shown(outcomes.get(step)!)).toContain(text);
    const passed = shown(
      outcomes.get(steps.findLast(({ line }) => line.includes('program check'))!)!,
    );
    expect(passed).toMatch(/^no counterexample found/m);
    expect(passed).not.toContain('REFUTED');
    expect(of('program bench')).toMatch(/^units of fuel +\d/m);
    expect(of('anwansi quote')).toMatch(/^an item +\d.* units of fuel/m);
  });
});
