// Goal: a VRF output is unique although its proof is not, so nobody may hash a proof (K14).
// Method: a prover who knows the secret bends Gamma by torsion until the challenge forgives it.
import { ed25519 } from '@noble/curves/ed25519.js';
import { expect, test } from 'vitest';
import { concatBytes, hex, utf8 } from '../../protocol/brand.ts';
import {
  Curve,
  decodePoint,
  littleEndian,
  scalarBytes,
  sha512Of,
} from '../../protocol/crypto/point.ts';
import { vrfProve, vrfVerify } from '../../protocol/crypto/vrf.ts';

test('proofs with torsion in Gamma verify now and then, and always to the same output', () => {
  const secretKey = new Uint8Array(32).fill(5);
  const alpha = utf8('input');
  const { scalar, pointBytes: key } = ed25519.utils.getExtendedPublicKey(secretKey);
  const honest = vrfProve(secretKey, alpha);
  const gamma = decodePoint(honest.proof.subarray(0, 32))!;
  const point = gamma.multiply(Curve.Fn.inv(scalar));
  const orderTwo = Curve.fromAffine({ x: 0n, y: Curve.Fp.ORDER - 1n });
  const bent = gamma.add(orderTwo).toBytes();

  const verdicts = Array.from({ length: 24 }, (_, index) => {
    const nonce = BigInt(index + 1);
    const [u, v] = [Curve.BASE.multiply(nonce).toBytes(), point.multiply(nonce).toBytes()];
    const front = Uint8Array.of(3, 2);
    const text = sha512Of(front, key, point.toBytes(), bent, u, v, Uint8Array.of(0));
    const challenge = text.subarray(0, 16);
    const c = littleEndian(challenge);
    const s = scalarBytes(Curve.Fn.create(nonce + c * scalar));
    const proof = concatBytes(bent, challenge, s);
    return { even: c % 2n === 0n, proof, output: vrfVerify(key, alpha, proof) };
  });

  for (const { even, output } of verdicts)
    expect(output && hex(output)).toBe(even ? hex(honest.output) : null);
  const good = verdicts.filter(({ output }) => output !== null);
  expect(good.length).toBeGreaterThan(1);
  expect(good.length).toBeLessThan(24);
  expect(new Set(good.map(({ proof }) => hex(proof))).size).toBe(good.length);
});
