/** Grant a check its fuel by what the job at hand has used, and hand out no more than that. */
import { mark } from '../../protocol/assert.ts';
import type { CallOutcome, Executor, SubtaskOutcome } from '../ports.ts';
import { quickBounds } from './check.ts';
import type { CheckBounds } from './report.ts';

/** Of what the lanes of a job used here, one part of so many may go into a look at its program. */
const laneParts = 8n;
/** Least and most fuel of a check: what small programs take, and a second or some of one core. */
export const grantMin = 2n ** 28n;
export const grantMax = 2n ** 30n;
/** A call of a check may take one part of so many of its grant. */
const callParts = 16n;

/** Fuel that a check may use in all, after lanes that used so much. */
export function grantOf(laneFuel: bigint): bigint {
  mark('T15');
  const part = laneFuel / laneParts;
  return part < grantMin ? grantMin : part > grantMax ? grantMax : part;
}

/**
 * The bounds of a check with a grant. It ends of itself at half of it, by counts that every machine
 * has alike; only what programs hide from these comes near the whole.
 */
export function grantedBounds(grant: bigint): CheckBounds {
  return { ...quickBounds, shrunk: 0, callFuel: grant / callParts, fuel: grant / 2n };
}

export type Ration = {
  readonly grant: bigint;
  /** The executor, as long as there is fuel for what is asked. */
  readonly executor: Executor;
  /** Units used, of failing calls as much as this machine saw, or else all that they might. */
  readonly used: () => bigint;
  /** Whether something was refused: with more fuel it might have come to more. */
  readonly isUp: () => boolean;
  /** Milliseconds that calls took, once none is under way. */
  readonly busyMs: () => Promise<number>;
};

/** What the executor answers where there is no fuel left. */
const refused = {
  kind: 'local',
  class: 'killed',
  reason: 'the fuel granted to the check is used up',
} as const;

const cancelled = { kind: 'local', class: 'killed', reason: 'cancelled' } as const;

/**
 * Lets calls be made only while all that they may use is there.
 * @param now - Milliseconds since any time.
 */
export function rationed(executor: Executor, grant: bigint, now: () => number): Ration {
  let used = 0n;
  let isUp = false;
  let busyMs = 0;
  const underWay = new Set<Promise<unknown>>();
  const spend = async <T extends CallOutcome | SubtaskOutcome>(
    most: bigint,
    signal: AbortSignal,
    call: () => Promise<T>,
    usedOf: (outcome: T) => bigint | undefined,
  ): Promise<T | typeof refused | typeof cancelled> => {
    if (used + most > grant) {
      mark('T16');
      isUp = true;
      return refused;
    }
    if (signal.aborted) return cancelled;
    used += most;
    const startedAt = now();
    const made = call();
    underWay.add(made);
    const outcome = await made.finally(() => {
      underWay.delete(made);
      busyMs += now() - startedAt;
    });
    // What a machine broke off may have used all of it.
    used += (usedOf(outcome) ?? most) - most;
    return outcome;
  };
  const ofCall = (outcome: CallOutcome): bigint | undefined =>
    outcome.kind === 'ok' ? outcome.fuel : outcome.kind === 'failed' ? outcome.used : undefined;
  return {
    grant,
    executor: {
      ...executor,
      runSubtask: (run, signal) =>
        spend<SubtaskOutcome>(
          BigInt(run.items.length) * (run.fuel.item + run.fuel.combine),
          signal,
          () => executor.runSubtask(run, signal),
          (outcome) => (outcome.kind === 'done' ? outcome.spent.used : undefined),
        ),
      fold: (path, values, fuel, signal, turn) =>
        spend(fuel.fold, signal, () => executor.fold(path, values, fuel, signal, turn), ofCall),
      sample: (path, seed, signal, fuel = grant) =>
        spend(fuel, signal, () => executor.sample(path, seed, signal, fuel), ofCall),
    },
    used: () => used,
    isUp: () => isUp,
    busyMs: async () => {
      await Promise.allSettled(underWay);
      return busyMs;
    },
  };
}
