/** Read the outline of a WebAssembly module: its sections and types, not its instructions. */
import { mark } from '../assert.ts';
import type { FunctionType } from './abi.ts';
import { firstImport } from './imports.ts';
import { Reader } from './reader.ts';
import { ProgramError } from './rejection.ts';

/** Functions of a program, bytes of one body, locals of one function, elements of its tables. */
export const functionCountMax = 20_000;
export const functionBytesMax = 256 * 1024;
export const localCountMax = 4_096;
export const tableElementCountMax = 65_536;

export type CustomSection = {
  readonly name: string;
  /** Where its content lies in the module. */
  readonly start: number;
  readonly end: number;
};

export type MemoryType = {
  readonly offset: number;
  readonly pagesMin: number;
  /** Null when the module declares none. */
  readonly pagesMax: number | null;
};

export type ModuleExport = {
  readonly name: string;
  readonly kind: 'function' | 'table' | 'memory' | 'global';
  readonly index: number;
  readonly offset: number;
};

/** What admission looks at. */
export type ModuleOutline = {
  readonly types: readonly FunctionType[];
  /** Index of the type of each function that is defined in the module. */
  readonly functions: readonly number[];
  readonly memories: readonly MemoryType[];
  readonly exports: readonly ModuleExport[];
  readonly customs: readonly CustomSection[];
  /** Fuel of what every instance makes anew: memory, tables, globals, exports, segments. */
  readonly setupFuel: number;
  /** Where the import section lies, and what it imports first; null when it imports nothing. */
  readonly imports: { readonly offset: number; readonly reason: string } | null;
};

type Draft = { -readonly [K in keyof ModuleOutline]: ModuleOutline[K] };

/** Places of the sections 1 to 12 in a module: the data count (12) comes before the code (10). */
export const sectionPlaces = [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 11];
const valueTypeLetters: Readonly<Record<number, string>> = {
  127: 'i',
  126: 'I',
  125: 'f',
  124: 'F',
  123: 'v',
  112: 'r',
  111: 'r',
};
/**
 * Fuel of a byte of globals, exports, element segments and data, which every instance makes anew;
 * an engine makes an object of each export and of each function in a table.
 */
const setupFuelPerByte: Readonly<Record<number, number>> = { 6: 1, 7: 4, 9: 4, 11: 1 };
/** Fuel of a page of memory that is there at first: the same as of one that it grows by. */
const setupFuelPerPage = 2_000;
export const exportKinds = ['function', 'table', 'memory', 'global'] as const;
export const moduleMagic = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);

/** @throws {@link ProgramError} `PROGRAM_UNSUPPORTED`, always. */
export function unsupported(offset: number, what: string): never {
  mark('X4');
  throw new ProgramError('PROGRAM_UNSUPPORTED', offset, `${what} is not supported`);
}

/** @throws {@link ProgramError} `PROGRAM_LIMIT`, always. */
export function limit(offset: number, what: string, max: number): never {
  mark('X5');
  throw new ProgramError('PROGRAM_LIMIT', offset, `${what}; at most ${max} are allowed`);
}

/**
 * Reads sections and types. Total: any bytes give an outline or a {@link ProgramError}.
 *
 * Globals, elements, data and instructions are left to the engine's validation, and later to the
 * rewriter, which reads them all.
 */
export function readModule(bytes: Uint8Array): ModuleOutline {
  const reader = new Reader(bytes);
  for (const byte of moduleMagic) if (reader.byte() !== byte) reader.malformed('no module header');
  const draft: Draft = {
    types: [],
    functions: [],
    memories: [],
    exports: [],
    customs: [],
    setupFuel: 0,
    imports: null,
  };
  const customs: CustomSection[] = [];
  let place = 0;
  while (!reader.done) {
    const offset = reader.at;
    const id = reader.byte();
    const section = reader.part(reader.u32());
    if (id === 0) {
      customs.push({ name: section.name(), start: section.at, end: section.end });
      continue;
    }
    const next = sectionPlaces[id] ?? unsupported(offset, `section ${id}`);
    if (next <= place) reader.malformed(`section ${id} is out of order`);
    place = next;
    readSection(draft, id, section, offset);
  }
  return { ...draft, customs };
}

function readSection(draft: Draft, id: number, section: Reader, offset: number): void {
  draft.setupFuel += (setupFuelPerByte[id] ?? 0) * (section.end - section.at);
  switch (id) {
    case 1:
      draft.types = section.list(readFunctionType);
      break;
    case 2: {
      const reason = firstImport(section);
      if (reason !== null) draft.imports = { offset, reason };
      return;
    }
    case 3:
      draft.functions = section.list((reader) => reader.u32());
      if (draft.functions.length > functionCountMax)
        limit(offset, `${draft.functions.length} functions`, functionCountMax);
      break;
    case 4:
      draft.setupFuel += readTables(section, offset);
      break;
    case 5:
      draft.memories = section.list(readMemory);
      for (const { pagesMin } of draft.memories) draft.setupFuel += setupFuelPerPage * pagesMin;
      break;
    case 7:
      draft.exports = section.list(readExport);
      break;
    case 8:
      section.u32();
      break;
    case 10:
      section.list(readBody);
      break;
    default:
      return;
  }
  section.finish();
}

/** A value type as its letter in a {@link FunctionType}. */
export function readValueType(reader: Reader): string {
  const offset = reader.at;
  const byte = reader.byte();
  return valueTypeLetters[byte] ?? unsupported(offset, `value type 0x${byte.toString(16)}`);
}

function readFunctionType(reader: Reader): FunctionType {
  const offset = reader.at;
  const form = reader.byte();
  if (form !== 0x60) unsupported(offset, `type form 0x${form.toString(16)}`);
  const parameters = reader.list(readValueType);
  return `${parameters.join('')}>${reader.list(readValueType).join('')}`;
}

export function readLimits(reader: Reader): { min: number; max: number | null } {
  const offset = reader.at;
  const flags = reader.byte();
  if (flags > 1) unsupported(offset, 'a shared, 64-bit or custom-page memory or table');
  return { min: reader.u32(), max: flags === 1 ? reader.u32() : null };
}

/** The elements that all tables have at first. */
function readTables(reader: Reader, offset: number): number {
  let elements = 0;
  reader.list((table) => {
    if (readValueType(table) !== 'r') table.malformed('a table holds references');
    elements += readLimits(table).min;
  });
  if (elements > tableElementCountMax)
    limit(offset, `${elements} table elements`, tableElementCountMax);
  return elements;
}

function readMemory(reader: Reader): MemoryType {
  const offset = reader.at;
  const { min, max } = readLimits(reader);
  return { offset, pagesMin: min, pagesMax: max };
}

function readExport(reader: Reader): ModuleExport {
  const offset = reader.at;
  const name = reader.name();
  const place = reader.byte();
  const kind = exportKinds[place] ?? unsupported(offset, `export kind ${place}`);
  return { name, kind, index: reader.u32(), offset };
}

function readBody(reader: Reader): void {
  const offset = reader.at;
  const body = reader.part(reader.u32());
  if (body.end - body.at > functionBytesMax)
    limit(offset, `${body.end - body.at} bytes in one function`, functionBytesMax);
  let locals = 0;
  body.list((group) => {
    locals += group.u32();
    readValueType(group);
  });
  if (locals > localCountMax) limit(offset, `${locals} locals in one function`, localCountMax);
}
