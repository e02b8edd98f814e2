// Goal: hashes, keys, signatures, VRF proofs and streams follow spec/protocol/crypto.md.
// Method: laws over random inputs, the examples of the RFCs, and a second computation by the
// host's own library; each check has a twin that must fail.
import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AssertionError } from '../../protocol/assert.ts';
import { concatBytes, hex, unhex, utf8 } from '../../protocol/brand.ts';
import { hash, hmacSha256, installSha256, sha256 } from '../../protocol/crypto/hash.ts';
import { Curve, decodePoint, order } from '../../protocol/crypto/point.ts';
import { recent } from '../../protocol/crypto/recent.ts';
import {
  portableKeys,
  portableSuite,
  seatSecrets,
  signedMessage,
  signer,
  validPublicKey,
  verifySignature,
} from '../../protocol/crypto/signature.ts';
import { stream } from '../../protocol/crypto/stream.ts';
import { possessesVrfKey, vrfPossession, vrfProve, vrfVerify } from '../../protocol/crypto/vrf.ts';
import { reachEveryLine } from '../support/lines.ts';

reachEveryLine('crypto');

const bytes = (text: string): Uint8Array => unhex(text)!;
const host = (input: Uint8Array): string => createHash('sha256').update(input).digest('hex');
const digest = fc.uint8Array({ minLength: 32, maxLength: 32 });
const body = fc.uint8Array({ maxLength: 100 });

function flipped(input: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(input);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
}

describe('hash', () => {
  test('is SHA-256 of the tag and of each part behind its length', () => {
    const number = '0001000000000002';
    const expected = host(
      concatBytes(
        utf8('anwansi/1/job\0'),
        bytes('00000002abcd'),
        bytes('00000001'),
        utf8('x'),
        bytes(`00000008${number}`),
      ),
    );
    expect(hex(hash('job', bytes('abcd'), 'x', 2 ** 48 + 2))).toBe(expected);
  });

  test('keeps domains and the borders of parts apart', () => {
    expect(hash('job', 'ab', 'c')).not.toEqual(hash('job', 'a', 'bc'));
    expect(hash('job', 'abc')).not.toEqual(hash('header', 'abc'));
    expect(hash('job', 'abc')).not.toEqual(hash('job', 'abc', ''));
  });

  test('refuses a backend that does not know SHA-256, and numbers that are not exact', () => {
    expect(() => installSha256((input) => sha256(flipped(input, 0)))).toThrow(AssertionError);
    expect(() => hash('job', 2 ** 53)).toThrow(AssertionError);
    expect(() => hash('job', -1)).toThrow(AssertionError);
  });

  test('HMAC answers RFC 4231 test case 2', () => {
    expect(hex(hmacSha256(utf8('Jefe'), utf8('what do ya want for nothing?')))).toBe(
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    );
  });
});

describe('keys of a seat', () => {
  test('come from three secrets that the host derives alike', () => {
    fc.assert(
      fc.property(digest, (seed) => {
        const derived = Object.entries(seatSecrets(seed)).map(([name, value]) => [
          name,
          hex(value),
        ]);
        const expected = ['signing', 'vrf', 'salt'].map((name) => [
          name,
          createHmac('sha256', seed).update(`anwansi/1/secret/${name}\0`).digest('hex'),
        ]);
        expect(derived).toEqual(expected);
      }),
    );
  });

  test('are deterministic, and different for each seed and purpose', () => {
    const one = portableKeys(new Uint8Array(32));
    const again = portableKeys(new Uint8Array(32));
    const other = portableKeys(flipped(new Uint8Array(32), 255));
    expect(hex(one.publicKey)).toBe(hex(again.publicKey));
    expect(one.sign(utf8('m'))).toEqual(again.sign(utf8('m')));
    const all = [one.publicKey, one.vrfPublicKey, other.publicKey, other.vrfPublicKey].map(hex);
    expect(new Set(all).size).toBe(4);
    expect(one.keyedHash(utf8('m'))).not.toEqual(other.keyedHash(utf8('m')));
    expect(one.keyedHash(utf8('m'))).not.toEqual(one.keyedHash(utf8('n')));
  });

  test('refuse a seed of another length', () => {
    expect(() => portableKeys(new Uint8Array(31))).toThrow(AssertionError);
  });
});

describe('signedMessage', () => {
  test('is the tag, the network and the digest of the body', () => {
    const network = new Uint8Array(32).fill(7);
    const message = signedMessage('vote-notar', network, utf8('body'));
    const expected = concatBytes(
      utf8('anwansi/1/sign/vote-notar\0'),
      network,
      bytes(host(utf8('body'))),
    );
    expect(hex(message)).toBe(hex(expected));
  });

  test('is longer than 32 bytes, and differs with purpose, network and body', () => {
    fc.assert(
      fc.property(digest, body, fc.nat(255), (network, text, bit) => {
        const message = signedMessage('job', network, text);
        expect(message.length).toBeGreaterThan(32);
        expect(signedMessage('commit', network, text)).not.toEqual(message);
        expect(signedMessage('job', flipped(network, bit), text)).not.toEqual(message);
        expect(signedMessage('job', network, concatBytes(text, bytes('00')))).not.toEqual(message);
      }),
    );
    expect(() => signedMessage('job', new Uint8Array(31), utf8('body'))).toThrow(AssertionError);
  });
});

describe('signatures', () => {
  test.each([
    [
      '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
      'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
      '',
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155' +
        '5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    ],
    [
      '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
      '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
      '72',
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da' +
        '085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    ],
    [
      'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
      'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
      'af82',
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac' +
        '18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    ],
  ])('answer RFC 8032 section 7.1: %s', (secret, publicKey, message, signature) => {
    const { publicKey: own, sign } = signer(bytes(secret));
    expect(hex(own)).toBe(publicKey);
    expect(hex(sign(bytes(message)))).toBe(signature);
    expect(verifySignature(own, bytes(message), bytes(signature))).toBe(true);
  });

  test('hold for what was signed and for nothing else', () => {
    fc.assert(
      fc.property(digest, body, fc.nat(511), (secret, message, bit) => {
        const { publicKey, sign } = signer(secret);
        const signature = sign(message);
        expect(verifySignature(publicKey, message, signature)).toBe(true);
        expect(verifySignature(publicKey, message, flipped(signature, bit))).toBe(false);
        expect(verifySignature(publicKey, concatBytes(message, bytes('00')), signature)).toBe(
          false,
        );
        expect(verifySignature(flipped(publicKey, bit >> 1), message, signature)).toBe(false);
      }),
      { numRuns: 30 },
    );
  });

  test('stay right when the key is used often enough to get a table', () => {
    const { publicKey, sign } = signer(new Uint8Array(32).fill(3));
    for (let use = 0; use < 20; use++) {
      const message = utf8(`message ${use}`);
      expect(verifySignature(publicKey, message, sign(message))).toBe(true);
      expect(verifySignature(publicKey, message, sign(utf8('another')))).toBe(false);
    }
  });

  test('refuse other lengths without an exception', () => {
    const { publicKey, sign } = signer(new Uint8Array(32).fill(3));
    const signature = sign(utf8('m'));
    const longer = concatBytes(signature, bytes('00'));
    expect(verifySignature(publicKey, utf8('m'), signature.subarray(1))).toBe(false);
    expect(verifySignature(publicKey, utf8('m'), signature.subarray(0, 63))).toBe(false);
    expect(verifySignature(publicKey, utf8('m'), longer)).toBe(false);
    expect(verifySignature(publicKey, utf8('m'), new Uint8Array(0))).toBe(false);
    expect(verifySignature(publicKey.subarray(1), utf8('m'), signature)).toBe(false);
    expect(verifySignature(concatBytes(publicKey, bytes('00')), utf8('m'), signature)).toBe(false);
  });
});

describe('public keys', () => {
  const p = 2n ** 255n - 19n;
  const encoding = (y: bigint, sign = 0n): Uint8Array =>
    bytes((y | (sign << 255n)).toString(16).padStart(64, '0')).reverse();

  test('are valid on the base point, and invalid as identity and small order', () => {
    expect(validPublicKey(Curve.BASE.toBytes())).toBe(true);
    expect(validPublicKey(encoding(1n))).toBe(false);
    expect(validPublicKey(encoding(p - 1n))).toBe(false);
    expect(validPublicKey(encoding(0n))).toBe(false);
  });

  test('are invalid off the curve', () => {
    const offCurve = encoding(2n);
    expect(decodePoint(offCurve)).toBeNull();
    expect(validPublicKey(offCurve)).toBe(false);
  });

  test('have one encoding: y below p, and no sign on x = 0', () => {
    for (let y = 0n; y < 19n; y++) expect(decodePoint(encoding(p + y)), `p + ${y}`).toBeNull();
    expect(decodePoint(encoding(1n, 1n))).toBeNull();
    expect(decodePoint(encoding(p - 1n, 1n))).toBeNull();
    expect(decodePoint(encoding(1n))).not.toBeNull();
    expect(decodePoint(encoding(p - 1n))).not.toBeNull();
  });

  test('are invalid with a torsion part', () => {
    const mixed = Curve.BASE.add(Curve.fromBytes(encoding(p - 1n)));
    expect(validPublicKey(mixed.toBytes())).toBe(false);
    expect(validPublicKey(mixed.double().toBytes())).toBe(true);
  });
});

describe('VRF', () => {
  type Vector = { sk: string; pk: string; alpha: string; pi: string; beta: string };
  const { vectors } = JSON.parse(
    readFileSync(new URL('../vectors/rfc9381-ecvrf-tai.json', import.meta.url), 'utf8'),
  ) as { vectors: Vector[] };

  test('has the three examples of RFC 9381', () => expect(vectors).toHaveLength(3));

  test.each(vectors)('answers RFC 9381 appendix B.3, alpha "$alpha"', (vector) => {
    const { proof, output } = vrfProve(bytes(vector.sk), bytes(vector.alpha));
    expect(hex(proof)).toBe(vector.pi);
    expect(hex(output)).toBe(vector.beta);
    const verified = vrfVerify(bytes(vector.pk), bytes(vector.alpha), bytes(vector.pi));
    expect(verified && hex(verified)).toBe(vector.beta);
    for (let bit = 0; bit < 640; bit += 29)
      expect(vrfVerify(bytes(vector.pk), bytes(vector.alpha), flipped(proof, bit))).toBeNull();
  });

  test('proves its output for one key and one input', () => {
    fc.assert(
      fc.property(digest, body, fc.nat(639), (seed, alpha, bit) => {
        const { vrfPublicKey, vrfProve: prove } = portableKeys(seed);
        const { proof, output } = prove(alpha);
        expect(proof).toHaveLength(80);
        expect(output).toHaveLength(64);
        expect(vrfVerify(vrfPublicKey, alpha, proof)).toEqual(output);
        expect(vrfVerify(vrfPublicKey, alpha, flipped(proof, bit))).toBeNull();
        expect(vrfVerify(vrfPublicKey, concatBytes(alpha, bytes('00')), proof)).toBeNull();
        expect(vrfVerify(flipped(vrfPublicKey, bit % 256), alpha, proof)).toBeNull();
      }),
      { numRuns: 20 },
    );
  });

  test('refuses other lengths, s >= L, and keys that may not be registered', () => {
    const { vrfPublicKey, vrfProve: prove } = portableKeys(new Uint8Array(32));
    const { proof } = prove(utf8('a'));
    const s = BigInt(`0x${hex(proof.slice(48).reverse())}`);
    const larger = bytes((s + order).toString(16).padStart(64, '0')).reverse();
    const identity = Curve.ZERO.toBytes();
    expect(vrfVerify(vrfPublicKey, utf8('a'), concatBytes(proof.slice(0, 48), larger))).toBeNull();
    expect(vrfVerify(vrfPublicKey, utf8('a'), proof.slice(0, 79))).toBeNull();
    expect(vrfVerify(vrfPublicKey, utf8('a'), proof.slice(0, 20))).toBeNull();
    expect(vrfVerify(vrfPublicKey, utf8('a'), concatBytes(proof, bytes('00')))).toBeNull();
    expect(vrfVerify(identity, utf8('a'), proof)).toBeNull();
    expect(vrfVerify(vrfPublicKey, utf8('a'), proof)).not.toBeNull();
  });

  test('possession of a VRF key is proved for one signing key', () => {
    const keys = portableKeys(new Uint8Array(32));
    const thief = portableKeys(new Uint8Array(32).fill(1));
    const proof = vrfPossession(keys);
    const holds = (publicKey: Uint8Array, vrfPublicKey: Uint8Array): boolean =>
      possessesVrfKey(portableSuite, publicKey, vrfPublicKey, proof);
    expect(holds(keys.publicKey, keys.vrfPublicKey)).toBe(true);
    expect(holds(thief.publicKey, keys.vrfPublicKey)).toBe(false);
    expect(holds(keys.publicKey, thief.vrfPublicKey)).toBe(false);
  });
});

describe('stream', () => {
  const words = (seed: Uint8Array, count: number): number[] =>
    Array.from({ length: count }, (_, index) => {
      const block = new Uint8Array(40);
      block.set(seed);
      new DataView(block.buffer).setBigUint64(32, BigInt(index >> 3));
      return createHash('sha256')
        .update(block)
        .digest()
        .readUInt32BE((index & 7) * 4);
    });

  test('gives the words that the host computes', () => {
    fc.assert(
      fc.property(digest, (seed) => {
        const { below } = stream(seed);
        expect(Array.from({ length: 20 }, () => below(2 ** 32))).toEqual(words(seed, 20));
      }),
    );
  });

  test('skips the words that would make some integers likelier', () => {
    fc.assert(
      fc.property(digest, fc.integer({ min: 1, max: 2 ** 32 }), (seed, n) => {
        const { below } = stream(seed);
        const limit = 2 ** 32 - (2 ** 32 % n);
        const kept = words(seed, 200).filter((word) => word < limit);
        expect(Array.from({ length: 10 }, () => below(n))).toEqual(
          kept.slice(0, 10).map((word) => word % n),
        );
      }),
    );
  });

  test('skips the least of the words that must be skipped', () => {
    // A word w above 2^31 is the limit of draws below w: 2^32 mod w is then 2^32 - w.
    const seeds = Array.from({ length: 20 }, (_, index) => hash('noise', index));
    const high = seeds.filter((seed) => words(seed, 1)[0]! > 2 ** 31);
    expect(high.length).toBeGreaterThan(3);
    for (const seed of high) {
      const [limit, ...rest] = words(seed, 20) as [number, ...number[]];
      expect(stream(seed).below(limit)).toBe(rest.find((word) => word < limit));
      expect(stream(seed).below(limit + 1)).toBe(limit);
    }
  });

  test('refuses empty, broken and too large ranges, and seeds that are no digests', () => {
    const { below, shuffled } = stream(new Uint8Array(32));
    for (const n of [0, -1, 1.5, 2 ** 32 + 1, Number.NaN])
      expect(() => below(n), `${n}`).toThrow(AssertionError);
    for (const n of [-1, 1.5, 2 ** 20 + 1]) expect(() => shuffled(n)).toThrow(AssertionError);
    expect(() => stream(new Uint8Array(31))).toThrow(AssertionError);
  });

  test('shuffles: every integer once, the same from the same seed', () => {
    fc.assert(
      fc.property(digest, fc.nat(200), (seed, n) => {
        const shuffled = stream(seed).shuffled(n);
        expect(shuffled).toEqual(stream(seed).shuffled(n));
        expect(shuffled.toSorted((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
      }),
    );
  });

  test('reaches all orders about equally often', () => {
    const { shuffled } = stream(hash('noise', 'all orders'));
    const counts = new Map<string, number>();
    for (let round = 0; round < 6_000; round++) {
      const key = shuffled(3).join('');
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    // A fixed seed: 1 000 each, standard deviation 29.
    expect(counts.size).toBe(6);
    for (const count of counts.values()) expect(Math.abs(count - 1_000)).toBeLessThan(120);
  });
});

describe('recent', () => {
  test('forgets what was used longest ago, and no more than it must', () => {
    const memory = recent<number>(2);
    memory.set('a', 1);
    memory.set('b', 2);
    expect(memory.get('a')).toBe(1);
    memory.set('c', 3);
    expect([memory.get('a'), memory.get('b'), memory.get('c')]).toEqual([1, undefined, 3]);
    expect(memory.count()).toBe(2);
    expect(() => recent(0)).toThrow(AssertionError);
  });
});
