/** Keep the children of an executor: start them, let go of the worn and the surplus. */
import { type SandboxProcess, startProcess } from './process.ts';
import type { ChildCommand } from './recipe.ts';
import type { Waiting } from './task.ts';

/** A child and what it is at. */
export type Member = {
  readonly process: SandboxProcess;
  /** What it was given and has not ended, running or halted. */
  task: Waiting | null;
  /** It waits for its turn, halted where the system can do that. */
  halted: boolean;
  /** Its slice is over: it goes on only because nobody else wants its place. */
  overdue: boolean;
  slice: NodeJS.Timeout | undefined;
  taskCount: number;
};

export type Crew = {
  readonly members: ReadonlySet<Member>;
  /** Children that come up and are not members yet. */
  readonly starting: () => number;
  /** Starts a child if there may be one more; `failed` is told when none came up. */
  readonly start: (failed: (error: Error) => void) => boolean;
  readonly dismiss: (member: Member) => void;
  /** Starts one child. @throws {@link ExecutorError} */
  readonly startFirst: () => Promise<void>;
  /** Kills all; resolves when none is left. */
  readonly close: () => Promise<void>;
};

/** No children yet. `changed` is called when one has come or gone. */
export function gatherCrew(command: ChildCommand, countMax: number, changed: () => void): Crew {
  const members = new Set<Member>();
  const leaving = new Set<SandboxProcess>();
  let starting = 0;
  let closed = false;
  /** How many the machine let us have when it refused one more; until one of them ends. */
  let granted = countMax;

  const dismiss = (member: Member): void => {
    if (!members.delete(member)) return;
    leaving.add(member.process);
    void member.process.exited.then(() => leaving.delete(member.process));
    member.process.kill();
  };
  const startOne = async (): Promise<void> => {
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
    const member: Member = {
      ...{ process: child, task: null, halted: false, overdue: false },
      ...{ slice: undefined, taskCount: 0 },
    };
    members.add(member);
    void child.exited.then(() => {
      members.delete(member);
      granted = countMax;
      if (!closed) changed();
    });
  };
  return {
    members,
    starting: () => starting,
    start: (failed) => {
      if (closed || members.size + starting >= granted) return false;
      startOne().then(changed, (error: Error) => {
        if (members.size > 0) granted = members.size;
        else failed(error);
        changed();
      });
      return true;
    },
    dismiss,
    startFirst: startOne,
    close: async () => {
      closed = true;
      for (const member of [...members]) dismiss(member);
      for (const child of leaving) child.kill();
      await Promise.all([...leaving].map(({ exited }) => exited));
    },
  };
}
