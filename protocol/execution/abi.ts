/** Name what a program of ABI version 1 exports, and the type of each. */

/**
 * A function type as text: parameters, `>`, results; `i` is i32, `I` is i64, `f` and `F` are f32
 * and f64, `v` is v128, `r` a reference.
 */
export type FunctionType = string;

export const memoryExport = 'memory';
export const abiMarker = 'anw_abi_v1';
/** Exports whose names start like this belong to the ABI, known or not. */
export const abiPrefix = 'anw_';
/** Exports whose names start like this belong to the node. */
export const reservedPrefix = '__anw_';

/** Functions that every program exports. */
export const requiredExports: ReadonlyMap<string, FunctionType> = new Map([
  [abiMarker, '>'],
  ['anw_alloc', 'i>i'],
  ['anw_map', 'iiii>I'],
  ['anw_combine', 'iiii>I'],
]);

/** Functions that a program may export. */
export const optionalExports: ReadonlyMap<string, FunctionType> = new Map([
  ['anw_count', 'ii>I'],
  ['anw_item', 'iiI>I'],
  ['anw_render', 'iiii>I'],
  ['anw_check', 'iiiiiii>i'],
  ['anw_sample', 'i>I'],
]);

/** Which optional functions a program has. */
export type ProgramExports = {
  /** `anw_count` and `anw_item`: the program makes its own items and takes no input. */
  readonly generates: boolean;
  readonly render: boolean;
  readonly check: boolean;
  readonly sample: boolean;
};

/** Exports that the rewriter adds: i64 fuel left, i32 depth left, the former start function. */
export const fuelExport = '__anw_fuel';
export const depthExport = '__anw_depth';
export const startExport = '__anw_start';
