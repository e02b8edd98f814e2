// Goal: whatever a program does, its seat hears an outcome, and the next program runs.
// Method: real children; hostile programs made byte by byte; after each, a harmless subtask.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { createExecutor } from '../../node/executor/pool.ts';
import { childCommand, childFiles, probeHardening } from '../../node/executor/recipe.ts';
import { placeStates } from '../../node/executor/task.ts';
import type { SubtaskOutcome } from '../../node/ports.ts';
import { fuelCallMax, fuelFoldMax } from '../../protocol/params.ts';
import { i32, i64, op, program } from '../fixtures/programs/assemble.ts';
import { leftPlan } from '../fixtures/programs/plan.ts';
import { bytes, hashed, never, openSandbox, parameters, plenty } from '../support/sandbox.ts';

const { directory, pool: executor, file, run, expectHealthy } = openSandbox();

/** Fuel of a fold. */
const ample = { combine: plenty, fold: plenty };

/** A program that fails on items that start with `t` (trap) or `b` (bad value). */
const picky = program({
  anw_map: [
    ...op.ifItemStartsWith(0x74, op.unreachable),
    ...op.ifItemStartsWith(0x62, [...op.i64(-1n), ...op.return]),
    ...op.pack(2, 3),
  ],
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
    const outcome = await executor().runSubtask(
      {
        programPath,
        parameters,
        items,
        plan: leftPlan(3),
        fuel: { item: plenty, combine: plenty },
      },
      never,
    );
    expect(outcome).toMatchObject({ hashes: hashed('{}', '{', ''), value: bytes('{}') });
    expect(await executor().count(programPath, parameters, never)).toMatchObject({
      kind: 'ok',
      value: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 3),
    });
    expect(await executor().count(file(program()), parameters, never)).toMatchObject({
      kind: 'failed',
      class: 'bad-value',
    });
  });
});

describe('single calls', () => {
  test('a fold passes over empty values; a render without one gives the value back', async () => {
    const values = ['', 'left', '', 'right'].map(bytes);
    const folded = await executor().fold(file(program()), values, ample, never);
    expect(folded).toMatchObject({ kind: 'ok', value: bytes('left') });
    const nothing = await executor().fold(file(program()), [], ample, never);
    expect(nothing).toMatchObject({ kind: 'ok', value: bytes('') });
    const rendered = await executor().render(
      file(program()),
      parameters,
      values[1]!,
      plenty,
      never,
    );
    expect(rendered).toMatchObject({
      kind: 'ok',
      value: bytes('left'),
      wallMs: expect.any(Number),
    });
  });

  test('a fold that is taken up again costs what it costs at once', async () => {
    const path = file(program());
    const values = ['a', 'b', 'c', 'd'].map(bytes);
    const all = await executor().fold(path, values, ample, never);
    const first = await executor().fold(path, values.slice(0, 2), ample, never);
    if (all.kind !== 'ok' || first.kind !== 'ok') throw new Error('it did not fold');
    const rest = [first.value, ...values.slice(2)];
    const then = (fold: bigint) => executor().fold(path, rest, { ...ample, fold }, never);
    expect(await then(all.fuel - first.fuel)).toMatchObject({
      ...{ kind: 'ok', value: all.value, fuel: all.fuel - first.fuel },
    });
    expect(await then(all.fuel - first.fuel - 1n)).toMatchObject({ class: 'out-of-fuel' });
  });

  test('a program makes a value by chance, and checks one', async () => {
    const value = [...op.get(0), 0xad, ...op.i64(32n), 0x86, ...op.i64(4n), 0x84];
    const params = [i32, i32, i32, i32, i32, i32, i32];
    const path = file(
      program({}, [
        { name: 'anw_sample', params: [i32], results: [i64], body: value },
        { name: 'anw_check', params, results: [i32], body: [0x20, 3, 0x20, 5, 0x46] },
      ]),
    );
    const seed = Uint8Array.from({ length: 32 }, (_, at) => at);
    expect(await executor().sample(path, seed, never)).toMatchObject({
      ...{ kind: 'ok', value: Uint8Array.of(0, 1, 2, 3) },
    });
    const item = { kind: 'file', path: file(bytes('four')) } as const;
    const asked = (value: string) =>
      executor().check(path, { parameters, item, value: bytes(value), seed }, never);
    expect(await asked('true')).toMatchObject({ kind: 'ok', value: Uint8Array.of(1) });
    expect(await asked('false')).toMatchObject({ kind: 'ok', value: Uint8Array.of(0) });
    expect(await executor().sample(file(program()), seed, never)).toMatchObject({
      ...{ kind: 'failed', class: 'bad-value' },
    });
  });

  test('failures and limits hold for them too', async () => {
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
    expect(await executor().fold(path, two, ample, never)).toMatchObject({ class: 'trap' });
    const stuck = file(program({ anw_combine: [...op.loopForever, ...op.unreachable] }));
    const spent = { kind: 'failed', class: 'out-of-fuel', fuel: plenty };
    expect(await executor().fold(stuck, two, ample, never)).toMatchObject(spent);
    // One that never ends fails by the limit of a combine, whatever the fold has.
    for (const fuel of [
      { combine: plenty, fold: fuelFoldMax },
      { combine: fuelCallMax, fold: plenty },
    ])
      expect(await executor().fold(stuck, two, fuel, never)).toMatchObject(spent);
    expect(await executor().render(path, parameters, two[0]!, plenty, never)).toMatchObject(spent);
    const count = { name: 'anw_count', params: [i32, i32], results: [i64], body: op.i64(1n) };
    const item = { ...count, name: 'anw_item', params: [i32, i32, i64], body: op.i64(0n) };
    const counts = file(program({}, [count, item]));
    expect(await executor().count(counts, parameters, never, 100n)).toMatchObject({
      ...{ kind: 'failed', class: 'out-of-fuel', fuel: 100n },
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
    const first = run(loops, ['a'], { signal: running.signal, fuel: fuelCallMax });
    const second = run(program(), ['b'], { signal: waiting.signal });
    const [pid] = executor().pids();
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
    const busy = run(loops, ['a'], { pool, fuel: fuelCallMax });
    const more = [1, 2, 3].map(() => run(loops, ['a'], { pool, fuel: fuelCallMax }));
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

  test('may read each file that it imports, and no other of ours', () => {
    const found = new Set<string>();
    const visit = (path: string): void => {
      if (found.has(path)) return;
      found.add(path);
      const text = readFileSync(path, 'utf8').replace(/^import type [\s\S]*?;$/gm, '');
      for (const [, imported] of text.matchAll(/\bfrom '([^']+)'/g)) {
        if (imported!.startsWith('node:')) continue;
        expect(imported, `${path} needs no package`).toMatch(/^\.\.?\//);
        visit(join(path, '..', imported!));
      }
    };
    visit(childFiles[0]!);
    expect([...childFiles].sort()).toEqual([...found].sort());
  });

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
