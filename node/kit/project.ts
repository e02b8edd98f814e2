/** Begin and read a program's folder: what it is called, what it is built from, its tests. */
import { cp, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import {
  type CutRule,
  programNameMax,
  programVersionMax,
} from '../../protocol/execution/manifest.ts';
import { itemBytesMax } from '../../protocol/params.ts';
import { type Language, languages, type Recipe } from './build.ts';
import { KitError } from './error.ts';

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
  const text = await readFile(join(folder, projectFile), 'utf8').catch((cause: unknown) => {
    throw wrong(`it has no ${projectFile}`, cause);
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
    recipe: { ...project, sources: [source], entry: 'program.ts' },
    target: join(folder, `${project.name}.wasm`),
    tests: join(folder, 'tests'),
  };
}

const programsFolder = fileURLToPath(new URL('../../programs/', import.meta.url));

/**
 * Writes a running program with its tests into a new folder. Touches nothing that is there.
 * @throws KitError PROGRAM_EXISTS, PROGRAM_PROJECT
 */
export async function beginProject(folder: string, language: Language): Promise<Project> {
  const name = basename(folder);
  if (!namePattern.test(name) || name.length > programNameMax) {
    const reason = 'a name is of small letters, digits and -, begins with a letter';
    throw new KitError({ code: 'PROGRAM_PROJECT', folder, reason });
  }
  if ((await stat(folder).catch(() => null)) !== null)
    throw new KitError({ code: 'PROGRAM_EXISTS', folder });
  const draft = `${folder}.new-${process.pid}`;
  await mkdir(dirname(folder), { recursive: true });
  try {
    await cp(join(programsFolder, `template-${language}`), draft, { recursive: true });
    const shared = join(programsFolder, `shared-${language}`, 'source');
    for (const file of await readdir(shared))
      await cp(join(shared, file), join(draft, 'source', file));
    const manifest = { name, version: '0.1.0', language, cut: { kind: 'lines' } };
    await writeFile(join(draft, projectFile), `${JSON.stringify(manifest, null, 2)}\n`);
    await rename(draft, folder);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return openProject(folder);
}

/** One test: what goes in, and the bytes that have to come out. */
export type Case = {
  readonly name: string;
  readonly inputPath: string | null;
  readonly parameters: string;
  readonly expected: Uint8Array;
};

/**
 * The tests of a project by name: NAME.expected, with NAME.input and NAME.json where the program
 * works on an input and takes parameters. @throws KitError PROGRAM_NO_TESTS
 */
export async function readCases({ tests }: Project): Promise<Case[]> {
  const files = new Set(await readdir(tests).catch(() => []));
  const names = [...files].filter((file) => file.endsWith('.expected')).sort();
  if (names.length === 0) throw new KitError({ code: 'PROGRAM_NO_TESTS', folder: tests });
  const cases = names.map(async (file): Promise<Case> => {
    const name = file.slice(0, -'.expected'.length);
    const [input, parameters] = [`${name}.input`, `${name}.json`];
    return {
      name,
      inputPath: files.has(input) ? join(tests, input) : null,
      parameters: files.has(parameters)
        ? (await readFile(join(tests, parameters), 'utf8')).trim()
        : '',
      expected: new Uint8Array(await readFile(join(tests, file))),
    };
  });
  return Promise.all(cases);
}
