// Goal: what a seat's looks at programs cost is bounded by what lanes used and by time, however many
// jobs come; what does not fit goes unchecked, and nothing else suffers.
// Method: by property, with executors and clocks that are counted instead of run; what calls truly
// use by one real child.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { createExecutor } from '../../node/executor/pool.ts';
import { type Case, openCases, waitingCaseCountMax } from '../../node/laws/cases.ts';
import { checkLaws, quickBounds } from '../../node/laws/check.ts';
import { openInspections, timeParts } from '../../node/laws/inspection.ts';
import { grantedBounds, grantMax, grantMin, grantOf, rationed } from '../../node/laws/ration.ts';
import { noItems } from '../../node/laws/subject.ts';
import type { Executor } from '../../node/ports.ts';
import { openBlobStore } from '../../node/storage/blobs.ts';
import { openMemoryStore } from '../../node/storage/memory.ts';
import { hash } from '../../protocol/crypto/hash.ts';
import type { Duty } from '../../protocol/replica/effect.ts';
import { op, program } from '../fixtures/programs/assemble.ts';
import { eightByteProgram } from '../fixtures/programs/lawless.ts';
import { lawSubject } from '../support/law-subject.ts';
import { linesElsewhere } from '../support/line-shares.ts';
import { reachEveryLine } from '../support/lines.ts';

reachEveryLine('laws', linesElsewhere('laws', [[15, 18]]));

const directory = mkdtempSync(join(tmpdir(), 'anwansi-budget-'));
afterAll(() => rmSync(directory, { recursive: true }));

const never = new AbortController().signal;
const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const amounts = fc.bigInt({ min: 0n, max: 2n ** 50n });

describe('a grant', () => {
  test('is an eighth of what lanes used, between its bounds, and a check ends within half', () => {
    fc.assert(
      fc.property(amounts, amounts, (a, b) => {
        const [less, more] = a < b ? [a, b] : [b, a];
        expect(grantOf(less) <= grantOf(more)).toBe(true);
        for (const grant of [grantOf(a), grantOf(b)])
          expect(grant >= grantMin && grant <= grantMax).toBe(true);
        if (8n * grantMin <= a && a <= 8n * grantMax) expect(grantOf(a)).toBe(a / 8n);
        const { fuel, callFuel } = grantedBounds(grantOf(a));
        expect(2n * fuel <= grantOf(a) && callFuel < fuel).toBe(true);
      }),
    );
  });

  test('is never exceeded, whatever calls use and however they end', async () => {
    const ends = fc.record({
      ...{ limit: fc.bigInt({ min: 0n, max: 2n ** 26n }), share: fc.integer({ min: 0, max: 16 }) },
      end: fc.constantFrom('ok', 'failed', 'unknown', 'local'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(ends, { maxLength: 60 }), async (calls) => {
        let used = 0n;
        let next = 0;
        const fold: Executor['fold'] = async (_, __, { fold: limit }) => {
          const { share, end } = calls[next]!;
          const own = (limit * BigInt(share)) / 16n;
          used += own;
          const failed = { kind: 'failed', class: 'trap', reason: '', fuel: limit } as const;
          if (end === 'ok') return { kind: 'ok', value: Uint8Array.of(), wallMs: 0, fuel: own };
          if (end === 'failed') return { ...failed, used: own };
          return end === 'local' ? { kind: 'local', class: 'timeout', reason: '' } : failed;
        };
        const ration = rationed({ fold } as Executor, 2n ** 28n, () => 0);
        for (; next < calls.length; next++) {
          const { limit } = calls[next]!;
          const fuel = { combine: limit, fold: limit };
          const outcome = await ration.executor.fold('', [], fuel, never);
          expect(used <= ration.used() && ration.used() <= 2n ** 28n).toBe(true);
          if (ration.isUp() && outcome.kind === 'local') break;
        }
        const exact = calls.every(({ end }) => end === 'ok' || end === 'failed');
        if (exact) expect(ration.used()).toBe(used);
      }),
      { numRuns: 200 },
    );
  });

  test('counts of a trap what it used here, and no report tells of that', async () => {
    const executor = await createExecutor({ readable: [directory], children: 1 });
    const rounds = (count: number): number[] => [
      ...[0x03, 0x40, ...op.i32(0), ...op.i32(0), 0x28, 2, 0, ...op.i32(1), 0x6a, 0x36, 2, 0],
      ...[...op.i32(0), 0x28, 2, 0, ...op.i32(count), 0x49, 0x0d, 0, 0x0b],
    ];
    const trapping = (count: number) => program({ anw_map: [...rounds(count), ...op.unreachable] });
    const item = join(directory, 'item');
    writeFileSync(item, 'x');
    const limit = 2n ** 33n;
    const usedBy = async (bytes: Uint8Array): Promise<bigint> => {
      const { programPath, parameters } = lawSubject(bytes, directory, executor);
      const items = [{ kind: 'file', path: item } as const];
      const fuel = { item: limit, combine: limit };
      const outcome = await executor.runSubtask(
        { programPath, parameters, items, plan: [0], fuel },
        never,
      );
      if (outcome.kind !== 'done') throw new Error(outcome.reason);
      expect(outcome.mapFuel).toBe(limit);
      return outcome.spent.used!;
    };
    // A trap amid a loop leaves the counter where it was: the processor's time tells of it.
    expect(await usedBy(trapping(100_000_000))).toBeGreaterThan(2n ** 22n);
    const atOnce = await usedBy(trapping(1));
    expect(atOnce > 16_384n && atOnce < limit / 16n).toBe(true);
    // Traps that cost little end no check early: as many as there are items made up.
    const ration = rationed(executor, grantMin, () => 0);
    const subject = lawSubject(trapping(1), directory, ration.executor, { callCountMax: 1 });
    const options = { runs: 16, seed: '1', bounds: grantedBounds(grantMin) };
    const { report, blob } = await checkLaws(subject, noItems, options);
    expect(report).toMatchObject({ verdict: 'untested', refusedItems: quickBounds.made });
    // Of two that are alike, one is run.
    const each = options.bounds.callFuel / 256n;
    const most = BigInt(quickBounds.made) * each;
    expect(report.fuel <= most && report.fuel >= most - 4n * each).toBe(true);
    expect(report.fuel % each).toBe(0n);
    expect(blob).not.toBeNull();
    expect(ration.isUp()).toBe(false);
    await executor.close();
  });
});

describe('programs that wait', () => {
  const duty = {} as Duty;

  test('are looked at one at a time, the one that most was used on first; of too many, one is dropped', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ name: fc.nat(200), fuel: fc.nat(99) }), { maxLength: 300 }),
        async (met) => {
          const looked: Case[] = [];
          let running = 0;
          let go = (): void => undefined;
          const gate = new Promise<void>((resolve) => {
            go = resolve;
          });
          const inspect = async (one: Case): Promise<void> => {
            running += 1;
            expect(running).toBe(1);
            await gate;
            looked.push(one);
            running -= 1;
          };
          const cases = openCases({ inspect, isWorth: () => true, signal: never });
          const latest = new Set<Case>();
          for (const { name, fuel } of met) {
            const one = cases.of(String(name), duty)!;
            one.laneFuel += BigInt(fuel);
            latest.add(one);
            cases.begin(one);
          }
          go();
          await cases.ended();
          expect(looked.length).toBeLessThanOrEqual(waitingCaseCountMax);
          const names = new Set(met.map(({ name }) => name));
          expect(looked.length).toBe(Math.min(names.size, waitingCaseCountMax));
          const fuels = looked.slice(1).map(({ laneFuel }) => laneFuel);
          for (const [at, fuel] of fuels.entries())
            expect(fuel <= (fuels[at - 1] ?? 2n ** 60n)).toBe(true);
          // One that was met last is there, whatever it brought.
          const last = [...latest].at(-1);
          if (last !== undefined) expect(looked).toContain(last);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('take an eighth of one core and no more, however many jobs with new parameters come', async () => {
    const blobs = await openBlobStore({ directory, quotaBytes: 10_000_000 });
    const cid = await blobs.put(eightByteProgram('sum'));
    const clock = { ms: 0, checkMs: 0, calls: 0 };
    // A child that takes a second a call, by a clock of its own.
    const slow = async (): Promise<never> => {
      await pause();
      clock.calls += 1;
      clock.ms += 1_000;
      clock.checkMs += 1_000;
      return { kind: 'local', class: 'timeout', reason: 'a stub' } as never;
    };
    const executor = { runSubtask: slow, fold: slow, sample: slow } as unknown as Executor;
    const waits: number[] = [];
    const inspections = await openInspections({
      ...{ store: openMemoryStore(), blobs, executor, scratch: join(directory, 'laws') },
      ...{ fetch: async () => undefined, tell: () => undefined, besideMs: 3_600_000 },
      pace: {
        now: () => clock.ms,
        wait: async (ms) => {
          waits.push(ms);
          clock.ms += ms;
          expect(clock.checkMs * timeParts).toBeLessThanOrEqual(clock.ms);
        },
      },
    });
    for (let at = 0; at < 200; at++) {
      const job = {
        ...{ program: cid, parameters: new TextEncoder().encode(`{"job":${at}}`), subtasks: 1 },
        input: { kind: 'generated', items: 1 },
      };
      const own = { key: `${at}`, job: hash('dev', at), lane: 0, lanes: 1, wave: 0, seat: 0 };
      const meeting = inspections.meet({ ...own, patienceMs: 1, signed: { job } } as never);
      meeting.spent(2n ** 40n);
      meeting.leave();
    }
    while (waits.length < waitingCaseCountMax) await pause();
    for (let turn = 0; turn < 20; turn++) await pause();
    expect(waits).toHaveLength(waitingCaseCountMax);
    // A check gives up after three of these, and leaves its batch.
    expect(clock.calls).toBeLessThanOrEqual(16 * waitingCaseCountMax);
    await inspections.stop();
    await blobs.close();
  });
});
