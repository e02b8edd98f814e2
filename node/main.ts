/** Run the command that the words name; exit with its code. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { demo } from './cli/commands/demo.ts';
import { explain } from './cli/commands/explain.ts';
import { quote } from './cli/commands/quote.ts';
import { run } from './cli/commands/run.ts';
import { verify } from './cli/commands/verify.ts';
import { runCommandLine } from './cli/frame.ts';
import { flushed, processSurroundings } from './cli/surroundings.ts';

/** All commands, in the order of the help. A command loads what is heavy when it runs. */
const commands = [run, verify, quote, explain, demo];

const root = fileURLToPath(new URL('..', import.meta.url));
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

const exitCode = await runCommandLine(
  process.argv.slice(2),
  { version, summary: 'Computations that are checked, not believed.', commands },
  processSurroundings(root),
);
await flushed();
// Not `process.exitCode`: a timer or socket that is left must not keep a finished command.
process.exit(exitCode);
