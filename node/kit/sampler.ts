/** Make a program whose map is another's anw_sample: samples then come out of any sandbox. */
import { concatBytes } from '../../protocol/brand.ts';
import { readModule } from '../../protocol/execution/module.ts';

/** Sections of a module that change: functions, exports, code. */
const functionSection = 3;
const exportSection = 7;
const codeSection = 10;

function leb(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Uint8Array.of(...bytes, rest);
}

/** Reads a number of up to 32 bits; the module was admitted, so it is there. */
function number(bytes: Uint8Array, at: number): readonly [value: number, end: number] {
  let value = 0;
  for (let shift = 1, end = at; ; shift *= 128) {
    const byte = bytes[end++]!;
    value += (byte % 128) * shift;
    if (byte < 128) return [value, end];
  }
}

/** A vector with one element more. */
function appended(content: Uint8Array, element: Uint8Array): Uint8Array {
  const [count, start] = number(content, 0);
  return concatBytes(leb(count + 1), content.subarray(start), element);
}

/** The exports with the function `name` at another index. */
function redirected(content: Uint8Array, name: string, index: number): Uint8Array {
  const [count, start] = number(content, 0);
  let at = start;
  for (let entry = 0; entry < count; entry++) {
    const [length, nameStart] = number(content, at);
    const kindAt = nameStart + length;
    const [, end] = number(content, kindAt + 1);
    if (Buffer.from(content.subarray(nameStart, kindAt)).toString() === name)
      return concatBytes(content.subarray(0, kindAt + 1), leb(index), content.subarray(end));
    at = end;
  }
  return content;
}

/**
 * The program with a map that hands its item to `anw_sample`, 32 bytes of seed.
 * @param program - Admitted, with an `anw_sample`.
 */
export function samplerOf(program: Uint8Array): Uint8Array {
  const { exports, functions } = readModule(program);
  const indexOf = (name: string): number => exports.find((entry) => entry.name === name)!.index;
  const call = [0x20, 2, 0x10, ...leb(indexOf('anw_sample')), 0x0b];
  const body = Uint8Array.of(call.length + 1, 0, ...call);
  const parts = [program.subarray(0, 8)];
  for (let at = 8; at < program.length; ) {
    const id = program[at]!;
    const [length, start] = number(program, at + 1);
    const content = program.subarray(start, start + length);
    const changed =
      id === functionSection
        ? appended(content, leb(functions[indexOf('anw_map')]!))
        : id === exportSection
          ? redirected(content, 'anw_map', functions.length)
          : id === codeSection
            ? appended(content, body)
            : content;
    parts.push(Uint8Array.of(id), leb(changed.length), changed);
    at = start + length;
  }
  return concatBytes(...parts);
}
