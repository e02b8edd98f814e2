/** Let Debian's wabt, an interpreter that shares no code with V8, check what was observed. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EngineCase } from './cases.ts';
import { driverOf } from './driver.ts';
import { type Observation, type Observed, rewrite } from './observe.ts';

/** Pages of which the interpreter is asked for a digest: it takes 2 ms for one. */
const digestPagesMax = 256;
const interpreter = 'spectest-interp';

/** A sentence about what is missing; null when the tools are there, or could be installed. */
export function installWabt(): string | null {
  const has = (): boolean => spawnSync(interpreter, ['--version']).status === 0;
  if (has()) return null;
  if (process.getuid?.() === 0)
    spawnSync('apt-get', ['install', '-y', '-qq', 'wabt'], { stdio: 'ignore' });
  if (has()) return null;
  return (
    'wabt is missing, the interpreter that checks the engines from outside: install it ' +
    '(Debian: apt-get install wabt), or leave it out with --without-wabt'
  );
}

/** What the interpreter made of the runs of one case: how many were as observed, and the others. */
export type WabtAnswer = {
  readonly agreed: number;
  /** Runs for which its own stack is too small, so that they say nothing. */
  readonly tooDeep: number;
  readonly differences: readonly string[];
};

/**
 * Writes a case with its observations as assertions, one line for each run, and runs them.
 * A module that cannot be instantiated has nothing that could be asked.
 */
export function askWabt(folder: string, one: EngineCase, { name, runs }: Observed): WabtAnswer {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'program.wasm'), rewrite(one));
  writeFileSync(join(folder, 'driver.wasm'), driverOf(one));
  const shown = runs.filter(({ pages }) => pages >= 0);
  const commands = shown.flatMap((run, line) => commandsOf(run, line + 1));
  const path = join(folder, 'case.json');
  writeFileSync(path, JSON.stringify({ source_filename: 'case.wast', commands }));
  const { stdout, status, error } = spawnSync(interpreter, [path], {
    encoding: 'utf8',
    timeout: 600_000,
    maxBuffer: 2 ** 26,
  });
  if (error !== undefined)
    return { agreed: 0, tooDeep: 0, differences: [`${name}: ${error.message}`] };
  const wrong = new Map<number, string>();
  const tooDeep = new Set<number>();
  for (const text of stdout.split('\n')) {
    const line = Number(/case\.wast:(\d+)/.exec(text)?.[1] ?? 0);
    // A trap that was asked for is told as well.
    if (text.includes('call stack exhausted')) tooDeep.add(line);
    const asked = text.includes('assert_trap passed');
    if (line > 0 && !asked && !tooDeep.has(line) && !wrong.has(line)) wrong.set(line, text);
  }
  const differences = [...wrong].map(
    ([line, text]) => `${name}, limit ${shown[line - 1]?.limit}: ${text}`,
  );
  const passed = /(\d+)\/(\d+) tests passed/.exec(stdout);
  if (
    differences.length === 0 &&
    tooDeep.size === 0 &&
    (status !== 0 || passed === null || passed[1] !== passed[2])
  )
    differences.push(`${name}: ${stdout.trim().slice(-200)}`);
  return { agreed: shown.length - wrong.size - tooDeep.size, tooDeep: tooDeep.size, differences };
}

function commandsOf(run: Observation, line: number): object[] {
  const invoke = (field: string, args: object[] = []) => ({ type: 'invoke', field, args });
  const is = (field: string, type: 'i32' | 'i64', value: string | number): object => ({
    ...{ type: 'assert_return', line, action: invoke(field) },
    expected: [{ type, value: unsigned(type, value) }],
  });
  const set = invoke('set', [
    { type: 'i64', value: unsigned('i64', run.limit) },
    { type: 'i32', value: unsigned('i32', run.units) },
  ]);
  const trap = { type: 'assert_trap', line, action: invoke('run'), text: '' };
  return [
    { type: 'module', line, name: '$p', filename: 'program.wasm' },
    { type: 'register', line, name: '$p', as: 'p' },
    { type: 'module', line, filename: 'driver.wasm' },
    { type: 'action', line, action: set, expected: [] },
    run.returned ? is('run', 'i64', run.value) : { ...trap, expected: [{ type: 'i64' }] },
    is('fuel', 'i64', run.fuel),
    is('depth', 'i32', run.depth),
    is('pages', 'i32', run.pages),
    ...(run.pages <= digestPagesMax ? [is('digest', 'i64', run.digest)] : []),
  ];
}

/** Integers are written without a sign. */
function unsigned(type: 'i32' | 'i64', value: string | number): string {
  return `${BigInt.asUintN(type === 'i32' ? 32 : 64, BigInt(value))}`;
}
