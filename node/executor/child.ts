/** Run tasks inside the sandbox, one after another: the entry of an executor's child process. */
import { hash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { limitBytes } from '../../protocol/execution/admit.ts';
import { evaluatePlan, type Folded } from '../../protocol/execution/evaluate.ts';
import { ProgramError } from '../../protocol/execution/rejection.ts';
import { itemBytesMax } from '../../protocol/params.ts';
import { engine, type Module } from './engine.ts';
import { examineEngine } from './examine.ts';
import { type CallResult, HostFailure, takePeakBytes, takeUsedFuel } from './instance.ts';
import {
  check,
  combine,
  count,
  fold,
  type Item,
  inadmissible,
  mapItem,
  openProgram,
  type Program,
  render,
  sample,
} from './program.ts';
import {
  type CallTask,
  type ChildMessage,
  callLimits,
  type ItemPart,
  itemAt,
  type ParentMessage,
  type Task,
  type TaskResult,
} from './task.ts';

/** Programs that stay open. */
const programCountMax = 8;
/** Milliseconds of work that may pass without a sign to the parent. */
const stepIntervalMs = 5;

const programs = new Map<string, Program>();
let lastStepMs = 0;

const unreadable = (reason: string): HostFailure => new HostFailure('killed', reason);

/** The program at a path, opened once as long as it is among those used last. */
function programAt(path: string): Program {
  const known = programs.get(path);
  if (known !== undefined) {
    programs.delete(path);
    programs.set(path, known);
    return known;
  }
  const bytes = read(path, limitBytes, (size, readInto) => {
    const target = new Uint8Array(size);
    readInto(target);
    return target;
  });
  const opened = openProgram(bytes, compileBaseline);
  programs.set(path, opened);
  for (const oldest of programs.keys()) {
    if (programs.size <= programCountMax) break;
    programs.delete(oldest);
  }
  step();
  return opened;
}

/** Whether this process has no optimizing compiler any more: then it is worth replacing. */
let isBaseline = false;

/** A custom section without content, so that the engine does not take code that it has already. */
const marked = [0x00, 0x02, 0x01, 0x62];

/** Compiles without the optimizing compiler, which from then on nothing here has. */
function compileBaseline(bytes: Uint8Array): Module {
  isBaseline = true;
  setFlagsFromString('--liftoff');
  setFlagsFromString('--liftoff-only');
  const copy = new Uint8Array(bytes.length + marked.length);
  copy.set(bytes);
  copy.set(marked, bytes.length);
  return new engine.Module(copy);
}

/** Opens a file for `use`, which is told its size and how to read it. `limit` may refuse a size. */
function read<T>(
  path: string,
  limit: (bytes: number, path: string) => void,
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
    limit(size, path);
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

/** Gives `use` an item: the index of a generated one, or a file that can be read. */
function withItem(item: string | bigint, use: (item: Item) => CallResult): CallResult {
  if (typeof item === 'bigint') return use(item);
  return read(item, limitItem, (bytes, readInto) => use({ bytes, readInto }));
}

function limitItem(bytes: number, path: string): void {
  if (bytes > itemBytesMax)
    throw unreadable(`${path} has ${bytes} bytes, more than ${itemBytesMax}`);
}

/**
 * What calls used of which one failed, for this machine's own accounts. A function that loops keeps
 * its fuel in a local, which a trap does not bring back to the counter: then a nanosecond of the
 * processor counts as a unit.
 */
function usedAtMost(most: bigint, begun: NodeJS.CpuUsage): bigint {
  const { user, system } = process.cpuUsage(begun);
  const used = larger(takeUsedFuel(), BigInt(user + system) * 1_000n);
  return used < most ? used : most;
}

const larger = (a: bigint, b: bigint): bigint => (a > b ? a : b);

function runSubtask(
  { programPath, parameters, plan, fuel }: Task & { kind: 'subtask' },
  parts: readonly ItemPart[],
): TaskResult {
  const program = programAt(programPath);
  let slowestItemMs = 0;
  const spent = { itemMax: 0n, combineMax: 0n, combineSum: 0n };
  const begun = process.cpuUsage();
  // Each item that fails is lower than the one before; of combines only one can fail.
  const said: { item?: string; combine?: string } = {};
  takePeakBytes();
  const itemCount = parts.reduce((count, { indices }) => count + indices.length, 0);
  const outcome = evaluatePlan(plan, itemCount, fuel.item, {
    map: (place) => {
      const startMs = performance.now();
      const mapped = withItem(itemAt(parts, place), (item) =>
        mapItem(program, parameters, item, fuel.item),
      );
      slowestItemMs = Math.max(slowestItemMs, performance.now() - startMs);
      spent.itemMax = larger(spent.itemMax, mapped.ok ? mapped.fuel : fuel.item);
      if (!mapped.ok) said.item = mapped.reason;
      step();
      return mapped;
    },
    combine: (a, b) => {
      const combined = combine(program, a, b, fuel.combine);
      const used = combined.ok ? combined.fuel : fuel.combine;
      spent.combineMax = larger(spent.combineMax, used);
      spent.combineSum += used;
      if (!combined.ok) said.combine = combined.reason;
      step();
      return combined;
    },
    sha256,
  });
  const most = BigInt(itemCount) * (fuel.item + fuel.combine);
  const used = outcome.value === null ? usedAtMost(most, begun) : takeUsedFuel();
  const result = { ...outcome, spent: { ...spent, memoryBytesMax: takePeakBytes(), used } };
  return { kind: 'subtask', ...result, slowestItemMs, said: said.item ?? said.combine ?? null };
}

function call(task: CallTask, program: Program): Folded<CallResult> {
  if (task.kind === 'fold') return fold(program, task.values, task.fuel, step);
  const result = callOnce(task, program);
  return result.ok ? result : { ...result, limit: task.fuel };
}

function callOnce(task: Exclude<CallTask, { kind: 'fold' }>, program: Program): CallResult {
  const { fuel } = task;
  switch (task.kind) {
    case 'render':
      return render(program, task.parameters, task.value, fuel);
    case 'count':
      return count(program, task.parameters, fuel);
    case 'sample':
      return sample(program, task.seed, fuel);
    case 'check':
      return withItem(task.item, (item) => check(program, { ...task, item }, fuel));
  }
}

function run(task: Task, parts: readonly ItemPart[]): TaskResult {
  takeUsedFuel();
  switch (task.kind) {
    case 'subtask':
      return runSubtask(task, parts);
    case 'examine':
      return { kind: 'examined', report: examineEngine(task.vectors) };
    default: {
      const program = programAt(task.programPath);
      const begun = process.cpuUsage();
      const startMs = performance.now();
      const result = call(task, program);
      const wallMs = performance.now() - startMs;
      if (result.ok) return { kind: 'value', value: result.value, wallMs, fuel: result.fuel };
      const { class: failure, reason, limit } = result;
      return {
        kind: 'failed',
        class: failure,
        reason,
        fuel: limit,
        used: usedAtMost(callLimits(task).all, begun),
      };
    }
  }
}

function attempt(task: Task, parts: readonly ItemPart[]): TaskResult {
  try {
    return run(task, parts);
  } catch (error) {
    if (error instanceof HostFailure)
      return { kind: 'local', class: error.class, reason: error.message };
    // A file that is too large to be a program, and was not read.
    if (error instanceof ProgramError)
      return { kind: 'local', class: 'inadmissible', reason: inadmissible(error.detail).message };
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
  send({ kind: 'end', result, residentBytes: process.memoryUsage.rss(), worn: isBaseline });
});
process.on('disconnect', () => process.exit(0));
send({ kind: 'ready' });
