/** Test the laws of a program in the sandbox, and show the smallest counterexample. */
import { randomBytes } from 'node:crypto';
import { defineCommand } from '../command.ts';
import { exitCodes, usageError } from '../error.ts';
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
    program: { kind: 'text', describe: 'A name under programs/, or a .wasm file.' },
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
    const { checkLaws } = await import('../../laws/check.ts');
    const { seedLengthMax } = await import('../../laws/report.ts');
    const { renderValues, reportDocument, reportLines } = await import('../../laws/words.ts');
    const seed = given ?? randomBytes(4).toString('hex');
    if (seed.length > seedLengthMax || !seed.isWellFormed())
      throw usageError(`a seed has at most ${seedLengthMax} letters`, 'Choose a shorter one.');
    if (file !== undefined) await checkTarget(file);
    const ground = await openGround(context, program, params ?? '');
    const items = await openItems(ground, input ?? null);
    const check = await checkLaws(ground, items, { runs, seed });
    context.signal.throwIfAborted();
    const shown = await renderValues(ground, check);
    const options = Object.entries({ input, params }).flatMap(([name, value]) =>
      value === undefined ? [] : [`--${name}`, value],
    );
    const words = ['program', 'check', program, '--seed', seed, '--runs', String(runs), ...options];
    const again = ['anwansi', ...words.map(shellWord)].join(' ');
    if (file !== undefined && check.blob === null)
      context.output.warn('no report was written: this machine could not run something');
    else if (file !== undefined) await writeTarget(file, check.blob!.bytes);
    const lines = reportLines(check, shown, again);
    context.output.result(reportDocument(check, shown, again), lines.join('\n'));
    return {
      refuted: exitCodes.refuted,
      untested: exitCodes.inconclusive,
      'none-found': exitCodes.done,
    }[check.report.verdict];
  },
});
