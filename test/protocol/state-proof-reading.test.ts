// Goal: a state proof is read only as it was written, and issued only of what fits together.
// Method: one proof and what is nearly it; a store that lacks this or that.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AssertionError } from '../../protocol/assert.ts';
import { concatBytes, utf8 } from '../../protocol/brand.ts';
import { headerHash } from '../../protocol/ledger/header.ts';
import { stateKeys } from '../../protocol/ledger/state.ts';
import { mapGet, mapUpdate } from '../../protocol/merkle/map.ts';
import { issueReceipt } from '../../protocol/receipt/issue.ts';
import { proofKindOf } from '../../protocol/receipt/kind.ts';
import { parseReceipt } from '../../protocol/receipt/receipt.ts';
import { auditStateProof, stateChecks } from '../../protocol/receipt/state-audit.ts';
import {
  issueStateProof,
  stateKeyBytesMax,
  stateProofBytesMax,
  stateProofCodec,
} from '../../protocol/receipt/state-proof.ts';
import { devTrust } from '../../protocol/receipt/trust.ts';
import { fakeWorld, smallProgram } from '../support/ledger-world.ts';
import { reachEveryLine } from '../support/lines.ts';
import { codeOf, scene } from '../support/receipt-scene.ts';
import {
  auditOf,
  emptyWorld,
  othersThan,
  piecesOf,
  proofOf,
} from '../support/state-proof-scene.ts';

reachEveryLine('receipt', othersThan('V59', 'V60', 'V61', 'V62', 'V63', 'V64'));

const world = emptyWorld(4, 6);
const account = stateKeys.account(world.keys.account(0).publicKey);

describe('bytes', () => {
  const honest = stateProofCodec.encode(proofOf(world, account));
  const front = 2 + 'anwansi-state-proof'.length;
  const version = (...given: number[]): Uint8Array =>
    Uint8Array.from([...honest.subarray(0, front), ...given, ...honest.subarray(front + 1)]);
  const told = (given: Uint8Array): string => {
    const { verdict, code, proof, findings } = auditOf(world, given);
    expect(proof).toBeNull();
    expect(findings.map(({ check }) => check)).toEqual(stateChecks);
    return `${verdict} ${code}`;
  };

  test('that do not begin like a state proof are none', () => {
    const none = [new Uint8Array(), utf8('a text'), honest.subarray(0, front), honest.subarray(1)];
    for (const given of none) {
      expect(told(given)).toBe('cannot-tell STATE_PROOF_NOT_A_PROOF');
      expect(proofKindOf(given)).toBeNull();
    }
    const receipt = scene({ seats: 4 }).bytes;
    expect(told(receipt)).toBe('cannot-tell STATE_PROOF_NOT_A_PROOF');
    expect(proofKindOf(receipt)).toBe('receipt');
    expect(proofKindOf(honest)).toBe('state-proof');
    expect(codeOf(() => parseReceipt(honest))).toBe('RECEIPT_NOT_A_RECEIPT');
  });

  test('of another version cannot be told', () => {
    for (const given of [version(0), version(2), version(23), version(24, 99), version(25, 1, 0)]) {
      expect(told(given)).toBe('cannot-tell STATE_PROOF_VERSION');
      expect(proofKindOf(given)).toBe('state-proof');
    }
  });

  test('that are not the one encoding are refuted', () => {
    const others = [
      version(24, 1),
      honest.subarray(0, -1),
      Uint8Array.from([...honest, 0]),
      Uint8Array.from([0x8a, ...honest.subarray(1), 0]),
      concatBytes(honest, new Uint8Array(stateProofBytesMax)),
    ];
    for (const given of others) expect(told(given)).toBe('refuted STATE_PROOF_MALFORMED');
  });

  test('whatever they are give an audit that verifies nothing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(honest.length), (noise, at) => {
        const spliced = Uint8Array.from([...honest.subarray(0, at), ...noise]);
        expect(auditStateProof(spliced, devTrust).verdict).not.toBe('verified');
      }),
      { numRuns: 200 },
    );
  });
});

describe('issuing', () => {
  test('is refused without a certificate, for a long key, and without the history', () => {
    const whole = piecesOf(world, account);
    const codes = (change: Partial<typeof whole> | { certificate: null }): string =>
      codeOf(() => issueStateProof({ ...whole, ...change }));
    expect(codes({})).toBe('nothing');
    expect(codes({ certificate: null })).toBe('STATE_PROOF_NOTHING_FINAL');
    expect(codes({ key: new Uint8Array(stateKeyBytesMax) })).toBe('nothing');
    expect(codes({ key: new Uint8Array(stateKeyBytesMax + 1) })).toBe('STATE_PROOF_KEY_TOO_LONG');
    const history = { hash: () => null, subtree: () => null };
    expect(codes({ history })).toBe('STATE_PROOF_PIECE_MISSING');
  });

  test('of what does not fit together is a bug, and stops', () => {
    const whole = piecesOf(world, account);
    const before = world.chains[5]!;
    const { certificate } = whole;
    for (const change of [
      { map: mapUpdate(whole.map, [{ key: account, value: null }]) },
      { certificate: { ...certificate, kind: 'notar' as const } },
      { certificate: { ...certificate, block: headerHash(before.header) } },
    ])
      expect(() => issueStateProof({ ...whole, ...change })).toThrow(AssertionError);
  });

  test('proves the record of a job that has no receipt', () => {
    const voided = fakeWorld(4);
    for (let seat = 0; seat < 4; seat++) voided.roles.set(seat, 'abstain');
    voided.block();
    const [id] = voided.run([voided.job(smallProgram)]);
    expect(codeOf(() => issueReceipt(voided.pieces(id!)))).toBe('RECEIPT_JOB_UNFINISHED');
    const { verdict, proved } = auditOf(voided, proofOf(voided, stateKeys.job(id!)));
    expect(verdict).toBe('verified');
    expect(proved!.value).toEqual(mapGet(voided.tip.map, stateKeys.job(id!)));
  });
});
