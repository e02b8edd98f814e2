/** Refuse a lawless program before its job costs anything, unless told otherwise. */
import { join } from 'node:path';
import type { Cid } from '../../protocol/merkle/cid.ts';
import { formatFuel } from '../client/fuel.ts';
import {
  checkMsMax,
  type LawWord,
  lawsBefore,
  shrinkMsMax,
  standsForQuick,
} from '../client/laws.ts';
import type { Wish } from '../client/prepare.ts';
import type { Check } from '../laws/check.ts';
import { forgetful, type Remembered, rememberedIn } from '../laws/remembered.ts';
import type { LawReport } from '../laws/report.ts';
import { combinesNothing, exampleLines, lawCode } from '../laws/words.ts';
import { cacheFolder } from '../operator/paths.ts';
import type { Context } from './command.ts';
import { dataDirectory } from './data-dir.ts';
import { CliError, exitCodes } from './error.ts';
import { jobWords, type NamedJob } from './foreseen-words.ts';
import type { Ground } from './run-job.ts';

/**
 * Checks the laws of a program on a few items of its job, or remembers that it was done. A check
 * that cannot tell lets the job pass: what a person should know then is given back, in lines, to be
 * told when there is a job.
 * @throws CliError with the code of the law that is refuted
 */
export async function passLaws(
  wish: Wish,
  { executor, scratch }: Pick<Ground, 'executor' | 'scratch'>,
  job: NamedJob,
  context: Context,
): Promise<readonly string[]> {
  const { output, signal } = context;
  const startedAt = performance.now();
  const remembered = await rememberedBy(context);
  const broke = (): void =>
    output.note(
      `a law is broken; making the example small, at most ${shrinkMsMax / 1_000} s and what runs then`,
    );
  const word = await lawsBefore(wish, { executor, scratch, remembered, signal, broke });
  if (word === null) return [];
  const { report, check } = word;
  const ms = Math.round(performance.now() - startedAt);
  switch (report.verdict) {
    case 'refuted':
      throw refusal(wish, report, job);
    case 'untested':
      return untestedLines(word, job);
    case 'none-found': {
      const when = check === null ? 'checked before' : `${ms} ms`;
      output.detail(`laws: no counterexample in ${report.runs} statements (${when})`);
      return [];
    }
  }
}

/** Remembers a check that a person asked for, where it spares the look before a job. */
export async function rememberCheck(
  { report, blob }: Check,
  parameters: Uint8Array,
  context: Pick<Context, 'environment' | 'resolvePath'>,
): Promise<void> {
  if (blob === null || !standsForQuick(report)) return;
  const remembered = await rememberedBy(context);
  await remembered.write(report.program as Cid, parameters, blob);
}

/** Variables of the environment that lead to a user's folders. */
const homeNames = ['HOME', 'USERPROFILE', 'LOCALAPPDATA'];

/** What was found out before, in the user's own folder; nothing where there is none. */
async function rememberedBy(
  context: Pick<Context, 'environment' | 'resolvePath'>,
): Promise<Remembered> {
  const data = dataDirectory(context, undefined);
  if (data !== null) return rememberedIn(join(data, 'cache', 'laws'));
  // Surroundings that name no home are nobody's, and leave nothing behind in one.
  if (homeNames.every((name) => context.environment[name] === undefined)) return forgetful;
  const usual = await cacheFolder().catch(() => null);
  return usual === null ? forgetful : rememberedIn(join(usual, 'laws'));
}

/** What a person is told who submits without the look. */
export const unlookedLine =
  'laws not looked at (--unchecked): the order in which values are combined may change the result';

/** What could not be tested, why, and what to do about it. */
export function untestedLines(word: LawWord, job: NamedJob): readonly string[] {
  return [
    'not tested: whether the order in which values are combined changes the result ' +
      `(${untestedWhy(word)}).`,
    'The job is submitted all the same. Should order matter, its result is that of this cut and ' +
      'its order alone: validators try other orders only within subtasks of several items. ' +
      `To test it with more time and fuel: anwansi program check ${jobWords(job)}`,
  ];
}

function untestedWhy({ report, check, late }: LawWord): string {
  const { bounds, pool } = report;
  const each = formatFuel(bounds.callFuel);
  if (late) return `the look before a job ends after ${checkMsMax / 1_000} seconds`;
  const unrun = check?.blob === null ? check.notTried.at(-1) : undefined;
  if (unrun !== undefined) return unrun;
  if (Object.values(pool).every((count) => count === 0))
    return `no item that was tried gave a value within ${each} units of fuel`;
  if (combinesNothing(report)) return 'no two values that were tried could be combined';
  return (
    `the look before a job grants a combine ${each} units of fuel, all of them together ` +
    `${formatFuel(bounds.fuel)}, and that was not enough`
  );
}

function refusal({ program }: Wish, { example, seed, runs }: LawReport, job: NamedJob): CliError {
  const { law } = example!;
  const lines = exampleLines(example!).join('\n');
  return new CliError({
    code: lawCode(law),
    message: `${program.name} is refuted: it breaks a law (${law}; seed ${seed}, ${runs} runs)\n${lines}`,
    hint:
      `A job of it could come to no result, or to one of its cut and order alone. More values: anwansi program check ${jobWords(job)}\n` +
      `To submit it all the same: --unchecked.\nMore: anwansi explain ${lawCode(law)}`,
    exitCode: exitCodes.refuted,
  });
}
