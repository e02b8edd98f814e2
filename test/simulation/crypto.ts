/** Stand in for cryptography in a simulated world: keyed hashes that only the world can make. */
import { assert } from '../../protocol/assert.ts';
import { concatBytes, sameBytes, utf8 } from '../../protocol/brand.ts';
import { hmacSha256 } from '../../protocol/crypto/hash.ts';
import type { CryptoSuite, SeatKeys } from '../../protocol/crypto/suite.ts';
import {
  digestBytes,
  publicKeyBytes,
  signatureBytes,
  vrfProofBytes,
} from '../../protocol/params.ts';

/** What is hashed, as the first word of every hash: no two purposes share an answer. */
const purposes = {
  signingKey: 1,
  vrfKey: 2,
  keyCheck: 3,
  signature: 4,
  proof: 5,
  output: 6,
  salt: 7,
} as const;
type Purpose = keyof typeof purposes;

/** Bytes of a key that name it; the rest prove that the world made it. */
const keyNameBytes = 16;
const vrfOutputBytes = 64;

/**
 * The cryptography of one simulated world, a few microseconds a call.
 *
 * Not cryptography: a 128-bit mixing function under a secret of the world. Nobody forges, because
 * a seat in the simulation, honest or not, is handed `keys` of its own and nothing else.
 * Keys that the world did not make are invalid, as almost all byte strings are in the real suite,
 * and verify nothing because nobody holds a signature of theirs.
 */
export function simulatedCrypto(worldSeed: Uint8Array): {
  readonly suite: CryptoSuite;
  readonly keys: (index: number) => SeatKeys;
} {
  const secret = words(hmacSha256(worldSeed, utf8('anwansi/1/simulated\0')));
  const tag = (purpose: Purpose, length: number, ...parts: readonly Uint8Array[]): Uint8Array =>
    mixed(secret, purposes[purpose], length, parts);

  const key = (purpose: 'signingKey' | 'vrfKey', index: number): Uint8Array => {
    const name = tag(purpose, keyNameBytes, wordBytes(index));
    return concatBytes(name, tag('keyCheck', publicKeyBytes - keyNameBytes, name));
  };
  const validKey = (publicKey: Uint8Array): boolean => {
    if (publicKey.length !== publicKeyBytes) return false;
    const name = publicKey.subarray(0, keyNameBytes);
    return sameBytes(
      publicKey.subarray(keyNameBytes),
      tag('keyCheck', publicKeyBytes - keyNameBytes, name),
    );
  };
  const proves = (publicKey: Uint8Array, input: Uint8Array, proof: Uint8Array): boolean =>
    sameBytes(proof, tag('proof', vrfProofBytes, publicKey, input));

  const suite: CryptoSuite = {
    validKey,
    verify: (publicKey, message, signature) =>
      sameBytes(signature, tag('signature', signatureBytes, publicKey, message)),
    vrfVerify: (publicKey, input, proof) =>
      proves(publicKey, input, proof) ? tag('output', vrfOutputBytes, publicKey, input) : null,
  };
  const keys = (index: number): SeatKeys => {
    const publicKey = key('signingKey', index);
    const vrfPublicKey = key('vrfKey', index);
    return {
      publicKey,
      vrfPublicKey,
      sign: (message) => tag('signature', signatureBytes, publicKey, message),
      vrfProve: (input) => ({
        proof: tag('proof', vrfProofBytes, vrfPublicKey, input),
        output: tag('output', vrfOutputBytes, vrfPublicKey, input),
      }),
      keyedHash: (bytes) => tag('salt', digestBytes, publicKey, bytes),
    };
  };
  return { suite, keys };
}

function words(bytes: Uint8Array): Int32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Int32Array.from({ length: bytes.length / 4 }, (_, index) => view.getInt32(4 * index));
}

function wordBytes(value: number): Uint8Array {
  assert(Number.isSafeInteger(value) && value >= 0 && value < 2 ** 32, 'an index is one word');
  return Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
}

/**
 * `length` bytes that depend on every bit of the secret, the purpose and the parts.
 *
 * The mixing steps and constants are those of MurmurHash3: each step is a bijection of 128 bits of
 * state for a given word, and differs for different words.
 */
function mixed(
  secret: Int32Array,
  purpose: number,
  length: number,
  parts: readonly Uint8Array[],
): Uint8Array {
  let [a, b, c, d] = secret as unknown as [number, number, number, number];
  const absorb = (word: number): void => {
    const scrambled = Math.imul(rotated(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593);
    const first = (Math.imul((rotated(a ^ scrambled, 13) + b) | 0, 5) + 0xe6546b64) | 0;
    [a, b, c, d] = [b, c, d, first];
  };
  absorb(purpose);
  for (const part of parts) {
    // Lengths go in as well, so that parts cannot run into one another.
    absorb(part.length);
    let at = 0;
    for (; at + 4 <= part.length; at += 4)
      absorb(part[at]! | (part[at + 1]! << 8) | (part[at + 2]! << 16) | (part[at + 3]! << 24));
    let rest = 0;
    for (let shift = 0; at < part.length; at++, shift += 8) rest |= part[at]! << shift;
    absorb(rest);
  }
  for (let round = 4; round < 8; round++) absorb(secret[round]!);

  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 4) {
    absorb(at);
    const word = final(a ^ rotated(b, 7) ^ rotated(c, 14) ^ d);
    for (let byte = 0; byte < 4; byte++) bytes[at + byte] = word >>> (8 * byte);
  }
  return bytes;
}

function rotated(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}

function final(word: number): number {
  let mix = word ^ (word >>> 16);
  mix = Math.imul(mix, 0x85ebca6b);
  mix ^= mix >>> 13;
  mix = Math.imul(mix, 0xc2b2ae35);
  return mix ^ (mix >>> 16);
}
