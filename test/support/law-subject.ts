/** Put a program where a sandbox can read it, for a check of its laws. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { validateModule } from '../../node/executor/engine.ts';
import type { Items, Subject } from '../../node/laws/subject.ts';
import type { Executor } from '../../node/ports.ts';
import { admitProgram } from '../../protocol/execution/admit.ts';

/** Floats of eight bytes as items, in files of a folder of their own below `directory`. */
export function floatItems(values: readonly number[], directory: string): Items {
  const folder = mkdtempSync(join(directory, 'items-'));
  const bytes = values.map((value) => new Uint8Array(Float64Array.of(value).buffer));
  const pathOf = (index: number): string => join(folder, String(index));
  for (const [index, item] of bytes.entries()) writeFileSync(pathOf(index), item);
  return {
    count: values.length,
    source: (index) => ({ kind: 'file', path: pathOf(index) }),
    bytes: async (index) => bytes[index]!,
  };
}

/** A program in a folder of its own below `directory`, which the executor can read. */
export function lawSubject(
  bytes: Uint8Array,
  directory: string,
  executor: Executor,
  rest: Partial<Subject> = {},
): Subject {
  const admission = admitProgram(bytes, { validate: validateModule });
  if (admission.kind === 'rejected') throw new Error(admission.reason);
  const scratch = mkdtempSync(join(directory, 'subject-'));
  const programPath = join(scratch, 'program.wasm');
  writeFileSync(programPath, bytes);
  const { exports, manifest } = admission;
  return {
    ...{ program: { bytes, exports, manifest }, programPath, scratch, executor },
    parameters: new Uint8Array(0),
    signal: new AbortController().signal,
    ...rest,
  };
}
