/** Translate between the executor's port and what children are asked and say. */
import { resolve } from 'node:path';
import { digestBytes } from '../../protocol/params.ts';
import type { CallOutcome, ItemOutcome, SubtaskOutcome, SubtaskRun } from '../ports.ts';
import { placeStates, type Task, type TaskResult } from './task.ts';

/** A subtask as a child wants it: packed, with absolute paths. */
export function subtaskTask({ programPath, parameters, items, plan }: SubtaskRun): Task {
  return {
    kind: 'subtask',
    programPath: resolve(programPath),
    parameters,
    items: items.map((item) => (item.kind === 'file' ? resolve(item.path) : item.index)),
    plan: Int32Array.from(plan),
  };
}

function digests(packed: Uint8Array): Uint8Array[] {
  const count = packed.length / digestBytes;
  return Array.from({ length: count }, (_, at) =>
    Uint8Array.from(packed.subarray(at * digestBytes, (at + 1) * digestBytes)),
  );
}

/**
 * Whether a result answers a task. A child that was broken into may say anything, and what it
 * says is the last thing that it can do.
 */
export function answers(task: Task, result: TaskResult): boolean {
  const bytes = (value: unknown, length: number): boolean =>
    value instanceof Uint8Array && value.length === length;
  if (result.kind === 'local' || result.kind === 'failed')
    return (
      (result.kind === 'local' || task.kind !== 'subtask') && typeof result.reason === 'string'
    );
  if (result.kind === 'value') return task.kind !== 'subtask' && result.value instanceof Uint8Array;
  if (result.kind !== 'subtask' || task.kind !== 'subtask') return false;
  const count = task.items.length;
  const complete = result.value instanceof Uint8Array && bytes(result.folds, (count - 1) * 32);
  return (
    bytes(result.states, count) &&
    result.states.every((state) => state < placeStates.length) &&
    bytes(result.hashes, count * digestBytes) &&
    (complete || (result.value === null && result.folds === null))
  );
}

export function subtaskOutcome(result: TaskResult): SubtaskOutcome {
  if (result.kind === 'local') return result;
  if (result.kind !== 'subtask')
    return { kind: 'local', class: 'killed', reason: 'the child answered another question' };
  const { states, folds, value, combineFailed, slowestItemMs } = result;
  const hashes = digests(result.hashes);
  const items = hashes.map((valueHash, place): ItemOutcome | null => {
    const state = placeStates[states[place]!]!;
    if (state === 'skipped') return null;
    return state === 'ok' ? { ok: true, valueHash } : { ok: false, class: state };
  });
  return {
    kind: 'done',
    items,
    folds: folds === null ? null : digests(folds),
    value: value === null ? null : plain(value),
    combineFailed,
    slowestItemMs,
  };
}

export function callOutcome(result: TaskResult): CallOutcome {
  switch (result.kind) {
    case 'value':
      return { kind: 'ok', value: plain(result.value), wallMs: result.wallMs };
    case 'subtask':
      return { kind: 'local', class: 'killed', reason: 'the child answered another question' };
    default:
      return result;
  }
}

/** Bytes that are a Uint8Array and not one of its children, so that equal things look equal. */
function plain({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
