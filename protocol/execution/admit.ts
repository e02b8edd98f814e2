/** Admit programs: decide from bytes alone whether a seat may be asked to run them. */
import { mark } from '../assert.ts';
import { compareBytes } from '../brand.ts';
import { programBytesMax } from '../params.ts';
import {
  abiMarker,
  abiPrefix,
  type FunctionType,
  memoryExport,
  optionalExports,
  type ProgramExports,
  requiredExports,
  reservedPrefix,
} from './abi.ts';
import { shownName } from './imports.ts';
import { type Manifest, manifestOf } from './manifest.ts';
import { type ModuleExport, type ModuleOutline, moduleMagic, readModule } from './module.ts';
import { ProgramError, type ProgramRejectionCode } from './rejection.ts';

/** Pages of 64 KiB that a program's memory may declare: 256 MiB. */
export const memoryPagesMax = 4_096;

/** What the host lends to admission: the engine's own validation of a module. */
export type ProgramValidation = { readonly validate: (bytes: Uint8Array) => boolean };

export type Admission =
  | {
      readonly kind: 'ok';
      readonly exports: ProgramExports;
      readonly manifest: Manifest;
      /** Pages of 64 KiB that the program's memory may grow to. */
      readonly memoryPagesMax: number;
      /** Fuel of what every instance makes anew: each call is charged with it. */
      readonly setupFuel: number;
    }
  | {
      readonly kind: 'rejected';
      readonly code: ProgramRejectionCode;
      /** Byte of the program at which the reason shows. */
      readonly offset: number;
      readonly reason: string;
    };

/**
 * Decides whether bytes are a program of ABI version 1. Total: no bytes make it throw.
 *
 * The engine judges the original first, so that what follows may assume well-typed code; the
 * rules below are ours and the same on every host. Instructions are the rewriter's to judge.
 * @see spec/protocol/execution.md X1 to X14
 */
export function admitProgram(bytes: Uint8Array, validation: ProgramValidation): Admission {
  try {
    return { kind: 'ok', ...examine(bytes, validation) };
  } catch (error) {
    if (error instanceof ProgramError) return { kind: 'rejected', ...error.detail };
    throw error;
  }
}

/**
 * Whether so many bytes can be a program; for hosts that look at a file's size before they read it.
 * @throws {@link ProgramError} `PROGRAM_TOO_LARGE`
 * @see spec/protocol/execution.md X1
 */
export function limitBytes(byteCount: number): void {
  if (byteCount <= programBytesMax) return;
  mark('X1');
  const reason = `${byteCount} bytes; a program has at most ${programBytesMax}`;
  refuse('PROGRAM_TOO_LARGE', programBytesMax, reason);
}

function refuse(code: ProgramRejectionCode, offset: number, reason: string): never {
  throw new ProgramError(code, offset, reason);
}

function examine(bytes: Uint8Array, { validate }: ProgramValidation) {
  limitBytes(bytes.length);
  if (compareBytes(bytes.subarray(0, moduleMagic.length), moduleMagic) !== 0 || !validate(bytes)) {
    mark('X2');
    const reason = 'not a WebAssembly module that the engine accepts; compile the program again';
    refuse('PROGRAM_NOT_WASM', 0, reason);
  }
  const outline = readModule(bytes);
  if (outline.imports !== null) {
    mark('X6');
    refuse('PROGRAM_IMPORTS', outline.imports.offset, outline.imports.reason);
  }
  const pages = memoryPages(outline, bytes.length);
  const exports = programExports(outline, bytes.length);
  const manifest = manifestOf(bytes, outline.customs);
  mark('X14');
  return { exports, manifest, memoryPagesMax: pages, setupFuel: outline.setupFuel };
}

function memoryPages({ memories, exports }: ModuleOutline, end: number): number {
  const exported = exports.find(({ name }) => name === memoryExport);
  const [memory] = memories;
  const wrong = (offset: number, reason: string): never => {
    mark('X8');
    return refuse('PROGRAM_MEMORY', offset, reason);
  };
  if (memory === undefined || memories.length > 1)
    return wrong(end, `${memories.length} memories; a program defines exactly one`);
  if (exported === undefined || exported.kind !== 'memory')
    return wrong(exported?.offset ?? end, 'the memory is not exported as "memory"');
  const { offset, pagesMin, pagesMax } = memory;
  if (pagesMax === null)
    return wrong(offset, `the memory declares no maximum; declare at most ${memoryPagesMax} pages`);
  if (pagesMax > memoryPagesMax || pagesMin > pagesMax)
    return wrong(
      offset,
      `the memory is ${pagesMin} to ${pagesMax} pages; at most ${memoryPagesMax}`,
    );
  return pagesMax;
}

function programExports(outline: ModuleOutline, end: number): ProgramExports {
  const names = new Set<string>();
  for (const entry of outline.exports) {
    checkName(entry);
    if (names.has(entry.name)) {
      mark('X3');
      refuse('PROGRAM_MALFORMED', entry.offset, `two exports are called ${shownName(entry.name)}`);
    }
    names.add(entry.name);
    const type = requiredExports.get(entry.name) ?? optionalExports.get(entry.name);
    if (type !== undefined) checkType(outline, entry, type);
  }
  const missing = (name: string): never => {
    mark('X9');
    return refuse('PROGRAM_MISSING_EXPORT', end, `the export ${name} is missing`);
  };
  for (const name of requiredExports.keys()) if (!names.has(name)) missing(name);
  const generates = names.has('anw_count');
  // Half of the pair would fail only when a job runs, after somebody has paid.
  if (generates !== names.has('anw_item')) missing(generates ? 'anw_item' : 'anw_count');
  return {
    generates,
    render: names.has('anw_render'),
    check: names.has('anw_check'),
    sample: names.has('anw_sample'),
  };
}

function checkName({ name, offset }: ModuleExport): void {
  if (name.startsWith('anw_abi_') && name !== abiMarker) {
    mark('X12');
    refuse(
      'PROGRAM_ABI',
      offset,
      `${shownName(name)}: only ${abiMarker} is known here; update the node`,
    );
  }
  const known = requiredExports.has(name) || optionalExports.has(name);
  if ((name.startsWith(abiPrefix) && !known) || name.startsWith(reservedPrefix)) {
    mark('X11');
    const reason = `the export ${shownName(name)} means nothing in ${abiMarker}; rename or remove it`;
    refuse('PROGRAM_UNKNOWN_EXPORT', offset, reason);
  }
}

function checkType(outline: ModuleOutline, entry: ModuleExport, expected: FunctionType): void {
  // Nothing is imported, so the index of a function counts from the module's own first one.
  const index = entry.kind === 'function' ? outline.functions[entry.index] : undefined;
  const found = index === undefined ? entry.kind : outline.types[index];
  if (found === expected) return;
  mark('X10');
  const reason = `the export ${entry.name} is ${found ?? 'of no type'}; expected ${expected}`;
  refuse('PROGRAM_EXPORT_TYPE', entry.offset, reason);
}
