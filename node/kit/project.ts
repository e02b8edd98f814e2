/** Begin and read a program's folder: what it is called, what it is built from, its tests. */
import { cp, lstat, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import {
  type CutRule,
  programNameMax,
  programVersionMax,
} from '../../protocol/execution/manifest.ts';
import { itemBytesMax } from '../../protocol/params.ts';
import { nearestWord } from '../nearest.ts';
import { type Language, languages, type Recipe } from './build.ts';
import { editorSettings } from './compilers.ts';
import { KitError } from './error.ts';
import { projectAbove } from './project-above.ts';

/** The file of a project that says what it is. */
export const projectFile = 'program.json';

const namePattern = /^[a-z][a-z0-9-]*$/;

const projectSchema = z.strictObject({
  name: z.string().max(programNameMax).regex(namePattern),
  version: z.string().max(programVersionMax),
  language: z.enum(languages),
  cut: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('lines') }),
    z.strictObject({ kind: z.literal('fixed'), bytes: z.int().min(1).max(itemBytesMax) }),
    z.strictObject({ kind: z.literal('whole') }),
  ]) satisfies z.ZodType<CutRule>,
});

/** A program's folder. */
export type Project = {
  readonly folder: string;
  readonly recipe: Recipe;
  /** Where the built program lies. */
  readonly target: string;
  /** Where its tests lie. */
  readonly tests: string;
};

/** Reads the folder of a program. @throws KitError PROGRAM_PROJECT */
export async function openProject(folder: string): Promise<Project> {
  const wrong = (reason: string, cause?: unknown): KitError =>
    new KitError({ code: 'PROGRAM_PROJECT', folder, reason }, { cause });
  const file = join(folder, projectFile);
  // A pipe in its place would never come to an end.
  if (!(await isFile(file))) throw wrong(await whyUnread(folder));
  const text = await readFile(file, 'utf8').catch(async (cause: unknown) => {
    throw wrong(await whyUnread(folder), cause);
  });
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (cause) {
    throw wrong(`${projectFile} is not JSON: ${(cause as Error).message}`, cause);
  }
  const { success, data: project, error } = projectSchema.safeParse(data);
  if (!success) throw wrong(`${projectFile}: ${z.prettifyError(error)}`, error);
  const source = join(folder, 'source');
  return {
    folder,
    recipe: { ...project, sources: [source], entry: 'program.ts', isOwn: true },
    target: join(folder, `${project.name}.wasm`),
    tests: join(folder, 'tests'),
  };
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isFile() === true;
}

async function whyUnread(folder: string): Promise<string> {
  const found = await stat(folder).catch(() => null);
  const above = await projectAbove(folder);
  if (above !== null)
    return `this is a ${above.what} of the project ${above.project}: name that folder`;
  if (found?.isDirectory() === true) return `it has no ${projectFile} that can be read`;
  if (found !== null) return `it is a file; name the folder that it lies in`;
  const near = await readdir(dirname(folder), { withFileTypes: true }).catch(() => []);
  const folders = near.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const meant = nearestWord(basename(folder), folders);
  return `it is not there${meant === null ? '' : `; did you mean ${meant}?`}`;
}

const programsFolder = fileURLToPath(new URL('../../programs/', import.meta.url));

/**
 * Writes a running program with its tests into a new folder. Touches nothing that is there.
 * @throws KitError PROGRAM_EXISTS, PROGRAM_NAME; what the file system says
 */
export async function beginProject(folder: string, language: Language): Promise<Project> {
  const name = basename(folder);
  if (!namePattern.test(name) || name.length > programNameMax)
    throw new KitError({ code: 'PROGRAM_NAME', name, like: nameLike(name) });
  // Also a link that leads nowhere is something that somebody put there.
  if ((await lstat(folder).catch(() => null)) !== null)
    throw new KitError({ code: 'PROGRAM_EXISTS', folder });
  const draft = `${folder}.new-${process.pid}`;
  await mkdir(dirname(folder), { recursive: true });
  try {
    await cp(join(programsFolder, `template-${language}`), draft, { recursive: true });
    const shared = join(programsFolder, `shared-${language}`, 'source');
    // What the template brings itself stays.
    for (const file of await readdir(shared))
      await cp(join(shared, file), join(draft, 'source', file), { force: false });
    if (language === 'as') await showEditor(join(draft, 'source'));
    const manifest = { name, version: '0.1.0', language, cut: { kind: 'lines' } };
    await writeFile(join(draft, projectFile), `${JSON.stringify(manifest, null, 2)}\n`);
    await rename(draft, folder);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return openProject(folder);
}

/** Lets an editor find AssemblyScript also from a folder that no node_modules lies above. */
async function showEditor(source: string): Promise<void> {
  const settings = editorSettings(source);
  if (settings === null || !isAbsolute(settings)) return;
  const lines = [
    '// For editors only; a build does not read it. The path is that of the AssemblyScript which',
    '// builds this folder. Where you install your own: "assemblyscript/std/assembly.json".',
    JSON.stringify({ extends: settings, include: ['./*.ts'] }, null, 2),
  ];
  await writeFile(join(source, 'tsconfig.json'), `${lines.join('\n')}\n`);
}

/** A name that a program may have, of the letters of one that it may not. */
function nameLike(name: string): string {
  const like = name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/\p{Mark}/gu, '')
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, programNameMax)
    .replace(/^[^a-z]+|-+$/g, '');
  return like === '' ? 'my-sum' : like;
}

/** One test: what goes in, and the bytes that have to come out. */
export type Case = {
  readonly name: string;
  readonly inputPath: string | null;
  readonly parameters: string;
  /** Null where nobody wrote them. */
  readonly expected: Uint8Array | null;
};

/** The tests of a project, and files beside them that are of none. */
export type Cases = { readonly cases: readonly Case[]; readonly strays: readonly string[] };

/**
 * The tests of a project by name: NAME.expected, with NAME.input and NAME.json where the program
 * works on an input and takes parameters. @throws KitError PROGRAM_NO_TESTS
 */
export async function readCases({ tests }: Project): Promise<Cases> {
  const files = new Set<string>();
  for (const file of await readdir(tests).catch((): string[] => []))
    if (!/^\.|~$/.test(file) && (await isFile(join(tests, file)))) files.add(file);
  const named = [...files].flatMap((file) => /^(.+)\.(?:expected|input)$/.exec(file)?.[1] ?? []);
  const names = [...new Set(named)].sort();
  if (names.length === 0) throw new KitError({ code: 'PROGRAM_NO_TESTS', folder: tests });
  const fileOf = (name: string, kind: string): string | null => {
    const file = `${name}.${kind}`;
    return files.delete(file) ? join(tests, file) : null;
  };
  const cases = names.map(async (name): Promise<Case> => {
    const [inputPath, parameters, expected] = ['input', 'json', 'expected'].map((kind) =>
      fileOf(name, kind),
    ) as [string | null, string | null, string | null];
    return {
      name,
      inputPath,
      parameters: parameters === null ? '' : (await readFile(parameters, 'utf8')).trim(),
      expected: expected === null ? null : new Uint8Array(await readFile(expected)),
    };
  });
  return { cases: await Promise.all(cases), strays: [...files].sort() };
}
