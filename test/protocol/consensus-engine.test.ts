// Goal: the engine follows spec/protocol/consensus.md line by line: what it takes from others,
// what it makes of it, and what it asks for.
// Method: one engine of four seats, driven by hand; anybody's votes can be made.
import { describe, expect, test } from 'vitest';
import { signVote } from '../../protocol/consensus/ballot.ts';
import { leaderOf } from '../../protocol/consensus/seats.ts';
import type { EngineEffect } from '../../protocol/consensus/state.ts';
import { windowViews } from '../../protocol/consensus/state.ts';
import {
  blockOf,
  finalOf,
  genesis,
  kinds,
  network,
  notarOf,
  only,
  rulesOf,
  said,
  seatOf,
  skipOf,
  subjectOf,
  voteOf,
} from '../simulation/engine/seat.ts';
import { reachEveryLine } from '../support/lines.ts';

reachEveryLine('consensus', {
  C23: 'consensus-time.test.ts: a view whose time is up',
  C27: 'consensus-time.test.ts: work comes and goes',
  C28: 'consensus-time.test.ts: a standstill',
  C29: 'consensus-time.test.ts: a clock that runs back',
});

const a = blockOf(1, genesis, 'a');
const b = blockOf(1, genesis, 'b');

describe('one view', () => {
  test('runs from a block to its finality', () => {
    const seat = seatOf(rulesOf(0));
    expect(kinds(seat.started)).toEqual(['wake']);
    expect(kinds(seat.announce(a))).toEqual([]);
    expect(seat.line()).toBe('C18');
    expect(kinds(seat.validate(a.id))).toEqual(['vote']);
    expect(kinds(seat.hear(voteOf(1, 'notar', 1, a)))).toEqual([]);
    expect(seat.line()).toBe('C7');
    const notarized = seat.hear(voteOf(3, 'notar', 1, a));
    expect(seat.line()).toBe('C8');
    expect(kinds(notarized)).toEqual(['relay', 'notarized', 'vote', 'wake']);
    expect(only(notarized, 'relay')[0]!.certificate).toEqual(notarOf(a, [0, 1, 3]));
    expect(seat.state().view).toBe(2);
    seat.hear(voteOf(2, 'final', 1, a));
    const final = seat.hear(voteOf(3, 'final', 1, a));
    expect(kinds(final)).toEqual(['relay', 'finalized']);
    expect(only(final, 'finalized')[0]).toMatchObject({
      view: 1,
      certificate: finalOf(a, [0, 2, 3]),
    });
    expect(seat.state().root).toEqual({ id: a.id, view: 1 });
    expect(said(seat.votes)).toEqual(['notar 1', 'final 1']);
  });

  test('is led by the seat that the permutation names', () => {
    const leader = leaderOf({ network, leaderSeed: network, epoch: 0, view: 1, seats: 4 });
    const rules = {
      ...rulesOf(leader),
      leaderOf: (view: number) =>
        leaderOf({ network, leaderSeed: network, epoch: 0, view, seats: 4 }),
    };
    expect(kinds(seatOf(rules).started)).toContain('lead');
    expect(kinds(seatOf({ ...rules, self: (leader + 1) % 4 }).started)).not.toContain('lead');
  });

  test('costs an observer no vote, and he counts like anybody', () => {
    const seat = seatOf(rulesOf(null));
    seat.give(a);
    for (const voter of [1, 2, 3]) seat.hear(voteOf(voter, 'notar', 1, a));
    const final = [1, 2, 3].flatMap((voter) => seat.hear(voteOf(voter, 'final', 1, a)));
    expect(kinds(final)).toContain('finalized');
    seat.tick(60_000);
    expect(seat.votes).toEqual([]);
    expect(() => signVote(seat.state(), subjectOf('skip', 2), rulesOf(null))).toThrow('observer');
  });
});

describe('votes', () => {
  test('are ignored outside the window, unverified', () => {
    const far = windowViews(4) + 1;
    let verified = 0;
    const rules = { ...rulesOf(0), verify: () => verified++ >= 0 };
    const seat = seatOf(rules);
    for (const vote of [
      voteOf(1, 'skip', 0),
      { ...voteOf(1, 'skip', 1), epoch: 1 },
      voteOf(1, 'skip', far + 1),
    ]) {
      const before = seat.state();
      expect(seat.hear(vote)).toEqual([]);
      expect(seat.line()).toBe('C5');
      expect(seat.state()).toBe(before);
    }
    expect(verified).toBe(0);
    seat.hear(voteOf(1, 'skip', far));
    expect(seat.line()).toBe('C7');
  });

  test('are refused when malformed or forged', () => {
    const seat = seatOf(rulesOf(0));
    const good = voteOf(1, 'notar', 1, a);
    for (const vote of [
      { ...good, seat: 4 },
      { ...good, seat: 2 },
      { ...good, kind: 'skip' as const },
      { ...good, kind: 'final' as const },
      { ...voteOf(1, 'skip', 1), kind: 'notar' as const },
      { ...good, signature: new Uint8Array(64) },
    ]) {
      expect(seat.hear(vote)).toEqual([]);
      expect(seat.line()).toBe('C4');
    }
  });

  test('are verified once, and two of a kind are kept of a seat', () => {
    let verified = 0;
    const rules = rulesOf(0);
    const counting = {
      ...rules,
      verify: (...args: Parameters<typeof rules.verify>) => {
        verified++;
        return rules.verify(...args);
      },
    };
    const seat = seatOf(counting);
    for (let i = 0; i < 5; i++) seat.hear(voteOf(1, 'notar', 1, a));
    expect(seat.line()).toBe('C6');
    expect(verified).toBe(1);
    expect(kinds(seat.hear(voteOf(1, 'notar', 1, b)))).toEqual(['equivocation']);
    for (let i = 0; i < 1_000; i++) seat.hear(voteOf(1, 'notar', 1, blockOf(1, genesis, `${i}`)));
    expect(seat.line()).toBe('C6');
    expect(verified).toBe(2);
    // What was verified as a vote is not verified again in a certificate.
    seat.hear(voteOf(2, 'notar', 1, a));
    seat.certify(notarOf(a));
    expect(verified).toBe(4);
  });

  test('of one seat that exclude each other are told once, and both count', () => {
    const seat = seatOf(rulesOf(0));
    seat.hear(voteOf(1, 'notar', 1, a));
    const told = only(seat.hear(voteOf(1, 'notar', 1, b)), 'equivocation');
    expect(told).toEqual([
      { kind: 'equivocation', first: voteOf(1, 'notar', 1, a), second: voteOf(1, 'notar', 1, b) },
    ]);
    expect(seat.line()).toBe('C9');
    seat.hear(voteOf(1, 'final', 1, a));
    expect(kinds(seat.hear(voteOf(1, 'skip', 1)))).toEqual([]);
    seat.hear(voteOf(2, 'notar', 1, b));
    expect(kinds(seat.hear(voteOf(3, 'notar', 1, b)))).toContain('notarized');
    // Another view is another case, and a certificate testifies like a vote.
    seat.hear(voteOf(1, 'final', 2, blockOf(2, b)));
    expect(kinds(seat.certify(skipOf(2)))).toContain('equivocation');
  });

  test('ahead of us are counted, and carry us along', () => {
    const seat = seatOf(rulesOf(0));
    for (const voter of [1, 2, 3]) seat.hear(voteOf(voter, 'skip', 5));
    expect(seat.state().view).toBe(6);
  });
});

describe('certificates', () => {
  test('are relayed once', () => {
    const seat = seatOf(rulesOf(0));
    expect(only(seat.certify(skipOf(1)), 'relay')).toHaveLength(1);
    expect(seat.certify(skipOf(1))).toEqual([]);
    expect(seat.line()).toBe('C10');
    expect(seat.certify(skipOf(1, [0, 1, 2]))).toEqual([]);
    seat.certify({ ...skipOf(2), epoch: 1 });
    expect(seat.line()).toBe('C10');
  });

  test('that are bad change nothing', () => {
    const seat = seatOf(rulesOf(0));
    const before = seat.state();
    expect(seat.certify({ ...skipOf(1), seats: [1, 2, 2] })).toEqual([]);
    expect(seat.line()).toBe('C2');
    expect(seat.state()).toBe(before);
  });

  test('of a final block far ahead carry us there, before its header has come', () => {
    const seat = seatOf(rulesOf(0));
    seat.give(a);
    seat.hear(voteOf(1, 'skip', 7));
    const far = blockOf(500, { ...a, view: 499, height: 499 });
    const effects = seat.certify(finalOf(far));
    expect(kinds(effects)).toEqual(['relay', 'finalized', 'wanted']);
    expect(seat.state().view).toBe(501);
    expect(seat.state().root).toEqual({ id: far.id, view: 500 });
    expect(seat.state().views.size).toBe(1);
    expect(seat.state().blocks.size).toBe(0);
    expect(seat.state().own.size).toBe(0);
    // Everything older is over; the block itself is welcome, and then it can be built on.
    seat.certify(notarOf(blockOf(499)));
    expect(seat.line()).toBe('C10');
    seat.announce(blockOf(499));
    expect(seat.line()).toBe('C17');
    seat.announce(far);
    expect(seat.line()).toBe('C18');
    const child = blockOf(501, far);
    seat.validate(far.id);
    seat.give(child);
    expect(said(seat.votes)).toEqual(['notar 1', 'notar 501']);
  });
});

describe('blocks', () => {
  test('of a view are kept twice, and once more if a certificate names one', () => {
    const seat = seatOf(rulesOf(0));
    const c = blockOf(1, genesis, 'c');
    for (const block of [a, b, c]) seat.announce(block);
    expect(seat.line()).toBe('C17');
    expect(seat.state().blocks.size).toBe(3);
    expect(kinds(seat.certify(notarOf(c)))).toContain('wanted');
    seat.announce(c);
    expect(seat.line()).toBe('C18');
    seat.announce(c);
    expect(seat.line()).toBe('C17');
  });

  test('of a seat that does not lead, or on a parent not before them, are refused', () => {
    const seat = seatOf(rulesOf(0));
    const before = seat.state();
    for (const block of [
      { ...a, proposer: 2 },
      { ...a, parentView: 1 },
    ]) {
      expect(seat.announce(block)).toEqual([]);
      expect(seat.line()).toBe('C16');
      expect(seat.state()).toBe(before);
    }
  });

  test('too far ahead are ignored', () => {
    const seat = seatOf(rulesOf(0));
    seat.announce(blockOf(windowViews(4) + 2));
    expect(seat.line()).toBe('C17');
    seat.announce(blockOf(windowViews(4) + 1));
    expect(seat.line()).toBe('C18');
  });

  test('are validated once, and only if known', () => {
    const seat = seatOf(rulesOf(0));
    seat.validate(a.id);
    expect(seat.line()).toBe('C19');
    seat.give(a);
    expect(seat.line()).toBe('C20');
    seat.validate(a.id);
    expect(seat.line()).toBe('C19');
  });
});

describe('a leader', () => {
  const led = (effects: readonly EngineEffect[]) => only(effects, 'lead')[0] ?? null;

  test('builds on genesis, and its block is voted for before it is said', () => {
    const seat = seatOf(rulesOf(1));
    expect(led(seat.started)).toEqual({
      kind: 'lead',
      view: 1,
      parent: genesis,
      notar: null,
      skips: [],
    });
    expect(kinds(seat.feed({ kind: 'proposed', block: a }))).toContain('vote');
    expect(seat.line()).toBe('C26');
  });

  test('builds on the highest notarized block across skipped views', () => {
    const seat = seatOf(rulesOf(0));
    seat.give(a);
    seat.certify(notarOf(a));
    seat.certify(skipOf(3));
    expect(seat.state().view).toBe(4);
    const effects = seat.certify(skipOf(2));
    expect(led(effects)).toEqual({
      kind: 'lead',
      view: 4,
      parent: a,
      notar: notarOf(a),
      skips: [skipOf(2), skipOf(3)],
    });
    // A later notarization is a better ground, once its block is valid.
    const better = blockOf(2, a);
    expect(led(seat.certify(notarOf(better)))).toBeNull();
    expect(led(seat.announce(better))).toBeNull();
    expect(led(seat.validate(better.id))).toMatchObject({ parent: better, skips: [skipOf(3)] });
    expect(led(seat.tick(1))).toBeNull();
  });

  test('builds on a final block with Final, where that is all it has', () => {
    const seat = seatOf(rulesOf(2));
    seat.certify(finalOf(a));
    expect(led(seat.give(a))).toMatchObject({ view: 2, parent: a, notar: finalOf(a) });
    const both = seatOf(rulesOf(2));
    both.certify(notarOf(a));
    both.certify(finalOf(a));
    expect(led(both.give(a))).toMatchObject({ view: 2, parent: a, notar: notarOf(a) });
  });

  test('is late when its view is over, and never speaks for others', () => {
    const seat = seatOf(rulesOf(1));
    seat.certify(skipOf(1));
    expect(seat.feed({ kind: 'proposed', block: a })).toEqual([]);
    expect(seat.line()).toBe('C25');
    expect(() => seat.feed({ kind: 'proposed', block: blockOf(2) })).toThrow('own name');
    expect(() => seat.feed({ kind: 'proposed', block: { ...blockOf(2), proposer: 1 } })).toThrow(
      'that we lead',
    );
    const orphan = blockOf(5, blockOf(4));
    for (const view of [2, 3, 4]) seat.certify(skipOf(view));
    expect(seat.feed({ kind: 'proposed', block: orphan })).toEqual([]);
    expect(seat.line()).toBe('C25');
  });
});
