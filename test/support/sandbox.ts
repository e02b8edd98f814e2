/** Run programs in real children, in a folder of one test file. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from 'vitest';
import { type ChildPool, createExecutor } from '../../node/executor/pool.ts';
import type { SubtaskOutcome } from '../../node/ports.ts';
import { sha256 } from '../../protocol/crypto/hash.ts';
import { program as harmless } from '../fixtures/programs/assemble.ts';
import { leftPlan } from '../fixtures/programs/plan.ts';

export const never = new AbortController().signal;
export const parameters = new TextEncoder().encode('{}');
export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
/** Fuel that is enough for anything small. */
export const plenty = 10_000_000n;

/** The packed hashes of values, as outcomes carry them. */
export const hashed = (...texts: string[]): Uint8Array =>
  new Uint8Array(texts.flatMap((text) => [...sha256(bytes(text))]));

type Wishes = { pool?: ChildPool; signal?: AbortSignal; fuel?: bigint; plan?: number[] };

export type Sandbox = {
  readonly directory: string;
  /** One child, for all tests of the file. */
  readonly pool: () => ChildPool;
  /** Writes a file that children may read. */
  readonly file: (content: Uint8Array) => string;
  /** Runs a program on items as one subtask, folded from the left unless a plan is given. */
  readonly run: (
    program: Uint8Array,
    items: readonly string[],
    wishes?: Wishes,
  ) => Promise<SubtaskOutcome>;
  /** Runs a harmless program: whatever came before it has left nothing behind. */
  readonly expectHealthy: (pool?: ChildPool) => Promise<void>;
};

/** Call once at the top of a test file. */
export function openSandbox(): Sandbox {
  const directory = mkdtempSync(join(tmpdir(), 'anwansi-executor-'));
  let executor: ChildPool;
  let fileCount = 0;
  beforeAll(async () => {
    executor = await createExecutor({ children: 1, readable: [directory] });
  });
  afterAll(async () => {
    await executor.close();
    rmSync(directory, { recursive: true });
  });
  const file = (content: Uint8Array): string => {
    const path = join(directory, `file-${fileCount++}`);
    writeFileSync(path, content);
    return path;
  };
  const run: Sandbox['run'] = (program, items, wishes = {}) => {
    const { pool = executor, signal = never, fuel = plenty, plan } = wishes;
    return pool.runSubtask(
      {
        programPath: file(program),
        parameters,
        items: items.map((item) => ({ kind: 'file', path: file(bytes(item)) })),
        plan: plan ?? leftPlan(items.length),
        fuel: { item: fuel, combine: fuel },
      },
      signal,
    );
  };
  const expectHealthy = async (pool = executor): Promise<void> => {
    expect(await run(harmless(), ['one', '', 'two'], { pool })).toEqual({
      kind: 'done',
      states: Uint8Array.of(1, 1, 1),
      hashes: hashed('one', '', 'two'),
      folds: hashed('one', 'one'),
      value: bytes('one'),
      combineFailed: false,
      mapFuel: expect.any(BigInt),
      spent: {
        itemMax: expect.any(BigInt),
        combineMax: expect.any(BigInt),
        combineSum: expect.any(BigInt),
        memoryBytesMax: 65_536,
        used: expect.any(BigInt),
      },
      slowestItemMs: expect.any(Number),
    });
  };
  return { directory, pool: () => executor, file, run, expectHealthy };
}
