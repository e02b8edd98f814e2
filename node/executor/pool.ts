/** Run programs in a pool of sandboxed children: first come, first served. */
import { availableParallelism } from 'node:os';
import { resolve as absolute } from 'node:path';
import type { Executor } from '../ports.ts';
import { callOutcome, subtaskOutcome, subtaskTask } from './outcome.ts';
import { ExecutorError, type SandboxProcess, startProcess, type WallGuard } from './process.ts';
import { type ChildCommand, childCommand, type Hardening, probeHardening } from './recipe.ts';
import type { Task, TaskResult } from './task.ts';

/** Tasks that may wait for a child. */
const queueCountMax = 65_536;

export type ExecutorOptions = {
  /** Children that run at once; as many as the machine has cores unless given. */
  readonly children?: number;
  /** Directories that hold programs and items; they must exist. Children can read nothing else. */
  readonly readable: readonly string[];
  /** Tasks after which a child is replaced, and the memory after which it is. */
  readonly recycleTaskCount?: number;
  readonly recycleBytes?: number;
};

/** An executor that tells which processes it has. */
export type ChildPool = Executor & { readonly pids: () => readonly number[] };

type Waiting = {
  readonly task: Task;
  readonly guard: WallGuard;
  readonly settle: (result: TaskResult) => void;
};

type Member = { readonly process: SandboxProcess; running: Waiting | null; taskCount: number };

const stopped = (reason: string): TaskResult => ({ kind: 'local', class: 'killed', reason });

function commandFor(hardening: Hardening, readable: readonly string[]): ChildCommand {
  try {
    return childCommand(hardening, readable);
  } catch (cause) {
    throw new ExecutorError(`cannot open ${readable.join(', ')}`, { cause });
  }
}

/**
 * Starts an executor. Nothing of it is left running after `close`, or after this process.
 * @throws ExecutorError `EXECUTOR_START` when no child can be started on this machine.
 */
export async function createExecutor(options: ExecutorOptions): Promise<ChildPool> {
  const childCountMax = options.children ?? availableParallelism();
  const recycleTaskCount = options.recycleTaskCount ?? 4_096;
  const recycleBytes = options.recycleBytes ?? 768 * 1024 * 1024;
  const command = commandFor(await probeHardening(), options.readable);
  const members = new Set<Member>();
  const leaving = new Set<SandboxProcess>();
  const queue: Waiting[] = [];
  let starting = 0;
  let closed = false;

  const dismiss = (member: Member): void => {
    if (!members.delete(member)) return;
    leaving.add(member.process);
    void member.process.exited.then(() => leaving.delete(member.process));
    member.process.kill();
  };

  const start = async (): Promise<void> => {
    const child = startProcess(command);
    starting += 1;
    leaving.add(child);
    try {
      await child.ready;
    } finally {
      starting -= 1;
      leaving.delete(child);
    }
    if (closed) return child.kill();
    const member: Member = { process: child, running: null, taskCount: 0 };
    members.add(member);
    void child.exited.then(() => {
      members.delete(member);
      if (!closed) pump();
    });
  };

  const runOn = async (member: Member, waiting: Waiting): Promise<void> => {
    member.running = waiting;
    const result = await member.process.run(waiting.task, waiting.guard);
    member.running = null;
    member.taskCount += 1;
    const worn = member.process.residentBytes() > recycleBytes;
    if (worn || member.process.lost() || member.taskCount >= recycleTaskCount) dismiss(member);
    waiting.settle(result);
    pump();
  };

  const pump = (): void => {
    if (closed) return;
    for (const member of members) {
      if (member.running !== null) continue;
      const next = queue.shift();
      if (next === undefined) return;
      void runOn(member, next);
    }
    while (starting < queue.length && members.size + starting < childCountMax) {
      start().then(pump, (error: Error) => {
        // A machine that starts no child answers each task, instead of trying for ever.
        queue.shift()?.settle(stopped(error.message));
        pump();
      });
    }
  };

  const submit = (task: Task, guard: WallGuard, signal: AbortSignal): Promise<TaskResult> =>
    new Promise((resolve) => {
      if (closed) return resolve(stopped('the executor is closed'));
      if (signal.aborted) return resolve(stopped('cancelled'));
      if (queue.length >= queueCountMax) return resolve(stopped('too many tasks are waiting'));
      const cancel = (): void => {
        const place = queue.indexOf(waiting);
        if (place >= 0) queue.splice(place, 1);
        for (const member of members) if (member.running === waiting) dismiss(member);
        waiting.settle(stopped('cancelled'));
      };
      const waiting: Waiting = {
        task,
        guard,
        settle: (result) => {
          signal.removeEventListener('abort', cancel);
          resolve(result);
        },
      };
      signal.addEventListener('abort', cancel, { once: true });
      queue.push(waiting);
      pump();
    });

  const close = async (): Promise<void> => {
    closed = true;
    for (const { settle } of queue.splice(0)) settle(stopped('the executor was closed'));
    for (const member of [...members]) dismiss(member);
    for (const child of leaving) child.kill();
    await Promise.all([...leaving].map(({ exited }) => exited));
  };

  try {
    await start();
  } catch (error) {
    await close();
    throw error;
  }
  const call = async (task: Task, wallMs: number, signal: AbortSignal) =>
    callOutcome(await submit(task, { wallMs, each: 'task' }, signal));
  return {
    runSubtask: async (run, signal) => {
      const guard = { wallMs: run.itemWallMs, each: 'step' } as const;
      return subtaskOutcome(await submit(subtaskTask(run), guard, signal));
    },
    fold: (path, values, wallMs, signal) =>
      call({ kind: 'fold', programPath: absolute(path), values }, wallMs, signal),
    render: (path, parameters, value, wallMs, signal) =>
      call({ kind: 'render', programPath: absolute(path), parameters, value }, wallMs, signal),
    count: (path, parameters, wallMs, signal) =>
      call({ kind: 'count', programPath: absolute(path), parameters }, wallMs, signal),
    pids: () => [...members].map(({ process: { pid } }) => pid),
    close,
  };
}
