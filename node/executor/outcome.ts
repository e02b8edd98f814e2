/** Translate between the executor's port and what children are asked and say. */
import { resolve } from 'node:path';
import { digestBytes } from '../../protocol/params.ts';
import type { CallOutcome, SubtaskOutcome, SubtaskRun } from '../ports.ts';
import { placeStates, type Task, type TaskResult } from './task.ts';

/** A subtask as a child wants it. */
export function subtaskTask({ programPath, parameters, items, plan }: SubtaskRun): Task {
  return {
    kind: 'subtask',
    programPath: resolve(programPath),
    parameters,
    items,
    plan: plan instanceof Int32Array ? plan : Int32Array.from(plan),
  };
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
    coherent(result.states) &&
    bytes(result.hashes, count * digestBytes) &&
    (complete || (result.value === null && result.folds === null))
  );
}

/** Whether only places above the lowest failing one were passed over. */
function coherent(states: Uint8Array): boolean {
  let failed = false;
  for (let place = 0; place < states.length; place++) {
    const state = states[place]!;
    if (state >= placeStates.length || (state === 0 && !failed)) return false;
    if (state > 1) failed = true;
  }
  return true;
}

export function subtaskOutcome(result: TaskResult): SubtaskOutcome {
  if (result.kind === 'local') return result;
  if (result.kind !== 'subtask')
    return { kind: 'local', class: 'killed', reason: 'the child answered another question' };
  const { states, hashes, folds, value, combineFailed, slowestItemMs } = result;
  return {
    kind: 'done',
    states: plain(states),
    hashes: plain(hashes),
    folds: folds === null ? null : plain(folds),
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
