/** Build the kernels whose metering is measured, in C and in AssemblyScript, into a folder. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { hasClang } from '../node/kit/build.ts';

const run = promisify(execFile);

/** Each exports `run(times) -> i64`, and both languages come to the same number. */
export const kernelNames = ['sha256', 'matmul', 'sort', 'sieve', 'words', 'fib'] as const;
export type KernelName = (typeof kernelNames)[number];
export const kernelLanguages = ['c', 'as'] as const;
export type KernelLanguage = (typeof kernelLanguages)[number];

/** A compiled kernel. */
export type KernelFile = {
  readonly name: KernelName;
  readonly language: KernelLanguage;
  readonly path: string;
};

const sources = fileURLToPath(new URL('kernels/', import.meta.url));
const compiler = fileURLToPath(import.meta.resolve('assemblyscript/bin/asc.js'));

/** Compiles all kernels as the kit compiles programs; those in C only where clang is. */
export async function buildKernels(folder: string): Promise<readonly KernelFile[]> {
  const files: KernelFile[] = [];
  for (const name of kernelNames)
    for (const language of kernelLanguages) {
      if (language === 'c' && !hasClang()) continue;
      const path = join(folder, `${language}-${name}.wasm`);
      await (language === 'c' ? compileC : compileAssemblyScript)(name, path);
      files.push({ name, language, path });
    }
  return files;
}

async function compileC(name: KernelName, path: string): Promise<void> {
  const flags = ['--target=wasm32', '-std=c11', '-O3', '-Wall', '-Wextra', '-Werror'];
  flags.push('-ffreestanding', '-nostdlib', '-mbulk-memory', '-fno-ident');
  flags.push('-Wl,--no-entry,--strip-all,--max-memory=268435456');
  const cwd = join(sources, 'c');
  // Only the system's directories: clang runs any `wasm-opt` that it finds.
  const env = { PATH: '/usr/bin:/bin' };
  await run('/usr/bin/clang', [...flags, `${name}.c`, '-o', path], { cwd, env });
}

async function compileAssemblyScript(name: KernelName, path: string): Promise<void> {
  const flags = ['-O3', '--converge', '--runtime', 'stub', '--noAssert', '--use', 'abort='];
  flags.push('--initialMemory', '16', '--maximumMemory', '4096', '--outFile', path);
  const cwd = join(sources, 'as');
  await run(process.execPath, [compiler, `${name}.ts`, ...flags], { cwd });
}
