// Goal: a program that breaks a law is refuted, by a small example that breaks it indeed; one that
// keeps the laws is not; nothing untested counts as tested.
// Method: programs whose combine is known, assembled by hand, through the real command and sandbox;
// each example is computed again here; shrinking and sampling by property, without a sandbox.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { codeEntry } from '../../node/cli/codes.ts';
import { programCheck } from '../../node/cli/commands/program-check.ts';
import { type ChildPool, createExecutor } from '../../node/executor/pool.ts';
import { openGround } from '../../node/kit/ground.ts';
import { checkLaws } from '../../node/laws/check.ts';
import {
  agrees,
  associates,
  commutes,
  drawnTree,
  formula,
  lawNames,
  leftTree,
  planOf,
  withoutOperand,
} from '../../node/laws/law.ts';
import type { Origin } from '../../node/laws/origin.ts';
import { readLawReport } from '../../node/laws/report.ts';
import { drawStatement, madeItems, sampleSeeds, seededStream } from '../../node/laws/sampling.ts';
import { shrink, smallerStatements } from '../../node/laws/shrink.ts';
import { type Items, noItems } from '../../node/laws/subject.ts';
import { lawCode, reportDocument } from '../../node/laws/words.ts';
import { nameBlob } from '../../node/storage/naming.ts';
import { isPlan } from '../../protocol/execution/evaluate.ts';
import { formatCid } from '../../protocol/merkle/cid.ts';
import { op, program } from '../fixtures/programs/assemble.ts';
import {
  type CombineName,
  combines,
  eightByteProgram,
  griddedFloatSum,
  sampledProgram,
} from '../fixtures/programs/lawless.ts';
import { runWords } from '../support/command-line.ts';
import { lawSubject } from '../support/law-subject.ts';

const directory = mkdtempSync(join(tmpdir(), 'anwansi-kit-'));
afterAll(() => rmSync(directory, { recursive: true }));

let fileCount = 0;
function fileOf(bytes: Uint8Array, ending = 'wasm'): string {
  const path = join(directory, `file-${fileCount++}.${ending}`);
  writeFileSync(path, bytes);
  return path;
}

async function check(bytes: Uint8Array, ...options: string[]) {
  const words = ['program', 'check', fileOf(bytes), '--seed', '7', ...options, '--json'];
  const { exitCode, err, document } = await runWords([programCheck], words, { directory });
  return { exitCode, err, report: document.data, errors: document.errors };
}

let pool: ChildPool;
beforeAll(async () => {
  pool = await createExecutor({ readable: [directory] });
});
afterAll(() => pool.close());

/** The same without a process of its own for each program. */
async function checked(bytes: Uint8Array, items: Items = noItems, runs = 1_000) {
  const made = await checkLaws(lawSubject(bytes, directory, pool), items, { runs, seed: '7' });
  // biome-ignore lint/suspicious/noExplicitAny: a document, as a reader of JSON has it
  return JSON.parse(JSON.stringify(reportDocument(made, () => null, ''))) as any;
}

type Example = {
  readonly law: string;
  readonly operands: readonly { readonly value: { readonly hex: string } }[];
  readonly left: { readonly formula: string; readonly value: { readonly hex?: string } };
  readonly right: { readonly formula: string; readonly value: { readonly hex?: string } };
};

/** The float that an example says a side comes to, and what its formula comes to here. */
function floatSides({ operands, left, right }: Example) {
  const float = (text: string): number => Buffer.from(text, 'hex').readDoubleLE();
  const values = operands.map(({ value }) => float(value.hex));
  const sum = (text: string): number =>
    new Function(...'abcdefgh'.slice(0, values.length), `return ${text}`)(...values);
  return [left, right].map(({ formula: text, value }) => [float(value.hex!), sum(text)]);
}

describe('a check', () => {
  test.each(Object.entries(combines))('on a combine that is: %s', async (name, { breaks }) => {
    const runs = breaks === null ? 100 : 1_000;
    const report = await checked(eightByteProgram(name as CombineName), noItems, runs);
    if (breaks === null) {
      expect(report).toMatchObject({ verdict: 'none-found', counterexample: null });
      const tried = Object.values<number>(report.tried).reduce((sum, count) => sum + count, 0);
      expect(tried + report.one_sided).toBe(runs);
      expect(report.one_sided > 0).toBe(name.includes('trap'));
      return;
    }
    expect(report.verdict).toBe('refuted');
    expect(breaks).toContain(report.counterexample.law);
    // Nothing breaks a law with fewer, and no operand has more than the eight bytes of an item.
    const most = report.counterexample.law === 'commutative' ? 2 : 3;
    expect(report.counterexample.operands).toHaveLength(most);
    expect(report.counterexample.left.value).not.toEqual(report.counterexample.right.value);
  });

  test('a float sum is refuted on a grid where any two are exact, by an example that adds up', async () => {
    const report = await checked(griddedFloatSum(), { ...noItems, count: 500 });
    expect(report.verdict).toBe('refuted');
    expect(report.counterexample.law).toBe('associative');
    const [left, right] = floatSides(report.counterexample);
    expect(left![0]).toBe(left![1]);
    expect(right![0]).toBe(right![1]);
    expect(left![0]).not.toBe(right![0]);
    // The trap: no two items alone show it, only what they come to together.
    const { operands } = report.counterexample;
    expect(operands.map(({ origin }: { origin: string }) => origin).join()).toMatch(
      /fold of|combined with itself/,
    );
  });

  test('a float sum is refuted on samples alone, whatever its map does', async () => {
    const refuting = sampledProgram('float sum');
    const report = await checked(refuting);
    expect(report.verdict).toBe('refuted');
    expect(report.pool).toMatchObject({ items: 0, made: 0 });
    expect(report.pool.samples).toBeGreaterThan(50);
    const lawful = await checked(sampledProgram('sum'), noItems, 100);
    expect(lawful).toMatchObject({ verdict: 'none-found', refused_items: 96 });
  });
});

describe('the command', () => {
  test('says the same again from the same seed, in words with a remedy', async () => {
    const file = fileOf(eightByteProgram('average'));
    const input = fileOf(
      Uint8Array.from({ length: 80 }, (_, at) => (at * 37) % 256),
      'data',
    );
    const words = ['program', 'check', file, '--seed', '3', '--input', input, '--runs', '200'];
    const first = await runWords([programCheck], words, { directory });
    const again = await runWords([programCheck], words, { directory });
    expect(again.out).toBe(first.out);
    expect(first.exitCode).toBe(4);
    expect(first.out).toMatch(/^ {2}\(a \+ b\) \+ c$/m);
    expect(first.out).toContain('carry a sum and a count');
    expect(first.out).toContain(`again: anwansi program check ${file} --seed 3 --runs 200`);
    expect(first.out).toMatch(/^REFUTED: associative \(LAW_ASSOCIATIVE\), seed 3, 200 runs$/m);
    expect(first.out).not.toContain('no counterexample');
  });

  test('names its report, and writes it where it is told to', async () => {
    const target = join(directory, 'sum.law');
    const words = ['program', 'check', fileOf(eightByteProgram('sum')), '--runs', '20'];
    const seeded = [...words, '--seed', '5', '--report', target];
    const { out, exitCode } = await runWords([programCheck], seeded, { directory });
    expect(exitCode).toBe(0);
    const bytes = new Uint8Array(readFileSync(target));
    const [, name] = /^report (b[a-z2-7]{58})$/m.exec(out)!;
    expect(formatCid(nameBlob(bytes).cid)).toBe(name);
    expect(readLawReport(bytes)).toMatchObject({ seed: '5', runs: 20, verdict: 'none-found' });
    const told = await runWords([programCheck], [...words, '--seed', '5', '--json'], { directory });
    expect(told.document.data.report).toBe(name);
    const bad = [...words, '--report', join(directory, 'no', 'where')];
    expect((await runWords([programCheck], bad, { directory })).exitCode).toBe(2);
    const long = [...words, '--seed', 'a'.repeat(200)];
    expect((await runWords([programCheck], long, { directory })).exitCode).toBe(2);
  });

  test('cannot tell where nothing could be combined, or this machine could not run it', async () => {
    const never = await check(program({ anw_map: op.unreachable }));
    expect(never).toMatchObject({
      exitCode: 5,
      report: { verdict: 'untested', refused_items: 96 },
    });
    const { out } = await runWords(
      [programCheck],
      ['program', 'check', fileOf(program({ anw_map: op.unreachable }))],
      { directory },
    );
    expect(out).toMatch(/^CANNOT TELL: .*LAWS_UNTESTED/m);
  });

  test('gives up on a program that hangs, instead of hanging with it', async () => {
    const cleanUps: (() => unknown)[] = [];
    const place = {
      signal: new AbortController().signal,
      resolvePath: (path: string) => path,
      onExit: (cleanUp: () => unknown) => void cleanUps.unshift(cleanUp),
    };
    const file = fileOf(program({ anw_combine: [...op.loopForever, ...op.unreachable] }));
    const ground = await openGround(place, file, '');
    const options = { runs: 1_000, seed: '1' };
    const executor = await createExecutor({ readable: [ground.scratch], guard: () => 100 });
    cleanUps.unshift(() => executor.close());
    const { report, blob, notTried } = await checkLaws({ ...ground, executor }, noItems, options);
    for (const cleanUp of cleanUps) await cleanUp();
    expect(report).toMatchObject({ verdict: 'untested', example: null });
    expect(notTried.join()).toContain('this machine cannot run it (timeout');
    expect(blob).toBeNull();
  });

  test('refuses what `run` refuses', async () => {
    expect((await check(griddedFloatSum(), '--input', fileOf(Uint8Array.of(1)))).exitCode).toBe(2);
    expect((await check(program(), '--params', '{')).exitCode).toBe(2);
    expect((await check(program(), '--input', join(directory, 'none'))).exitCode).toBe(3);
    expect((await check(Uint8Array.of(1, 2))).exitCode).toBe(8);
  });

  test('each law has its row in the catalogue', () => {
    for (const law of lawNames) expect(codeEntry(lawCode(law)), law).toMatchObject({ exitCode: 4 });
    expect(codeEntry('LAWS_UNTESTED')).toMatchObject({ exitCode: 5 });
    expect(codeEntry('LAW_NONE')).toBeUndefined();
  });
});

describe('drawing', () => {
  const seeds = fc.string();

  test('trees map each place once and fold to one; a place less is still a tree', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 40 }), seeds, (count, seed) => {
        const draw = seededStream(seed, 'test');
        expect(isPlan(planOf(drawnTree(count, draw)), count)).toBe(true);
        expect(isPlan(planOf(leftTree(count)), count)).toBe(true);
        const operands = Array.from(
          { length: count },
          (_, index): Origin => ({ kind: 'item', index }),
        );
        const smaller = withoutOperand(agrees('order', operands, draw), draw.below(count));
        if (smaller === null) return;
        expect(smaller.operands).toHaveLength(count - 1);
        for (const tree of [smaller.left, smaller.right])
          expect(isPlan(planOf(tree), count - 1)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test('covers extremes and magnitudes, by the rule of cutting', () => {
    const draw = seededStream('1', 'test');
    const fixed = madeItems({ kind: 'fixed', bytes: 8 }, [], 200, draw);
    const floats = fixed.map((item) =>
      new DataView(item.buffer, item.byteOffset).getFloat64(0, true),
    );
    const exponents = new Set(floats.map((float) => Math.round(Math.log10(Math.abs(float)) / 8)));
    expect(exponents.size).toBeGreaterThan(12);
    expect(fixed.every(({ length }) => length === 8)).toBe(true);
    expect(
      madeItems({ kind: 'fixed', bytes: 3 }, [], 9, draw).every((item) => item.length === 3),
    ).toBe(true);
    const own = [Uint8Array.from(Buffer.from('temperature,12,north\n'))];
    const texts = madeItems({ kind: 'lines' }, own, 200, draw).map((item) =>
      Buffer.from(item).toString(),
    );
    expect(texts.filter((text) => /,.*,north/.test(text)).length).toBeGreaterThan(40);
    expect(texts.filter((text) => /1e308|5e-324|9223372036854775807/.test(text))).not.toEqual([]);
    expect(texts.every((text) => text.length > 0)).toBe(true);
    expect(sampleSeeds(50, draw).every(({ length }) => length === 32)).toBe(true);
    expect(new Set(sampleSeeds(50, draw).map(String)).size).toBeGreaterThan(45);
  });

  test('every law has its share of the runs, and small groups are not crowded out', () => {
    const draw = seededStream('2', 'test');
    const many = Array.from({ length: 500 }, (_, index): Origin => ({ kind: 'item', index }));
    const pool: Origin[][] = [many, [{ kind: 'sample', seed: new Uint8Array(32) }]];
    const drawn = Array.from({ length: 1_000 }, (_, run) => drawStatement(run, pool, draw));
    const share = (law: string): number => drawn.filter((one) => one.law === law).length;
    expect(['commutative', 'associative', 'identity', 'canonical'].map(share)).toEqual([
      300, 400, 100, 200,
    ]);
    const rare = drawn.filter(({ operands }) => operands.some(({ kind }) => kind === 'sample'));
    expect(rare.length).toBeGreaterThan(500);
  });
});

describe('shrinking', () => {
  test('ends, and at something that is broken and has nothing smaller that is', async () => {
    const cut = { kind: 'lines' } as const;
    const made = (text: string): Origin => ({ kind: 'made', bytes: Buffer.from(text) });
    const weight = (origin: Origin): number => {
      if (origin.kind === 'fold') return Math.max(...origin.parts.map(weight));
      if (origin.kind === 'doubled') return weight(origin.part);
      return origin.kind === 'made'
        ? Math.max(...String(Buffer.from(origin.bytes)).split(/\D+/).map(Number))
        : 0;
    };
    const statement = associates(
      { kind: 'fold', parts: [made('5\n1234\n'), made('77\n8\n'), made('1\n')] },
      { kind: 'doubled', part: made('12,99,3\n'), times: 9 },
      made('x\n'),
    );
    const isBroken = async (one: typeof statement): Promise<boolean> =>
      Math.max(...one.operands.map(weight)) >= 100;
    const smaller = (one: typeof statement) => smallerStatements(one, cut, () => null);
    const least = await shrink(statement, smaller, isBroken);
    expect(await isBroken(least)).toBe(true);
    for (const one of smaller(least)) expect(await isBroken(one)).toBe(false);
    const [number] = least.operands.filter((origin) => weight(origin) >= 100);
    expect(number).toMatchObject({ kind: 'made' });
    expect(String(Buffer.from((number as { bytes: Uint8Array }).bytes))).toMatch(/^\d{3}$/);
    expect(await shrink(least, smaller, async () => false)).toBe(least);
    // Where only likeness breaks it, both become simpler together.
    const alike = commutes(made('abcdef ghijk\n'), made('abcdxf ghijk\n'));
    const bytes = (origin: Origin) => (origin.kind === 'made' ? origin.bytes : new Uint8Array(0));
    const twins = await shrink(alike, smaller, async ({ operands: [a, b] }) => {
      const [one, other] = [bytes(a!), bytes(b!)];
      return one.length === other.length && Buffer.compare(one, other) !== 0;
    });
    expect(twins.operands.map((origin) => bytes(origin).length)).toEqual([1, 1]);
  });

  test('formulas name operands', () => {
    expect(
      formula([
        [0, 1],
        [2, 30],
      ]),
    ).toBe('(a + b) + (c + e1)');
  });
});
