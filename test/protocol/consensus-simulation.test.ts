// Goal: whatever the schedule, honest seats finalize one chain, and go on once the network heals;
// and the checker that says so does see it when a rule is missing.
// Method: seeded runs of whole engines with loss, delay, duplication, reordering, isolation,
// crashes between any two effects, and f seats silent or signing anything. The same runs on
// engines with one rule cut out of their source must fail. A run is a pure function of its plan.
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { AssertionError } from '../../protocol/assert.ts';
import * as engine from '../../protocol/consensus/engine.ts';
import { LogError } from '../../protocol/consensus/error.ts';
import { installSha256 } from '../../protocol/crypto/hash.ts';
import { load, mutants } from '../simulation/engine/mutants.ts';
import { healedBlocks, type Plan, run } from '../simulation/engine/run.ts';

installSha256((bytes) => new Uint8Array(createHash('sha256').update(bytes).digest()));

const seeds = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

describe.each([
  { seats: 4, fault: 'silent', count: 40 },
  { seats: 4, fault: 'equivocate', count: 80 },
  { seats: 7, fault: 'silent', count: 15 },
  { seats: 7, fault: 'equivocate', count: 25 },
] as const)('$seats seats, f of them $fault', ({ seats, fault, count }) => {
  test(`agree and go on, seeds 1 to ${count}`, () => {
    for (const seed of seeds(count)) {
      const { violations, progress } = run({ seed, seats, fault, engine });
      expect(violations, `seed ${seed}`).toEqual([]);
      expect(progress, `seed ${seed}`).toBeGreaterThanOrEqual(healedBlocks);
    }
  });
});

test('a run is a pure function of its plan', () => {
  for (const seed of seeds(3)) {
    const plan: Plan = { seed, seats: 4, fault: 'equivocate', engine };
    expect(run(plan)).toEqual(run(plan));
  }
  const other = run({ seed: 4, seats: 4, fault: 'equivocate', engine });
  expect(other.trace).not.toBe(run({ seed: 5, seats: 4, fault: 'equivocate', engine }).trace);
});

describe('must fail', () => {
  const seedsMax = 150;

  /** The first seed at which something is reported that `pattern` describes, or null. */
  const firstSeed = (plan: Omit<Plan, 'seed' | 'fault'>, pattern: RegExp): number | null => {
    for (const seed of seeds(seedsMax)) {
      try {
        const { violations } = run({ ...plan, seed, fault: 'equivocate' });
        if (violations.some((each) => pattern.test(each))) return seed;
      } catch (error) {
        // An engine without a rule may read a vote log that breaks it, and is stopped by a guard.
        const guards = [AssertionError.name, LogError.name];
        if (!(error instanceof Error) || !guards.includes(error.name)) throw error;
      }
    }
    return null;
  };
  const agreement = /two final blocks|two notarized blocks|Final and Skip certified/;

  test('a quorum of 2f forks', async () => {
    const twin = await load(mutants.smallQuorum);
    expect(firstSeed({ seats: 4, engine: twin }, /two final blocks/)).not.toBeNull();
  });

  test('Final beside Skip forks', async () => {
    const twin = await load(mutants.withoutI2);
    expect(firstSeed({ seats: 4, engine: twin }, agreement)).not.toBeNull();
  });

  test('a parent across views that nobody skipped forks', async () => {
    const twin = await load(mutants.withoutGapRule);
    expect(firstSeed({ seats: 4, engine: twin }, /two final blocks/)).not.toBeNull();
  });

  test('two Notar votes are seen', async () => {
    const twin = await load(mutants.withoutI1);
    expect(firstSeed({ seats: 7, engine: twin }, /honest seat signed two: notar/)).not.toBeNull();
  });

  test('a vote log lost in a crash is seen', () => {
    expect(firstSeed({ seats: 4, engine, loses: 'votes' }, /honest seat signed/)).not.toBeNull();
  });

  test('f + 1 seats that sign anything break agreement', () => {
    expect(firstSeed({ seats: 4, faulty: 2, engine }, agreement)).not.toBeNull();
  });

  test('a network that does not say everything again gets stuck', async () => {
    const twin = await load(mutants.withoutRepeats);
    const stuck = seeds(20).filter((seed) => {
      const { violations, progress } = run({ seed, seats: 4, fault: 'silent', engine: twin });
      expect(violations).toEqual([]);
      return progress < healedBlocks;
    });
    expect(stuck.length).toBeGreaterThan(0);
  });

  test('certificates lost in crashes never cost agreement, and sometimes progress', () => {
    const stuck = seeds(40).filter((seed) => {
      const plan: Plan = { seed, seats: 4, fault: 'equivocate', engine, loses: 'certificates' };
      const { violations, progress } = run(plan);
      expect(violations, `seed ${seed}`).toEqual([]);
      return progress < healedBlocks;
    });
    expect(stuck.length).toBeGreaterThan(0);
  });

  test('a rule that the source no longer spells cannot be cut out silently', async () => {
    const cut = { file: 'seats.ts', text: 'no such rule', by: '' };
    await expect(load({ name: 'nothing', cuts: [cut] })).rejects.toThrow('does not say once');
    const lost = { file: 'nowhere.ts', text: 'a', by: 'b' };
    await expect(load({ name: 'nowhere', cuts: [lost] })).rejects.toThrow('no file');
  });
});
