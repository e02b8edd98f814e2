/** Find a program by name or file, and admit it. */
import { readFile, stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { ProgramExports } from '../../protocol/execution/abi.ts';
import { admitProgram } from '../../protocol/execution/admit.ts';
import { instrument } from '../../protocol/execution/instrument.ts';
import type { Manifest } from '../../protocol/execution/manifest.ts';
import { programBytesMax } from '../../protocol/params.ts';
import { validateModule } from '../executor/engine.ts';
import { ClientError } from './error.ts';

export type Program = {
  /** Name for people and file names. */
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly exports: ProgramExports;
  readonly manifest: Manifest;
};

type Refused = Extract<ReturnType<typeof instrument>, { readonly kind: 'rejected' }>;

const programsFolder = fileURLToPath(new URL('../../programs/', import.meta.url));

/** The file of a program: `name` under programs/, or a path as the caller meant it. */
function programFile(program: string, resolvePath: (path: string) => string): string {
  if (/^[a-z][a-z0-9-]{0,63}$/.test(program)) return `${programsFolder}${program}/${program}.wasm`;
  return resolvePath(program);
}

/** The name of a program for people and file names. */
export function programName(program: string): string {
  return program.replace(/^.*\//, '').replace(/\.wasm$/, '');
}

/** @throws ClientError PROGRAM_NOT_FOUND, PROGRAM_REJECTED */
export async function loadProgram(
  program: string,
  resolvePath: (path: string) => string,
): Promise<Program> {
  const file = programFile(program, resolvePath);
  const name = programName(program);
  let bytes: Uint8Array;
  try {
    const { size } = await stat(file);
    if (size > programBytesMax) {
      const reason = `it has ${size} bytes, at most ${programBytesMax} are allowed`;
      throw new ClientError({
        code: 'PROGRAM_REJECTED',
        program,
        reason,
        rejection: 'PROGRAM_TOO_LARGE',
      });
    }
    bytes = new Uint8Array(await readFile(file));
  } catch (cause) {
    if (cause instanceof ClientError) throw cause;
    throw new ClientError({ code: 'PROGRAM_NOT_FOUND', program }, { cause });
  }
  const admission = admitProgram(bytes, { validate: validateModule });
  // What sandboxes do before they run it, so that nobody pays for a program that none can run.
  const metered = admission.kind === 'ok' ? instrument(bytes) : admission;
  if (admission.kind === 'rejected' || metered.kind === 'rejected') {
    const { code, reason, offset } =
      admission.kind === 'rejected' ? admission : (metered as Refused);
    throw new ClientError({
      code: 'PROGRAM_REJECTED',
      program,
      reason: `${reason} (at byte ${offset})`,
      rejection: code,
    });
  }
  const { exports, manifest } = admission;
  return { name, bytes, exports, manifest };
}
