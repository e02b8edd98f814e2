/** Take one input, step, perform: the only loop. */

import { mark } from '../protocol/assert.ts';
import type { Effect } from '../protocol/replica/effect.ts';
import type { Input } from '../protocol/replica/input.ts';
import { type Stepped, step } from '../protocol/replica/replica.ts';
import type { ReplicaState } from '../protocol/replica/state.ts';
import type { Keeper } from './keeper.ts';
import type { Clock, Store } from './ports.ts';
import { mustLast } from './records.ts';

/**
 * Gossip messages that may wait, of all peers and of one. What happens on this machine (a job's
 * result, an answer that was asked for) is never dropped: its number is bounded where it is made.
 */
const heardCountMax = 65_536;
const heardOfPeerCountMax = 8_192;

/** An input without its time: the driver gives it the time at which it is taken. */
export type Happening = Input extends infer I
  ? I extends { readonly now: number }
    ? Omit<I, 'now'>
    : never
  : never;

export type Driver = {
  /** The replica as it is between two steps. To be read only. */
  readonly state: () => ReplicaState;
  /**
   * Reads the replica when the disk has all that it rests on: what peers are told must be true
   * after a crash, too. `read` must have seen of the state what it needs when it returns. Rejects
   * when the store failed.
   */
  readonly whenWritten: <T>(read: (state: ReplicaState) => T | Promise<T>) => Promise<T>;
  /** Queues an input; false if too much gossip waits and it was dropped. */
  readonly take: (happening: Happening) => boolean;
  /** Resolves when the input at hand is done; nothing is taken any more. */
  readonly stop: () => Promise<void>;
  /** Rejects when the store fails: then the node must not go on. */
  readonly failed: Promise<never>;
};

export type DriverParts = {
  readonly store: Store;
  readonly keeper: Keeper;
  readonly clock: Clock;
  /** Performs everything that is not kept in the store. Must not throw. */
  readonly perform: (effect: Effect) => void;
};

/** Starts driving a replica that was booted. */
export function drive(booted: Stepped, { store, keeper, clock, perform }: DriverParts): Driver {
  let state = booted.state;
  const queue: Happening[] = [];
  const heard = heardCount();
  let running: Promise<void> | null = null;
  let stopped = false;
  // The batch of the step at hand. One that failed stays here: the state never gets to the disk.
  let writing: Promise<void> | null = null;
  let fail: (reason: unknown) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  failed.catch(() => undefined);

  // What is kept is kept first, in one atomic batch: nothing leaves before it is durable (I5).
  const performAll = async (effects: readonly Effect[]): Promise<void> => {
    const changes = keeper.changes(effects);
    mark('B1');
    if (changes.length > 0) {
      writing = store.batch(changes, { durable: effects.some(mustLast) });
      await writing;
      writing = null;
    }
    for (const effect of effects) {
      if (stopped) return;
      if (effect.kind === 'wake') clock.wake(effect.at, () => take({ kind: 'tick' }));
      else perform(effect);
    }
  };

  const run = async (): Promise<void> => {
    try {
      for (let next = queue.shift(); next !== undefined && !stopped; next = queue.shift()) {
        if (next.kind === 'heard') heard.taken(next.from);
        const stepped = step(state, { ...next, now: clock.now() } as Input);
        state = stepped.state;
        await performAll(stepped.effects);
      }
    } catch (error) {
      stopped = true;
      fail(error);
    } finally {
      running = null;
    }
  };

  const take = (happening: Happening): boolean => {
    if (stopped) return false;
    if (happening.kind === 'heard' && !heard.admits(happening.from)) return false;
    queue.push(happening);
    running ??= run();
    return true;
  };

  running = performAll(booted.effects).then(run, (error: unknown) => {
    stopped = true;
    fail(error);
  });
  return {
    state: () => state,
    whenWritten: async (read) => {
      while (writing !== null) await writing;
      // At once, and not a turn later: then the next step may be under way.
      return read(state);
    },
    take,
    failed,
    stop: async () => {
      stopped = true;
      clock.stop();
      await running;
    },
  };
}

/** Counts the gossip that waits: a peer that floods us is not heard, and drowns nobody else. */
function heardCount() {
  const ofPeer = new Map<string, number>();
  let all = 0;
  return {
    admits: (peer: string): boolean => {
      const own = ofPeer.get(peer) ?? 0;
      if (all >= heardCountMax || own >= heardOfPeerCountMax) return false;
      ofPeer.set(peer, own + 1);
      all += 1;
      return true;
    },
    taken: (peer: string): void => {
      const left = (ofPeer.get(peer) ?? 1) - 1;
      if (left === 0) ofPeer.delete(peer);
      else ofPeer.set(peer, left);
      all -= 1;
    },
  };
}
