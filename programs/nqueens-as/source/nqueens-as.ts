/**
 * Count the ways to put N queens on a board of N by N so that none attacks another: {"size": N}.
 *
 * What `nqueens` does in C, in AssemblyScript: items, values and results are the same bytes. An
 * item is a prefix: the columns of the queens in the first rows, one byte each. Its value is the
 * number of boards that begin with it.
 */
import { allocate, result } from '../../shared-as/source/memory';
import {
  endParameters,
  openParameters,
  readNumber,
  takeName,
} from '../../shared-as/source/parameters';

/** Beyond 27 nobody knows the number; up to it, it is below 2^64. */
const sizeMax: i64 = 27;
/** Returned by anw_count for parameters that are refused. */
const refused: u64 = u64.MAX_VALUE;

/** The size of the board, or 0 for parameters that name none. */
function readSize(text: usize, length: u32): u32 {
  if (length == 0 || !openParameters(text, length) || !takeName('size')) return 0;
  const size = readNumber();
  return size >= 1 && size <= sizeMax && endParameters(text, length) ? u32(size) : 0;
}

/** Columns that are free, where some are taken straight and along both diagonals. */
@inline
function freeColumns(straight: u32, left: u32, right: u32, size: u32): u32 {
  return ~(straight | left | right) & ((1 << size) - 1);
}

function countBoards(straight: u32, left: u32, right: u32, size: u32, rows: u32): u64 {
  let open = freeColumns(straight, left, right, size);
  if (rows == 1) return u64(popcnt(open));
  let count: u64 = 0;
  for (; open != 0; open &= open - 1) {
    const queen = open & (0 - open);
    count += countBoards(
      straight | queen,
      (left | queen) << 1,
      (right | queen) >> 1,
      size,
      rows - 1,
    );
  }
  return count;
}

/** Rows of a prefix: enough items to share out, each worth its while. Small boards have no more. */
function prefixRows(size: u32): u32 {
  return size < 4 ? 1 : size < 10 ? 2 : size < 16 ? 3 : 4;
}

/** Prefixes that are still to be passed. */
let toPass: u64 = 0;

/** Goes through the prefixes in order until none is to be passed; whether there are so many. */
function findPrefix(
  straight: u32,
  left: u32,
  right: u32,
  size: u32,
  rows: u32,
  columns: usize,
): bool {
  if (rows == 0) {
    toPass -= 1;
    return toPass == u64.MAX_VALUE;
  }
  let open = freeColumns(straight, left, right, size);
  for (; open != 0; open &= open - 1) {
    const queen = open & (0 - open);
    store<u8>(columns, <u8>ctz(open));
    const found = findPrefix(
      straight | queen,
      (left | queen) << 1,
      (right | queen) >> 1,
      size,
      rows - 1,
      columns + 1,
    );
    if (found) return true;
  }
  return false;
}

function numberResult(number: u64): u64 {
  const value = allocate(8);
  store<u64>(value, number);
  return result(value, 8);
}

function readValue(value: usize, length: u32): u64 {
  if (length != 8) unreachable();
  return load<u64>(value);
}

export function anw_abi_v1(): void {}

export function anw_alloc(size: u32): usize {
  return allocate(size);
}

export function anw_count(parameters: usize, length: u32): u64 {
  const size = readSize(parameters, length);
  if (size == 0) return refused;
  toPass = refused;
  findPrefix(0, 0, 0, size, prefixRows(size), allocate(4));
  return refused - toPass;
}

export function anw_item(parameters: usize, length: u32, index: u64): u64 {
  const size = readSize(parameters, length);
  if (size == 0) unreachable();
  const columns = allocate(4);
  const rows = prefixRows(size);
  toPass = index;
  if (!findPrefix(0, 0, 0, size, rows, columns)) unreachable();
  return result(columns, rows);
}

export function anw_map(parameters: usize, parametersLength: u32, item: usize, rows: u32): u64 {
  const size = readSize(parameters, parametersLength);
  if (size == 0 || rows != prefixRows(size)) unreachable();
  let straight: u32 = 0;
  let left: u32 = 0;
  let right: u32 = 0;
  for (let row: u32 = 0; row < rows; row++) {
    const column = u32(load<u8>(item + row));
    if (column >= size) unreachable();
    const queen: u32 = 1 << column;
    if ((freeColumns(straight, left, right, size) & queen) == 0) unreachable();
    straight |= queen;
    left = (left | queen) << 1;
    right = (right | queen) >> 1;
  }
  return numberResult(rows == size ? 1 : countBoards(straight, left, right, size, size - rows));
}

export function anw_combine(a: usize, aLength: u32, b: usize, bLength: u32): u64 {
  return numberResult(readValue(a, aLength) + readValue(b, bLength));
}

export function anw_render(
  parameters: usize,
  parametersLength: u32,
  value: usize,
  length: u32,
): u64 {
  let rest = readValue(value, length);
  const end = allocate(20) + 20;
  let at = end;
  do {
    at -= 1;
    store<u8>(at, <u8>(48 + (rest % 10)));
    rest /= 10;
  } while (rest > 0);
  return result(at, end - at);
}

/** A value for the test of the laws. */
export function anw_sample(seed: usize): u64 {
  return numberResult(load<u64>(seed));
}
