// Goal: 4 replicas agree, end every job, and accept only what the model gives, in any weather,
// with f of them silent, equivocating, lying or miscounting, or none.
// Method: 30 seeded worlds in virtual time (thousands under test:long), every invariant checked as
// things happen (checker.ts).
// SEED=… runs one alone. Equal seeds give equal worlds.
import { expect, test } from 'vitest';
import { caseOf, casesOf, faultsOf, traceOf } from './campaign.ts';

test.each(casesOf(4, 30))('4 seats, %s', (_title, cases) => {
  expect(faultsOf(cases)).toEqual([]);
});

test('a world is a pure function of its seed', () => {
  for (const seed of [3, 17]) expect(traceOf(caseOf(seed, 4))).toEqual(traceOf(caseOf(seed, 4)));
  expect(traceOf(caseOf(23, 4))).not.toEqual(traceOf(caseOf(43, 4)));
});
