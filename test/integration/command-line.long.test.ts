// Goal: a run that is told to end by either signal ends with its code, its children with it, and
// leaves nothing behind.
// Method: the real command line in an empty directory, amid a job that would never end.
import { test } from 'vitest';
import { newPlace } from '../support/anwansi-process.ts';
import { expectLeavesNothing } from '../support/interrupted-run.ts';

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)(
  'on %s ends with %i, its children with it, and leaves nothing',
  async (signal, code) => {
    const place = newPlace();
    try {
      await expectLeavesNothing(place, signal, code);
    } finally {
      place.remove();
    }
  },
);
