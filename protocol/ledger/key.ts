/** Take keys of the state apart, and write them as text for people. */
import { hex, sameBytes, utf8 } from '../brand.ts';
import { digestBytes, publicKeyBytes } from '../params.ts';

/** A part of a key: bytes, written in hexadecimal, or 8 bytes, written as a decimal number. */
type Part = { readonly bytes: number; readonly decimal: boolean };

const digest: Part = { bytes: digestBytes, decimal: false };
const publicKey: Part = { bytes: publicKeyBytes, decimal: false };
const number: Part = { bytes: 8, decimal: true };

/** Parts of the keys of each kind, as `stateKeys` makes them. */
const kinds = {
  job: [digest],
  lane: [digest, number],
  account: [publicKey],
  seat: [number],
  /** The number is the block's height modulo the count of heights that are remembered. */
  recent: [number],
  nonce: [publicKey, number],
  expiries: [number],
  expiry: [number, number],
  ordered: [],
  open: [],
} as const satisfies Readonly<Record<string, readonly Part[]>>;

/** What a key of the state is of. */
export type StateKeyKind = keyof typeof kinds;
export const stateKeyKinds = Object.keys(kinds) as readonly StateKeyKind[];

/** A key, taken apart. */
export type StateKey = {
  readonly kind: StateKeyKind;
  /** Its parts in order, as bytes. */
  readonly parts: readonly Uint8Array[];
};

/** Takes a key apart; null for bytes that the ledger never writes to. */
export function readStateKey(key: Uint8Array): StateKey | null {
  for (const kind of stateKeyKinds) {
    const front = frontOf(kind);
    const parts: readonly Part[] = kinds[kind];
    const length = parts.reduce((sum, { bytes }) => sum + bytes, front.length);
    if (key.length !== length || !sameBytes(key.subarray(0, front.length), front)) continue;
    let at = front.length;
    return { kind, parts: parts.map(({ bytes }) => key.subarray(at, (at += bytes))) };
  }
  return null;
}

/**
 * A key as text: `account/2f…`, `job/9c…`, `lane/9c…/0`, `seat/3`, `open`. Numbers are decimal,
 * other bytes hexadecimal, and so is the whole of a key of no known kind. Two keys have two texts.
 */
export function formatStateKey(key: Uint8Array): string {
  const known = readStateKey(key);
  if (known === null) return hex(key);
  const { kind, parts } = known;
  const shapes: readonly Part[] = kinds[kind];
  const words = parts.map((part, at) => (shapes[at]!.decimal ? `${toNumber(part)}` : hex(part)));
  return [kind, ...words].join('/');
}

function frontOf(kind: StateKeyKind): Uint8Array {
  return utf8(kinds[kind].length === 0 ? kind : `${kind}/`);
}

/** The number that 8 bytes of a key stand for. */
export function toNumber(bytes: Uint8Array): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0);
}
