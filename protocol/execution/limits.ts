/** Bound what a module may hold before it is rewritten: what would be a bomb for a compiler. */
import { programBytesMax } from '../params.ts';
import { memoryPagesMax } from './admit.ts';
import {
  functionBytesMax,
  functionCountMax,
  localCountMax,
  tableElementCountMax,
} from './module.ts';

/** Caps of a module, each the largest number that passes: a larger cap admits more. */
export type InstrumentLimits = {
  /** Bytes of the module, and of the body of one function. */
  readonly moduleBytes: number;
  readonly functionBytes: number;
  /** Function types, and functions that the module defines. */
  readonly types: number;
  readonly functions: number;
  /** Parameters, and results, of a function or block. */
  readonly arity: number;
  /** Parameters and results of the types of all blocks, loops and ifs of the module together. */
  readonly blockOperands: number;
  /** Locals of one function, its parameters not counted. */
  readonly locals: number;
  /** Of each function: (parameters + locals) * (blocks, loops and ifs + 1). */
  readonly localsByConstructs: number;
  /** Blocks, loops and ifs inside each other. */
  readonly nesting: number;
  /** Labels of one `br_table`, the default not counted. */
  readonly branchLabels: number;
  /** Elements of all tables at first. */
  readonly tableElements: number;
  /** Instructions of one function that change a table. */
  readonly tableChanges: number;
  /** Pages of 64 KiB that the memory may have or grow to. */
  readonly memoryPages: number;
  /** Depth units of the deepest chain of calls that is not counted when it runs. */
  readonly chainDepth: number;
  /**
   * Bytes of the instructions of a small loop that is written out for several rounds at once. It
   * changes the speed of what is made, and nothing that a program or its host can see.
   */
  readonly unrolledBytes: number;
};

/** The caps of programs. */
export const protocolLimits: InstrumentLimits = {
  moduleBytes: programBytesMax,
  functionBytes: functionBytesMax,
  types: functionCountMax,
  functions: functionCountMax,
  arity: 255,
  blockOperands: 1_000_000,
  locals: localCountMax,
  localsByConstructs: 2_000_000,
  nesting: 256,
  branchLabels: 4_096,
  tableElements: tableElementCountMax,
  tableChanges: 0,
  memoryPages: memoryPagesMax,
  chainDepth: 50_000,
  unrolledBytes: 128,
};

/**
 * What engines allow at most: the rewriter adds to what it reads, and must not pass these where
 * the original did not.
 */
export const engineLimits = {
  locals: 50_000,
  functionBytes: 7_654_321,
  /** Types, functions and globals, each. */
  definitions: 1_000_000,
  exports: 1_000_000,
  /** So that depth is counted in an i32. */
  chainDepth: 2 ** 30,
  memoryPages: 65_536,
} as const;
