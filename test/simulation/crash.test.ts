// Goal: machines that stop between any two effects, all at once, or right after somebody made a
// height final, go on from their disks: nothing is signed twice, nothing final is lost, jobs end.
// Method: seeded worlds with crashes, isolation and clocks that are off and set; half of the hosts
// make a step durable as a whole, half effect by effect. SEED=… runs one alone.
import { expect, test } from 'vitest';
import { caseOf, casesOf, faultsOf, runCase, traceOf } from './campaign.ts';

test.each(casesOf(4, 16, true))('4 seats with crashes, %s', (_title, cases) => {
  expect(faultsOf(cases)).toEqual([]);
});

test.each(casesOf(7, 8, true))('7 seats with crashes, %s', (_title, cases) => {
  expect(faultsOf(cases)).toEqual([]);
});

test('crashes happen, and happen again with the same seed', () => {
  const one = { ...caseOf(3, 4), crashes: true };
  expect(runCase(one).world.crashes).toBeGreaterThan(2);
  expect(traceOf(one)).toEqual(traceOf(one));
});

test('a network cut in two halves stands still, and goes on when it heals', () => {
  for (let seed = 0; seed < 5; seed++) {
    const halves = {
      groups: [
        [0, 1],
        [2, 3],
      ],
      untilMs: 20_000,
    };
    const one = { seed, seats: 4, role: 'none', weather: 'delayed' } as const;
    const { violations, virtualMs } = runCase(one, { partition: halves });
    expect(violations).toEqual([]);
    expect(virtualMs).toBeGreaterThan(20_000);
    expect(virtualMs).toBeLessThan(50_000);
  }
});
