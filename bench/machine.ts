/** Describe the machine, and how much of it others used meanwhile. */
import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus, loadavg, totalmem, type } from 'node:os';
import { ownCpuMs } from './measure.ts';

export type Machine = {
  readonly processors: number;
  readonly model: string;
  readonly memoryGiB: number;
  readonly system: string;
  readonly node: string;
  readonly commit: string;
};

export function describeMachine(): Machine {
  return {
    processors: availableParallelism(),
    model: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: type(),
    node: process.version,
    commit: commit(),
  };
}

function commit(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    return `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain') === '' ? '' : '+'}`;
  } catch {
    return 'unknown'; // No git here, or no repository.
  }
}

/** Runnable processes, averaged over the last minute: our own are among them. */
export function load(): number {
  return loadavg()[0]!;
}

/** Starts a watch that tells, when it is called, how many processors others used since. */
export function watchOthers(): () => number {
  const at = performance.now();
  const busyAt = busyMs();
  const ownAt = ownCpuMs();
  return () => {
    const others = busyMs() - busyAt - (ownCpuMs() - ownAt);
    return Math.max(0, others / (performance.now() - at));
  };
}

function busyMs(): number {
  return cpus().reduce(
    (sum, { times }) => sum + times.user + times.nice + times.sys + times.irq,
    0,
  );
}
