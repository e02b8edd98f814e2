// Goal: what a run and a call come to, and cost, is pinned in a file that any implementation can
// be checked with; and a machine that differs is told by name.
// Method: the questions are asked again here, the answers compared with the file; some are counted
// by hand; each vector is spoiled once. `UPDATE_VECTORS=1` writes the file, as a decision.
import { writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { examineEngine } from '../../node/executor/examine.ts';
import {
  engineError,
  engineReport,
  readVectors,
  testEngine,
} from '../../node/executor/self-test.ts';
import { guardPicosecondsPerFuel } from '../../protocol/params.ts';
import { makeVectors } from '../support/execution-vectors.ts';

const file = new URL('../../spec/vectors/execution.json', import.meta.url);

test('the vectors are what this implementation finds', async () => {
  const found = makeVectors();
  if (process.env.UPDATE_VECTORS === '1')
    writeFileSync(file, `${JSON.stringify(found, null, 2)}\n`);
  expect(await readVectors()).toEqual(found);
  const names = [...found.runs, ...found.calls].map(({ name }) => name);
  expect(names.length).toBeGreaterThan(50);
});

describe('counted by hand', () => {
  test('runs', async () => {
    const { runs } = await readVectors();
    const of = (name: string) => runs.find((run) => run.name === name)!;
    // Loop, subtraction, branch.
    expect(of('a loop of a thousand turns').used).toBe('3000');
    expect(of('a loop that has just enough')).toMatchObject({ outcome: 'ok', used: '3000' });
    expect(of('a loop that lacks one unit')).toMatchObject({ outcome: 'out-of-fuel', left: '-1' });
    // Loop and branch, taken until nothing is left: -2 is the first that is below 0.
    expect(of('an endless loop')).toMatchObject({ outcome: 'out-of-fuel', left: '-2' });
    expect(of('an indirect call').used).toBe('17');
    expect(of('a reference of a function').used).toBe(`${8 + 1}`);
    // A global is written, then read.
    expect(of('an export behind a start function')).toMatchObject({ used: '2', value: 'i32:7' });
    expect(of('a start function that leaves just enough').outcome).toBe('ok');
    for (const name of ['leaves too little', 'runs out behind its end'])
      expect(of(`a start function that ${name}`)).toMatchObject({
        ...{ outcome: 'out-of-fuel', left: '-1' },
      });
    expect(of('memory.fill of 999 bytes').used).toBe(`${300 + 124}`);
    expect(of('memory.grow by 15 pages')).toMatchObject({ used: '1015000', value: 'i32:1' });
    expect(of('memory.grow beyond the maximum')).toMatchObject({ value: 'i32:-1' });
    expect(of('a factorial').value).toBe('i64:2432902008176640000');
    for (const name of ['recursion without end', 'recursion without end, of large frames'])
      expect(of(name).outcome).toBe('too-deep');
    const canonical = `i64:${0x7ff8n << 48n}`;
    for (const name of ['f64.add of two NaNs', 'f64.div of zeros', 'f64.promote of a NaN'])
      expect(of(name).value, name).toBe(canonical);
    expect(of('f64.neg of a made NaN').value).toBe(`i64:${BigInt.asIntN(64, 0xfff8n << 48n)}`);
    expect(of('f64.abs keeps a payload').value).toBe(`i64:${(0x7ff0n << 48n) + 1n}`);
    expect(of('f32.demote of a NaN').value).toBe(`i32:${0x7fc0_0000}`);
  });

  test('calls', async () => {
    const { calls } = await readVectors();
    const of = (name: string) => calls.find((call) => call.name === name)!;
    // Two allocations of 3 (global.get twice, addition, global.set): 4 each, called by the host;
    // `map` packs its result: two conversions, a shift, an or.
    const run = 2 * 4 + 4;
    // Globals of 7 bytes, exports of 59 bytes at 4 each, a page of memory.
    const setup = 7 + 4 * 59 + 2_000;
    const arguments_ = Math.ceil(9 / 8);
    expect(of('an item')).toMatchObject({ used: `${16_384 + arguments_ + setup + run}` });
    const empty = of('an empty item, no parameters');
    expect(empty).toMatchObject({ used: `${16_384 + setup + 4}`, value: '' });
    // Eleven bytes more of data.
    const data = Number(of('an item of a program with data').used) - Number(of('an item').used);
    expect(data).toBe(11);
    expect(of('a limit that does not pay for the instance').outcome).toBe('out-of-fuel');
    expect(of('data that lies outside of the memory').outcome).toBe('trap');
    expect(of('a fold of one value')).toMatchObject({ outcome: 'ok', used: '0' });
    expect(of('a check that holds').value).toBe('01');
    expect(of('a check that refutes').value).toBe('00');
  });
});

describe('an examination', () => {
  test('passes here, well within the guard', async () => {
    const report = examineEngine(await readVectors());
    expect(report.fault).toBe(null);
    expect(report.picosecondsPerFuel).toBeGreaterThan(0);
    expect(engineError({ ...report, picosecondsPerFuel: 1 })).toBe(null);
  });

  test('names the vector that an engine does not meet', async () => {
    const { runs, calls } = await readVectors();
    const quick = runs.filter(({ timed }) => timed !== true);
    for (const vector of quick) {
      const spoiled = { ...vector, outcome: vector.outcome === 'ok' ? 'trap' : 'ok' };
      const { fault } = examineEngine({ runs: [spoiled], calls: [] });
      expect(fault).toMatchObject({ vector: vector.name });
    }
    for (const vector of calls) {
      const spoiled = {
        ...vector,
        used: vector.used === null ? '1' : `${BigInt(vector.used) + 1n}`,
      };
      const { fault } = examineEngine({ runs: [], calls: [spoiled] });
      expect(fault, vector.name).toMatchObject({ vector: vector.name });
    }
    const unknown = { ...quick[0]!, export: 'nothing' };
    const { fault } = examineEngine({ runs: [unknown], calls: [] });
    expect(fault!.found).toMatch(/TypeError/);
  });

  test('refuses an engine that differs, and one that is slower than its guard', () => {
    const report = { fault: null, picosecondsPerFuel: 1, dearest: 'memory.fill of nothing' };
    const fault = { vector: 'a loop', expected: 'ok, 3 used', found: 'ok, 4 used' };
    expect(engineError({ ...report, fault })).toMatchObject({
      code: 'EXECUTOR_ENGINE',
      detail: fault,
      message: expect.stringContaining('fails "a loop": expected ok, 3 used, found ok, 4 used'),
    });
    const most = Number(guardPicosecondsPerFuel);
    expect(engineError({ ...report, picosecondsPerFuel: most })).toBe(null);
    expect(engineError({ ...report, picosecondsPerFuel: most + 1 })).toMatchObject({
      code: 'EXECUTOR_ENGINE',
      detail: { vector: report.dearest, found: `${most + 1} ps` },
    });
  });

  test('is made once a process, and again after one that told nothing or no good', async () => {
    const report = { fault: null, picosecondsPerFuel: 7, dearest: 'a loop' };
    const fault = { vector: 'a loop', expected: 'ok', found: 'trap' };
    const examined =
      (of: typeof report | { fault: typeof fault }) => async (task: { kind: string }) => {
        expect(task.kind).toBe('examine');
        return { kind: 'examined', report: { ...report, ...of } } as const;
      };
    await expect(testEngine(examined({ fault }))).rejects.toMatchObject({
      code: 'EXECUTOR_ENGINE',
    });
    const lost = { kind: 'local', class: 'killed', reason: 'it was lost' } as const;
    await expect(testEngine(async () => lost)).rejects.toMatchObject({
      ...{ code: 'EXECUTOR_START', message: expect.stringContaining('it was lost') },
    });
    expect(engineReport()).toBe(null);
    expect(await testEngine(examined(report))).toEqual(report);
    expect(await testEngine(async () => lost), 'not asked again').toEqual(report);
    expect(await engineReport()).toEqual(report);
  });
});
