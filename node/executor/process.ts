/** Hold one child process: start it, hand it one task at a time, kill it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { setImmediate as immediate } from 'node:timers/promises';
import { ProtocolError } from '../../protocol/errors.ts';
import { answers } from './outcome.ts';
import type { ChildCommand } from './recipe.ts';
import {
  type ChildMessage,
  type ParentMessage,
  packedItems,
  partItemCount,
  type Task,
  type TaskResult,
  type WallGuard,
} from './task.ts';

/** Milliseconds that a child may take to come up on a busy machine. */
const startMsMax = 30_000;
const complaintCharactersMax = 2_000;

export type ExecutorErrorDetail =
  | { readonly code: 'EXECUTOR_START'; readonly reason: string }
  | {
      readonly code: 'EXECUTOR_ENGINE';
      /** Name of what was tried, in spec/vectors/execution.json. */
      readonly vector: string;
      readonly expected: string;
      readonly found: string;
    };

/** The machine cannot run sandboxed children, or its engine is not like others. */
export class ExecutorError extends ProtocolError<ExecutorErrorDetail> {
  constructor(detail: ExecutorErrorDetail, options?: ErrorOptions) {
    super(detail, describe(detail), options);
  }
}

function describe(detail: ExecutorErrorDetail): string {
  switch (detail.code) {
    case 'EXECUTOR_START':
      return `the sandbox did not start: ${detail.reason}; a node without it cannot execute`;
    case 'EXECUTOR_ENGINE': {
      const { vector, expected, found } = detail;
      return `this engine fails "${vector}": expected ${expected}, found ${found}; it cannot execute`;
    }
  }
}

/** @param options - The cause. */
export function startError(reason: string, options?: ErrorOptions): ExecutorError {
  return new ExecutorError({ code: 'EXECUTOR_START', reason }, options);
}

export type SandboxProcess = {
  readonly pid: number;
  /** Resolves when the child listens. @throws {@link ExecutorError} */
  readonly ready: Promise<void>;
  /** Resolves when the child is gone. */
  readonly exited: Promise<void>;
  /** Runs one task; never two at once. Never rejects. Times in a result leave out the halts. */
  readonly run: (task: Task, guard: WallGuard) => Promise<TaskResult>;
  /**
   * Halts the child wherever it is, also amid an item, and its guard's time with it. Where the
   * system cannot halt a process, it runs on beside the others.
   */
  readonly halt: () => void;
  readonly goOn: () => void;
  /** Bytes that the child holds, if the system tells; else those after its last task. */
  readonly residentBytes: () => number;
  /** Whether the child said that a new one would be better. */
  readonly worn: () => boolean;
  /** Whether the child is gone or was told to go. */
  readonly lost: () => boolean;
  readonly kill: () => void;
};

/** All children of this process: none may outlive it. */
const alive = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

type Pending = {
  readonly settle: (result: TaskResult) => void;
  readonly watch: WallWatch;
};

/** Windows knows no signal that halts. */
const canHalt = process.platform !== 'win32';

const local = (failure: 'timeout' | 'killed', reason: string): TaskResult => ({
  kind: 'local',
  class: failure,
  reason,
});

/** Starts a child. */
export function startProcess({ command, args }: ChildCommand): SandboxProcess {
  const child = spawn(command, args, {
    cwd: '/',
    env: {},
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    serialization: 'advanced',
  });
  alive.add(child);
  let complaint = '';
  child.stderr!.on('data', (text: Buffer) => {
    complaint = (complaint + text.toString()).slice(-complaintCharactersMax);
  });
  let pending: Pending | null = null;
  let residentBytes = 0;
  let worn = false;
  let announce: () => void;
  let fail: (error: ExecutorError) => void;
  const ready = new Promise<void>((resolve, reject) => {
    announce = resolve;
    fail = reject;
  });
  ready.catch(() => {});
  const startTimer = setTimeout(() => child.kill('SIGKILL'), startMsMax);

  const exited = new Promise<void>((resolve) => {
    const gone = (reason: string, options?: ErrorOptions): void => {
      alive.delete(child);
      clearTimeout(startTimer);
      const last = complaint.trim();
      fail(startError(last === '' ? reason : `${reason}: ${last}`, options));
      pending?.settle(local('killed', last === '' ? reason : `${reason}: ${last}`));
      resolve();
    };
    child.once('error', (cause) => gone(cause.message, { cause }));
    child.once('exit', (code, signal) => gone(`the child ended with ${signal ?? `code ${code}`}`));
  });

  child.on('message', (message: ChildMessage | null) => {
    if (message?.kind === 'ready') {
      clearTimeout(startTimer);
      keepAlive(child, pending !== null);
      announce();
    } else if (message?.kind === 'step') pending?.watch.step();
    else if (message?.kind === 'end') {
      residentBytes = message.residentBytes;
      worn = message.worn;
      pending?.settle(message.result);
    }
  });

  const run = (task: Task, guard: WallGuard): Promise<TaskResult> =>
    new Promise((resolve) => {
      const watch = watchWall(guard, () => {
        child.kill('SIGKILL');
        pending?.settle(local('timeout', `nothing came back within ${guard.wallMs} ms`));
      });
      keepAlive(child, true);
      pending = {
        watch,
        settle: (result) => {
          const ranMs = watch.stop();
          pending = null;
          keepAlive(child, false);
          const sound = answers(task, result);
          if (!sound) child.kill('SIGKILL');
          resolve(sound ? timed(result, ranMs) : local('killed', 'the child spoke nonsense'));
        },
      };
      void send(child, task, (reason) => pending?.settle(local('killed', reason)));
    });
  const lost = (): boolean => child.killed || child.exitCode !== null || child.signalCode !== null;
  const signal = (name: 'SIGSTOP' | 'SIGCONT'): boolean => {
    // Not `child.kill`, after which the child would count as killed. Its number is still its own:
    // only with the event that sets `exitCode` is it given back.
    if (!canHalt || lost() || child.pid === undefined) return false;
    try {
      return process.kill(child.pid, name);
    } catch {
      return false; // It is going just now.
    }
  };

  return {
    pid: child.pid ?? 0,
    ready,
    exited,
    run,
    halt: () => {
      if (signal('SIGSTOP')) pending?.watch.halt();
    },
    goOn: () => {
      if (signal('SIGCONT')) pending?.watch.goOn();
    },
    residentBytes: () => residentNow(child.pid) ?? residentBytes,
    worn: () => worn,
    lost,
    kill: () => {
      // Who waits for its end must not be left alone by the event loop.
      child.ref();
      child.kill('SIGKILL');
    },
  };
}

/** An idle child must not keep its parent from ending: it ends with the channel. */
function keepAlive(child: ChildProcess, needed: boolean): void {
  const parts = [child, child.channel, child.stderr as Socket | null];
  for (const part of parts) needed ? part?.ref() : part?.unref();
}

/**
 * Sends a task, the items of a subtask in parts before it. A million paths in one message would
 * hold this process for a second.
 */
async function send(
  child: ChildProcess,
  task: Task,
  failed: (reason: string) => void,
): Promise<void> {
  const post = (message: ParentMessage): void => {
    child.send(message, (error) => {
      if (error !== null) failed(error.message);
    });
  };
  if (task.kind !== 'subtask') return post({ kind: 'task', task });
  const { items } = task;
  for (let first = 0; first < items.length; first += partItemCount) {
    if (first > 0) await immediate();
    const part = items.slice(first, first + partItemCount);
    post({ kind: 'items', part: packedItems(part) });
  }
  post({ kind: 'task', task: { ...task, items: [] } });
}

/** What a child says of its times includes its halts: it cannot know of them. */
function timed(result: TaskResult, ranMs: number): TaskResult {
  if (result.kind === 'subtask')
    return { ...result, slowestItemMs: Math.min(result.slowestItemMs, ranMs) };
  return result.kind === 'value' ? { ...result, wallMs: Math.min(result.wallMs, ranMs) } : result;
}

/** Bytes of memory that a process holds, where the system has a file that says so. */
function residentNow(pid: number | undefined): number | null {
  try {
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
    return Number(kilobytes) * 1024;
  } catch {
    return null;
  }
}

type WallWatch = {
  /** Tells of progress. */
  readonly step: () => void;
  readonly halt: () => void;
  readonly goOn: () => void;
  /** Ends the watch and gives the milliseconds that passed outside of halts. */
  readonly stop: () => number;
};

/** Calls `expired` once the guard's time has passed without the progress that it asks for. */
function watchWall({ wallMs, each }: WallGuard, expired: () => void): WallWatch {
  let steps = 0;
  let stopped = false;
  let halted = false;
  /** Of the time at hand: when it began, or went on, and how long it may still be. */
  let sinceMs = performance.now();
  let leftMs = wallMs;
  /** Milliseconds before the time at hand. */
  let ranMs = 0;
  let timer: NodeJS.Timeout | undefined;
  const look = (): void => {
    const seen = steps;
    // This process may have been busy itself: what the child has said meanwhile is read first.
    setImmediate(() => {
      if (stopped || halted) return;
      if (each === 'step' && steps !== seen) return;
      expired();
    });
  };
  const arm = (): void => {
    sinceMs = performance.now();
    clearTimeout(timer);
    if (!stopped && !halted) timer = setTimeout(look, Math.max(leftMs, 1));
  };
  const pass = (): void => {
    const passedMs = halted ? 0 : performance.now() - sinceMs;
    ranMs += passedMs;
    leftMs -= passedMs;
  };
  arm();
  return {
    step: () => {
      steps += 1;
      if (each !== 'step') return;
      pass();
      leftMs = wallMs;
      arm();
    },
    halt: () => {
      pass();
      halted = true;
      clearTimeout(timer);
    },
    goOn: () => {
      if (!halted) return;
      halted = false;
      arm();
    },
    stop: () => {
      pass();
      stopped = true;
      clearTimeout(timer);
      return ranMs;
    },
  };
}
