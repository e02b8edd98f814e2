/** Derive the keys of development networks: public, they prove arithmetic and not people. */
import { assert, mark } from '../assert.ts';
import { type Digest, hash } from '../crypto/hash.ts';
import { portableKeys } from '../crypto/signature.ts';
import type { SeatKeys } from '../crypto/suite.ts';
import { vrfPossession } from '../crypto/vrf.ts';
import { devParameters, type Genesis, type Seat } from '../ledger/genesis.ts';
import { protocolVersion, seatCountMin } from '../params.ts';

/** Seats that a development network has at most, and its funded accounts with their tokens. */
export const devSeatCountMax = 31;
export const devAccountCount = 10;
export const devAccountTokens = 1_000_000_000_000n;

/** The seed of a dev seat's keys. @see spec/protocol/receipt.md V1 */
export function devSeatSeed(index: number): Digest {
  mark('V1');
  return hash('dev', 'seat', index);
}

/** The seed of a dev account's key. */
export function devAccountSeed(index: number): Digest {
  return hash('dev', 'account', index);
}

const keys = new Map<number, SeatKeys>();
const seats = new Map<number, Seat>();

/** The keys of a dev seat, in plain JavaScript; remembered, since they never change. */
export function devSeatKeys(index: number): SeatKeys {
  const known = keys.get(index) ?? portableKeys(devSeatSeed(index));
  keys.set(index, known);
  return known;
}

/** A dev seat as a genesis lists it. */
export function devSeat(index: number): Seat {
  let seat = seats.get(index);
  if (seat === undefined) {
    const held = devSeatKeys(index);
    const { publicKey, vrfPublicKey } = held;
    seat = { publicKey, vrfPublicKey, possession: vrfPossession(held) };
    seats.set(index, seat);
  }
  return seat;
}

/** Dev seats 0 to `count - 1` as a genesis lists them. */
export function devSeats(count: number): readonly Seat[] {
  assert(count >= 0 && count <= devSeatCountMax, 'a development network is small');
  return Array.from({ length: count }, (_, index) => devSeat(index));
}

/** The keys of a dev account, which has tokens in every development network. */
export function devAccount(index: number): SeatKeys {
  assert(index >= 0 && index < devAccountCount, 'ten dev accounts are funded');
  return portableKeys(devAccountSeed(index));
}

/** What tells development networks apart. */
export type DevNetwork = {
  readonly seats: number;
  /** 32 bytes, fresh for each network. */
  readonly nonce: Uint8Array;
  readonly timeMs: number;
};

/** The genesis of a development network. @see spec/protocol/receipt.md V2 */
export function devGenesis({ seats: count, nonce, timeMs }: DevNetwork): Genesis {
  assert(count >= seatCountMin, 'a network has at least four seats');
  mark('V2');
  const accounts = Array.from({ length: devAccountCount }, (_, index) => ({
    key: devAccount(index).publicKey,
    tokens: devAccountTokens,
  }));
  return {
    version: protocolVersion,
    nonce,
    timeMs,
    parameters: devParameters,
    seats: devSeats(count),
    accounts,
    contracts: 'fees',
  };
}
