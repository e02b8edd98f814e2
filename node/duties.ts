/** Run the lanes that our seat was drawn for, beside the driver, until each has its outcome. */
import type { Duty } from '../protocol/replica/effect.ts';
import type { LaneOutcome } from '../protocol/replica/input.ts';
import { type LaneParts, runLane } from './lane.ts';

/** The lanes under way. */
export type Duties = {
  readonly execute: (duty: Duty) => void;
  /** Breaks a lane off: nobody waits for it any more. */
  readonly forget: (key: string) => void;
  /** Breaks all lanes off; resolves when none is running. */
  readonly stop: () => Promise<void>;
};

export type DutiesParts = {
  readonly lane: (duty: Duty) => LaneParts;
  readonly finished: (key: string, outcome: LaneOutcome) => void;
  /** Told of what nobody foresaw, such as a disk that is full. */
  readonly failed: (reason: unknown) => void;
};

/** Starts without any lane. */
export function startDuties({ lane, finished, failed }: DutiesParts): Duties {
  const running = new Map<
    string,
    { readonly stop: AbortController; readonly done: Promise<void> }
  >();
  const run = async (duty: Duty, signal: AbortSignal): Promise<void> => {
    let outcome: LaneOutcome;
    try {
      outcome = await runLane(duty, lane(duty), signal);
    } catch (error) {
      // The seat says that it cannot, so that its lane does not wait for it in vain.
      outcome = { kind: 'local', class: 'killed' };
      if (!signal.aborted) failed(error);
    }
    running.delete(duty.key);
    if (!signal.aborted) finished(duty.key, outcome);
  };
  return {
    execute: (duty) => {
      const stop = new AbortController();
      running.set(duty.key, { stop, done: run(duty, stop.signal) });
    },
    forget: (key) => {
      running.get(key)?.stop.abort();
    },
    stop: async () => {
      for (const { stop } of running.values()) stop.abort();
      await Promise.all([...running.values()].map(({ done }) => done));
    },
  };
}
