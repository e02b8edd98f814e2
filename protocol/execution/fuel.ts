/** Say what a call costs before it runs, and how long a machine is given for its fuel. */
import { assert, mark } from '../assert.ts';
import { guardBaseMs, guardPicosecondsPerFuel } from '../params.ts';

/** Fuel that a fresh instance costs, whatever it is asked. */
export const instanceFuel = 16_384n;

const picosecondsPerMs = 1_000_000_000n;

/**
 * Fuel that a call is charged before anything of it runs: its instance with all that
 * the module makes anew in each, and its arguments.
 * @param argumentBytes - Bytes of all arguments that are bytes.
 * @param setupFuel - What the program's admission says.
 * @see spec/protocol/execution.md X67
 */
export function callFuel(argumentBytes: number, setupFuel: number): bigint {
  mark('X67');
  return instanceFuel + BigInt(Math.floor((argumentBytes + 7) / 8)) + BigInt(setupFuel);
}

/**
 * Fuel that a call begins with; null where its limit does not pay for its beginning, which is
 * `out-of-fuel`, and nothing is run.
 * @see spec/protocol/execution.md X68
 */
export function fuelAtStart(limit: bigint, argumentBytes: number, setupFuel: number) {
  const left = limit - callFuel(argumentBytes, setupFuel);
  if (left >= 0n) return left;
  mark('X68');
  return null;
}

/**
 * Milliseconds after which a machine gives up on a call: what its fuel takes at worst on the
 * reference machine. It says nothing about the program.
 * @see spec/protocol/execution.md X74
 */
export function wallGuardMs(fuel: bigint): number {
  mark('X74');
  assert(fuel >= 0n, 'a limit is not negative');
  const picoseconds = fuel * guardPicosecondsPerFuel;
  return guardBaseMs + Number((picoseconds + picosecondsPerMs - 1n) / picosecondsPerMs);
}
