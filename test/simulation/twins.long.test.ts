// Goal: the checker of the campaigns sees what it says it would see, where worlds are large or stuck.
// Method: as twins.test.ts: one rule cut out of the source, reported within a few seeds.
import { test } from 'vitest';
import { expectFound, type Twin } from './twin.ts';

const twins: readonly Twin[] = [
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
    from: 13,
  },
  {
    name: 'a claim that is the same with another fuel lets a minority set what is paid',
    cuts: [{ file: 'aggregation/lane.ts', text: '    a.mapFuel === b.mapFuel &&\n', by: '' }],
    one: { seats: 7, role: 'miscounting', weather: 'calm' },
    pattern: /I12 soundness/,
    from: 2,
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

test.each(twins)('$name', expectFound);
