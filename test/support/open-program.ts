/** Call a program's exports one by one, each in a fresh instance, for tests of what they compute. */
import { readFileSync } from 'node:fs';
import { type Exports, engine, type Memory } from '../../node/executor/engine.ts';

/** A call that trapped, or gave bytes outside of the memory. */
export class CallFailure extends Error {}

export type OpenProgram = {
  readonly bytes: Uint8Array;
  readonly map: (parameters: string, item: Uint8Array) => Uint8Array;
  readonly combine: (a: Uint8Array, b: Uint8Array) => Uint8Array;
  readonly render: (parameters: string, value: Uint8Array) => string;
  /** Null for parameters that are refused. */
  readonly count: (parameters: string) => bigint | null;
  readonly item: (parameters: string, index: bigint) => Uint8Array;
  readonly sample: (seed: Uint8Array) => Uint8Array;
  readonly check: (
    parameters: string,
    item: Uint8Array,
    value: Uint8Array,
    seed: Uint8Array,
  ) => number;
};

/** Opens the program of a file. Calls throw {@link CallFailure}. */
export function openProgram(path: string): OpenProgram {
  const bytes = readFileSync(path);
  const module = new engine.Module(bytes);
  const run = (name: string, parts: readonly (Uint8Array | bigint)[], bare = false) => {
    const { exports } = new engine.Instance(module, {});
    const memory = exports.memory as Memory;
    const values: (number | bigint)[] = [];
    try {
      for (const part of parts) {
        if (typeof part === 'bigint') values.push(BigInt.asIntN(64, part));
        else values.push(...lend(exports, memory, part).slice(0, bare ? 1 : 2));
        bare ||= name === 'anw_check' && values.length === 6;
      }
      return { result: called(exports, name)(...values)!, memory };
    } catch (error) {
      if (error instanceof engine.RuntimeError) throw new CallFailure(error.message);
      throw error;
    }
  };
  const bytesOf = (name: string, parts: readonly (Uint8Array | bigint)[], bare = false) => {
    const { result, memory } = run(name, parts, bare);
    const both = BigInt.asUintN(64, BigInt(result));
    const [start, length] = [Number(both >> 32n), Number(both & 0xffff_ffffn)];
    if (start + length > memory.buffer.byteLength) throw new CallFailure('outside of the memory');
    return new Uint8Array(memory.buffer, start, length).slice();
  };
  return {
    bytes,
    map: (parameters, item) => bytesOf('anw_map', [encoded(parameters), item]),
    combine: (a, b) => bytesOf('anw_combine', [a, b]),
    render: (parameters, value) =>
      new TextDecoder().decode(bytesOf('anw_render', [encoded(parameters), value])),
    count: (parameters) => {
      const count = BigInt.asUintN(64, BigInt(run('anw_count', [encoded(parameters)]).result));
      return count === 2n ** 64n - 1n ? null : count;
    },
    item: (parameters, index) => bytesOf('anw_item', [encoded(parameters), index]),
    sample: (seed) => bytesOf('anw_sample', [seed], true),
    check: (parameters, item, value, seed) =>
      Number(run('anw_check', [encoded(parameters), item, value, seed]).result),
  };
}

const encoded = (text: string): Uint8Array => new TextEncoder().encode(text);

function called(exports: Exports, name: string) {
  const call = exports[name];
  if (typeof call !== 'function') throw new Error(`it exports no function ${name}`);
  return call;
}

/** Copies bytes into the program; returns where they are and how many. */
function lend(exports: Exports, memory: Memory, bytes: Uint8Array): readonly [number, number] {
  if (bytes.length === 0) return [0, 0];
  const pointer = Number(called(exports, 'anw_alloc')(bytes.length)) >>> 0;
  new Uint8Array(memory.buffer, pointer, bytes.length).set(bytes);
  return [pointer, bytes.length];
}

/** What a call comes to: bytes, or that it fails. Two programs are alike if these are. */
export function outcomeOf<T>(call: () => T): T | 'failed' {
  try {
    return call();
  } catch (error) {
    if (error instanceof CallFailure) return 'failed';
    throw error;
  }
}
