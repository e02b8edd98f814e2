// Goal: a seat looks at each program once, beside its lanes and never in their way; what it finds
// is kept, told and acted on, and refuses nobody whom it does not concern; what it cannot find out
// holds up nothing, least of all a stop.
// Method: real children and blobs, a store in memory; stubs where calls are counted or never end.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { startDuties } from '../../node/duties.ts';
import { quickRunCount } from '../../node/laws/check.ts';
import { grantMin } from '../../node/laws/ration.ts';
import { readLawReport } from '../../node/laws/report.ts';
import type { Executor } from '../../node/ports.ts';
import { openMemoryStore } from '../../node/storage/memory.ts';
import { formatCid } from '../../protocol/merkle/cid.ts';
import type { LaneOutcome } from '../../protocol/replica/input.ts';
import { op, program } from '../fixtures/programs/assemble.ts';
import { type CombineName, eightByteProgram } from '../fixtures/programs/lawless.ts';
import { aborted, inspected, inspectionScene, pause, toldOf } from '../support/inspections.ts';
import { linesElsewhere } from '../support/line-shares.ts';
import { reachEveryLine } from '../support/lines.ts';

reachEveryLine(
  'laws',
  linesElsewhere('laws', [
    [8, 10],
    [12, 12],
    [15, 15],
    [17, 17],
  ]),
);

const { directory, blobs, pool, dutyOf, open } = inspectionScene();

describe('a program that a seat meets', () => {
  test('is refused once it is refuted, in the lane at hand too; its report can be read', async () => {
    const { inspections, told } = await open({ besideMs: 0 });
    const duty = await dutyOf(eightByteProgram('float sum'));
    const { job } = duty.signed;
    const cid = job.program;
    expect(inspections.word(job)).toBeNull();
    const first = inspections.meet(duty);
    expect(first.lawless.aborted).toBe(false);
    await aborted(first.lawless);
    expect(inspections.meet(duty).lawless.aborted).toBe(true);
    const word = inspections.word(job)!;
    expect(word).toMatchObject({ verdict: 'refuted', grant: grantMin });
    const report = readLawReport((await blobs().read(word.report))!)!;
    expect(report).toMatchObject({ program: cid, verdict: 'refuted', runs: quickRunCount });
    expect(report.input).toMatchObject({ kind: 'list', places: [0, 1, 2] });
    expect(report.seed).toMatch(/^[0-9a-f]{32}$/);
    await toldOf(told, 1);
    expect(told).toMatchObject([
      { kind: 'law', verdict: 'refuted', program: formatCid(cid as never) },
    ]);
    expect(told[0]!.report).toBe(formatCid(word.report as never));
    await inspections.stop();
    expect(existsSync(join(directory, 'laws'))).toBe(false);
  });

  test.each(['sum', 'largest'] satisfies CombineName[])(
    'is run on where it is honest: %s',
    async (name) => {
      const { inspections, told } = await open();
      const duty = await dutyOf(eightByteProgram(name));
      const meeting = inspections.meet(duty);
      expect(await inspected(inspections, told, duty)).toMatchObject({
        verdict: 'none-found',
        law: null,
      });
      expect(meeting.lawless.aborted).toBe(false);
      // Each check has a seed of its own that nobody could foresee.
      const other = await open();
      const again = await inspected(other.inspections, other.told, duty);
      expect(again!.report).not.toEqual(inspections.word(duty.signed.job)!.report);
      await Promise.all([inspections.stop(), other.inspections.stop()]);
    },
  );

  test('is not looked at again, also after a restart', async () => {
    const store = openMemoryStore();
    const duties = [await dutyOf(eightByteProgram('first')), await dutyOf(eightByteProgram('sum'))];
    const { inspections, told } = await open({ store });
    const words: unknown[] = [];
    for (const duty of duties) words.push(await inspected(inspections, told, duty));
    await inspections.stop();
    const never = new Proxy({} as Executor, { get: () => expect.fail('it was looked at') });
    const later = await open({ store, executor: never, besideMs: 0 });
    for (const [at, duty] of duties.entries()) {
      const meeting = later.inspections.meet(duty);
      expect(meeting.lawless.aborted).toBe(at === 0);
      meeting.leave();
      expect(later.inspections.word(duty.signed.job)).toEqual(words[at]);
    }
    await later.inspections.stop();
    expect(later.told).toEqual([]);
    // What a crash, or other rules, left behind is nothing known.
    const [key] = (await store.range('law', {}))[0]!;
    await store.batch([{ bucket: 'law', key, value: Uint8Array.of(1) }], { durable: true });
    const spoiled = await open({ store });
    const known = duties.filter(({ signed }) => spoiled.inspections.word(signed.job));
    expect(known).toHaveLength(1);
    expect(await store.range('law', {})).toHaveLength(1);
    await spoiled.inspections.stop();
  });

  test('leaves the machine to its lane for a while', async () => {
    let calls = 0;
    const counting = {
      ...pool(),
      runSubtask: (...asked) => {
        calls += 1;
        return pool().runSubtask(...asked);
      },
    } satisfies Executor;
    const { inspections, told } = await open({ executor: counting, besideMs: 3_600_000 });
    const duty = await dutyOf(eightByteProgram('largest', { kind: 'fixed', bytes: 24 }));
    const [one, other] = [inspections.meet(duty), inspections.meet(duty)];
    for (let turn = 0; turn < 20; turn++) await pause();
    expect(calls).toBe(0);
    other.leave();
    await toldOf(told, 1);
    expect(calls).toBeGreaterThan(20);
    one.leave();
    await inspections.stop();
    expect(told).toHaveLength(1);
  });

  test('whose laws cannot be tested is tried again when its lanes used four times as much', async () => {
    const { inspections, told } = await open();
    const bytes = program({ anw_map: op.unreachable });
    const duty = await dutyOf(bytes, { parameters: '1' });
    const tryOn = async (fuel: bigint) => {
      const meeting = inspections.meet(duty);
      meeting.spent(fuel);
      meeting.leave();
      for (let turn = 0; turn < 20; turn++) await pause();
    };
    expect(await inspected(inspections, told, duty)).toMatchObject({
      ...{ verdict: 'untested', grant: grantMin },
    });
    await tryOn(8n * grantMin);
    await tryOn(32n * grantMin - 8n);
    expect(told).toHaveLength(1);
    await tryOn(32n * grantMin);
    await toldOf(told, 2);
    expect(inspections.word(duty.signed.job)).toMatchObject({ grant: 4n * grantMin });
    await tryOn(2n ** 60n);
    expect(told).toHaveLength(2);
    // Other parameters are another program.
    const other = await dutyOf(bytes, { parameters: '2' });
    expect(await inspected(inspections, told, other)).toMatchObject({ verdict: 'untested' });
    await inspections.stop();
  });

  test('that this machine cannot run is let be, and nothing is said of it', async () => {
    const broken: Executor = {
      ...pool(),
      runSubtask: async () => ({ kind: 'local', class: 'killed', reason: 'a stub' }),
    };
    const { inspections, told } = await open({ executor: broken });
    const duty = await dutyOf(eightByteProgram('float sum'));
    expect(await inspected(inspections, told, duty)).toBeNull();
    const again = inspections.meet(duty);
    again.spent(2n ** 60n);
    again.leave();
    for (let turn = 0; turn < 20; turn++) await pause();
    expect(told.map(({ verdict }) => verdict)).toEqual(['not-checked']);
    await inspections.stop();
    const gone = await open({ fetch: () => Promise.reject(new Error('nobody has it')) });
    expect(await inspected(gone.inspections, gone.told, duty)).toBeNull();
    expect(gone.told).toMatchObject([{ verdict: 'not-checked', text: 'nobody has it' }]);
    await gone.inspections.stop();
  });

  test('holds up no stop', async () => {
    let begun = (): void => undefined;
    const isBegun = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const endless: Executor = {
      ...pool(),
      runSubtask: async (_, signal) => {
        begun();
        await aborted(signal);
        return { kind: 'local', class: 'killed', reason: 'cancelled' };
      },
    };
    const { inspections, told } = await open({ executor: endless });
    inspections.meet(await dutyOf(eightByteProgram('float sum'))).leave();
    await isBegun;
    await inspections.stop();
    expect(told).toEqual([]);
    const hung = await open({
      fetch: async (_duty, _cid, _max, signal) => {
        await aborted(signal);
        throw signal.reason;
      },
    });
    hung.inspections.meet(await dutyOf(eightByteProgram('sum'))).leave();
    await pause();
    await hung.inspections.stop();
  });
});

describe('a lane of a refuted program', () => {
  const lawless: LaneOutcome = { kind: 'local', class: 'lawless' };

  /** Duties whose lanes wait for their program for ever, under an inspection by hand. */
  async function scene(refuted: AbortController, known: boolean) {
    const outcomes: LaneOutcome[] = [];
    const seen = { lanes: 0, left: 0 };
    if (known) refuted.abort();
    const duties = startDuties({
      lane: () => {
        seen.lanes += 1;
        const fetch = async (_cid: Uint8Array, _max: number, signal: AbortSignal) => {
          await aborted(signal);
          throw signal.reason;
        };
        return { fetch, blobs: blobs(), executor: pool() } as never;
      },
      finished: (_, outcome) => outcomes.push(outcome),
      failed: (reason) => expect.fail(String(reason)),
      inspections: {
        word: () => null,
        meet: () => ({
          ...{ lawless: refuted.signal, spent: () => undefined },
          leave: () => void (seen.left += 1),
        }),
        stop: async () => undefined,
      },
    });
    duties.execute(await dutyOf(eightByteProgram('first')));
    await pause();
    return { duties, outcomes, seen };
  }

  test('is not begun where that is known, and broken off where it comes out', async () => {
    const known = await scene(new AbortController(), true);
    expect(known).toMatchObject({ outcomes: [lawless], seen: { lanes: 0, left: 1 } });
    const refuted = new AbortController();
    const { duties, outcomes, seen } = await scene(refuted, false);
    expect(outcomes).toEqual([]);
    refuted.abort();
    while (outcomes.length === 0) await pause();
    expect(outcomes).toEqual([lawless]);
    expect(seen).toEqual({ lanes: 1, left: 1 });
    await Promise.all([duties.stop(), known.duties.stop()]);
  });

  test('that is let go says nothing', async () => {
    const { duties, outcomes, seen } = await scene(new AbortController(), false);
    await duties.stop();
    expect(outcomes).toEqual([]);
    expect(seen.left).toBe(1);
  });
});
