/** Find the folder of the program that a file or a folder lies in. */
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** What says that a folder is that of a program. */
const projectFile = 'program.json';

/** Folders that a source lies below its project, at most. */
const depthMax = 32;

/** A project, and what of it a path names. */
export type ProjectPart = {
  readonly project: string;
  readonly what: 'folder' | 'source file' | 'file';
};

/** The nearest folder above a path that is there and has a program.json; null where there is none. */
export async function projectAbove(path: string): Promise<ProjectPart | null> {
  const part = await stat(path).catch(() => null);
  if (part === null) return null;
  const isSource = /\.(c|h|ts)$/.test(path);
  const what = part.isDirectory() ? 'folder' : isSource ? 'source file' : 'file';
  let folder = dirname(path);
  for (let depth = 0; depth < depthMax; depth++) {
    const found = await stat(join(folder, projectFile)).catch(() => null);
    if (found?.isFile() === true) return { project: folder, what };
    const above = dirname(folder);
    if (above === folder) return null;
    folder = above;
  }
  return null;
}
