/** Change modules a little: in their sections, in what they count, in their instructions, anywhere. */
import { section, unsigned } from '../fixtures/programs/assemble.ts';

export type Pick = (below: number) => number;

type Part = { readonly id: number; readonly start: number; readonly end: number };

/** A number in LEB128 that begins at a place; the place behind it. Null where none does. */
function readLeb(bytes: Uint8Array, at: number): { value: number; end: number } | null {
  let value = 0;
  for (let place = 0; place < 5; place++) {
    const byte = bytes[at + place];
    if (byte === undefined) return null;
    value += (byte & 127) * 2 ** (7 * place);
    if (byte < 128) return { value, end: at + place + 1 };
  }
  return null;
}

/** The contents of the sections, as far as there are such. */
export function partsOf(bytes: Uint8Array): readonly Part[] {
  const parts: Part[] = [];
  for (let at = 8; at < bytes.length; ) {
    const size = readLeb(bytes, at + 1);
    if (size === null) break;
    // An earlier change may have made this a number far beyond the module.
    const end = Math.min(size.end + size.value, bytes.length);
    parts.push({ id: bytes[at]!, start: size.end, end });
    at = end;
  }
  return parts;
}

function joined(bytes: Uint8Array, parts: readonly (Part | Uint8Array)[]): Uint8Array {
  const pieces = parts.map((part) => {
    if (part instanceof Uint8Array) return part;
    const head = [part.id, ...unsigned(part.end - part.start)];
    const made = new Uint8Array(head.length + part.end - part.start);
    made.set(head);
    made.set(bytes.subarray(part.start, part.end), head.length);
    return made;
  });
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 8));
  whole.set(bytes.subarray(0, 8));
  let at = 8;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** Instructions that take and give nothing, and such that are refused, or change control. */
const inserted: readonly (readonly number[])[] = [
  [0x01],
  [0x00],
  [0x0f],
  [0x41, 0, 0x1a],
  [0x03, 0x40, 0x0b],
  [0x02, 0x40, 0x0b],
  [0x41, 1, 0x0d, 0],
  [0x41, 0, 0x04, 0x40, 0x05, 0x0b],
  [0x41, 1, 0x40, 0, 0x1a],
  [0x41, 0, 0x41, 0, 0x41, 8, 0xfc, 11, 0],
  [0x44, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f, 0x9f, 0x1a],
  [0x0c, 0],
  [0x12, 0],
  [0xfe, 0, 0, 0],
];

/** Single opcodes of one type: exchanged for one another, code often stays valid. */
const families: readonly (readonly [first: number, last: number])[] = [
  ...([
    [0x46, 0x4f],
    [0x51, 0x5a],
    [0x5b, 0x60],
    [0x61, 0x66],
  ] as const),
  ...([
    [0x6a, 0x78],
    [0x7c, 0x8a],
    [0x92, 0x98],
    [0xa0, 0xa6],
    [0x99, 0x9f],
  ] as const),
  ...([
    [0x28, 0x28],
    [0x2c, 0x2f],
    [0x36, 0x36],
    [0x20, 0x22],
    [0x0c, 0x0d],
  ] as const),
];

/** Writes a body of the code section again, with its length, so that the frame still fits. */
function inBody(bytes: Uint8Array, pick: Pick): Uint8Array | null {
  const parts = partsOf(bytes);
  const code = parts.find(({ id }) => id === 10);
  const count = code && readLeb(bytes, code.start);
  if (code === undefined || count == null || count.value === 0) return null;
  const chosen = pick(count.value);
  let at = count.end;
  for (let body = 0; ; body++) {
    const size = readLeb(bytes, at);
    if (size === null || size.end + size.value > code.end) return null;
    if (body < chosen) {
      at = size.end + size.value;
      continue;
    }
    const made = changed(bytes.subarray(size.end, size.end + size.value), pick);
    const before = bytes.subarray(code.start, at);
    const after = bytes.subarray(size.end + size.value, code.end);
    const content = [...before, ...unsigned(made.length), ...made, ...after];
    const next = Uint8Array.from(section(10, content));
    return joined(
      bytes,
      parts.map((part) => (part === code ? next : part)),
    );
  }
}

function changed(body: Uint8Array, pick: Pick): readonly number[] {
  const at = pick(body.length);
  const rest = [...body];
  switch (pick(5)) {
    case 0:
      rest.splice(at, 0, ...inserted[pick(inserted.length)]!);
      return rest;
    case 1:
      rest.splice(at, 1 + pick(6));
      return rest;
    case 2: {
      // A piece of the body once more, elsewhere.
      const from = pick(body.length);
      rest.splice(at, 0, ...body.subarray(from, from + 1 + pick(24)));
      return rest;
    }
    case 3: {
      const family = families.find(([first, last]) => rest[at]! >= first && rest[at]! <= last);
      if (family === undefined) rest[at] = pick(256);
      else rest[at] = family[0] + pick(family[1] - family[0] + 1);
      return rest;
    }
    default:
      rest[at] = (rest[at]! + (pick(2) === 0 ? 1 : 255)) % 256;
      return rest;
  }
}

function inSections(bytes: Uint8Array, pick: Pick): Uint8Array {
  const parts = [...partsOf(bytes)];
  if (parts.length === 0) return bytes.slice();
  const at = pick(parts.length);
  switch (pick(4)) {
    case 0:
      parts.splice(at, 1);
      break;
    case 1:
      parts.splice(pick(parts.length), 0, parts[at]!);
      break;
    case 2: {
      const other = pick(parts.length);
      [parts[at], parts[other]] = [parts[other]!, parts[at]!];
      break;
    }
    default:
      parts[at] = { ...parts[at]!, id: pick(15) };
  }
  return joined(bytes, parts);
}

/** A number somewhere is written longer, or is exchanged for a telling one. */
function inNumbers(bytes: Uint8Array, pick: Pick): Uint8Array {
  const at = 8 + pick(bytes.length - 8);
  const found = readLeb(bytes, at);
  if (found === null) return bytes.slice();
  const telling = [0, 1, 63, 64, 127, 128, 255, 4_096, 65_536, 2 ** 31, 2 ** 32 - 1];
  const value = pick(3) === 0 ? found.value : telling[pick(telling.length)]!;
  const written = unsigned(value);
  if (pick(3) === 0 && written.length < 5) {
    written[written.length - 1]! += 128;
    written.push(0);
  }
  const made = [...bytes.subarray(0, at), ...written, ...bytes.subarray(found.end)];
  return Uint8Array.from(made);
}

function anywhere(bytes: Uint8Array, pick: Pick): Uint8Array {
  const made = bytes.slice();
  for (let change = pick(3); change >= 0; change--) {
    const at = pick(made.length);
    if (pick(4) === 0) made.copyWithin(at, pick(made.length), at + pick(12));
    else made[at] = pick(256);
  }
  return pick(20) === 0 ? made.slice(0, pick(made.length)) : made;
}

/** One change, or three, of the four kinds; most of them inside of a body. */
export function mutate(bytes: Uint8Array, pick: Pick): Uint8Array {
  let made = bytes;
  for (let change = pick(8) < 6 ? 0 : 2; change >= 0; change--) {
    const kind = pick(8);
    if (made.length < 16) return made;
    if (kind < 5) made = inBody(made, pick) ?? anywhere(made, pick);
    else if (kind === 5) made = inSections(made, pick);
    else made = kind === 6 ? inNumbers(made, pick) : anywhere(made, pick);
  }
  return made;
}
