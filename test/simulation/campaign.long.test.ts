// Goal: the campaigns of n4, n7 and crash, at length.
// Method: 10 000 seeds, continuing where the quick ones end. A failure names the line that runs its
// seed alone, through the quick files.
import { expect, test } from 'vitest';
import { caseOf, faultsOf } from './campaign.ts';

const campaigns = [
  { seats: 4, crashes: false, from: 40, count: 4_000 },
  { seats: 7, crashes: false, from: 24, count: 2_000 },
  { seats: 4, crashes: true, from: 24, count: 3_000 },
  { seats: 7, crashes: true, from: 12, count: 1_000 },
];

const chunk = 100;
const chunks = campaigns.flatMap(({ seats, crashes, from, count }) =>
  Array.from({ length: count / chunk }, (_, i) => ({ seats, crashes, from: from + i * chunk })),
);

test.each(chunks)('$seats seats, crashes $crashes, a hundred seeds from $from', (one) => {
  const { seats, crashes, from } = one;
  const cases = Array.from({ length: chunk }, (_, i) => ({ ...caseOf(from + i, seats), crashes }));
  expect(faultsOf(cases)).toEqual([]);
});
