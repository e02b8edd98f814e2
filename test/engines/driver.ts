/** Write a module that drives another one: the same call, without JavaScript, on any engine. */

import { startExport } from '../../protocol/execution/abi.ts';
import { header, section, unsigned } from '../fixtures/programs/assemble.ts';
import type { EngineCase } from './cases.ts';

const types: Readonly<Record<string, number>> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c };
const text = (value: string): number[] => [
  ...unsigned(value.length),
  ...new TextEncoder().encode(value),
];
const vector = (entries: readonly (readonly number[])[]): number[] => [
  ...unsigned(entries.length),
  ...entries.flat(),
];

function constant(type: 'i32' | 'i64', value: bigint): number[] {
  let rest = BigInt.asIntN(type === 'i32' ? 32 : 64, value);
  const bytes = [type === 'i32' ? 0x41 : 0x42];
  for (;;) {
    const low = Number(rest & 127n);
    rest >>= 7n;
    if ((rest === 0n && low < 64) || (rest === -1n && low >= 64)) return [...bytes, low];
    bytes.push(low | 128);
  }
}

/**
 * A module that imports the rewritten one as `p` and exports `set` (fuel and depth left), `run`
 * (the start function, then the case's call, its result as 64 bits), `fuel`, `depth`, `pages` and `digest` (of the memory).
 */
export function driverOf(one: EngineCase): Uint8Array {
  const starts = startsOf(one.module);
  const allocates = one.bytes.some(({ length }) => length > 0);
  const parameters = [
    ...one.bytes.flatMap(() => [0x7f, 0x7f]),
    ...one.numbers.map(([t]) => types[t]!),
  ];
  const results = one.result === 'none' ? [] : [types[one.result]!];
  const of = (given: readonly number[], taken: readonly number[]): number[] => [
    ...[0x60, ...vector(given.map((type) => [type])), ...vector(taken.map((type) => [type]))],
  ];
  // 0 the call, 1 the allocation, 2 set, 3 a number of 64 bits, 4 one of 32, 5 the start.
  const signatures = [
    of(parameters, results),
    of([0x7f], [0x7f]),
    of([0x7e, 0x7f], []),
    of([], [0x7e]),
    of([], [0x7f]),
    of([], []),
  ];
  const imports = [
    ...[[...text('p'), ...text(one.call), 0, 0]],
    ...(starts ? [[...text('p'), ...text(startExport), 0, 5]] : []),
    ...(allocates ? [[...text('p'), ...text('anw_alloc'), 0, 1]] : []),
    [...text('p'), ...text('memory'), 2, 0, 0],
    [...text('p'), ...text('__anw_fuel'), 3, 0x7e, 1],
    [...text('p'), ...text('__anw_depth'), 3, 0x7f, 1],
  ];
  const first = 1 + (starts ? 1 : 0) + (allocates ? 1 : 0);
  const names = ['set', 'run', 'fuel', 'depth', 'pages', 'digest'];
  const bodies = [
    [0, 0x20, 0, 0x24, 0, 0x20, 1, 0x24, 1, 0x0b],
    runBody(one, starts),
    [0, 0x23, 0, 0x0b],
    [0, 0x23, 1, 0x0b],
    [0, 0x3f, 0, 0x0b],
    digestBody,
  ];
  const data = one.bytes.map((bytes) => [1, ...unsigned(bytes.length), ...bytes]);
  return Uint8Array.from([
    ...header,
    ...section(1, vector(signatures)),
    ...section(2, vector(imports)),
    ...section(3, vector([2, 3, 3, 4, 4, 3].map((type) => [type]))),
    ...section(7, vector(names.map((name, at) => [...text(name), 0, first + at]))),
    ...section(12, unsigned(data.length)),
    ...section(10, vector(bodies.map((body) => [...unsigned(body.length), ...body]))),
    ...section(11, vector(data)),
  ]);
}

/** Whether a module has a start function. */
function startsOf(module: Uint8Array): boolean {
  let at: number = header.length;
  while (at < module.length) {
    if (module[at] === 8) return true;
    let [size, place] = [0, 1];
    do {
      at += 1;
      size += (module[at]! & 127) * place;
      place *= 128;
    } while (module[at]! > 127);
    at += 1 + size;
  }
  return false;
}

/** Starts, allocates and copies each argument in turn, then calls; locals hold the pointers. */
function runBody({ bytes, numbers, result }: EngineCase, starts: boolean): number[] {
  const allocate = starts ? 2 : 1;
  const copies = bytes.flatMap(({ length }, at) => {
    if (length === 0) return [];
    const size = constant('i32', BigInt(length));
    return [...size, 0x10, allocate, 0x22, at, 0x41, 0, ...size, 0xfc, 8, ...unsigned(at), 0];
  });
  const given = bytes.flatMap(({ length }, at) => [0x20, at, ...constant('i32', BigInt(length))]);
  const widen = {
    ...{ none: [0x42, 0], i32: [0xad], i64: [], f32: [0xbc, 0xad], f64: [0xbd] },
  }[result];
  const locals = bytes.length === 0 ? [0] : [1, ...unsigned(bytes.length), 0x7f];
  const values = numbers.flatMap(([type, value]) => constant(type, value));
  return [
    ...locals,
    ...(starts ? [0x10, 1] : []),
    ...copies,
    ...given,
    ...values,
    0x10,
    0,
    ...widen,
    0x0b,
  ];
}

/** `h = rotl((h ^ word) * prime, 29)` over the words of the memory. */
const digestBody: readonly number[] = [
  ...[2, 1, 0x7e, 1, 0x7f, ...constant('i64', 0xcbf29ce484222325n), 0x21, 0],
  ...[0x3f, 0, 0x04, 0x40, 0x03, 0x40],
  ...[0x20, 0, 0x20, 1, 0x29, 3, 0, 0x85, ...constant('i64', 0x100000001b3n), 0x7e],
  ...[...constant('i64', 29n), 0x89, 0x21, 0],
  ...[0x20, 1, 0x41, 8, 0x6a, 0x22, 1, 0x3f, 0, 0x41, 16, 0x74, 0x47, 0x0d, 0, 0x0b, 0x0b],
  ...[0x20, 0, 0x0b],
];
