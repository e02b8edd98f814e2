/** Run the tests of a program's folder, each as a whole job in the own sandbox. */
import { randomBytes } from 'node:crypto';
import type { TestedCase } from '../../kit/test-case.ts';
import { defineCommand } from '../command.ts';
import { exitCodes } from '../error.ts';

export const programTest = defineCommand({
  name: 'program test',
  summary: 'Run the tests of a program’s folder: whole jobs in the sandbox, their orders shuffled.',
  examples: [
    ['anwansi program test my-sum', 'Each tests/NAME.expected, with NAME.input and NAME.json.'],
    ['anwansi program test my-sum --seed 1729', 'The same orders again.'],
  ],
  arguments: { folder: { kind: 'path', describe: 'A folder that `program new` began.' } },
  options: {
    seed: { kind: 'text', placeholder: 'S', describe: 'Makes the orders the same again.' },
  },
  run: async (context, { folder, seed: given }) => {
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
    for (const one of cases) told.push(await testCase(ground, one, seed));
    const count = (state: TestedCase['state']): number =>
      told.filter((one) => one.state === state).length;
    const [passed, failed, unrun] = [count('passed'), count('failed'), count('unrun')];
    const rest = unrun === 0 ? '' : `${unrun} that this machine could not run, `;
    const sum = `${passed} passed, ${failed} failed, ${rest}seed ${seed}`;
    output.result({ seed, tests: told, failed, unrun }, [...told.map(line), sum].join('\n'));
    if (failed > 0) return exitCodes.refuted;
    return unrun > 0 ? exitCodes.inconclusive : exitCodes.done;
  },
});

const words = { passed: 'ok', failed: 'FAIL', unrun: '?' } as const;

function line({ name, state, fault, tried }: TestedCase): string {
  const start = `${words[state].padEnd(6)}${name}: `;
  if (fault !== null) return `${start}${fault}`;
  const counts = tried.map(({ items, orders, smaller }) => {
    const what = `${items} ${smaller ? 'smaller ' : ''}${items === 1 ? 'item' : 'items'}`;
    return orders === 1 ? what : `${what} in ${orders} orders`;
  });
  const ordered = tried.some(({ orders }) => orders > 1);
  return `${start}${counts.join(', then as ')}${ordered ? '' : ': no order to try'}`;
}
