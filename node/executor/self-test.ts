/** Refuse a machine whose engine is not like others: run the vectors of the specification. */
import { readFile } from 'node:fs/promises';
import { guardPicosecondsPerFuel } from '../../protocol/params.ts';
import type { EngineReport, EngineVectors } from './examine.ts';
import { ExecutorError, startError } from './process.ts';
import type { Task, TaskResult } from './task.ts';

const vectorsFile = new URL('../../spec/vectors/execution.json', import.meta.url);

/** The vectors, as anybody may read them. */
export async function readVectors(): Promise<EngineVectors> {
  return JSON.parse(await readFile(vectorsFile, 'utf8')) as EngineVectors;
}

/** What is wrong with an engine; null where nothing is. */
export function engineError({
  fault,
  picosecondsPerFuel,
  dearest,
}: EngineReport): ExecutorError | null {
  if (fault !== null) return new ExecutorError({ code: 'EXECUTOR_ENGINE', ...fault });
  if (picosecondsPerFuel <= guardPicosecondsPerFuel) return null;
  const expected = `at most ${guardPicosecondsPerFuel} ps a unit of fuel`;
  const found = `${picosecondsPerFuel} ps`;
  return new ExecutorError({ code: 'EXECUTOR_ENGINE', vector: dearest, expected, found });
}

let tested: Promise<EngineReport> | null = null;

/** What the test came to; null before the first. @throws as {@link testEngine} */
export function engineReport(): Promise<EngineReport> | null {
  return tested;
}

/**
 * Tests the engine of this machine once a process; `run` has a child do it.
 * @throws ExecutorError `EXECUTOR_ENGINE`; `EXECUTOR_START` when no child could tell.
 */
export function testEngine(run: (task: Task) => Promise<TaskResult>): Promise<EngineReport> {
  tested ??= test(run).catch((error: unknown) => {
    // A child that was lost says nothing of the engine: the next executor asks again.
    tested = null;
    throw error;
  });
  return tested;
}

async function test(run: (task: Task) => Promise<TaskResult>): Promise<EngineReport> {
  const result = await run({ kind: 'examine', vectors: await readVectors() });
  if (result.kind !== 'examined')
    throw startError(`no test of its engine: ${'reason' in result ? result.reason : result.kind}`);
  const error = engineError(result.report);
  if (error !== null) throw error;
  return result.report;
}
