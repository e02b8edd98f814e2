/** Run a program as somebody would who believes his machine: one process, no sandbox, no votes. */
import { readFileSync } from 'node:fs';
import { engine, type Module } from '../node/executor/engine.ts';
import { callProgram } from '../node/executor/instance.ts';
import { Cutter } from '../protocol/execution/cut.ts';
import { programManifest } from '../protocol/execution/manifest.ts';
import { itemBytesMax, valueBytesMax } from '../protocol/params.ts';
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
  const call = (exported: string, ...given: readonly Uint8Array[]): Uint8Array => {
    const result = callProgram(module, { name: exported, arguments: given, valueBytesMax });
    if (!result.ok) throw new Error(`${exported} failed: ${result.class}`);
    return result.value;
  };
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
  return (index) => {
    const result = callProgram(module, {
      name: 'anw_item',
      arguments: [parameters],
      index: BigInt(index),
      valueBytesMax: itemBytesMax,
    });
    if (!result.ok) throw new Error(`anw_item failed: ${result.class}`);
    return result.value;
  };
}
