/** Line up the programs that wait for a look: the one that most was run of goes first. */
import { mark } from '../../protocol/assert.ts';
import type { Duty } from '../../protocol/replica/effect.ts';
import type { LawJob } from './kept.ts';

/** A program under its parameters that is met for the first time. */
export type Case = {
  readonly name: string;
  /** The duty at which it was met, whose items are looked at. */
  readonly duty: Duty;
  /** Lanes of it that run. */
  readonly meetings: Set<{ readonly job: LawJob; readonly lawless: AbortController }>;
  /** Fuel that lanes of it used since it was met. */
  laneFuel: bigint;
  /** Its check may begin. */
  due: boolean;
};

export type Cases = {
  /** The case of a name, a new one if there is none; null once all is stopped. */
  readonly of: (name: string, duty: Duty) => Case | null;
  /** Lets the check of a case begin, when its turn comes. */
  readonly begin: (one: Case) => void;
  /** Resolves when no check runs. */
  readonly ended: () => Promise<void>;
};

export type CaseParts = {
  /** Looks at one. Never rejects. */
  readonly inspect: (one: Case) => Promise<void>;
  /** Whether a look could come to more than those before it. */
  readonly isWorth: (one: Case) => boolean;
  readonly signal: AbortSignal;
};

/** Programs that wait to be looked at. */
export const waitingCaseCountMax = 64;

/** Nothing waits yet. One is looked at at a time. */
export function openCases({ inspect, isWorth, signal }: CaseParts): Cases {
  /** In the order of their meetings. */
  const cases = new Map<string, Case>();
  let current: Case | null = null;
  let running: Promise<void> | null = null;

  const isThere = (one: Case): boolean => cases.get(one.name) === one;
  const workAll = async (): Promise<void> => {
    for (;;) {
      const due = [...cases.values()].filter((one) => one.due);
      const next = due.reduce<Case | null>(
        (most, one) => (most === null || one.laneFuel > most.laneFuel ? one : most),
        null,
      );
      if (next === null || signal.aborted) return;
      current = next;
      await inspect(next).finally(() => {
        cases.delete(next.name);
        current = null;
      });
    }
  };
  const work = (): void => {
    running ??= workAll().finally(() => {
      running = null;
      // Also one that fell due while the last one ended.
      if (!signal.aborted && [...cases.values()].some((one) => one.due)) work();
    });
  };
  /** Of those that have not begun, the one that least was run of goes; of these the oldest. */
  const makeRoom = (): void => {
    mark('T18');
    const idle = [...cases.values()].filter((one) => one !== current);
    const least = idle.reduce((a, b) => (b.laneFuel < a.laneFuel ? b : a));
    cases.delete(least.name);
  };
  return {
    of: (name, duty) => {
      const known = cases.get(name);
      if (known !== undefined) return known;
      if (signal.aborted) return null;
      if (cases.size >= waitingCaseCountMax) makeRoom();
      const one: Case = { name, duty, meetings: new Set(), laneFuel: 0n, due: false };
      cases.set(name, one);
      return one;
    },
    begin: (one) => {
      if (signal.aborted || one.due || !isThere(one)) return;
      if (isWorth(one)) {
        one.due = true;
        work();
      } else if (one.meetings.size === 0) cases.delete(one.name);
    },
    ended: async () => {
      await running;
    },
  };
}
