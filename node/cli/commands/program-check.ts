/** Test the laws of a program in the sandbox, and show the smallest counterexample. */
import { randomBytes } from 'node:crypto';
import { defineCommand } from '../command.ts';
import { exitCodes } from '../error.ts';
import { shellWord } from '../shell-word.ts';

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
  },
  run: async (context, { program, runs, seed: given, input, params }) => {
    // Loaded when it is needed: help and explanations come at once.
    const { openGround } = await import('../../kit/ground.ts');
    const { checkLaws } = await import('../../kit/check.ts');
    const { renderValues, reportDocument, reportLines } = await import('../../kit/report.ts');
    const seed = given ?? randomBytes(4).toString('hex');
    const ground = await openGround(context, program, params ?? '');
    const report = await checkLaws(ground, { runs, seed, inputPath: input ?? null });
    const shown = await renderValues(ground, report.counterexample);
    const options = Object.entries({ input, params }).flatMap(([name, value]) =>
      value === undefined ? [] : [`--${name}`, value],
    );
    const words = ['program', 'check', program, '--seed', seed, '--runs', String(runs), ...options];
    const again = ['anwansi', ...words.map(shellWord)].join(' ');
    const told = { seed, runs, again };
    const lines = reportLines(report, shown, told);
    context.output.result(reportDocument(report, shown, told), lines.join('\n'));
    return {
      refuted: exitCodes.refuted,
      untested: exitCodes.inconclusive,
      'none-found': exitCodes.done,
    }[report.verdict];
  },
});
