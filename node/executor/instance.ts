/** Call a program once, in an instance of its own, and believe nothing that it returns. */
import { mark } from '../../protocol/assert.ts';
import type { Step, StepFailureClass } from '../../protocol/execution/evaluate.ts';
import type { LocalFailureClass } from '../ports.ts';
import { type Exports, engine, type Memory, type Module } from './engine.ts';

/** The machine, not the program, was at fault: nothing is said about the program. */
export class HostFailure extends Error {
  override readonly name = 'HostFailure';
  readonly class: LocalFailureClass;

  constructor(failureClass: LocalFailureClass, reason: string) {
    super(reason);
    this.class = failureClass;
  }
}

/** Says that a program reached a sandbox past admission. */
export function notAdmitted(reason: string): HostFailure {
  return new HostFailure('killed', `the program was not admitted: ${reason}`);
}

/** Bytes for a program: at hand, or read straight into its memory. */
export type Argument =
  | Uint8Array
  | { readonly bytes: number; readonly readInto: (target: Uint8Array) => void };

/** A call of a program's export: byte arguments, then integers behind them. */
export type ProgramCall = {
  readonly name: string;
  readonly arguments: readonly Argument[];
  readonly index?: bigint;
  readonly valueBytesMax: number;
};

export type CallResult = Step & { readonly reason?: string };

/** A program failed in a way that all seats see alike. */
class Failure extends Error {
  readonly class: StepFailureClass;

  constructor(failureClass: StepFailureClass, reason: string) {
    super(reason);
    this.class = failureClass;
  }
}

/** Bytes of WebAssembly memory in instances that are dead but may not be collected yet. */
let garbageBytes = 0;
const garbageBytesMax = 256 * 1024 * 1024;

declare const gc: (() => void) | undefined;

function collect(): void {
  garbageBytes = 0;
  if (typeof gc === 'function') gc();
}

function instantiate(module: Module): { readonly exports: Exports } {
  if (garbageBytes > garbageBytesMax) collect();
  try {
    return new engine.Instance(module, {});
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    // Memory of dead instances may only be waiting to be collected.
    collect();
    return new engine.Instance(module, {});
  }
}

/** Runs `use` on a fresh instance and sorts whatever it throws. @throws {@link HostFailure} */
function withInstance<T>(module: Module, use: (exports: Exports, memory: Memory) => T): T {
  let memory: Memory | undefined;
  try {
    const { exports } = instantiate(module);
    const exported = exports.memory;
    if (!(exported instanceof engine.Memory)) throw notAdmitted('it exports no memory');
    memory = exported;
    return use(exports, memory);
  } catch (error) {
    if (error instanceof engine.RuntimeError) {
      mark('X27');
      throw new Failure('trap', error.message);
    }
    // Imports, or exports of another type.
    if (error instanceof engine.LinkError || error instanceof TypeError)
      throw notAdmitted(error.message);
    if (!(error instanceof RangeError)) throw error;
    // Memory or stack that this machine does not have: another one may.
    mark('X33');
    throw new HostFailure('host-oom', error.message);
  } finally {
    garbageBytes += memory?.buffer.byteLength ?? 0;
  }
}

function callExport(exports: Exports, name: string, values: (number | bigint)[]): number | bigint {
  const call = exports[name];
  if (typeof call !== 'function') throw notAdmitted(`it exports no function ${name}`);
  const result = call(...values);
  if (result === undefined) throw notAdmitted(`${name} returns nothing`);
  return result;
}

/** Copies an argument into the program and returns where. */
function lend(exports: Exports, memory: Memory, argument: Argument): [number, number] {
  const bytes = argument instanceof Uint8Array ? argument.length : argument.bytes;
  if (bytes === 0) {
    mark('X23');
    return [0, 0];
  }
  const pointer = Number(callExport(exports, 'anw_alloc', [bytes])) >>> 0;
  // The allocation may have grown the memory: its buffer is looked up only now.
  if (pointer + bytes > memory.buffer.byteLength) {
    mark('X24');
    throw new Failure('bad-value', `anw_alloc gave ${bytes} bytes that are outside of the memory`);
  }
  const target = new Uint8Array(memory.buffer, pointer, bytes);
  if (argument instanceof Uint8Array) target.set(argument);
  else argument.readInto(target);
  return [pointer, bytes];
}

function copyResult(memory: Memory, result: bigint, bytesMax: number): Uint8Array {
  const pointer = Number(BigInt.asUintN(32, result >> 32n));
  const bytes = Number(BigInt.asUintN(32, result));
  if (pointer + bytes > memory.buffer.byteLength) {
    mark('X25');
    throw new Failure('bad-value', `a result of ${bytes} bytes lies outside of the memory`);
  }
  if (bytes > bytesMax) {
    mark('X26');
    throw new Failure('bad-value', `a result of ${bytes} bytes; at most ${bytesMax} are allowed`);
  }
  return new Uint8Array(memory.buffer, pointer, bytes).slice();
}

/**
 * Calls an export that returns bytes, in a fresh instance.
 * @throws {@link HostFailure} when the machine could not run it.
 * @see spec/protocol/execution.md X23 to X27
 */
export function callProgram(module: Module, call: ProgramCall): CallResult {
  return attempt(() =>
    withInstance(module, (exports, memory) => {
      const values: (number | bigint)[] = [];
      for (const argument of call.arguments) values.push(...lend(exports, memory, argument));
      if (call.index !== undefined) values.push(BigInt.asIntN(64, call.index));
      const result = callExport(exports, call.name, values);
      if (typeof result !== 'bigint') throw notAdmitted(`${call.name} is of another type`);
      return copyResult(memory, result, call.valueBytesMax);
    }),
  );
}

/** What `anw_count` returns for parameters that the program refuses. */
const refusedCount = 2n ** 64n - 1n;

/**
 * Calls `anw_count`: the number of items as 8 bytes, big-endian.
 * @throws {@link HostFailure} when the machine could not run it.
 * @see spec/protocol/execution.md X34
 */
export function countItems(module: Module, parameters: Uint8Array): CallResult {
  return attempt(() =>
    withInstance(module, (exports, memory) => {
      if (exports.anw_count === undefined)
        throw new Failure('bad-value', 'the program makes no items of its own: it needs an input');
      const result = callExport(exports, 'anw_count', lend(exports, memory, parameters));
      const count = BigInt.asUintN(64, BigInt(result));
      if (count === refusedCount) {
        mark('X34');
        throw new Failure('bad-value', 'the program refused these parameters');
      }
      const value = new Uint8Array(8);
      new DataView(value.buffer).setBigUint64(0, count);
      return value;
    }),
  );
}

function attempt(run: () => Uint8Array): CallResult {
  try {
    return { ok: true, value: run() };
  } catch (error) {
    if (error instanceof Failure) return { ok: false, class: error.class, reason: error.message };
    throw error;
  }
}
