// Goal: where fuel ran out, the advice is a limit that can do: more than what ran out, more than a
// call costs and than is known to be used, at most what a job may give; parameters are doubted only
// where a program failed by what it was given.
// Method: properties of the arithmetic; the hints of each class of failure.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { failureHints, raiseText } from '../../node/cli/foreseen-words.ts';
import type { Foreseen } from '../../node/client/foreseen.ts';
import { fuelMaxima, fuelNames, leastCallFuel, raisedLimit } from '../../node/client/fuel.ts';
import { instanceFuel } from '../../protocol/execution/fuel.ts';

test('a raised limit is above the old one and what is needed, and never above the most', () => {
  const units = fc.bigInt({ min: 1n, max: 2n ** 36n });
  fc.assert(
    fc.property(fc.constantFrom(...fuelNames), units, units, (name, limit, needed) => {
      const most = fuelMaxima[name];
      const raised = raisedLimit(name, limit, needed);
      expect(raised <= most).toBe(true);
      expect(raised >= limit || raised === most).toBe(true);
      expect(raised >= needed || raised === most).toBe(true);
      if (limit < most) expect(raised > limit).toBe(true);
    }),
  );
  expect(leastCallFuel(0)).toBe(instanceFuel);
  expect(leastCallFuel(1_000)).toBe(instanceFuel + 125n);
});

test('of a limit that pays for no call is told what one costs, of another one only more', () => {
  expect(raiseText('item', 10n)).toBe(
    'It needs 16384 units at the least, if only to begin: give it more, as --fuel 262k, ' +
      'or leave --fuel out: then it is measured.',
  );
  expect(raiseText('render', 10n)).toContain('--fuel-render 262k');
  expect(raiseText('item', 10n, 1_000_000n)).toContain('--fuel 16M');
  expect(raiseText('item', 100_000n)).toContain('--fuel 1.6M. If not, it loops');
  expect(raiseText('item', fuelMaxima.item)).toContain('the most that a job may give');
});

const failed = (failure: Foreseen['class'], said: string | null = null): Foreseen => ({
  ...{ what: 'item', item: 0, place: null, tried: 2, failed: 2 },
  ...{ class: failure, said, limit: 10n, lines: null },
});
const hints = (one: Foreseen): string =>
  failureHints(one, { name: 'mine', bundled: false }).join('\n');

test('parameters and input are doubted for traps and bad values alone', () => {
  for (const failure of ['trap', 'bad-value'] as const)
    expect(hints(failed(failure))).toContain(
      'Every item that was tried (2) failed: are parameters',
    );
  for (const failure of ['out-of-fuel', 'too-deep'] as const)
    expect(hints(failed(failure))).not.toContain('are parameters');
  expect(hints(failed('out-of-fuel'))).toContain('--fuel 262k');
});
