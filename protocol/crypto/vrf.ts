/** Prove and verify randomness that its maker cannot choose (ECVRF, RFC 9381). */
import { mulAddUnsafe, normalizeZ } from '@noble/curves/abstract/curve.js';
import { assert, mark } from '../assert.ts';
import { concatBytes, sameBytes } from '../brand.ts';
import { vrfProofBytes } from '../params.ts';
import { hash } from './hash.ts';
import {
  Curve,
  decodePoint,
  type EdwardsPoint,
  expandKey,
  hashToScalar,
  keyPoint,
  littleEndian,
  order,
  scalarBytes,
  sha512Of,
} from './point.ts';
import type { CryptoSuite, SeatKeys } from './suite.ts';

/** Suite ECVRF-EDWARDS25519-SHA512-TAI and the separators of its three hashes. */
const suite = 0x03;
const encodeFront = Uint8Array.of(suite, 0x01);
const challengeFront = Uint8Array.of(suite, 0x02);
const outputFront = Uint8Array.of(suite, 0x03);
const back = Uint8Array.of(0x00);
/** Bytes of Gamma, of the challenge c, and of s, in the order of a proof. */
const gammaBytes = 32;
const challengeBytes = 16;

/** An 80-byte proof (Gamma, c, s) and the 64-byte output that it proves. */
export type VrfProof = { readonly proof: Uint8Array; readonly output: Uint8Array };

/** Who can prove: a 32-byte public key and the act itself. */
export type VrfProver = {
  readonly publicKey: Uint8Array;
  readonly prove: (alpha: Uint8Array) => VrfProof;
};

/** A prover with its key expanded once. `secretKey` is 32 bytes, as in RFC 8032. */
export function vrfProver(secretKey: Uint8Array): VrfProver {
  const { scalar, prefix, publicKey } = expandKey(secretKey);
  const prove = (alpha: Uint8Array): VrfProof => {
    const point = encodeToCurve(publicKey, alpha);
    const pointBytes = point.toBytes();
    // Both factors are secret: only the multiplication whose work does not depend on them.
    const gamma = point.multiply(scalar);
    const nonce = hashToScalar(prefix, pointBytes);
    const [gammaText, ...rest] = encoded(
      gamma,
      Curve.BASE.multiply(nonce),
      point.multiply(nonce),
      gamma.clearCofactor(),
    ) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    const [u, v, cleared] = rest;
    const challenge = challengeOf(publicKey, pointBytes, gammaText, u, v);
    const s = Curve.Fn.create(nonce + littleEndian(challenge) * scalar);
    mark('K11');
    const proof = concatBytes(gammaText, challenge, scalarBytes(s));
    return { proof, output: outputOf(cleared) };
  };
  return { publicKey, prove };
}

/** The proof and output of one input under a 32-byte RFC 8032 secret key. */
export function vrfProve(secretKey: Uint8Array, alpha: Uint8Array): VrfProof {
  return vrfProver(secretKey).prove(alpha);
}

/**
 * The 64-byte output that `proof` proves for `alpha`, or null if it proves nothing.
 *
 * The output is unique for a key and an input; the proof is not, so nothing may be derived from
 * a proof.
 * @see spec/protocol/crypto.md K10 to K14, after RFC 9381 section 5.3.
 */
export function vrfVerify(
  publicKey: Uint8Array,
  alpha: Uint8Array,
  proof: Uint8Array,
): Uint8Array | null {
  const key = keyPoint(publicKey);
  if (key === null) return null;
  const gammaText = proof.subarray(0, gammaBytes);
  const challenge = proof.subarray(gammaBytes, gammaBytes + challengeBytes);
  const s = littleEndian(proof.subarray(gammaBytes + challengeBytes));
  const gamma = decodePoint(gammaText);
  if (proof.length !== vrfProofBytes || gamma === null || s >= order) {
    mark('K12');
    return null;
  }
  const c = littleEndian(challenge);
  const point = encodeToCurve(publicKey, alpha);
  // U = [s]B - [c]Y from tables; V = [s]H - [c]Gamma, fresh points that share their doublings.
  const u = Curve.BASE.multiplyUnsafe(s).subtract(key.multiplyUnsafe(c));
  const v = mulAddUnsafe(Curve, [point, gamma.negate()], [s, c]);
  const [pointBytes, uBytes, vBytes, cleared] = encoded(point, u, v, gamma.clearCofactor()) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  if (!sameBytes(challengeOf(publicKey, pointBytes, gammaText, uBytes, vBytes), challenge)) {
    mark('K13');
    return null;
  }
  mark('K14');
  return outputOf(cleared);
}

/** Proves that who holds the signing key of `keys` also holds their VRF key: 80 bytes. */
export function vrfPossession(
  keys: Pick<SeatKeys, 'publicKey' | 'vrfPublicKey' | 'vrfProve'>,
): Uint8Array {
  return keys.vrfProve(possessionInput(keys.publicKey, keys.vrfPublicKey)).proof;
}

/** Whether `proof` is what {@link vrfPossession} makes for these two keys. */
export function possessesVrfKey(
  { vrfVerify: verify }: Pick<CryptoSuite, 'vrfVerify'>,
  publicKey: Uint8Array,
  vrfPublicKey: Uint8Array,
  proof: Uint8Array,
): boolean {
  return verify(vrfPublicKey, possessionInput(publicKey, vrfPublicKey), proof) !== null;
}

function possessionInput(publicKey: Uint8Array, vrfPublicKey: Uint8Array): Uint8Array {
  mark('K15');
  return hash('vrf-possession', publicKey, vrfPublicKey);
}

/** RFC 9381 section 5.4.1.1, salted with the public key. Half of all counters give a point. */
function encodeToCurve(publicKey: Uint8Array, alpha: Uint8Array): EdwardsPoint {
  for (let counter = 0; counter < 256; counter++) {
    const text = sha512Of(encodeFront, publicKey, alpha, Uint8Array.of(counter), back);
    const point = decodePoint(text.subarray(0, gammaBytes))?.clearCofactor();
    if (point !== undefined && !point.is0()) {
      mark('K10');
      return point;
    }
  }
  assert(false, '256 hashes in a row are no points: less likely than 2^-250');
}

function challengeOf(...points: readonly Uint8Array[]): Uint8Array {
  return sha512Of(challengeFront, ...points, back).subarray(0, challengeBytes);
}

function outputOf(clearedGamma: Uint8Array): Uint8Array {
  return sha512Of(outputFront, clearedGamma, back);
}

/** Encodes several points with one inversion. */
function encoded(...points: EdwardsPoint[]): Uint8Array[] {
  return normalizeZ(Curve, points).map((point) => point.toBytes());
}
