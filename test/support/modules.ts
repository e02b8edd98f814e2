/** Assemble modules for the rewriter from lists of bytes, and run what it makes of them. */
import { readFileSync } from 'node:fs';
import { type Exports, engine } from '../../node/executor/engine.ts';
import { type InstrumentOptions, instrument } from '../../protocol/execution/instrument.ts';
import { type InstrumentLimits, protocolLimits } from '../../protocol/execution/limits.ts';
import { depthLimit, type RunOutcome, runOutcome } from '../../protocol/execution/outcome.ts';
import { header, section, unsigned } from '../fixtures/programs/assemble.ts';

export const i32 = 0x7f;
export const i64 = 0x7e;
export const f32 = 0x7d;
export const f64 = 0x7c;
export const v128 = 0x7b;

export type Source = {
  readonly name?: string;
  readonly params?: readonly number[];
  readonly results?: readonly number[];
  readonly locals?: readonly number[];
  readonly body: readonly number[];
};

/** Sections by number take the place of those that are made. */
export type Extra = { readonly [id: number]: readonly number[] };

const vector = (entries: readonly (readonly number[])[]): number[] => [
  ...unsigned(entries.length),
  ...entries.flat(),
];
export const text = (value: string): number[] => [
  ...unsigned(value.length),
  ...new TextEncoder().encode(value),
];

/** A module of the functions, in order: a type for each, a memory of 1 to 16 pages. */
export function moduleOf(functions: readonly Source[], extra: Extra = {}): Uint8Array {
  const types = functions.map(({ params = [], results = [] }) => [
    ...[0x60, ...vector(params.map((type) => [type]))],
    ...vector(results.map((type) => [type])),
  ]);
  const exports = functions.flatMap(({ name }, index) =>
    name === undefined ? [] : [[...text(name), 0, ...unsigned(index)]],
  );
  exports.push([...text('memory'), 2, 0]);
  const bodies = functions.map(({ locals = [], body }) => {
    const code = [...vector(locals.map((type) => [1, type])), ...body, 0x0b];
    return [...unsigned(code.length), ...code];
  });
  const made: Extra = {
    1: vector(types),
    3: vector(functions.map((_, index) => unsigned(index))),
    5: [1, 1, 1, 16],
    7: vector(exports),
    10: vector(bodies),
    ...extra,
  };
  const order = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11, 13];
  const sections = order.flatMap((id) => (made[id] === undefined ? [] : section(id, made[id])));
  return Uint8Array.from([...header, ...sections]);
}

/** The rewritten module, or an error that says why there is none. */
export function rewritten(bytes: Uint8Array, options: InstrumentOptions = {}): Uint8Array {
  const made = instrument(bytes, options);
  if (made.kind === 'rejected') throw new Error(`${made.code} at ${made.offset}: ${made.reason}`);
  return made.bytes;
}

type Global<T> = { value: T };
export type Value = number | bigint;

/** An instance of a rewritten module with the two counters set. */
export type Metered = {
  readonly exports: Exports;
  readonly memory: () => Uint8Array;
  readonly call: (name: string, ...values: Value[]) => Run;
};
export type Run = {
  readonly outcome: RunOutcome;
  readonly value: Value | readonly Value[] | undefined;
  readonly left: bigint;
  readonly depth: number;
};

export function meter(bytes: Uint8Array, fuel: bigint, depth = depthLimit, imports = {}): Metered {
  const { exports } = new engine.Instance(new engine.Module(bytes), imports);
  const counters = exports as unknown as {
    __anw_fuel: Global<bigint>;
    __anw_depth: Global<number>;
  };
  counters.__anw_fuel.value = fuel;
  counters.__anw_depth.value = depth;
  const call = (name: string, ...values: Value[]): Run => {
    let value: Value | undefined;
    let returned = true;
    try {
      value = (exports[name] as (...values: Value[]) => Value | undefined)(...values);
    } catch (error) {
      if (!(error instanceof engine.RuntimeError)) throw error;
      returned = false;
    }
    const left = counters.__anw_fuel.value;
    const end = { returned, fuel: left, depth: counters.__anw_depth.value };
    return { outcome: runOutcome(end), value, left, depth: end.depth };
  };
  const memory = (): Uint8Array =>
    new Uint8Array((exports as unknown as { memory: { buffer: ArrayBuffer } }).memory.buffer);
  return { exports, memory, call };
}

/** Demands that what a run used is exactly what it needs. */
export function fuelOf(bytes: Uint8Array, run: (metered: Metered) => Run): bigint {
  const plenty = 10n ** 15n;
  const { outcome, left } = run(meter(bytes, plenty));
  if (outcome !== 'ok') throw new Error(`the run is ${outcome}`);
  return plenty - left;
}

/** Caps that only those of engines are narrower than. */
export const wide = Object.fromEntries(
  Object.keys(protocolLimits).map((name) => [name, 2 ** 40]),
) as InstrumentLimits;

export const exampleNames = ['wordcount', 'primes'] as const;

export function exampleProgram(name: (typeof exampleNames)[number]): Uint8Array {
  const path = new URL(`../../programs/${name}/${name}.wasm`, import.meta.url);
  return new Uint8Array(readFileSync(path));
}

/** A fresh instance of a program as it is, without counters. */
export function openPlain(bytes: Uint8Array) {
  const { exports } = new engine.Instance(new engine.Module(bytes), {});
  const memory = () => new Uint8Array((exports.memory as { readonly buffer: ArrayBuffer }).buffer);
  const run = (name: string, values: Value[]): bigint => {
    const result = (exports[name] as (...values: Value[]) => Value)(...values);
    return BigInt(result);
  };
  const call = (name: string, given: readonly Uint8Array[], index?: bigint): bigint => {
    const values = given.flatMap((argument): Value[] => {
      if (argument.length === 0) return [0, 0];
      const pointer = Number(BigInt.asUintN(32, run('anw_alloc', [argument.length])));
      memory().set(argument, pointer);
      return [pointer, argument.length];
    });
    return BigInt.asUintN(64, run(name, index === undefined ? values : [...values, index]));
  };
  const read = (result: bigint): Uint8Array =>
    memory().slice(Number(result >> 32n), Number(result >> 32n) + Number(result & 0xffff_ffffn));
  return { call, read };
}
