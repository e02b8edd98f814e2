// Goal: a check has one report, whoever makes it and however busy the machine is; nothing that no
// check writes is taken for one; what is remembered saves a check and can do no more.
// Method: small programs in two pools of other sizes and orders; reports made up by property and
// bent field by field; a folder with files of all kinds.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nativeSha256 } from '../../node/crypto.ts';
import { type ChildPool, createExecutor } from '../../node/executor/pool.ts';
import { checkLaws, quickBounds } from '../../node/laws/check.ts';
import { drawnTree, lawNames } from '../../node/laws/law.ts';
import type { Origin } from '../../node/laws/origin.ts';
import {
  type CheckBounds,
  type LawReport,
  lawBlob,
  lawReportCodec,
  originNodes,
  poolGroups,
  readLawReport,
  refutesProgram,
  treeNodes,
  treeOf,
} from '../../node/laws/report.ts';
import { seededStream } from '../../node/laws/sampling.ts';
import { type Items, noItems, type Subject } from '../../node/laws/subject.ts';
import { describeOrigin } from '../../node/laws/words.ts';
import { nameBlob } from '../../node/storage/naming.ts';
import { rawCid } from '../../protocol/merkle/cid.ts';
import { op, program } from '../fixtures/programs/assemble.ts';
import {
  type CombineName,
  eightByteProgram,
  griddedFloatSum,
  sampledProgram,
} from '../fixtures/programs/lawless.ts';
import { floatItems, lawSubject } from '../support/law-subject.ts';
import { reachEveryLine } from '../support/lines.ts';

const beside = 'test/node/laws-inspection.test.ts';
const budget = 'test/node/laws-budget.test.ts';
reachEveryLine('laws', {
  ...{ T8: beside, T9: beside, T10: beside, T11: beside, T12: beside },
  ...{ T15: budget, T16: budget, T17: budget, T18: budget },
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

const subjectOf = (bytes: Uint8Array, executor: ChildPool, rest: Partial<Subject> = {}): Subject =>
  lawSubject(bytes, directory, executor, rest);

type Origins = Parameters<typeof describeOrigin>[0];

const itemsOf = (values: readonly number[]): Items => floatItems(values, directory);

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

  // Found by a newcomer: values too large to be kept are made as often as time has it.
  test('is the same where values are too large to be kept', async () => {
    const head = [...op.i32(8), ...op.get(2), 0x29, 0, 0, 0x37, 0, 0];
    const anw_map = [...head, ...op.i64((8n << 32n) | 70_000n)];
    const bytes = program({ anw_map }, [], { memory: [1, 8, 16] });
    const items = itemsOf([1, 2, 3, 4]);
    const alone = await cidOf(bytes, { items, rest: { callCountMax: 1 } });
    expect(await cidOf(bytes, { items })).toBe(alone);
    expect(await cidOf(bytes, { items, pool: 1 })).toBe(alone);
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
  });

  test('refutes by a failure on one side only where the job at hand comes to both', async () => {
    const asked = { runs: 200, seed: '3', bounds: small };
    const check = (name: CombineName, items: Items, warns = false) =>
      checkLaws(subjectOf(eightByteProgram(name), pools[0]!), items, { ...asked, warns });
    const traps = 'trap in one order';
    const none = await check(traps, noItems);
    expect(none.report).toMatchObject({ verdict: 'none-found', example: null });
    expect(none.report.oneSided).toBeGreaterThan(20);
    expect(none.warning).toBeNull();
    // An author is shown an example, and everybody comes to the same report.
    const warned = await check(traps, noItems, true);
    const sides = [warned.warning!.leftValue.kind, warned.warning!.rightValue.kind];
    expect(sides.sort()).toEqual(['failed', 'value']);
    expect(warned.blob).toEqual(none.blob);
    const items = itemsOf([1, 2, 3]);
    const own = await check(traps, items);
    expect(own.report).toMatchObject({ verdict: 'refuted', together: true });
    const nodes = own.report.example!.operands.flatMap(({ origin }) => origin);
    expect(nodes.every(({ kind }) => kind === 'item')).toBe(true);
    expect(refutesProgram(own.report)).toBe(false);
    // Items of which no seat combines one with another, and one item beside itself, tell nothing.
    for (const apart of [
      { ...items, together: false },
      { ...items, places: [1] },
    ])
      expect((await check(traps, apart)).report.verdict).toBe('none-found');
    // Bytes that differ do, on whatever values.
    for (const [name, some] of [
      ['float sum', noItems],
      ['float sum', items],
      ['float sum', { ...items, together: false }],
      ['first', noItems],
      ['saturating', { ...items, together: false }],
    ] as const) {
      const { report } = await check(name, some);
      expect(report.verdict, name).toBe('refuted');
      expect(refutesProgram(report)).toBe(true);
    }
    const sum = await check('sum that traps', items, true);
    expect(sum.report).toMatchObject({ verdict: 'none-found' });
    expect(sum.report.oneSided).toBeGreaterThan(0);
    expect(sum.warning!.operands.length).toBeLessThanOrEqual(3);
  });
});

const valueSide = (byte: number) => ({
  ...{ kind: 'value' as const, bytes: 1, hash: nativeSha256(Uint8Array.of(byte)) },
  head: Uint8Array.of(byte),
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
    const [one, another] = sides;
    const isOneSided = one.kind !== another.kind;
    const operands = Array.from({ length: count }, (_, index) => {
      const item: Origin = { kind: 'item', index };
      const other: Origin = isOneSided
        ? { kind: 'item', index: count + index }
        : { kind: 'made', bytes: new Uint8Array(600) };
      const origin = originNodes({ kind: 'fold', parts: [item, other] }, nativeSha256);
      return { origin, value: one };
    });
    const left = treeNodes(drawnTree(count, draw));
    const other = [...left.slice(0, -1).map((place) => (place === 0 ? 0 : count + 1 - place)), 0];
    const [a, b] = isOneSided ? [one, another] : [valueSide(1), valueSide(2)];
    const example = {
      ...{ law: 'order' as const, operands, left, right: other },
      ...{ leftValue: a!, rightValue: b! },
    };
    return {
      ...{
        version: 2,
        program: rawCid(nativeSha256(Uint8Array.of(count))),
        rewriter: 1,
        costTable: 1,
      },
      ...{ parameters: nativeSha256(Uint8Array.of()), bounds: quickBounds, ...rest },
      seed: seed.isWellFormed() ? seed : 'seed',
      input: { kind: 'generated', places: places.sort((a, b) => a - b) },
      verdict: refuted ? 'refuted' : 'none-found',
      example: refuted ? example : null,
      ...{ failedAlike: 1, oneSided: 5, dear: 2, refusedItems: 3, fuel: 4n, together: true },
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
        const isOneSided = leftValue.kind !== example.rightValue.kind;
        expect(refutesProgram(report)).toBe(!isOneSided);
        expect(describeOrigin(first!.origin)).toMatch(
          isOneSided ? /^fold of \(map of item 0, map of item/ : /^fold of .*, map of 600 bytes/,
        );
        const origins = (change: (nodes: Origins) => Origins) =>
          bend({
            example: {
              ...example,
              operands: [{ ...first!, origin: change(first!.origin) }, ...operands.slice(1)],
            },
          });
        const sound = isOneSided ? null : report;
        // Of items that are not folded together, of one twice, or of anything else.
        expect(bend({ together: false }) === null).toBe(isOneSided);
        const twice = origins((nodes) => [nodes[0]!, nodes[0]!, nodes[2]!]);
        const foreign = origins((nodes) => [nodes[0]!, { kind: 'empty' }, nodes[2]!]);
        for (const other of [twice, foreign]) expect(other === null).toBe(sound === null);
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
