/** Open a program, and do with it what a job asks: map, combine, fold, render, count, check. */
import { assert, mark } from '../../protocol/assert.ts';
import type { ProgramExports } from '../../protocol/execution/abi.ts';
import { type Folded, type FoldFuel, foldValues } from '../../protocol/execution/evaluate.ts';
import type { ProgramErrorDetail } from '../../protocol/execution/rejection.ts';
import { itemBytesMax, valueBytesMax } from '../../protocol/params.ts';
import { judgeProgram } from './admission.ts';
import { engine, type Module } from './engine.ts';
import {
  type Argument,
  type Callable,
  type CallResult,
  callNumber,
  callProgram,
  Failure,
  HostFailure,
} from './instance.ts';
import { functionNames } from './trap-place.ts';

/** A program that was admitted, rewritten and compiled. */
export type Program = Callable & { readonly exports: ProgramExports };

/** Bytes of the randomness that `anw_check` and `anw_sample` are given. */
const seedBytes = 32;

/**
 * Admits a program, rewrites it and compiles what came of it: about a second for the largest.
 * @param compileBaseline - Compiles a module without an optimizing compiler, where the host can.
 * @throws {@link HostFailure} `inadmissible` with the code and what is wrong.
 * @see spec/protocol/execution.md X75
 */
export function openProgram(
  bytes: Uint8Array,
  compileBaseline?: (bytes: Uint8Array) => Module,
): Program {
  const judgement = judgeProgram(bytes);
  if (judgement.kind === 'rejected') throw inadmissible(judgement);
  const { exports, setupFuel, rewritten } = judgement;
  const nameOf = functionNames(bytes);
  const program = { module: compiled(rewritten), exports, setupFuel, nameOf };
  if (compileBaseline === undefined) return program;
  let baseline: Module | null = null;
  return { ...program, baseline: () => (baseline ??= compileBaseline(rewritten)) };
}

/** What a host says of a program that it refuses to run. */
export function inadmissible({ code, reason, offset }: ProgramErrorDetail): HostFailure {
  const what = `${code}: ${reason} (at byte ${offset})`;
  return new HostFailure('inadmissible', `the program was not admitted: ${what}`);
}

function compiled(bytes: Uint8Array): Module {
  try {
    return new engine.Module(bytes);
  } catch (error) {
    const reason = `the engine did not compile the program: ${(error as Error).message}`;
    throw new HostFailure(error instanceof RangeError ? 'host-oom' : 'killed', reason);
  }
}

/** An item: its bytes, or the index of one that the program makes. */
export type Item = Argument | bigint;

/**
 * Maps an item. One that the program makes comes from an instance of its own, and what that used
 * is missing from what the map may use.
 * @see spec/protocol/execution.md X69
 */
export function mapItem(
  program: Program,
  parameters: Uint8Array,
  item: Item,
  fuel: bigint,
): CallResult {
  return withItem(program, parameters, item, fuel, (argument, left) =>
    callProgram(program, {
      ...{ name: 'anw_map', arguments: [parameters, argument] },
      ...{ valueBytesMax, fuel: left },
    }),
  );
}

function withItem(
  program: Program,
  parameters: Uint8Array,
  item: Item,
  fuel: bigint,
  use: (argument: Argument, fuel: bigint) => CallResult,
): CallResult {
  if (typeof item !== 'bigint') return use(item, fuel);
  mark('X69');
  const made = callProgram(program, {
    ...{ name: 'anw_item', arguments: [parameters], index: item },
    ...{ valueBytesMax: itemBytesMax, fuel },
  });
  if (!made.ok) return made;
  const used = use(made.value, fuel - made.fuel);
  return used.ok ? { ...used, fuel: made.fuel + used.fuel } : used;
}

export function combine(program: Program, a: Uint8Array, b: Uint8Array, fuel: bigint): CallResult {
  return callProgram(program, { name: 'anw_combine', arguments: [a, b], valueBytesMax, fuel });
}

/** Folds values from left to right. `step` is called after each combine. */
export function fold(
  program: Program,
  values: readonly Uint8Array[],
  fuel: FoldFuel,
  step: () => void = () => undefined,
): Folded<CallResult> {
  return foldValues(values, fuel, (a, b, limit): CallResult => {
    const combined = combine(program, a, b, limit);
    step();
    return combined;
  });
}

/** What the submitter sees of a value: the value itself where the program has no `anw_render`. */
export function render(
  program: Program,
  parameters: Uint8Array,
  value: Uint8Array,
  fuel: bigint,
): CallResult {
  if (!program.exports.render) return { ok: true, value, fuel: 0n };
  const given = [parameters, value];
  return callProgram(program, { name: 'anw_render', arguments: given, valueBytesMax, fuel });
}

/** What `anw_count` returns for parameters that the program refuses. */
const refusedCount = 2n ** 64n - 1n;

const missing = (reason: string): CallResult => ({ ok: false, class: 'bad-value', reason });

/**
 * The number of items that a program makes, as 8 bytes, big-endian.
 * @see spec/protocol/execution.md X34
 */
export function count(program: Program, parameters: Uint8Array, fuel: bigint): CallResult {
  if (!program.exports.generates)
    return missing('the program makes no items of its own: it needs an input');
  return callNumber(program, { name: 'anw_count', arguments: [parameters], fuel }, (result) => {
    const items = BigInt.asUintN(64, BigInt(result));
    if (items === refusedCount) {
      mark('X34');
      throw new Failure('bad-value', 'the program refused these parameters');
    }
    const value = new Uint8Array(8);
    new DataView(value.buffer).setBigUint64(0, items);
    return value;
  });
}

/** A value by chance. @param seed - 32 bytes. */
export function sample(program: Program, seed: Uint8Array, fuel: bigint): CallResult {
  assert(seed.length === seedBytes, 'a seed has 32 bytes');
  if (!program.exports.sample) return missing('the program has no anw_sample');
  return callProgram(program, { name: 'anw_sample', arguments: [], seed, valueBytesMax, fuel });
}

/** What `anw_check` is asked: whether an item has a value. */
export type Question = {
  readonly parameters: Uint8Array;
  readonly item: Item;
  readonly value: Uint8Array;
  /** 32 bytes. */
  readonly seed: Uint8Array;
};

/**
 * Whether a program's own check finds a value right: one byte, 1 or 0.
 * @see spec/protocol/execution.md X76
 */
export function check(
  program: Program,
  { parameters, item, value, seed }: Question,
  fuel: bigint,
): CallResult {
  assert(seed.length === seedBytes, 'a seed has 32 bytes');
  if (!program.exports.check) return missing('the program has no anw_check');
  return withItem(program, parameters, item, fuel, (argument, left) =>
    callNumber(
      program,
      { name: 'anw_check', arguments: [parameters, argument, value], seed, fuel: left },
      (result) => {
        mark('X76');
        return Uint8Array.of(Number(result) === 0 ? 0 : 1);
      },
    ),
  );
}
