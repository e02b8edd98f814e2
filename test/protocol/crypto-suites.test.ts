// Goal: every host accepts the same signatures: portable, native and simulated suites agree on
// what a suite must do, and the first two agree on every (key, message, signature).
// Method: Wycheproof; triples built from known discrete logarithms and torsion; random bit flips.
import { createPublicKey, verify as verifyNatively } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mulAddUnsafe } from '@noble/curves/abstract/curve.js';
import { ed25519 } from '@noble/curves/ed25519.js';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nativeKeys, nativeSha256, nativeSuite } from '../../node/crypto.ts';
import { concatBytes, hex, unhex, utf8 } from '../../protocol/brand.ts';
import { sha256 } from '../../protocol/crypto/hash.ts';
import {
  Curve,
  decodePoint,
  type EdwardsPoint,
  hashToScalar,
  order,
  scalarBytes,
} from '../../protocol/crypto/point.ts';
import { portableKeys, portableSuite } from '../../protocol/crypto/signature.ts';
import type { CryptoSuite, SeatKeys } from '../../protocol/crypto/suite.ts';
import { possessesVrfKey, vrfPossession } from '../../protocol/crypto/vrf.ts';
import { simulatedCrypto } from '../simulation/crypto.ts';

const bytes = (text: string): Uint8Array => unhex(text)!;
const seed32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const body = fc.uint8Array({ maxLength: 100 });

function flipped(input: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(input);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
}

/** What both real suites say; a disagreement fails the test that asked. */
function verdict(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const portable = portableSuite.verify(key, message, signature);
  expect(nativeSuite.verify(key, message, signature), 'native agrees with portable').toBe(portable);
  return portable;
}

/** What the host's library says of a key that nobody has judged. */
function unjudged(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const x = Buffer.from(key).toString('base64url');
  const object = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  return verifyNatively(null, message, object, signature);
}

describe('Wycheproof', () => {
  type Case = { tcId: number; comment: string; msg: string; sig: string; result: string };
  type Group = { publicKey: { pk: string }; tests: Case[] };
  const { testGroups, numberOfTests } = JSON.parse(
    readFileSync(new URL('../vectors/wycheproof-ed25519.json', import.meta.url), 'utf8'),
  ) as { testGroups: Group[]; numberOfTests: number };
  const cases = testGroups.flatMap(({ publicKey, tests }) =>
    tests.map((one) => ({ ...one, key: publicKey.pk })),
  );

  test('is complete: 151 cases, good and bad ones', () => {
    expect(cases).toHaveLength(151);
    expect(numberOfTests).toBe(151);
    expect(cases.filter(({ result }) => result === 'valid')).toHaveLength(88);
  });

  test.each(cases)('$tcId $comment', ({ key, msg, sig, result }) => {
    expect(verdict(bytes(key), bytes(msg), bytes(sig))).toBe(result === 'valid');
  });
});

/** A point of order 8: what is left of a point of the whole curve when its prime part is gone. */
const torsion = ((): readonly EdwardsPoint[] => {
  for (let y = 2; ; y++) {
    const point = decodePoint(Uint8Array.of(y, ...new Uint8Array(31)));
    const rest = point && mulAddUnsafe(Curve, [point], [order], true);
    if (rest === null || rest.double().double().is0()) continue;
    const all = [Curve.ZERO];
    for (let index = 1; index < 8; index++) all.push(all[index - 1]!.add(rest));
    return all;
  }
})();

/** Secret scalar, nonce, and everything that a forger may bend. */
type Triple = readonly [key: Uint8Array, message: Uint8Array, signature: Uint8Array];
const scalar = 0x1234567890abcdef1234567890abcdefn;
const nonce = 0xfedcba0987654321fedcba0987654321n;

function signedWith(
  key: Uint8Array,
  r: Uint8Array,
  message: Uint8Array,
  nonceScalar = nonce,
): Triple {
  const k = hashToScalar(r, key, message);
  const s = Curve.Fn.create(nonceScalar + k * scalar);
  return [key, message, concatBytes(r, scalarBytes(s))];
}

describe('both suites, on constructed triples', () => {
  const honestKey = Curve.BASE.multiply(scalar).toBytes();
  const honestR = Curve.BASE.multiply(nonce).toBytes();
  const message = utf8('a message that somebody signed');

  test('the torsion group is what it should be', () => {
    expect(new Set(torsion.map((point) => point.toHex())).size).toBe(8);
    for (const point of torsion) expect(point.isSmallOrder()).toBe(true);
    expect(torsion[7]!.add(torsion[1]!).is0()).toBe(true);
  });

  const pairs = torsion.flatMap((_, inKey) => torsion.map((_, inR) => ({ inKey, inR })));
  test.each(pairs)('torsion $inKey in A and $inR in R: good only without any', ({ inKey, inR }) => {
    const key = Curve.BASE.multiply(scalar).add(torsion[inKey]!).toBytes();
    const r = Curve.BASE.multiply(nonce).add(torsion[inR]!).toBytes();
    const triple = signedWith(key, r, message);
    expect(verdict(...triple)).toBe(inKey === 0 && inR === 0);
    // The twin: a cofactored verifier takes all 64, so the case is one that hosts disagree on.
    expect(ed25519.verify(triple[2], triple[1], triple[0], { zip215: true })).toBe(true);
  });

  test('a mixed-order A is refused even where the equation holds byte for byte', () => {
    const key = Curve.BASE.multiply(scalar).add(torsion[1]!).toBytes();
    let held = 0;
    for (let attempt = 0; attempt < 64; attempt++) {
      const triple = signedWith(key, honestR, utf8(`attempt ${attempt}`));
      expect(verdict(...triple)).toBe(false);
      if (unjudged(...triple)) held += 1;
    }
    expect(held, 'the host alone would have accepted some').toBeGreaterThan(0);
  });

  test('a small-order A is refused: its signatures fit any message', () => {
    const r = Curve.BASE.multiply(nonce).toBytes();
    const signature = concatBytes(r, scalarBytes(nonce));
    // The twin: verifiers that do not judge keys take it, for every message.
    for (const text of [message, utf8('another')])
      expect(ed25519.verify(signature, text, Curve.ZERO.toBytes(), { zip215: true })).toBe(true);
    for (const point of torsion) {
      expect(verdict(point.toBytes(), message, signature)).toBe(false);
      expect(nativeSuite.validKey(point.toBytes())).toBe(false);
    }
  });

  // Hosts disagree on this one by their version: see the comment on `nativeSuite`.
  test('a small-order R is good only as the identity in its one encoding', () => {
    for (const [index, point] of torsion.entries()) {
      const triple = signedWith(honestKey, point.toBytes(), message, 0n);
      expect(verdict(...triple), `torsion point ${index}`).toBe(index === 0);
    }
  });

  test.each([
    ['y = p + 1', `ee${'ff'.repeat(30)}7f`],
    ['y = 1 with a sign', `01${'00'.repeat(30)}80`],
    ['y = p + 1 with a sign', `ee${'ff'.repeat(31)}`],
  ])('an R that is the identity as %s is refused', (_, r) => {
    const triple = signedWith(honestKey, bytes(r), message, 0n);
    expect(verdict(...triple)).toBe(false);
    expect(ed25519.verify(triple[2], triple[1], triple[0], { zip215: true })).toBe(true);
  });

  test('S + L, S = L and S with high bits are refused', () => {
    const [key, , signature] = signedWith(honestKey, honestR, message);
    const s = BigInt(`0x${hex(signature.slice(32).reverse())}`);
    expect(verdict(key, message, signature)).toBe(true);
    for (const wrong of [s + order, s + 2n * order, s + (1n << 253n), s + (1n << 255n), order]) {
      const text = bytes(wrong.toString(16).padStart(64, '0')).reverse();
      expect(verdict(key, message, concatBytes(signature.subarray(0, 32), text))).toBe(false);
    }
  });

  test('S = 0 is judged like any other', () => {
    // R = [-k a]B cannot be chosen after k; with the identity key it could, and that is no key.
    const zeroS = concatBytes(honestR, new Uint8Array(32));
    expect(verdict(honestKey, message, zeroS)).toBe(false);
    expect(
      verdict(Curve.ZERO.toBytes(), message, concatBytes(Curve.ZERO.toBytes(), new Uint8Array(32))),
    ).toBe(false);
  });

  test('keys and Rs that are no canonical points are refused', () => {
    const [, , signature] = signedWith(honestKey, honestR, message);
    for (let low = 0xed; low <= 0xff; low++) {
      for (const high of [0x7f, 0xff]) {
        const text = Uint8Array.of(low, ...new Uint8Array(30).fill(0xff), high);
        expect(verdict(text, message, signature)).toBe(false);
        expect(verdict(...signedWith(honestKey, text, message))).toBe(false);
        expect(nativeSuite.validKey(text)).toBe(false);
      }
    }
  });

  test('wrong lengths are refused', () => {
    const [key, , signature] = signedWith(honestKey, honestR, message);
    expect(verdict(key, message, signature.subarray(0, 63))).toBe(false);
    expect(verdict(key, message, concatBytes(signature, bytes('00')))).toBe(false);
    expect(verdict(key, message, new Uint8Array(0))).toBe(false);
    expect(verdict(key.subarray(0, 31), message, signature)).toBe(false);
    expect(verdict(concatBytes(key, bytes('00')), message, signature)).toBe(false);
    expect(verdict(new Uint8Array(0), message, signature)).toBe(false);
  });
});

describe('both suites, on random triples', () => {
  test('agree with each other under bit flips, which no signature survives', () => {
    fc.assert(
      fc.property(seed32, body, fc.nat(1_000_000), (seed, message, at) => {
        const { publicKey, sign } = nativeKeys(seed);
        const signature = sign(message);
        expect(verdict(publicKey, message, signature)).toBe(true);
        const whole = concatBytes(publicKey, signature, message);
        const bent = flipped(whole, at % (8 * whole.length));
        expect(verdict(bent.subarray(0, 32), bent.subarray(96), bent.subarray(32, 96))).toBe(false);
      }),
      { numRuns: 100 },
    );
  });

  test('agree on triples of random bytes', () => {
    const signature = fc.uint8Array({ minLength: 60, maxLength: 68 });
    fc.assert(
      fc.property(seed32, body, signature, (key, message, random) => {
        expect(verdict(key, message, random)).toBe(false);
      }),
      { numRuns: 50 },
    );
  });

  test('agree on random discrete logarithms with random torsion', () => {
    const index = fc.nat(7);
    fc.assert(
      fc.property(index, index, body, fc.bigInt({ min: 1n, max: order - 1n }), (a, b, text, r) => {
        const key = Curve.BASE.multiply(scalar).add(torsion[a]!).toBytes();
        const point = Curve.BASE.multiply(r).add(torsion[b]!).toBytes();
        expect(verdict(...signedWith(key, point, text, r))).toBe(a === 0 && b === 0);
      }),
      { numRuns: 50 },
    );
  });
});

describe('native keys and hashes', () => {
  test('are byte for byte the portable ones', () => {
    fc.assert(
      fc.property(seed32, body, (seed, message) => {
        const [portable, native] = [portableKeys(seed), nativeKeys(seed)];
        expect(native.publicKey).toEqual(portable.publicKey);
        expect(native.vrfPublicKey).toEqual(portable.vrfPublicKey);
        expect(native.sign(message)).toEqual(portable.sign(message));
        expect(native.keyedHash(message)).toEqual(portable.keyedHash(message));
        expect(native.vrfProve(message)).toEqual(portable.vrfProve(message));
        expect(nativeSha256(message)).toEqual(sha256(message));
      }),
      { numRuns: 30 },
    );
  });

  test('are plain arrays: a slice of them is a copy', () => {
    const keys = nativeKeys(new Uint8Array(32));
    for (const value of [
      nativeSha256(utf8('abc')),
      keys.publicKey,
      keys.sign(utf8('abc')),
      keys.keyedHash(utf8('abc')),
    ])
      expect(Object.getPrototypeOf(value)).toBe(Uint8Array.prototype);
  });
});

const world = simulatedCrypto(new Uint8Array(32).fill(1));
const otherWorld = simulatedCrypto(new Uint8Array(32).fill(2));
const seedOf = (index: number): Uint8Array => new Uint8Array(32).fill(index + 1);
type Host = { name: string; suite: CryptoSuite; keys: (index: number) => SeatKeys; runs: number };
const hosts: Host[] = [
  { name: 'portable', suite: portableSuite, keys: (i) => portableKeys(seedOf(i)), runs: 10 },
  { name: 'native', suite: nativeSuite, keys: (i) => nativeKeys(seedOf(i)), runs: 10 },
  { name: 'simulated', suite: world.suite, keys: world.keys, runs: 1_000 },
];

describe.each(hosts)('the $name suite', ({ suite, keys, runs }) => {
  test('accepts its own keys, and neither flipped, nor empty, nor zero ones', () => {
    const { publicKey, vrfPublicKey } = keys(0);
    expect(suite.validKey(publicKey)).toBe(true);
    expect(suite.validKey(vrfPublicKey)).toBe(true);
    expect(suite.validKey(new Uint8Array(0))).toBe(false);
    expect(suite.validKey(new Uint8Array(32))).toBe(false);
    expect(suite.validKey(publicKey.subarray(0, 31))).toBe(false);
    const distinct = Array.from({ length: 20 }, (_, index) => keys(index)).flatMap((one) => [
      hex(one.publicKey),
      hex(one.vrfPublicKey),
    ]);
    expect(new Set(distinct).size).toBe(40);
  });

  test('accepts what was signed, and nothing bent', () => {
    const [own, foreign] = [keys(0), keys(1)];
    fc.assert(
      fc.property(body, fc.nat(511), (message, bit) => {
        const signature = own.sign(message);
        expect(signature).toHaveLength(64);
        expect(own.sign(message)).toEqual(signature);
        expect(suite.verify(own.publicKey, message, signature)).toBe(true);
        expect(suite.verify(foreign.publicKey, message, signature)).toBe(false);
        expect(suite.verify(own.vrfPublicKey, message, signature)).toBe(false);
        expect(suite.verify(own.publicKey, message, flipped(signature, bit))).toBe(false);
        expect(suite.verify(own.publicKey, message, signature.subarray(1))).toBe(false);
        const longer = concatBytes(message, bytes('00'));
        expect(suite.verify(own.publicKey, longer, signature)).toBe(false);
        if (message.length === 0) return;
        const bent = flipped(message, bit % (8 * message.length));
        expect(suite.verify(own.publicKey, bent, signature)).toBe(false);
      }),
      { numRuns: runs },
    );
  });

  test('proves randomness of one key and input, and salts of one seat', () => {
    const [own, foreign] = [keys(0), keys(1)];
    fc.assert(
      fc.property(body, fc.nat(639), (input, bit) => {
        const { proof, output } = own.vrfProve(input);
        expect([proof.length, output.length]).toEqual([80, 64]);
        expect(own.vrfProve(input)).toEqual({ proof, output });
        expect(suite.vrfVerify(own.vrfPublicKey, input, proof)).toEqual(output);
        expect(suite.vrfVerify(foreign.vrfPublicKey, input, proof)).toBeNull();
        expect(suite.vrfVerify(own.publicKey, input, proof)).toBeNull();
        expect(suite.vrfVerify(own.vrfPublicKey, input, flipped(proof, bit))).toBeNull();
        expect(
          suite.vrfVerify(own.vrfPublicKey, concatBytes(input, input, proof), proof),
        ).toBeNull();
        expect(foreign.vrfProve(input).output).not.toEqual(output);
        expect(own.keyedHash(input)).toHaveLength(32);
        expect(own.keyedHash(input)).not.toEqual(foreign.keyedHash(input));
      }),
      { numRuns: Math.min(runs, 300) },
    );
  });

  test('proves possession of a VRF key', () => {
    const [own, foreign] = [keys(0), keys(1)];
    const proof = vrfPossession(own);
    expect(possessesVrfKey(suite, own.publicKey, own.vrfPublicKey, proof)).toBe(true);
    expect(possessesVrfKey(suite, foreign.publicKey, own.vrfPublicKey, proof)).toBe(false);
  });
});

describe('a simulated world', () => {
  test('is the same from the same seed, and a stranger to every other', () => {
    const again = simulatedCrypto(new Uint8Array(32).fill(1)).keys(0);
    const here = world.keys(0);
    const there = otherWorld.keys(0);
    expect(again.publicKey).toEqual(here.publicKey);
    expect(again.sign(utf8('m'))).toEqual(here.sign(utf8('m')));
    expect(world.suite.validKey(there.publicKey)).toBe(false);
    expect(otherWorld.suite.verify(here.publicKey, utf8('m'), here.sign(utf8('m')))).toBe(false);
  });

  test('mixes: one bit of a message changes about half of all bits, and nothing repeats', () => {
    const { sign } = world.keys(0);
    const seen = new Set<string>();
    let changedBits = 0;
    for (let bit = 0; bit < 2_048; bit++) {
      const signature = sign(flipped(new Uint8Array(256), bit));
      seen.add(hex(signature));
      const zeroes = sign(new Uint8Array(256));
      for (const [at, byte] of signature.entries())
        for (let rest = byte ^ zeroes[at]!; rest > 0; rest >>= 1) changedBits += rest & 1;
    }
    expect(seen.size).toBe(2_048);
    expect(Math.abs(changedBits / (2_048 * 512) - 0.5)).toBeLessThan(0.01);
  });
});
