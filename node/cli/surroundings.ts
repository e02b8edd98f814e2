/** Show the running process as the surroundings of a command line. */
import { realpathSync } from 'node:fs';
import { callerDirectory, type Interruption, type Surroundings } from './frame.ts';

/** The process's streams, environment, directory, signals and uncaught errors. */
export function processSurroundings(packageRoot: string): Surroundings {
  // Whoever reads us may stop reading (`anwansi quote | head -1`): that is no error of ours. The
  // command goes on to its end all the same, so that its files are written and its clean-ups run.
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
  const directory = realpathSync(process.cwd());
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    environment: process.env,
    directory: callerDirectory(process.env, directory, realpathSync(packageRoot)),
    onInterruption,
  };
}

/** A second signal ends the process at once: somebody does not want to wait. */
function onInterruption(callback: (what: Interruption) => void): () => void {
  let signals = 0;
  const signalled = (signal: NodeJS.Signals): void => {
    signals += 1;
    if (signals > 1) process.exit(signal === 'SIGINT' ? 130 : 143);
    callback(signal as 'SIGINT' | 'SIGTERM');
  };
  const uncaught = (error: unknown): void =>
    callback(error instanceof Error ? error : new Error(String(error)));
  process.on('SIGINT', signalled).on('SIGTERM', signalled);
  process.on('uncaughtException', uncaught).on('unhandledRejection', uncaught);
  return () => {
    process.off('SIGINT', signalled).off('SIGTERM', signalled);
    process.off('uncaughtException', uncaught).off('unhandledRejection', uncaught);
  };
}

/** Waits until both streams have handed on what they were given. */
export async function flushed(): Promise<void> {
  for (const stream of [process.stdout, process.stderr])
    await new Promise<void>((resolve) => stream.write('', () => resolve()));
}
