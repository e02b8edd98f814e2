/** Build the program of a folder. */
import { defineCommand } from '../command.ts';
import { writeTarget } from '../target.ts';

export const programBuild = defineCommand({
  name: 'program build',
  summary: 'Build the program of a folder, and see that a network would admit it.',
  examples: [['anwansi program build my-sum', 'Writes my-sum/my-sum.wasm.']],
  arguments: { folder: { kind: 'path', describe: 'A folder that `program new` began.' } },
  run: async ({ output, signal }, { folder }) => {
    const { buildProgram } = await import('../../kit/build.ts');
    const { openProject } = await import('../../kit/project.ts');
    const { formatCid } = await import('../../../protocol/merkle/cid.ts');
    const { blobCid } = await import('../../../protocol/merkle/blob.ts');
    const { recipe, target } = await openProject(folder);
    const bytes = await buildProgram(recipe, signal);
    await writeTarget(target, bytes);
    const cid = formatCid(blobCid(bytes));
    output.note(`${bytes.length} bytes, ${cid}`);
    output.result({ file: target, bytes: bytes.length, cid }, target);
  },
});
