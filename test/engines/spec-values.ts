/** Call a function of a module with exact bits: each call is a small module of its own. */
import { engine } from '../../node/executor/engine.ts';
import { header, section, unsigned } from '../fixtures/programs/assemble.ts';

/** A constant or a pattern, as `wast2json` writes it: numbers are unsigned bits in decimal. */
export type SpecValue = {
  readonly type: string;
  readonly value?: string | readonly string[];
  readonly lane_type?: string;
};

const codes: Readonly<Record<string, number>> = {
  ...{ i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b },
  ...{ funcref: 0x70, externref: 0x6f },
};
const stores: Readonly<Record<string, readonly number[]>> = {
  ...{ i32: [0x36, 2], i64: [0x37, 3], f32: [0x38, 2], f64: [0x39, 3], v128: [0xfd, 11, 4] },
};
const widths: Readonly<Record<string, number>> = {
  ...{ i8: 1, i16: 2, i32: 4, f32: 4, i64: 8, f64: 8, v128: 16 },
};
const isReference = ({ type }: SpecValue): boolean => type.endsWith('ref');

function little(value: bigint, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, at) => Number((value >> BigInt(8 * at)) & 255n));
}

function signed(value: bigint, bits: number): number[] {
  let rest = BigInt.asIntN(bits, value);
  const bytes: number[] = [];
  for (;;) {
    const low = Number(rest & 127n);
    rest >>= 7n;
    if ((rest === 0n && low < 64) || (rest === -1n && low >= 64)) return [...bytes, low];
    bytes.push(low | 128);
  }
}

/** The lanes of a value: a number is one lane. */
function lanes({ type, value = [], lane_type }: SpecValue): { width: number; lanes: string[] } {
  const all = typeof value === 'string' ? [value] : [...value];
  return { width: widths[lane_type ?? type]!, lanes: all };
}

function constant(value: SpecValue): number[] {
  const { width, lanes: all } = lanes(value);
  if (value.type === 'i32') return [0x41, ...signed(BigInt(all[0]!), 32)];
  if (value.type === 'i64') return [0x42, ...signed(BigInt(all[0]!), 64)];
  const bytes = all.flatMap((lane) => little(BigInt(lane), width));
  const opcode = { f32: [0x43], f64: [0x44], v128: [0xfd, 12] }[value.type];
  if (opcode === undefined) throw new Error(`no constant of type ${value.type}`);
  return [...opcode, ...bytes];
}

/** What a call gave: a slot of 16 bytes for each result that is a number, and a reference. */
export type Given = { readonly memory: Uint8Array; readonly reference: unknown };
export type Callee = (...values: never[]) => unknown;

const objects = new Map<string, object>();
/** The reference that the suite calls by a number. */
function reference({ value }: SpecValue): unknown {
  if (value === 'null' || typeof value !== 'string') return null;
  const known = objects.get(value) ?? { reference: value };
  objects.set(value, known);
  return known;
}

/** @throws what the callee throws. */
export function callExactly(
  callee: Callee,
  given: readonly SpecValue[],
  results: readonly SpecValue[],
): Given {
  const vector = (types: readonly SpecValue[]): number[] => [
    ...unsigned(types.length),
    ...types.map(({ type }) => codes[type]!),
  ];
  const references = [given.filter(isReference), results.filter(isReference)] as const;
  const types = [
    [0x60, ...vector(given), ...vector(results)],
    [0x60, ...vector(references[0]), ...vector(references[1])],
  ];
  let parameter = 0;
  const local = (at: number): number => references[0].length + at;
  const body = [
    ...given.flatMap((value) => (isReference(value) ? [0x20, parameter++] : constant(value))),
    ...[0x10, 0],
    ...results
      .map((_, at) => [0x21, ...unsigned(local(at))])
      .reverse()
      .flat(),
    ...results.flatMap((value, at) =>
      isReference(value)
        ? [0x20, ...unsigned(local(at))]
        : [
            0x41,
            ...signed(BigInt(16 * at), 32),
            0x20,
            ...unsigned(local(at)),
            ...stores[value.type]!,
            0,
          ],
    ),
  ];
  const code = [
    ...unsigned(results.length),
    ...results.flatMap(({ type }) => [1, codes[type]!]),
    ...body,
    0x0b,
  ];
  const bytes = [
    ...header,
    ...section(1, [2, ...types.flat()]),
    ...section(2, [1, 1, 0x6d, 1, 0x66, 0, 0]),
    ...section(3, [1, 1]),
    ...section(5, [1, 0, 1]),
    ...section(7, [2, 1, 0x66, 0, 1, 1, 0x6d, 2, 0]),
    ...section(10, [1, ...unsigned(code.length), ...code]),
  ];
  const module = new engine.Module(Uint8Array.from(bytes));
  const { exports } = new engine.Instance(module, { m: { f: callee } });
  const run = exports.f as unknown as (...values: unknown[]) => unknown;
  const result = run(...references[0].map(reference));
  return {
    memory: new Uint8Array((exports.m as { buffer: ArrayBuffer }).buffer),
    reference: result,
  };
}

/** How a NaN was asked for, and which one came. */
export type NanCount = { canonical: number; negative: number; other: number };

/** Whether a call gave what it should; NaNs that are patterns are counted. */
export function gave(
  { memory, reference: found }: Given,
  expected: readonly SpecValue[],
  nans: NanCount,
): boolean {
  const view = new DataView(memory.buffer);
  return expected.every((value, at) => {
    if (isReference(value)) {
      if (value.value === undefined) return found !== null;
      return found === reference(value);
    }
    const { width, lanes: all } = lanes(value);
    return all.every((lane, index) => {
      const place = 16 * at + width * index;
      const bits = readBits(view, place, width);
      if (!lane.startsWith('nan:')) return bits === BigInt.asUintN(8 * width, BigInt(lane));
      return isNanAsked(lane, bits, width, nans);
    });
  });
}

function readBits(view: DataView, at: number, width: number): bigint {
  if (width === 8) return view.getBigUint64(at, true);
  if (width === 4) return BigInt(view.getUint32(at, true));
  return BigInt(width === 2 ? view.getUint16(at, true) : view.getUint8(at));
}

function isNanAsked(pattern: string, bits: bigint, width: number, nans: NanCount): boolean {
  const canonical = width === 8 ? 0x7ff8_0000_0000_0000n : 0x7fc0_0000n;
  const magnitude = BigInt.asUintN(8 * width - 1, bits);
  if (bits === canonical) nans.canonical += 1;
  else if (magnitude === canonical) nans.negative += 1;
  else nans.other += 1;
  // Arithmetic: any quiet one.
  return (
    magnitude === canonical ||
    (pattern === 'nan:arithmetic' && (magnitude & canonical) === canonical)
  );
}
