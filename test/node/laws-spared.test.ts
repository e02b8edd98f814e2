// Goal: a check that a person asked for, and that found nothing, spares the look before a job of the
// same program and parameters; one that was shorter, or saw no input, spares nothing.
// Method: the real commands in the real sandbox, one folder of remembered words each; the calls of
// the look before a job are counted.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { programCheck } from '../../node/cli/commands/program-check.ts';
import { passLaws } from '../../node/cli/law-gate.ts';
import { standsForQuick } from '../../node/client/laws.ts';
import { type ChildPool, createExecutor } from '../../node/executor/pool.ts';
import { fullBounds, quickBounds, quickRunCount } from '../../node/laws/check.ts';
import type { Executor } from '../../node/ports.ts';
import { eightByteProgram } from '../fixtures/programs/lawless.ts';
import { runWords } from '../support/command-line.ts';
import { lawSubject } from '../support/law-subject.ts';

const directory = mkdtempSync(join(tmpdir(), 'anwansi-laws-spared-'));
const sound = eightByteProgram('sum');
let executor: ChildPool;
let folderCount = 0;
beforeAll(async () => {
  executor = await createExecutor({ children: 1, readable: [directory] });
  writeFileSync(join(directory, 'numbers'), new Uint8Array(Float64Array.of(1, 2, 3).buffer));
  writeFileSync(join(directory, 'sum.wasm'), sound);
});
afterAll(async () => {
  await executor.close();
  rmSync(directory, { recursive: true });
});

const newEnvironment = () => ({ ANWANSI_DATA_DIR: join(directory, `data-${folderCount++}`) });
type Environment = Readonly<Record<string, string>>;

async function check(environment: Environment, ...options: string[]): Promise<void> {
  const words = ['program', 'check', './sum.wasm', '--seed', '7', ...options];
  const { exitCode, err } = await runWords([programCheck], words, { directory, environment });
  expect(exitCode, err).toBe(0);
}

/** Calls of the look before a job, and whether it says that it was done before. */
async function look(environment: Environment, parameters = '') {
  const details: string[] = [];
  let calls = 0;
  const counting = new Proxy<Executor>(executor, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...given: unknown[]) => {
        calls++;
        return value.apply(target, given);
      };
    },
  });
  const { program, scratch } = lawSubject(sound, directory, executor);
  const wish = { program: { ...program, name: 'sum', bundled: false }, parameters };
  const inputPath = join(directory, 'numbers');
  const job = { program: 'sum', input: inputPath, params: parameters };
  const output = { note: () => {}, detail: (line: string) => details.push(line) };
  const { signal } = new AbortController();
  const context = { ...{ output, signal, environment }, resolvePath: (path: string) => path };
  const ground = { executor: counting, scratch };
  expect(await passLaws({ ...wish, inputPath } as never, ground, job, context as never)).toEqual(
    [],
  );
  return { looked: calls > 0, before: details.some((line) => line.endsWith('(checked before)')) };
}

const input = ['--input', 'numbers'];
const isNew = { looked: true, before: false };

test('after a check that passed, no job is looked at; with another parameter it is', async () => {
  const environment = newEnvironment();
  await check(environment, ...input, '--runs', String(quickRunCount));
  expect(await look(environment)).toEqual({ looked: false, before: true });
  expect(await look(environment, '{}')).toEqual(isNew);
  expect(await look(newEnvironment())).toEqual(isNew);
});

test('a check that was shorter spares nothing', async () => {
  // Surroundings that name no home remember nothing.
  await check({}, ...input, '--runs', String(quickRunCount));
  expect(await look({})).toEqual(isNew);
  const environment = newEnvironment();
  await check(environment, ...input, '--runs', String(quickRunCount - 1));
  expect(await look(environment)).toEqual(isNew);
});

test('what stands for the look is as wide as it, and refutes nothing', () => {
  const places = { kind: 'list', places: [0] };
  const passed = { verdict: 'none-found', runs: quickRunCount, bounds: fullBounds, input: places };
  const stands = (changes: object): boolean => standsForQuick({ ...passed, ...changes } as never);
  expect([stands({}), stands({ bounds: quickBounds })]).toEqual([true, true]);
  for (const name of Object.keys(quickBounds) as (keyof typeof quickBounds)[]) {
    const [bound] = [quickBounds[name]];
    const less = typeof bound === 'bigint' ? bound - 1n : bound - 1;
    expect(stands({ bounds: { ...fullBounds, [name]: less } }), name).toBe(name === 'shrunk');
  }
  for (const verdict of ['refuted', 'untested']) expect(stands({ verdict })).toBe(false);
  expect(stands({ runs: quickRunCount - 1 })).toBe(false);
  expect(stands({ input: { kind: 'none' } })).toBe(false);
});
