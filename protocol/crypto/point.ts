/** Decode points and scalars of edwards25519, one way each; admit keys of prime order only. */
import type { EdwardsPoint } from '@noble/curves/abstract/edwards.js';
import { ed25519 } from '@noble/curves/ed25519.js';
import { bytesToNumberLE } from '@noble/curves/utils.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { mark } from '../assert.ts';
import { hex } from '../brand.ts';
import { publicKeyBytes, seatCountMax } from '../params.ts';
import { recent } from './recent.ts';

export type { EdwardsPoint };

/** The curve: its base point B, its neutral element, its scalar field. */
export const Curve = ed25519.Point;
/** L, the order of B. */
export const order: bigint = Curve.Fn.ORDER;

/** Keys kept decoded: two for each seat of the largest epoch, and as many for submitters. */
const decodedKeyCountMax = 4 * seatCountMax;
/** Keys kept with a table of multiples, about 250 kB each; a verification is then twice as fast. */
const tabledKeyCountMax = 128;
/** Uses after which building such a table has paid for itself. */
const tableAfterUseCount = 8;
/** Bits of a window of such a table. */
const tableWindowBits = 5;

type Decoded = { readonly point: EdwardsPoint; useCount: number };
const decoded = recent<Decoded>(decodedKeyCountMax);
const tabled = recent<EdwardsPoint>(tabledKeyCountMax);

/**
 * The point that 32 bytes encode by RFC 8032 section 5.1.3, or null: y must be below p, and the
 * sign of x = 0 must be 0, so that every point has one encoding.
 */
export function decodePoint(bytes: Uint8Array): EdwardsPoint | null {
  if (bytes.length !== publicKeyBytes) return null;
  try {
    return Curve.fromBytes(bytes, false);
  } catch {
    return null;
  }
}

/** The point of a key that may sign or prove, or null. Decoded keys are remembered. */
export function keyPoint(publicKey: Uint8Array): EdwardsPoint | null {
  if (publicKey.length !== publicKeyBytes) {
    mark('K4');
    return null;
  }
  const name = hex(publicKey);
  const quick = tabled.get(name);
  if (quick !== undefined) return quick;
  const known = decoded.get(name);
  if (known !== undefined) return used(name, known);
  const point = decodePoint(publicKey);
  if (point === null) {
    mark('K4');
    return null;
  }
  if (point.is0() || !point.isTorsionFree()) {
    mark('K5');
    return null;
  }
  decoded.set(name, { point, useCount: 1 });
  return point;
}

function used(name: string, known: Decoded): EdwardsPoint {
  known.useCount += 1;
  if (known.useCount < tableAfterUseCount) return known.point;
  known.useCount = 0;
  // A point of its own: the table hangs on its identity and is freed with it.
  const { X, Y, Z, T } = known.point;
  const quick = new Curve(X, Y, Z, T).precompute(tableWindowBits);
  tabled.set(name, quick);
  return quick;
}

/** A little-endian integer. */
export function littleEndian(bytes: Uint8Array): bigint {
  return bytesToNumberLE(bytes);
}

/** SHA-512 of the joined parts. */
export function sha512Of(...parts: readonly Uint8Array[]): Uint8Array {
  const state = sha512.create();
  for (const part of parts) state.update(part);
  return state.digest();
}

/** SHA-512 of the joined parts as a little-endian integer modulo L. */
export function hashToScalar(...parts: readonly Uint8Array[]): bigint {
  return Curve.Fn.create(littleEndian(sha512Of(...parts)));
}

/** A scalar as 32 bytes, little-endian. */
export function scalarBytes(scalar: bigint): Uint8Array {
  return Curve.Fn.toBytes(scalar);
}

/** What an RFC 8032 secret key expands to (section 5.1.5). Every field but the key is secret. */
export type ExpandedKey = {
  readonly scalar: bigint;
  /** 32 bytes that make nonces. */
  readonly prefix: Uint8Array;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
};

/** Expands a 32-byte RFC 8032 secret key. */
export function expandKey(secretKey: Uint8Array): ExpandedKey {
  const { scalar, prefix, pointBytes } = ed25519.utils.getExtendedPublicKey(secretKey);
  return { scalar, prefix, publicKey: pointBytes };
}
