// Goal: docs/programming.md does what it says: from an empty folder to a program of one's own whose
// receipt verifies, in AssemblyScript and in C.
// Method: every file block of the page is written and every shell block is run, in their order, by
// the real command line in an empty directory.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { engine } from '../../node/executor/engine.ts';
import { hasClang } from '../../node/kit/build.ts';
import { findAssemblyScript } from '../../node/kit/compilers.ts';
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
/** What happens in the order of the page: a step, a file that is written, some that are removed. */
const events: (
  | Step
  | { readonly file: string; readonly text: string }
  | { readonly removes: string }
)[] = [];
for (const { language, rest, text } of blocks) {
  if (language === '' && steps.length > 0) says.push({ step: steps.at(-1)!, text });
  if (language !== 'sh') {
    if (rest !== '') events.push({ file: rest, text });
    continue;
  }
  if (rest.split(' ').includes('c') && !hasClang()) continue;
  const exitCode = Number(/exits (\d+)/.exec(rest)?.[1] ?? 0);
  for (const line of text.trim().split('\n')) {
    if (line.startsWith('rm ')) {
      events.push({ removes: line });
      continue;
    }
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
    if ('removes' in event) {
      execFileSync('sh', ['-euc', event.removes], { cwd: place.directory });
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
    expect(steps.length).toBe(hasClang() ? 31 : 25);
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
    expect(of('happy.receipt')).toMatch(/^14376$/m);
    expect(of('"blok"')).toContain('PARAMETERS_REFUSED');
    if (hasClang()) expect(of('anwansi run longest-c')).toMatch(/^ten eleven twelve$/m);
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

describe('what surprises whoever knows TypeScript', () => {
  const { compiler } = findAssemblyScript(packageRoot);
  /** Compiles it as the kit does; what the compiler says against it. */
  const compile = (name: string, source: string): string => {
    const file = join(place.directory, `${name}.ts`);
    writeFileSync(file, source);
    const words = [compiler, `${name}.ts`, '-O3', '--runtime', 'stub', '--noAssert'];
    words.push('--use', 'abort=', '--outFile', `${name}.wasm`);
    try {
      execFileSync(process.execPath, words, {
        cwd: place.directory,
        encoding: 'utf8',
        stdio: 'pipe',
      });
      return '';
    } catch (error) {
      const { stdout, stderr } = error as { readonly stdout: string; readonly stderr: string };
      return stdout + stderr;
    }
  };
  const list = 'const a: i32[] = [1, 2]; let s = n;';
  const body = (code: string): string => `export function f(n: i32): i32 { ${code} }`;
  /** Beside what the compiler refuses, what the page says to write instead. */
  test.each([
    ['of', body(`${list} for (const x of a) s += x; return s;`), 'Iterators'],
    ['spread', body(`${list} const b = [...a]; return b[0];`), 'Spread'],
    ['destructuring', body(`${list} const [x] = a; return x;`), 'Identifier expected'],
    ['closure', body(`${list} return a.map<i32>((x) => x + n)[0];`), 'Closures'],
    ['any', body('const a: any = n; return 1;'), "Cannot find name 'any'"],
    ['union', 'export function f(n: string | i32): i32 { return 1; }', 'union types'],
    ['undefined', 'export function f(n: string | null): bool { return n == undefined; }', 'name'],
    ['literal', body('const a = { x: n }; return a.x;'), '<object>'],
    ['json', body("return JSON.parse('1');"), "Cannot find name 'JSON'"],
    ['regexp', 'export function f(n: string): bool { return /a/.test(n); }', 'Regular expressions'],
    ['async', 'export async function f(): Promise<i32> { return 1; }', 'expected'],
    ['chain', 'export function f(n: string | null): i32 { return n?.length; }', 'expected'],
    ['default', "export function f(n: string | null): string { return n ?? ''; }", 'expected'],
    ['try', body('try { return n; } catch (e) { return 2; }'), 'Exceptions'],
    ['keys', 'export function f(m: Map<i32, i32>): void { m.keys().next(); }', "'next'"],
    [
      'leave',
      'class A { x: i32 = 1; constructor(y: i32) { if (y > 1) return; this.x = y; } }' +
        body('return new A(n).x;'),
      "'void' is not assignable",
    ],
  ])('%s is refused', (name, source, said) => {
    expect(compile(name, source)).toContain(said);
  });

  test('what the page says instead is taken, and does what it says', () => {
    const source = `class A { x: i32 = 1; constructor(y: i32) { if (y <= 1) this.x = y; } }
      export function index(n: i32): i32 {
        ${list}
        for (let i = 0; i < a.length; i++) s += a[i];
        return s + a.map<i32>((x) => x + 1)[0] + new A(n).x;
      }
      export function same(n: i32): i32 {
        const a = \`x\${n}\`, b = \`x\${n}\`;
        return i32(a === b) * 10 + i32(new A(n) === new A(n));
      }
      export function keys(n: i32): i32 {
        const m = new Map<i32, i32>(), s = new Set<i32>();
        m.set(n, n), s.add(n);
        return m.keys().length + s.values().length;
      }
      export function missing(n: i32): i32 { return new Map<i32, i32>().get(n); }
      export function half(n: i32): i32 { return n / 2; }
      export function next(n: i32): i32 { return n + 1; }
      export function thrown(n: i32): i32 { if (n > 1) throw new Error('lost'); return n; }`;
    expect(compile('taken', source)).toBe('');
    const module = readFileSync(join(place.directory, 'taken.wasm'));
    const { exports } = new engine.Instance(new engine.Module(module), {});
    const call = exports as unknown as Record<string, (n: number) => number>;
    expect(call.index!(5)).toBe(5 + 3 + 2 + 1);
    expect(call.same!(5)).toBe(10);
    expect(call.keys!(5)).toBe(2);
    expect(call.half!(7)).toBe(3);
    expect(call.next!(2 ** 31 - 1)).toBe(-(2 ** 31));
    expect(call.thrown!(1)).toBe(1);
    for (const name of ['thrown', 'missing'])
      expect(() => call[name]!(5), name).toThrow(/^unreachable$/);
  });
});
