/** Find a program by name or file, and admit it. */
import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import type { ProgramExports } from '../../protocol/execution/abi.ts';
import { limitBytes } from '../../protocol/execution/admit.ts';
import type { Manifest } from '../../protocol/execution/manifest.ts';
import { ProgramError } from '../../protocol/execution/rejection.ts';
import { judgeProgram } from '../executor/admission.ts';
import { ClientError, rejected } from './error.ts';
import { bundledProgram, programFile, refuseSource } from './program-file.ts';

export type Program = {
  /** Name for people and file names. */
  readonly name: string;
  /** It comes along: `programs/README.md` says what it takes. */
  readonly bundled: boolean;
  readonly bytes: Uint8Array;
  readonly exports: ProgramExports;
  readonly manifest: Manifest;
};

/**
 * @param program - A name under programs/, a folder with program.json, or a file.
 * @throws ClientError PROGRAM_NOT_FOUND, PROGRAM_AMBIGUOUS, PROGRAM_IS_SOURCE, PROGRAM_REJECTED;
 * KitError of a folder
 */
export async function loadProgram(
  program: string,
  resolvePath: (path: string) => string,
): Promise<Program> {
  const file = await programFile(program, resolvePath);
  const name = basename(file, '.wasm');
  let bytes: Uint8Array;
  try {
    const { size } = await stat(file);
    limitBytes(size);
    bytes = new Uint8Array(await readFile(file));
  } catch (cause) {
    if (cause instanceof ProgramError) throw rejected(program, cause.detail);
    const reason = `it cannot be read: ${(cause as Error).message}`;
    throw new ClientError({ code: 'PROGRAM_NOT_FOUND', program, reason, meant: null }, { cause });
  }
  if (!file.endsWith('.wasm') && !isModule(bytes)) await refuseSource(program, file);
  const judgement = judgeProgram(bytes);
  if (judgement.kind === 'rejected') throw rejected(program, judgement);
  const { exports, manifest } = judgement;
  return { name, bundled: file === bundledProgram(name), bytes, exports, manifest };
}

/** Whether it begins as every WebAssembly module does: a source begins with letters. */
function isModule(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, 4)).toString('latin1') === '\0asm';
}
