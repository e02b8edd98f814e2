/** Run the real command line as a process of its own, in an empty directory. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const packageRoot = fileURLToPath(new URL('../..', import.meta.url));
export const script = join(packageRoot, 'node', 'anwansi.mjs');

/** A directory of a test's own; `temporary` is where its processes keep what they throw away. */
export type Place = {
  readonly directory: string;
  readonly temporary: string;
  readonly remove: () => void;
};

/** Makes an empty directory, and beside it one for temporary files. */
export function newPlace(): Place {
  const root = mkdtempSync(join(tmpdir(), 'anwansi-test-'));
  const directory = join(root, 'here');
  const temporary = join(root, 'tmp');
  for (const each of [directory, temporary]) mkdirSync(each);
  return { directory, temporary, remove: () => rmSync(root, { recursive: true, force: true }) };
}

export type Ended = {
  readonly exitCode: number | null;
  readonly out: Uint8Array;
  readonly err: string;
  readonly elapsedMs: number;
};

export type Started = {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** What standard output has so far. */
  readonly out: () => string;
  /** Resolves once standard error has it; rejects if the process ends without. */
  readonly says: (text: string) => Promise<void>;
};

export type StartOptions = {
  readonly place: Place;
  /** Another directory than the place's. */
  readonly directory?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** Options of Node, and what is put in front of it. */
  readonly nodeOptions?: readonly string[];
  readonly wrapper?: readonly string[];
};

/** Starts `anwansi` with these words. */
export function startAnwansi(words: readonly string[], options: StartOptions): Started {
  const { place, directory = place.directory, environment = {}, wrapper = [] } = options;
  const [command, ...rest] = [
    ...wrapper,
    process.execPath,
    ...(options.nodeOptions ?? []),
    script,
    ...words,
  ];
  const { INIT_CWD: _, FORCE_COLOR: __, ...inherited } = process.env;
  const startedAt = Date.now();
  const child = spawn(command!, rest, {
    cwd: directory,
    env: { ...inherited, TMPDIR: place.temporary, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const out: Uint8Array[] = [];
  let err = '';
  const heard = new Set<() => void>();
  child.stdout!.on('data', (chunk: Uint8Array) => out.push(chunk));
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    err += text;
    for (const look of heard) look();
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode) =>
      resolve({ exitCode, out: Buffer.concat(out), err, elapsedMs: Date.now() - startedAt }),
    );
  });
  const says = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (err.includes(text)) resolve();
      };
      heard.add(look);
      look();
      ended.then(() => reject(new Error(`it ended without "${text}":\n${err}`)), reject);
    });
  return { child, ended, says, out: () => Buffer.concat(out).toString() };
}

/** Runs `anwansi` to its end. */
export function anwansi(words: readonly string[], options: StartOptions): Promise<Ended> {
  return startAnwansi(words, options).ended;
}

/** The one JSON document on standard output: anything else there makes it throw. */
export function documentOf({ out }: Pick<Ended, 'out'>) {
  return JSON.parse(new TextDecoder().decode(out));
}

/** A process and all that descend from it, as the system lists them now. Linux only. */
export function descendants(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      // The name in brackets may hold blanks; the parent comes second behind it.
      const [, parent] = readFileSync(`/proc/${name}/stat`, 'latin1').split(') ')[1]!.split(' ');
      parents.set(Number(name), Number(parent));
    } catch {
      // It ended while we looked.
    }
  }
  const found = [pid];
  for (const one of found)
    for (const [child, parent] of parents) if (parent === one) found.push(child);
  return found;
}

/** Whether a process still runs; one that only waits to be collected does not. */
export function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}
