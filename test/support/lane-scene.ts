/** Play one lane by hand: its draws, what its seats say, the ends of its blocks. */
import {
  emptyLane,
  findSlot,
  type LaneRules,
  type LaneState,
} from '../../protocol/aggregation/lane.ts';
import { type Ordered, orderStatement } from '../../protocol/aggregation/order.ts';
import { pickedItems } from '../../protocol/aggregation/pick.ts';
import { drawWave, endBlock } from '../../protocol/aggregation/wave.ts';
import { saltInput } from '../../protocol/algebra/salt.ts';
import { openItem } from '../../protocol/algebra/transcript.ts';
import { hash } from '../../protocol/crypto/hash.ts';
import { jobId, type SignedJob } from '../../protocol/job/job.ts';
import {
  type AbstainClass,
  commitDigest,
  messageHash,
  type Reveal,
  type Statement,
} from '../../protocol/job/statement.ts';
import { genesisChain } from '../../protocol/ledger/chain.ts';
import { ratio } from '../../protocol/ratio.ts';
import { type Lie, simulatedLimits, simulateLane } from '../simulation/lane.ts';
import { simulatedJob, simulatedNetwork } from '../simulation/network.ts';

const network = simulatedNetwork(4, 0);
const genesisHeader = genesisChain(network.rules).header;

/** Rules of the first of two lanes of a job of 12 items in 6 subtasks; 7 seats, K = 2. */
export const sceneRules: LaneRules = {
  seats: 7,
  adversarial: 2,
  faulty: 2,
  loss: ratio(1n, 10n ** 9n),
  lanesMax: 2,
  perLane: 3,
  lane: 0,
  lanes: 2,
  items: 12,
  subtasks: 6,
  fuelItem: simulatedLimits.fuelItem,
  drawnMs: 1_000_000,
  commitWindowMs: 4_000,
  revealWindowMs: 3_000,
  openingWindowMs: 2_000,
  waves: 12,
};

/** How a seat's words differ from those of an honest one. */
export type SeatWish = {
  readonly wave?: number;
  readonly lie?: Lie;
  /** Items from this one on trap. */
  readonly failing?: number;
};

type Work = Extract<ReturnType<typeof simulateLane>, { kind: 'done' }>;

/** A lane under some rules, and the height at which it is looked at. */
export class LaneScene {
  readonly rules: LaneRules;
  readonly signed: SignedJob;
  readonly job: Uint8Array;
  lane: LaneState = emptyLane;
  height = 10;
  timeMs: number;

  constructor(rules: Partial<LaneRules> = {}) {
    this.rules = { ...sceneRules, ...rules };
    const { items, subtasks, drawnMs } = this.rules;
    const input = { kind: 'generated', items } as const;
    this.signed = simulatedJob(network, genesisHeader, { input, subtasks });
    this.job = jobId(this.signed.job);
    this.timeMs = drawnMs;
  }

  get wave(): number {
    return this.lane.waves.length - 1;
  }

  /** Draws the next wave, from block `height`, and goes on to the block after it. */
  draw(order: readonly number[], skippedViews = 0): this {
    const { height, lane, rules } = this;
    const drawId = hash('draw-id', height, lane.waves.length);
    this.lane = drawWave(lane, rules, { base: height, drawId, skippedViews, order });
    this.height += 1;
    return this;
  }

  /** Offers a statement; the lane has it if it has a place. */
  say(statement: Statement): Ordered {
    const signature = network.keys(statement.seat).sign(this.job);
    const message = messageHash({ statement, signature });
    const ordered = orderStatement(this.lane, this.rules, statement, message, this.height);
    if (ordered.ok) this.lane = ordered.lane;
    return ordered;
  }

  /** Ends the block at hand. By default its time is that of the draw, and all seats have led. */
  end({
    timeMs = this.timeMs,
    beacon = hash('beacon', this.height),
    leadersSince = (_: number): number => this.rules.seats,
  }: {
    timeMs?: number;
    beacon?: Uint8Array;
    leadersSince?: (height: number) => number;
  } = {}): this {
    this.timeMs = timeMs;
    const block = { height: this.height, view: this.height, timeMs, beacon, leadersSince };
    this.lane = endBlock(this.lane, this.rules, block);
    this.height += 1;
    return this;
  }

  /** Ends blocks until the wave is closed by its deadlines, or the lane is. */
  endWave(): this {
    const { closeMs } = this.lane.waves[this.wave]!;
    for (let blocks = 0; blocks < 4; blocks++) {
      if (this.lane.outcome !== 'open' || this.lane.waves[this.wave]!.closed !== null) break;
      this.end({ timeMs: closeMs });
    }
    this.height -= 1;
    return this;
  }

  subject(seat: number, wave = this.wave) {
    const { job, lane, rules } = this;
    return { seat, job, lane: rules.lane, wave, drawId: lane.waves[wave]!.drawId };
  }

  /** What a seat makes of the lane. */
  work(
    seat: number,
    { wave = this.wave, lie, failing }: SeatWish = {},
  ): Work & {
    readonly saltKey: Uint8Array;
  } {
    const { drawId } = this.lane.waves[wave]!;
    const { lane, lanes } = this.rules;
    const saltKey = network.keys(seat).keyedHash(saltInput(drawId, this.job, lane));
    const beacon = hash('beacon', drawId);
    const duty = { signed: this.signed, job: this.job, lane, lanes, wave, seat, drawId, beacon };
    const outcome = simulateLane(
      { ...duty, key: '', saltKey, patienceMs: 0 },
      failing === undefined ? {} : { failing },
      lie,
    );
    if (outcome.kind !== 'done') throw new Error('a simulated lane is done');
    return { ...outcome, saltKey };
  }

  reveal(seat: number, wish: SeatWish = {}): Reveal & { readonly kind: 'reveal' } {
    const { claim, saltKey, workRoot, inlineValue: value } = this.work(seat, wish);
    return {
      kind: 'reveal',
      ...this.subject(seat, wish.wave),
      claim,
      saltKey,
      workRoot,
      value,
    };
  }

  commit(seat: number, wish: SeatWish = {}): Extract<Statement, { kind: 'commit' }> {
    const digest = commitDigest(this.reveal(seat, wish));
    return { kind: 'commit', ...this.subject(seat, wish.wave), digest };
  }

  abstain(seat: number, name: AbstainClass = 'timeout', wave = this.wave): Statement {
    return { kind: 'abstain', ...this.subject(seat, wave), class: name };
  }

  open(seat: number, wish: SeatWish = {}): Extract<Statement, { kind: 'open' }> {
    const wave = wish.wave ?? this.wave;
    const { openingBeacon, drawId } = this.lane.waves[wave]!;
    const beacon = openingBeacon ?? hash('beacon', 'a guess');
    const picks = pickedItems(beacon, drawId, seat, this.rules);
    const { transcript } = this.work(seat, wish);
    const openings = picks.map(({ subtask, item }) => openItem(transcript, subtask, item));
    return { kind: 'open', ...this.subject(seat, wave), openings };
  }

  /** Commits of these seats, and the block that closes the phase behind them. */
  commitAll(seats: readonly number[], wish: SeatWish = {}): this {
    for (const seat of seats) this.say(this.commit(seat, wish));
    const { commitByMs } = this.lane.waves[this.wave]!;
    return this.end({ timeMs: Math.max(this.timeMs, commitByMs) });
  }

  slot(seat: number, wave = this.wave) {
    return findSlot(this.lane, wave, seat)!.slot;
  }
}

/** The code of a refusal, or null. */
export function codeOf(ordered: Ordered): string | null {
  return ordered.ok ? null : ordered.code;
}
