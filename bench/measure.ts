/** Measure wall and processor time, pair by pair, and tell medians, ranges and growth. */
import { readdirSync, readFileSync } from 'node:fs';
import type { Row, Spread } from './benchmark.ts';

/** Linux counts the processor time of processes in ticks of this many milliseconds. */
const tickMs = 10;

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2;
  return { median, least: sorted[0]!, most: sorted.at(-1)!, runs: sorted.length };
}

/** A figure that came out once, or always the same. */
export const exactly = (value: number): Spread => spread([value]);

/** What one repetition took. */
export type Taken<T> = { readonly ms: number; readonly cpuMs: number; readonly value: T };

export async function take<T>(act: () => T | Promise<T>): Promise<Taken<T>> {
  // To look at the children takes a while itself: it is done outside of what is measured.
  const childrenAt = childrenCpuMs();
  const cpuAt = selfCpuMs();
  const at = performance.now();
  const value = await act();
  const ms = performance.now() - at;
  const selfMs = selfCpuMs() - cpuAt;
  return { ms, cpuMs: selfMs + childrenCpuMs() - childrenAt, value };
}

/** What a repetition lasts at least: what is shorter is done so often that it does. */
const repetitionMsMin = 20;
const roundCountMax = 4_096;

/**
 * Repeats acts in turn, A B A B: what the machine does meanwhile, it does to all of them. Each is
 * warmed up first, uncounted, and a short one is repeated within its turn; figures are of one.
 */
export async function interleave<K extends string>(
  runs: number,
  acts: Readonly<Record<K, () => unknown>>,
): Promise<Record<K, Taken<null>[]>> {
  const names = Object.keys(acts) as K[];
  const taken = {} as Record<K, Taken<null>[]>;
  const rounds = {} as Record<K, number>;
  for (const name of names) {
    taken[name] = [];
    rounds[name] = await warmUp(acts[name]);
  }
  for (let run = 0; run < runs; run++)
    for (const name of names) taken[name].push(await takeRounds(acts[name], rounds[name]));
  return taken;
}

/** Returns how often an act goes into a repetition. */
async function warmUp(act: () => unknown): Promise<number> {
  const at = performance.now();
  let count = 0;
  let lastMs = 0;
  for (let now = at; count === 0 || now - at < 3 * repetitionMsMin; count++) {
    await act();
    const next = performance.now();
    lastMs = next - now;
    now = next;
  }
  const wanted = Math.ceil(repetitionMsMin / Math.max(lastMs, 1 / roundCountMax));
  return Math.min(roundCountMax, Math.max(1, wanted));
}

async function takeRounds(act: () => unknown, rounds: number): Promise<Taken<null>> {
  const { ms, cpuMs } = await take(async () => {
    for (let round = 0; round < rounds; round++) {
      const pending = act();
      if (pending instanceof Promise) await pending;
    }
  });
  return { ms: ms / rounds, cpuMs: cpuMs / rounds, value: null };
}

export const wall = (taken: readonly Taken<unknown>[]): number[] => taken.map(({ ms }) => ms);
export const processor = (taken: readonly Taken<unknown>[]): number[] =>
  taken.map(({ cpuMs }) => cpuMs);

/** Values by the peer's values of the same repetitions. */
export function ratios(values: readonly number[], peer: readonly number[]): Spread {
  return spread(values.map((value, run) => value / peer[run]!));
}

/** A row against a peer. All three are of one length, a value a repetition. */
export function paired(
  what: string,
  unit: string,
  values: readonly number[],
  peer: { readonly name: string; readonly values: readonly number[] },
): Row {
  const ratio = ratios(values, peer.values);
  const against = { name: peer.name, figure: spread(peer.values), ratio };
  return { what, unit, figure: spread(values), against };
}

/** The slope of a cost over its size, both as logarithms: 1 is linear, 2 quadratic, 0 flat. */
export function exponent(points: readonly (readonly [size: number, cost: number])[]): number {
  return slope(points.map(([size, cost]) => [Math.log(size), Math.log(cost)]));
}

/** The slope of the straight line that fits best. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / points.length;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / points.length;
  const rise = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return rise / points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}

export function growthRow(
  what: string,
  points: readonly (readonly [size: number, cost: number])[],
): Row {
  const sizes = points.map(([size]) => size).join(', ');
  return { what, unit: 'exponent', figure: exactly(exponent(points)), note: `over ${sizes}` };
}

/** Processor time of this process and all below it that live or were waited for. */
export function ownCpuMs(): number {
  return selfCpuMs() + childrenCpuMs();
}

function selfCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** 0 where there is no /proc: then only this process is counted. */
function childrenCpuMs(): number {
  const own = statOf(String(process.pid));
  if (own === null) return 0;
  const below = new Set([process.pid]);
  let ticks = own.waitedTicks;
  const stats = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => statOf(name) ?? []);
  // Parents are older than their children, but pids wrap: look until nothing more is found.
  for (let found = true; found; ) {
    found = false;
    for (const { pid, parent, ticks: used, waitedTicks } of stats) {
      if (below.has(pid) || !below.has(parent)) continue;
      below.add(pid);
      ticks += used + waitedTicks;
      found = true;
    }
  }
  return ticks * tickMs;
}

function statOf(pid: string): {
  readonly pid: number;
  readonly parent: number;
  readonly ticks: number;
  readonly waitedTicks: number;
} | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null; // It has ended, or this is not Linux.
  }
  // The command may hold spaces; what is behind its bracket does not.
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [, parent, , , , , , , , , , user, system, waitedUser, waitedSystem] = fields;
  return {
    pid: Number(pid),
    parent: parent!,
    ticks: user! + system!,
    waitedTicks: waitedUser! + waitedSystem!,
  };
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
