/** Open a program in a sandbox for a test, and run whole jobs there. */
import { openGround } from '../../node/kit/ground.ts';
import { type Ground, openItems } from '../../node/kit/items.ts';
import { type LocalJob, runLocally } from '../../node/kit/local-job.ts';

export type OpenGround = Ground & { readonly close: () => Promise<void> };

/** A program, by name or file. */
export async function groundOf(program: string, parameters = ''): Promise<OpenGround> {
  const cleanUps: (() => unknown)[] = [];
  const ground = await openGround(
    {
      signal: new AbortController().signal,
      resolvePath: (path) => path,
      onExit: (cleanUp) => void cleanUps.unshift(cleanUp),
    },
    program,
    parameters,
  );
  const close = async (): Promise<void> => {
    for (const cleanUp of cleanUps) await cleanUp();
  };
  return { ...ground, close };
}

/** Runs a job with other parameters on an open program. */
export async function jobOn(
  ground: Ground,
  parameters: string,
  inputPath: string | null = null,
): Promise<LocalJob> {
  const other = { ...ground, parameters: new TextEncoder().encode(parameters) };
  return runLocally(other, await openItems(other, inputPath), 'test');
}

/** The result of a job as text. @throws Error when it did not end well. */
export async function resultOf(...asked: Parameters<typeof jobOn>): Promise<string> {
  const job = await jobOn(...asked);
  if (job.kind !== 'done') throw new Error(JSON.stringify(job));
  return new TextDecoder().decode(job.result);
}
