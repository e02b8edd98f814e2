/** Build programs from source: AssemblyScript by npm, C by clang; append their manifests. */
import { execFile } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type Manifest, packProgram } from '../../protocol/execution/manifest.ts';
import { rejected } from '../client/error.ts';
import { judgeProgram } from '../executor/admission.ts';
import { findAssemblyScript, findToolsOfC, hasClang } from './compilers.ts';
import { KitError } from './error.ts';

export { hasClang };

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

/** How a build is watched. */
export type BuildOptions = {
  readonly signal?: AbortSignal;
  /** Where an author's compiler of C may be named: `CC`, `PATH`. The examples mind neither. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Gets a line about each tool that is used. */
  readonly tell?: (line: string) => void;
};

/** Milliseconds that a compiler may take. */
const compileMsMax = 120_000;
/** Milliseconds that a compiler may take to say its version. */
const versionMsMax = 10_000;
// Only the system's directories: clang runs any `wasm-opt` that it finds, which changes the bytes.
const systemPath = '/usr/bin:/bin';

/** What a compiler says that it is, in brackets; empty where it says nothing. */
async function versionOf(command: string): Promise<string> {
  const asked = run(command, ['--version'], { timeout: versionMsMax });
  const line = (await asked.catch(() => ({ stdout: '' }))).stdout.split('\n')[0]!.trim();
  return line === '' ? '' : ` (${line})`;
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
  { signal, tell }: BuildOptions,
): Promise<void> {
  if (!existsSync(join(source, entry))) throw sourceless(source, entry);
  const options = ['-O3', '--converge', '--runtime', 'stub', '--noAssert'];
  // No imports are allowed: what would call abort traps instead.
  options.push('--use', 'abort=');
  // Room for the first table: growing costs more than a small item.
  options.push('--initialMemory', '16', '--maximumMemory', '4096', '--outFile', target);
  if (isOwn) options.push('--debug');
  const { compiler, version } = findAssemblyScript(source);
  tell?.(`compiled by ${compiler} (AssemblyScript ${version})`);
  const args = [compiler, entry, ...options];
  // The compiler writes the source's path nowhere, but it resolves it from the working directory.
  const rest = signal === undefined ? {} : { signal };
  await compile('the AssemblyScript compiler', process.execPath, args, { cwd: source, ...rest });
}

async function compileC(
  { sources, isOwn }: Recipe,
  target: string,
  { signal, environment = {}, tell }: BuildOptions,
): Promise<void> {
  const { clang, linker } = findToolsOfC(isOwn ? environment : {});
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
  // It looks beside itself and in PATH; newer ones do not like to be told.
  const near = [dirname(clang), dirname(realpathSync(clang)), ...systemPath.split(':')];
  if (!near.includes(dirname(linker))) flags.push(`-fuse-ld=${linker}`);
  const env = { PATH: systemPath };
  tell?.(`compiled by ${clang}${await versionOf(clang)}, linked by ${linker}`);
  const rest = signal === undefined ? {} : { signal };
  await compile('clang', clang, [...flags, ...files, '-o', target], {
    ...{ cwd, env },
    ...rest,
  });
}

/**
 * Compiles a program and appends its manifest. The same sources and tools, the same bytes.
 * @throws KitError PROGRAM_TOOL_MISSING, PROGRAM_BUILD_FAILED; ClientError PROGRAM_REJECTED
 */
export async function buildProgram(
  recipe: Recipe,
  options: BuildOptions = {},
): Promise<Uint8Array> {
  const { language, name, version, cut } = recipe;
  const directory = await mkdtemp(join(tmpdir(), 'anwansi-program-'));
  try {
    const target = join(directory, 'program.wasm');
    await (language === 'c' ? compileC : compileAssemblyScript)(recipe, target, options);
    const bytes = packProgram(await readFile(target), { abi: 1, name, version, cut });
    const judgement = judgeProgram(bytes);
    if (judgement.kind === 'rejected') throw rejected(name, judgement);
    return bytes;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
