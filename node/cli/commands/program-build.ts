/** Build the program of a folder. */
import { rm } from 'node:fs/promises';
import { defineCommand } from '../command.ts';
import { writeTarget } from '../target.ts';

export const programBuild = defineCommand({
  name: 'program build',
  summary: 'Build the program of a folder, and see that a network would admit it.',
  examples: [
    [
      'anwansi program build my-sum',
      'Writes my-sum/my-sum.wasm; when it fails, no module is left that looks new.',
    ],
    ['anwansi program build my-sum -v', 'Also tells which compiler was used, and its version.'],
  ],
  arguments: { folder: { kind: 'path', describe: 'A folder that `program new` began.' } },
  run: async ({ environment, output, signal }, { folder }) => {
    const { buildProgram } = await import('../../kit/build.ts');
    const { KitError } = await import('../../kit/error.ts');
    const { openProject } = await import('../../kit/project.ts');
    const { asidePath, setAside, sourcesHash, stampPath, stampText } = await import(
      '../../kit/stamp.ts'
    );
    const { formatCid } = await import('../../../protocol/merkle/cid.ts');
    const { blobCid } = await import('../../../protocol/merkle/blob.ts');
    const project = await openProject(folder);
    const { recipe, target } = project;
    // Before the compiler reads them: what is changed meanwhile is not in the module.
    const sources = await sourcesHash(project);
    const options = { environment, signal, tell: output.detail };
    const bytes = await buildProgram(recipe, options).catch(async (error: unknown) => {
      const isToolless = error instanceof KitError && error.code === 'PROGRAM_TOOL_MISSING';
      const aside = signal.aborted || isToolless ? null : await setAside(project).catch(() => '');
      if (aside === '') output.warn(`${target} is of an earlier build, and cannot be renamed`);
      else if (aside !== null) output.warn(`the program of an earlier build is now ${aside}`);
      throw error;
    });
    await writeTarget(target, bytes);
    await writeTarget(stampPath(project), Buffer.from(stampText(bytes, sources)));
    await rm(asidePath(project), { force: true });
    const cid = formatCid(blobCid(bytes));
    output.note(`${bytes.length} bytes, ${cid}`);
    output.result({ file: target, bytes: bytes.length, cid }, target);
  },
});
