// Goal: a program that does its worst comes to its stated end, in the sandbox of a node, and leaves
// nothing behind: no memory in the node, no process, no wrong answer to whoever is next.
// Method: the hostile fixtures in real children, one after another; after each a harmless program.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ChildPool, createExecutor } from '../../node/executor/pool.ts';
import type { SubtaskOutcome } from '../../node/ports.ts';
import { refused } from '../fixtures/hostile/refused.ts';
import { type Fate, running } from '../fixtures/hostile/running.ts';
import { program } from '../fixtures/programs/assemble.ts';

const directory = mkdtempSync(join(tmpdir(), 'anwansi-hostile-'));
/** What a call costs before it runs, for all fixtures: their data and exports are in it. */
const setup = 5_000_000n;
const growthMax = 64 * 1024 * 1024;
const fates = ['none', 'ok', 'trap', 'bad-value', 'out-of-fuel', 'too-deep'] as const;
let executor: ChildPool;
let fileCount = 0;
let rssBefore = 0;

const file = (bytes: Uint8Array): string => {
  const path = join(directory, `file-${fileCount++}`);
  writeFileSync(path, bytes);
  return path;
};
const item = (text: string) =>
  ({ kind: 'file', path: file(new TextEncoder().encode(text)) }) as const;

async function run(bytes: Uint8Array, fuel: bigint): Promise<SubtaskOutcome> {
  const items = [item('one'), item('two')];
  const limits = { item: fuel + setup, combine: fuel + setup };
  const programPath = file(bytes);
  const subtask = { programPath, parameters: new Uint8Array(0), items, plan: [0, 1, -1] };
  return executor.runSubtask({ ...subtask, fuel: limits }, new AbortController().signal);
}

/** What both items and their combine came to, in a word. */
function fateOf(outcome: SubtaskOutcome): Fate | string {
  if (outcome.kind === 'local') return `${outcome.class}: ${outcome.reason}`;
  if (outcome.combineFailed) return 'combine';
  return fates[outcome.states[0]!]!;
}

const harmless = async (): Promise<void> => {
  expect(await run(program(), 100_000n)).toMatchObject({
    kind: 'done',
    states: Uint8Array.of(1, 1),
    value: new TextEncoder().encode('one'),
  });
};

beforeAll(async () => {
  executor = await createExecutor({ children: 1, readable: [directory] });
  await harmless();
  rssBefore = process.memoryUsage().rss;
});
afterAll(async () => {
  const pids = executor.pids();
  await executor.close();
  // Signal 0 asks whether a process is there.
  for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow();
  rmSync(directory, { recursive: true });
});

test.each(Object.entries(running))('%s', async (_, { bytes, fate, fuel }) => {
  expect(fateOf(await run(bytes, fuel))).toBe(fate);
  await harmless();
  expect(executor.pids().length).toBe(1);
});

test('what is refused is not run, by the names of the admission', async () => {
  for (const [name, { bytes, code }] of Object.entries(refused)) {
    const outcome = await run(bytes, 100_000n);
    expect(outcome, name).toMatchObject({ kind: 'local', class: 'inadmissible' });
    const reason = outcome.kind === 'local' ? outcome.reason : '';
    // Our own reader looks before the engine does, and names what it finds.
    const named = code === 'PROGRAM_NOT_WASM' ? /PROGRAM_[A-Z_]+: / : new RegExp(`${code}: `);
    expect(reason, name).toMatch(named);
    // Whatever it is called, what is said of it can be read.
    expect(reason, name).toMatch(/^[ -~…]{1,500}$/);
  }
  await harmless();
});

test('the node itself has grown by less than 64 MiB', () => {
  expect(process.memoryUsage().rss - rssBefore).toBeLessThan(growthMax);
});
