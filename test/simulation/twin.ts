/** Run worlds with a copy of the protocol from which a rule was cut, until a checker says so. */
import { expect } from 'vitest';
import { type Case, runCase } from './campaign.ts';
import { type Cut, loadMachine } from './mutant.ts';
import type { Plan } from './world.ts';

const seedsMax = 24;

/** The first seed, from one on, at which a violation is reported that `pattern` describes, or null. */
export function firstSeed(
  one: Omit<Case, 'seed'>,
  plan: Partial<Plan>,
  pattern: RegExp,
  from = 0,
): number | null {
  for (let seed = from; seed < from + seedsMax; seed++) {
    const { violations } = runCase({ ...one, seed }, plan, pattern);
    if (violations.some((violation) => pattern.test(violation))) return seed;
  }
  return null;
}

export const calm: Omit<Case, 'seed'> = { seats: 4, role: 'none', weather: 'delayed' };
export const halves = {
  partition: {
    groups: [
      [0, 1],
      [2, 3],
    ],
    untilMs: 20_000,
  },
};

export type Twin = {
  readonly name: string;
  readonly cuts: readonly Cut[];
  readonly one: Omit<Case, 'seed'>;
  readonly plan?: Partial<Plan>;
  readonly pattern: RegExp;
  /** Where the search begins: at a seed that showed it. */
  readonly from?: number;
};

/** Demands that a copy of the protocol with the cuts is found out, and the real one is not. */
export async function expectFound({ cuts, one, plan = {}, pattern, from }: Twin): Promise<void> {
  const machine = await loadMachine(cuts);
  const seed = firstSeed(one, { ...plan, machine }, pattern, from);
  expect(seed).not.toBeNull();
  expect(runCase({ ...one, seed: seed! }, plan).violations).toEqual([]);
}
