/** Build programs from source: AssemblyScript by npm, C by clang; append their manifests. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { admitProgram } from '../../protocol/execution/admit.ts';
import { type Manifest, packProgram } from '../../protocol/execution/manifest.ts';
import { ClientError } from '../client/error.ts';
import { validateModule } from '../executor/engine.ts';
import { KitError } from './error.ts';

const run = promisify(execFile);

export const languages = ['as', 'c'] as const;
export type Language = (typeof languages)[number];

/** How one program is built, and what its manifest says. */
export type Recipe = Pick<Manifest, 'name' | 'version' | 'cut'> & {
  readonly language: Language;
  /** Folders of sources; what the compiler starts from lies in the first. */
  readonly sources: readonly [string, ...string[]];
  /** File that AssemblyScript starts from; C takes every file. */
  readonly entry: string;
};

/** Milliseconds that a compiler may take. */
const compileMsMax = 120_000;
// Only the system's directories: clang runs any `wasm-opt` that it finds, which changes the bytes.
const systemPath = '/usr/bin:/bin';

/** Whether this machine has the C compiler. */
export function hasClang(): boolean {
  return ['clang', 'wasm-ld'].every((tool) => existsSync(`/usr/bin/${tool}`));
}

/** The compiler of AssemblyScript: the project's own, or else ours. @throws KitError */
function assemblyScript(source: string): string {
  for (const place of [join(source, 'any.js'), import.meta.url])
    try {
      const found = createRequire(place).resolve('assemblyscript/package.json');
      return join(dirname(found), 'bin/asc.js');
    } catch {
      // The next place.
    }
  throw new KitError({
    code: 'PROGRAM_TOOL_MISSING',
    tool: 'the AssemblyScript compiler',
    remedy: 'npm install assemblyscript, in the folder of the program or above it',
  });
}

async function compile(
  compiler: string,
  command: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env?: Record<string, string>; signal?: AbortSignal },
): Promise<void> {
  try {
    await run(command, [...args], { ...options, timeout: compileMsMax });
  } catch (cause) {
    options.signal?.throwIfAborted();
    const { stdout = '', stderr = '', message } = cause as Error & Record<string, string>;
    const said = `${stdout}${stderr}`.trim() || message;
    throw new KitError({ code: 'PROGRAM_BUILD_FAILED', compiler, said: said.slice(0, 8_192) });
  }
}

async function compileAssemblyScript(
  { sources: [source], entry }: Recipe,
  target: string,
  signal?: AbortSignal,
): Promise<void> {
  const options = ['-O3', '--converge', '--runtime', 'stub', '--noAssert'];
  // No imports are allowed: what would call abort traps instead.
  options.push('--use', 'abort=');
  // Room for the first table: growing costs more than a small item.
  options.push('--initialMemory', '16', '--maximumMemory', '4096', '--outFile', target);
  const args = [assemblyScript(source), entry, ...options];
  // The compiler writes the source's path nowhere, but it resolves it from the working directory.
  const rest = signal === undefined ? {} : { signal };
  await compile('the AssemblyScript compiler', process.execPath, args, { cwd: source, ...rest });
}

async function compileC({ sources }: Recipe, target: string, signal?: AbortSignal): Promise<void> {
  if (!hasClang())
    throw new KitError({
      code: 'PROGRAM_TOOL_MISSING',
      tool: '/usr/bin/clang or /usr/bin/wasm-ld',
      remedy: 'install clang and lld (Debian: apt install clang lld)',
    });
  const [cwd, ...others] = sources;
  const files: string[] = [];
  for (const folder of sources)
    for (const file of (await readdir(folder)).filter((name) => name.endsWith('.c')).sort())
      files.push(folder === cwd ? file : join(folder, file));
  const flags = ['--target=wasm32', '-std=c11', '-O3', '-Wall', '-Wextra', '-Werror'];
  flags.push('-ffreestanding', '-nostdlib', '-mbulk-memory', '-fno-ident');
  flags.push(...others.map((folder) => `-I${folder}`));
  const link = ['--no-entry', '--strip-all', '--max-memory=268435456', '-z,stack-size=16384'];
  flags.push(...link.map((option) => `-Wl,${option}`));
  const env = { PATH: systemPath };
  const rest = signal === undefined ? {} : { signal };
  await compile('clang', '/usr/bin/clang', [...flags, ...files, '-o', target], {
    ...{ cwd, env },
    ...rest,
  });
}

/**
 * Compiles a program and appends its manifest. The same sources and tools, the same bytes.
 * @throws KitError PROGRAM_TOOL_MISSING, PROGRAM_BUILD_FAILED; ClientError PROGRAM_REJECTED
 */
export async function buildProgram(recipe: Recipe, signal?: AbortSignal): Promise<Uint8Array> {
  const { language, name, version, cut } = recipe;
  const directory = await mkdtemp(join(tmpdir(), 'anwansi-program-'));
  try {
    const target = join(directory, 'program.wasm');
    await (language === 'c' ? compileC : compileAssemblyScript)(recipe, target, signal);
    const bytes = packProgram(await readFile(target), { abi: 1, name, version, cut });
    const admission = admitProgram(bytes, { validate: validateModule });
    if (admission.kind === 'rejected') {
      const { code: rejection, reason } = admission;
      throw new ClientError({ code: 'PROGRAM_REJECTED', program: name, reason, rejection });
    }
    return bytes;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
