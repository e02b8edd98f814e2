/** Sign and verify by purpose (Ed25519): one rule, byte for byte, on every host. */
import { assert, mark } from '../assert.ts';
import { concatBytes, sameBytes, utf8 } from '../brand.ts';
import { digestBytes, signatureBytes } from '../params.ts';
import type { SignatureDomain } from './domain.ts';
import { hmacSha256, sha256 } from './hash.ts';
import {
  Curve,
  expandKey,
  hashToScalar,
  keyPoint,
  littleEndian,
  order,
  scalarBytes,
} from './point.ts';
import type { CryptoSuite, SeatKeys } from './suite.ts';
import { vrfProver, vrfVerify } from './vrf.ts';

/** Bytes of the secret from which all keys of a seat come. */
export const seedBytes = 32;
/** Bytes of R, the first half of a signature; S is the second. */
const halfBytes = 32;

/**
 * What is signed in place of `body`: it names the protocol, the purpose and the network (the
 * 32-byte genesis hash), and is longer than 32 bytes whatever the body is.
 * @see spec/protocol/crypto.md K3
 */
export function signedMessage(
  domain: SignatureDomain,
  network: Uint8Array,
  body: Uint8Array,
): Uint8Array {
  assert(network.length === digestBytes, 'a network is named by a digest');
  mark('K3');
  return concatBytes(utf8(`anwansi/1/sign/${domain}\0`), network, sha256(body));
}

/** Whether a key may be registered: canonical, in the prime-order subgroup, not the identity. */
export function validPublicKey(publicKey: Uint8Array): boolean {
  return keyPoint(publicKey) !== null;
}

/**
 * Whether `signature` (R, S; 64 bytes) is `publicKey`'s over `message`.
 *
 * Cofactorless, and R is compared as bytes and never decoded: that is what native libraries do,
 * so that a signature cannot be good on one host and bad on another.
 * @see spec/protocol/crypto.md K4 to K8
 */
export function verifySignature(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const key = keyPoint(publicKey);
  if (key === null) return false;
  const s = littleEndian(signature.subarray(halfBytes));
  if (signature.length !== signatureBytes || s >= order) {
    mark('K6');
    return false;
  }
  const r = signature.subarray(0, halfBytes);
  const k = hashToScalar(r, publicKey, message);
  // A key's table makes the second product as quick as the first; all three inputs are public.
  const expected = Curve.BASE.multiplyUnsafe(s).subtract(key.multiplyUnsafe(k));
  if (!sameBytes(expected.toBytes(), r)) {
    mark('K7');
    return false;
  }
  mark('K8');
  return true;
}

/** Who can sign: a 32-byte public key and the act itself. */
export type Signer = {
  readonly publicKey: Uint8Array;
  /** The 64-byte signature of a message that {@link signedMessage} made. */
  readonly sign: (message: Uint8Array) => Uint8Array;
};

/** An Ed25519 signer with its key expanded once. `secretKey` is 32 bytes, as in RFC 8032. */
export function signer(secretKey: Uint8Array): Signer {
  const { scalar, prefix, publicKey } = expandKey(secretKey);
  const sign = (message: Uint8Array): Uint8Array => {
    const nonce = hashToScalar(prefix, message);
    const r = Curve.BASE.multiply(nonce).toBytes();
    const s = Curve.Fn.create(nonce + hashToScalar(r, publicKey, message) * scalar);
    mark('K9');
    return concatBytes(r, scalarBytes(s));
  };
  return { publicKey, sign };
}

/** Three 32-byte secrets: none tells anything about another, or about the seed. */
export type SeatSecrets = {
  readonly signing: Uint8Array;
  readonly vrf: Uint8Array;
  readonly salt: Uint8Array;
};

/** Derives a seat's secrets from its 32-byte seed. @see spec/protocol/crypto.md K2 */
export function seatSecrets(seed: Uint8Array): SeatSecrets {
  assert(seed.length === seedBytes, 'a seed has 32 bytes');
  mark('K2');
  const secret = (purpose: string) => hmacSha256(seed, utf8(`anwansi/1/secret/${purpose}\0`));
  return { signing: secret('signing'), vrf: secret('vrf'), salt: secret('salt') };
}

/** Everything in plain JavaScript: runs anywhere, and is the reference for faster suites. */
export const portableSuite: CryptoSuite = {
  validKey: validPublicKey,
  verify: verifySignature,
  vrfVerify,
};

/** The keys of a seat, from its 32-byte seed, in plain JavaScript. */
export function portableKeys(seed: Uint8Array): SeatKeys {
  const secrets = seatSecrets(seed);
  const { publicKey, sign } = signer(secrets.signing);
  const { publicKey: vrfPublicKey, prove: vrfProve } = vrfProver(secrets.vrf);
  const keyedHash = (bytes: Uint8Array) => hmacSha256(secrets.salt, bytes);
  return { publicKey, vrfPublicKey, sign, vrfProve, keyedHash };
}
