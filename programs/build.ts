/** Build the example programs from their sources: `npm run programs [name ...]`. */
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildProgram as build, hasClang, type Recipe } from '../node/kit/build.ts';

export { hasClang };

const here = dirname(fileURLToPath(import.meta.url));

/** What all programs in C share, except for those that bring their own. */
const sharedC = join(here, 'shared-c', 'source');

type Example = Pick<Recipe, 'language' | 'version' | 'cut'> & { readonly shared?: string };

export const programs = {
  wordcount: { language: 'as', version: '1.0.0', cut: { kind: 'lines' } },
  primes: { language: 'c', version: '1.0.0', cut: { kind: 'whole' } },
  nqueens: { language: 'c', version: '1.0.0', cut: { kind: 'whole' }, shared: sharedC },
  mean: { language: 'as', version: '1.0.1', cut: { kind: 'lines' } },
  montecarlo: { language: 'c', version: '1.0.0', cut: { kind: 'whole' }, shared: sharedC },
  matmul: { language: 'c', version: '1.0.0', cut: { kind: 'lines' }, shared: sharedC },
  topwords: { language: 'as', version: '1.0.0', cut: { kind: 'lines' } },
} as const satisfies Record<string, Example>;

/** Programs once more, in the other language: their values are those of the first, byte for byte. */
export const twins = {
  'mean-c': {
    of: 'mean',
    language: 'c',
    version: '1.0.1',
    cut: { kind: 'lines' },
    shared: sharedC,
  },
  'nqueens-as': { of: 'nqueens', language: 'as', version: '1.0.0', cut: { kind: 'whole' } },
} as const satisfies Record<string, Example & { readonly of: keyof typeof programs }>;

const builds: Readonly<Record<string, Example>> = { ...programs, ...twins };

export type ProgramName = keyof typeof programs | keyof typeof twins;

/** Where a program lies. */
export function programPath(name: ProgramName): string {
  return join(here, name, `${name}.wasm`);
}

/** Compiles one program and appends its manifest. The same sources and tools, the same bytes. */
export function buildProgram(name: ProgramName): Promise<Uint8Array> {
  const { language, version, cut, shared } = builds[name]!;
  const source = join(here, name, 'source');
  const sources: Recipe['sources'] = shared === undefined ? [source] : [source, shared];
  return build({ name, language, version, cut, sources, entry: `${name}.ts` });
}

async function main(names: readonly string[]): Promise<void> {
  const all = Object.keys(builds) as ProgramName[];
  const unknown = names.filter((name) => !all.includes(name as ProgramName));
  if (unknown.length > 0)
    throw new Error(`no program ${unknown.join(', ')}; have ${all.join(', ')}`);
  for (const name of names.length > 0 ? (names as ProgramName[]) : all) {
    if (builds[name]!.language === 'c' && !hasClang()) {
      console.log(`${name}: not built, /usr/bin/clang or /usr/bin/wasm-ld is missing`);
      continue;
    }
    const bytes = await buildProgram(name);
    await writeFile(programPath(name), bytes);
    console.log(`${name}: ${bytes.length} bytes`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));
