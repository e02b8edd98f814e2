/** Read a whole module for the rewriter: what its sections define, and where its code lies. */
import { mark } from '../assert.ts';
import { reservedPrefix } from './abi.ts';
import { firstImport, shownName } from './imports.ts';
import { engineLimits, type InstrumentLimits } from './limits.ts';
import {
  exportKinds,
  limit,
  moduleMagic,
  readLimits,
  readValueType,
  sectionPlaces,
  unsupported,
} from './module.ts';
import { Reader } from './reader.ts';
import { ProgramError } from './rejection.ts';

/** Which imports the rewriter puts up with. A program has none; tests of engines have any. */
export type ImportRule = 'none' | 'any';

/** A function type: its value types as the bytes of the binary format. */
export type Signature = {
  readonly parameters: Uint8Array;
  readonly results: Uint8Array;
  /** The same for two types exactly if they are the same. */
  readonly key: string;
};

/** A part of the module: `bytes[start..end)`. */
export type Range = { readonly start: number; readonly end: number };

/** What the rewriter must know of a module. Functions are numbered with the imported ones first. */
export type Anatomy = {
  readonly bytes: Uint8Array;
  /** Contents of the sections that it has, by number; custom sections are left out. */
  readonly sections: ReadonlyMap<number, Range>;
  readonly types: readonly Signature[];
  /** Index of the type of each function. */
  readonly functions: readonly number[];
  readonly importedFunctions: number;
  readonly bodies: readonly Range[];
  readonly tables: number;
  readonly globals: number;
  readonly importedGlobals: number;
  readonly elements: number;
  /** Data segments that the code may name. */
  readonly dataSegments: number;
  /** Pages that the memory may grow to; null without a memory. */
  readonly pagesMax: number | null;
  readonly exports: number;
  readonly start: number | null;
  /** A function type or a global has vectors. */
  readonly vectors: boolean;
  /** Functions that can be called other than by name: 1 for each in a table, export or `ref.func`. */
  readonly escaping: Uint8Array;
};

type Draft = { -readonly [K in keyof Anatomy]: Anatomy[K] } & {
  readonly limits: InstrumentLimits;
  readonly functions: number[];
  tableElements: number;
};

/** @throws {@link ProgramError} when the module cannot be read, is not allowed or passes a cap. */
export function readAnatomy(
  bytes: Uint8Array,
  limits: InstrumentLimits,
  imports: ImportRule,
): Anatomy {
  if (bytes.length > limits.moduleBytes)
    limit(limits.moduleBytes, 'the module', limits.moduleBytes);
  const reader = new Reader(bytes);
  for (const byte of moduleMagic) if (reader.byte() !== byte) reader.malformed('no module header');
  const sections = new Map<number, Range>();
  const draft = emptyDraft(bytes, limits, sections);
  let place = 0;
  while (!reader.done) {
    const offset = reader.at;
    const id = reader.byte();
    const section = reader.part(reader.u32());
    if (id === 0) {
      section.name();
      mark('X61');
      continue;
    }
    const next = sectionPlaces[id] ?? unsupported(offset, `section ${id}`);
    if (next <= place) reader.malformed(`section ${id} is out of order`);
    place = next;
    sections.set(id, { start: section.at, end: section.end });
    if (id === 2 && imports === 'none') refuseImports(section, offset);
    readSection(draft, id, section);
    section.finish();
  }
  finish(draft, reader);
  return draft;
}

function emptyDraft(
  bytes: Uint8Array,
  limits: InstrumentLimits,
  sections: Anatomy['sections'],
): Draft {
  return {
    bytes,
    limits,
    sections,
    types: [],
    functions: [],
    importedFunctions: 0,
    bodies: [],
    tables: 0,
    globals: 0,
    importedGlobals: 0,
    elements: 0,
    dataSegments: 0,
    pagesMax: null,
    exports: 0,
    start: null,
    vectors: false,
    escaping: new Uint8Array(0),
    tableElements: 0,
  };
}

function refuseImports(section: Reader, offset: number): void {
  const { at } = section;
  const reason = firstImport(section);
  if (reason !== null) {
    mark('X36');
    throw new ProgramError('PROGRAM_IMPORTS', offset, reason);
  }
  section.at = at;
}

function readSection(draft: Draft, id: number, section: Reader): void {
  switch (id) {
    case 1:
      readTypeSection(draft, section);
      break;
    case 2:
      section.each((reader) => readImport(draft, reader));
      break;
    case 3:
      readFunctions(draft, section);
      break;
    case 4:
      section.each((reader) => readTable(draft, reader));
      break;
    case 5:
      section.each((reader) => readMemory(draft, reader));
      break;
    case 6:
      section.each((reader) => readGlobal(draft, reader));
      break;
    case 7:
      draft.exports = section.each((reader) => readExport(draft, reader));
      break;
    case 8:
      draft.start = readEscaping(draft, section);
      break;
    case 9:
      draft.elements = section.each((reader) => readElements(draft, reader));
      break;
    case 10:
      draft.bodies = section.list((reader) => readBody(draft, reader));
      break;
    case 11:
      section.each((reader) => readData(draft, reader));
      break;
    default:
      draft.dataSegments = section.u32();
  }
}

function readGlobal(draft: Draft, reader: Reader): void {
  readGlobalType(draft, reader);
  readConstant(draft, reader);
  draft.globals += 1;
}

function countDefinitions(reader: Reader, count: number): void {
  // Room for what the rewriter adds: a clone of each function, a type of each, two globals.
  const max = engineLimits.definitions / 2 - 2;
  if (count > max) limit(reader.at, `${count} definitions of one kind`, max);
}

function readTypeSection(draft: Draft, section: Reader): void {
  const offset = section.at;
  const max = Math.min(draft.limits.types, engineLimits.definitions / 2);
  const count = section.count();
  if (count > max) limit(offset, `${count} types`, max);
  section.at = offset;
  draft.types = section.list((reader) => readSignature(draft, reader));
}

function readGlobalType(draft: Draft, reader: Reader): void {
  if (readValueType(reader) === 'v') draft.vectors = true;
  if (reader.byte() > 1) reader.malformed('a global is mutable or not');
}

/** The index of a function that can be called other than by name. */
function readEscaping(draft: Draft, reader: Reader): number {
  // All functions are known: imports and the function section stand in front of what names them.
  const { functions } = draft;
  if (draft.escaping.length < functions.length) draft.escaping = new Uint8Array(functions.length);
  const index = reader.index(functions.length, 'function');
  draft.escaping[index] = 1;
  return index;
}

function readTypes(draft: Draft, reader: Reader): Uint8Array {
  const { arity } = draft.limits;
  const offset = reader.at;
  const count = reader.u32();
  if (count > arity) limit(offset, `${count} parameters or results`, arity);
  const { at } = reader;
  for (let i = 0; i < count; i++) if (readValueType(reader) === 'v') draft.vectors = true;
  return reader.bytes.subarray(at, reader.at);
}

function readSignature(draft: Draft, reader: Reader): Signature {
  const offset = reader.at;
  const form = reader.byte();
  if (form !== 0x60) unsupported(offset, `type form 0x${form.toString(16)}`);
  const parameters = readTypes(draft, reader);
  const results = readTypes(draft, reader);
  return { parameters, results, key: `${parameters.join()}>${results.join()}` };
}

function readImport(draft: Draft, reader: Reader): void {
  reader.name();
  reader.name();
  const offset = reader.at;
  switch (reader.byte()) {
    case 0:
      draft.functions.push(readTypeIndex(draft, reader));
      draft.importedFunctions += 1;
      countDefinitions(reader, draft.functions.length);
      break;
    case 1:
      readTable(draft, reader);
      break;
    case 2:
      readMemory(draft, reader);
      break;
    case 3:
      readGlobalType(draft, reader);
      draft.globals += 1;
      draft.importedGlobals += 1;
      break;
    default:
      unsupported(offset, 'an import that is no function, table, memory or global');
  }
}

function readTypeIndex(draft: Draft, reader: Reader): number {
  const index = reader.u32();
  if (index >= draft.types.length) reader.malformed(`type ${index} does not exist`);
  return index;
}

function readFunctions(draft: Draft, section: Reader): void {
  const offset = section.at;
  const { functions } = draft.limits;
  const count = section.count();
  if (count > functions) limit(offset, `${count} functions`, functions);
  for (let i = 0; i < count; i++) draft.functions.push(readTypeIndex(draft, section));
  countDefinitions(section, draft.functions.length);
}

function readTable(draft: Draft, reader: Reader): void {
  const offset = reader.at;
  if (readValueType(reader) !== 'r') reader.malformed('a table holds references');
  draft.tables += 1;
  draft.tableElements += readLimits(reader).min;
  const { tableElements } = draft.limits;
  if (draft.tableElements > tableElements)
    limit(offset, `${draft.tableElements} table elements`, tableElements);
}

function readMemory(draft: Draft, reader: Reader): void {
  const offset = reader.at;
  const { min, max } = readLimits(reader);
  if (draft.pagesMax !== null) unsupported(offset, 'a second memory');
  const pages = Math.min(draft.limits.memoryPages, engineLimits.memoryPages);
  if (min > pages) limit(offset, `${min} pages of memory`, pages);
  draft.pagesMax = Math.min(max ?? engineLimits.memoryPages, pages);
}

/** A constant expression of WebAssembly 2.0: one instruction and its end. */
function readConstant(draft: Draft, reader: Reader): void {
  for (;;) {
    const offset = reader.at;
    const opcode = reader.byte();
    if (opcode === 0x0b) return;
    if (opcode === 0x41) reader.skipInteger(5);
    else if (opcode === 0x42) reader.skipInteger(10);
    else if (opcode === 0x43) reader.skip(4);
    else if (opcode === 0x44) reader.skip(8);
    else if (opcode === 0x23) reader.index(draft.globals, 'global');
    else if (opcode === 0xd0) readValueType(reader);
    else if (opcode === 0xd2) readEscaping(draft, reader);
    else if (opcode === 0xfd && reader.u32() === 12) reader.skip(16);
    else {
      mark('X37');
      unsupported(offset, `the instruction 0x${opcode.toString(16)} in a constant`);
    }
  }
}

function readExport(draft: Draft, reader: Reader): void {
  const offset = reader.at;
  const name = reader.name();
  if (name.startsWith(reservedPrefix)) {
    mark('X38');
    const reason = `the export ${shownName(name)} has a name of the node; rename it`;
    throw new ProgramError('PROGRAM_UNKNOWN_EXPORT', offset, reason);
  }
  const kind = reader.byte();
  if (exportKinds[kind] === undefined) unsupported(offset, `export kind ${kind}`);
  if (kind === 0) readEscaping(draft, reader);
  else if (kind === 1) reader.index(draft.tables, 'table');
  else if (kind === 2) reader.index(draft.pagesMax === null ? 0 : 1, 'memory');
  else reader.index(draft.globals, 'global');
}

function readElements(draft: Draft, reader: Reader): void {
  const flags = reader.u32();
  if (flags > 7) reader.malformed(`element segment of kind ${flags}`);
  const [passive, explicit, expressions] = [flags & 1, flags & 2, flags & 4];
  if (passive === 0) {
    if (explicit !== 0) reader.index(draft.tables, 'table');
    else if (draft.tables === 0) reader.malformed('elements without a table');
    readConstant(draft, reader);
  }
  if (passive !== 0 || explicit !== 0) {
    if (expressions !== 0) readValueType(reader);
    else if (reader.byte() !== 0) reader.malformed('an element is a function');
  }
  reader.each((entry) => {
    if (expressions !== 0) readConstant(draft, entry);
    else readEscaping(draft, entry);
  });
}

function readBody(draft: Draft, reader: Reader): Range {
  const offset = reader.at;
  const { at, end } = reader.part(reader.u32());
  const max = Math.min(draft.limits.functionBytes, engineLimits.functionBytes);
  if (end - at > max) limit(offset, `${end - at} bytes in one function`, max);
  return { start: at, end };
}

function readData(draft: Draft, reader: Reader): void {
  const flags = reader.u32();
  if (flags > 2) reader.malformed(`data segment of kind ${flags}`);
  if (flags === 2 && reader.u32() !== 0) reader.malformed('data of a second memory');
  if (flags !== 1) readConstant(draft, reader);
  reader.skip(reader.u32());
}

function finish(draft: Draft, reader: Reader): void {
  const { functions, importedFunctions, bodies } = draft;
  if (bodies.length !== functions.length - importedFunctions)
    reader.malformed(`${functions.length - importedFunctions} functions, ${bodies.length} bodies`);
  countDefinitions(reader, draft.globals);
  if (draft.exports > engineLimits.exports - 3)
    limit(reader.at, `${draft.exports} exports`, engineLimits.exports - 3);
  if (draft.escaping.length < functions.length) draft.escaping = new Uint8Array(functions.length);
}
