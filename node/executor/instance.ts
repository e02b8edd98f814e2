/** Call a program once, in an instance of its own, and believe nothing that it returns. */
import { mark } from '../../protocol/assert.ts';
import { depthExport, fuelExport, startExport } from '../../protocol/execution/abi.ts';
import type { StepFailureClass } from '../../protocol/execution/evaluate.ts';
import { fuelAtStart } from '../../protocol/execution/fuel.ts';
import { depthLimit, runOutcome } from '../../protocol/execution/outcome.ts';
import type { LocalFailureClass } from '../ports.ts';
import { type Exports, engine, type Global, type Memory, type Module } from './engine.ts';
import { type FunctionNames, numbered, trapPlace } from './trap-place.ts';

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
  /** What a person calls its functions; numbers unless given. */
  readonly nameOf?: FunctionNames;
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
  /** The engine's stack where it ended; empty where the host found the fault. */
  readonly frames: string;

  constructor(failureClass: StepFailureClass, reason: string, frames = '') {
    super(reason);
    this.class = failureClass;
    this.frames = frames;
  }
}

/** Bytes of WebAssembly memory in instances that are dead but may not be collected yet. */
let garbageBytes = 0;
/** Most bytes that an instance had since somebody asked. */
let peakBytes = 0;
/** Fuel that calls used since somebody asked, failing ones too: as this engine left its counter. */
let usedFuel = 0n;
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

/**
 * Units that calls used since this was asked the last time. What a trap used is nothing that other
 * engines would have to agree with: for this machine's own accounts only.
 */
export function takeUsedFuel(): bigint {
  const used = usedFuel;
  usedFuel = 0n;
  return used;
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
      const left = BigInt(fuel.value);
      usedFuel += fuelLeft - (left > 0n ? left : 0n);
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

/** Calls an export that returns something, as all of the ABI do. */
function callExport(
  instance: Instance,
  name: string,
  values: (number | bigint)[],
): number | bigint {
  const result = enter(instance, name, values);
  if (result === undefined) throw broken(`${name} returns nothing`);
  return result;
}

/**
 * Runs the module's own start function, where it has one. What that comes to is what the call
 * comes to, and what it uses is the call's.
 * @see spec/protocol/execution.md X7
 */
function start(instance: Instance): void {
  if (instance.exports[startExport] === undefined) return;
  mark('X7');
  enter(instance, startExport, []);
}

/**
 * Enters the program and looks at the counters before anything else.
 * @see spec/protocol/execution.md X73
 */
function enter(
  { exports, fuel, depth }: Instance,
  name: string,
  values: (number | bigint)[],
): number | bigint | undefined {
  const call = exports[name];
  if (typeof call !== 'function') throw broken(`it exports no function ${name}`);
  let result: number | bigint | undefined;
  let said = '';
  let frames = '';
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
    frames = error.stack ?? '';
  }
  mark('X73');
  const end = { returned, fuel: BigInt(fuel.value), depth: Number(depth.value) };
  const outcome = runOutcome(end);
  const shown = name === startExport ? 'the start function' : name;
  switch (outcome) {
    case 'ok':
      return result;
    case 'trap':
      throw new Failure('trap', `${shown} trapped: ${said}`, frames);
    case 'out-of-fuel':
      throw new Failure('out-of-fuel', `${shown} used up its fuel`, frames);
    case 'too-deep':
      throw new Failure('too-deep', `${shown} went too deep`, frames);
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
 * @see spec/protocol/execution.md X7, X23, X24, X27, X67, X68, X73, X93
 */
export function callNumber(
  callable: Callable,
  call: ProgramCall,
  read: (result: number | bigint, memory: Memory) => Uint8Array,
): CallResult {
  const { baseline } = callable;
  try {
    return callOnce(callable, call, read);
  } catch (error) {
    if (!(error instanceof StackFull) || baseline === undefined) throw error;
    mark('X93');
    return callOnce({ ...callable, module: baseline() }, call, read);
  }
}

function callOnce(
  { module, setupFuel, nameOf = numbered }: Callable,
  call: ProgramCall,
  read: (result: number | bigint, memory: Memory) => Uint8Array,
): CallResult {
  const { seed } = call;
  const lent = seed === undefined ? call.arguments : [...call.arguments, seed];
  const argumentBytes = lent.reduce((sum, argument) => sum + sizeOf(argument), 0);
  try {
    const begun = fuelAtStart(call.fuel, argumentBytes, setupFuel);
    if (begun === null)
      throw new Failure('out-of-fuel', `${call.fuel} units do not pay for a call of ${call.name}`);
    usedFuel += call.fuel - begun;
    return withInstance(module, begun, (instance) => {
      start(instance);
      const values: (number | bigint)[] = [];
      for (const argument of call.arguments) values.push(...lend(instance, argument));
      if (call.index !== undefined) values.push(BigInt.asIntN(64, call.index));
      if (seed !== undefined) values.push(lend(instance, seed)[0]);
      const result = callExport(instance, call.name, values);
      const value = read(result, instance.memory);
      return { ok: true, value, fuel: call.fuel - BigInt(instance.fuel.value) };
    });
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const reason = `${error.message}${trapPlace(error.frames, nameOf)}`;
    return { ok: false, class: error.class, reason };
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
