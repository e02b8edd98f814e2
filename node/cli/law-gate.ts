/** Refuse a lawless program before its job costs anything, unless told otherwise. */
import { join } from 'node:path';
import { lawsBefore } from '../client/laws.ts';
import type { Wish } from '../client/prepare.ts';
import { forgetful, type Remembered, rememberedIn } from '../laws/remembered.ts';
import type { LawReport } from '../laws/report.ts';
import { exampleLines, lawCode } from '../laws/words.ts';
import { cacheFolder } from '../operator/paths.ts';
import type { Context } from './command.ts';
import { dataDirectory } from './data-dir.ts';
import { CliError, exitCodes } from './error.ts';
import type { Ground } from './run-job.ts';

/**
 * Checks the laws of a program on a few items of its job, or remembers that it was done. A check
 * that cannot tell lets the job pass, and says so.
 * @throws CliError with the code of the law that is refuted
 */
export async function passLaws(
  wish: Wish,
  { executor, scratch }: Pick<Ground, 'executor' | 'scratch'>,
  context: Context,
): Promise<void> {
  const { output, signal } = context;
  const startedAt = performance.now();
  const remembered = await rememberedBy(context);
  const word = await lawsBefore(wish, { executor, scratch, remembered, signal });
  if (word === null) return;
  const { report, check } = word;
  const ms = Math.round(performance.now() - startedAt);
  switch (report.verdict) {
    case 'refuted':
      throw refusal(wish, report);
    case 'untested': {
      const why = check?.notTried.at(-1) ?? 'nothing could be combined';
      output.note(`laws untested: ${why}`);
      return;
    }
    case 'none-found': {
      const when = check === null ? 'checked before' : `${ms} ms`;
      output.detail(`laws: no counterexample in ${report.runs} statements (${when})`);
    }
  }
}

/** What was found out before, in the user's own folder; nothing where there is none. */
async function rememberedBy(context: Context): Promise<Remembered> {
  const data = dataDirectory(context, undefined);
  if (data !== null) return rememberedIn(join(data, 'cache', 'laws'));
  const usual = await cacheFolder().catch(() => null);
  return usual === null ? forgetful : rememberedIn(join(usual, 'laws'));
}

function refusal({ program }: Wish, { example, seed, runs }: LawReport): CliError {
  const { law } = example!;
  const lines = exampleLines(example!).join('\n');
  return new CliError({
    code: lawCode(law),
    message: `${program.name} is refuted: it breaks a law (${law}; seed ${seed}, ${runs} runs)\n${lines}`,
    hint:
      'A job of it could come to no result. More values: anwansi program check.\n' +
      'To submit it all the same: --unchecked.',
    exitCode: exitCodes.refuted,
  });
}
