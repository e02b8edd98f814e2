/** Take turns between jobs: the one that was served longest ago is served next. */

/**
 * Things that wait, each under the name of its turn (a job). Within a turn, what was begun and
 * stopped goes before what was not begun, and each of the two is first come, first served.
 *
 * The law: between two servings of one turn, every other turn that could be served is served once.
 * So whoever waits is served after as many others as there are turns, however much these hold.
 */
export type Rotation<T> = {
  /** Lets a new thing wait. */
  readonly add: (turn: string, thing: T) => void;
  /** Lets a thing that was begun wait to be resumed. */
  readonly stop: (turn: string, thing: T) => void;
  /** Takes a thing out, wherever it waits; false if it did not. */
  readonly drop: (turn: string, thing: T) => boolean;
  /** Takes out whose turn it is, among the turns that `serves` lets pass; null if there is none. */
  readonly next: (serves: Serves) => T | null;
  /** Things that were not begun: in all, and of one turn. */
  readonly waitingCount: () => number;
  readonly waitingOf: (turn: string) => number;
  /** Turns that have something which was not begun. */
  readonly waitingTurns: () => readonly string[];
  /** Takes everything out. */
  readonly clear: () => readonly T[];
};

/** What may be served now. */
export type Serves = {
  /** Whether something may be begun, or only resumed. */
  readonly begin: boolean;
  readonly turn: (name: string) => boolean;
};

type Line<T> = { readonly waiting: Set<T>; readonly stopped: Set<T> };

/** Nothing waits yet. */
export function rotation<T>(): Rotation<T> {
  // A Map walks its keys in the order of their insertion: the first was served longest ago.
  const lines = new Map<string, Line<T>>();
  let waiting = 0;

  const lineOf = (turn: string): Line<T> => {
    const line = lines.get(turn) ?? { waiting: new Set(), stopped: new Set() };
    lines.set(turn, line);
    return line;
  };
  const take = (turn: string, line: Line<T>, begin: boolean): T | null => {
    const from = line.stopped.size > 0 ? line.stopped : begin ? line.waiting : null;
    for (const thing of from ?? []) {
      from!.delete(thing);
      if (from === line.waiting) waiting -= 1;
      lines.delete(turn);
      if (line.waiting.size + line.stopped.size > 0) lines.set(turn, line);
      return thing;
    }
    return null;
  };
  return {
    add: (turn, thing) => {
      lineOf(turn).waiting.add(thing);
      waiting += 1;
    },
    stop: (turn, thing) => {
      lineOf(turn).stopped.add(thing);
    },
    drop: (turn, thing) => {
      const line = lines.get(turn);
      if (line === undefined) return false;
      const waited = line.waiting.delete(thing);
      if (waited) waiting -= 1;
      const dropped = waited || line.stopped.delete(thing);
      if (line.waiting.size + line.stopped.size === 0) lines.delete(turn);
      return dropped;
    },
    next: (serves) => {
      for (const [turn, line] of lines) {
        const thing = serves.turn(turn) ? take(turn, line, serves.begin) : null;
        if (thing !== null) return thing;
      }
      return null;
    },
    waitingCount: () => waiting,
    waitingOf: (turn) => lines.get(turn)?.waiting.size ?? 0,
    waitingTurns: () =>
      [...lines].filter(([, line]) => line.waiting.size > 0).map(([turn]) => turn),
    clear: () => {
      const things = [...lines.values()].flatMap((line) => [...line.stopped, ...line.waiting]);
      lines.clear();
      waiting = 0;
      return things;
    },
  };
}
