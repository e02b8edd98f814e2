/** Run one command line, from its words to its exit code. */
import { relative, resolve } from 'node:path';
import { Command as CommanderCommand, CommanderError } from 'commander';
import { ProtocolError } from '../../protocol/errors.ts';
import { nearestWord } from '../nearest.ts';
import { codeEntry } from './codes.ts';
import type { Command, Context, Found } from './command.ts';
import { CliError, type ExitCode, exitCodeMeanings, exitCodes, usageError } from './error.ts';
import { type OutputFrame, openOutput, type TextStream } from './output.ts';

/** What may end a command from outside: a signal, or an error that nobody caught. */
export type Interruption = 'SIGINT' | 'SIGTERM' | Error;

/** The process, as the command line needs it. */
export type Surroundings = {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The directory against which relative paths are meant. */
  readonly directory: string;
  /** Calls back on each interruption until the returned function is called. */
  readonly onInterruption: (callback: (what: Interruption) => void) => () => void;
};

export type Program = {
  readonly version: string;
  readonly summary: string;
  readonly commands: readonly Command[];
};

/** Milliseconds that clean-ups together may take. */
const cleanUpMsMax = 5_000;

/** Runs `words` (without `node` and the script) and returns the exit code. Never throws. */
export async function runCommandLine(
  words: readonly string[],
  program: Program,
  surroundings: Surroundings,
): Promise<number> {
  const { environment, directory } = surroundings;
  let found: Found | null = null;
  const commander = build(
    program,
    surroundings,
    (path) => resolve(directory, path),
    (one) => {
      found = one;
    },
  );
  try {
    commander.parse(withHelpOption(words, commander), { from: 'user' });
  } catch (error) {
    return afterParsing(error, words, commander, surroundings);
  }
  const options = commander.opts();
  const output = openOutput({ ...surroundings, ...globals(options) });
  if (found === null) return report(output, usageError('no command', 'See: anwansi --help'), false);
  const verbose = options.verbose > 0 || (environment.ANWANSI_DEBUG ?? '') !== '';
  return perform(found, output, surroundings, verbose);
}

/**
 * The directory against which the caller means relative paths: `npm run` moves us to the root of
 * the package, and says in INIT_CWD where its caller was.
 */
export function callerDirectory(
  environment: Surroundings['environment'],
  directory: string,
  packageRoot: string,
): string {
  const moved = relative(directory, packageRoot) === '';
  return moved && environment.INIT_CWD ? environment.INIT_CWD : directory;
}

async function perform(
  { run, stopMsMax }: Found,
  output: OutputFrame,
  { environment, directory, onInterruption }: Surroundings,
  verbose: boolean,
): Promise<number> {
  const abort = new AbortController();
  const cleanUps: (() => Promise<void> | void)[] = [];
  const context: Context = {
    output,
    signal: abort.signal,
    environment,
    resolvePath: (path) => resolve(directory, path),
    onExit: (cleanUp) => void cleanUps.push(cleanUp),
  };
  const { promise: interrupted, resolve: interrupt } = Promise.withResolvers<Interruption>();
  const unsubscribe = onInterruption((what) => {
    abort.abort(what);
    interrupt(what);
  });
  try {
    const ended = run(context).then(
      (code) => ({ code: code ?? exitCodes.done }),
      (error: unknown) => ({ error }),
    );
    let first = await Promise.race([ended, interrupted]);
    if (stopMsMax !== null && (first === 'SIGINT' || first === 'SIGTERM'))
      first = await Promise.race([ended, after(stopMsMax, first)]);
    await cleanUp(cleanUps, output);
    if (first === 'SIGINT' || first === 'SIGTERM') return interruptedBy(first, output);
    if (first instanceof Error) return report(output, first, verbose);
    if ('error' in first) return report(output, first.error, verbose);
    output.end(null, first.code === exitCodes.done);
    return first.code;
  } finally {
    unsubscribe();
  }
}

async function after<T>(ms: number, value: T): Promise<T> {
  await new Promise((resolve) => setTimeout(resolve, ms).unref());
  return value;
}

function interruptedBy(signal: 'SIGINT' | 'SIGTERM', output: OutputFrame): number {
  const exitCode = signal === 'SIGINT' ? exitCodes.interrupted : exitCodes.terminated;
  const message = signal === 'SIGINT' ? 'stopped by Ctrl+C' : 'stopped by a signal';
  return report(output, new CliError({ code: 'INTERRUPTED', message, hint: '', exitCode }), false);
}

/** Last one first; one that fails or hangs does not keep the others from running. */
async function cleanUp(
  cleanUps: (() => Promise<void> | void)[],
  output: OutputFrame,
): Promise<void> {
  const all = (async () => {
    for (const one of cleanUps.splice(0).reverse())
      try {
        await one();
      } catch (error) {
        output.warn(`cleaning up failed: ${(error as Error).message}`);
      }
  })();
  const { promise: late, resolve: give } = Promise.withResolvers<void>();
  const timer = setTimeout(() => {
    output.warn('cleaning up takes too long and is left undone');
    give();
  }, cleanUpMsMax);
  await Promise.race([all, late]);
  clearTimeout(timer);
}

/** Prints what went wrong and returns its exit code. */
function report(output: OutputFrame, error: unknown, verbose: boolean): number {
  const exitCode = exitCodeOf(error);
  const code = error instanceof ProtocolError ? error.code : 'UNEXPECTED';
  const message = error instanceof Error ? error.message : String(error);
  if (verbose) output.note(stackOf(error));
  const retryable = exitCode === exitCodes.inconclusive || exitCode === exitCodes.network;
  output.end({ code, message, hint: hintOf(error), retryable }, false);
  return exitCode;
}

function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CliError) return error.detail.exitCode;
  if (error instanceof ProtocolError)
    return codeEntry(error.code)?.exitCode ?? exitCodes.unexpected;
  return exitCodes.unexpected;
}

function hintOf(error: unknown): string {
  if (error instanceof CliError) return error.detail.hint;
  if (error instanceof ProtocolError) {
    const remedy = codeEntry(error.code)?.remedy;
    return remedy === undefined ? '' : `${remedy}\nMore: anwansi explain ${error.code}`;
  }
  return 'This is a bug. Run it again with -v for the stack, and report both.';
}

function stackOf(error: unknown): string {
  let text = '';
  for (let at = error; at instanceof Error; at = at.cause)
    text += `${text === '' ? '' : '\ncaused by '}${at.stack ?? at.message}`;
  return text === '' ? String(error) : text;
}

function build(
  { version, summary, commands }: Program,
  { stdout, stderr }: Surroundings,
  resolvePath: (path: string) => string,
  invoke: (found: Found) => void,
): CommanderCommand {
  const commander = new CommanderCommand('anwansi')
    .description(summary)
    .version(version, '-V, --version', 'Show the version.')
    .helpOption('-h, --help', 'Show help.')
    .helpCommand('help [command]', 'Show the help of a command.')
    .option('--json', 'Print one JSON document on standard output.')
    .option('-q, --quiet', 'No notes and no progress.')
    .option('-v, --verbose', 'Say more on standard error; twice says most.', (_, n) => n + 1, 0)
    .option('--no-color', 'No colours (as with NO_COLOR=1).')
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
      outputError: () => {},
      getOutHelpWidth: () => stdout.columns ?? 100,
      getErrHelpWidth: () => stderr.columns ?? 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  const meanings = exitCodeMeanings.map(
    ([code, meaning]) => `  ${String(code).padEnd(4)}${meaning}`,
  );
  commander.addHelpText('after', `\nExit codes:\n${meanings.join('\n')}`);
  for (const command of commands) command.register(commander, resolvePath, invoke);
  return commander;
}

/**
 * `help job show` as `job show --help`, to any depth; other words as they are.
 * @throws CliError for a command that there is not
 */
function withHelpOption(words: readonly string[], commander: CommanderCommand): readonly string[] {
  const names = words.filter((word) => !word.startsWith('-'));
  if (names[0] !== 'help' || words.includes('--')) return words;
  // Help on help is all there is.
  const asked = names.slice(names[1] === 'help' ? 2 : 1);
  let at = commander;
  for (const [place, name] of asked.entries()) {
    const next = at.commands.find((one) => one.name() === name);
    if (next === undefined) {
      const known = at.commands.map((one) => one.name());
      const meant = nearestWord(name, known);
      const path = asked.slice(0, place).map((word) => `${word} `);
      throw usageError(
        `there is no command ${[...path, name].join('')}`,
        `${meant === null ? '' : `Did you mean ${path.join('')}${meant}?\n`}See: anwansi ${path.join('')}--help`,
      );
    }
    at = next;
  }
  return [...asked, ...words.filter((word) => word.startsWith('-')), '--help'];
}

/** Help and version are results; everything else that stops the parser is the caller's mistake. */
function afterParsing(
  error: unknown,
  words: readonly string[],
  commander: CommanderCommand,
  surroundings: Surroundings,
): number {
  const asked = ['commander.helpDisplayed', 'commander.version'];
  if (error instanceof CommanderError && asked.includes(error.code)) return exitCodes.done;
  // Asked for with `help`, or shown on stderr for want of a command.
  if (error instanceof CommanderError && error.code === 'commander.help')
    return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  const json = words.includes('--json');
  const output = openOutput({ ...surroundings, ...globals(commander.opts()), json });
  if (!(error instanceof CommanderError)) return report(output, error, false);
  const [message = '', ...rest] = error.message.replace(/^error: /, '').split('\n');
  const help = `See: anwansi ${commandWords(words, commander)}--help`;
  const hint = [...rest, help].join('\n');
  return report(output, usageError(message, hint), false);
}

/** The command that `words` name, as far as there is one, such as `job list` and a space. */
function commandWords(words: readonly string[], commander: CommanderCommand): string {
  let [at, told] = [commander, ''];
  for (const word of words) {
    const next = at.commands.find((one) => one.name() === word);
    if (next === undefined && word.startsWith('-')) continue;
    if (next === undefined) break;
    at = next;
    told += `${word} `;
  }
  return told;
}

function globals(options: Record<string, unknown>) {
  return {
    json: options.json === true,
    quiet: options.quiet === true,
    verbosity: typeof options.verbose === 'number' ? options.verbose : 0,
    color: options.color !== false,
  };
}
