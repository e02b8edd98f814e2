/** Hold one child process: start it, hand it one task at a time, kill it. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { ProtocolError } from '../../protocol/errors.ts';
import { answers } from './outcome.ts';
import type { ChildCommand } from './recipe.ts';
import type { ChildMessage, Task, TaskResult } from './task.ts';

/** Milliseconds that a child may take to come up on a busy machine. */
const startMsMax = 30_000;
const complaintCharactersMax = 2_000;

export type ExecutorErrorDetail = { readonly code: 'EXECUTOR_START'; readonly reason: string };

/** The machine cannot run sandboxed children. */
export class ExecutorError extends ProtocolError<ExecutorErrorDetail> {
  constructor(reason: string, options?: ErrorOptions) {
    super(
      { code: 'EXECUTOR_START', reason },
      `the sandbox did not start: ${reason}; a node without it cannot execute`,
      options,
    );
  }
}

/** How long a task may take: in all, or from one sign of progress to the next. */
export type WallGuard = { readonly wallMs: number; readonly each: 'task' | 'step' };

export type SandboxProcess = {
  readonly pid: number;
  /** Resolves when the child listens. @throws {@link ExecutorError} */
  readonly ready: Promise<void>;
  /** Resolves when the child is gone. */
  readonly exited: Promise<void>;
  /** Runs one task; never two at once. Never rejects. */
  readonly run: (task: Task, guard: WallGuard) => Promise<TaskResult>;
  /** Bytes that the child held after its last task. */
  readonly residentBytes: () => number;
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
  readonly step: () => void;
};

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
      fail(new ExecutorError(last === '' ? reason : `${reason}: ${last}`, options));
      pending?.settle(local('killed', last === '' ? reason : `${reason}: ${last}`));
      resolve();
    };
    child.once('error', (cause) => gone(cause.message, { cause }));
    child.once('exit', (code, signal) => gone(`the child ended with ${signal ?? `code ${code}`}`));
  });

  child.on('message', (message: ChildMessage) => {
    if (message.kind === 'ready') {
      clearTimeout(startTimer);
      keepAlive(child, pending !== null);
      announce();
    } else if (message.kind === 'step') pending?.step();
    else {
      residentBytes = message.residentBytes;
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
        step: watch.step,
        settle: (result) => {
          watch.stop();
          pending = null;
          keepAlive(child, false);
          const sound = answers(task, result);
          if (!sound) child.kill('SIGKILL');
          resolve(sound ? result : local('killed', 'the child spoke nonsense'));
        },
      };
      child.send(task, (error) => {
        if (error !== null) pending?.settle(local('killed', error.message));
      });
    });

  return {
    pid: child.pid ?? 0,
    ready,
    exited,
    run,
    residentBytes: () => residentBytes,
    lost: () => child.killed || child.exitCode !== null || child.signalCode !== null,
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

/** Calls `expired` once the guard's time has passed without the progress that it asks for. */
function watchWall({ wallMs, each }: WallGuard, expired: () => void) {
  let steps = 0;
  let stopped = false;
  const look = (): void => {
    const seen = steps;
    // This process may have been busy itself: what the child has said meanwhile is read first.
    setImmediate(() => {
      if (stopped) return;
      if (each === 'step' && steps !== seen) timer.refresh();
      else expired();
    });
  };
  const timer = setTimeout(look, wallMs);
  return {
    step: (): void => {
      steps += 1;
      if (each === 'step') timer.refresh();
    },
    stop: (): void => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
