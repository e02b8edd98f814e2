/** Say what a job that was measured will use and cost, before anything is paid. */
import { fees } from '../../contracts-sim/fees.ts';
import { formatFuel, priceOf, usualFee } from '../client/fuel.ts';
import type { Estimate } from '../kit/estimate.ts';
import { limitWords, measuredDocument, measureWarnings, rangeText } from './fuel-words.ts';

/** Tokens of a job on one network. */
export type JobPrice = {
  /** What its seats are paid together, about; null where no item gave a value. */
  readonly price: bigint | null;
  /** What is held until it has ended. */
  readonly escrow: bigint;
};

/** The price on a network of so many seats, of which so many execute each item. */
export function jobPrice(
  { items, limits, fuel }: Estimate,
  seats: number,
  perLane: number,
): JobPrice {
  const terms = { items: items.count, fuelItem: limits.item, fee: usualFee, seats };
  return {
    price: fuel === null ? null : BigInt(perLane) * priceOf(fuel, usualFee),
    escrow: fees.escrow(terms),
  };
}

/** What was measured, in lines. */
export function jobLines({ items, measured, limits, fuel }: Estimate): readonly string[] {
  const sizes = items.bytes === null ? '' : `, ${items.bytes} bytes`;
  const { combine, render } = measured;
  const document = measuredDocument(measured);
  const { least, most } = document;
  const line = (label: string, text: string): string => `${label.padEnd(11)}${text}`;
  return [
    line('items', `${items.count}${sizes}`),
    ...(least === null || most === null
      ? []
      : [line('an item', `${rangeText(least, most)} units of fuel, by ${document.items} of them`)]),
    line('all', fuel === null ? 'cannot be told' : `about ${formatFuel(fuel)} units of fuel`),
    ...(combine === null ? [] : [line('a combine', rangeText(combine.least, combine.most))]),
    ...(render === null ? [] : [line('rendering', formatFuel(render.fuel))]),
    line('limits', limitWords(limits)),
    ...measureWarnings(measured).map((warning) => line('warning', warning)),
  ];
}

/** The same as a document. */
export function measuredJob({ items, measured, limits, fuel }: Estimate) {
  return {
    items: items.count,
    bytes: items.bytes,
    fuel,
    measured: measuredDocument(measured),
    limits,
    warnings: measureWarnings(measured),
  };
}
