/** Run the tests of a program's folder, each as a whole job in the own sandbox. */
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { plainText } from '../../client/plain.ts';
import type { TestedCase } from '../../kit/test-case.ts';
import { defineCommand } from '../command.ts';
import { exitCodes } from '../error.ts';
import { resultDocument } from '../result-words.ts';
import { unwritable, writeTarget } from '../target.ts';

export const programTest = defineCommand({
  name: 'program test',
  summary: 'Run the tests of a program’s folder: whole jobs in the sandbox, their orders shuffled.',
  examples: [
    ['anwansi program test my-sum', 'Each tests/NAME.expected, with NAME.input and NAME.json.'],
    ['anwansi program test my-sum --seed 1729', 'The same orders again.'],
    ['anwansi program test my-sum --keep found', 'Results that differ, as files in ./found.'],
  ],
  arguments: { folder: { kind: 'path', describe: 'A folder that `program new` began.' } },
  options: {
    seed: { kind: 'text', placeholder: 'S', describe: 'Makes the orders the same again.' },
    keep: {
      kind: 'path',
      placeholder: 'DIR',
      describe: 'Where results that differ go, as NAME.found.',
    },
  },
  run: async (context, { folder, seed: given, keep = null }) => {
    const { openGround } = await import('../../kit/ground.ts');
    const { openProject, readCases } = await import('../../kit/project.ts');
    const { builtModule } = await import('../../kit/stamp.ts');
    const { testCase } = await import('../../kit/test-case.ts');
    const { output } = context;
    const seed = given ?? randomBytes(4).toString('hex');
    const project = await openProject(folder);
    const { cases, strays } = await readCases(project);
    const module = await builtModule(project);
    for (const file of strays)
      output.warn(`tests/${file} is of no test: NAME.expected, NAME.input and NAME.json are`);
    const ground = await openGround(context, module, '');
    const told: TestedCase[] = [];
    if (keep !== null) await makeFolder(keep);
    const kept = new Map<TestedCase, string>();
    for (const one of cases) {
      const tested = await testCase(ground, one, seed);
      told.push(tested);
      if (keep === null || tested.differing === null) continue;
      const file = join(keep, `${tested.name}.found`);
      await writeTarget(file, tested.differing.found);
      kept.set(tested, file);
    }
    const count = (state: TestedCase['state']): number =>
      told.filter((one) => one.state === state).length;
    const [passed, failed, unrun] = [count('passed'), count('failed'), count('unrun')];
    const rest = unrun === 0 ? '' : `${unrun} that this machine could not run, `;
    const sum = `${passed} passed, ${failed} failed, ${rest}seed ${seed}`;
    const tests = told.map((one) => document(one, kept.get(one) ?? null));
    const lines = told.map((one) => line(one, kept.get(one) ?? null));
    const more = keep === null && told.some(isLong) ? [keepLine] : [];
    output.result({ seed, tests, failed, unrun }, [...lines, ...more, sum].join('\n'));
    if (failed > 0) return exitCodes.refuted;
    return unrun > 0 ? exitCodes.inconclusive : exitCodes.done;
  },
});

const keepLine = 'To see a whole result that differs: --keep DIR writes it to DIR/NAME.found.';

/** Bytes of a result that the line of its test shows whole. */
const shownMax = 48;

function isLong({ differing }: TestedCase): boolean {
  return differing !== null && differing.found.length > shownMax;
}

async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((cause: Error) => {
    throw unwritable(folder, cause.message, cause);
  });
}

/** Results of up to 64 KiB go in whole; of others, how long they are and where they are kept. */
function document({ differing, ...told }: TestedCase, kept: string | null) {
  if (differing === null) return { ...told, expected: null, found: null };
  const [expected, found] = [differing.expected, differing.found].map((bytes) =>
    resultDocument(bytes, null),
  );
  return { ...told, expected, found: { ...found, file: kept } };
}

const words = { passed: 'ok', failed: 'FAIL', unrun: '?' } as const;

/** Letters of a name, and of what is wrong. */
const lengthMax = 2_000;

function line({ name, state, fault, tried }: TestedCase, kept: string | null): string {
  // Names are those of files, which may be a stranger's.
  const start = `${words[state].padEnd(6)}${plainText(name, lengthMax)}: `;
  const where = kept === null ? '' : `; kept in ${plainText(kept, lengthMax)}`;
  if (fault !== null) return `${start}${plainText(fault, lengthMax)}${where}`;
  const counts = tried.map(({ items, orders, smaller }) => {
    const what = `${items} ${smaller ? 'smaller ' : ''}${items === 1 ? 'item' : 'items'}`;
    return orders === 1 ? what : `${what} in ${orders} orders`;
  });
  const ordered = tried.some(({ orders }) => orders > 1);
  return `${start}${counts.join(', then as ')}${ordered ? '' : ': no order to try'}`;
}
