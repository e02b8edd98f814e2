// Goal: the checker of the campaigns sees what it says it would see.
// Method: the same worlds with one rule cut out of the source, or with disks that forget; each must
// be reported within a few seeds. The real replica in the same worlds is not.
import { expect, test } from 'vitest';
import { type Case, runCase } from './campaign.ts';
import { type Cut, loadMachine } from './mutant.ts';
import type { Plan } from './world.ts';

const seedsMax = 24;

/** The first seed at which a violation is reported that `pattern` describes, or null. */
function firstSeed(one: Omit<Case, 'seed'>, plan: Partial<Plan>, pattern: RegExp): number | null {
  for (let seed = 0; seed < seedsMax; seed++) {
    const { violations } = runCase({ ...one, seed }, plan, pattern);
    if (violations.some((violation) => pattern.test(violation))) return seed;
  }
  return null;
}

const calm: Omit<Case, 'seed'> = { seats: 4, role: 'none', weather: 'delayed' };
const halves = {
  partition: {
    groups: [
      [0, 1],
      [2, 3],
    ],
    untilMs: 20_000,
  },
};

type Twin = {
  readonly name: string;
  readonly cuts: readonly Cut[];
  readonly one: Omit<Case, 'seed'>;
  readonly plan?: Partial<Plan>;
  readonly pattern: RegExp;
};

const twins: readonly Twin[] = [
  {
    name: 'a quorum of 2f forks when the network is cut in two',
    cuts: [
      { file: 'consensus/seats.ts', text: 'Math.floor((2 * n) / 3) + 1', by: '2 * faultyMax(n)' },
    ],
    one: calm,
    plan: halves,
    pattern: /I1 agreement/,
  },
  {
    name: 'a plain majority accepts what K liars say',
    cuts: [
      {
        file: 'aggregation/walk.ts',
        text: 'count >= table.needed(place + 1 - count)',
        by: '2 * count > lane.slots.length',
      },
    ],
    one: { seats: 7, role: 'lying', weather: 'calm' },
    pattern: /I12 soundness/,
  },
  {
    name: 'a claim that is the same with another fuel lets a minority set what is paid',
    cuts: [{ file: 'aggregation/lane.ts', text: '    a.mapFuel === b.mapFuel &&\n', by: '' }],
    one: { seats: 7, role: 'miscounting', weather: 'calm' },
    pattern: /I12 soundness/,
  },
  {
    name: 'a vote that is published before it is logged is seen',
    cuts: [
      {
        file: 'replica/follow.ts',
        text: "state.effects.push({ kind: 'log-vote', vote: effect.vote });",
        by: '',
      },
    ],
    one: calm,
    pattern: /I9 durable/,
  },
  {
    name: 'a block that is announced without being logged is seen',
    cuts: [
      {
        file: 'replica/lead.ts',
        text: "state.effects.push({ kind: 'log-proposal', block });",
        by: '',
      },
    ],
    one: calm,
    pattern: /I9 durable/,
  },
  {
    name: 'a refund that is not paid is seen',
    cuts: [
      {
        file: 'ledger/end.ts',
        text: 'cursor.setTokens(record.submitter, cursor.tokens(record.submitter) + refund);',
        by: '',
      },
    ],
    one: calm,
    pattern: /I7 conservation/,
  },
  {
    name: 'replicas that say nothing twice get stuck',
    cuts: [
      {
        file: 'replica/replica.ts',
        text: '  if (state.now >= state.repeatAt) repeatAll(state);\n  repeatView(state);\n',
        by: '',
      },
      {
        file: 'replica/follow.ts',
        text: "for (const vote of effect.votes) publishBallot(state, { kind: 'vote', vote });",
        by: '',
      },
    ],
    one: { seats: 4, role: 'silent', weather: 'lossy' },
    pattern: /I20 progress/,
  },
];

test.each(twins)('$name', async ({ cuts, one, plan = {}, pattern }) => {
  const machine = await loadMachine(cuts);
  expect(firstSeed(one, { ...plan, machine }, pattern)).not.toBeNull();
  expect(runCase({ ...one, seed: 0 }, plan).violations).toEqual([]);
});

test('replicas that forget their vote log on restart sign twice', () => {
  const one = { seats: 4, role: 'none', weather: 'stormy', crashes: true } as const;
  const forgets = new Set(['votes', 'proposals'] as const);
  expect(firstSeed(one, { forgets }, /I10 equivocation/)).not.toBeNull();
});

test('a copy without a cut is the real one, and a cut that fits nothing is told', async () => {
  const one = { ...calm, seed: 1 };
  const copy = runCase(one, { machine: await loadMachine([]) });
  expect(copy.violations).toEqual([]);
  expect(copy.world.trace).toBe(runCase(one).world.trace);
  await expect(loadMachine([{ file: 'replica/want.ts', text: 'no such', by: '' }])).rejects.toThrow(
    'does not say once',
  );
  await expect(loadMachine([{ file: 'nowhere.ts', text: '', by: '' }])).rejects.toThrow('no file');
});
