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
  mean: { language: 'as', version: '1.0.0', cut: { kind: 'lines' } },
  montecarlo: { language: 'c', version: '1.0.0', cut: { kind: 'whole' }, shared: sharedC },
} as const satisfies Record<string, Example>;

export type ProgramName = keyof typeof programs;

/** Where a program lies. */
export function programPath(name: ProgramName): string {
  return join(here, name, `${name}.wasm`);
}

/** Compiles one program and appends its manifest. The same sources and tools, the same bytes. */
export function buildProgram(name: ProgramName): Promise<Uint8Array> {
  const { shared, ...example }: Example = programs[name];
  const source = join(here, name, 'source');
  const sources: Recipe['sources'] = shared === undefined ? [source] : [source, shared];
  return build({ ...example, name, sources, entry: `${name}.ts` });
}

async function main(names: readonly string[]): Promise<void> {
  const all = Object.keys(programs) as ProgramName[];
  const unknown = names.filter((name) => !all.includes(name as ProgramName));
  if (unknown.length > 0)
    throw new Error(`no program ${unknown.join(', ')}; have ${all.join(', ')}`);
  for (const name of names.length > 0 ? (names as ProgramName[]) : all) {
    if (programs[name].language === 'c' && !hasClang()) {
      console.log(`${name}: not built, /usr/bin/clang or /usr/bin/wasm-ld is missing`);
      continue;
    }
    const bytes = await buildProgram(name);
    await writeFile(programPath(name), bytes);
    console.log(`${name}: ${bytes.length} bytes`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));
