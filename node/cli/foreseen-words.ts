/** Say that a job would fail, why, what to look at, and what to do to submit it all the same. */
import { ClientError } from '../client/error.ts';
import { type Foreseen, foreseenFailures, foreseenSentence, openEnds } from '../client/foreseen.ts';
import { type FuelLimits, formatFuel, fuelFlags, fuelMaxima, itemRoom } from '../client/fuel.ts';
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
export function closerLine({ what }: Foreseen, job: NamedJob): string {
  const command = what === 'combine' ? 'check' : 'bench';
  return `Look closer: anwansi program ${command} ${jobWords(job)}`;
}

/** What may be the cause of a failure, and what to look at, in lines. */
export function failureHints(
  failure: Foreseen,
  program: Pick<Program, 'bundled' | 'name'>,
): readonly string[] {
  switch (failure.what) {
    case 'item': {
      const all = failure.failed === failure.tried ? [parametersText(failure.tried, program)] : [];
      return [...all, ...classHints(failure, 'item')];
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

function classHints({ class: failure, limit }: Foreseen, name: keyof FuelLimits) {
  if (failure === 'too-deep')
    return ['No option lets calls go deeper: recurse less, or loop over a stack of your own.'];
  return failure === 'out-of-fuel' ? [raiseText(name, limit)] : [];
}

/** How a limit is raised, if it can be. */
export function raiseText(name: keyof FuelLimits, limit: bigint): string {
  const most = fuelMaxima[name];
  if (limit >= most)
    return `That is the most that a job may give: let the program do less at once. See: anwansi program bench.`;
  const more = limit * itemRoom;
  const raised = formatFuel(more < most ? more : most);
  return `If it is meant to take that long, give it more: ${fuelFlags[name]} ${raised}. If not, it loops.`;
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
  const { item, tried, failed, place } = failure;
  const where = place === null ? null : { start: place.start, bytes: place.bytes };
  return { ...common, item, where, tried, failed };
}
