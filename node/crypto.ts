/** Check and make signatures with the host's own library; the answers are the portable ones. */
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  hash,
  type KeyObject,
  sign as signNatively,
  verify as verifyNatively,
} from 'node:crypto';
import { concatBytes, hex, sameBytes, unhex } from '../protocol/brand.ts';
import { type Recent, recent } from '../protocol/crypto/recent.ts';
import { seatSecrets, validPublicKey, verifySignature } from '../protocol/crypto/signature.ts';
import type { CryptoSuite, SeatKeys } from '../protocol/crypto/suite.ts';
import { vrfProver, vrfVerify } from '../protocol/crypto/vrf.ts';
import { publicKeyBytes, seatCountMax, signatureBytes } from '../protocol/params.ts';

/** Key objects kept: one for each seat of the largest epoch, and as many for submitters. */
const keyObjectCountMax = 2 * seatCountMax;
/** DER in front of a raw Ed25519 key (RFC 8410): a public one, and a secret one. */
const publicFront = unhex('302a300506032b6570032100')!;
const secretFront = unhex('302e020100300506032b657004220420')!;
/** The neutral element: the one point of small order that a good signature may have as R. */
const identity = Uint8Array.of(1, ...new Uint8Array(31));

const keyObjects: Recent<KeyObject> = recent(keyObjectCountMax);

/** SHA-256 by the host. */
export function nativeSha256(bytes: Uint8Array): Uint8Array {
  // A short text costs the host a third of what a Buffer does.
  const text = hash('sha256', bytes, 'binary');
  const digest = new Uint8Array(32);
  for (let at = 0; at < digest.length; at++) digest[at] = text.charCodeAt(at);
  return digest;
}

/**
 * The suite of a node. Keys are judged, and VRF proofs checked, by the portable code.
 *
 * Hosts differ on an R of small order: Node 24.21 refuses it, older ones compare it as they
 * compare any other (nodejs/node#64026). For a key of prime order the rule can hold with one such
 * R only, so that one is left to the portable code and every host gives the same answer.
 */
export const nativeSuite: CryptoSuite = {
  validKey: validPublicKey,
  verify: (publicKey, message, signature) => {
    if (signature.length !== signatureBytes) return false;
    if (sameBytes(signature.subarray(0, identity.length), identity))
      return verifySignature(publicKey, message, signature);
    const key = publicKeyObject(publicKey);
    return key !== null && verifyNatively(null, message, key, signature);
  },
  vrfVerify,
};

/** Answers that a remembering suite keeps: a block's worth of signatures, and some blocks. */
const answerCountMax = 16_384;

/**
 * A suite that remembers its latest answers. A message is checked by its judge, by whoever counts
 * it, and again in a certificate or a block: one check is enough, because checking is pure.
 */
export function rememberingSuite(suite: CryptoSuite): CryptoSuite {
  const signatures = recent<boolean>(answerCountMax);
  const outputs = recent<{ readonly output: Uint8Array | null }>(answerCountMax);
  return {
    validKey: suite.validKey,
    verify: (publicKey, message, signature) => {
      const question = name(publicKey, message, signature);
      let answer = signatures.get(question);
      if (answer === undefined) {
        answer = suite.verify(publicKey, message, signature);
        signatures.set(question, answer);
      }
      return answer;
    },
    vrfVerify: (publicKey, input, proof) => {
      const question = name(publicKey, input, proof);
      let answer = outputs.get(question);
      if (answer === undefined) {
        answer = { output: suite.vrfVerify(publicKey, input, proof) };
        outputs.set(question, answer);
      }
      return answer.output;
    },
  };
}

/** All bytes of a question, with their lengths: two questions never share a name. */
function name(...parts: readonly Uint8Array[]): string {
  return parts
    .map((part) => {
      const { buffer, byteOffset, byteLength } = part;
      return `${byteLength}:${Buffer.from(buffer, byteOffset, byteLength).toString('latin1')}`;
    })
    .join('');
}

/** The keys of a seat, from its 32-byte seed: byte for byte what `portableKeys` gives. */
export function nativeKeys(seed: Uint8Array): SeatKeys {
  const secrets = seatSecrets(seed);
  const key = createPrivateKey({
    key: Buffer.from(concatBytes(secretFront, secrets.signing)),
    format: 'der',
    type: 'pkcs8',
  });
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  const { publicKey: vrfPublicKey, prove: vrfProve } = vrfProver(secrets.vrf);
  return {
    publicKey: plain(spki.subarray(-publicKeyBytes)),
    vrfPublicKey,
    sign: (message) => plain(signNatively(null, message, key)),
    vrfProve,
    keyedHash: (bytes) => plain(createHmac('sha256', secrets.salt).update(bytes).digest()),
  };
}

function publicKeyObject(publicKey: Uint8Array): KeyObject | null {
  const name = hex(publicKey);
  const known = keyObjects.get(name);
  if (known !== undefined) return known;
  if (!validPublicKey(publicKey)) return null;
  const key = createPublicKey({
    key: Buffer.from(concatBytes(publicFront, publicKey)),
    format: 'der',
    type: 'spki',
  });
  keyObjects.set(name, key);
  return key;
}

/** A plain array of its own: a Buffer's `slice` is a view, and may keep a shared pool alive. */
function plain(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer);
}
