// Goal: the checker of the campaigns sees what it says it would see.
// Method: the same worlds with one rule cut out of the source, or with disks that forget; each must
// be reported within a few seeds. The real replica in the same worlds is not. Those that take
// long are in twins.long.test.ts.
import { expect, test } from 'vitest';
import { runCase } from './campaign.ts';
import { loadMachine } from './mutant.ts';
import { calm, expectFound, firstSeed, halves, type Twin } from './twin.ts';

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
];

test.each(twins)('$name', expectFound);

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
