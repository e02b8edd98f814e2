/** Compute probabilities exactly. */
import { assert } from './assert.ts';

/** A non-negative fraction in lowest terms; `denominator` is positive. */
export type Ratio = { readonly numerator: bigint; readonly denominator: bigint };

function gcd(a: bigint, b: bigint): bigint {
  let [x, y] = [a, b];
  while (y > 0n) [x, y] = [y, x % y];
  return x;
}

/** `numerator / denominator` in lowest terms. */
export function ratio(numerator: bigint, denominator: bigint = 1n): Ratio {
  assert(numerator >= 0n && denominator > 0n, 'a ratio is not negative');
  const divisor = gcd(numerator, denominator);
  return { numerator: numerator / divisor, denominator: denominator / divisor };
}

export const zero: Ratio = ratio(0n);
export const one: Ratio = ratio(1n);

export function multiply(a: Ratio, b: Ratio): Ratio {
  return ratio(a.numerator * b.numerator, a.denominator * b.denominator);
}

export function divide(a: Ratio, b: Ratio): Ratio {
  return ratio(a.numerator * b.denominator, a.denominator * b.numerator);
}

export function add(a: Ratio, b: Ratio): Ratio {
  return ratio(
    a.numerator * b.denominator + b.numerator * a.denominator,
    a.denominator * b.denominator,
  );
}

/** Negative, zero or positive as `a` is below, equal to or above `b`. */
export function compare(a: Ratio, b: Ratio): number {
  const left = a.numerator * b.denominator;
  const right = b.numerator * a.denominator;
  return left < right ? -1 : left > right ? 1 : 0;
}

export function smaller(a: Ratio, b: Ratio): Ratio {
  return compare(a, b) <= 0 ? a : b;
}

export function larger(a: Ratio, b: Ratio): Ratio {
  return compare(a, b) >= 0 ? a : b;
}

/** The least integer that is not below `a`. */
export function ceiling(a: Ratio): bigint {
  return (a.numerator + a.denominator - 1n) / a.denominator;
}

/**
 * Reads a decimal text such as `0.001`, `1e-9` or `2.5e-3` exactly.
 * Returns null for anything else, a sign included.
 */
export function parseDecimal(text: string): Ratio | null {
  const match = /^(\d{1,40})(?:\.(\d{1,40}))?(?:[eE]([+-]?\d{1,3}))?$/.exec(text.trim());
  if (match === null) return null;
  const [, whole = '', fraction = '', power = '0'] = match;
  const exponent = Number(power) - fraction.length;
  const digits = BigInt(whole + fraction);
  return exponent >= 0
    ? ratio(digits * 10n ** BigInt(exponent))
    : ratio(digits, 10n ** BigInt(-exponent));
}

/** Writes a ratio for people, rounded up to two digits: `0`, `1`, `3.4e-7`. Never used to decide. */
export function formatRatio(a: Ratio): string {
  if (a.numerator === 0n) return '0';
  if (compare(a, one) === 0) return '1';
  let power = 0;
  let [numerator, denominator] = [a.numerator, a.denominator];
  while (numerator < denominator) {
    numerator *= 10n;
    power -= 1;
  }
  while (numerator >= denominator * 10n) {
    denominator *= 10n;
    power += 1;
  }
  let tenths = (numerator * 10n + denominator - 1n) / denominator;
  if (tenths >= 100n) {
    tenths = 10n;
    power += 1;
  }
  const mantissa = tenths % 10n === 0n ? `${tenths / 10n}` : `${tenths / 10n}.${tenths % 10n}`;
  return power === 0 ? mantissa : `${mantissa}e${power}`;
}
