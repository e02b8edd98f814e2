/** Build programs from source: AssemblyScript by npm, C by clang; append their manifests. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type Manifest, packProgram } from '../../protocol/execution/manifest.ts';
import { rejected } from '../client/error.ts';
import { judgeProgram } from '../executor/admission.ts';
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
  /**
   * Whether it is an author's: then functions keep their names, so that a trap can say where it
   * was, and in C a stack that is full traps, where it would else run into the data.
   */
  readonly isOwn?: true;
};

/** Milliseconds that a compiler may take. */
const compileMsMax = 120_000;
// Only the system's directories: clang runs any `wasm-opt` that it finds, which changes the bytes.
const systemPath = '/usr/bin:/bin';

/** What C needs, and the package of Debian that brings it. */
const toolsOfC = [
  { tool: 'clang', is: 'the compiler of C', from: 'clang' },
  { tool: 'wasm-ld', is: 'the linker that clang calls', from: 'lld' },
] as const;

/** Whether this machine has the C compiler and its linker. */
export function hasClang(): boolean {
  return missingOfC('/usr/bin') === null;
}

/** What C lacks in a folder of tools, and how to get it; null where all is there. */
export function missingOfC(folder: string): KitError | null {
  const missing = toolsOfC.filter(({ tool }) => !existsSync(join(folder, tool)));
  if (missing.length === 0) return null;
  const said = missing.map(({ tool, is }) => `${join(folder, tool)} (${is})`);
  const packages = missing.map(({ from }) => from).join(' ');
  return new KitError({
    code: 'PROGRAM_TOOL_MISSING',
    tool: said.join(' and '),
    remedy:
      `install ${packages.replace(' ', ' and ')} (Debian, Ubuntu: apt install ${packages}); ` +
      `a program in AssemblyScript needs neither`,
  });
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

function sourceless(source: string, what: string): KitError {
  const reason = `${basename(source)}/ has to hold ${what}, and does not`;
  return new KitError({ code: 'PROGRAM_PROJECT', folder: dirname(source), reason });
}

async function compileAssemblyScript(
  { sources: [source], entry, isOwn }: Recipe,
  target: string,
  signal?: AbortSignal,
): Promise<void> {
  if (!existsSync(join(source, entry))) throw sourceless(source, entry);
  const options = ['-O3', '--converge', '--runtime', 'stub', '--noAssert'];
  // No imports are allowed: what would call abort traps instead.
  options.push('--use', 'abort=');
  // Room for the first table: growing costs more than a small item.
  options.push('--initialMemory', '16', '--maximumMemory', '4096', '--outFile', target);
  if (isOwn) options.push('--debug');
  const args = [assemblyScript(source), entry, ...options];
  // The compiler writes the source's path nowhere, but it resolves it from the working directory.
  const rest = signal === undefined ? {} : { signal };
  await compile('the AssemblyScript compiler', process.execPath, args, { cwd: source, ...rest });
}

async function compileC(
  { sources, isOwn }: Recipe,
  target: string,
  signal?: AbortSignal,
): Promise<void> {
  const missing = missingOfC('/usr/bin');
  if (missing !== null) throw missing;
  const [cwd, ...others] = sources;
  const files: string[] = [];
  for (const folder of sources) {
    const inside = await readdir(folder).catch(() => []);
    for (const file of inside.filter((name) => name.endsWith('.c')).sort())
      files.push(folder === cwd ? file : join(folder, file));
  }
  if (files.length === 0) throw sourceless(cwd, 'a file that ends in .c');
  const flags = ['--target=wasm32', '-std=c11', '-O3', '-Wall', '-Wextra', '-Werror'];
  flags.push('-ffreestanding', '-nostdlib', '-mbulk-memory', '-fno-ident');
  flags.push(...others.map((folder) => `-I${folder}`));
  const link = isOwn
    ? ['--strip-debug', '--stack-first', '-z,stack-size=65536']
    : ['--strip-all', '-z,stack-size=16384'];
  const all = ['--no-entry', '--max-memory=268435456', ...link];
  flags.push(...all.map((option) => `-Wl,${option}`));
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
    const judgement = judgeProgram(bytes);
    if (judgement.kind === 'rejected') throw rejected(name, judgement);
    return bytes;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
