/** Give a program a folder and a sandbox of its own, for as long as a command runs. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkParameters } from '../client/prepare.ts';
import { loadProgram } from '../client/program.ts';
import { createExecutor } from '../executor/pool.ts';
import type { Ground } from './items.ts';

/** Units of fuel that one call may use: as much as a job's probes, which is seconds. */
const fuel = 2n ** 33n;

/** What of a command's context is needed. */
type Place = {
  readonly signal: AbortSignal;
  readonly resolvePath: (path: string) => string;
  readonly onExit: (cleanUp: () => Promise<void> | void) => void;
};

/**
 * Opens a program in a sandbox. All of it is gone once the clean-ups have run.
 * @throws ClientError as `anwansi run` does, ExecutorError
 */
export async function openGround(
  { signal, resolvePath, onExit }: Place,
  programName: string,
  parameters: string,
): Promise<Ground> {
  const program = await loadProgram(programName, resolvePath);
  const checked = checkParameters(parameters);
  const scratch = await mkdtemp(join(tmpdir(), 'anwansi-program-'));
  onExit(() => rm(scratch, { recursive: true, force: true }));
  const programPath = join(scratch, 'program.wasm');
  await writeFile(programPath, program.bytes);
  const executor = await createExecutor({ readable: [scratch] });
  onExit(() => executor.close());
  return { program, programPath, parameters: checked, scratch, executor, fuel, signal };
}
