/** Find the compilers of a program's languages on this machine. */
import { accessSync, constants, readFileSync, realpathSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, delimiter, dirname, isAbsolute, join } from 'node:path';
import { KitError } from './error.ts';

/** Where the tools of C lie: full paths. */
export type ToolsOfC = { readonly clang: string; readonly linker: string };

/** Where they are looked for last, and those of the examples always. */
export const systemFolder = '/usr/bin';

/** What C needs, and the package of Debian that brings it. */
const needs = {
  clang: { tool: 'clang', is: 'the compiler of C', from: 'clang' },
  linker: { tool: 'wasm-ld', is: 'the linker that clang calls', from: 'lld' },
} as const;

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function firstProgram(paths: readonly string[]): string | null {
  return paths.find((path) => isAbsolute(path) && isProgram(path)) ?? null;
}

/**
 * The tools of C: clang by `CC` if that names a clang (a full path, or its name), by `PATH`, or of a folder; its linker from
 * where it lies itself, by `PATH`, or of the folder.
 * @param environment - Empty for the folder's own, whatever else this machine has.
 * @throws KitError PROGRAM_TOOL_MISSING
 */
export function findToolsOfC(
  environment: Readonly<Record<string, string | undefined>>,
  folder: string = systemFolder,
): ToolsOfC {
  const { CC = '', PATH = '' } = environment;
  // A relative one means another folder in each directory.
  const folders = [...PATH.split(delimiter).filter((one) => isAbsolute(one)), folder];
  const named = (name: string): string[] => folders.map((one) => join(one, name));
  // Other compilers of C have no WebAssembly.
  const isNamed = /^clang(-\d+)?$/.test(basename(CC));
  const wanted = isNamed ? (basename(CC) === CC ? named(CC) : [CC]) : named(needs.clang.tool);
  const clang = firstProgram(wanted);
  const beside = clang === null ? [] : [dirname(realpathSync(clang)), dirname(clang)];
  const linker = firstProgram([
    ...beside.map((one) => join(one, needs.linker.tool)),
    ...named(needs.linker.tool),
  ]);
  if (clang !== null && linker !== null) return { clang, linker };
  const missing: { readonly path: string; readonly is: string; readonly from: string }[] = [];
  if (clang === null)
    missing.push({ ...needs.clang, path: isNamed ? `CC=${CC}` : join(folder, needs.clang.tool) });
  if (linker === null) missing.push({ ...needs.linker, path: join(folder, needs.linker.tool) });
  const packages = missing.map(({ from }) => from);
  throw new KitError({
    code: 'PROGRAM_TOOL_MISSING',
    tool: missing.map(({ path, is }) => `${path} (${is})`).join(' and '),
    remedy:
      `install ${packages.join(' and ')} (Debian, Ubuntu: apt install ${packages.join(' ')}); ` +
      `a program in AssemblyScript needs neither`,
  });
}

/** Whether this machine has the C compiler and its linker where the examples want them. */
export function hasClang(): boolean {
  try {
    findToolsOfC({});
    return true;
  } catch {
    return false;
  }
}

/**
 * The compiler of AssemblyScript: that of the project's folder or of one above, or else ours.
 * @throws KitError PROGRAM_TOOL_MISSING
 */
export function findAssemblyScript(source: string): {
  readonly compiler: string;
  readonly version: string;
} {
  for (const place of [join(source, 'any.js'), import.meta.url])
    try {
      const found = createRequire(place).resolve('assemblyscript/package.json');
      const { version } = JSON.parse(readFileSync(found, 'utf8')) as { readonly version: string };
      return { compiler: join(dirname(found), 'bin/asc.js'), version };
    } catch {
      // The next place.
    }
  throw new KitError({
    code: 'PROGRAM_TOOL_MISSING',
    tool: 'the AssemblyScript compiler',
    remedy: 'npm install assemblyscript, in the folder of the program or above it',
  });
}

/**
 * What an editor needs to know of AssemblyScript, as a folder's tsconfig.json may name it: by its
 * package where that is found from the folder, else by its full path; null where it is missing.
 */
export function editorSettings(folder: string): string | null {
  const settings = 'assemblyscript/std/assembly.json';
  for (const place of [join(folder, 'any.js'), import.meta.url])
    try {
      const found = createRequire(place).resolve(settings);
      return place === import.meta.url ? found : settings;
    } catch {
      // The next place.
    }
  return null;
}
