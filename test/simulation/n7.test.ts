// Goal: 7 replicas agree, end every job, and accept only what the model gives, in any weather,
// with f of them silent, equivocating, lying or miscounting, or none.
// Method: 16 seeded worlds in virtual time (thousands under test:long), every invariant checked as
// things happen (checker.ts).
// SEED=… runs one alone. Equal seeds give equal worlds.
import { expect, test } from 'vitest';
import { caseOf, casesOf, faultsOf, traceOf } from './campaign.ts';

test.each(casesOf(7, 16))('7 seats, %s', (_title, cases) => {
  expect(faultsOf(cases)).toEqual([]);
});

test('a world is a pure function of its seed', () => {
  const trace = traceOf(caseOf(6, 7));
  expect(traceOf(caseOf(6, 7))).toEqual(trace);
  expect(traceOf(caseOf(46, 7))).not.toEqual(trace);
});
