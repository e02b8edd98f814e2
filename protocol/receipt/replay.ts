/** Replay what was ordered about one lane, block by block, from its log. */
import { emptyLane, type LaneRules, type LaneState, logEntryCodec } from '../aggregation/lane.ts';
import { orderStatement } from '../aggregation/order.ts';
import {
  awaitsWave,
  type BlockEnd,
  drawWave,
  endBlock,
  type WaveDraw,
} from '../aggregation/wave.ts';
import { mark } from '../assert.ts';
import { zeroDigest } from '../crypto/hash.ts';
import { messageHash } from '../job/statement.ts';
import type { ClosedLane } from '../ledger/record.ts';
import type { LoggedStatement } from './receipt.ts';

/** Everything that the replay of a lane follows from. */
export type ReplayQuestion = {
  readonly rules: LaneRules;
  /** What the record says of the lane: of it, only heights are taken. */
  readonly closed: ClosedLane;
  readonly log: readonly LoggedStatement[];
  /** The draw of a wave that the record tells of. */
  readonly drawOf: (wave: number) => WaveDraw;
  /** Beacon of height c + 1 of a later wave; chain time of a block that closed a wave. */
  readonly beaconAt: (height: number) => Uint8Array | null;
  readonly timeMsAt: (height: number) => number | null;
};

/** The encoded entries of a log. */
export function logEntries(log: readonly LoggedStatement[]): readonly Uint8Array[] {
  return log.map(({ height, signed }) => {
    const { kind, seat, wave } = signed.statement;
    return logEntryCodec.encode({ kind, seat, wave, height, message: messageHash(signed) });
  });
}

/**
 * The lane at its end, or the code of why it cannot have gone that way.
 *
 * The ledger's own rules decide. Two facts are believed as the record has them, since only all
 * headers of the job could prove them: the height c at which a commit phase met its deadline, and
 * that f + 1 leaders had a block in each phase.
 * @see spec/protocol/receipt.md V27 to V29
 */
export function replayLane(question: ReplayQuestion): LaneState | string {
  const { rules, closed, log, drawOf } = question;
  let lane = drawWave(emptyLane, rules, drawOf(0));
  let at = 0;
  for (const height of eventHeights(question)) {
    const next = closed.waves[lane.waves.length];
    if (next !== undefined && next.base === height - 1) {
      if (!awaitsWave(lane)) return refused('REPLAY_WAVE');
      lane = drawWave(lane, rules, drawOf(lane.waves.length));
    }
    for (let entry = log[at]; entry?.height === height; entry = log[++at]) {
      const { statement } = entry.signed;
      const ordered = orderStatement(lane, rules, statement, messageHash(entry.signed), height);
      if (!ordered.ok) return refused(ordered.code);
      lane = ordered.lane;
    }
    lane = endedBlock(lane, question, height);
    if (lane.outcome !== 'open') break;
  }
  if (at !== log.length) {
    mark('V28');
    return 'REPLAY_REST';
  }
  mark('V29');
  return lane;
}

function refused(code: string): string {
  mark('V27');
  return code;
}

/** Heights at which something can happen to the lane, rising. */
function eventHeights({ closed, log }: ReplayQuestion): readonly number[] {
  const heights = new Set(log.map(({ height }) => height));
  for (const { base, commitClose } of closed.waves) {
    heights.add(base).add(base + 1);
    if (commitClose !== null) heights.add(commitClose).add(commitClose + 1);
  }
  if (closed.closed !== null) heights.add(closed.closed);
  const first = closed.waves[0]!.base;
  return [...heights].filter((height) => height > first).sort((a, b) => a - b);
}

/** The lane at the end of a block; its phases end where the record says. */
function endedBlock(lane: LaneState, question: ReplayQuestion, height: number): LaneState {
  const { rules, closed } = question;
  const place = lane.waves.length - 1;
  const isClose = closed.waves[place]?.commitClose === height;
  const isBase = closed.waves[place + 1]?.base === height;
  const block = (timeMs: number): BlockEnd => ({
    height,
    view: 0, // Of c alone it matters, for the next draw, and that takes it from the header of c.
    timeMs,
    beacon: question.beaconAt(height) ?? zeroDigest,
    leadersSince: () => rules.faulty + 1,
  });
  if (lane.waves[place]!.commitClose === null)
    return endBlock(lane, rules, block(isClose ? Number.MAX_SAFE_INTEGER : 0));
  if (!isBase) return endBlock(lane, rules, block(0));
  // Where the reveal phase ended is not recorded and changes nothing but this: it did by now.
  const end = block(question.timeMsAt(height) ?? 0);
  return endBlock(endBlock(lane, rules, end), rules, end);
}
