// Goal: a certificate proves that a quorum of distinct seats of this epoch and network said one
// thing, and nothing else passes for one; leaders and quorums keep the theorems' arithmetic.
// Method: laws over all sizes and random votes; each refusal by a certificate changed in one place.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hex, utf8 } from '../../protocol/brand.ts';
import { tryDecode } from '../../protocol/codec/codec.ts';
import { checkEquivocation, exclude } from '../../protocol/consensus/evidence.ts';
import {
  type Certificate,
  type CheckRules,
  certificateCodec,
  certificateId,
  checkCertificate,
  type Subject,
  type Vote,
  type VoteKind,
  voteBody,
  voteCodec,
  voteMessage,
  votesOf,
} from '../../protocol/consensus/message.ts';
import { faultyMax, leaderOf, quorum } from '../../protocol/consensus/seats.ts';
import {
  accuse,
  certify,
  contradiction,
  count,
  counted,
  emptyTally,
  keep,
  room,
  type Tally,
} from '../../protocol/consensus/tally.ts';
import { type Digest, sha256, zeroDigest } from '../../protocol/crypto/hash.ts';
import { portableKeys, portableSuite } from '../../protocol/crypto/signature.ts';
import { seatCountMax } from '../../protocol/params.ts';
import { fakeSignature, fakeVerify } from '../simulation/engine/signature.ts';

const network = sha256(utf8('network'));
const block = sha256(utf8('block'));
const rules: CheckRules = { network, epoch: 3, seats: 7, verify: fakeVerify };

const subjectOf = (kind: VoteKind, view = 9, id: Digest = block): Subject => ({
  kind,
  epoch: 3,
  view,
  block: kind === 'skip' ? zeroDigest : id,
});

const vote = (subject: Subject, seat: number, on: Digest = network): Vote => ({
  ...subject,
  seat,
  signature: fakeSignature(seat, voteMessage(on, subject, seat)),
});

const certificate = (subject: Subject, seats: readonly number[]): Certificate => ({
  ...subject,
  seats,
  signatures: seats.map((seat) => vote(subject, seat).signature),
});

const kinds: readonly VoteKind[] = ['notar', 'skip', 'final'];
const kind = fc.constantFrom(...kinds);
const digest = fc.uint8Array({ minLength: 32, maxLength: 32 }) as fc.Arbitrary<Digest>;

describe('seats', () => {
  test('two quorums share an honest seat, and the honest alone make one', () => {
    for (let n = 1; n <= seatCountMax; n++) {
      const [f, q] = [faultyMax(n), quorum(n)];
      expect(n >= 3 * f + 1 && n < 3 * f + 4).toBe(true);
      expect(2 * q - n).toBeGreaterThan(f);
      expect(q).toBeLessThanOrEqual(n - f);
      // The integer form of "more than two thirds".
      expect(3 * q > 2 * n && 3 * (q - 1) <= 2 * n).toBe(true);
    }
  });

  test('2f is no quorum: two of them need not share an honest seat', () => {
    for (let n = 4; n <= 100; n++)
      expect(2 * (2 * faultyMax(n)) - n).toBeLessThanOrEqual(faultyMax(n));
  });

  const leaderSeed = sha256(utf8('seed'));
  const leaders = (seats: number, round: number, seed = leaderSeed, epoch = 0): number[] =>
    Array.from({ length: seats }, (_, i) =>
      leaderOf({ network, leaderSeed: seed, epoch, view: round * seats + i, seats }),
    );

  test('each round is a permutation of the seats, the same however it is asked for', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.nat(2 ** 40), (seats, round) => {
        const order = leaders(seats, round);
        expect([...order].sort((a, b) => a - b)).toEqual([...Array(seats).keys()]);
        const backwards = order.map((_, i) => {
          const view = round * seats + (seats - 1 - i);
          leaderOf({ network, leaderSeed, epoch: 0, view: view + 5 * seats, seats });
          return leaderOf({ network, leaderSeed, epoch: 0, view, seats });
        });
        expect(backwards.reverse()).toEqual(order);
      }),
      { numRuns: 50 },
    );
  });

  test('network, seed, epoch and round all matter', () => {
    const order = leaders(16, 1);
    expect(leaders(16, 2)).not.toEqual(order);
    expect(leaders(16, 1, block)).not.toEqual(order);
    expect(leaders(16, 1, leaderSeed, 1)).not.toEqual(order);
    const elsewhere = order.map((_, i) =>
      leaderOf({ network: block, leaderSeed, epoch: 0, view: 16 + i, seats: 16 }),
    );
    expect(elsewhere).not.toEqual(order);
  });
});

describe('bytes', () => {
  test('votes and certificates survive the wire', () => {
    fc.assert(
      fc.property(
        kind,
        digest,
        fc.nat(seatCountMax - 1),
        fc.nat(2 ** 40),
        (which, id, seat, view) => {
          const signed = vote({ kind: which, epoch: 3, view, block: id }, seat);
          expect(voteCodec.decode(voteCodec.encode(signed))).toEqual(signed);
          const whole = certificate(subjectOf(which, view), [0, 1, seat]);
          expect(certificateCodec.decode(certificateCodec.encode(whole))).toEqual(whole);
        },
      ),
    );
  });

  test('the largest certificate fits its limit exactly as the specification says', () => {
    const seats = Array.from({ length: quorum(seatCountMax) }, (_, i) => seatCountMax - 1 - i);
    const largest: Certificate = {
      kind: 'notar',
      epoch: 2 ** 32,
      view: 2 ** 48,
      block,
      seats: seats.reverse(),
      signatures: seats.map(() => new Uint8Array(64)),
    };
    expect(certificateCodec.encode(largest).length).toBeLessThanOrEqual(certificateCodec.bytesMax);
    expect(certificateCodec.bytesMax).toBe(188_599);
    const tooMany = {
      ...largest,
      seats: [...seats, 0],
      signatures: [...largest.signatures, block],
    };
    expect(() => certificateCodec.encode(tooMany)).toThrow();
  });

  test('no byte of a vote can be changed or dropped unnoticed', () => {
    const bytes = voteCodec.encode(vote(subjectOf('notar'), 2));
    const accepted = (changed: Uint8Array): boolean => {
      const read = tryDecode(voteCodec, changed);
      if (read === null || read.epoch !== 3 || read.seat >= rules.seats) return false;
      return rules.verify(read.seat, voteMessage(network, read, read.seat), read.signature);
    };
    expect(accepted(bytes)).toBe(true);
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const changed = Uint8Array.from(bytes);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(accepted(changed), `bit ${bit}`).toBe(false);
    }
    expect(accepted(bytes.subarray(0, -1))).toBe(false);
  });

  test('the body is epoch, view, seat and block; its 56 bytes tell all of them apart', () => {
    const body = voteBody({ epoch: 1, view: 2, block }, 3);
    const number = (value: number): string => value.toString(16).padStart(16, '0');
    expect(hex(body)).toBe(number(1) + number(2) + number(3) + hex(block));
  });

  test('a certificate is named by all its bytes', () => {
    const one = certificateId(certificate(subjectOf('skip'), [0, 1, 2, 3, 4]));
    const two = certificateId(certificate(subjectOf('skip'), [0, 1, 2, 3, 5]));
    expect(hex(one)).not.toBe(hex(two));
    expect(hex(one)).toBe(hex(certificateId(certificate(subjectOf('skip'), [0, 1, 2, 3, 4]))));
  });
});

describe('a certificate', () => {
  const good = certificate(subjectOf('notar'), [0, 2, 3, 5, 6]);
  const check = (changed: Partial<Certificate>): string | null =>
    checkCertificate({ ...good, ...changed }, rules);

  test('of a quorum is good, whatever its kind', () => {
    for (const each of kinds)
      expect(checkCertificate(certificate(subjectOf(each), [0, 1, 2, 3, 4]), rules)).toBeNull();
  });

  test('is refused for what is wrong with it', () => {
    const of = (seats: number[], subject = subjectOf('notar')) => certificate(subject, seats);
    expect(check({ epoch: 4 })).toBe('CERTIFICATE_EPOCH');
    expect(check({ block: zeroDigest })).toBe('CERTIFICATE_SUBJECT');
    expect(check({ view: 0 })).toBe('CERTIFICATE_SUBJECT');
    expect(check({ view: 2 ** 48 + 1 })).toBe('CERTIFICATE_SUBJECT');
    expect(checkCertificate({ ...of([0, 1, 2, 3, 4]), kind: 'skip' }, rules)).toBe(
      'CERTIFICATE_SUBJECT',
    );
    expect(checkCertificate(of([0, 2, 3, 5]), rules)).toBe('CERTIFICATE_COUNT');
    expect(checkCertificate(of([0, 1, 2, 3, 5, 6]), rules)).toBe('CERTIFICATE_COUNT');
    expect(check({ signatures: good.signatures.slice(1) })).toBe('CERTIFICATE_COUNT');
    expect(checkCertificate(of([0, 2, 2, 5, 6]), rules)).toBe('CERTIFICATE_ORDER');
    expect(checkCertificate(of([0, 3, 2, 5, 6]), rules)).toBe('CERTIFICATE_ORDER');
    expect(checkCertificate(of([0, 2, 3, 5, 7]), rules)).toBe('CERTIFICATE_SEAT');
    expect(check({ seats: [-1, 2, 3, 5, 6] })).toBe('CERTIFICATE_SEAT');
    // Signed for another view, block, purpose, or by another seat.
    expect(check({ view: 10 })).toBe('CERTIFICATE_SIGNATURE');
    expect(check({ block: network })).toBe('CERTIFICATE_SIGNATURE');
    expect(check({ kind: 'final' })).toBe('CERTIFICATE_SIGNATURE');
    expect(check({ seats: [0, 1, 3, 5, 6] })).toBe('CERTIFICATE_SIGNATURE');
    expect(check({ signatures: [...good.signatures].reverse() })).toBe('CERTIFICATE_SIGNATURE');
  });

  test('of another network or epoch proves nothing here', () => {
    expect(checkCertificate(good, { ...rules, network: block })).toBe('CERTIFICATE_SIGNATURE');
    expect(checkCertificate({ ...good, epoch: 4 }, { ...rules, epoch: 4 })).toBe(
      'CERTIFICATE_SIGNATURE',
    );
  });

  test('with any one signature forged is refused, unless that vote was verified before', () => {
    good.signatures.forEach((_, place) => {
      const signatures = good.signatures.map((bytes, i) =>
        i === place ? new Uint8Array(64) : bytes,
      );
      const forged = { ...good, signatures };
      expect(checkCertificate(forged, rules)).toBe('CERTIFICATE_SIGNATURE');
      const seen = votesOf(good);
      const known = (asked: Vote): boolean =>
        seen.some(
          (each) => each.seat === asked.seat && hex(each.signature) === hex(asked.signature),
        );
      expect(checkCertificate(good, { ...rules, verify: () => false }, known)).toBeNull();
      expect(checkCertificate(forged, rules, known)).toBe('CERTIFICATE_SIGNATURE');
    });
  });

  test('of real Ed25519 signatures is good, and forged ones are not', () => {
    const keys = [0, 1, 2, 3].map((seat) => portableKeys(sha256(utf8(`seat ${seat}`))));
    const subject = subjectOf('final');
    const seats = [0, 1, 3];
    const signatures = seats.map((seat) => keys[seat]!.sign(voteMessage(network, subject, seat)));
    const real: CheckRules = {
      network,
      epoch: 3,
      seats: 4,
      verify: (seat, message, signature) =>
        portableSuite.verify(keys[seat]!.publicKey, message, signature),
    };
    const signed: Certificate = { ...subject, seats, signatures };
    expect(checkCertificate(signed, real)).toBeNull();
    expect(checkCertificate({ ...signed, kind: 'notar' }, real)).toBe('CERTIFICATE_SIGNATURE');
    expect(checkCertificate({ ...signed, seats: [0, 1, 2] }, real)).toBe('CERTIFICATE_SIGNATURE');
  });
});

describe('the tally', () => {
  const add = (tally: Tally, next: Vote): Tally => (room(tally, next) ? count(tally, next) : tally);

  test('reaches a quorum once, in whatever order and however often votes come', () => {
    const ballot = fc.tuple(fc.nat(6), kind, fc.constantFrom(block, network));
    fc.assert(
      fc.property(fc.array(ballot, { maxLength: 60 }), (ballots) => {
        let tally = emptyTally;
        const said = new Map<string, Set<number>>();
        const kept = new Map<string, number>();
        const done = new Set<VoteKind>();
        for (const [seat, which, id] of ballots) {
          const next = vote(subjectOf(which, 9, id), seat);
          tally = add(tally, next);
          const key = `${which} ${hex(next.block)}`;
          said.set(key, (said.get(key) ?? new Set()).add(seat));
          kept.set(key, said.get(key)!.size);
          const formed = certify(tally, next, 7);
          expect(formed !== null).toBe(said.get(key)!.size >= 5 && !done.has(which));
          if (formed === null) continue;
          done.add(which);
          expect(checkCertificate(formed, rules)).toBeNull();
          tally = keep(tally, formed);
        }
      }),
    );
  });

  test('makes the certificate of the lowest seats', () => {
    let tally = emptyTally;
    for (const seat of [6, 4, 5, 1, 0, 3]) tally = add(tally, vote(subjectOf('skip'), seat));
    expect(certify(tally, subjectOf('skip'), 7)?.seats).toEqual([0, 1, 3, 4, 5]);
  });

  test('keeps two votes of a kind and seat, and knows those it has verified', () => {
    const ids = ['a', 'b', 'c'].map((name) => sha256(utf8(name)));
    const votes = ids.map((id) => vote(subjectOf('notar', 9, id), 1));
    let tally = emptyTally;
    for (const each of votes) tally = add(tally, each);
    expect(votes.map((each) => counted(tally, each))).toEqual([true, true, false]);
    expect(counted(tally, { ...votes[0]!, signature: new Uint8Array(64) })).toBe(false);
    expect(room(tally, vote(subjectOf('skip'), 1))).toBe(true);
  });

  test('leaves the old tally as it was', () => {
    const before = count(emptyTally, vote(subjectOf('notar'), 1));
    accuse(keep(count(before, vote(subjectOf('notar'), 2)), certificate(subjectOf('skip'), [])), 1);
    expect(before.votes.notar.size).toBe(1);
    expect(before.certificates.skip).toBeNull();
    expect(before.accused.size).toBe(0);
    expect(emptyTally.votes.notar.size).toBe(0);
  });
});

describe('evidence', () => {
  const a = sha256(utf8('a'));
  const b = sha256(utf8('b'));
  const said = (which: VoteKind, id: Digest = a, seat = 1, view = 9): Vote =>
    vote(subjectOf(which, view, id), seat);

  test('is two Notar, two Final, or Final beside Skip; nothing else', () => {
    const votes = [
      said('notar', a),
      said('notar', b),
      said('skip'),
      said('final', a),
      said('final', b),
    ];
    const pairs = votes.map((first) => votes.map((second) => (exclude(first, second) ? 1 : 0)));
    expect(pairs).toEqual([
      [0, 1, 0, 0, 0],
      [1, 0, 0, 0, 0],
      [0, 0, 0, 1, 1],
      [0, 0, 1, 0, 1],
      [0, 0, 1, 1, 0],
    ]);
    expect(exclude(said('notar', a), said('notar', b, 2))).toBe(false);
    expect(exclude(said('notar', a), said('notar', b, 1, 10))).toBe(false);
    expect(exclude(said('notar', a), { ...said('notar', b), epoch: 4 })).toBe(false);
  });

  test('is told once a seat', () => {
    const tally = count(emptyTally, said('final'));
    expect(contradiction(tally, said('skip'))).toEqual(said('final'));
    expect(contradiction(tally, said('notar', b))).toBeNull();
    expect(contradiction(accuse(tally, 1), said('skip'))).toBeNull();
  });

  test('convicts only the seat that signed both', () => {
    const [first, second] = [said('final'), said('skip')];
    const forged = { ...second, signature: new Uint8Array(64) };
    expect(checkEquivocation({ first, second }, rules)).toBeNull();
    expect(checkEquivocation({ first, second: first }, rules)).toBe('EQUIVOCATION_COMPATIBLE');
    expect(checkEquivocation({ first, second: forged }, rules)).toBe('EQUIVOCATION_SIGNATURE');
    expect(checkEquivocation({ first, second }, { ...rules, seats: 1 })).toBe('EQUIVOCATION_SEAT');
    expect(checkEquivocation({ first, second }, { ...rules, epoch: 4 })).toBe(
      'EQUIVOCATION_COMPATIBLE',
    );
    expect(checkEquivocation({ first, second }, { ...rules, network: block })).toBe(
      'EQUIVOCATION_SIGNATURE',
    );
  });
});
