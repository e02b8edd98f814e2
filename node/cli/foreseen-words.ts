/** Say that a job would fail, why, what to look at, and what to do to submit it all the same. */
import { ClientError } from '../client/error.ts';
import type { FailingLines } from '../client/failing-lines.ts';
import {
  type Foreseen,
  foreseenFailures,
  foreseenSentence,
  openEnds,
  shownLine,
  trapHint,
} from '../client/foreseen.ts';
import {
  type FuelLimits,
  formatFuel,
  fuelFlags,
  fuelMaxima,
  leastCallFuel,
  raisedLimit,
} from '../client/fuel.ts';
import type { Measured } from '../client/measure.ts';
import type { Program } from '../client/program.ts';
import { CliError, exitCodes } from './error.ts';
import { shellWord } from './shell-word.ts';

/** A job as the command line named it. */
export type NamedJob = {
  readonly program: string;
  readonly input: string | undefined;
  readonly params: string | undefined;
};

/** The words of a command line on a job. @param more - Options behind the program. */
export function jobWords({ program, input, params }: NamedJob, more = ''): string {
  const options = Object.entries({ input, params }).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, value],
  );
  const behind = more === '' ? [] : [more];
  return [shellWord(program), ...behind, ...options.map(shellWord)].join(' ');
}

/**
 * What a person is told of a job that was not submitted because it would fail; any other error as
 * it is.
 */
export function refusedJob(error: unknown, job: NamedJob, program: Program): unknown {
  if (!(error instanceof ClientError) || !('failure' in error.detail)) return error;
  const { failure, code } = error.detail;
  const lines = [
    'Nothing was submitted, and nothing is paid.',
    ...failureHints(failure, program),
    closerLine(failure, job),
    'To submit it all the same: --unchecked.',
    `More: anwansi explain ${code}`,
  ];
  return new CliError(
    { code, message: error.message, hint: lines.join('\n'), exitCode: exitCodes.jobFailed },
    { cause: error },
  );
}

/** How to look closer at a failure. */
export function closerLine(failure: Foreseen, job: NamedJob): string {
  if (failure.what === 'item') return `Look closer: ${itemCommand(failure.item, job)}`;
  const command = failure.what === 'combine' ? 'check' : 'bench';
  return `Look closer: anwansi program ${command} ${jobWords(job)}`;
}

/** The command that runs one item of a job alone. */
export function itemCommand(index: number, job: NamedJob): string {
  return `anwansi program bench ${jobWords(job, `--item ${index}`)}`;
}

/**
 * What may be the cause of a failure, and what to look at, in lines.
 * @param isChosen - Whether the items that were tried are one that somebody chose: of those that
 * were given, it tells nothing.
 */
export function failureHints(
  failure: Foreseen,
  program: Pick<Program, 'bundled' | 'name'>,
  isChosen = false,
): readonly string[] {
  switch (failure.what) {
    case 'item': {
      const { failed, tried } = failure;
      // Fuel and depth are a matter of how it computes, not of what it was given.
      const isInput = failure.class === 'trap' || failure.class === 'bad-value';
      const isAll = isInput && !isChosen && failed === tried;
      const all = isAll ? [parametersText(tried, program)] : [];
      return [...all, ...classHints(failure, 'item', failure.place?.bytes)];
    }
    case 'combine':
      return [
        failure.class === 'out-of-fuel'
          ? 'Look at the combine: it loops, or its values grow with each item.'
          : 'Look at the combine: it has to give a value for any two values.',
        ...classHints(failure, 'combine'),
      ];
    case 'render':
      return [
        'Look at anw_render: it has to show the value of any items, also of a part of them.',
        ...classHints(failure, 'render'),
      ];
  }
}

function parametersText(tried: number, { bundled, name }: Pick<Program, 'bundled' | 'name'>) {
  const all = tried === 1 ? 'The only item that was tried' : `Every item that was tried (${tried})`;
  return bundled
    ? `${all} failed: are the parameters right? programs/README.md tells what ${name} takes.`
    : `${all} failed: are parameters (--params) and input what the program takes?`;
}

function classHints(
  { class: failure, said, limit }: Foreseen,
  name: keyof FuelLimits,
  argumentBytes = 0,
): readonly string[] {
  const trapped = trapHint(said);
  if (trapped !== null) return [trapped];
  if (failure === 'too-deep')
    return ['No option lets calls go deeper: recurse less, or loop over a stack of your own.'];
  return failure === 'out-of-fuel' ? [raiseText(name, limit, leastCallFuel(argumentBytes))] : [];
}

/**
 * How a limit is raised, if it can be.
 * @param needed - Units that are known to be used, or to be charged before anything runs.
 */
export function raiseText(
  name: keyof FuelLimits,
  limit: bigint,
  needed = leastCallFuel(0),
): string {
  const most = fuelMaxima[name];
  if (limit >= most)
    return `That is the most that a job may give: let the program do less at once. See: anwansi program bench.`;
  const more = `${fuelFlags[name]} ${formatFuel(raisedLimit(name, limit, needed))}`;
  if (limit < needed)
    return (
      `It needs ${needed} units at the least, if only to begin: give it more, as ${more}, ` +
      `or leave ${fuelFlags[name]} out: then it is measured.`
    );
  return `If it is meant to take that long, give it more: ${more}. If not, it loops.`;
}

/**
 * What already failed here, and what could not be seen to its end, in lines.
 * @param limits - Those of the job.
 */
export function measureWarnings(measured: Measured, limits: FuelLimits): readonly string[] {
  const { unrun } = measured;
  return [
    ...foreseenFailures(measured, limits).map(
      (failure) => `${foreseenSentence(failure)}: the job will fail`,
    ),
    ...openEnds(measured, limits),
    ...(unrun === null ? [] : [`this machine could not run it: ${unrun.class}, ${unrun.reason}`]),
  ];
}

/** What is foreseen, as a document. */
export function foreseenDocument(failure: Foreseen) {
  const { what, class: failureClass, said, limit } = failure;
  const common = { what, class: failureClass, said, limit };
  if (what === 'render') return { ...common, items: failure.items };
  if (what === 'combine') return { ...common, item: failure.item };
  const { item, tried, failed, place, lines } = failure;
  const where = place === null ? null : { start: place.start, bytes: place.bytes };
  return { ...common, item, where, lines: linesDocument(lines), tried, failed };
}

/** Lines that fail, as a document. */
export function linesDocument(lines: FailingLines | null) {
  if (lines === null) return null;
  const { first, last, of, least } = lines;
  return { first, last, of, least, text: shownLine(lines) };
}
