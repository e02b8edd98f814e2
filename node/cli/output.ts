/** Put the result on standard output, everything else on standard error. */
import { styleText } from 'node:util';
import { type Progress, startProgress } from './progress.ts';

/** A stream as the command line needs it: `process.stdout`, or a test's. */
export type TextStream = {
  readonly write: (chunk: string | Uint8Array) => unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
};

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** Where a command puts what it has to say. */
export type Output = {
  /**
   * The result, once: `shown` on standard output (text gets a line end; bytes go out as they are,
   * with a line end on a terminal only), or with `--json` the `data` of the one document.
   */
  readonly result: (data: unknown, shown: string | Uint8Array) => void;
  /**
   * One of several things that a running command tells on standard output, at once: a line, or
   * with `--json` one JSON value in a line. The closing document is then one line too.
   */
  readonly event: (data: unknown, shown: string) => void;
  /** One line for the person; not with `--quiet`. */
  readonly note: (line: string) => void;
  /** One line that the person should not miss; with `--json` also in the document. */
  readonly warn: (line: string) => void;
  /** One line for whoever asked for more with `-v`. */
  readonly detail: (line: string) => void;
  /** A display of what goes on; end it before the result. */
  readonly progress: () => Progress;
  /** Colours a text for standard error, where that shows colours. */
  readonly style: (style: Style, text: string) => string;
  /** Whether the result is one JSON document. */
  readonly json: boolean;
};

/** One of the document's errors. */
export type OutputError = {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly retryable: boolean;
};

/** The output, and what the frame does when the command is over. */
export type OutputFrame = Output & {
  /** Prints the error, and with `--json` the document, which says whether all went well. */
  readonly end: (error: OutputError | null, success: boolean) => void;
};

export type OutputOptions = {
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly json: boolean;
  readonly quiet: boolean;
  /** How often `-v` was given. */
  readonly verbosity: number;
  /** False with `--no-color`. */
  readonly color: boolean;
};

/** Version of the JSON document. */
export const documentVersion = 1;

/** The output of one command. */
export function openOutput(options: OutputOptions): OutputFrame {
  const { stdout, stderr, environment, json, quiet, verbosity } = options;
  const colored = options.color && showsColors(stderr, environment);
  const warnings: string[] = [];
  let data: unknown = null;
  let display: Progress | null = null;
  let streams = false;

  const style = (name: Style, text: string): string =>
    colored ? styleText(name, text, { validateStream: false }) : text;
  const line = (text: string): void => {
    display?.clear();
    stderr.write(`${text}\n`);
  };
  return {
    json,
    style,
    result: (value, shown) => {
      display?.clear();
      if (json) data = value;
      else if (typeof shown === 'string') stdout.write(`${shown}\n`);
      else {
        stdout.write(shown);
        if (stdout.isTTY === true) stdout.write('\n');
      }
    },
    event: (value, shown) => {
      display?.clear();
      streams = true;
      stdout.write(`${json ? JSON.stringify(value, exactly) : shown}\n`);
    },
    note: (text) => {
      if (!quiet) line(harmless(text));
    },
    warn: (text) => {
      warnings.push(text);
      line(`${style('yellow', 'warning')} ${harmless(text)}`);
    },
    detail: (text) => {
      if (verbosity > 0) line(style('dim', harmless(text)));
    },
    progress: () => {
      const terminal = stderr.isTTY === true && environment.TERM !== 'dumb';
      display = startProgress(quiet ? null : stderr, terminal);
      return display;
    },
    end: (error, success) => {
      display?.end();
      if (error !== null) {
        line(`${style('red', `error ${error.code}`)} ${harmless(error.message)}`);
        if (error.hint !== '') line(harmless(error.hint));
      }
      if (json) {
        const errors = error === null ? [] : [error];
        const document = { schema_version: documentVersion, success, data, warnings, errors };
        stdout.write(`${JSON.stringify(document, exactly, streams ? 0 : 2)}\n`);
      }
    },
  };
}

/** A text in which no name of a file or a stranger's word steers the terminal. */
function harmless(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]|[\u202a-\u202e\u2066-\u2069]/gu, '\ufffd');
}

/** JSON has no integers above 2^53: they are written as texts. */
function exactly(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

/** Whether a stream shows colours: a terminal that is not dumb, unless NO_COLOR or FORCE_COLOR. */
export function showsColors(
  { isTTY }: TextStream,
  { NO_COLOR, FORCE_COLOR, TERM }: OutputOptions['environment'],
): boolean {
  if (NO_COLOR !== undefined && NO_COLOR !== '') return false;
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== '') return FORCE_COLOR !== '0';
  return isTTY === true && TERM !== 'dumb';
}

/** Lays rows out in columns, left-aligned, two blanks apart. The first row is the heading. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows.reduce<number[]>(
    (most, row) => row.map((cell, column) => Math.max(most[column] ?? 0, cell.length)),
    [],
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
