// Goal: time alone moves the engine as spec/protocol/consensus.md says (C23, C27 to C31), a restart
// takes up where the disk ends, and states are values: bounded, and never disturbed.
// Method: one engine of four seats with a clock set by hand.
import { describe, expect, test } from 'vitest';
import { step } from '../../protocol/consensus/engine.ts';
import type { EngineInput, EngineState } from '../../protocol/consensus/state.ts';
import { certificateOf, windowViews } from '../../protocol/consensus/state.ts';
import { viewTimeout } from '../../protocol/consensus/timer.ts';
import {
  blockOf,
  busySeat,
  finalOf,
  genesis,
  kinds,
  notarOf,
  only,
  rulesOf,
  said,
  seatOf,
  skipOf,
  voteOf,
} from '../simulation/engine/seat.ts';

const a = blockOf(1, genesis, 'a');
const b = blockOf(1, genesis, 'b');

describe('time', () => {
  test('is constant for 2f + 1 views after the last final one, then doubles up to the cap', () => {
    const timeoutAfter = (views: number, seats: number): number =>
      viewTimeout(
        { ...seatOf(rulesOf(0)).state(), root: { id: genesis.id, view: 40 }, view: 40 + views },
        rulesOf(0, seats),
      );
    const times = (seats: number) =>
      Array.from({ length: 9 }, (_, i) => timeoutAfter(i + 1, seats));
    expect(times(4)).toEqual([100, 100, 100, 200, 400, 800, 1_000, 1_000, 1_000]);
    expect(times(7)).toEqual([100, 100, 100, 100, 100, 200, 400, 800, 1_000]);
    expect(timeoutAfter(2 ** 40, 4)).toBe(1_000);
  });

  test('runs from entry while there is work', () => {
    const seat = busySeat();
    expect(seat.state().wakeAt).toBe(100);
    expect(kinds(seat.tick(99))).toEqual(['wake']);
    expect(kinds(seat.tick(100))).toEqual(['vote', 'wake']);
    expect(seat.line()).toBe('C23');
  });

  test('without work runs a heartbeat after the parent, or from when work comes if earlier', () => {
    const seat = seatOf(rulesOf(0), { now: 10 });
    expect(only(seat.started, 'wake')).toEqual([{ kind: 'wake', at: 1_100 }]);
    seat.at(400);
    expect(only(seat.feed({ kind: 'busy', busy: true }), 'wake')).toEqual([
      { kind: 'wake', at: 500 },
    ]);
    expect(seat.line()).toBe('C27');
    expect(seat.feed({ kind: 'busy', busy: true })).toEqual([]);
    seat.at(450);
    expect(seat.feed({ kind: 'busy', busy: false })).toEqual([{ kind: 'wake', at: 1_100 }]);
    seat.at(1_050);
    expect(seat.feed({ kind: 'busy', busy: true })).toEqual([]);
    expect(seat.state().wakeAt).toBe(1_100);
    seat.tick(1_100);
    expect(said(seat.votes)).toEqual(['skip 1']);
    // Work that was there before the view runs from its entry.
    seat.at(1_200);
    seat.certify(skipOf(1));
    expect(seat.state().wakeAt).toBe(1_300);
  });

  test('is not put off for ever by a parent from the future', () => {
    const seat = seatOf(rulesOf(0));
    const future = { ...a, time: 1_000_000 };
    seat.give(future);
    seat.certify(notarOf(future));
    expect(seat.state().wakeAt).toBe(2_100);
  });

  test('says the entry certificate again with the Skip vote', () => {
    const seat = busySeat();
    seat.certify(skipOf(1));
    const effects = seat.tick(100);
    expect(kinds(effects)).toEqual(['relay', 'vote', 'wake']);
    expect(only(effects, 'relay')[0]!.certificate).toEqual(skipOf(1));
  });

  test('that runs back does not make us wait', () => {
    const seat = seatOf(rulesOf(0), { now: 1_000_000 });
    seat.feed({ kind: 'busy', busy: true });
    expect(kinds(seat.tick(5_000))).toEqual(['wake']);
    expect(seat.state().wakeAt).toBe(5_100);
    expect(kinds(seat.tick(5_100))).toEqual(['vote', 'wake']);
    expect(seat.state().repeatAt).toBe(10_000);
  });

  test('without a final block makes everything be said again, and again', () => {
    const seat = busySeat();
    seat.give(a);
    seat.certify(finalOf(a));
    const unseen = blockOf(2, a);
    seat.certify(notarOf(unseen));
    seat.certify(skipOf(3));
    seat.certify(skipOf(2));
    seat.tick(100);
    const repeat = {
      kind: 'repeat',
      votes: [voteOf(0, 'final', 2, unseen), voteOf(0, 'skip', 4)],
      certificates: [finalOf(a), notarOf(unseen), skipOf(2), skipOf(3)],
    };
    for (const now of [5_000, 10_000]) {
      const effects = seat.tick(now);
      expect(seat.line()).toBe('C28');
      expect(effects).toContainEqual(repeat);
      expect(only(effects, 'wanted')).toMatchObject([{ view: 2 }]);
      expect(only(effects, 'wake')).toEqual([{ kind: 'wake', at: now + 5_000 }]);
    }
    seat.tick(12_000);
    seat.certify(finalOf(unseen));
    expect(seat.state().repeatAt).toBe(17_000);
  });

  test('also asks again for a final block that has not been seen', () => {
    const seat = seatOf(rulesOf(null));
    seat.certify(finalOf(a));
    expect(only(seat.tick(5_000), 'wanted')).toMatchObject([{ view: 1 }]);
  });
});

describe('a restart', () => {
  test('takes up where the disk ends, says it once, and leads if it is its turn', () => {
    const c = blockOf(2, a);
    const seat = seatOf(rulesOf(0), {
      root: a,
      finalCertificate: finalOf(a),
      signed: [voteOf(0, 'notar', 1, a), voteOf(0, 'notar', 2, c), voteOf(0, 'skip', 3)],
      certificates: [skipOf(3), notarOf(c), notarOf(a), { ...skipOf(5), seats: [1, 1, 1] }],
      blocks: [c],
    });
    expect(seat.line()).toBe('C30');
    expect(seat.state().view).toBe(4);
    expect(kinds(seat.started)).toEqual(['notarized', 'vote', 'repeat', 'wake']);
    expect(only(seat.started, 'repeat')[0]).toEqual({
      kind: 'repeat',
      votes: [voteOf(0, 'notar', 2, c), voteOf(0, 'final', 2, c), voteOf(0, 'skip', 3)],
      certificates: [finalOf(a), notarOf(c), skipOf(3)],
    });
    const lead = only(seat.validate(c.id), 'lead');
    expect(lead).toMatchObject([{ view: 4, parent: c, notar: notarOf(c), skips: [skipOf(3)] }]);
    expect(certificateOf(seat.state(), 'notar', 1)).toEqual(notarOf(a));
  });

  test('from a later Final certificate tells of it, and of a block it lacks', () => {
    const seat = seatOf(rulesOf(3), { certificates: [finalOf(a)] });
    expect(kinds(seat.started)).toEqual(['finalized', 'wanted', 'repeat', 'wake']);
    const known = seatOf(rulesOf(3), { certificates: [finalOf(a)], blocks: [a] });
    expect(kinds(known.started)).toEqual(['finalized', 'repeat', 'wake']);
  });

  test('refuses a root that is not certified, and rules that cannot work', () => {
    const bad = { root: a, finalCertificate: { ...finalOf(a), epoch: 1 } };
    expect(() => seatOf(rulesOf(0), bad)).toThrow('does not certify');
    expect(() => seatOf({ ...rulesOf(0), standstillMs: 1_000 })).toThrow('standstill');
    expect(() => seatOf({ ...rulesOf(0), viewTimeoutMs: 0 })).toThrow('time');
  });
});

describe('the state', () => {
  /** Every input that the story below gave, with the state it was given to. */
  const story = (): { readonly state: EngineState; readonly input: EngineInput }[] => {
    const told: { state: EngineState; input: EngineInput }[] = [];
    let state = busySeat().state();
    const tell = (input: EngineInput): void => {
      told.push({ state, input });
      state = step(state, input, rulesOf(0)).state;
    };
    const c = blockOf(2, a);
    tell({ kind: 'announced', now: 1, block: a });
    tell({ kind: 'vote', now: 2, vote: voteOf(1, 'notar', 1, b) });
    tell({ kind: 'vote', now: 2, vote: voteOf(1, 'notar', 1, a) });
    tell({ kind: 'validated', now: 3, id: a.id });
    tell({ kind: 'certificate', now: 4, certificate: notarOf(a) });
    tell({ kind: 'announced', now: 5, block: c });
    tell({ kind: 'tick', now: 104 });
    tell({ kind: 'certificate', now: 110, certificate: skipOf(2) });
    tell({ kind: 'certificate', now: 111, certificate: skipOf(3) });
    tell({ kind: 'proposed', now: 112, block: blockOf(4, a) });
    tell({ kind: 'certificate', now: 113, certificate: finalOf(a) });
    tell({ kind: 'tick', now: 9_000 });
    return told;
  };

  test('is never disturbed: a step from an old state always says the same', () => {
    const told = story();
    const answers = told.map(({ state, input }) => step(state, input, rulesOf(0)));
    const again = [...told].reverse().map(({ state, input }) => step(state, input, rulesOf(0)));
    expect(again.reverse()).toEqual(answers);
    expect(answers.slice(0, -1).map(({ state }) => state)).toEqual(
      told.slice(1).map(({ state }) => state),
    );
  });

  test('is the same object when nothing was learned', () => {
    for (const { state, input } of story()) {
      if (input.kind === 'tick') continue;
      const after = step(state, input, rulesOf(0)).state;
      if (input.kind === 'proposed') continue;
      expect(step(after, input, rulesOf(0)).state).toBe(after);
      expect(step(after, input, rulesOf(0)).effects).toEqual([]);
    }
    const seat = seatOf(rulesOf(0));
    const before = seat.state();
    seat.tick(1);
    expect(seat.line()).toBe('C31');
    expect(seat.state()).toBe(before);
  });

  test('stays bounded whatever two faulty seats of seven sign', () => {
    const seat = seatOf(rulesOf(0, 7));
    for (let view = 1; view <= 300; view++)
      for (const voter of [5, 6])
        for (const name of ['a', 'b', 'c']) {
          seat.hear(voteOf(voter, 'notar', view, blockOf(view, genesis, name)));
          seat.hear(voteOf(voter, 'final', view, blockOf(view, genesis, name)));
          seat.hear(voteOf(voter, 'skip', view));
          seat.announce({ ...blockOf(view, genesis, name), proposer: view % 7 });
        }
    const { views, blocks } = seat.state();
    const open = windowViews(7) + 1;
    let votes = 0;
    for (const [, { tally }] of views.entries())
      for (const ballots of Object.values(tally.votes))
        for (const kept of ballots.values()) votes += kept.length;
    expect(views.size).toBe(open + 1);
    expect(votes).toBe(open * 2 * (2 + 2 + 1));
    expect(blocks.size).toBe(open * 2 + 1);
    // And all of it is gone with the next final block beyond.
    seat.certify({ ...finalOf(blockOf(400), [0, 1, 2, 3, 4]) });
    expect(seat.state().views.size).toBe(1);
  });
});
