// Goal: whatever a program does, its seat hears an outcome, and the next program runs.
// Method: real children; hostile programs made byte by byte; after each, a harmless subtask.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ChildPool, createExecutor } from '../../node/executor/pool.ts';
import { childCommand, probeHardening } from '../../node/executor/recipe.ts';
import { placeStates } from '../../node/executor/task.ts';
import type { SubtaskOutcome } from '../../node/ports.ts';
import { sha256 } from '../../protocol/crypto/hash.ts';
import { i32, i64, op, program } from '../fixtures/programs/assemble.ts';
import { leftPlan } from '../fixtures/programs/plan.ts';

const directory = mkdtempSync(join(tmpdir(), 'anwansi-executor-'));
const never = new AbortController().signal;
const parameters = new TextEncoder().encode('{}');
let executor: ChildPool;
let fileCount = 0;

beforeAll(async () => {
  executor = await createExecutor({ children: 1, readable: [directory] });
});
afterAll(async () => {
  await executor.close();
  rmSync(directory, { recursive: true });
});

function file(bytes: Uint8Array): string {
  const path = join(directory, `file-${fileCount++}`);
  writeFileSync(path, bytes);
  return path;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

type Wishes = { pool?: ChildPool; signal?: AbortSignal; itemWallMs?: number; plan?: number[] };

function run(programBytes: Uint8Array, items: string[], wishes: Wishes = {}) {
  const { pool = executor, signal = never, itemWallMs = 10_000, plan } = wishes;
  return pool.runSubtask(
    {
      programPath: file(programBytes),
      parameters,
      items: items.map((item) => ({ kind: 'file', path: file(bytes(item)) })),
      plan: plan ?? leftPlan(items.length),
      itemWallMs,
    },
    signal,
  );
}

/** The packed hashes of values, as outcomes carry them. */
const hashed = (...texts: string[]): Uint8Array =>
  new Uint8Array(texts.flatMap((text) => [...sha256(bytes(text))]));

/** A program that fails on items that start with `t` (trap) or `b` (bad value). */
const picky = program({
  anw_map: [
    ...op.ifItemStartsWith(0x74, op.unreachable),
    ...op.ifItemStartsWith(0x62, [...op.i64(-1n), ...op.return]),
    ...op.pack(2, 3),
  ],
});

async function expectHealthy(pool = executor): Promise<void> {
  expect(await run(program(), ['one', '', 'two'], { pool })).toEqual({
    kind: 'done',
    states: Uint8Array.of(1, 1, 1),
    hashes: hashed('one', '', 'two'),
    folds: hashed('one', 'one'),
    value: bytes('one'),
    combineFailed: false,
    slowestItemMs: expect.any(Number),
  });
}

describe('hostile programs', () => {
  const loop = [...op.loopForever, ...op.unreachable];
  const growForever = [0x03, 0x40, ...op.i32(1), ...op.grow, ...op.drop, 0x0c, 0, 0x0b];
  const deep = [...[0, 1, 2, 3].flatMap(op.get), ...op.call(2)];
  const start = program({}, [{ name: null, params: [], results: [], body: op.loopForever }], {
    raw: [{ id: 8, content: [4] }],
  });
  const imports = program({}, [], { raw: [{ id: 2, content: [1, 1, 0x61, 1, 0x62, 0, 0] }] });
  const failedItem = (failure: string) => ({
    kind: 'done',
    states: Uint8Array.of(failure === 'trap' ? 2 : 3),
    hashes: new Uint8Array(32),
    folds: null,
    value: null,
    combineFailed: false,
  });
  const local = (failure: string, reason: RegExp = /./) => ({
    kind: 'local',
    class: failure,
    reason: expect.stringMatching(reason),
  });
  const map = (body: readonly number[]) => program({ anw_map: body });
  const bodiless = program({}, [], { exportsMemory: false });

  test.each<[string, Uint8Array, object]>([
    ['a trap', map(op.unreachable), failedItem('trap')],
    ['a trap in the allocator', program({ anw_alloc: op.unreachable }), failedItem('trap')],
    ['an endless loop', map(loop), local('timeout')],
    ['endless growing', map([...growForever, ...op.unreachable]), local('timeout')],
    ['an endless start function', start, local('timeout')],
    ['a garbage pointer', map(op.i64(0x7000_0000_0000_0001n)), failedItem('bad-value')],
    ['a result of 1 GB', map(op.i64(1_000_000_000n)), failedItem('bad-value')],
    ['a garbage allocation', program({ anw_alloc: op.i32(-8) }), failedItem('bad-value')],
    ['deep recursion', map(deep), local('host-oom', /stack/)],
    ['no memory', bodiless, local('killed', /not admitted/)],
    ['an import', imports, local('killed', /not admitted/)],
    ['no program at all', bytes('#!/bin/sh'), local('killed', /not admitted/)],
  ])('%s', async (_, hostile, expected) => {
    expect(await run(hostile, ['item'], { itemWallMs: 400 })).toMatchObject(expected);
    await expectHealthy();
  });

  test('an endless combine', async () => {
    const outcome = await run(program({ anw_combine: loop }), ['a', 'b'], { itemWallMs: 400 });
    expect(outcome).toMatchObject(local('timeout'));
    await expectHealthy();
  });

  test('a child that is killed', async () => {
    const outcome = run(map(loop), ['item'], { itemWallMs: 30_000 });
    const [pid] = executor.pids();
    process.kill(pid!, 'SIGKILL');
    expect(await outcome).toMatchObject(local('killed', /SIGKILL/));
    await expectHealthy();
    expect(executor.pids()).not.toContain(pid);
  });

  test('items that nobody has', async () => {
    const path = join(directory, 'missing');
    const items = [{ kind: 'file', path } as const];
    const outcome = await executor.runSubtask(
      { programPath: file(program()), parameters, items, plan: [0], itemWallMs: 10_000 },
      never,
    );
    expect(outcome).toMatchObject(local('killed', /cannot read/));
    await expectHealthy();
  });
});

describe('subtasks', () => {
  const kinds = (outcome: SubtaskOutcome): string[] => {
    if (outcome.kind !== 'done') throw new Error(outcome.reason);
    return [...outcome.states].map((state) => placeStates[state]!);
  };

  test('all items below the lowest failing one are mapped, in any order', async () => {
    const items = ['a', 'x', 'bad', 'trap', 'y', 'trap'];
    const forth = await run(picky, items);
    expect(forth).toMatchObject({ folds: null, value: null, combineFailed: false });
    expect(kinds(forth)).toEqual(['ok', 'ok', 'bad-value', 'skipped', 'skipped', 'skipped']);
    const back = await run(picky, items, { plan: [5, 4, -1, 3, -1, 2, -1, 1, -1, 0, -1] });
    expect(kinds(back)).toEqual(['ok', 'ok', 'bad-value', 'trap', 'ok', 'trap']);
  });

  test('a combine that fails is told when no item fails', async () => {
    const stubborn = program({ anw_combine: op.unreachable });
    expect(await run(stubborn, ['a', 'b', 'c'])).toMatchObject({
      hashes: hashed('a', 'b', 'c'),
      folds: null,
      value: null,
      combineFailed: true,
    });
    expect(await run(stubborn, ['a', '', ''])).toMatchObject({ value: bytes('a') });
  });

  test('generated items come from an instance of their own', async () => {
    // anw_item writes nothing: it gives `index` bytes from where its parameters lie.
    const item = [0x20, 0, 0xad, 0x42, 32, 0x86, 0x20, 2, 0x84];
    const generator = program({}, [
      { name: 'anw_item', params: [i32, i32, i64], results: [i64], body: item },
      { name: 'anw_count', params: [i32, i32], results: [i64], body: op.i64(3n) },
    ]);
    const programPath = file(generator);
    const items = [2, 1, 0].map((index) => ({ kind: 'generated', index }) as const);
    const outcome = await executor.runSubtask(
      { programPath, parameters, items, plan: leftPlan(3), itemWallMs: 10_000 },
      never,
    );
    expect(outcome).toMatchObject({ hashes: hashed('{}', '{', ''), value: bytes('{}') });
    expect(await executor.count(programPath, parameters, 10_000, never)).toMatchObject({
      kind: 'ok',
      value: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 3),
    });
    expect(await executor.count(file(program()), parameters, 10_000, never)).toMatchObject({
      kind: 'failed',
      class: 'bad-value',
    });
  });
});

describe('single calls', () => {
  test('a fold passes over empty values; a render without one gives the value back', async () => {
    const values = ['', 'left', '', 'right'].map(bytes);
    const folded = await executor.fold(file(program()), values, 10_000, never);
    expect(folded).toMatchObject({ kind: 'ok', value: bytes('left') });
    const nothing = await executor.fold(file(program()), [], 10_000, never);
    expect(nothing).toMatchObject({ kind: 'ok', value: bytes('') });
    const rendered = await executor.render(file(program()), parameters, values[1]!, 10_000, never);
    expect(rendered).toMatchObject({
      kind: 'ok',
      value: bytes('left'),
      wallMs: expect.any(Number),
    });
  });

  test('failures and guards hold for them too', async () => {
    const traps = program({ anw_combine: op.unreachable }, [
      {
        name: 'anw_render',
        params: [i32, i32, i32, i32],
        results: [i64],
        body: [...op.loopForever, 0],
      },
    ]);
    const path = file(traps);
    const two = [bytes('a'), bytes('b')];
    expect(await executor.fold(path, two, 10_000, never)).toMatchObject({ class: 'trap' });
    const stuck = file(program({ anw_combine: [...op.loopForever, ...op.unreachable] }));
    expect(await executor.fold(stuck, two, 200, never)).toMatchObject({ class: 'timeout' });
    expect(await executor.render(path, parameters, two[0]!, 300, never)).toMatchObject({
      kind: 'local',
      class: 'timeout',
    });
    await expectHealthy();
  });
});

const loops = program({ anw_map: [...op.loopForever, ...op.unreachable] });

/** Whether a process runs: one that only waits to be buried does not. */
function runs(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}

async function gone(pids: readonly number[]): Promise<void> {
  while (pids.some(runs)) await new Promise((resolve) => setTimeout(resolve, 10));
}

describe('the pool', () => {
  test('cancels waiting work at once and running work by killing', async () => {
    const running = new AbortController();
    const waiting = new AbortController();
    const first = run(loops, ['a'], { signal: running.signal, itemWallMs: 60_000 });
    const second = run(program(), ['b'], { signal: waiting.signal });
    const [pid] = executor.pids();
    waiting.abort();
    expect(await second).toEqual({ kind: 'local', class: 'killed', reason: 'cancelled' });
    running.abort();
    expect(await first).toEqual({ kind: 'local', class: 'killed', reason: 'cancelled' });
    expect(await run(program(), ['c'], { signal: running.signal })).toMatchObject({
      reason: 'cancelled',
    });
    await expectHealthy();
    await gone([pid!]);
  });

  test('serves in the order of asking', async () => {
    const order: number[] = [];
    const asked = [0, 1, 2, 3, 4].map(async (place) => {
      await run(program(), [`${place}`]);
      order.push(place);
    });
    await Promise.all(asked);
    expect(order).toEqual([0, 1, 2, 3, 4]);
  });

  test('replaces a child after its share of tasks', async () => {
    const pool = await createExecutor({ children: 1, readable: [directory], recycleTaskCount: 2 });
    const seen = new Set<number>();
    for (let i = 0; i < 6; i++) {
      for (const pid of pool.pids()) seen.add(pid);
      await expectHealthy(pool);
    }
    await pool.close();
    expect(seen.size).toBeGreaterThan(1);
  });

  test('leaves nothing running when it is closed, busy or not', async () => {
    const pool = await createExecutor({ children: 2, readable: [directory] });
    await Promise.all([expectHealthy(pool), expectHealthy(pool)]);
    const pids = pool.pids();
    expect(pids.length).toBeGreaterThan(0);
    expect(pids.every(runs)).toBe(true);
    const busy = run(loops, ['a'], { pool, itemWallMs: 60_000 });
    const more = [1, 2, 3].map(() => run(loops, ['a'], { pool, itemWallMs: 60_000 }));
    await pool.close();
    for (const outcome of await Promise.all([busy, ...more]))
      expect(outcome).toMatchObject({ kind: 'local', class: 'killed' });
    expect(pids.filter(runs)).toEqual([]);
    expect(pool.pids()).toEqual([]);
    expect(await run(program(), ['a'], { pool })).toMatchObject({ kind: 'local' });
  });

  test('says why it cannot start', async () => {
    const options = { children: 1, readable: [join(directory, 'missing')] };
    await expect(createExecutor(options)).rejects.toMatchObject({ code: 'EXECUTOR_START' });
  });

  test('dies with its parent, even in an endless loop', async (context) => {
    const { diesWithParent } = await probeHardening();
    if (!diesWithParent) context.skip('setpriv is missing: a busy child ends with its guard only');
    const script = fileURLToPath(new URL('../fixtures/programs/parent.ts', import.meta.url));
    const args = [script, directory, file(loops), file(bytes('item'))];
    const parent = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pids = line.toString().trim().split(',').map(Number);
    expect(pids.every(runs)).toBe(true);
    parent.kill('SIGKILL');
    await gone(pids);
  });
});

describe('the sandbox', () => {
  const probe = fileURLToPath(new URL('../fixtures/programs/probe.ts', import.meta.url));

  async function ask(child: ChildProcess, port: number): Promise<Record<string, string>> {
    await once(child, 'message');
    child.send({ readable: directory, port });
    const [answers] = (await once(child, 'message')) as [Record<string, string>];
    child.kill('SIGKILL');
    return answers;
  }

  test('may read what is handed over and nothing else', async () => {
    writeFileSync(join(directory, 'inside'), 'x');
    writeFileSync(join(directory, 'addon.node'), 'x');
    const server = createServer((socket) => socket.end());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const stdio: ('ignore' | 'inherit' | 'ipc')[] = ['ignore', 'ignore', 'inherit', 'ipc'];
    const hardening = await probeHardening();
    const { command, args } = childCommand(hardening, [directory], probe);
    const inside = await ask(spawn(command, args, { stdio, env: {} }), port);
    const free = await ask(spawn(process.execPath, [probe], { stdio, env: { A: '1' } }), port);
    server.close();

    expect(free, 'the probe can tell').toMatchObject({
      readOutside: 'done',
      write: 'done',
      spawn: 'done',
      worker: 'done',
      code: 'done',
      network: 'done',
      environment: 'A',
    });
    expect(inside).toMatchObject({
      readInside: 'done',
      readOutside: 'ERR_ACCESS_DENIED',
      readPackage: 'ERR_ACCESS_DENIED',
      write: 'ERR_ACCESS_DENIED',
      spawn: 'ERR_ACCESS_DENIED',
      worker: 'ERR_ACCESS_DENIED',
      code: 'EvalError',
      proto: 'ERR_PROTO_ACCESS',
      addon: 'ERR_DLOPEN_DISABLED',
      environment: '',
    });
    if (hardening.networkless) expect(inside.network).not.toBe('done');
    expect(existsSync(join(directory, 'written')), 'written by the free probe only').toBe(true);
  });
});
