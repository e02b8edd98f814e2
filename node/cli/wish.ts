/** Read what a submitter wishes for: the loss he accepts, the adversary he assumes. */
import { lossExponentMax, lossExponentMin } from '../../protocol/params.ts';
import { compare, parseDecimal, ratio } from '../../protocol/ratio.ts';
import type { AdversaryDenominator } from '../../protocol/sampling/plan.ts';
import { usageError } from './error.ts';

/** The exponent e of a loss `1e-e`, e from 1 to 15. @throws USAGE for anything else */
export function parseLoss(text: string): number {
  const loss = parseDecimal(text);
  for (let exponent = lossExponentMin; loss !== null && exponent <= lossExponentMax; exponent++)
    if (compare(loss, ratio(1n, 10n ** BigInt(exponent))) === 0) return exponent;
  throw usageError(
    `--loss ${text} is not a loss that can be asked for`,
    `Expected a power of ten from 1e-${lossExponentMax} to 1e-${lossExponentMin}, such as 1e-9.`,
  );
}

/** The denominator of 0.05, 0.1 or 0.2; 0 for `max`. @throws USAGE for anything else */
export function parseAdversary(text: string): AdversaryDenominator {
  if (text === 'max') return 0;
  const share = parseDecimal(text);
  for (const denominator of [20, 10, 5] as const)
    if (share !== null && compare(share, ratio(1n, BigInt(denominator))) === 0) return denominator;
  throw usageError(
    `--adversary ${text} is not a share that can be assumed`,
    'Expected 0.05, 0.1, 0.2, or max for as many as consensus bears.',
  );
}

/** How a share is written on the command line. */
export function formatAdversary(denominator: AdversaryDenominator): string {
  return { 0: 'max', 5: '0.2', 10: '0.1', 20: '0.05' }[denominator];
}
