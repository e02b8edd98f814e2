// Goal: a lane takes what it may take, names why it does not, and lets nobody speak too late.
// Method: one lane by hand, statement by statement; each rule beside the case that misses it by one.
// Phases and draws: aggregation-waves.test.ts. What acceptance is worth: aggregation-theorem.test.ts.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { slotVerdict } from '../../protocol/aggregation/lane.ts';
import { pickedItems } from '../../protocol/aggregation/pick.ts';
import { acceptableClaims } from '../../protocol/aggregation/walk.ts';
import { abstainedClass } from '../../protocol/aggregation/wave.ts';
import { openItem } from '../../protocol/algebra/transcript.ts';
import { hash } from '../../protocol/crypto/hash.ts';
import { stream } from '../../protocol/crypto/stream.ts';
import { laneSubtasks, subtaskItems } from '../../protocol/job/split.ts';
import { abstainClasses, commitDigest } from '../../protocol/job/statement.ts';
import { codeOf, LaneScene, sceneRules } from '../support/lane-scene.ts';
import { linesElsewhere } from '../support/line-shares.ts';
import { reachEveryLine } from '../support/lines.ts';

reachEveryLine(
  'aggregation',
  linesElsewhere('aggregation', [
    [2, 23],
    [29, 29],
  ]),
);

/** Three seats drawn, of which none has spoken. */
const drawn = (order: readonly number[] = [4, 1, 6]): LaneScene => new LaneScene().draw(order);
const closeMs = (scene: LaneScene): number => scene.lane.waves[scene.wave]!.closeMs;

describe('a commit', () => {
  test('is taken once, and counts twice only against its seat', () => {
    const scene = drawn();
    expect(scene.say(scene.commit(1)).ok).toBe(true);
    expect(scene.slot(1)).toMatchObject({ commit: scene.commit(1).digest, equivocated: false });
    expect(codeOf(scene.say(scene.commit(1)))).toBe('LANE_KNOWN');
    expect(scene.say(scene.commit(1, { lie: 'value' })).ok).toBe(true);
    expect(scene.slot(1)).toMatchObject({ commit: scene.commit(1).digest, equivocated: true });
    expect(codeOf(scene.say({ ...scene.commit(1), digest: hash('dev', 3) }))).toBe('LANE_KNOWN');
    expect(scene.lane.log.map(({ kind, seat }) => `${kind} ${seat}`)).toEqual([
      'commit 1',
      'commit 1',
    ]);
    scene.commitAll([4, 6]);
    expect(codeOf(scene.say(scene.reveal(1)))).toBe('LANE_EQUIVOCATED');
    expect(codeOf(scene.say(scene.reveal(1, { lie: 'value' })))).toBe('LANE_EQUIVOCATED');
  });

  test('is of a drawn seat, in its wave, under its draw', () => {
    const scene = drawn();
    const commit = scene.commit(1);
    for (const foreign of [
      { ...commit, seat: 0 },
      { ...commit, wave: 1 },
      { ...commit, drawId: hash('draw-id', 'another') },
    ])
      expect(codeOf(scene.say(foreign))).toBe('LANE_NOT_DRAWN');
    expect(scene.lane.log).toEqual([]);
  });

  test('comes before its phase closes, and never after an abstention', () => {
    const scene = drawn();
    scene.say(scene.abstain(6));
    expect(codeOf(scene.say(scene.commit(6)))).toBe('LANE_ABSTAINED');
    scene.commitAll([1]);
    expect(scene.lane.waves[0]!.commitClose).toBe(11);
    expect(codeOf(scene.say(scene.commit(4)))).toBe('LANE_COMMIT_LATE');
    // A second, conflicting one moves nothing any more.
    expect(codeOf(scene.say(scene.commit(1, { lie: 'value' })))).toBe('LANE_COMMIT_LATE');
    expect(scene.slot(1).equivocated).toBe(false);
  });
});

describe('an abstention', () => {
  test('is taken while the lane is open, once, and not after a commit', () => {
    const scene = drawn().commitAll([1]);
    expect(codeOf(scene.say(scene.abstain(1)))).toBe('LANE_COMMITTED');
    expect(scene.say(scene.abstain(4, 'host-oom')).ok).toBe(true);
    expect(codeOf(scene.say(scene.abstain(4, 'timeout')))).toBe('LANE_KNOWN');
    expect(scene.slot(4)).toMatchObject({ abstained: 'host-oom', commit: null });
    scene.end().endWave().draw([0, 2]);
    expect(scene.say(scene.abstain(6, 'timeout', 0)).ok).toBe(true);
  });

  test.each(abstainClasses)('of more than K distinct seats in %s voids the lane', (name) => {
    const scene = drawn();
    scene.say(scene.abstain(4, name));
    scene.say(scene.abstain(1, name));
    scene.end();
    expect(scene.lane.outcome).toBe('open'); // K = 2, and two abstained
    scene.endWave().draw([0]);
    scene.say(scene.abstain(0, name));
    expect(abstainedClass(scene.lane, scene.rules)).toBe(name);
    scene.end();
    expect(scene.lane).toMatchObject({ outcome: 'abstained', closed: scene.height - 1 });
  });

  test('of K + 1 seats in different classes, or of one seat often, voids nothing', () => {
    const mixed = drawn();
    for (const [place, seat] of [4, 1, 6].entries())
      mixed.say(mixed.abstain(seat, abstainClasses[place]!));
    expect(mixed.end().lane.outcome).toBe('open');

    const scene = new LaneScene().draw([0, 1, 2, 3, 4, 5, 6]);
    scene.say(scene.abstain(0));
    scene.say(scene.abstain(1));
    scene.end().endWave();
    for (let wave = 1; wave < 5; wave++) {
      scene.draw([0, 1, 2, 3, 4, 5, 6]);
      expect(scene.lane.waves[wave]!.reopened).toBe(true);
      scene.say(scene.abstain(0));
      scene.say(scene.abstain(1));
      scene.end().endWave();
      expect(scene.lane.outcome).toBe('open');
    }
    expect(scene.lane.slots.filter(({ abstained }) => abstained !== null)).toHaveLength(10);
  });
});

describe('a reveal', () => {
  test('opens its own commit, after the phase closed, once', () => {
    const scene = drawn();
    for (const seat of [4, 1, 6]) scene.say(scene.commit(seat));
    expect(codeOf(scene.say(scene.reveal(1)))).toBe('LANE_REVEAL_EARLY');
    scene.end();
    // The block that closed the phase is c: what is at its height is not after it.
    scene.height -= 1;
    expect(codeOf(scene.say(scene.reveal(1)))).toBe('LANE_REVEAL_EARLY');
    scene.height += 1;
    const reveal = scene.reveal(1);
    for (const other of [
      { ...reveal, saltKey: hash('dev', 'salt') },
      { ...reveal, workRoot: hash('dev', 'root') },
      { ...reveal, claim: { ...reveal.claim, laneRoot: hash('dev', 'root') } },
      { ...reveal, claim: { ...reveal.claim, valueCid: null } },
      { ...reveal, claim: { ...reveal.claim, mapFuel: reveal.claim.mapFuel + 1n } },
      scene.reveal(1, { lie: 'value' }),
    ])
      expect(codeOf(scene.say(other))).toBe('LANE_REVEAL_MISMATCH');
    expect(codeOf(scene.say({ ...reveal, value: Uint8Array.of(1) }))).toBe('LANE_VALUE_MISMATCH');
    expect(scene.slot(1).claim).toBeNull();
    expect(scene.say(reveal).ok).toBe(true);
    expect(scene.slot(1)).toMatchObject({ claim: 0, saltKey: reveal.saltKey });
    expect(codeOf(scene.say(reveal))).toBe('LANE_KNOWN');
    expect(codeOf(scene.say({ ...reveal, value: null }))).toBe('LANE_KNOWN');
  });

  test('of a seat that has no commit, or copies another one, opens nothing', () => {
    const scene = drawn();
    scene.say(scene.commit(4));
    const { digest } = scene.commit(4);
    scene.say({ ...scene.commit(1), digest });
    scene.end().end({ timeMs: closeMs(scene) });
    expect(scene.say(scene.reveal(4)).ok).toBe(true);
    // The copy commits to the words of seat 4, which are in the digest.
    const { claim, saltKey, workRoot } = scene.reveal(4);
    expect(codeOf(scene.say({ ...scene.reveal(1), claim, saltKey, workRoot }))).toBe(
      'LANE_REVEAL_MISMATCH',
    );
    expect(codeOf(scene.say(scene.reveal(6)))).toBe('LANE_REVEAL_MISMATCH');
  });

  test('carries no value where it claims none, and no fuel beyond the limits of its items', () => {
    const most = 6n * sceneRules.fuelItem;
    for (const bent of [
      { mapFuel: most + 1n, value: false },
      { mapFuel: most, value: true },
      { mapFuel: most, value: false },
    ]) {
      const scene = drawn([1]);
      const honest = scene.reveal(1, { failing: 3 });
      expect(honest.claim.valueCid).toBeNull();
      const claim = { ...honest.claim, mapFuel: bent.mapFuel };
      const reveal = { ...honest, claim, value: bent.value ? Uint8Array.of() : null };
      scene.say({ ...scene.commit(1), digest: commitDigest(reveal) });
      scene.end();
      const fits = bent.mapFuel <= most && !bent.value;
      const code = fits ? null : 'LANE_VALUE_MISMATCH';
      expect(codeOf(scene.say(reveal))).toBe(code);
    }
  });

  test('of an old wave still counts while the lane is open', () => {
    const scene = drawn([4, 1, 6]).commitAll([4, 1, 6]);
    scene.say(scene.reveal(4));
    scene.endWave().draw([0, 2]);
    scene.say(scene.reveal(1, { wave: 0 }));
    scene.say(scene.reveal(6, { wave: 0 }));
    scene.end();
    expect(scene.lane).toMatchObject({ outcome: 'accepted', accepted: 0 });
  });
});

describe('an opening', () => {
  /** A lane whose wave 1 drew seats 0 and 2; seat 0 has revealed, and its picks are known. */
  function second(): LaneScene {
    const scene = drawn([4, 1, 6]).commitAll([4]).endWave().draw([0, 2, 3]);
    scene.say(scene.commit(0));
    scene.say(scene.commit(2));
    scene.say(scene.commit(3));
    return scene.end();
  }

  test('is asked of later waves only', () => {
    const scene = drawn().commitAll([4, 1, 6]);
    scene.end();
    scene.say(scene.reveal(4));
    expect(codeOf(scene.say(scene.open(4)))).toBe('LANE_OPENING_NEEDLESS');
    expect(acceptableClaims(scene.lane, { ...scene.rules, adversarial: 0 })).toEqual([0]);
  });

  test('makes a vote of a late claim: not before its beacon, not after its wave, once', () => {
    const scene = second();
    expect(codeOf(scene.say(scene.open(0)))).toBe('LANE_OPENING_EARLY'); // no claim
    expect(scene.say(scene.reveal(0)).ok).toBe(true);
    expect(codeOf(scene.say(scene.open(0)))).toBe('LANE_OPENING_EARLY'); // no beacon
    const loose = { ...scene.rules, adversarial: 0 };
    expect(acceptableClaims(scene.lane, loose)).toEqual([]);
    scene.end({ beacon: hash('beacon', 'c + 1') });
    expect(scene.lane.waves[1]!.openingBeacon).toEqual(hash('beacon', 'c + 1'));
    expect(scene.say(scene.open(0)).ok).toBe(true);
    expect(acceptableClaims(scene.lane, loose)).toEqual([0]);
    expect(codeOf(scene.say(scene.open(0)))).toBe('LANE_KNOWN');
    scene.say(scene.reveal(2));
    scene.endWave();
    expect(scene.say(scene.reveal(3)).ok).toBe(true);
    for (const seat of [2, 3])
      expect(codeOf(scene.say(scene.open(seat)))).toBe('LANE_OPENING_LATE');
    const verdicts = [0, 2, 3].map((seat) => slotVerdict(scene.slot(seat), 0));
    expect(verdicts).toEqual(['agreed', 'unopened', 'unopened']);
  });

  test('shows exactly what was picked, in order, from the tree that was committed to', () => {
    const scene = second();
    scene.say(scene.reveal(0));
    scene.end();
    const open = scene.open(0);
    const { openings } = open;
    expect(openings).toHaveLength(4);
    const picks = pickedItems(scene.lane.waves[1]!.openingBeacon!, open.drawId, 0, scene.rules);
    for (const wrong of [
      [],
      openings.slice(1),
      [...openings].reverse(),
      openings.map(() => openings[0]!),
      openings.map((opening) => ({ ...opening, subtaskValueHash: null, rootB: null })),
      openings.map((opening) => ({ ...opening, valueHash: hash('dev', 'value') })),
      picks.map(({ subtask, item }) => openItem(scene.work(2).transcript, subtask, item)),
    ])
      expect(codeOf(scene.say({ ...open, openings: wrong }))).toBe('LANE_OPENING_WRONG');
    expect(scene.say(open).ok).toBe(true);
  });

  test('of a failed subtask under a claim that has a value opens nothing', () => {
    const scene = drawn([4, 1, 6]).commitAll([4]).endWave().draw([0, 2]);
    // Items fail, and the seat claims the value of those that do not.
    const failed = scene.reveal(0, { failing: 0 });
    expect(failed.claim.valueCid).toBeNull();
    const bold = { ...failed, claim: scene.reveal(0).claim, value: null };
    const modest = scene.reveal(2, { failing: 0 });
    scene.say({ ...scene.commit(0), digest: commitDigest(bold) });
    scene.say({ ...scene.commit(2), digest: commitDigest(modest) });
    scene.end().say(bold);
    scene.say(modest);
    scene.end();
    expect(codeOf(scene.say(scene.open(0, { failing: 0 })))).toBe('LANE_OPENING_WRONG');
    expect(scene.say(scene.open(2, { failing: 0 })).ok).toBe(true);
  });

  test('picks distinct items of the lane, and all of them where there are no more', () => {
    const geometry = fc.record({
      items: fc.integer({ min: 1, max: 60 }),
      subtasks: fc.integer({ min: 1, max: 20 }),
      lanes: fc.integer({ min: 1, max: 5 }),
      lane: fc.nat(4),
      seat: fc.nat(200),
      beacon: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    });
    fc.assert(
      fc.property(geometry, ({ seat, beacon, ...cut }) => {
        fc.pre(cut.subtasks <= cut.items && cut.lanes <= cut.subtasks && cut.lane < cut.lanes);
        const picks = pickedItems(beacon, hash('draw-id'), seat, cut);
        const own = laneSubtasks(cut.subtasks, cut.lanes, cut.lane).flatMap((subtask) => {
          const { first, end } = subtaskItems(cut.items, cut.subtasks, subtask);
          return Array.from({ length: end - first }, (_, at) => `${subtask}/${first + at}`);
        });
        const names = picks.map(({ subtask, item }) => `${subtask}/${item}`);
        expect(new Set(names).size).toBe(Math.min(4, own.length));
        expect(names.every((name) => own.includes(name))).toBe(true);
        // By the letter of A23.
        const chance = stream(hash('opening', beacon, hash('draw-id'), seat));
        const places = new Set<number>();
        while (places.size < names.length) places.add(chance.below(own.length));
        expect(names).toEqual([...places].map((place) => own[place]));
      }),
    );
    const cut = { items: 100, subtasks: 10, lanes: 1, lane: 0 };
    const picks = (beacon: number, seat: number): string =>
      JSON.stringify(pickedItems(hash('beacon', beacon), hash('draw-id'), seat, cut));
    expect(picks(1, 1)).not.toBe(picks(2, 1));
    expect(picks(1, 1)).not.toBe(picks(1, 2));
  });
});
