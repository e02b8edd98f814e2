/** Take limits of fuel from the command line. */
import {
  checkLimits,
  type FuelLimits,
  formatFuel,
  fuelFlags,
  fuelMaxima,
  fuelNames,
  parseFuel,
} from '../client/fuel.ts';
import { usageError } from './error.ts';

const option = (what: string, most: bigint, otherwise = 'by what is measured unless given') =>
  ({
    kind: 'text',
    placeholder: 'UNITS',
    describe: `Fuel ${what} may use, at most ${formatFuel(most)}; ${otherwise}.`,
  }) as const;

/** Options of the commands that set a job's limits. */
export const fuelOptions = {
  fuel: option('that an item', fuelMaxima.item),
  fuelCombine: option('that one combine', fuelMaxima.combine),
  fuelFold: option('that all combines of a fold', fuelMaxima.fold),
  fuelRender: option('that the rendering', fuelMaxima.render),
} as const;

export type FuelValues = { readonly [K in keyof typeof fuelOptions]: string | undefined };

/** The limits that were asked for. @throws USAGE, ClientError FUEL_OUT_OF_RANGE */
export function fuelWish(values: FuelValues): Partial<FuelLimits> {
  const texts = {
    item: values.fuel,
    combine: values.fuelCombine,
    fold: values.fuelFold,
    render: values.fuelRender,
  };
  const wished: { -readonly [K in keyof FuelLimits]?: bigint } = {};
  for (const name of fuelNames) {
    const text = texts[name];
    if (text === undefined) continue;
    const fuel = parseFuel(text);
    if (fuel === null)
      throw usageError(
        `${fuelFlags[name]} ${text} is not a number of units of fuel`,
        'Write it like 1000000, 64M or 1.5G: k, M, G and T are thousands, millions and so on.',
      );
    wished[name] = fuel;
  }
  checkLimits(wished);
  return wished;
}
