/** Do long work between other things, so that this process always answers soon. */
import { setImmediate as immediate } from 'node:timers/promises';
import type { Stretches } from '../protocol/crypto/stretches.ts';

/** Milliseconds of work before everything else has its turn: a stretch more or less. */
const spellMs = 8;

/**
 * Runs work to its end, some milliseconds at a time.
 * @throws the signal's reason when it fires before the end.
 */
export async function unhurried<T>(work: Stretches<T>, signal?: AbortSignal): Promise<T> {
  let untilMs = performance.now() + spellMs;
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
    if (performance.now() < untilMs) continue;
    await immediate();
    signal?.throwIfAborted();
    untilMs = performance.now() + spellMs;
  }
}
