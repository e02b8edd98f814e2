/** Describe a command as an object; help, parsing and errors follow from it. */
import {
  Argument,
  type Command as CommanderCommand,
  Option as CommanderOption,
  InvalidArgumentError,
} from 'commander';
import { usageError } from './error.ts';
import type { Output } from './output.ts';

/** One option: `--name`, or `--name VALUE`. Without a default its value may be undefined. */
export type OptionSpec =
  | { readonly kind: 'flag'; readonly describe: string }
  | {
      readonly kind: 'text';
      readonly placeholder: string;
      readonly describe: string;
      readonly default?: string;
      readonly choices?: readonly string[];
    }
  /** May be given several times, each time with several values; none without it. */
  | { readonly kind: 'texts' | 'paths'; readonly placeholder: string; readonly describe: string }
  | {
      readonly kind: 'integer';
      readonly placeholder: string;
      readonly describe: string;
      readonly min: number;
      readonly max: number;
      readonly default?: number;
    }
  /** A path, resolved against the caller's directory; `-` stays as it is. */
  | { readonly kind: 'path'; readonly placeholder: string; readonly describe: string };

/** One argument; the last may take many. A path is resolved as an option's is. */
export type ArgumentSpec = {
  readonly kind: 'text' | 'path';
  readonly describe: string;
  readonly optional?: true;
  readonly many?: true;
};

type Options = Readonly<Record<string, OptionSpec>>;
type Arguments = Readonly<Record<string, ArgumentSpec>>;

type OptionValue<O> = O extends { kind: 'flag' }
  ? boolean
  : O extends { kind: 'texts' | 'paths' }
    ? readonly string[]
    : OneValue<O>;

type OneValue<O> = O extends { kind: 'integer'; default: number }
  ? number
  : O extends { kind: 'integer' }
    ? number | undefined
    : O extends { default: string }
      ? Choice<O>
      : Choice<O> | undefined;

type Choice<O> = O extends { choices: readonly (infer C)[] } ? C : string;

type ArgumentValue<A> = A extends { many: true }
  ? readonly string[]
  : A extends { optional: true }
    ? string | undefined
    : string;

/** The parsed values of a command's arguments and options, by name. */
export type Values<A, O> = { readonly [K in keyof A]: ArgumentValue<A[K]> } & {
  readonly [K in keyof O]: OptionValue<O[K]>;
};

/** The world of a command. */
export type Context = {
  readonly output: Output;
  /** Fires when the person interrupts; soon after, the clean-ups run and the process ends. */
  readonly signal: AbortSignal;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Resolves a path as the caller meant it. */
  readonly resolvePath: (path: string) => string;
  /** Runs at the end, last one first, whether the command ended well, badly, or was interrupted. */
  readonly onExit: (cleanUp: () => Promise<void> | void) => void;
};

export type CommandSpec<A extends Arguments, O extends Options> = {
  /** One word, or a noun and a verb: `job list`. */
  readonly name: string;
  /** One sentence. */
  readonly summary: string;
  /** Whole command lines, each with what it does. */
  readonly examples: readonly (readonly [line: string, describe: string])[];
  readonly arguments?: A;
  readonly options?: O;
  /** Options of other commands that may be meant, as `--name`, and what this one has, in a sentence. */
  readonly misnamed?: Readonly<Record<string, string>>;
  /**
   * For a command that runs until it is stopped: milliseconds that `run` has to end by itself once
   * its signal fires. What it then returns or throws counts as if nobody had interrupted it.
   */
  readonly stopMsMax?: number;
  /** Returns the exit code, 0 by default; throws a CliError or ProtocolError when it fails. */
  readonly run: (context: Context, values: Values<A, O>) => Promise<number | undefined>;
};

/** A command whose types of values are checked and forgotten. */
export type Command = {
  readonly name: string;
  readonly summary: string;
  /** Adds it to a program; `invoke` gets what is to be run. */
  readonly register: (
    program: CommanderCommand,
    resolvePath: (path: string) => string,
    invoke: (found: Found) => void,
  ) => void;
};

/** The command that the words name, with its values. */
export type Found = {
  readonly run: (context: Context) => Promise<number | undefined>;
  /** See {@link CommandSpec}; null for a command that is broken off. */
  readonly stopMsMax: number | null;
};

/** Makes a command of its description. */
export function defineCommand<const A extends Arguments, const O extends Options>(
  spec: CommandSpec<A, O>,
): Command {
  const register: Command['register'] = (program, resolvePath, invoke) => {
    const words = spec.name.split(' ');
    const command = nounOf(program, words.slice(0, -1))
      .command(words.at(-1)!)
      .summary(spec.summary)
      .description(spec.summary);
    const argumentSpecs = Object.entries(spec.arguments ?? {});
    const optionSpecs = Object.entries(spec.options ?? {});
    for (const [name, argument] of argumentSpecs) command.addArgument(argumentOf(name, argument));
    for (const [name, option] of optionSpecs) command.addOption(optionOf(name, option));
    for (const [flag, hint] of Object.entries(spec.misnamed ?? {})) {
      command.addOption(new CommanderOption(`${flag} [VALUE]`).hideHelp());
      command.on(`option:${flag.slice(2)}`, () => {
        throw usageError(
          `${spec.name} has no option ${flag}`,
          `${hint}\nSee: anwansi ${spec.name} --help`,
        );
      });
    }
    command.addHelpText('after', examplesText(spec.examples));
    command.action((...given: unknown[]) => {
      const values: Record<string, unknown> = {};
      const resolved = (kind: string, value: unknown): unknown => {
        if (Array.isArray(value)) return value.map((one) => resolved(kind, one));
        const isPath = kind === 'path' || kind === 'paths';
        return isPath && typeof value === 'string' && value !== '-' ? resolvePath(value) : value;
      };
      argumentSpecs.forEach(([name, { kind }], index) => {
        values[name] = resolved(kind, given[index]);
      });
      const options = command.opts();
      for (const [name, { kind }] of optionSpecs) {
        const none = kind === 'texts' || kind === 'paths' ? [] : undefined;
        values[name] =
          kind === 'flag' ? options[name] === true : resolved(kind, options[name] ?? none);
      }
      invoke({
        run: (context) => spec.run(context, values as Values<A, O>),
        stopMsMax: spec.stopMsMax ?? null,
      });
    });
  };
  return { name: spec.name, summary: spec.summary, register };
}

/** What the verbs under a noun are about. */
const nounSummaries: Readonly<Record<string, string>> = {
  job: 'Jobs of a node: list, show, watch them, fetch results and receipts, cancel.',
  data: 'Bring data to a node, and fetch it.',
  state: 'Look into the state, with proofs.',
  node: 'Run a node, and look after it.',
  genesis: 'Begin a network.',
  program: 'Write programs of your own: begin, build, check, test and measure them.',
};

/** The command under which a verb stands: made with its first verb. */
function nounOf(program: CommanderCommand, nouns: readonly string[]): CommanderCommand {
  let at = program;
  for (const noun of nouns)
    at =
      at.commands.find((command) => command.name() === noun) ??
      at.command(noun).summary(nounSummaries[noun] ?? '');
  return at;
}

function argumentOf(name: string, { describe, optional, many }: ArgumentSpec): Argument {
  const shown = `${name}${many ? '...' : ''}`;
  return new Argument(optional ? `[${shown}]` : `<${shown}>`, describe);
}

function optionOf(name: string, spec: OptionSpec): CommanderOption {
  const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  if (spec.kind === 'flag') return new CommanderOption(flag, spec.describe);
  const isList = spec.kind === 'texts' || spec.kind === 'paths';
  const shown = `<${spec.placeholder}${isList ? '...' : ''}>`;
  const option = new CommanderOption(`${flag} ${shown}`, spec.describe);
  if (spec.kind === 'integer')
    option.argParser((text) => integer(text, spec.min, spec.max)).default(spec.default);
  if (spec.kind === 'text') {
    if (spec.choices !== undefined) option.choices(spec.choices);
    option.default(spec.default);
  }
  return option;
}

function integer(text: string, min: number, max: number): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value) || value < min || value > max)
    throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`);
  return value;
}

function examplesText(examples: CommandSpec<Arguments, Options>['examples']): string {
  const lines = examples.map(([line, describe]) => `  ${line}\n      ${describe}`);
  return `\nExamples:\n${lines.join('\n')}`;
}
