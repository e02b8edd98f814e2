/** Run the tests of a program's folder, each as a whole job in the own sandbox. */
import { randomBytes } from 'node:crypto';
import { access } from 'node:fs/promises';
import type { LocalJob } from '../../kit/local-job.ts';
import type { Case } from '../../kit/project.ts';
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
    const { KitError } = await import('../../kit/error.ts');
    const { openProject, readCases } = await import('../../kit/project.ts');
    const { output } = context;
    const seed = given ?? randomBytes(4).toString('hex');
    const project = await openProject(folder);
    const cases = await readCases(project);
    await access(project.target).catch((cause: unknown) => {
      throw new KitError({ code: 'PROGRAM_NOT_BUILT', file: project.target }, { cause });
    });
    const told: Told[] = [];
    for (const one of cases) {
      const fault = await faultOf(one, await runCase(one, project.target, seed, context));
      told.push({ name: one.name, fault });
    }
    const failed = told.filter(({ fault }) => fault !== null).length;
    const lines = told.map(({ name, fault }) =>
      fault === null ? `ok    ${name}` : `FAIL  ${name}: ${fault}`,
    );
    const sum = `${told.length - failed} passed, ${failed} failed, seed ${seed}`;
    output.result({ seed, tests: told, failed }, [...lines, sum].join('\n'));
    return failed > 0 ? exitCodes.refuted : exitCodes.done;
  },
});

type Told = { readonly name: string; readonly fault: string | null };

async function runCase(
  { inputPath, parameters }: Case,
  target: string,
  seed: string,
  context: Parameters<Parameters<typeof defineCommand>[0]['run']>[0],
): Promise<LocalJob> {
  const { openGround } = await import('../../kit/ground.ts');
  const { openItems } = await import('../../kit/items.ts');
  const { runLocally } = await import('../../kit/local-job.ts');
  const { ClientError } = await import('../../client/error.ts');
  const ground = await openGround(context, target, parameters);
  const items = await openItems(ground, inputPath);
  if (items.count === 0) throw new ClientError({ code: 'INPUT_MISSING', program: target });
  const job = await runLocally(ground, items, seed);
  await ground.executor.close();
  return job;
}

/** What is wrong with a job's end, in a line; null where it is what was expected. */
async function faultOf({ expected }: Case, job: LocalJob): Promise<string | null> {
  const { shownBytes } = await import('../../laws/origin.ts');
  switch (job.kind) {
    case 'failed':
      return `${job.where} failed: ${job.reason}`;
    case 'disordered':
      return `${job.where} came to different bytes in another order; see: anwansi program check`;
    case 'done': {
      const { result } = job;
      // A file that a person wrote ends with a line end; a result does not have to.
      const bare = expected.at(-1) === 10 ? expected.subarray(0, -1) : expected;
      if ([expected, bare].some((bytes) => Buffer.compare(bytes, result) === 0)) return null;
      return `expected ${shownBytes(bare)}, found ${shownBytes(result)}`;
    }
  }
}
