// Goal: no bit of a state proof is free.
// Method: every single-bit flip of proofs of presence, of absence in an empty place and of absence
// beside a stranger; the quick tests take a sample of them.
import { expect, test } from 'vitest';
import { utf8 } from '../../protocol/brand.ts';
import { hash } from '../../protocol/crypto/hash.ts';
import { stateKeys } from '../../protocol/ledger/state.ts';
import type { StateProof } from '../../protocol/receipt/state-proof.ts';
import { stateProofCodec } from '../../protocol/receipt/state-proof.ts';
import { auditOf, emptyWorld, proofOf } from '../support/state-proof-scene.ts';

const world = emptyWorld(4, 6);

/** The proof of the first absent key that ends as asked. */
function absent(besideStranger: boolean): StateProof {
  for (let turn = 0; ; turn++) {
    const proof = proofOf(world, stateKeys.account(hash('dev', 'nobody', turn)));
    if ((proof.mapProof.other !== null) === besideStranger) return proof;
  }
}

test.each<[string, StateProof]>([
  ['an account', proofOf(world, stateKeys.account(world.keys.account(0).publicKey))],
  ['a short key that is not there', proofOf(world, utf8('x'))],
  ['a key in an empty place', absent(false)],
  ['a key beside a stranger', absent(true)],
])('every bit of the proof of %s', (_, proof) => {
  const bytes = stateProofCodec.encode(proof);
  expect(auditOf(world, bytes).verdict).toBe('verified');
  const flipped = bytes.slice();
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    if (auditOf(world, flipped).verdict === 'verified') expect.fail(`bit ${bit} is free`);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
  }
});
