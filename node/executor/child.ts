/** Run tasks inside the sandbox, one after another: the entry of an executor's child process. */
import { hash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { combineValues, evaluatePlan } from '../../protocol/execution/evaluate.ts';
import { itemBytesMax, programBytesMax, valueBytesMax } from '../../protocol/params.ts';
import { engine, type Module } from './engine.ts';
import {
  type Argument,
  type CallResult,
  callProgram,
  countItems,
  HostFailure,
  notAdmitted,
} from './instance.ts';
import {
  type ChildMessage,
  type ItemPart,
  itemAt,
  type ParentMessage,
  type Task,
  type TaskResult,
} from './task.ts';

/** Programs that stay compiled. */
const moduleCountMax = 8;
/** Milliseconds of work that may pass without a sign to the parent. */
const stepIntervalMs = 5;

const modules = new Map<string, Module>();
let lastStepMs = 0;

const unreadable = (reason: string): HostFailure => new HostFailure('killed', reason);

function moduleOf(path: string): Module {
  const known = modules.get(path);
  if (known !== undefined) {
    modules.delete(path);
    modules.set(path, known);
    return known;
  }
  const bytes = read(path, programBytesMax, (size, readInto) => {
    const target = new Uint8Array(size);
    readInto(target);
    return target;
  });
  let compiled: Module;
  try {
    compiled = new engine.Module(bytes);
  } catch (error) {
    throw notAdmitted((error as Error).message);
  }
  modules.set(path, compiled);
  for (const oldest of modules.keys()) {
    if (modules.size <= moduleCountMax) break;
    modules.delete(oldest);
  }
  return compiled;
}

/** Opens a file for `use`, which is told its size and how to read it. */
function read<T>(
  path: string,
  bytesMax: number,
  use: (bytes: number, readInto: (target: Uint8Array) => void) => T,
): T {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    throw unreadable(`cannot read ${path}: ${(error as Error).message}`);
  }
  try {
    const { size } = fstatSync(file);
    if (size > bytesMax) throw unreadable(`${path} has ${size} bytes, more than ${bytesMax}`);
    return use(size, (target) => {
      for (let at = 0; at < target.length; ) {
        const count = readSync(file, target, at, target.length - at, at);
        if (count === 0) throw unreadable(`${path} became shorter while it was read`);
        at += count;
      }
    });
  } finally {
    closeSync(file);
  }
}

const sha256 = (bytes: Uint8Array): Uint8Array => hash('sha256', bytes, 'buffer');

/** Tells the parent that work goes on, but not more often than it can use. */
function step(): void {
  const now = performance.now();
  if (now - lastStepMs < stepIntervalMs) return;
  lastStepMs = now;
  send({ kind: 'step' });
}

function send(message: ChildMessage): void {
  process.send?.(message);
}

function mapItem(module: Module, parameters: Uint8Array, item: string | number) {
  const map = (argument: Argument): CallResult =>
    callProgram(module, { name: 'anw_map', arguments: [parameters, argument], valueBytesMax });
  if (typeof item === 'string')
    return read(item, itemBytesMax, (bytes, readInto) => map({ bytes, readInto }));
  const generated = callProgram(module, {
    name: 'anw_item',
    arguments: [parameters],
    index: BigInt(item),
    valueBytesMax: itemBytesMax,
  });
  return generated.ok ? map(generated.value) : generated;
}

function combine(module: Module, a: Uint8Array, b: Uint8Array): CallResult {
  const result = callProgram(module, { name: 'anw_combine', arguments: [a, b], valueBytesMax });
  step();
  return result;
}

function runSubtask(
  { programPath, parameters, plan }: Task & { kind: 'subtask' },
  parts: readonly ItemPart[],
) {
  const module = moduleOf(programPath);
  step();
  let slowestItemMs = 0;
  const itemCount = parts.reduce((count, { indices }) => count + indices.length, 0);
  const outcome = evaluatePlan(plan, itemCount, {
    map: (place) => {
      const startMs = performance.now();
      const mapped = mapItem(module, parameters, itemAt(parts, place));
      slowestItemMs = Math.max(slowestItemMs, performance.now() - startMs);
      step();
      return mapped;
    },
    combine: (a, b) => combine(module, a, b),
    sha256,
  });
  const states = new Uint8Array(itemCount);
  const hashes = new Uint8Array(32 * itemCount);
  outcome.items.forEach((item, place) => {
    if (item === null) return;
    if (item.ok) hashes.set(item.valueHash, 32 * place);
    states[place] = item.ok ? 1 : item.class === 'trap' ? 2 : 3;
  });
  return {
    kind: 'subtask',
    states,
    hashes,
    folds: outcome.folds === null ? null : Buffer.concat(outcome.folds),
    value: outcome.value,
    combineFailed: outcome.combineFailed,
    slowestItemMs,
  } as const;
}

function fold({ programPath, values }: Task & { kind: 'fold' }): CallResult {
  const module = moduleOf(programPath);
  let result: CallResult = { ok: true, value: new Uint8Array(0) };
  for (const value of values) {
    if (!result.ok) break;
    result = combineValues((a, b) => combine(module, a, b), result.value, value);
  }
  return result;
}

function render({ programPath, parameters, value }: Task & { kind: 'render' }): CallResult {
  const module = moduleOf(programPath);
  const renders = engine.Module.exports(module).some(({ name }) => name === 'anw_render');
  if (!renders) return { ok: true, value };
  return callProgram(module, { name: 'anw_render', arguments: [parameters, value], valueBytesMax });
}

function run(task: Task, parts: readonly ItemPart[]): TaskResult {
  const startMs = performance.now();
  switch (task.kind) {
    case 'subtask':
      return runSubtask(task, parts);
    case 'fold':
      return valueResult(fold(task), startMs);
    case 'render':
      return valueResult(render(task), startMs);
    case 'count':
      return valueResult(countItems(moduleOf(task.programPath), task.parameters), startMs);
  }
}

function valueResult(result: CallResult, startMs: number): TaskResult {
  return result.ok
    ? { kind: 'value', value: result.value, wallMs: performance.now() - startMs }
    : { kind: 'failed', class: result.class, reason: result.reason ?? result.class };
}

function attempt(task: Task, parts: readonly ItemPart[]): TaskResult {
  try {
    return run(task, parts);
  } catch (error) {
    if (error instanceof HostFailure)
      return { kind: 'local', class: error.class, reason: error.message };
    const reason = error instanceof Error ? error.message : String(error);
    return { kind: 'local', class: error instanceof RangeError ? 'host-oom' : 'killed', reason };
  }
}

// The file of a program may be replaced by another one only under another name: names are CIDs.
let parts: ItemPart[] = [];
process.on('message', (message: ParentMessage) => {
  if (message.kind === 'items') {
    parts.push(message.part);
    step();
    return;
  }
  lastStepMs = performance.now();
  const result = attempt(message.task, parts);
  parts = [];
  send({ kind: 'end', result, residentBytes: process.memoryUsage.rss() });
});
process.on('disconnect', () => process.exit(0));
send({ kind: 'ready' });
