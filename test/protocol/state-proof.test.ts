// Goal: whoever keeps a state proof can check offline what a final state held under a key, and
// nothing else passes for it.
// Method: random maps under signed headers; one lie at a time around honest proofs; every place of
// a proof damaged in turn, and a sample of its bits (all of them in state-proof.long.test.ts).
import * as dagCbor from '@ipld/dag-cbor';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hex, utf8 } from '../../protocol/brand.ts';
import type { Wire } from '../../protocol/codec/schema.ts';
import { hash, zeroDigest } from '../../protocol/crypto/hash.ts';
import { stream } from '../../protocol/crypto/stream.ts';
import { genesisCodec } from '../../protocol/ledger/genesis.ts';
import { stateKeys } from '../../protocol/ledger/state.ts';
import { emptyMap, mapGet, mapRoot, mapUpdate, type StateMap } from '../../protocol/merkle/map.ts';
import { proveKey, verifyMapProof } from '../../protocol/merkle/proof.ts';
import { stateChecks } from '../../protocol/receipt/state-audit.ts';
import {
  parseStateProof,
  type StateProof,
  stateKeyBytesMax,
  stateProofCodec,
} from '../../protocol/receipt/state-proof.ts';
import { checkpointOf, devPolicy, devTrust, type Trust } from '../../protocol/receipt/trust.ts';
import { fakeWorld, LedgerWorld } from '../support/ledger-world.ts';
import { reachEveryLine } from '../support/lines.ts';
import { mutations } from '../support/receipt-forger.ts';
import {
  auditOf,
  emptyWorld,
  othersThan,
  proofOf,
  votesFor,
} from '../support/state-proof-scene.ts';

reachEveryLine('receipt', othersThan('V62', 'V64', 'V65', 'V66', 'V67', 'V68'));

const world = emptyWorld(4, 6);
const account = stateKeys.account(world.keys.account(0).publicKey);
const stranger = stateKeys.account(hash('dev', 'nobody'));

const bytes = (max: number) => fc.uint8Array({ maxLength: max });
const entries = fc.uniqueArray(fc.record({ key: bytes(stateKeyBytesMax), value: bytes(80) }), {
  selector: ({ key }) => hex(key),
  maxLength: 40,
});

describe('a proof of a random map', () => {
  test('of each key is verified, and says what the map holds, or that it holds nothing', () => {
    fc.assert(
      fc.property(entries, fc.array(bytes(stateKeyBytesMax), { maxLength: 4 }), (held, asked) => {
        const map = mapUpdate(emptyMap, held);
        const keys = [...held.slice(0, 4).map(({ key }) => key), ...asked];
        for (const key of keys) {
          const proof = proofOf(world, key, { map });
          const { verdict, code, proved, findings } = auditOf(world, proof);
          expect({ verdict, code }).toEqual({ verdict: 'verified', code: null });
          expect(findings.map(({ check, status }) => [check, status])).toEqual(
            stateChecks.map((check) => [check, 'ok']),
          );
          expect(proved).toMatchObject({ key, value: mapGet(map, key), height: 6 });
        }
      }),
      { numRuns: 60 },
    );
  });

  test('says nothing else: another value, absence, presence, another key, another map', () => {
    fc.assert(
      fc.property(entries, bytes(stateKeyBytesMax), bytes(80), (held, key, value) => {
        const map = mapUpdate(emptyMap, held);
        const honest = proofOf(world, key, { map });
        const with2 = mapUpdate(map, [{ key, value: Uint8Array.from([...value, 1]) }]);
        const without = mapUpdate(map, [{ key, value: null }]);
        const lies: StateProof[] = [
          { ...honest, value: honest.value === null ? value : null },
          { ...honest, value: Uint8Array.from([...(honest.value ?? value), 0]) },
          { ...honest, key: hash('dev', 'another key') },
          ...[with2, without]
            .filter((other) => hex(mapRoot(other)) !== hex(mapRoot(map)))
            .map((other: StateMap) => {
              const { value: told, mapProof } = proofOf(world, key, { map: other });
              return { ...honest, value: told, mapProof };
            }),
        ];
        for (const lie of lies)
          expect(auditOf(world, lie)).toMatchObject({
            verdict: 'refuted',
            code: 'AUDIT_STATE',
            proved: null,
          });
      }),
      { numRuns: 60 },
    );
  });

  test('is the same from any node, and comes back from its bytes', () => {
    const proof = proofOf(world, account);
    expect(proofOf(world, account)).toEqual(proof);
    expect(parseStateProof(stateProofCodec.encode(proof))).toEqual(proof);
  });

  test('can be had of every height but 0, and of any network', () => {
    for (const made of [emptyWorld(4, 9, 3), emptyWorld(7, 2), emptyWorld(13, 1)])
      for (let height = 1; height < made.chains.length; height++)
        for (const key of [account, stranger])
          expect(auditOf(made, proofOf(made, key, { height }))).toMatchObject({
            verdict: 'verified',
            proved: { height, hash: made.chains[height]!.hash, network: made.rules.network },
          });
  });
});

describe('trust', () => {
  const checkpoint = checkpointOf(world.genesis, devPolicy);
  const other = emptyWorld(4, 6, 2);

  test.each<[string, Trust | null, string]>([
    ['none', null, 'AUDIT_NO_TRUST'],
    ['in dev networks', devTrust, 'AUDIT_OTHER_NETWORK'],
    ['in another network', checkpointOf(other.genesis, devPolicy), 'AUDIT_OTHER_NETWORK'],
    [
      'with another first header',
      { ...checkpoint, headerHash: zeroDigest },
      'AUDIT_TRUST_CONTRADICTION',
    ],
    [
      'with other seats',
      { ...checkpoint, seats: other.genesis.seats },
      'AUDIT_TRUST_CONTRADICTION',
    ],
  ])('%s: cannot tell, though a lie is refuted all the same', (_, trust, code) => {
    const proof = proofOf(world, account);
    const audit = auditOf(world, proof, trust);
    expect(audit).toMatchObject({ verdict: 'cannot-tell', code, proved: null, proof });
    expect(audit.findings.map(({ status }) => status)).toEqual(['ok', 'unknown', 'ok', 'ok', 'ok']);
    const lie = auditOf(world, { ...proof, value: null }, trust);
    expect(lie).toMatchObject({ verdict: 'refuted', code: 'AUDIT_STATE' });
  });

  test('has a policy that does not matter here', () => {
    const policy = { tiers: [], loss: '0', adversary: 'max' } as const;
    expect(auditOf(world, proofOf(world, account), { ...checkpoint, policy }).verdict).toBe(
      'verified',
    );
  });

  test('in a network of another version: cannot tell', () => {
    const { keys, genesis } = fakeWorld(4);
    const later = new LedgerWorld(keys, { ...genesis, version: 2 });
    later.block();
    expect(auditOf(later, proofOf(later, account))).toMatchObject({
      verdict: 'cannot-tell',
      code: 'AUDIT_NETWORK_VERSION',
    });
  });
});

describe('a forged proof', () => {
  const honest = proofOf(world, account);
  const absent = proofOf(world, stranger);
  const earlier = proofOf(world, account, { height: 5 });
  const elsewhere = emptyWorld(4, 6, 2);
  const other = proofOf(elsewhere, account);
  /** A key that is truly absent by the same map proof. */
  const nearby = (proof: StateProof): StateProof => {
    for (let turn = 0; ; turn++) {
      const key = hash('dev', 'nearby', turn);
      if (verifyMapProof(proof.final.stateRoot, key, null, proof.mapProof))
        return { ...proof, key };
    }
  };
  const signed = (change: Partial<StateProof['final']>): StateProof => {
    const final = { ...honest.final, ...change };
    return { ...honest, final, votes: votesFor(world, final) };
  };
  const voters = (...seats: number[]): StateProof => ({
    ...honest,
    votes: votesFor(world, honest.final, { voters: seats }),
  });

  test.each<[string, StateProof, string, string]>([
    ['absence of a key that is there', { ...honest, value: null }, 'AUDIT_STATE', 'nothing'],
    [
      'absence of a key that is there, by the proof of a stranger',
      { ...absent, key: account },
      'AUDIT_STATE',
      'nothing',
    ],
    [
      "absence of another key in the stranger's empty place",
      nearby(absent),
      'AUDIT_STATE',
      'nothing',
    ],
    [
      'absence, by the key itself as the stranger',
      {
        ...honest,
        value: null,
        mapProof: {
          ...honest.mapProof,
          other: { path: hash('state-key', account), valueHash: zeroDigest },
        },
      },
      'AUDIT_STATE',
      'nothing',
    ],
    ['another value', { ...honest, value: utf8('more') }, 'AUDIT_STATE', 'these 4 bytes'],
    ['another key', { ...honest, key: stranger }, 'AUDIT_STATE', 'account/'],
    [
      'the proof of another height',
      { ...honest, mapProof: proveKey(emptyMap, account), value: null },
      'AUDIT_STATE',
      'nothing',
    ],
    [
      "another height's certificate",
      { ...honest, votes: earlier.votes },
      'AUDIT_CERTIFICATE',
      'CERTIFICATE_SIGNATURE',
    ],
    [
      "another height's header",
      { ...honest, final: earlier.final },
      'AUDIT_CERTIFICATE',
      'height 5',
    ],
    ['q - 1 votes', voters(0, 1), 'AUDIT_CERTIFICATE', 'CERTIFICATE_COUNT'],
    ['q + 1 votes', voters(0, 1, 2, 3), 'AUDIT_CERTIFICATE', 'CERTIFICATE_COUNT'],
    ['a vote twice', voters(0, 1, 1), 'AUDIT_CERTIFICATE', 'CERTIFICATE_ORDER'],
    ['votes out of order', voters(0, 2, 1), 'AUDIT_CERTIFICATE', 'CERTIFICATE_ORDER'],
    ['a seat that does not exist', voters(0, 1, 9), 'AUDIT_CERTIFICATE', 'CERTIFICATE_SEAT'],
    [
      'votes of another kind',
      { ...honest, votes: votesFor(world, honest.final, { kind: 'notar' }) },
      'AUDIT_CERTIFICATE',
      'CERTIFICATE_SIGNATURE',
    ],
    [
      'votes of the seats of another network',
      { ...honest, votes: other.votes },
      'AUDIT_CERTIFICATE',
      'CERTIFICATE_SIGNATURE',
    ],
    [
      'a header of another network',
      { ...honest, final: other.final },
      'AUDIT_FINAL_HEADER',
      'of another network',
    ],
    ['another epoch', signed({ epoch: 1 }), 'AUDIT_FINAL_HEADER', 'epoch 1'],
    ['another seat set', signed({ seatSetHash: zeroDigest }), 'AUDIT_FINAL_HEADER', 'seat set'],
    ['another state root, signed', signed({ stateRoot: zeroDigest }), 'AUDIT_STATE', 'account/'],
    ['another history, signed', signed({ historyRoot: zeroDigest }), 'AUDIT_HISTORY', 'height 0'],
    ['another height, signed', signed({ height: 2 }), 'AUDIT_HISTORY', 'height 0'],
    ['height 0, signed', signed({ height: 0 }), 'AUDIT_HISTORY', 'height 0'],
    ['no proof of header 0', { ...honest, genesisProof: [] }, 'AUDIT_HISTORY', 'height 0'],
    ['a genesis that is none', { ...honest, genesis: utf8('genesis') }, 'AUDIT_GENESIS', 'decoded'],
  ])('%s: refuted, and a finding says why', (_, lie, code, because) => {
    const audit = auditOf(world, lie);
    expect(audit).toMatchObject({ verdict: 'refuted', code, proved: null });
    const finding = audit.findings.find(({ status }) => status === 'failed')!;
    expect(finding.code).toBe(code);
    expect(finding.because).toContain(because);
    expect(audit.findings.map(({ check }) => check)).toEqual(stateChecks);
    const after = audit.findings.slice(audit.findings.indexOf(finding) + 1);
    for (const { status, code: none } of after)
      expect([status, none]).toEqual(['skipped', 'AUDIT_NOT_REACHED']);
  });

  test('of another network, whole, is none of ours: cannot tell', () => {
    const audit = auditOf(elsewhere, other, checkpointOf(world.genesis, devPolicy));
    expect(audit).toMatchObject({ verdict: 'cannot-tell', code: 'AUDIT_OTHER_NETWORK' });
    // Nor does our genesis make it one of ours.
    const adopted = { ...other, genesis: genesisCodec.encode(world.genesis) };
    expect(auditOf(world, adopted)).toMatchObject({
      verdict: 'refuted',
      code: 'AUDIT_FINAL_HEADER',
    });
  });

  test('damaged in any one place is never verified', () => {
    for (const proof of [honest, absent]) {
      const tree = dagCbor.decode<Wire>(stateProofCodec.encode(proof));
      let count = 0;
      for (const other of mutations(tree)) {
        const found = auditOf(world, new Uint8Array(dagCbor.encode(other)));
        expect(found.verdict).not.toBe('verified');
        count += 1;
      }
      expect(count).toBeGreaterThan(90);
    }
  });

  test('with a bit turned is never verified (a sample)', () => {
    const whole = stateProofCodec.encode(absent);
    const chance = stream(hash('dev', 'bits of a state proof'));
    for (let turn = 0; turn < 800; turn++) {
      const bit = chance.below(whole.length * 8);
      const bent = whole.with(bit >> 3, whole[bit >> 3]! ^ (1 << (bit & 7)));
      if (auditOf(world, bent).verdict === 'verified') expect.fail(`bit ${bit} is free`);
    }
  });
});
