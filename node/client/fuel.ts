/** Choose a job's limits of fuel by what was measured, and read and write fuel for people. */
import { callFuel } from '../../protocol/execution/fuel.ts';
import type { Job } from '../../protocol/job/job.ts';
import { fuelCallMax, fuelFoldMax, fuelUnit, valueBytesMax } from '../../protocol/params.ts';
import { ClientError } from './error.ts';
import type { Measured } from './measure.ts';

/** The four limits of a job, in units of fuel. */
export type FuelLimits = {
  /** Of an item: what it uses is paid for. */
  readonly item: bigint;
  /** Of one combine, of all combines of one fold together, of the rendering: nothing is paid. */
  readonly combine: bigint;
  readonly fold: bigint;
  readonly render: bigint;
};

/** Tokens that a job offers for a million units of fuel unless it says otherwise. */
export const usualFee = 1n;

/** The most that a job may set. */
export const fuelMaxima: FuelLimits = {
  item: fuelCallMax,
  combine: fuelCallMax,
  fold: fuelFoldMax,
  render: fuelCallMax,
};

/** The options that set the limits. */
export const fuelFlags = {
  item: '--fuel',
  combine: '--fuel-combine',
  fold: '--fuel-fold',
  render: '--fuel-render',
} as const satisfies Readonly<Record<keyof FuelLimits, string>>;

export const fuelNames = Object.keys(fuelFlags) as readonly (keyof FuelLimits)[];

/** How often the dearest item, and the dearest combine or rendering, fits into its limit. */
export const itemRoom = 16n;
export const valueRoom = 256n;
/** Combines at their limit that a fold may hold, and what it may use at least. */
const foldRoom = 16n;
const foldFuelMin = 2n ** 38n;
/** The least that an item is given. */
export const itemFuelMin = 2n ** 24n;
/** The least that a combine and the rendering are given: 1024 units a byte of the largest value. */
export const valueFuelMin = 1_024n * BigInt(valueBytesMax);

/**
 * The limits of a job: those that were asked for, else by what was measured. An item that failed
 * is given what it had here, so that all seats see what was seen here.
 * @throws ClientError FUEL_OUT_OF_RANGE
 */
export function chooseLimits(wished: Partial<FuelLimits>, measured: Measured): FuelLimits {
  checkLimits(wished);
  const { items, combine, render, limits, unrun } = measured;
  const most = (some: Measured['items']): bigint =>
    some.reduce((sum, { fuel }) => largest(sum, fuel), 0n);
  const returned = items.filter((item) => item.class === null);
  const failed = items.filter((item) => item.class !== null);
  const unseen = unrun === null ? 0n : limits.item;
  // What ran out here has at the least what it had here.
  const had = (failure: string | null | undefined, limit: bigint): bigint =>
    failure === 'out-of-fuel' ? limit : 0n;
  const rendered = render?.class === null ? render.fuel : 0n;
  const bounded = (used: bigint, room: bigint, least: bigint): bigint =>
    smallest(fuelCallMax, powerOfTwo(largest(used * room, least)));
  const combined =
    wished.combine ??
    largest(
      bounded(combine?.most ?? 0n, valueRoom, valueFuelMin),
      had(combine?.class, limits.combine),
    );
  return {
    item:
      wished.item ??
      largest(bounded(most(returned), itemRoom, itemFuelMin), largest(most(failed), unseen)),
    combine: combined,
    // A combine that never ends uses all of it, at every seat of the lane: not the most there is.
    fold: wished.fold ?? smallest(fuelFoldMax, largest(combined * foldRoom, foldFuelMin)),
    render:
      wished.render ??
      largest(bounded(rendered, valueRoom, valueFuelMin), had(render?.class, limits.render)),
  };
}

/** @throws ClientError FUEL_OUT_OF_RANGE */
export function checkLimits(wished: Partial<FuelLimits>): void {
  for (const name of fuelNames) {
    const fuel = wished[name];
    if (fuel !== undefined && (fuel < 1n || fuel > fuelMaxima[name]))
      throw new ClientError({
        code: 'FUEL_OUT_OF_RANGE',
        flag: fuelFlags[name],
        fuel: String(fuel),
        most: formatFuel(fuelMaxima[name]),
      });
  }
}

/** What a call of any program costs before it does anything, but for its arguments. */
export function leastCallFuel(argumentBytes: number): bigint {
  return callFuel(argumentBytes, 0);
}

/**
 * A limit that is likely to do where another one ran out.
 * @param needed - Units that are known to be used, or to be charged before anything runs.
 */
export function raisedLimit(name: keyof FuelLimits, limit: bigint, needed: bigint): bigint {
  return smallest(fuelMaxima[name], largest(limit, needed) * itemRoom);
}

/** The limits that a job was signed with. */
export function limitsOf({ fuelItem, fuelCombine, fuelFold, fuelRender }: Job): FuelLimits {
  return { item: fuelItem, combine: fuelCombine, fold: fuelFold, render: fuelRender };
}

/** Tokens for fuel of one execution, as contracts count them: rounded down. */
export function priceOf(fuel: bigint, fee: bigint): bigint {
  return (fuel * fee) / fuelUnit;
}

const suffixes = { k: 10n ** 3n, M: 10n ** 6n, G: 10n ** 9n, T: 10n ** 12n } as const;

/** Units of fuel from `1000000`, `64M` or `1.5G`; null for what is written in another way. */
export function parseFuel(text: string): bigint | null {
  const match = /^(\d{1,19})(?:\.(\d{1,12}))?([kMGT]?)$/.exec(text);
  if (match === null) return null;
  const [, whole, fraction = '', suffix] = match;
  const factor = suffix === '' ? 1n : suffixes[suffix as keyof typeof suffixes];
  const scale = 10n ** BigInt(fraction.length);
  const scaled = BigInt(`${whole}${fraction}`) * factor;
  return scaled % scale === 0n ? scaled / scale : null;
}

/**
 * Fuel for people, cut to three digits. As an option it is never more than what it stands for, so
 * that what is said of the most that there is can be asked for.
 */
export function formatFuel(fuel: bigint): string {
  if (fuel < 10_000n) return String(fuel);
  const [suffix, factor] = Object.entries(suffixes).findLast(([, each]) => fuel >= each)!;
  const whole = String(fuel / factor);
  const fraction = String((fuel * 1_000n) / factor).slice(whole.length, 3);
  const behind = fraction.replace(/0+$/, '');
  return `${whole}${behind === '' ? '' : `.${behind}`}${suffix}`;
}

function powerOfTwo(least: bigint): bigint {
  let power = 1n;
  while (power < least) power *= 2n;
  return power;
}

function largest(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function smallest(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
