// Goal: a seat looks at each program once, beside its lanes and never in their way; what it finds
// is kept, told and acted on; what it cannot find out holds up nothing, least of all a stop.
// Method: real children and blobs, a store in memory; stubs where calls are counted or never end.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDuties } from '../../node/duties.ts';
import { type ChildPool, createExecutor } from '../../node/executor/pool.ts';
import {
  type InspectionParts,
  type Inspections,
  type LawEvent,
  openInspections,
} from '../../node/laws/inspection.ts';
import { keptProgramCountMax, keptWords } from '../../node/laws/kept.ts';
import { type LawReport, lawBlob, readLawReport } from '../../node/laws/report.ts';
import type { Executor, Store } from '../../node/ports.ts';
import { type Blobs, openBlobStore } from '../../node/storage/blobs.ts';
import { openMemoryStore } from '../../node/storage/memory.ts';
import { hash } from '../../protocol/crypto/hash.ts';
import { formatCid, rawCid } from '../../protocol/merkle/cid.ts';
import type { Duty } from '../../protocol/replica/effect.ts';
import type { LaneOutcome } from '../../protocol/replica/input.ts';
import { op, program } from '../fixtures/programs/assemble.ts';
import { type CombineName, eightByteProgram } from '../fixtures/programs/lawless.ts';
import { linesElsewhere } from '../support/line-shares.ts';
import { reachEveryLine } from '../support/lines.ts';

reachEveryLine('laws', linesElsewhere('laws', [[8, 12]]));

const directory = mkdtempSync(join(tmpdir(), 'anwansi-inspect-'));
let blobs: Blobs;
let pool: ChildPool;

beforeAll(async () => {
  blobs = await openBlobStore({ directory, quotaBytes: 10_000_000 });
  pool = await createExecutor({ readable: [directory], children: 1 });
});
afterAll(async () => {
  await pool.close();
  await blobs.close();
  rmSync(directory, { recursive: true });
});

/** Three floats, of which the order of summing is told. */
const floats = [0.1, 1e16, -1e16].map((value) => new Uint8Array(Float64Array.of(value).buffer));

/** A duty on a list of items, of which only what an inspection looks at. */
async function dutyOf(bytes: Uint8Array, parameters = ''): Promise<Duty> {
  const items = await Promise.all(floats.map((item) => blobs.put(item)));
  const list = await blobs.putList(items);
  const job = {
    ...{ program: await blobs.put(bytes), parameters: new TextEncoder().encode(parameters) },
    ...{ subtasks: 3, input: { kind: 'list', root: list.slice(4), items: items.length } },
  };
  const own = { key: 'k', job: hash('dev', 'job'), lane: 0, lanes: 1, wave: 0, seat: 0 };
  return { ...own, patienceMs: 60_000, signed: { job } } as never;
}

async function open(rest: Partial<InspectionParts> = {}) {
  const told: LawEvent[] = [];
  const inspections = await openInspections({
    ...{ store: openMemoryStore(), blobs, executor: pool, scratch: join(directory, 'laws') },
    ...{ fetch: async () => undefined, tell: (event) => told.push(event), ...rest },
  });
  return { inspections, told };
}

const aborted = (signal: AbortSignal): Promise<unknown> =>
  signal.aborted
    ? Promise.resolve()
    : new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function toldOf(told: readonly LawEvent[], count: number): Promise<readonly LawEvent[]> {
  while (told.length < count) await pause();
  return told;
}

/** The words that a program comes to after one lane. */
async function inspected(inspections: Inspections, told: readonly LawEvent[], duty: Duty) {
  const before = told.length;
  inspections.meet(duty).leave();
  await toldOf(told, before + 1);
  return inspections.word(duty.signed.job.program);
}

describe('a program that a seat meets', () => {
  test('is refused once it is refuted, in the lane at hand too; its report can be read', async () => {
    const { inspections, told } = await open({ besideMs: 0 });
    const duty = await dutyOf(eightByteProgram('float sum'));
    const { program: cid } = duty.signed.job;
    expect(inspections.word(cid)).toBeNull();
    const first = inspections.meet(duty);
    expect(first.lawless.aborted).toBe(false);
    await aborted(first.lawless);
    expect(inspections.meet(duty).lawless.aborted).toBe(true);
    const word = inspections.word(cid)!;
    expect(word).toMatchObject({ verdict: 'refuted', tries: 1 });
    const report = readLawReport((await blobs.read(word.report))!)!;
    expect(report).toMatchObject({ program: cid, verdict: 'refuted', runs: 200 });
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
      expect(again!.report).not.toEqual(inspections.word(duty.signed.job.program)!.report);
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
      expect(later.inspections.word(duty.signed.job.program)).toEqual(words[at]);
    }
    await later.inspections.stop();
    expect(later.told).toEqual([]);
    // What a crash, or other rules, left behind is nothing known.
    const [key] = (await store.range('law', {}))[0]!;
    await store.batch([{ bucket: 'law', key, value: Uint8Array.of(1) }], { durable: true });
    const spoiled = await open({ store });
    const known = duties.filter(({ signed }) => spoiled.inspections.word(signed.job.program));
    expect(known).toHaveLength(1);
    await spoiled.inspections.stop();
  });

  test('leaves the machine to its lane for a while', async () => {
    let calls = 0;
    const counting = {
      ...pool,
      runSubtask: (...asked) => {
        calls += 1;
        return pool.runSubtask(...asked);
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

  test('whose laws cannot be tested is tried on other parameters, a few times', async () => {
    const { inspections, told } = await open();
    const bytes = program({ anw_map: op.unreachable });
    for (let time = 1; time <= 4; time++)
      expect(await inspected(inspections, told, await dutyOf(bytes, `${time}`))).toMatchObject({
        ...{ verdict: 'untested', tries: time },
      });
    for (const parameters of ['4', '5']) inspections.meet(await dutyOf(bytes, parameters)).leave();
    for (let turn = 0; turn < 20; turn++) await pause();
    expect(told).toHaveLength(4);
    await inspections.stop();
  });

  test('that this machine cannot run is let be, and nothing is said of it', async () => {
    const broken: Executor = {
      ...pool,
      runSubtask: async () => ({ kind: 'local', class: 'killed', reason: 'a stub' }),
    };
    const { inspections, told } = await open({ executor: broken });
    const duty = await dutyOf(eightByteProgram('float sum'));
    for (let time = 0; time < 3; time++)
      expect(await inspected(inspections, told, duty)).toBeNull();
    inspections.meet(duty).leave();
    for (let turn = 0; turn < 20; turn++) await pause();
    expect(told.map(({ verdict }) => verdict)).toEqual(new Array(3).fill('not-checked'));
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
      ...pool,
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

test('verdicts are bounded in number, and refutations stay longest', async () => {
  const store: Store = openMemoryStore();
  const words = await keptWords(store, blobs);
  const none = new Uint8Array(32);
  const { inspections, told } = await open();
  const duty = await dutyOf(eightByteProgram('first'));
  const word = await inspected(inspections, told, duty);
  await inspections.stop();
  const refuted = readLawReport((await blobs.read(word!.report))!)!;
  const lawful: LawReport = { ...refuted, verdict: 'untested', example: null };
  const name = (at: number): Uint8Array => rawCid(hash('dev', at));
  await words.keep(name(0), none, refuted, lawBlob(refuted));
  for (let at = 1; at <= keptProgramCountMax + 2; at++)
    await words.keep(name(at), none, lawful, lawBlob(lawful));
  expect(await store.range('law', {})).toHaveLength(keptProgramCountMax);
  for (const kept of [words, await keptWords(store, blobs)]) {
    expect([0, 1, 2, 3, 4].map((at) => kept.get(name(at))?.verdict ?? null)).toEqual([
      ...['refuted', null, null, null, 'untested'],
    ]);
  }
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
        return { fetch, blobs, executor: pool } as never;
      },
      finished: (_, outcome) => outcomes.push(outcome),
      failed: (reason) => expect.fail(String(reason)),
      inspections: {
        word: () => null,
        meet: () => ({ lawless: refuted.signal, leave: () => void (seen.left += 1) }),
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
