/** Read what stands behind opcodes, and refuse the opcodes that are not on the list. */
import { mark } from '../assert.ts';
import type { Anatomy, Signature } from './anatomy.ts';
import { readValueType, unsupported } from './module.ts';
import { form, prefixed, prefixedCount } from './opcodes.ts';
import type { Reader } from './reader.ts';

/** The place of the next instruction in the tables of `opcodes.ts`. */
export function readOpcode(reader: Reader): number {
  const offset = reader.at;
  const byte = reader.byte();
  if (byte !== 0xfc && byte !== 0xfd) return byte;
  const rest = reader.u32();
  if (rest >= prefixedCount[byte]) noSuchInstruction(offset, prefixed[byte] + rest);
  return prefixed[byte] + rest;
}

/** @throws {@link ProgramError} `PROGRAM_UNSUPPORTED`, always. */
export function noSuchInstruction(offset: number, opcode: number): never {
  mark('X41');
  const prefix = opcode >= prefixed[0xfd] ? 0xfd : opcode >= prefixed[0xfc] ? 0xfc : null;
  const name =
    prefix === null
      ? `0x${opcode.toString(16)}`
      : `0x${prefix.toString(16)} 0x${(opcode - prefixed[prefix]).toString(16)}`;
  return unsupported(offset, `the instruction ${name}`);
}

/** Counts of parameters and results. */
export function readBlockType(
  reader: Reader,
  types: readonly Signature[],
): readonly [parameters: number, results: number] {
  const offset = reader.at;
  const first = reader.byte();
  if (first === 0x40) return [0, 0];
  reader.at = offset;
  if (first > 0x40 && first < 0x80) {
    readValueType(reader);
    return [0, 1];
  }
  const index = reader.index(types.length, 'type');
  // The index is written as a signed integer: a set sign bit would make it a negative one.
  if ((reader.bytes[reader.at - 1]! & 0x40) !== 0) unsupported(offset, 'this type of a block');
  return [types[index]!.parameters.length, types[index]!.results.length];
}

/** Where an instruction stands; functions that it names as values are added. */
type Scope = {
  readonly module: Anatomy;
  readonly parameters: number;
  readonly locals: number;
  readonly references: number[];
};

/** Bytes behind opcodes whose immediates have no structure. */
const lengths: Readonly<Record<number, number>> = {
  [form.plain]: 0,
  [form.f32]: 4,
  [form.f64]: 8,
  [form.bits128]: 16,
  [form.lanes16]: 16,
  [form.lane]: 1,
};

/** Passes over the immediates of an instruction and checks the indexes among them. */
export function passOver(reader: Reader, kind: number, scope: Scope): void {
  const { module } = scope;
  const length = lengths[kind];
  if (length !== undefined) {
    reader.skip(length);
    return;
  }
  switch (kind) {
    case form.i32:
      reader.skipInteger(5);
      break;
    case form.i64:
      reader.skipInteger(10);
      break;
    case form.localRead:
    case form.localWrite:
      reader.index(scope.parameters + scope.locals, 'local');
      break;
    case form.globalIndex:
      reader.index(module.globals, 'global');
      break;
    case form.elementIndex:
      reader.index(module.elements, 'element segment');
      break;
    case form.dataIndex:
      reader.index(module.dataSegments, 'data segment');
      break;
    case form.referenceType:
      readValueType(reader);
      break;
    case form.selectTyped:
      if (reader.u32() !== 1) reader.malformed('a select of one type');
      readValueType(reader);
      break;
    case form.functionIndex:
      scope.references.push(reader.index(module.functions.length, 'function'));
      break;
    case form.tableInit:
    case form.tableCopy:
      reader.index(kind === form.tableInit ? module.elements : module.tables, 'table or segment');
      reader.index(module.tables, 'table');
      break;
    case form.tableIndex:
    case form.tableSet:
    case form.tableGrow:
    case form.tableFill:
      reader.index(module.tables, 'table');
      break;
    default:
      passMemory(reader, kind, module);
  }
}

function passMemory(reader: Reader, kind: number, module: Anatomy): void {
  const offset = reader.at;
  if (module.pagesMax === null) reader.malformed('there is no memory');
  if (kind === form.memory || kind === form.memoryLane) {
    // An alignment of 64 and above would name another memory.
    if (reader.u32() >= 64) unsupported(offset, 'this alignment');
    reader.u32();
    if (kind === form.memoryLane) reader.skip(1);
    return;
  }
  if (kind === form.memoryInit) reader.index(module.dataSegments, 'data segment');
  reader.index(1, 'memory');
  if (kind === form.memoryCopy) reader.index(1, 'memory');
}
