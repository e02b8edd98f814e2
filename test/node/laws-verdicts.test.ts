// Goal: a verdict refuses whom it concerns and nobody else; what is kept of verdicts is bounded.
// Method: programs that fail on some values, met with a stranger's parameters and items, and with
// one's own; reports of any number and size.
import { describe, expect, test } from 'vitest';
import { keptReportBytesMax, keptWordCountMax, keptWords } from '../../node/laws/kept.ts';
import { grantMin } from '../../node/laws/ration.ts';
import { type LawReport, lawBlob, readLawReport } from '../../node/laws/report.ts';
import type { Store } from '../../node/ports.ts';
import { openMemoryStore } from '../../node/storage/memory.ts';
import { hash } from '../../protocol/crypto/hash.ts';
import { rawCid } from '../../protocol/merkle/cid.ts';
import { eightByteProgram, shiftedTrappingSum } from '../fixtures/programs/lawless.ts';
import { aborted, inspected, inspectionScene, toldOf } from '../support/inspections.ts';
import { linesElsewhere } from '../support/line-shares.ts';
import { reachEveryLine } from '../support/lines.ts';

reachEveryLine(
  'laws',
  linesElsewhere('laws', [
    [10, 11],
    [14, 14],
  ]),
);

const { blobs, dutyOf, open } = inspectionScene();

describe('a program that fails on some values, and is lawful wherever it has one', () => {
  const whole = (...values: readonly bigint[]) =>
    values.map((value) => new Uint8Array(BigInt64Array.of(value).buffer));
  // Shifted by 56 bits, two of the first overflow, and all three do not.
  const [plain, shifted] = ['', '8'];
  const extreme = whole(64n, 64n, 192n);
  const bytes = shiftedTrappingSum();

  test('is refused for the items that show it, and for nobody else', async () => {
    const store = openMemoryStore();
    const { inspections, told } = await open({ besideMs: 0, store });
    const hostile = await dutyOf(bytes, { parameters: shifted, items: extreme });
    const { lawless } = inspections.meet(hostile);
    await aborted(lawless);
    await toldOf(told, 1);
    expect(told[0]!.text).toMatch(/^refuted: .*no other is refused$/);
    const word = inspections.word(hostile.signed.job)!;
    const { example } = readLawReport((await blobs().read(word.report))!)!;
    expect(example!.law).toMatch(/^(order|associative)$/);
    const kinds = [example!.leftValue.kind, example!.rightValue.kind].sort();
    expect(kinds).toEqual(['failed', 'value']);
    const origins = example!.operands.flatMap(({ origin }) => origin);
    expect(origins.map((node) => node.kind === 'item' && node.index).sort()).toEqual([0, 1, 2]);
    await inspections.stop();
    const later = await open({ store, besideMs: 3_600_000 });
    expect(later.inspections.meet(hostile).lawless.aborted).toBe(true);
    const none = { verdict: 'none-found' };
    const others = [
      await dutyOf(bytes, { parameters: plain, items: extreme }),
      await dutyOf(bytes, { parameters: shifted, items: whole(1n, 2n, 3n) }),
    ];
    for (const other of others) {
      expect(later.inspections.meet(other).lawless.aborted).toBe(false);
      expect(await inspected(later.inspections, later.told, other)).toMatchObject(none);
    }
    // What holds for these items goes on holding.
    expect(later.inspections.meet(hostile).lawless.aborted).toBe(true);
    await later.inspections.stop();
    // Where each item is a subtask, no seat combines two of them in another order than the others.
    const apart = await open();
    const single = await dutyOf(bytes, { parameters: shifted, items: extreme, subtasks: 3 });
    expect(await inspected(apart.inspections, apart.told, single)).toMatchObject(none);
    await apart.inspections.stop();
  });

  test('is not refuted by values made up, and its lanes beside a hostile one run on', async () => {
    const { inspections, told } = await open();
    const items = whole(1n, 2n, 3n);
    const honest = await dutyOf(bytes, { parameters: shifted, items });
    const hostile = await dutyOf(bytes, { parameters: shifted, items: extreme });
    const lanes = [hostile, honest].map((duty) => inspections.meet(duty));
    for (const lane of lanes) lane.leave();
    await toldOf(told, 1);
    expect(lanes.map(({ lawless }) => lawless.aborted)).toEqual([false, false]);
    const together = [hostile, honest].map((duty) => inspections.meet(duty));
    expect(together.map(({ lawless }) => lawless.aborted)).toEqual([true, false]);
    const plainWord = await inspected(inspections, told, await dutyOf(bytes, { items }));
    expect(plainWord).toMatchObject({ verdict: 'none-found' });
    await inspections.stop();
  });

  test.each([1, 3])(
    'while bytes that differ refute a program for all items: %s subtasks',
    async (subtasks) => {
      for (const name of ['float sum', 'first'] as const) {
        const { inspections, told } = await open();
        const met = await dutyOf(eightByteProgram(name), { subtasks });
        expect(await inspected(inspections, told, met)).toMatchObject({ verdict: 'refuted' });
        const [same, other] = [
          await dutyOf(eightByteProgram(name), { items: whole(1n, 2n) }),
          await dutyOf(eightByteProgram(name), { parameters: '{}' }),
        ];
        expect(inspections.meet(same!).lawless.aborted).toBe(true);
        expect(inspections.meet(other!).lawless.aborted).toBe(false);
        await inspections.stop();
      }
    },
  );
});

test('verdicts are bounded in number and bytes, and refutations stay longest', async () => {
  const store: Store = openMemoryStore();
  const words = await keptWords(store, blobs());
  const { inspections, told } = await open();
  const duty = await dutyOf(eightByteProgram('first'));
  const word = await inspected(inspections, told, duty);
  await inspections.stop();
  const refuted = readLawReport((await blobs().read(word!.report))!)!;
  const lawful: LawReport = { ...refuted, verdict: 'untested', example: null };
  const job = (at: number) => ({ ...duty.signed.job, program: rawCid(hash('dev', at)) });
  const keep = (at: number, report: LawReport) =>
    words.keep(job(at), report, lawBlob(report), grantMin);
  await keep(0, refuted);
  for (let at = 1; at <= keptWordCountMax + 2; at++) await keep(at, lawful);
  expect(await store.range('law', {})).toHaveLength(keptWordCountMax);
  for (const kept of [words, await keptWords(store, blobs())]) {
    expect([0, 1, 2, 3, 4].map((at) => kept.get(job(at))?.verdict ?? null)).toEqual([
      ...['refuted', null, null, null, 'untested'],
    ]);
  }
  // Reports as large as any: what they hold of the disk does not grow with their number.
  const large = { cid: lawBlob(lawful).cid, bytes: new Uint8Array(2 ** 20) };
  for (let at = 1_000; at < 1_040; at++) await words.keep(job(at), refuted, large, grantMin);
  const held = [...Array(1_040).keys()].filter((at) => words.get(job(at)) !== null);
  expect(held).toHaveLength(keptReportBytesMax / 2 ** 20);
});
