// Goal: a lane opens, waits, draws again and ends by chain time and seats alone.
// Method: small lanes on the real ledger, driven to each deadline and one step beyond it.
import { describe, expect, test } from 'vitest';
import {
  laneCodec,
  laneSlotCountMax,
  type Slot,
  type SlotVerdict,
  slotVerdict,
} from '../../protocol/aggregation/lane.ts';
import { acceptableClaims, laneTable, leadingClaim } from '../../protocol/aggregation/walk.ts';
import {
  awaitsWave,
  commitWindowMs,
  endBlock,
  laneWork,
  waveTimes,
} from '../../protocol/aggregation/wave.ts';
import { hash } from '../../protocol/crypto/hash.ts';
import { laneItemCount } from '../../protocol/job/split.ts';
import { ratio } from '../../protocol/ratio.ts';
import { waveTable } from '../../protocol/sampling/plan.ts';
import { codeOf, LaneScene, type SeatWish, sceneRules } from '../support/lane-scene.ts';
import { linesElsewhere } from '../support/line-shares.ts';
import { reachEveryLine } from '../support/lines.ts';

reachEveryLine(
  'aggregation',
  linesElsewhere('aggregation', [
    [1, 1],
    [24, 28],
    [30, 38],
  ]),
);

/** Three seats drawn, of which none has spoken. */
const drawn = (order: readonly number[] = [4, 1, 6]): LaneScene => new LaneScene().draw(order);

describe('phases', () => {
  test('close when all have spoken, whoever led and whatever the time is', () => {
    const scene = drawn();
    const nobody = { leadersSince: () => 0 };
    scene.say(scene.commit(4));
    scene.say(scene.abstain(1));
    scene.end(nobody);
    expect(scene.lane.waves[0]!.commitClose).toBeNull();
    scene.say(scene.commit(6));
    scene.say(scene.commit(6, { lie: 'value' }));
    scene.end(nobody);
    expect(scene.lane.waves[0]!.commitClose).toBe(12);
  });

  test('else last until their deadline, and until f + 1 leaders had a block in them', () => {
    const scene = drawn();
    scene.say(scene.commit(4));
    const { base, commitByMs, revealByMs, closeMs: endMs } = scene.lane.waves[0]!;
    const asked: number[] = [];
    const phase = (deadline: number, start: number, read: () => number | null) => {
      const led = (count: number) => (height: number) => {
        asked.push(height);
        return height === start ? count : 99;
      };
      scene.end({ timeMs: deadline - 1, leadersSince: led(3) });
      expect(read()).toBeNull();
      scene.end({ timeMs: deadline + 60_000, leadersSince: led(2) });
      expect(read()).toBeNull();
      const { height } = scene;
      scene.end({ timeMs: deadline, leadersSince: led(3) });
      expect(read()).toBe(height);
      return height;
    };
    const wave = () => scene.lane.waves[0]!;
    const c = phase(commitByMs, base + 1, () => wave().commitClose);
    const shown = phase(revealByMs, c, () => wave().revealClose);
    phase(endMs, shown, () => wave().closed);
    expect(new Set(asked)).toEqual(new Set([base + 1, c, shown]));
    expect(awaitsWave(scene.lane)).toBe(true);
    // Nothing happens to a lane that waits for its draw.
    const before = scene.lane;
    scene.end({ timeMs: endMs * 2 });
    expect(scene.lane).toBe(before);
  });

  test('are named in the state: a closed lane takes nothing and never changes', () => {
    const scene = drawn().commitAll([4, 1, 6]);
    for (const seat of [4, 1, 6]) scene.say(scene.reveal(seat));
    scene.end();
    expect(scene.lane).toMatchObject({ outcome: 'accepted', accepted: 0, closed: 12 });
    const closed = scene.lane;
    expect(codeOf(scene.say(scene.abstain(4)))).toBe('LANE_CLOSED');
    expect(codeOf(scene.say(scene.reveal(4)))).toBe('LANE_CLOSED');
    expect(scene.end({ timeMs: 2 ** 47 }).lane).toBe(closed);
    expect(awaitsWave(closed)).toBe(false);
    expect(laneCodec.decode(laneCodec.encode(closed))).toEqual(closed);
  });

  test('two claims that are acceptable in one block are a contradiction', () => {
    const two = (): LaneScene => {
      const scene = new LaneScene({ adversarial: 1, faulty: 1 }).draw([0, 1, 2, 3]);
      for (const seat of [0, 1]) scene.say(scene.commit(seat));
      for (const seat of [2, 3]) scene.say(scene.commit(seat, { lie: 'value' }));
      scene.end();
      for (const seat of [0, 1]) scene.say(scene.reveal(seat));
      return scene;
    };
    const scene = two();
    for (const seat of [2, 3]) scene.say(scene.reveal(seat, { lie: 'value' }));
    scene.end();
    expect(scene.lane).toMatchObject({ outcome: 'contradiction', accepted: null, closed: 12 });
    // One block earlier, the first to be acceptable is accepted; the liars are late.
    const earlier = two().end();
    expect(earlier.lane).toMatchObject({ outcome: 'accepted', accepted: 0 });
    expect(codeOf(earlier.say(earlier.reveal(2, { lie: 'value' })))).toBe('LANE_CLOSED');
  });
});

describe('times', () => {
  test('follow from the draw of the job alone', () => {
    const rules = { ...sceneRules, commitWindowMs: 10, revealWindowMs: 3, openingWindowMs: 2 };
    const starts = [0, 15, 40, 85, 170, 255];
    for (const [wave, start] of starts.entries()) {
      const window = 10 * Math.min(2 ** wave, 8);
      expect(waveTimes({ ...rules, drawnMs: 1_000 }, wave)).toEqual({
        commitByMs: 1_000 + start + window,
        revealByMs: 1_000 + start + window + 3,
        closeMs: 1_000 + start + window + 5,
      });
    }
  });

  test('leave room for every item that a lane has, on average', () => {
    expect(commitWindowMs(4_000, 0, 100, 3)).toBe(4_000);
    expect(commitWindowMs(4_000, 10, 100, 3)).toBe(4_000 + 80 * 34);
    expect(commitWindowMs(4_000, 10, 99, 3)).toBe(4_000 + 80 * 33);
    const cut = { items: 100, subtasks: 7, lanes: 3 };
    const all = [0, 1, 2].map((lane) => laneWork({ ...sceneRules, ...cut, lane }));
    expect(all).toEqual([0, 1, 2].map((lane) => laneItemCount(100, 7, 3, lane)));
    expect(all.reduce((a, b) => a + b)).toBe(100);
  });
});

describe('waves', () => {
  const seats = (scene: LaneScene, wave = scene.wave): number[] =>
    scene.lane.slots.filter((slot) => slot.wave === wave).map((slot) => slot.seat);

  test('draw unused seats only, as many as would settle the lane, then twice that', () => {
    const scene = new LaneScene({ seats: 40, adversarial: 13, faulty: 13, lanesMax: 1 });
    const order = Array.from({ length: 40 }, (_, seat) => (seat * 7) % 40);
    scene.draw(order.slice(0, 3)).commitAll(order.slice(0, 3));
    for (const seat of order.slice(0, 2)) scene.say(scene.reveal(seat));
    scene.endWave();
    const needed = (others: number): number => laneTable(scene.lane, scene.rules).needed(others);
    const reversed = [...order].reverse();
    scene.draw(reversed, 5);
    const first = needed(1) - 2; // by the table that has wave 1 in it
    expect(seats(scene)).toEqual(reversed.slice(0, first));
    scene.endWave().draw(reversed);
    const second = 2 * (needed(1 + first) - 2);
    expect(seats(scene)).toEqual(reversed.slice(first, first + second));
    expect(new Set(scene.lane.slots.map(({ seat }) => seat)).size).toBe(scene.lane.slots.length);
    expect(scene.lane.waves.map(({ reopened }) => reopened)).toEqual([false, false, false]);
  });

  test('are judged by a table that pays for the views of all of them', () => {
    const sizes = { seats: 40, adversarial: 13, faulty: 13, lanesMax: 3, perLane: 3 };
    const rules = { ...sizes, loss: ratio(1n, 1_000n) };
    const scene = new LaneScene(rules).draw([0, 1, 2], 4).endWave();
    const order = Array.from({ length: 40 }, (_, seat) => seat);
    scene.draw(order, 60);
    const both = waveTable({ ...rules, skippedViews: [4, 60] });
    const rows = Array.from({ length: 10 }, (_, others) => both.needed(others));
    const table = laneTable(scene.lane, scene.rules);
    expect(rows.map((_, others) => table.needed(others))).toEqual(rows);
    for (const skippedViews of [[4], [60], [4, 4]])
      expect(waveTable({ ...rules, skippedViews }).needed(0)).toBeLessThan(rows[0]!);
    expect(seats(scene)).toHaveLength(rows[3]!); // no votes, and three others
  });

  test('are never settled by fewer seats than the job was promised', () => {
    const generous = { loss: ratio(1n), seats: 40, adversarial: 13, faulty: 13, lanesMax: 1 };
    const votes = (perLane: number): (readonly number[])[] => {
      const scene = new LaneScene({ ...generous, perLane }).draw([0, 1, 2, 3]);
      scene.commitAll([0, 1, 2, 3]);
      return [0, 1, 2, 3].map((seat) => {
        scene.say(scene.reveal(seat));
        return acceptableClaims(scene.lane, scene.rules);
      });
    };
    expect(votes(1)).toEqual([[], [0], [0], [0]]);
    expect(votes(4)).toEqual([[], [], [], [0]]);
  });

  test('go by the claim with most seats, the first of equals', () => {
    const scene = new LaneScene({ seats: 9, adversarial: 3 }).draw([0, 1, 2, 3, 4]);
    expect(leadingClaim(scene.lane)).toEqual({ claim: null, votes: 0, others: 5 });
    const wish = (seat: number): SeatWish => (seat % 2 === 0 ? { lie: 'value' } : {});
    for (const seat of [0, 1, 2, 3]) scene.say(scene.commit(seat, wish(seat)));
    scene.commitAll([]);
    for (const seat of [2, 1, 3]) scene.say(scene.reveal(seat, wish(seat)));
    expect(leadingClaim(scene.lane)).toEqual({ claim: 1, votes: 2, others: 3 });
    scene.say(scene.reveal(0, { lie: 'value' }));
    expect(leadingClaim(scene.lane)).toEqual({ claim: 0, votes: 2, others: 3 });
  });

  test('draw at least one seat, and all that are left if they are fewer', () => {
    const scene = new LaneScene().draw([0, 1]).commitAll([0, 1]);
    scene.say(scene.reveal(0));
    scene.say(scene.reveal(1));
    scene.endWave().draw([0, 1, 2, 3, 4, 5, 6]);
    expect(seats(scene)).toEqual([2]); // K + 1 = 3, and two agree
    scene.endWave().draw([0, 1, 2, 3, 4, 5, 6]);
    expect(seats(scene)).toEqual([3, 4]);
    scene.endWave().draw([6, 5, 4, 3, 2, 1, 0]);
    expect(seats(scene)).toEqual([6, 5]);
  });

  test('open the lane again when all seats are used, for those that do not count', () => {
    const all = [0, 1, 2, 3, 4, 5, 6];
    const scene = new LaneScene().draw(all).commitAll([0, 1, 2]);
    scene.say(scene.reveal(0));
    scene.say(scene.reveal(1));
    scene.endWave().draw([...all].reverse());
    expect(scene.lane.waves[1]!.reopened).toBe(true);
    expect(seats(scene)).toEqual([6, 5, 4, 3, 2]);
    expect(scene.lane.waves[1]!.drawId).not.toEqual(scene.lane.waves[0]!.drawId);
    // A commit for the old draw is late, one for the new is not.
    expect(codeOf(scene.say(scene.commit(6, { wave: 0 })))).toBe('LANE_COMMIT_LATE');
    scene.commitAll([6, 5]).end();
    scene.say(scene.reveal(6));
    scene.end();
    expect(scene.lane.outcome).toBe('open'); // two votes, and one that was not opened
    scene.say(scene.open(6));
    scene.end();
    expect(scene.lane).toMatchObject({ outcome: 'accepted', accepted: 0 });
  });

  test('take a seat back that was not opened in time, and count a seat once', () => {
    const all = [0, 1, 2, 3, 4, 5, 6];
    const scene = new LaneScene().draw(all).endWave();
    scene.draw(all).commitAll([0, 1]);
    scene.say(scene.reveal(0));
    scene.endWave().draw(all);
    expect(seats(scene)).toEqual(all);
    const vote = (seat: number): void => {
      scene.say(scene.reveal(seat));
      scene.say(scene.open(seat));
    };
    scene.commitAll([0, 1]).end();
    vote(0);
    vote(1);
    scene.endWave().draw(all);
    expect(seats(scene)).toEqual([2, 3, 4, 5, 6]);
    // Seat 1 reveals its commit of wave 1 as well: it is one seat still.
    expect(scene.say(scene.reveal(1, { wave: 1 })).ok).toBe(true);
    expect(scene.end().lane.outcome).toBe('open');
    scene.commitAll([2]).end();
    vote(2);
    expect(scene.end().lane.outcome).toBe('accepted');
  });

  test('end: in the last one that the job allows, the lane expires', () => {
    const all = [0, 1, 2, 3, 4, 5, 6];
    const scene = new LaneScene({ waves: 3 }).draw(all);
    for (let wave = 0; wave < 2; wave++) {
      scene.endWave();
      expect(scene.lane.outcome).toBe('open');
      scene.draw(all);
    }
    scene.endWave();
    expect(scene.lane).toMatchObject({ outcome: 'expired', closed: scene.height });
    expect(scene.lane.waves[2]!.closed).toBe(scene.height);
    expect(awaitsWave(scene.lane)).toBe(false);
  });

  test('end: where another wave might not fit into the state, the lane expires', () => {
    const blank: Slot = {
      ...{ wave: 0, seat: 0, commit: null, equivocated: false, abstained: null, claim: null },
      ...{ saltKey: null, workRoot: null, opened: false },
    };
    const closedWith = (slots: number) => {
      const scene = new LaneScene({ waves: 64 }).draw([0, 1, 2]).commitAll([0]);
      const { rules, lane } = scene;
      const wave = { ...lane.waves[0]!, revealClose: 12 };
      const full = { ...lane, waves: [wave], slots: Array.from({ length: slots }, () => blank) };
      const block = { height: 20, timeMs: wave.closeMs, beacon: hash('beacon') };
      return endBlock(full, rules, { ...block, view: block.height, leadersSince: () => 7 }).outcome;
    };
    expect(closedWith(laneSlotCountMax - 7)).toBe('open');
    expect(closedWith(laneSlotCountMax - 6)).toBe('expired');
  });

  test('of any course fit into the encoding of a lane', () => {
    const digest = hash('dev', 'digest');
    const [many, logs] = [laneSlotCountMax, laneSlotCountMax * 3];
    const scene = drawn();
    const wave = {
      ...scene.lane.waves[0]!,
      ...{ base: 2 ** 48, skippedViews: 2 ** 48, commitByMs: 2 ** 48, revealByMs: 2 ** 48 },
      ...{
        closeMs: 2 ** 48,
        commitClose: 2 ** 48,
        commitCloseView: 2 ** 48,
        openingBeacon: digest,
        revealClose: 2 ** 48,
      },
      closed: 2 ** 48,
    };
    const slot: Slot = {
      ...{ wave: 64, seat: 4_095, commit: digest, equivocated: true, abstained: 'inadmissible' },
      ...{ claim: many, saltKey: digest, workRoot: digest, opened: true },
    };
    const claim = { laneRoot: digest, valueCid: new Uint8Array(36), mapFuel: 2n ** 63n - 1n };
    const entry = {
      kind: 'open',
      seat: 4_095,
      wave: 64,
      height: 2 ** 48,
      message: digest,
    } as const;
    const fill = <T>(length: number, value: T): T[] => Array.from({ length }, () => value);
    const largest = {
      ...{ outcome: 'expired' as const, accepted: many, closed: 2 ** 48, waves: fill(65, wave) },
      ...{ slots: fill(many, slot), claims: fill(many, claim), log: fill(logs, entry) },
    };
    const bytes = laneCodec.encode(largest);
    expect(bytes.length).toBeLessThan(laneCodec.bytesMax);
    expect(laneCodec.decode(bytes).log).toHaveLength(logs);
    expect(() => laneCodec.encode({ ...largest, slots: fill(many + 1, slot) })).toThrow('entries');
  });
});

test('how a slot looks from the end is arithmetic', () => {
  const scene = new LaneScene({ seats: 9 }).draw([0, 1, 2, 3, 4]);
  scene.say(scene.abstain(3));
  scene.say(scene.commit(4));
  scene.say(scene.commit(4, { lie: 'value' }));
  scene.say(scene.commit(1, { lie: 'value' }));
  scene.commitAll([0]);
  scene.say(scene.reveal(0));
  scene.say(scene.reveal(1, { lie: 'value' }));
  const verdicts = [0, 1, 2, 3, 4].map((seat): SlotVerdict => slotVerdict(scene.slot(seat), 0));
  expect(verdicts).toEqual(['agreed', 'dissenting', 'silent', 'abstaining', 'equivocating']);
});
