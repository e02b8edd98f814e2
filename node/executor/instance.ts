/** Call a program once, in an instance of its own, and believe nothing that it returns. */
import { mark } from '../../protocol/assert.ts';
import { depthExport, fuelExport } from '../../protocol/execution/abi.ts';
import type { StepFailureClass } from '../../protocol/execution/evaluate.ts';
import { fuelAtStart } from '../../protocol/execution/fuel.ts';
import { depthLimit, runOutcome } from '../../protocol/execution/outcome.ts';
import type { LocalFailureClass } from '../ports.ts';
import { type Exports, engine, type Global, type Memory, type Module } from './engine.ts';

/** The machine, not the program, was at fault: nothing is said about the program. */
export class HostFailure extends Error {
  override readonly name = 'HostFailure';
  readonly class: LocalFailureClass;

  constructor(failureClass: LocalFailureClass, reason: string) {
    super(reason);
    this.class = failureClass;
  }
}

/** The stack was full before the depth was used up. */
class StackFull extends HostFailure {}

/** A module that counts its fuel, compiled. */
export type Callable = {
  readonly module: Module;
  /** Fuel of what each instance makes anew. */
  readonly setupFuel: number;
  /**
   * The same module in code whose frames hold parameters, locals and operands, and nothing else.
   * An optimizing compiler may keep any number of values alive across a call: its frames can fill
   * the stack before the depth is used up. Absent where the host has no such compiler.
   */
  readonly baseline?: () => Module;
};

/** Bytes for a program: at hand, or read straight into its memory. */
export type Argument =
  | Uint8Array
  | { readonly bytes: number; readonly readInto: (target: Uint8Array) => void };

/** A call of a program's export: byte arguments, then what goes behind them. */
export type ProgramCall = {
  readonly name: string;
  readonly arguments: readonly Argument[];
  readonly index?: bigint;
  /** Bytes of which the program is told the place only: it knows how many there are. */
  readonly seed?: Uint8Array;
  /** All that the call may use. */
  readonly fuel: bigint;
};

/** What a call gave, with the fuel that it used; of a failure, a reason for people. */
export type CallResult =
  | { readonly ok: true; readonly value: Uint8Array; readonly fuel: bigint }
  | { readonly ok: false; readonly class: StepFailureClass; readonly reason: string };

/** A program failed in a way that all seats see alike. */
export class Failure extends Error {
  readonly class: StepFailureClass;

  constructor(failureClass: StepFailureClass, reason: string) {
    super(reason);
    this.class = failureClass;
  }
}

/** Bytes of WebAssembly memory in instances that are dead but may not be collected yet. */
let garbageBytes = 0;
/** Most bytes that an instance had since somebody asked. */
let peakBytes = 0;
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

/** Most bytes of memory that an instance had since this was asked the last time. */
export function takePeakBytes(): number {
  const peak = peakBytes;
  peakBytes = 0;
  return peak;
}

/** An instance with its counters set. */
type Instance = {
  readonly exports: Exports;
  readonly memory: Memory;
  readonly fuel: Global;
  readonly depth: Global;
};

function broken(reason: string): HostFailure {
  return new HostFailure('killed', `the program is not what was admitted: ${reason}`);
}

/** Runs `use` on a fresh instance and sorts whatever it throws. @throws {@link HostFailure} */
function withInstance<T>(module: Module, fuelLeft: bigint, use: (instance: Instance) => T): T {
  let bytes = 0;
  try {
    const { exports } = instantiate(module);
    const { memory, [fuelExport]: fuel, [depthExport]: depth } = exports;
    if (!(memory instanceof engine.Memory)) throw broken('it exports no memory');
    if (!(fuel instanceof engine.Global) || !(depth instanceof engine.Global))
      throw broken('it counts no fuel');
    try {
      fuel.value = fuelLeft;
      depth.value = depthLimit;
      return use({ exports, memory, fuel, depth });
    } finally {
      bytes = memory.buffer.byteLength;
    }
  } catch (error) {
    if (error instanceof engine.RuntimeError) {
      // Calls sort their own: this instance could not be made of the module.
      mark('X27');
      throw new Failure('trap', error.message);
    }
    if (error instanceof engine.LinkError || error instanceof TypeError)
      throw broken(error.message);
    if (!(error instanceof RangeError)) throw error;
    // Memory that this machine does not have: another one may.
    mark('X33');
    throw new HostFailure('host-oom', error.message);
  } finally {
    garbageBytes += bytes;
    peakBytes = Math.max(peakBytes, bytes);
  }
}

/**
 * Calls an export and looks at the counters before anything else.
 * @see spec/protocol/execution.md X73
 */
function callExport(
  { exports, fuel, depth }: Instance,
  name: string,
  values: (number | bigint)[],
): number | bigint {
  const call = exports[name];
  if (typeof call !== 'function') throw broken(`it exports no function ${name}`);
  let result: number | bigint | undefined;
  let said = '';
  let returned = true;
  try {
    result = call(...values);
  } catch (error) {
    if (error instanceof RangeError) {
      mark('X33');
      throw new StackFull('host-oom', error.message);
    }
    if (!(error instanceof engine.RuntimeError)) throw error;
    returned = false;
    said = error.message;
  }
  mark('X73');
  const end = { returned, fuel: BigInt(fuel.value), depth: Number(depth.value) };
  const outcome = runOutcome(end);
  switch (outcome) {
    case 'ok':
      if (result === undefined) throw broken(`${name} returns nothing`);
      return result;
    case 'trap':
      throw new Failure('trap', `${name} trapped: ${said}`);
    case 'out-of-fuel':
      throw new Failure('out-of-fuel', `${name} used up its fuel`);
    case 'too-deep':
      throw new Failure('too-deep', `${name} called itself too deeply`);
    case 'host-oom':
      throw new HostFailure('host-oom', 'the machine had no memory for the program to grow by');
  }
}

const sizeOf = (argument: Argument): number =>
  argument instanceof Uint8Array ? argument.length : argument.bytes;

/** Copies an argument into the program and returns where. */
function lend(instance: Instance, argument: Argument): [number, number] {
  const { memory } = instance;
  const bytes = sizeOf(argument);
  if (bytes === 0) {
    mark('X23');
    return [0, 0];
  }
  const pointer = Number(callExport(instance, 'anw_alloc', [bytes])) >>> 0;
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
 * Calls an export in a fresh instance; `read` makes bytes of what it returns.
 * @throws {@link HostFailure} when the machine could not run it.
 * @see spec/protocol/execution.md X23, X24, X27, X67, X68, X73, X93
 */
export function callNumber(
  callable: Callable,
  call: ProgramCall,
  read: (result: number | bigint, memory: Memory) => Uint8Array,
): CallResult {
  const { module, setupFuel, baseline } = callable;
  try {
    return callOnce(module, setupFuel, call, read);
  } catch (error) {
    if (!(error instanceof StackFull) || baseline === undefined) throw error;
    mark('X93');
    return callOnce(baseline(), setupFuel, call, read);
  }
}

function callOnce(
  module: Module,
  setupFuel: number,
  call: ProgramCall,
  read: (result: number | bigint, memory: Memory) => Uint8Array,
): CallResult {
  const { seed } = call;
  const lent = seed === undefined ? call.arguments : [...call.arguments, seed];
  const argumentBytes = lent.reduce((sum, argument) => sum + sizeOf(argument), 0);
  try {
    const start = fuelAtStart(call.fuel, argumentBytes, setupFuel);
    if (start === null)
      throw new Failure('out-of-fuel', `${call.fuel} units do not pay for a call of ${call.name}`);
    return withInstance(module, start, (instance) => {
      const values: (number | bigint)[] = [];
      for (const argument of call.arguments) values.push(...lend(instance, argument));
      if (call.index !== undefined) values.push(BigInt.asIntN(64, call.index));
      if (seed !== undefined) values.push(lend(instance, seed)[0]);
      const result = callExport(instance, call.name, values);
      const value = read(result, instance.memory);
      return { ok: true, value, fuel: call.fuel - BigInt(instance.fuel.value) };
    });
  } catch (error) {
    if (error instanceof Failure) return { ok: false, class: error.class, reason: error.message };
    throw error;
  }
}

/**
 * Calls an export that returns bytes, at most `valueBytesMax`.
 * @throws {@link HostFailure} when the machine could not run it.
 * @see spec/protocol/execution.md X25, X26
 */
export function callProgram(
  program: Callable,
  { valueBytesMax, ...call }: ProgramCall & { readonly valueBytesMax: number },
): CallResult {
  return callNumber(program, call, (result, memory) => {
    if (typeof result !== 'bigint') throw broken(`${call.name} is of another type`);
    return copyResult(memory, result, valueBytesMax);
  });
}
