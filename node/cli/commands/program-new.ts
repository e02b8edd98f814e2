/** Write a running program with its tests into a new folder. */
import { existsSync } from 'node:fs';
import { relative } from 'node:path';
import { ProtocolError } from '../../../protocol/errors.ts';
import { bundledProgram } from '../../client/program-file.ts';
import { defineCommand } from '../command.ts';
import { shellWord } from '../shell-word.ts';
import { unwritable } from '../target.ts';

export const programNew = defineCommand({
  name: 'program new',
  summary: 'Begin a program of your own: a folder with a running one, to be changed.',
  examples: [
    ['anwansi program new my-sum --lang as', 'In AssemblyScript, a subset of TypeScript.'],
    ['anwansi program new my-sum --lang c', 'In C; it needs clang and lld.'],
  ],
  arguments: {
    name: { kind: 'path', describe: 'The folder; its last part is the name of the program.' },
  },
  options: {
    lang: {
      kind: 'text',
      placeholder: 'LANGUAGE',
      describe: 'as (AssemblyScript) or c.',
      choices: ['as', 'c'] as const,
      default: 'as',
    },
  },
  run: async ({ output, resolvePath }, { name: folder, lang }) => {
    const { beginProject } = await import('../../kit/project.ts');
    const { recipe } = await beginProject(folder, lang as 'as' | 'c').catch((error: unknown) => {
      const { code, message } = error as NodeJS.ErrnoException;
      throw error instanceof ProtocolError || code === undefined
        ? error
        : unwritable(folder, message, error as Error);
    });
    // A bare name could be that of a program that comes along.
    const path = relative(resolvePath('.'), folder);
    const isTaken = path === recipe.name && existsSync(bundledProgram(path));
    const shown = shellWord(isTaken ? `./${path}` : path);
    output.note(`its source is ${shown}/source/program.${lang === 'c' ? 'c' : 'ts'}; next:`);
    output.note(`  anwansi program build ${shown}`);
    output.note(`  anwansi program test ${shown}`);
    output.note(`  anwansi program check ${shown} --input YOUR-DATA`);
    output.note(`  anwansi program bench ${shown} --input YOUR-DATA`);
    output.result({ folder, name: recipe.name, language: recipe.language }, folder);
  },
});
