/** Run a program as somebody would who believes his machine: one process, no sandbox, no votes. */
import { readFileSync } from 'node:fs';
import { type Exports, engine, type Memory, type Module } from '../node/executor/engine.ts';
import { Cutter } from '../protocol/execution/cut.ts';
import { programManifest } from '../protocol/execution/manifest.ts';
import { type JobWish, programFile } from './job.ts';

export type PlainProgram = {
  readonly map: (item: Uint8Array) => Uint8Array;
  readonly combine: (a: Uint8Array, b: Uint8Array) => Uint8Array;
  readonly render: (value: Uint8Array) => Uint8Array;
  readonly cut: (input: Uint8Array) => readonly Uint8Array[];
};

export function plainProgram(
  name: JobWish['program'],
  parameters = new Uint8Array(0),
): PlainProgram {
  const bytes = new Uint8Array(readFileSync(programFile(name)));
  const module: Module = new engine.Module(bytes);
  const call = (exported: string, ...given: readonly Uint8Array[]): Uint8Array =>
    callPlainly(module, exported, given);
  return {
    map: (item) => call('anw_map', parameters, item),
    combine: (a, b) => call('anw_combine', a, b),
    render: (value) => call('anw_render', parameters, value),
    cut: (input) => {
      const cutter = new Cutter(programManifest(bytes).cut);
      return [...cutter.push(input), ...cutter.finish()];
    },
  };
}

/** An item that a program makes for itself. */
export function plainItem(
  name: JobWish['program'],
  parameters: Uint8Array,
): (index: number) => Uint8Array {
  const module: Module = new engine.Module(new Uint8Array(readFileSync(programFile(name))));
  return (index) => callPlainly(module, 'anw_item', [parameters], BigInt(index));
}

/** Calls a program as it is: in a fresh instance, but not metered, and believed. */
function callPlainly(
  module: Module,
  name: string,
  given: readonly Uint8Array[],
  index?: bigint,
): Uint8Array {
  const { exports } = new engine.Instance(module, {});
  const memory = exports.memory as Memory;
  const run = exports as Readonly<Record<string, Call>>;
  const values: (number | bigint)[] = [];
  for (const bytes of given) {
    const pointer = bytes.length === 0 ? 0 : Number(run.anw_alloc!(bytes.length)) >>> 0;
    new Uint8Array(memory.buffer, pointer, bytes.length).set(bytes);
    values.push(pointer, bytes.length);
  }
  if (index !== undefined) values.push(index);
  const result = BigInt.asUintN(64, BigInt(run[name]!(...values)!));
  return new Uint8Array(
    memory.buffer,
    Number(result >> 32n),
    Number(result & 0xffff_ffffn),
  ).slice();
}

type Call = Extract<Exports[string], (...values: never[]) => unknown>;
