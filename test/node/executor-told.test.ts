// Goal: what a child says of this machine is a line of bounded length without escapes, like what it
// says of a program.
// Method: outcomes of a child that was broken into.
import { expect, test } from 'vitest';
import { callOutcome, subtaskOutcome } from '../../node/executor/outcome.ts';

const hostile = `\u001b]0;owned\u0007\n${'x'.repeat(1_000_000)}`;

test.each([callOutcome, subtaskOutcome])('%o tells a local reason as a line', (told) => {
  const outcome = told({ kind: 'local', class: 'killed', reason: hostile });
  const reason = outcome.kind === 'local' ? outcome.reason : '';
  expect(reason).toMatch(/^\]0;owned x+…$/);
  expect(reason.length).toBe(1_000);
  // A plain one is told as it is.
  const plain = { kind: 'local', class: 'killed', reason: 'cancelled' } as const;
  expect(told(plain)).toEqual(plain);
});
