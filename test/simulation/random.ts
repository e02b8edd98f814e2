/** Draw reproducible chance for a simulated world: each purpose has a stream of its own. */

/** Uniform numbers of one stream. */
export type Chance = {
  /** An integer in `0..n-1`. */
  readonly below: (n: number) => number;
  /** True in `percent` of 100 cases. */
  readonly percent: (percent: number) => boolean;
};

/** A stream of chance named by a seed and a purpose (splitmix32: for tests only). */
export function chance(seed: number, purpose: string): Chance {
  let state = seed | 0;
  for (const letter of purpose) state = Math.imul(state ^ letter.charCodeAt(0), 0x9e3779b1);
  const next = (): number => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = state ^ (state >>> 16);
    mixed = Math.imul(mixed, 0x21f0aaad);
    mixed ^= mixed >>> 15;
    mixed = Math.imul(mixed, 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  };
  const below = (n: number): number => next() % n;
  return { below, percent: (percent) => below(100) < percent };
}
