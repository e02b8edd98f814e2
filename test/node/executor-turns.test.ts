// Goal: a large or hostile job never keeps a small one from a child, and harms only itself.
// Method: real children, endless and long programs, short slices; slices are counted, never timed.
// One child at a time; where first come, first served would wait for ever, the test would hang.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import {
  type ChildPool,
  createExecutor,
  type ExecutorOptions,
  type SliceEvent,
} from '../../node/executor/pool.ts';
import { fuelCallMax } from '../../protocol/params.ts';
import { op, program } from '../fixtures/programs/assemble.ts';
import { leftPlan } from '../fixtures/programs/plan.ts';

const directory = mkdtempSync(join(tmpdir(), 'anwansi-turns-'));
const never = new AbortController().signal;
const pools: ChildPool[] = [];
let fileCount = 0;
let events: SliceEvent[] = [];

afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
});
afterAll(() => rmSync(directory, { recursive: true }));

function file(bytes: Uint8Array): string {
  const path = join(directory, `file-${fileCount++}`);
  writeFileSync(path, bytes);
  return path;
}

const item = file(new TextEncoder().encode('item'));
const endless = file(program({ anw_map: [...op.loopForever, ...op.unreachable] }));
const plain = file(program());

async function pool(options: Partial<ExecutorOptions> = {}): Promise<ChildPool> {
  events = [];
  const opened = await createExecutor({
    ...{ children: 1, readable: [directory], sliceMs: 30 },
    watch: (event) => events.push(event),
    ...options,
  });
  pools.push(opened);
  return opened;
}

type Wishes = {
  turn: string;
  signal?: AbortSignal;
  items?: number;
  fuel?: { item: bigint; combine: bigint };
};

/** As much as there is: nothing that is endless ends by it here. */
const plenty = { item: fuelCallMax, combine: fuelCallMax };

function run(executor: ChildPool, programPath: string, wishes: Wishes) {
  const { turn, signal = never, items = 1, fuel = plenty } = wishes;
  const source = { kind: 'file', path: item } as const;
  const run = {
    ...{ programPath, parameters: new Uint8Array(0), plan: leftPlan(items), fuel, turn },
    items: Array.from({ length: items }, () => source),
  };
  return executor.runSubtask(run, signal);
}

const done = { kind: 'done' };
const cancelled = { kind: 'local', class: 'killed', reason: 'cancelled' };
const count = (kind: SliceEvent['kind'], turn: string): number =>
  events.filter((event) => event.kind === kind && event.turn === turn).length;
const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
};

describe('turns', () => {
  test('a short task ends beside a thousand endless ones of another job', async () => {
    // Long enough for a child that begins with a program it does not know.
    const executor = await pool({ sliceMs: 200 });
    const stop = new AbortController();
    const hostile = Array.from({ length: 1_000 }, () =>
      run(executor, endless, { turn: 'hostile', signal: stop.signal }),
    );
    for (let round = 0; round < 2; round++) {
      const before = count('begun', 'hostile') + count('resumed', 'hostile');
      expect(await run(executor, plain, { turn: `short ${round}`, items: 3 })).toMatchObject(done);
      const slices = count('begun', 'hostile') + count('resumed', 'hostile') - before;
      expect(slices).toBeLessThanOrEqual(2);
    }
    expect(count('begun', 'hostile'), 'one at a time').toBe(1);
    stop.abort();
    for (const outcome of await Promise.all(hostile)) expect(outcome).toEqual(cancelled);
    expect(await run(executor, plain, { turn: 'after' })).toMatchObject(done);
  });

  test('two long jobs take turns amid their items, and both go on where they were', async () => {
    const executor = await pool({ sliceMs: 10 });
    const outcomes = [
      run(executor, plain, { turn: 'a', items: 2_000 }),
      run(executor, plain, { turn: 'b', items: 2_000 }),
    ];
    const [a, b] = await Promise.all(outcomes);
    expect(a).toMatchObject(done);
    expect(b).toEqual({ ...a, slowestItemMs: expect.any(Number) });
    expect(count('halted', 'a')).toBeGreaterThan(0);
    expect(count('resumed', 'a')).toBe(count('halted', 'a'));
  });

  test('who is alone is never halted', async () => {
    const executor = await pool({ sliceMs: 1 });
    expect(await run(executor, plain, { turn: 'a', items: 1_000 })).toMatchObject(done);
    const tasks = [1, 2, 3].map(() => run(executor, plain, { turn: 'a', items: 50 }));
    for (const outcome of await Promise.all(tasks)) expect(outcome).toMatchObject(done);
    expect(count('halted', 'a')).toBe(0);
    expect(executor.pids()).toHaveLength(1);
  });

  test('time that passes while a task is halted is not held against it', async () => {
    const executor = await pool({ sliceMs: 1_000_000, guard: () => 150 });
    const guarded = run(executor, endless, { turn: 'guarded' });
    expect(await guarded).toMatchObject({ class: 'timeout' });
    // The rivals may have all the time there is: their fuel is another.
    const guard = (most: bigint) => (most === fuelCallMax ? 60_000 : 150);
    const shared = await pool({ sliceMs: 15, guard });
    const stop = new AbortController();
    const rivals = ['x', 'y', 'z'].map((turn) =>
      run(shared, endless, { turn, signal: stop.signal }),
    );
    const less = { item: fuelCallMax - 1n, combine: 1n };
    const timed = run(shared, endless, { turn: 'timed', fuel: less });
    expect(await timed, 'it ends, although no slice is as long').toMatchObject({
      class: 'timeout',
    });
    expect(count('resumed', 'timed'), 'after its own time, in slices').toBeGreaterThan(3);
    stop.abort();
    for (const outcome of await Promise.all(rivals)) expect(outcome).toEqual(cancelled);
  });
});

describe('a halted task', () => {
  /** An endless task that is halted and stays so: another one runs in a slice without end. */
  async function scene(options: Partial<ExecutorOptions> = {}) {
    const executor = await pool({ sliceMs: 30, ...options });
    const stops = { a: new AbortController(), b: new AbortController() };
    const a = run(executor, endless, { turn: 'a', signal: stops.a.signal });
    const [pid] = executor.pids();
    const b = run(executor, endless, { turn: 'b', signal: stops.b.signal });
    await until(() => count('halted', 'a') > 0);
    return { executor, stops, a, b, pid: pid! };
  }

  test('can be cancelled, and the other one too', async () => {
    const { executor, stops, a, b } = await scene();
    stops.a.abort();
    expect(await a).toEqual(cancelled);
    expect(await run(executor, plain, { turn: 'c' })).toMatchObject(done);
    stops.b.abort();
    expect(await b).toEqual(cancelled);
    expect(await run(executor, plain, { turn: 'c' })).toMatchObject(done);
  });

  test('dies alone when its child is killed, halted or amid a slice', async () => {
    const { executor, stops, a, b, pid } = await scene();
    process.kill(pid, 'SIGKILL');
    expect(await a).toMatchObject({ class: 'killed', reason: expect.stringContaining('SIGKILL') });
    const before = count('begun', 'b');
    expect(await run(executor, plain, { turn: 'c' })).toMatchObject(done);
    expect(count('ended', 'b'), 'the other job goes on').toBe(0);
    expect(count('begun', 'b')).toBe(before);
    stops.b.abort();
    expect(await b).toEqual(cancelled);
  });

  test('goes when halted ones hold too much memory', async () => {
    const { executor, stops, a, b } = await scene({ haltedBytesMax: 1 });
    expect(await a).toMatchObject({ class: 'host-oom', reason: expect.stringContaining('halted') });
    expect(count('ended', 'b')).toBe(0);
    stops.b.abort();
    expect(await b).toEqual(cancelled);
    expect(await run(executor, plain, { turn: 'c' })).toMatchObject(done);
  });

  test('is one of few: further jobs wait until one of them ends', async () => {
    const executor = await pool({ haltedCountMax: 2, sliceMs: 10 });
    const stop = new AbortController();
    const turns = ['a', 'b', 'c', 'd', 'e'];
    const all = turns.map((turn) => run(executor, endless, { turn, signal: stop.signal }));
    await until(() => ['a', 'b', 'c'].every((turn) => count('resumed', turn) > 1));
    expect(executor.pids()).toHaveLength(3);
    expect(count('begun', 'd') + count('begun', 'e')).toBe(0);
    const gone = new AbortController();
    const waits = run(executor, plain, { turn: 'f', signal: gone.signal });
    gone.abort();
    expect(await waits).toEqual(cancelled);
    stop.abort();
    for (const outcome of await Promise.all(all)) expect(outcome).toEqual(cancelled);
    expect(await run(executor, plain, { turn: 'g' })).toMatchObject(done);
  });

  test('is killed with the pool', async () => {
    const { executor, a, b } = await scene();
    await executor.close();
    expect(await a).toMatchObject({ kind: 'local', class: 'killed' });
    expect(await b).toMatchObject({ kind: 'local', class: 'killed' });
    expect(executor.pids()).toEqual([]);
  });
});
