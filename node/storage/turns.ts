/** Let what changes one file happen one after the other. */

/** Turns by name; names do not wait for one another. */
export type Turns = {
  /** Runs `work` when all earlier work under this name has ended, well or badly. */
  readonly exclusive: (name: string, work: () => Promise<void>) => Promise<void>;
  /** Waits for the latest work under a name so far, and fails as it did; null waits for all. */
  readonly settled: (name: string | null) => Promise<void>;
};

export function turns(): Turns {
  const last = new Map<string, Promise<void>>();

  const exclusive = (name: string, work: () => Promise<void>): Promise<void> => {
    const turn = (last.get(name) ?? Promise.resolve()).catch(() => {}).then(work);
    last.set(name, turn);
    const forget = (): void => {
      if (last.get(name) === turn) last.delete(name);
    };
    turn.then(forget, forget);
    return turn;
  };
  const settled = async (name: string | null): Promise<void> => {
    if (name === null) await Promise.allSettled(last.values());
    else await last.get(name);
  };
  return { exclusive, settled };
}
