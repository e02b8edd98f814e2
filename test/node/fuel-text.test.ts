// Goal: fuel is read as a person writes it, and never shown as more than it is.
// Method: a law over all amounts, and the texts that stand in the documentation.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatFuel, parseFuel } from '../../node/client/fuel.ts';

const units = (max: bigint) => fc.bigInt({ min: 1n, max });

describe('fuel as text', () => {
  test('is read as it is written, and never says more than there is', () => {
    fc.assert(
      fc.property(units(2n ** 62n), (fuel) => {
        expect(parseFuel(String(fuel))).toBe(fuel);
        const shown = parseFuel(formatFuel(fuel))!;
        expect(shown <= fuel && (fuel - shown) * 100n < fuel).toBe(true);
      }),
    );
    expect(['64M', '1.5G', '0.5k', '2T', '12k'].map(parseFuel)).toEqual([
      64_000_000n,
      1_500_000_000n,
      500n,
      2_000_000_000_000n,
      12_000n,
    ]);
    expect([9_999n, 10_000n, 68_719_476_736n, 123_456_789n].map(formatFuel)).toEqual([
      '9999',
      '10k',
      '68.7G',
      '123M',
    ]);
  });

  test.each(['', '1e6', '-1', '1.5', '0.0001k', '64m', '64 M', '1_000', 'M', '0x10'])(
    '%j is refused',
    (text) => expect(parseFuel(text)).toBeNull(),
  );
});
