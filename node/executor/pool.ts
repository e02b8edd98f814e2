/** Run programs in sandboxed children, and let the jobs that want them take turns. */
import { availableParallelism, totalmem } from 'node:os';
import { resolve as absolute } from 'node:path';
import { wallGuardMs } from '../../protocol/execution/fuel.ts';
import { fuelCallMax } from '../../protocol/params.ts';
import type { Executor } from '../ports.ts';
import { rotation } from '../rotation.ts';
import { type Crew, gatherCrew, type Member } from './crew.ts';
import { callOutcome, subtaskOutcome, subtaskTask } from './outcome.ts';
import { startError } from './process.ts';
import { type ChildCommand, childCommand, type Hardening, probeHardening } from './recipe.ts';
import { testEngine } from './self-test.ts';
import {
  type CallTask,
  callLimits,
  type Task,
  type TaskResult,
  type Waiting,
  type WallGuard,
} from './task.ts';

/** Tasks that may wait for a child: in all, and of one turn, so that none fills the queue. */
const queueCountMax = 65_536;
const turnQueueCountMax = 8_192;
/** Milliseconds that a task keeps its child while another turn wants it. */
const sliceMsDefault = 1_000;
/** How long the test of an engine may take on a machine that does much else. */
const testGuard: WallGuard = { wallMs: 30_000, each: 'task' };
/** Tasks that may be begun and halted. */
const haltedCountMaxDefault = 8;

export type ExecutorOptions = {
  /** Children that run at once; as many as the machine has cores unless given. */
  readonly children?: number;
  /** Directories that hold programs and items; they must exist. Children can read nothing else. */
  readonly readable: readonly string[];
  /** Tasks after which a child is replaced, and the memory after which it is. */
  readonly recycleTaskCount?: number;
  readonly recycleBytes?: number;
  readonly sliceMs?: number;
  /** Milliseconds that a call with that much fuel may take: {@link wallGuardMs} but for tests. */
  readonly guard?: (fuel: bigint) => number;
  /** Children that may be halted amid a task, and bytes of memory that these hold together. */
  readonly haltedCountMax?: number;
  readonly haltedBytesMax?: number;
  /** Told of each slice: of whose turn it is, and how it began or ended. */
  readonly watch?: (event: SliceEvent) => void;
};

export type SliceEvent = {
  readonly kind: 'begun' | 'halted' | 'resumed' | 'ended';
  readonly turn: string;
};

/** An executor that tells which processes it has. */
export type ChildPool = Executor & { readonly pids: () => readonly number[] };

const stopped = (reason: string): TaskResult => ({ kind: 'local', class: 'killed', reason });

function commandFor(hardening: Hardening, readable: readonly string[]): ChildCommand {
  try {
    return childCommand(hardening, readable);
  } catch (cause) {
    throw startError(`cannot open ${readable.join(', ')}`, { cause });
  }
}

/**
 * Starts an executor. Nothing of it is left running after `close`, or after this process.
 *
 * Tasks of different turns share the children in slices: a task whose slice is over is halted as
 * soon as another turn has a task that could run, and goes on when its turn comes again. A halted
 * task keeps its child, so that nothing of it has to be copied, a crash or a cancel of one job
 * touches no other, and even a single long item gives way.
 *
 * The first executor of a process shows that this machine's engine does what all engines do.
 *
 * @throws ExecutorError `EXECUTOR_START` when no child can be started on this machine,
 * `EXECUTOR_ENGINE` when its engine disagrees with the specification or is slower than its guard.
 */
export async function createExecutor(options: ExecutorOptions): Promise<ChildPool> {
  const command = commandFor(await probeHardening(), options.readable);
  const { submit, crew, close } = openPool(command, options);
  const { guard = wallGuardMs } = options;
  const never = new AbortController().signal;
  try {
    await crew.startFirst();
    await testEngine((task) => submit(task, testGuard, never, 'self-test'));
  } catch (error) {
    await close();
    throw error;
  }
  const call = async (task: CallTask, signal: AbortSignal, turn = task.programPath) => {
    // A fold may be long and yet go on: each combine is watched by itself.
    const each = task.kind === 'fold' ? 'step' : 'task';
    const wallMs = guard(callLimits(task).each);
    return callOutcome(await submit(task, { wallMs, each }, signal, turn));
  };
  return {
    runSubtask: async (run, signal) => {
      const task = subtaskTask(run);
      const { item, combine } = task.fuel;
      const wallMs = guard(item > combine ? item : combine);
      const turn = run.turn ?? task.programPath;
      return subtaskOutcome(await submit(task, { wallMs, each: 'step' }, signal, turn));
    },
    fold: (path, values, fuel, signal, turn) =>
      call({ kind: 'fold', programPath: absolute(path), values, fuel }, signal, turn),
    render: (path, parameters, value, fuel, signal) =>
      call({ kind: 'render', programPath: absolute(path), parameters, value, fuel }, signal),
    count: (path, parameters, signal, fuel = fuelCallMax) =>
      call({ kind: 'count', programPath: absolute(path), parameters, fuel }, signal),
    sample: (path, seed, signal, fuel = fuelCallMax) =>
      call({ kind: 'sample', programPath: absolute(path), seed, fuel }, signal),
    check: (path, { item, parameters, value, seed }, signal, fuel = fuelCallMax) => {
      const source = item.kind === 'file' ? absolute(item.path) : BigInt(item.index);
      const question = { parameters, item: source, value, seed };
      return call({ kind: 'check', programPath: absolute(path), ...question, fuel }, signal);
    },
    pids: () => [...crew.members].map(({ process: { pid } }) => pid),
    close,
  };
}

type Pool = {
  readonly crew: Crew;
  readonly submit: (
    task: Task,
    guard: WallGuard,
    signal: AbortSignal,
    turn: string,
  ) => Promise<TaskResult>;
  readonly close: () => Promise<void>;
};

function openPool(command: ChildCommand, options: ExecutorOptions): Pool {
  const places = options.children ?? availableParallelism();
  const { sliceMs = sliceMsDefault, haltedCountMax = haltedCountMaxDefault } = options;
  const haltedBytesMax = options.haltedBytesMax ?? Math.max(totalmem() / 4, 1024 ** 3);
  const { recycleTaskCount = 4_096, recycleBytes = 768 * 1024 * 1024 } = options;
  const watch = options.watch ?? (() => undefined);
  const order = rotation<Waiting>();
  let closed = false;

  const all = (): Member[] => [...crew.members];
  const idle = (): Member[] => all().filter(({ task }) => task === null);
  const running = (): Member[] => all().filter(({ task, halted }) => task !== null && !halted);

  const beginSlice = (member: Member): void => {
    member.halted = false;
    member.overdue = false;
    member.slice = setTimeout(() => {
      member.overdue = true;
      pump();
    }, sliceMs);
    member.slice.unref();
  };

  const halt = (member: Member): void => {
    clearTimeout(member.slice);
    member.halted = true;
    member.process.halt();
    order.stop(member.task!.turn, member.task!);
    watch({ kind: 'halted', turn: member.task!.turn });
  };

  /** Those that wait in memory must leave room for those that run: the largest one goes. */
  const boundMemory = (): void => {
    const held = all()
      .filter(({ halted }) => halted)
      .map((member) => ({ member, bytes: member.process.residentBytes() }))
      .sort((a, b) => a.bytes - b.bytes);
    let bytes = held.reduce((sum, each) => sum + each.bytes, 0);
    while (bytes > haltedBytesMax) {
      const largest = held.pop()!;
      bytes -= largest.bytes;
      const reason = `halted tasks held more than ${haltedBytesMax} bytes, this one the most`;
      largest.member.task!.settle({ kind: 'local', class: 'host-oom', reason });
      release(largest.member);
    }
  };

  /** Takes a halted or running task from its child, and the child from us. */
  const release = (member: Member): void => {
    const { task } = member;
    if (task !== null) order.drop(task.turn, task);
    clearTimeout(member.slice);
    crew.dismiss(member);
  };

  const begin = async (member: Member, waiting: Waiting): Promise<void> => {
    member.task = waiting;
    waiting.member = member;
    beginSlice(member);
    watch({ kind: 'begun', turn: waiting.turn });
    const result = await member.process.run(waiting.task, waiting.guard);
    order.drop(waiting.turn, waiting);
    clearTimeout(member.slice);
    // It may have said the last word just before it was halted.
    if (member.halted) member.process.goOn();
    member.halted = false;
    member.task = null;
    member.taskCount += 1;
    const worn = member.process.worn() || member.process.residentBytes() > recycleBytes;
    if (worn || member.process.lost() || member.taskCount >= recycleTaskCount) crew.dismiss(member);
    watch({ kind: 'ended', turn: waiting.turn });
    waiting.settle(result);
    pump();
  };

  /** Gives a place to what came next: its own child back, or one that is idle. */
  const serve = (waiting: Waiting): void => {
    const { member } = waiting;
    if (member === null) return void begin(idle()[0]!, waiting);
    beginSlice(member);
    member.process.goOn();
    watch({ kind: 'resumed', turn: waiting.turn });
  };

  const pump = (): void => {
    if (closed) return;
    const anybody = { turn: () => true };
    for (;;) {
      const begin = idle().length > 0;
      const next = running().length < places ? order.next({ ...anybody, begin }) : null;
      if (next !== null) serve(next);
      else if (!relieve(begin)) break;
    }
    engage();
  };

  /** Gives the place of one whose slice is over to another turn, if one could run. */
  const relieve = (begin: boolean): boolean => {
    for (const member of running()) {
      if (!member.overdue) continue;
      const own = member.task!.turn;
      const next = order.next({ begin, turn: (turn) => turn !== own });
      if (next === null) continue;
      halt(member);
      serve(next);
      boundMemory();
      return true;
    }
    return false;
  };

  /** Has as many children as are wanted: one a place, and one more for each turn without any. */
  const engage = (): void => {
    const busy = new Set(all().flatMap(({ task }) => (task === null ? [] : [task.turn])));
    const newcomers = order.waitingTurns().filter((turn) => !busy.has(turn)).length;
    const present = idle().length + running().length;
    const vacant = Math.min(order.waitingCount(), places - present);
    for (let more = Math.max(newcomers - idle().length, vacant) - crew.starting(); more > 0; more--)
      if (!crew.start((error) => order.next(newcomerOnly)?.settle(stopped(error.message)))) break;
    if (newcomers > 0) return;
    // One may stay beside those that are busy, so that the next short task begins at once.
    const spare = Math.max(places - running().length, 1);
    for (const surplus of idle().slice(spare)) crew.dismiss(surplus);
  };
  // A machine that starts no child answers each task, instead of trying for ever.
  const newcomerOnly = { begin: true, turn: () => true };

  const crew = gatherCrew(command, places + haltedCountMax, pump);
  const submit: Pool['submit'] = (task, guard, signal, turn) =>
    new Promise((resolve) => {
      if (closed) return resolve(stopped('the executor is closed'));
      if (signal.aborted) return resolve(stopped('cancelled'));
      if (order.waitingCount() >= queueCountMax || order.waitingOf(turn) >= turnQueueCountMax)
        return resolve(stopped('too many tasks are waiting'));
      const cancel = (): void => {
        const { member } = waiting;
        order.drop(turn, waiting);
        if (member !== null && member.task === waiting) release(member);
        waiting.settle(stopped('cancelled'));
      };
      const waiting: Waiting = {
        ...{ task, guard, turn, member: null },
        settle: (result) => {
          signal.removeEventListener('abort', cancel);
          resolve(result);
        },
      };
      signal.addEventListener('abort', cancel, { once: true });
      order.add(turn, waiting);
      pump();
    });
  const close = async (): Promise<void> => {
    closed = true;
    for (const { member, settle } of order.clear())
      if (member === null) settle(stopped('the executor was closed'));
    for (const { slice } of crew.members) clearTimeout(slice);
    await crew.close();
  };
  return { crew, submit, close };
}
