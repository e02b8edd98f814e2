// Goal: however many lanes a seat is drawn for, a bounded number runs, and every job has its turn.
// Method: lanes whose program never comes, so that each runs until it is let go; counted, not timed.
import { describe, expect, test } from 'vitest';
import { type DutiesParts, startDuties } from '../../node/duties.ts';
import type { LaneParts } from '../../node/lane.ts';
import { unhurried } from '../../node/unhurried.ts';
import { hash } from '../../protocol/crypto/hash.ts';
import type { Duty } from '../../protocol/replica/effect.ts';
import type { LaneOutcome } from '../../protocol/replica/input.ts';

const job = (name: string): Uint8Array => hash('dev', name);

/** A lane of a job, of which only what duties and the first step of a lane look at. */
function dutyOf(name: string, lane: number): Duty {
  const signed = { job: { program: job('program') } };
  return { key: `${name}/${lane}`, job: job(name), lane, signed, patienceMs: 60_000 } as never;
}

type Hold = { readonly key: string; readonly letGo: () => void };

/** Duties whose lanes wait for their program until a test lets them go: then they abstain. */
function scene(limits: Partial<DutiesParts>) {
  const began: string[] = [];
  const holds = new Map<string, Hold>();
  const outcomes: [string, LaneOutcome][] = [];
  const failures: unknown[] = [];
  const duties = startDuties({
    lane: ({ key }) => {
      began.push(key);
      const fetch = (_cid: Uint8Array, _max: number, signal: AbortSignal): Promise<void> =>
        new Promise((_, reject) => {
          holds.set(key, { key, letGo: () => reject(new Error('nobody has it')) });
          signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        });
      const lane: Partial<LaneParts> = { fetch };
      return lane as LaneParts;
    },
    finished: (key, outcome) => outcomes.push([key, outcome]),
    failed: (reason) => failures.push(reason),
    ...limits,
  });
  const letGo = async (key: string): Promise<void> => {
    const before = outcomes.length;
    holds.get(key)!.letGo();
    while (outcomes.length === before) await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { duties, began, letGo, outcomes, failures };
}

const unavailable: LaneOutcome = { kind: 'local', class: 'unavailable' };

describe('the lanes of a node', () => {
  test('run a few at once; jobs take turns, lanes of one job in order', async () => {
    const { duties, began, letGo, outcomes } = scene({ countMax: 2 });
    for (let lane = 0; lane < 50; lane++) duties.execute(dutyOf('large', lane));
    duties.execute(dutyOf('small', 0));
    duties.execute(dutyOf('other', 0));
    expect(began).toEqual(['large/0', 'large/1']);
    expect(duties.waiting()).toHaveLength(50);
    await letGo('large/0');
    await letGo('large/1');
    await letGo('large/2');
    // The large job had its turn before the others came; after it each of them has one.
    expect(began).toEqual(['large/0', 'large/1', 'large/2', 'small/0', 'other/0']);
    expect(outcomes).toContainEqual(['large/1', unavailable]);
    await duties.stop();
    expect(duties.waiting()).toEqual([]);
  });

  test('say why they wait', async () => {
    const { duties } = scene({ countMax: 1 });
    for (let lane = 0; lane < 3; lane++) duties.execute(dutyOf('a', lane));
    expect(duties.waiting()[1]).toEqual({
      key: 'a/2',
      job: expect.stringMatching(/^[0-9a-f]{64}$/),
      lane: 2,
      reason: 'waits for one of 1 places: 1 lanes run, 1 came before it; jobs take turns',
    });
    await duties.stop();
  });

  test('that are forgotten while they wait just go', async () => {
    const { duties, began, letGo, outcomes } = scene({ countMax: 1 });
    for (let lane = 0; lane < 3; lane++) duties.execute(dutyOf('a', lane));
    duties.forget('a/1');
    expect(duties.waiting().map(({ key }) => key)).toEqual(['a/2']);
    await letGo('a/0');
    expect(began).toEqual(['a/0', 'a/2']);
    duties.forget('a/2');
    duties.execute(dutyOf('a', 3));
    while (began.length < 3) await new Promise((resolve) => setImmediate(resolve));
    expect(outcomes).toEqual([['a/0', unavailable]]);
    await duties.stop();
    expect(outcomes).toHaveLength(1);
  });

  test('are refused by name when too many wait', async () => {
    const { duties, outcomes, failures } = scene({ countMax: 1, waitingCountMax: 2 });
    for (let lane = 0; lane < 5; lane++) duties.execute(dutyOf('a', lane));
    expect(duties.waiting()).toHaveLength(2);
    expect(outcomes).toEqual(
      [3, 4].map((lane) => [`a/${lane}`, { kind: 'local', class: 'killed' }]),
    );
    expect(failures).toMatchObject([{ detail: { code: 'LANES_FULL' } }, { detail: { lane: 4 } }]);
    duties.execute(dutyOf('a', 1));
    expect(duties.waiting(), 'one that waits already does not count twice').toHaveLength(2);
    await duties.stop();
    duties.execute(dutyOf('late', 0));
    expect(duties.waiting()).toEqual([]);
  });
});

describe('unhurried work', () => {
  function* work(stretches: number): Generator<void, string> {
    for (let at = 0; at < stretches; at++) {
      const untilMs = performance.now() + 4;
      while (performance.now() < untilMs);
      yield;
    }
    return 'done';
  }

  test('lets others run between, and stops when nobody wants it', async () => {
    let others = 0;
    const beat = (): void => {
      others += 1;
      timer = setImmediate(beat);
    };
    let timer = setImmediate(beat);
    expect(await unhurried(work(12))).toBe('done');
    expect(others).toBeGreaterThan(3);
    const stop = new AbortController();
    const broken = unhurried(work(1_000), stop.signal);
    stop.abort(new Error('enough'));
    await expect(broken).rejects.toThrow('enough');
    clearImmediate(timer);
  });
});
