/** Translate between the executor's port and what children are asked and say. */
import { resolve } from 'node:path';
import { digestBytes } from '../../protocol/params.ts';
import { plainText } from '../client/plain.ts';
import type {
  CallOutcome,
  FailureClass,
  LocalFailureClass,
  SubtaskOutcome,
  SubtaskRun,
} from '../ports.ts';
import { callLimits, placeStates, type Task, type TaskResult } from './task.ts';

/** A subtask as a child wants it. */
export function subtaskTask({ programPath, parameters, items, plan, fuel }: SubtaskRun) {
  return {
    kind: 'subtask' as const,
    programPath: resolve(programPath),
    parameters,
    items,
    fuel: { item: fuel.item, combine: fuel.combine },
    plan: plan instanceof Int32Array ? plan : Int32Array.from(plan),
  };
}

/**
 * Whether a result answers a task. A child that was broken into may say anything, and what it
 * says is the last thing that it can do.
 */
export function answers(task: Task, result: TaskResult): boolean {
  try {
    return isAnswer(task, result);
  } catch {
    return false; // It lacks what every answer has.
  }
}

function isAnswer(task: Task, result: TaskResult): boolean {
  const bytes = (value: unknown, length: number): boolean =>
    value instanceof Uint8Array && value.length === length;
  const used = (fuel: unknown, limit: bigint): boolean =>
    typeof fuel === 'bigint' && fuel >= 0n && fuel <= limit;
  if (result.kind === 'local')
    return localClasses.includes(result.class) && typeof result.reason === 'string';
  // What calls used is at most twice their limits: X93 lets a call be made again.
  switch (task.kind) {
    case 'examine':
      return result.kind === 'examined';
    case 'subtask':
      break;
    default: {
      const { all, each } = callLimits(task);
      if (result.kind === 'value')
        return result.value instanceof Uint8Array && used(result.fuel, all);
      return (
        result.kind === 'failed' &&
        failureClasses.includes(result.class) &&
        typeof result.reason === 'string' &&
        used(result.used, 2n * all) &&
        // What a fold has left for a combine may be less than any combine may use.
        (task.kind === 'fold' ? used(result.fuel, each) : result.fuel === each)
      );
    }
  }
  if (result.kind !== 'subtask') return false;
  const count = task.items.length;
  const complete = result.value instanceof Uint8Array && bytes(result.folds, (count - 1) * 32);
  return (
    bytes(result.states, count) &&
    coherent(result.states) &&
    bytes(result.hashes, count * digestBytes) &&
    used(result.mapFuel, BigInt(count) * task.fuel.item) &&
    used(result.spent.itemMax, task.fuel.item) &&
    used(result.spent.combineMax, task.fuel.combine) &&
    used(result.spent.combineSum, BigInt(count) * task.fuel.combine) &&
    Number.isSafeInteger(result.spent.memoryBytesMax) &&
    used(result.spent.used, 2n * BigInt(count) * (task.fuel.item + task.fuel.combine)) &&
    (result.said === null || typeof result.said === 'string') &&
    (complete || (result.value === null && result.folds === null))
  );
}

/** Letters of what a person is told of a failure. */
const saidLengthMax = 200;

/** Letters of why a machine could not run something: it may name an import and what to do. */
const reasonLengthMax = 1_000;

/** A child's text as a line; one that was broken into may have sent any number of letters. */
function toldLine(text: string, lengthMax = saidLengthMax): string {
  return plainText(text.slice(0, 4 * lengthMax), lengthMax);
}

const failureClasses: readonly FailureClass[] = placeStates.slice(2) as FailureClass[];
const localClasses: readonly LocalFailureClass[] = [
  'timeout',
  'killed',
  'host-oom',
  'inadmissible',
];

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
  if (result.kind === 'local') return toldLocal(result);
  if (result.kind !== 'subtask')
    return { kind: 'local', class: 'killed', reason: 'the child answered another question' };
  const { states, hashes, folds, value, combineFailed, mapFuel, spent, slowestItemMs } = result;
  const { said } = result;
  return {
    kind: 'done',
    states: plain(states),
    hashes: plain(hashes),
    folds: folds === null ? null : plain(folds),
    value: value === null ? null : plain(value),
    combineFailed,
    mapFuel,
    spent,
    slowestItemMs,
    ...(said === null ? {} : { said: toldLine(said) }),
  };
}

export function callOutcome(result: TaskResult): CallOutcome {
  switch (result.kind) {
    case 'value':
      return {
        kind: 'ok',
        value: plain(result.value),
        wallMs: result.wallMs,
        fuel: result.fuel,
      };
    case 'subtask':
    case 'examined':
      return { kind: 'local', class: 'killed', reason: 'the child answered another question' };
    case 'failed':
      return { ...result, reason: toldLine(result.reason) };
    default:
      return toldLocal(result);
  }
}

function toldLocal<T extends Extract<TaskResult, { readonly kind: 'local' }>>(result: T): T {
  return { ...result, reason: toldLine(result.reason, reasonLengthMax) };
}

/** Bytes that are a Uint8Array and not one of its children, so that equal things look equal. */
function plain({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
