/** Run commands in made-up surroundings and tell all that could be seen of them. */
import type { Command } from '../../node/cli/command.ts';
import { type Interruption, runCommandLine } from '../../node/cli/frame.ts';

/** What may differ from an empty environment, /home/me, and no terminal. */
export type World = {
  readonly environment?: Record<string, string>;
  readonly directory?: string;
  readonly terminal?: boolean;
  /** Gets the function that interrupts, as soon as the command listens. */
  readonly interrupt?: (give: (what: Interruption) => void) => void;
};

/** Runs one command line. `document` is the parsed one of `--json`. Bytes are shown as Latin-1. */
export async function runWords(commands: readonly Command[], words: string[], world: World = {}) {
  let [out, err] = ['', ''];
  const { terminal = false } = world;
  const stream = (add: (text: string) => void) => ({
    write: (chunk: string | Uint8Array) =>
      add(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('latin1')),
    isTTY: terminal,
    columns: terminal ? 60 : undefined,
  });
  const exitCode = await runCommandLine(
    words,
    { version: '1.2.3', summary: 'A test.', commands },
    {
      stdout: stream((text) => {
        out += text;
      }),
      stderr: stream((text) => {
        err += text;
      }),
      environment: world.environment ?? {},
      directory: world.directory ?? '/home/me',
      onInterruption: (callback) => {
        world.interrupt?.(callback);
        return () => {};
      },
    },
  );
  return { exitCode, out, err, document: words.includes('--json') ? documentIn(out) : null };
}

/** The document of `--json`: all that was put out, or the last line where a command told events. */
function documentIn(out: string) {
  const lines = out.trimEnd().split('\n');
  const isStream = lines.length > 1 && lines[0] !== '{';
  return JSON.parse(isStream ? lines.at(-1)! : out);
}
