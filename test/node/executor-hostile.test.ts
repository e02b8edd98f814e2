// Goal: a program that does its worst harms nobody: neither its seat nor the next program.
// Method: real children, with and without memory, killed, starved and fed with nothing.
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createExecutor } from '../../node/executor/pool.ts';
import { startProcess } from '../../node/executor/process.ts';
import { childCommand, probeHardening } from '../../node/executor/recipe.ts';
import { placeStates } from '../../node/executor/task.ts';
import { fuelCallMax, fuelFoldMax } from '../../protocol/params.ts';
import { i32, i64, op, program, unsigned } from '../fixtures/programs/assemble.ts';
import { bytes, never, openSandbox, parameters, plenty } from '../support/sandbox.ts';

const { directory, pool: executor, file, run, expectHealthy } = openSandbox();

describe('hostile programs', () => {
  const loop = [...op.loopForever, ...op.unreachable];
  /** Does something again and again. */
  const forever = (body: readonly number[]) => [
    ...[0x03, 0x40, ...body, 0x0c, 0, 0x0b],
    ...op.unreachable,
  ];
  const fill = (bytes: number) => [...op.i32(0), ...op.i32(7), ...op.i32(bytes), 0xfc, 11, 0];
  const copy = (bytes: number) => [...op.i32(0), ...op.i32(0), ...op.i32(bytes), 0xfc, 10, 0, 0];
  const itself = (index: number) => [...[0, 1, 2, 3].flatMap(op.get), ...op.call(index)];
  const start = program({}, [{ name: null, params: [], results: [], body: op.loopForever }], {
    raw: [{ id: 8, content: [4] }],
  });
  const imports = program({}, [], { raw: [{ id: 2, content: [1, 1, 0x61, 1, 0x62, 0, 0] }] });
  const map = (body: readonly number[]) => program({ anw_map: body });
  const large = { memory: [1, 1, ...unsigned(4_096)] };
  const mutual = { name: null, params: [i32, i32, i32, i32], results: [i64], body: itself(2) };
  const failedItem = (failure: (typeof placeStates)[number]) => ({
    kind: 'done',
    states: Uint8Array.of(placeStates.indexOf(failure)),
    hashes: new Uint8Array(32),
    folds: null,
    value: null,
    combineFailed: false,
    mapFuel: plenty,
    spent: { itemMax: plenty, combineMax: 0n, combineSum: 0n },
  });
  const local = (failure: string, reason: RegExp = /./) => ({
    kind: 'local',
    class: failure,
    reason: expect.stringMatching(reason),
  });

  test.each<[string, Uint8Array, object]>([
    ['a trap', map(op.unreachable), failedItem('trap')],
    ['a trap in the allocator', program({ anw_alloc: op.unreachable }), failedItem('trap')],
    ['an endless loop', map(loop), failedItem('out-of-fuel')],
    ['an endless allocator', program({ anw_alloc: loop }), failedItem('out-of-fuel')],
    [
      'endless growing by nothing',
      map(forever([...op.i32(0), ...op.grow, 0x1a])),
      failedItem('out-of-fuel'),
    ],
    ['endless growing', map(forever([...op.i32(1), ...op.grow, 0x1a])), failedItem('out-of-fuel')],
    ['endless fills of nothing', map(forever(fill(0))), failedItem('out-of-fuel')],
    ['endless fills of a page', map(forever(fill(65_536))), failedItem('out-of-fuel')],
    ['endless copies of nothing', map(forever(copy(0))), failedItem('out-of-fuel')],
    ['endless copies of a page', map(forever(copy(65_536))), failedItem('out-of-fuel')],
    ['a fill outside of the memory', map([...fill(65_537), ...op.i64(0n)]), failedItem('trap')],
    [
      '256 MiB of memory, of which 32 are written',
      program(
        { anw_map: [...op.i32(4_095), ...op.grow, 0x1a, ...forever(fill(2 ** 25))] },
        [],
        large,
      ),
      failedItem('out-of-fuel'),
    ],
    ['a garbage pointer', map(op.i64(0x7000_0000_0000_0001n)), failedItem('bad-value')],
    ['a result of 1 GB', map(op.i64(1_000_000_000n)), failedItem('bad-value')],
    ['a garbage allocation', program({ anw_alloc: op.i32(-8) }), failedItem('bad-value')],
    ['deep recursion', map(itself(2)), failedItem('too-deep')],
    ['deep mutual recursion', program({ anw_map: itself(4) }, [mutual]), failedItem('too-deep')],
    ['an endless start function', start, failedItem('out-of-fuel')],
    [
      'no memory',
      program({}, [], { exportsMemory: false }),
      local('inadmissible', /PROGRAM_MEMORY/),
    ],
    ['an import', imports, local('inadmissible', /PROGRAM_IMPORTS/)],
    ['no program at all', bytes('#!/bin/sh'), local('inadmissible', /PROGRAM_NOT_WASM/)],
    ['four million bytes of no program', new Uint8Array(4_000_000), local('inadmissible')],
  ])('%s', async (_, hostile, expected) => {
    const outcome = await run(hostile, ['item']);
    expect(outcome).toMatchObject(expected);
    const again = await run(hostile, ['item']);
    if (outcome.kind === 'done')
      expect(again).toEqual({
        ...outcome,
        // What a trap used is for this machine's own accounts.
        spent: { ...outcome.spent, used: expect.any(BigInt) },
        slowestItemMs: expect.any(Number),
      });
    await expectHealthy();
  });

  test('an endless combine', async () => {
    const outcome = await run(program({ anw_combine: loop }), ['a', 'b']);
    expect(outcome).toMatchObject({
      ...{ kind: 'done', combineFailed: true, value: null },
      states: Uint8Array.of(1, 1),
      spent: { combineMax: plenty, combineSum: plenty },
    });
    await expectHealthy();
  });

  test('what takes longer than its guard is not the program’s failure', async () => {
    const guard = () => 300;
    const pool = await createExecutor({ children: 1, readable: [directory], guard });
    const fuel = fuelCallMax;
    expect(await run(map(loop), ['item'], { pool, fuel })).toMatchObject(local('timeout'));
    const stuck = program({ anw_combine: loop });
    expect(await run(stuck, ['a', 'b'], { pool, fuel })).toMatchObject(local('timeout'));
    const two = [bytes('a'), bytes('b')];
    expect(await pool.fold(file(stuck), two, { combine: fuel, fold: fuel }, never)).toMatchObject(
      local('timeout'),
    );
    await expectHealthy(pool);
    await pool.close();
  });

  test('a fold is guarded by the lesser of its limits, not by all that it may use', async () => {
    const given: bigint[] = [];
    const guard = (fuel: bigint) => {
      given.push(fuel);
      return 20_000;
    };
    const pool = await createExecutor({ children: 1, readable: [directory], guard });
    const path = file(program());
    const two = [bytes('a'), bytes('b')];
    for (const [combine, fold] of [
      [90_000n, 80_000n],
      [70_000n, fuelFoldMax],
    ] as const) {
      given.length = 0;
      expect(await pool.fold(path, two, { combine, fold }, never)).toMatchObject({ kind: 'ok' });
      expect(given).toEqual([combine < fold ? combine : fold]);
    }
    await pool.close();
  });

  test('a machine without memory to grow by says so, and nothing of the program', async (context) => {
    const hardening = await probeHardening();
    if (!hardening.memoryBounded) context.skip('prlimit is missing');
    const pages = unsigned(4_096);
    const grows = [...op.i32(4_000), ...op.grow, 0x1a, ...op.i64(0n)];
    const memory = [1, 1, ...pages];
    const mapping = (body: readonly number[]) => program({ anw_map: body }, [], { memory });
    const starting = (body: readonly number[]) =>
      program({}, [{ name: null, params: [], results: [], body }], {
        ...{ memory, raw: [{ id: 8, content: [4] }] },
      });
    const task = (code: Uint8Array) => ({
      ...({ kind: 'subtask', programPath: file(code) } as const),
      ...({
        parameters,
        items: [{ kind: 'file', path: file(bytes('item')) }],
        plan: Int32Array.of(0),
      } as const),
      fuel: { item: plenty, combine: plenty },
    });
    const among = async (dataBytes: number, code: Uint8Array) => {
      const wrapper = ['/usr/bin/prlimit', `--data=${dataBytes}`, '--stack=8388608:'];
      const command = childCommand({ ...hardening, wrapper }, [directory]);
      const child = startProcess(command);
      await child.ready;
      const result = await child.run(task(code), { wallMs: 20_000, each: 'task' });
      child.kill();
      await child.exited;
      return result;
    };
    const megabyte = 1024 * 1024;
    const whole = { states: Uint8Array.of(1) };
    const nothing = op.i64(0n);
    expect(await among(750 * megabyte, mapping(grows))).toMatchObject(local('host-oom'));
    expect(await among(750 * megabyte, mapping(nothing))).toMatchObject(whole);
    expect(await among(3_000 * megabyte, mapping(grows))).toMatchObject(whole);
    const first = grows.slice(0, -nothing.length);
    expect(await among(750 * megabyte, starting(first))).toMatchObject(local('host-oom'));
    expect(await among(3_000 * megabyte, starting(first))).toMatchObject(whole);
  });

  test('a child that is killed', async () => {
    const outcome = run(map(loop), ['item'], { fuel: fuelCallMax });
    const [pid] = executor().pids();
    process.kill(pid!, 'SIGKILL');
    expect(await outcome).toMatchObject(local('killed', /SIGKILL/));
    await expectHealthy();
    expect(executor().pids()).not.toContain(pid);
  });

  test('items that nobody has', async () => {
    const path = join(directory, 'missing');
    const items = [{ kind: 'file', path } as const];
    const fuel = { item: plenty, combine: plenty };
    const outcome = await executor().runSubtask(
      { programPath: file(program()), parameters, items, plan: [0], fuel },
      never,
    );
    expect(outcome).toMatchObject(local('killed', /cannot read/));
    await expectHealthy();
  });
});
