// Goal: a check has one report, whoever makes it and however busy the machine is; nothing that no
// check writes is taken for one; what is remembered saves a check and can do no more.
// Method: small programs in two pools of other sizes and orders; reports made up by property and
// bent field by field; a folder with files of all kinds.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nativeSha256 } from '../../node/crypto.ts';
import { type ChildPool, createExecutor } from '../../node/executor/pool.ts';
import { checkLaws, quickBounds } from '../../node/laws/check.ts';
import { drawnTree, lawNames } from '../../node/laws/law.ts';
import { rememberedIn } from '../../node/laws/remembered.ts';
import {
  type CheckBounds,
  type LawReport,
  lawBlob,
  lawReportCodec,
  originNodes,
  poolGroups,
  readLawReport,
  treeNodes,
  treeOf,
} from '../../node/laws/report.ts';
import { seededStream } from '../../node/laws/sampling.ts';
import { type Items, noItems, type Subject } from '../../node/laws/subject.ts';
import { describeOrigin } from '../../node/laws/words.ts';
import { nameBlob, nameText } from '../../node/storage/naming.ts';
import { rawCid } from '../../protocol/merkle/cid.ts';
import { op, program } from '../fixtures/programs/assemble.ts';
import {
  type CombineName,
  eightByteProgram,
  griddedFloatSum,
  sampledProgram,
} from '../fixtures/programs/lawless.ts';
import { lawSubject } from '../support/law-subject.ts';
import { reachEveryLine } from '../support/lines.ts';

const beside = 'test/node/laws-inspection.test.ts';
reachEveryLine('laws', {
  ...{ T8: beside, T9: beside, T10: beside, T11: beside, T12: beside },
});

const directory = mkdtempSync(join(tmpdir(), 'anwansi-laws-'));
let pools: ChildPool[] = [];

beforeAll(async () => {
  pools = await Promise.all(
    [1, 2].map((children) => createExecutor({ readable: [directory], children })),
  );
});
afterAll(async () => {
  await Promise.all(pools.map((pool) => pool.close()));
  rmSync(directory, { recursive: true });
});

let folderCount = 0;

const subjectOf = (bytes: Uint8Array, executor: ChildPool, rest: Partial<Subject> = {}): Subject =>
  lawSubject(bytes, directory, executor, rest);

/** Eight bytes an item, in files of a folder. */
function itemsOf(values: readonly number[]): Items {
  const folder = join(directory, `items-${folderCount++}`);
  mkdirSync(folder);
  const bytes = values.map((value) => new Uint8Array(Float64Array.of(value).buffer));
  const pathOf = (index: number): string => join(folder, String(index));
  for (const [index, item] of bytes.entries()) writeFileSync(pathOf(index), item);
  return {
    count: values.length,
    source: (index) => ({ kind: 'file', path: pathOf(index) }),
    bytes: async (index) => bytes[index]!,
  };
}

const small: CheckBounds = { ...quickBounds, made: 8, samples: 8, folds: 8, doubled: 2 };
const runs = 48;
const generated: Items = { ...noItems, count: 500 };

async function cidOf(
  bytes: Uint8Array,
  { pool = 0, items = noItems, seed = '1', asked = runs, rest = {} }: Partial<Asked> = {},
): Promise<string> {
  const subject = subjectOf(bytes, pools[pool]!, rest);
  const { blob } = await checkLaws(subject, items, { runs: asked, seed, bounds: small });
  return Buffer.from(blob!.cid).toString('hex');
}

type Asked = {
  readonly pool: number;
  readonly items: Items;
  readonly seed: string;
  readonly asked: number;
  readonly rest: Partial<Subject>;
};

describe('a report', () => {
  test('is the same in any pool, order and company, and another one for anything else', async () => {
    const floats = itemsOf([0.5, 3, 1e9, 2]);
    const scenes = [
      [eightByteProgram('sum'), { items: floats }],
      [eightByteProgram('average'), { items: floats }],
      [griddedFloatSum(), { items: generated }],
      [sampledProgram('largest'), {}],
    ] as const;
    const first: string[] = [];
    for (const [bytes, asked] of scenes) first.push(await cidOf(bytes, asked));
    expect(new Set(first).size).toBe(scenes.length);
    // All at once, the last one first, among many children; then one call at a time.
    const together = await Promise.all(
      scenes.toReversed().map(([bytes, asked]) => cidOf(bytes, { ...asked, pool: 1 })),
    );
    expect(together.toReversed()).toEqual(first);
    const rest = { callCountMax: 1, turn: 'another' };
    expect(await cidOf(scenes[1]![0], { ...scenes[1]![1], rest })).toBe(first[1]);
    const [bytes] = scenes[0]!;
    const bent = [
      await cidOf(bytes, { items: floats, seed: '2' }),
      await cidOf(bytes, { items: floats, asked: runs + 1 }),
      await cidOf(bytes, { items: itemsOf([0.5, 3, 1e9, 2.5]) }),
      await cidOf(bytes, { items: { ...floats, places: [0, 1] } }),
      await cidOf(bytes, { items: floats, rest: { parameters: Uint8Array.of(123, 125) } }),
      await cidOf(eightByteProgram('sum', { kind: 'fixed', bytes: 16 }), { items: floats }),
    ];
    expect(new Set([...bent, ...first]).size).toBe(bent.length + first.length);
  });

  test('tells all of what was done, and its example', async () => {
    const subject = subjectOf(eightByteProgram('float sum'), pools[0]!);
    const items = itemsOf([1, 1e16, -1e16, 3]);
    const { report, blob } = await checkLaws(subject, items, { runs: 400, seed: 'x' });
    expect(readLawReport(blob!.bytes)).toEqual(report);
    expect(report).toMatchObject({
      program: nameBlob(subject.program.bytes).cid,
      input: { kind: 'list', places: [0, 1, 2, 3] },
      ...{ seed: 'x', runs: 400, verdict: 'refuted' },
    });
    expect(report.example!.operands.length).toBeLessThanOrEqual(3);
    expect(report.fuel).toBeGreaterThan(0n);
  });

  test('of a program that needs more fuel than is granted says nothing of its laws', async () => {
    const body = [...op.loopForever, ...op.unreachable];
    for (const bytes of [program({ anw_combine: body }), program({ anw_map: body })]) {
      const bounds = { ...small, callFuel: 2n ** 20n };
      const asked = { runs, seed: '1', bounds };
      const { report, blob } = await checkLaws(subjectOf(bytes, pools[0]!), noItems, asked);
      expect(report).toMatchObject({ verdict: 'untested', example: null });
      expect(report.tried.associative).toBe(0);
      expect(readLawReport(blob!.bytes)).toEqual(report);
    }
    // The same with an end: all of its fuel is spent on less than what was asked.
    const bounds = { ...small, fuel: 2n ** 21n };
    const subject = subjectOf(eightByteProgram('sum'), pools[0]!);
    const { report } = await checkLaws(subject, itemsOf([1, 2]), { runs, seed: '1', bounds });
    expect(report.verdict).toBe('untested');
    const plenty = await checkLaws(subject, itemsOf([1, 2]), { runs, seed: '1', bounds: small });
    expect(plenty.report.verdict).toBe('none-found');
    expect(plenty.report.fuel).toBeGreaterThan(bounds.fuel);
  });

  test('has no name where this machine broke off', async () => {
    const signal = AbortSignal.abort();
    const subject = subjectOf(eightByteProgram('first'), pools[0]!, { signal });
    const { report, blob } = await checkLaws(subject, itemsOf([1, 2]), { runs, seed: '1' });
    expect(report.verdict).toBe('untested');
    expect(blob).toBeNull();
  });

  test('costing more in one order breaks no law', async () => {
    // Which of two orders is dear depends on the first bytes: one way ends, the other takes long.
    const compare = [...op.get(0), 0x29, 0, 0, ...op.get(2), 0x29, 0, 0, 0x56, 0x04, 0x40];
    const dear = [...compare, ...op.loopForever, 0x0b];
    const kept = [...op.i32(8), ...op.i64(1n), 0x37, 0, 0, ...op.i64((8n << 32n) | 8n)];
    const bytes = program({ anw_combine: [...dear, ...kept] });
    const bounds = { ...small, callFuel: 2n ** 20n, fuel: 2n ** 26n };
    const items = itemsOf([1, 1]);
    const subject = subjectOf(bytes, pools[0]!);
    const { report } = await checkLaws(subject, items, { runs, seed: '3', bounds });
    expect(report.example).toBeNull();
    // A trap in its place is an outcome that orders differ in.
    const trap = program({ anw_combine: [...compare, ...op.unreachable, 0x0b, ...kept] });
    const refuted = await checkLaws(subjectOf(trap, pools[0]!), items, { runs, seed: '3', bounds });
    expect(refuted.report.verdict).toBe('refuted');
  });
});

/** Reports as checks write them. */
const side = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((value) => ({
    ...{ kind: 'value' as const, bytes: value.length },
    ...{ hash: nativeSha256(value), head: value.slice(0, 256) },
  })),
  fc.constantFrom('trap', 'too-deep').map((name) => ({
    kind: 'failed' as const,
    class: name as 'trap' | 'too-deep',
  })),
);
const counts = <W extends string>(words: readonly W[]) =>
  fc.tuple(...words.map(() => fc.nat(9_999))).map((numbers) => {
    const pairs = words.map((word, at) => [word, numbers[at]! + 1]);
    return Object.fromEntries(pairs) as Record<W, number>;
  });
const reports = fc
  .record({
    ...{ seed: fc.string({ maxLength: 40 }), runs: fc.nat(10_000), tried: counts(lawNames) },
    ...{
      pool: counts(poolGroups),
      count: fc.integer({ min: 2, max: 6 }),
      sides: fc.tuple(side, side),
    },
    ...{
      places: fc.uniqueArray(fc.nat(1_000), { minLength: 1, maxLength: 3 }),
      refuted: fc.boolean(),
    },
  })
  .map(({ count, sides, places, refuted, seed, ...rest }): LawReport => {
    const draw = seededStream(seed, 'reports');
    const operands = Array.from({ length: count }, (_, index) => ({
      origin: originNodes(
        {
          kind: 'fold',
          parts: [
            { kind: 'item', index },
            { kind: 'made', bytes: new Uint8Array(600) },
          ],
        },
        nativeSha256,
      ),
      value: sides[0],
    }));
    const left = treeNodes(drawnTree(count, draw));
    const other = [...left.slice(0, -1).map((place) => (place === 0 ? 0 : count + 1 - place)), 0];
    const [one] = sides;
    const example = {
      ...{ law: 'order' as const, operands, left, right: other, leftValue: one },
      rightValue:
        one.kind === 'failed'
          ? {
              kind: 'value' as const,
              bytes: 0,
              hash: nativeSha256(Uint8Array.of()),
              head: Uint8Array.of(),
            }
          : { kind: 'failed' as const, class: 'trap' as const },
    };
    return {
      ...{
        version: 1,
        program: rawCid(nativeSha256(Uint8Array.of(count))),
        rewriter: 1,
        costTable: 1,
      },
      ...{ parameters: nativeSha256(Uint8Array.of()), bounds: quickBounds, ...rest },
      seed: seed.isWellFormed() ? seed : 'seed',
      input: { kind: 'generated', places: places.sort((a, b) => a - b) },
      verdict: refuted ? 'refuted' : 'none-found',
      example: refuted ? example : null,
      ...{ failedAlike: 1, dear: 2, refusedItems: 3, fuel: 4n },
    };
  });

describe('reading a report', () => {
  test('gives back what was written, and takes nothing else for a report', () => {
    fc.assert(
      fc.property(reports, (report) => {
        const { bytes } = lawBlob(report);
        expect(readLawReport(bytes)).toEqual(report);
        const bend = (change: Partial<LawReport>): LawReport | null =>
          readLawReport(lawReportCodec.encode({ ...report, ...change }));
        const { example } = report;
        const other = report.verdict === 'refuted' ? 'none-found' : 'refuted';
        expect(bend({ verdict: other })).toBeNull();
        expect(bend({ program: new Uint8Array(36) })).toBeNull();
        expect(bend({ input: { kind: 'generated', places: [3, 3] } })).toBeNull();
        expect(bend({ input: { kind: 'generated', places: [1, 2, 3, 4] } })).toBeNull();
        expect(bend({ seed: `${report.seed}.` })).not.toBeNull();
        if (example === null) {
          expect(bend({ tried: { ...report.tried, associative: 0 } })).toBeNull();
          expect(bend({ verdict: 'untested' })).not.toBeNull();
          return;
        }
        const { left, right, leftValue, operands } = example;
        const [first] = operands;
        const bad = [
          { right: left },
          { rightValue: leftValue },
          { left: left.slice(1) },
          { right: right.with(0, 0) },
          { operands: [{ ...first!, origin: first!.origin.slice(1) }, ...operands.slice(1)] },
          { operands: [{ ...first!, origin: first!.origin.slice(0, -1) }, ...operands.slice(1)] },
        ];
        for (const change of bad) expect(bend({ example: { ...example, ...change } })).toBeNull();
        expect(treeNodes(treeOf(left))).toEqual(left);
        expect(describeOrigin(first!.origin)).toMatch(/^fold of \(map of item 0, map of 600 bytes/);
      }),
      { numRuns: 40 },
    );
  });

  test('never throws, and no flipped bit is the same report', () => {
    const [report] = fc.sample(reports, { numRuns: 1, seed: 7 });
    const { bytes } = lawBlob(report!);
    for (let bit = 0; bit < bytes.length * 8; bit += 5) {
      const flipped = bytes.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      const read = readLawReport(flipped);
      if (read !== null) expect(lawReportCodec.encode(read)).toEqual(flipped);
    }
    expect(readLawReport(bytes.slice(0, -1))).toBeNull();
    expect(readLawReport(Uint8Array.of())).toBeNull();
  });
});

describe('what is remembered', () => {
  const folder = (): string => join(directory, `remembered-${folderCount++}`);
  const check = async (name: CombineName) => {
    const subject = subjectOf(eightByteProgram(name), pools[0]!);
    const bounds = { ...small, shrunk: 40 };
    const { report, blob } = await checkLaws(subject, itemsOf([1, 2]), { runs, seed: '1', bounds });
    return { cid: nameBlob(subject.program.bytes).cid, report, blob: blob! };
  };

  test('is a verdict of this program, whatever else lies there', async () => {
    const [sum, first] = [await check('sum'), await check('first')];
    const place = folder();
    const remembered = rememberedIn(place);
    expect(await remembered.read(sum.cid)).toBeNull();
    await remembered.write(sum.cid, sum.blob);
    await remembered.write(first.cid, first.blob);
    expect(await remembered.read(sum.cid)).toEqual(sum.report);
    expect((await remembered.read(first.cid))?.verdict).toBe('refuted');
    const names = readdirSync(place);
    expect(names).toHaveLength(2);
    for (const spoiled of [Uint8Array.of(), Uint8Array.of(1, 2), sum.blob.bytes.slice(1)]) {
      for (const name of names) writeFileSync(join(place, name), spoiled);
      expect(await remembered.read(sum.cid)).toBeNull();
    }
    // A report of another program under this one's name, of other rules, or without a verdict.
    await remembered.write(sum.cid, first.blob);
    expect(await remembered.read(sum.cid)).toBeNull();
    await remembered.write(sum.cid, lawBlob({ ...sum.report, costTable: 77 }));
    expect(await remembered.read(sum.cid)).toBeNull();
    await remembered.write(sum.cid, lawBlob({ ...sum.report, verdict: 'untested' }));
    expect(await remembered.read(sum.cid)).toBeNull();
    await remembered.write(sum.cid, sum.blob);
    expect(await remembered.read(sum.cid)).toEqual(sum.report);
  });

  test('is bounded, and a folder that cannot be is no error', async () => {
    const { cid, blob } = await check('sum');
    const place = folder();
    mkdirSync(place);
    for (let at = 0; at < 1_030; at++) {
      const name = rawCid(nativeSha256(Uint8Array.of(at >> 8, at & 255)));
      writeFileSync(join(place, `${nameText(name)}.law`), '');
    }
    writeFileSync(join(place, 'notes.txt'), 'mine');
    await rememberedIn(place).write(cid, blob);
    expect(readdirSync(place)).toHaveLength(1_025);
    expect(readdirSync(place)).toContain('notes.txt');
    expect(await rememberedIn(place).read(cid)).not.toBeNull();
    const file = join(directory, 'a-file');
    writeFileSync(file, '');
    await rememberedIn(join(file, 'below')).write(cid, blob);
    expect(await rememberedIn(join(file, 'below')).read(cid)).toBeNull();
  });
});
