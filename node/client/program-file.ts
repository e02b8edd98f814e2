/** Find the file of a program by name, folder or path; else say which one was meant. */
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { projectAbove } from '../kit/project-above.ts';
import { nearestWord } from '../nearest.ts';
import { ClientError } from './error.ts';

const programsFolder = fileURLToPath(new URL('../../programs/', import.meta.url));

/** What says that a folder is that of a program. */
const projectFile = 'program.json';

const namePattern = /^[a-z][a-z0-9-]{0,63}$/;

/** Entries of a folder that are looked at to guess what somebody meant. */
const guessedMax = 1_000;

/** The file of a program that comes along. */
export function bundledProgram(name: string): string {
  return join(programsFolder, name, `${name}.wasm`);
}

/**
 * The file of a program: of a name under programs/, of a folder with program.json, or a path as
 * the caller meant it. A name that is also such a folder is refused: it could be either.
 * @throws ClientError PROGRAM_NOT_FOUND, PROGRAM_AMBIGUOUS; KitError of a folder that is not built
 */
export async function programFile(
  program: string,
  resolvePath: (path: string) => string,
): Promise<string> {
  const path = resolvePath(program);
  const isProject = await exists(join(path, projectFile));
  const bundled = namePattern.test(program) ? bundledProgram(program) : null;
  if (bundled !== null && (await exists(bundled))) {
    if (isProject) throw new ClientError({ code: 'PROGRAM_AMBIGUOUS', program, bundled });
    return bundled;
  }
  if (isProject) {
    // Loaded when it is needed: most programs are files.
    const { openProject } = await import('../kit/project.ts');
    const { builtModule } = await import('../kit/stamp.ts');
    return builtModule(await openProject(path));
  }
  const found = await stat(path).catch(() => null);
  if (found !== null && !found.isDirectory()) return path;
  if (found !== null) await refuseSource(program, path);
  const reason =
    found !== null
      ? `it is a folder without ${projectFile}`
      : `expected a name under programs/, a folder with ${projectFile}, or a .wasm file`;
  const meant = await meantBy(program, resolvePath);
  throw new ClientError({ code: 'PROGRAM_NOT_FOUND', program, reason, meant });
}

/**
 * Refuses a file or a folder that lies in the folder of a program, and says which one to name.
 * @throws ClientError PROGRAM_IS_SOURCE
 */
export async function refuseSource(program: string, path: string): Promise<void> {
  const part = await projectAbove(path);
  if (part !== null) throw new ClientError({ code: 'PROGRAM_IS_SOURCE', program, ...part });
}

async function exists(file: string): Promise<boolean> {
  return (await stat(file).catch(() => null))?.isFile() === true;
}

/** The program that is likest to what was written, as it could have been written; null if none. */
async function meantBy(
  program: string,
  resolvePath: (path: string) => string,
): Promise<string | null> {
  const written = program.replace(/\/+$/, '');
  const typed = written.slice(0, written.lastIndexOf('/') + 1);
  const words = new Map<string, string>();
  const add = (stem: string, word: string): void => {
    if (!words.has(stem)) words.set(stem, word);
  };
  const folder = resolvePath(typed === '' ? '.' : typed);
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries.slice(0, guessedMax)) {
    const { name } = entry;
    if (name.endsWith('.wasm')) add(name.slice(0, -'.wasm'.length), `${typed}${name}`);
    else if (await exists(join(folder, name, projectFile))) add(name, `${typed}${name}`);
  }
  if (typed === '')
    for (const name of await readdir(programsFolder).catch(() => []))
      if (await exists(bundledProgram(name))) add(name, name);
  const nearest = nearestWord(basename(written).replace(/\.wasm$/, ''), [...words.keys()]);
  return nearest === null ? null : words.get(nearest)!;
}
