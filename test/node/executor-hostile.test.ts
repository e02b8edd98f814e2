// Goal: a program that does its worst harms nobody: neither its seat nor the next program.
// Method: real children, with and without memory, killed, starved and fed with nothing.
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createExecutor } from '../../node/executor/pool.ts';
import { startProcess } from '../../node/executor/process.ts';
import { childCommand, probeHardening } from '../../node/executor/recipe.ts';
import { placeStates } from '../../node/executor/task.ts';
import { fuelCallMax } from '../../protocol/params.ts';
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
    ['an endless start function', start, local('inadmissible', /PROGRAM_START/)],
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
      expect(again).toEqual({ ...outcome, slowestItemMs: expect.any(Number) });
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
    expect(await pool.fold(file(stuck), two, fuel, never)).toMatchObject(local('timeout'));
    await expectHealthy(pool);
    await pool.close();
  });

  test('a machine without memory to grow by says so, and nothing of the program', async (context) => {
    const hardening = await probeHardening();
    if (!hardening.memoryBounded) context.skip('prlimit is missing');
    const pages = unsigned(4_096);
    const grows = [...op.i32(4_000), ...op.grow, 0x1a, ...op.i64(0n)];
    const task = (body: readonly number[]) => ({
      ...({
        kind: 'subtask',
        programPath: file(program({ anw_map: body }, [], { memory: [1, 1, ...pages] })),
      } as const),
      ...({
        parameters,
        items: [{ kind: 'file', path: file(bytes('item')) }],
        plan: Int32Array.of(0),
      } as const),
      fuel: { item: plenty, combine: plenty },
    });
    const among = async (dataBytes: number, body: readonly number[]) => {
      const wrapper = ['/usr/bin/prlimit', `--data=${dataBytes}`, '--stack=8388608:'];
      const command = childCommand({ ...hardening, wrapper }, [directory]);
      const child = startProcess(command);
      await child.ready;
      const result = await child.run(task(body), { wallMs: 20_000, each: 'task' });
      child.kill();
      await child.exited;
      return result;
    };
    const megabyte = 1024 * 1024;
    expect(await among(750 * megabyte, grows)).toMatchObject(local('host-oom'));
    expect(await among(750 * megabyte, op.i64(0n))).toMatchObject({ states: Uint8Array.of(1) });
    expect(await among(3_000 * megabyte, grows)).toMatchObject({ states: Uint8Array.of(1) });
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
