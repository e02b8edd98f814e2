/** List the files that a program is built from, whatever else lies among them. */
import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { KitError } from './error.ts';
import { type Project, projectFile } from './project.ts';

/** Files that a program may be built from, and folders inside each other. */
const fileCountMax = 20_000;
const depthMax = 32;

/** Something in a folder of sources. */
export type SourceFile = {
  /** From the project's folder. */
  readonly name: string;
  readonly path: string;
  /** False of what cannot be read to its end: a pipe, a device, a link that leads nowhere. */
  readonly isFile: boolean;
  readonly bytes: number;
  readonly mtimeMs: number;
};

/**
 * program.json and what lies under source/, sorted; without what editors and npm leave there.
 * Links are followed, as compilers do; one that leads back to a folder around it is none.
 * @throws KitError PROGRAM_PROJECT where there is more than anybody writes
 */
export async function sourceFiles({ folder, recipe }: Project): Promise<readonly SourceFile[]> {
  const [source] = recipe.sources;
  const found: SourceFile[] = [];
  const add = async (path: string): Promise<void> => {
    // Of a link without an end, the link.
    const status = await stat(path).catch(() => lstat(path));
    const { size: bytes, mtimeMs } = status;
    found.push({ name: relative(folder, path), path, isFile: status.isFile(), bytes, mtimeMs });
    if (found.length <= fileCountMax) return;
    const reason = `more than ${fileCountMax} files lie in it`;
    throw new KitError({ code: 'PROGRAM_PROJECT', folder, reason });
  };
  const walk = async (inside: string, around: readonly string[]): Promise<void> => {
    const real = await realpath(inside).catch(() => null);
    if (real === null || around.includes(real) || around.length >= depthMax) return;
    for (const name of (await readdir(inside).catch(() => [])).sort()) {
      if (/^\.|^node_modules$|~$/.test(name)) continue;
      const path = join(inside, name);
      const isFolder = (await stat(path).catch(() => null))?.isDirectory() === true;
      await (isFolder ? walk(path, [...around, real]) : add(path));
    }
  };
  await add(join(folder, projectFile));
  // What the project's own folder holds beside them is made of them.
  await walk(source, [await realpath(folder)]);
  return found;
}
