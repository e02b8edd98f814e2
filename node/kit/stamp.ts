/** Tell whether a built program is of the sources beside it, by a stamp that build writes. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, rename, rm, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { z } from 'zod';
import { KitError } from './error.ts';
import { type Project, projectFile } from './project.ts';
import { sourceFiles } from './source-files.ts';

/** Hashes of a module and of what it was built from, as hexadecimal. */
const stampSchema = z.strictObject({ module: z.string(), sources: z.string() });

/** Where the stamp of a project lies: beside its module. */
export function stampPath({ target }: Project): string {
  return `${target}.stamp`;
}

/** Where a module goes that is no longer what its sources say. */
export function asidePath({ target }: Project): string {
  return `${target}.old`;
}

/** The text of a stamp. */
export function stampText(module: Uint8Array, sources: string): string {
  return `${JSON.stringify({ module: sha256(module), sources }, null, 2)}\n`;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A hash of all that a module is built from: program.json, and the files under source/. */
export async function sourcesHash(project: Project): Promise<string> {
  const hash = createHash('sha256');
  for (const { name, path, isFile, bytes } of await sourceFiles(project)) {
    // Of what is no file, as a link that leads nowhere, only the name counts.
    hash.update(`${name}\0${isFile ? bytes : 'none'}\0`);
    if (isFile) for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  }
  return hash.digest('hex');
}

/** What a text says as JSON; null for what is none. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Why a module is not of the sources beside it; null where it is, as far as one can tell. */
async function staleness(project: Project): Promise<string | null> {
  const text = await readFile(stampPath(project), 'utf8').catch(() => '');
  const stamp = stampSchema.safeParse(parsed(text)).data;
  if (stamp !== undefined && stamp.module === sha256(await readFile(project.target)))
    return stamp.sources === (await sourcesHash(project))
      ? null
      : `${basename(project.recipe.sources[0])}/ or ${projectFile} was changed since it was built`;
  // Built by other means, or without its stamp: then by time, as `make` does.
  const { mtimeMs: builtAt } = await stat(project.target);
  for (const { name, mtimeMs } of await sourceFiles(project))
    if (mtimeMs > builtAt) return `${name} was written after it`;
  return null;
}

/** The module of a project, if it is there and current. @throws KitError */
export async function builtModule(project: Project): Promise<string> {
  const { target: file } = project;
  if ((await stat(file).catch(() => null))?.isFile() !== true)
    throw new KitError({ code: 'PROGRAM_NOT_BUILT', file });
  const reason = await staleness(project);
  if (reason !== null) throw new KitError({ code: 'PROGRAM_STALE', file, reason });
  return file;
}

/** Takes the module away from where it looks current; returns where it is, or null without one. */
export async function setAside(project: Project): Promise<string | null> {
  const aside = asidePath(project);
  try {
    await rename(project.target, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  await rm(stampPath(project), { force: true });
  return aside;
}
