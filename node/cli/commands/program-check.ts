/** Test the laws of a program in the sandbox, and show the smallest counterexample. */
import { randomBytes } from 'node:crypto';
import { type Foreseen, foreseenCode, foreseenSentence } from '../../client/foreseen.ts';
import type { Program } from '../../client/program.ts';
import { checkProgress } from '../check-progress.ts';
import { defineCommand } from '../command.ts';
import { exitCodes, usageError } from '../error.ts';
import {
  closerLine,
  failureHints,
  foreseenDocument,
  jobWords,
  type NamedJob,
} from '../foreseen-words.ts';
import { programArgument } from '../program-argument.ts';
import { foreseenOf } from '../quote-words.ts';
import { shellWord } from '../shell-word.ts';
import { checkTarget, writeTarget } from '../target.ts';

export const programCheck = defineCommand({
  name: 'program check',
  summary: 'Test that combine is commutative and associative, in the sandbox that jobs run in.',
  examples: [
    ['anwansi program check my.wasm --input data.csv', 'On your own data, and on what it may be.'],
    [
      `anwansi program check primes --params '{"from":0,"to":1000000}'`,
      'A program that makes its own items.',
    ],
    ['anwansi program check my.wasm --seed 1729 --runs 10000', 'The same again, ten times longer.'],
    [
      'anwansi program check my.wasm --seed 1729 --report my.law',
      'Its report in a file, the same bytes on every machine.',
    ],
  ],
  arguments: {
    program: { kind: 'text', describe: programArgument },
  },
  options: {
    runs: {
      kind: 'integer',
      placeholder: 'N',
      describe: 'Statements to try; 1000 unless given.',
      min: 10,
      max: 10_000_000,
      default: 1_000,
    },
    seed: { kind: 'text', placeholder: 'S', describe: 'Makes the check the same again.' },
    input: { kind: 'path', placeholder: 'FILE', describe: 'An input of the kind it will work on.' },
    params: { kind: 'text', placeholder: 'JSON', describe: 'Parameters, passed as they are.' },
    report: { kind: 'path', placeholder: 'FILE', describe: 'Where the report goes, by content.' },
  },
  run: async (context, { program, runs, seed: given, input, params, report: file }) => {
    // Loaded when it is needed: help and explanations come at once.
    const { openGround } = await import('../../kit/ground.ts');
    const { openItems } = await import('../../kit/items.ts');
    const { estimateItems, sizedItems } = await import('../../kit/estimate.ts');
    const { checkLaws } = await import('../../laws/check.ts');
    const { rememberCheck } = await import('../law-gate.ts');
    const { seedLengthMax } = await import('../../laws/report.ts');
    const { combinesNothing, refusedText, renderValues, reportDocument, reportLines } =
      await import('../../laws/words.ts');
    const seed = given ?? randomBytes(4).toString('hex');
    if (seed.length > seedLengthMax || !seed.isWellFormed())
      throw usageError(`a seed has at most ${seedLengthMax} letters`, 'Choose a shorter one.');
    if (file !== undefined) await checkTarget(file);
    const ground = await openGround(context, program, params ?? '');
    const items = await openItems(ground, input ?? null);
    const progress = checkProgress(context.output, runs);
    const { trying, broke } = progress;
    const options = { runs, seed, warns: true, trying, broke };
    const check = await checkLaws(ground, items, options).finally(progress.end);
    context.signal.throwIfAborted();
    const shown = await renderValues(ground, check);
    const job = { program, input, params };
    const drawn = `--seed ${shellWord(seed)} --runs ${runs}`;
    const again = `anwansi program check ${jobWords(job, drawn)}`;
    const taken = check.report.input;
    // The laws say nothing of what fails: the very items that were taken are looked at for that.
    const estimate =
      taken.kind === 'none'
        ? null
        : await estimateItems(ground, { ...sizedItems(items, input ?? null), only: taken.places });
    const failures = estimate === null ? [] : foreseenOf(estimate);
    const barren = failures.length === 0 && combinesNothing(check.report);
    if (failures.length === 0 && !barren) await rememberCheck(check, ground.parameters, context);
    if (file !== undefined && check.blob === null)
      context.output.warn('no report was written: this machine could not run something');
    else if (file !== undefined) await writeTarget(file, check.blob!.bytes);
    const { verdict, pool } = check.report;
    const valueless = verdict === 'untested' && Object.values(pool).every((count) => count === 0);
    const { refused } = check;
    const lines = [
      ...(valueless && refused !== null && failures.length === 0
        ? valuelessLines(refusedText(refused), job)
        : []),
      ...failedLines(failures, job, ground.program),
      ...reportLines(check, shown, again, failures.length > 0),
      ...failures.slice(0, 1).map((one) => `FAILED: ${foreseenCode(one)}, the first line says why`),
      ...(barren ? ['FAILED: COMBINE_FAILED, on any two values that were tried'] : []),
    ];
    const document = reportDocument(check, shown, again);
    const data = { ...document, failures: failures.map(foreseenDocument) };
    context.output.result(data, lines.join('\n'));
    if (verdict === 'refuted') return exitCodes.refuted;
    if (failures.length > 0 || barren) return exitCodes.jobFailed;
    return verdict === 'untested' ? exitCodes.inconclusive : exitCodes.done;
  },
});

/** That no item gave a value, and what may be missing. */
function valuelessLines(refused: string, { input, params }: NamedJob): readonly string[] {
  const missing = [
    ...(params === undefined ? ['parameters: --params JSON'] : []),
    ...(input === undefined ? ['an input of the kind that it works on: --input FILE'] : []),
  ];
  return [
    `none  no item that was tried gave a value; the first: ${refused}`,
    ...(missing.length === 0 ? [] : [`      Give it what it takes; ${missing.join('; ')}.`]),
  ];
}

/** That the program fails on what it was given, and what to look at. */
function failedLines(
  failures: readonly Foreseen[],
  job: NamedJob,
  program: Program,
): readonly string[] {
  const [first] = failures;
  if (first === undefined) return [];
  // Of combines, nothing says more than this very check.
  const closer = first.what === 'combine' ? [] : [closerLine(first, job)];
  return [
    ...failures.map((failure) => `FAIL  ${foreseenSentence(failure)}`),
    ...[...failureHints(first, program), ...closer].map((hint) => `      ${hint}`),
  ];
}
