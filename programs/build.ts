/** Build the example programs from their sources: `npm run programs [name ...]`. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { validateModule } from '../node/executor/engine.ts';
import { admitProgram } from '../protocol/execution/admit.ts';
import { type CutRule, packProgram } from '../protocol/execution/manifest.ts';

const run = promisify(execFile);
const here = dirname(fileURLToPath(import.meta.url));

/** How one program is built, and what its manifest says. */
type Recipe = {
  readonly language: 'assemblyscript' | 'c';
  readonly version: string;
  readonly cut: CutRule;
};

export const programs = {
  wordcount: { language: 'assemblyscript', version: '1.0.0', cut: { kind: 'lines' } },
  primes: { language: 'c', version: '1.0.0', cut: { kind: 'whole' } },
} as const satisfies Record<string, Recipe>;

export type ProgramName = keyof typeof programs;

/** Where a program lies. */
export function programPath(name: ProgramName): string {
  return join(here, name, `${name}.wasm`);
}

// Only the system's directories: clang runs any `wasm-opt` that it finds, which changes the bytes.
const systemPath = '/usr/bin:/bin';

/** Whether this machine has the C compiler. */
export function hasClang(): boolean {
  return ['clang', 'wasm-ld'].every((tool) => existsSync(`/usr/bin/${tool}`));
}

async function compileAssemblyScript(name: string, target: string): Promise<void> {
  const compiler = join(
    dirname(createRequire(import.meta.url).resolve('assemblyscript/package.json')),
    'bin/asc.js',
  );
  const options = ['-O3', '--converge', '--runtime', 'stub', '--noAssert'];
  // Room for the first table: growing costs more than a small item.
  options.push('--initialMemory', '16', '--maximumMemory', '4096', '--outFile', target);
  // The compiler writes the source's path nowhere, but it resolves it from the working directory.
  await run(process.execPath, [compiler, `${name}.ts`, ...options], {
    cwd: join(here, name, 'source'),
  });
}

async function compileC(name: string, target: string): Promise<void> {
  const source = join(here, name, 'source');
  const files = (await readdir(source)).filter((file) => file.endsWith('.c')).sort();
  const compile = ['--target=wasm32', '-std=c11', '-O3', '-Wall', '-Wextra', '-Werror'];
  compile.push('-ffreestanding', '-nostdlib', '-mbulk-memory', '-fno-ident');
  const link = ['--no-entry', '--strip-all', '--max-memory=268435456', '-z,stack-size=16384'];
  const flags = [...compile, ...link.map((option) => `-Wl,${option}`)];
  await run('/usr/bin/clang', [...flags, ...files, '-o', target], {
    cwd: source,
    env: { PATH: systemPath },
  });
}

/** Compiles one program and appends its manifest. The same sources and tools, the same bytes. */
export async function buildProgram(name: ProgramName): Promise<Uint8Array> {
  const { language, version, cut }: Recipe = programs[name];
  const directory = await mkdtemp(join(tmpdir(), 'anwansi-program-'));
  try {
    const target = join(directory, 'program.wasm');
    await (language === 'c' ? compileC : compileAssemblyScript)(name, target);
    const bytes = packProgram(await readFile(target), { abi: 1, name, version, cut });
    const admission = admitProgram(bytes, { validate: validateModule });
    if (admission.kind === 'rejected')
      throw new Error(`${name} would not be admitted: ${admission.code}, ${admission.reason}`);
    return bytes;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
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
