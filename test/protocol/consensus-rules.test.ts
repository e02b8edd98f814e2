// Goal: rules I1 to I5 hold for whatever the engine signs, in every order of events and across
// restarts from the vote log.
// Method: one engine of four seats, driven by hand; anybody's votes can be made. Each rule is also
// asked to be broken at the one place that signs, which must stop us.
import { describe, expect, test } from 'vitest';
import { hex } from '../../protocol/brand.ts';
import { signVote } from '../../protocol/consensus/ballot.ts';
import type { BlockRef, Vote } from '../../protocol/consensus/message.ts';
import { checker } from '../simulation/engine/checker.ts';
import {
  blockOf,
  busySeat,
  finalOf,
  genesis,
  kinds,
  notarOf,
  only,
  rulesOf,
  type Seat,
  said,
  seatOf,
  skipOf,
  subjectOf,
  voteOf,
} from '../simulation/engine/seat.ts';

const a = blockOf(1, genesis, 'a');
const b = blockOf(1, genesis, 'b');

describe('I1: one Notar vote a view', () => {
  test('the first validated block gets it, whatever comes after', () => {
    const seat = seatOf(rulesOf(0));
    seat.announce(a);
    seat.announce(b);
    seat.validate(b.id);
    seat.validate(a.id);
    expect(seat.votes.map(({ block }) => hex(block))).toEqual([b.id]);
    expect(() => signVote(seat.state(), subjectOf('notar', 1, a), seat.rules)).toThrow('I1');
  });

  test('also after a restart, and the first vote is said again', () => {
    const before = seatOf(rulesOf(0));
    before.give(a);
    const after = seatOf(rulesOf(0), { signed: before.votes });
    expect(only(after.started, 'repeat')[0]!.votes).toEqual(before.votes);
    after.give(b);
    after.give(a);
    expect(after.votes).toEqual([]);
  });

  test('but not when the log is lost, and then the checker sees it', () => {
    const watch = (lost: boolean): readonly string[] => {
      const seen = checker(4, new Set(), genesis);
      const before = seatOf(rulesOf(0));
      before.give(a);
      const after = seatOf(rulesOf(0), { signed: lost ? [] : before.votes });
      after.give(b);
      for (const vote of [...before.votes, ...after.votes]) seen.signed(vote, true);
      return seen.violations;
    };
    expect(watch(false)).toEqual([]);
    expect(watch(true)).toEqual(['honest seat signed two: notar seat 0 view 1']);
  });

  test('and a leader that was restarted does not propose twice', () => {
    const before = seatOf(rulesOf(1));
    before.feed({ kind: 'proposed', block: a });
    expect(said(before.votes)).toEqual(['notar 1']);
    const after = seatOf(rulesOf(1), { signed: before.votes, blocks: [a] });
    expect(kinds(after.started)).not.toContain('lead');
    expect(kinds(after.feed({ kind: 'proposed', block: b }))).toEqual([]);
    expect(after.line()).toBe('C25');
  });
});

describe('I2: never Final and Skip', () => {
  test('a seat that skipped accepts a late notarization and leaves Final to others', () => {
    const seat = busySeat();
    seat.tick(100);
    expect(said(seat.votes)).toEqual(['skip 1']);
    const late = seat.certify(notarOf(a));
    expect(kinds(late)).toEqual(['relay', 'notarized', 'wanted', 'wake']);
    expect(seat.state().view).toBe(2);
    expect(said(seat.votes)).toEqual(['skip 1']);
    expect(() => signVote(seat.state(), subjectOf('final', 1, a), seat.rules)).toThrow('I2');
  });

  test('a seat that voted Final does not skip, even if restarted without certificates', () => {
    const seat = busySeat({ signed: [voteOf(0, 'final', 1, a)] });
    expect(seat.state().view).toBe(1);
    expect(kinds(seat.tick(4_000))).toEqual(['wake']);
    expect(seat.votes).toEqual([]);
    expect(() => signVote(seat.state(), subjectOf('skip', 1), seat.rules)).toThrow('I2');
  });

  test('a restarted seat that skipped does not vote Final', () => {
    const seat = busySeat({ signed: [voteOf(0, 'skip', 1)], certificates: [notarOf(a)] });
    expect(said(seat.votes)).toEqual([]);
    expect(seat.state().view).toBe(2);
    // The twin with an empty log does.
    expect(said(busySeat({ certificates: [notarOf(a)] }).votes)).toEqual(['final 1']);
  });

  test('one Skip and one Final vote a view are all there is', () => {
    const seat = busySeat();
    seat.tick(100);
    expect(() => signVote(seat.state(), subjectOf('skip', 1), seat.rules)).toThrow('I1');
    const other = busySeat();
    other.certify(notarOf(a));
    expect(() => signVote(other.state(), subjectOf('final', 1, a), other.rules)).toThrow('I1');
  });
});

describe('I3: Notar only for what follows', () => {
  const notVoted = (seat: Seat, block: BlockRef): void => {
    expect(seat.votes.filter(({ kind }) => kind === 'notar')).toEqual([]);
    const ask = () => signVote(seat.state(), subjectOf('notar', block.view, block), seat.rules);
    expect(ask).toThrow('I3');
  };

  test('not before it is validated', () => {
    const seat = seatOf(rulesOf(0));
    seat.announce(a);
    notVoted(seat, a);
  });

  test('not for a block that somebody else proposed', () => {
    const seat = seatOf(rulesOf(0));
    seat.give({ ...a, proposer: 2 });
    notVoted(seat, a);
  });

  test('not on a parent that is not notarized', () => {
    const child = blockOf(2, a);
    const seat = seatOf(rulesOf(0));
    seat.give(a);
    seat.certify(notarOf(b));
    seat.give(child);
    expect(said(seat.votes)).toEqual(['notar 1', 'final 1']);
    expect(() => signVote(seat.state(), subjectOf('notar', 2, child), seat.rules)).toThrow('I3');
    const good = blockOf(2, b);
    seat.give(good);
    expect(said(seat.votes)).toEqual(['notar 1', 'final 1', 'notar 2']);
  });

  test('not on a parent that claims another view than its own', () => {
    const seat = seatOf(rulesOf(0));
    seat.certify(notarOf(a));
    seat.certify(skipOf(2));
    const child = { ...blockOf(3, a), parentView: 2 };
    seat.give(child);
    notVoted(seat, child);
  });

  test('not across a view that is not certified Skip; at once when it is', () => {
    const child = blockOf(4, a);
    const seat = seatOf(rulesOf(0));
    seat.give(a);
    seat.certify(notarOf(a));
    seat.certify(skipOf(3));
    expect(seat.state().view).toBe(4);
    seat.give(child);
    expect(said(seat.votes)).toEqual(['notar 1', 'final 1']);
    expect(() => signVote(seat.state(), subjectOf('notar', 4, child), seat.rules)).toThrow('I3');
    seat.certify(skipOf(2));
    expect(said(seat.votes)).toEqual(['notar 1', 'final 1', 'notar 4']);
  });

  test('not below the last final block', () => {
    const seat = seatOf(rulesOf(0));
    seat.give(a);
    seat.certify(finalOf(a));
    const fork = blockOf(2, genesis);
    seat.give(fork);
    expect(() => signVote(seat.state(), subjectOf('notar', 2, fork), seat.rules)).toThrow('I3');
    expect(said(seat.votes)).toEqual(['notar 1']);
  });

  test('a Skip vote before it is no hindrance', () => {
    const seat = busySeat();
    seat.tick(100);
    seat.give(a);
    expect(said(seat.votes)).toEqual(['skip 1', 'notar 1']);
  });
});

describe('I4: Final only for what is notarized', () => {
  test('asking for it otherwise stops us', () => {
    const seat = seatOf(rulesOf(0));
    seat.give(a);
    expect(() => signVote(seat.state(), subjectOf('final', 1, a), seat.rules)).toThrow('I4');
    const skipped = busySeat({ certificates: [notarOf(b), skipOf(2)] });
    expect(said(skipped.votes)).toEqual(['final 1']);
    expect(() => signVote(skipped.state(), subjectOf('final', 2, a), skipped.rules)).toThrow('I4');
  });

  test('a notarization of an earlier view still gets it, without its block', () => {
    const seat = seatOf(rulesOf(0));
    seat.certify(skipOf(1));
    expect(seat.state().view).toBe(2);
    expect(kinds(seat.certify(notarOf(a)))).toEqual(['relay', 'notarized', 'wanted', 'vote']);
    expect(said(seat.votes)).toEqual(['final 1']);
  });

  test('nothing is signed about what is final, or in another epoch', () => {
    const seat = seatOf(rulesOf(0));
    seat.certify(finalOf(a));
    expect(() => signVote(seat.state(), subjectOf('skip', 1), seat.rules)).toThrow('open');
    const other = { ...subjectOf('skip', 2), epoch: 1 };
    expect(() => signVote(seat.state(), other, seat.rules)).toThrow('open');
  });
});

describe('I5: a vote comes before everything that holds it', () => {
  test('within one step, too', () => {
    const seat = seatOf(rulesOf(0));
    seat.announce(a);
    for (const voter of [1, 2]) seat.hear(voteOf(voter, 'notar', 1, a));
    for (const voter of [1, 2]) seat.hear(voteOf(voter, 'final', 1, a));
    // Our Notar vote makes the certificate, which calls for our Final vote, which makes a block
    // final: all in one step.
    const effects = seat.validate(a.id);
    expect(kinds(effects)).toEqual([
      'vote',
      'relay',
      'notarized',
      'vote',
      'relay',
      'finalized',
      'wake',
    ]);
    expect(only(effects, 'relay').map(({ certificate }) => certificate.seats)).toEqual([
      [0, 1, 2],
      [0, 1, 2],
    ]);
  });

  test('a vote log that is not ours, or breaks a rule, stops us', () => {
    const boot = (...signed: Vote[]) => seatOf(rulesOf(0), { signed });
    expect(() => boot(voteOf(1, 'skip', 1))).toThrow('our seat');
    expect(() => boot({ ...voteOf(0, 'skip', 1), epoch: 1 })).toThrow('our seat');
    expect(() => boot({ ...voteOf(0, 'skip', 1), signature: new Uint8Array(64) })).toThrow('key');
    expect(() => boot(voteOf(0, 'notar', 1, a), voteOf(0, 'notar', 1, b))).toThrow('I1');
    expect(() => boot(voteOf(0, 'skip', 1), voteOf(0, 'final', 1, a))).toThrow('I2');
    expect(() => boot(voteOf(0, 'final', 1, a), voteOf(0, 'skip', 1))).toThrow('I2');
    // Without the rest of the chain, older votes say nothing.
    expect(boot(voteOf(0, 'notar', 1, a), voteOf(0, 'skip', 1)).votes).toEqual([]);
  });
});
