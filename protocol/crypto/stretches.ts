/** Do long work in stretches, so that a host may do other things between them. */

/**
 * Work that stops after every few thousand hashes, some milliseconds each. A host that has nothing
 * else to do runs it with {@link atOnce}; one that has goes on with `next` when it likes.
 */
export type Stretches<T> = Generator<void, T>;

/** Hashes, or steps of like cost, of one stretch. */
export const stretchHashCount = 4_096;

/** Runs work to its end. */
export function atOnce<T>(work: Stretches<T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
  }
}
