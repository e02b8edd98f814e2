/** Say how a sandboxed child is started, and what this machine lets us take away from it. */
import { execFile } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** Bytes of private memory of a child: its own, and one program's 256 MiB many times over. */
const dataBytesMax = 3 * 1024 ** 3;
/** Bytes of a child's stack that the system must grant; V8 is told to use less. */
const stackBytes = 8 * 1024 * 1024;
/** Megabytes of a child's JavaScript heap: the list of a subtask's items is the largest thing. */
const heapMegabytesMax = 256;

/** What this machine takes away from a child beyond Node's own permissions. */
export type Hardening = {
  /** Command and arguments in front of the child's. */
  readonly wrapper: readonly string[];
  /** V8 flags that keep metered code fast; they never change a result. */
  readonly engineFlags: readonly string[];
  /** The child has no network at all. */
  readonly networkless: boolean;
  /** The child's memory is bounded by the system. */
  readonly memoryBounded: boolean;
  /** The system kills the child when its parent is gone, even one that does not listen. */
  readonly diesWithParent: boolean;
};

export type ChildCommand = { readonly command: string; readonly args: readonly string[] };

const run = promisify(execFile);

/** A program of the system by absolute path, or null: children have no PATH. */
function locate(name: string): string | null {
  const places = ['/usr/bin', '/bin', '/usr/sbin', '/sbin'];
  return places.map((place) => `${place}/${name}`).find(existsSync) ?? null;
}

/** `wrapper` with one more program in front of the child, if that works here; else null. */
async function extend(
  wrapper: readonly string[],
  name: string,
  args: readonly string[],
): Promise<readonly string[] | null> {
  const [path, nothing] = [locate(name), locate('true')];
  if (path === null || nothing === null) return null;
  const longer = [...wrapper, path, ...args];
  try {
    await run(longer[0]!, [...longer.slice(1), nothing], { env: {}, timeout: 10_000 });
    return longer;
  } catch {
    return null;
  }
}

async function supportedFlags(): Promise<readonly string[]> {
  const wanted = ['factor=10', 'budget=20000', 'ignore-call-counts'];
  const { stdout } = await run(process.execPath, ['--v8-options'], {
    env: {},
    maxBuffer: 16 * 1024 * 1024,
  });
  return wanted
    .map((flag) => `--wasm-inlining-${flag}`)
    .filter((flag) => stdout.includes(`${flag.split('=')[0]} `));
}

async function probe(): Promise<Hardening> {
  const [wrapping, engineFlags] = await Promise.all([probeWrapping(), supportedFlags()]);
  return { ...wrapping, engineFlags };
}

async function probeWrapping(): Promise<Omit<Hardening, 'engineFlags'>> {
  const limits = [`--data=${dataBytesMax}`, `--stack=${stackBytes}:`];
  const bounded = await extend([], 'prlimit', limits);
  const afterLimits = bounded ?? [];
  const alone =
    (await extend(afterLimits, 'unshare', ['--net'])) ??
    (await extend(afterLimits, 'unshare', ['--map-root-user', '--net']));
  // Last, because entering a name space would clear the wish to die with the parent.
  const orphanless = await extend(alone ?? afterLimits, 'setpriv', [
    '--no-new-privs',
    '--pdeathsig=KILL',
  ]);
  return {
    wrapper: orphanless ?? alone ?? afterLimits,
    networkless: alone !== null,
    memoryBounded: bounded !== null,
    diesWithParent: orphanless !== null,
  };
}

let probed: Promise<Hardening> | null = null;

/** What this machine offers; asked once a process. */
export function probeHardening(): Promise<Hardening> {
  probed ??= probe();
  return probed;
}

// The published package has compiled files under the same names.
const extension = extname(fileURLToPath(import.meta.url));
const pathOf = (file: URL): string => fileURLToPath(file).replace(/\.ts$/, extension);

/** The file that a child runs. */
const ownPath = (path: string): string => pathOf(new URL(path, import.meta.url));
const childPath = pathOf(new URL('./child.ts', import.meta.url));
/** What a child reads to begin: its file and all that it imports. */
export const childFiles: readonly string[] = [
  childPath,
  ...['admission', 'engine', 'examine', 'instance', 'program', 'task', 'trap-place'].map((name) =>
    ownPath(`./${name}.ts`),
  ),
  ...['assert', 'brand', 'errors', 'params'].map((name) => ownPath(`../../protocol/${name}.ts`)),
  ...[
    ...['abi', 'admit', 'anatomy', 'emit', 'evaluate', 'fuel', 'graph', 'immediates'],
    ...[
      'imports',
      'instrument',
      'limits',
      'manifest',
      'module',
      'opcodes',
      'outcome',
      'pieces',
      'reader',
      'rejection',
      'slots',
    ],
    ...['walk', 'writer'],
  ].map((name) => ownPath(`../../protocol/execution/${name}.ts`)),
];

/**
 * The command of a child that may read its own files and the directories `readable`, and nothing
 * else: no write, no process, no thread, no addon, no code from text. `entry` is for tests.
 */
export function childCommand(
  { wrapper, engineFlags }: Hardening,
  readable: readonly string[],
  entry: string = childPath,
): ChildCommand {
  const places = readable.flatMap((place) => [resolve(place), realpathSync(place)]);
  const allowed = new Set([...childFiles, entry, ...places]);
  const [command, ...args] = [
    ...wrapper,
    process.execPath,
    '--no-warnings',
    '--permission',
    ...[...allowed].map((path) => `--allow-fs-read=${path}`),
    '--no-addons',
    '--disable-proto=throw',
    '--disallow-code-generation-from-strings',
    `--max-old-space-size=${heapMegabytesMax}`,
    '--stack-size=3900',
    '--expose-gc',
    ...engineFlags,
    entry,
  ];
  return { command: command!, args };
}
