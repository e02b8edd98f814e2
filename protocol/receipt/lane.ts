/** Check one lane of a receipt: its log, its acceptance, its leaves and its value. */
import { type LaneState, type SlotVerdict, slotVerdict } from '../aggregation/lane.ts';
import type { WaveDraw } from '../aggregation/wave.ts';
import { type LaneLeaf, laneRoot } from '../algebra/result.ts';
import { mark } from '../assert.ts';
import { sameBytes } from '../brand.ts';
import type { Job } from '../job/job.ts';
import { laneSubtasks, subtaskItems } from '../job/split.ts';
import { type LaneClaim, statementMessage } from '../job/statement.ts';
import { headerHash } from '../ledger/header.ts';
import { closeLane, laneRules, recordCodec } from '../ledger/record.ts';
import { blobCid } from '../merkle/blob.ts';
import { listRoot } from '../merkle/list.ts';
import { cutLane, drawId, drawSeats, laneCut } from '../sampling/draw.ts';
import { skippedWaveViews } from '../sampling/plan.ts';
import type { HeaderAt, Network, ProvedRecord } from './case.ts';
import { fails, holds, type Ruling } from './finding.ts';
import type { LoggedStatement, ReceiptLane } from './receipt.ts';
import { logEntries, replayLane } from './replay.ts';

/** All that a lane's checks rest on. */
export type LaneCase = {
  readonly network: Network;
  readonly proved: ProvedRecord;
  readonly headerAt: HeaderAt;
  readonly job: Job;
  /** Permutation of a wave drawn by block b. */
  readonly orderOf: (base: number, wave: number) => readonly number[];
};

/** Permutations, each computed when it is first asked for. */
export function permutations({ id, genesis }: Network, headerAt: HeaderAt): LaneCase['orderOf'] {
  const known = new Map<string, readonly number[]>();
  return (base, wave) => {
    const key = `${base}/${wave}`;
    let order = known.get(key);
    if (order === undefined) {
      const { beacon } = headerAt(base + 1);
      order = drawSeats({ network: id, height: base, wave, beacon, seats: genesis.seats.length });
      known.set(key, order);
    }
    return order;
  };
}

/** A lane as it really went. */
export type AuditedLane = {
  readonly state: LaneState;
  readonly claim: LaneClaim;
  readonly leaves: readonly LaneLeaf[];
  readonly value: Uint8Array | null;
};

/** What a lane's seats did, for people. Being counted against a claim is arithmetic, never guilt. */
export type LaneReport = {
  readonly lane: number;
  readonly claim: LaneClaim;
  readonly waves: number;
  /** Height at which the claim was accepted. */
  readonly closed: number | null;
  /** In the public order of the draws. */
  readonly seats: readonly {
    readonly seat: number;
    readonly wave: number;
    readonly verdict: SlotVerdict;
  }[];
};

export function laneReport({ claim, state }: AuditedLane, lane: number): LaneReport {
  const { waves, slots, closed, accepted } = state;
  const seats = slots.map((slot) => ({
    seat: slot.seat,
    wave: slot.wave,
    verdict: slotVerdict(slot, accepted),
  }));
  return { lane, claim, waves: waves.length, closed, seats };
}

/** @see spec/protocol/receipt.md V30 to V36 */
export function checkLane(
  lane: number,
  carried: ReceiptLane,
  question: LaneCase,
): Ruling<AuditedLane> {
  const { record } = question.proved;
  const closed = record.lanes[lane]!;
  if (
    carried.log.length !== closed.logSize ||
    !sameBytes(listRoot(logEntries(carried.log)), closed.logRoot)
  )
    return wrong('V30', 'AUDIT_LOG', 'the log is not the one whose root the record has');
  const stranger = unsigned(lane, carried.log, question);
  if (stranger !== null) return wrong('V31', 'AUDIT_STATEMENT', stranger);
  const state = replayed(lane, carried, question);
  if (typeof state === 'string')
    return wrong('V32', 'AUDIT_REPLAY', `the log cannot have been ordered: ${state}`);
  const encode = (end: typeof closed): Uint8Array =>
    recordCodec.encode({ ...record, lanes: [end] });
  if (!sameBytes(encode(closeLane(state)), encode(closed)))
    return wrong('V33', 'AUDIT_ACCEPTANCE', `replayed, the lane does not end as the record says`);
  const claim = closed.claim!;
  const fault = leafFault(lane, carried, claim, question);
  if (fault !== null) return wrong('V34', 'AUDIT_LEAVES', fault);
  const { leaves, value } = carried;
  const named = value === null ? null : blobCid(value);
  const fits =
    named === null || claim.valueCid === null
      ? named === claim.valueCid
      : sameBytes(named, claim.valueCid);
  if (!fits) return wrong('V35', 'AUDIT_VALUE', 'the value is not the one that was accepted');
  mark('V36');
  return holds(laneFacts(state, claim, leaves.length), { state, claim, leaves, value });
}

function wrong(line: string, code: string, because: string): Ruling<never> {
  mark(line);
  return fails(code, because);
}

/** What makes a message no statement of a seat about this lane, or null. */
function unsigned(
  lane: number,
  log: readonly LoggedStatement[],
  { network, proved }: LaneCase,
): string | null {
  for (const [at, { signed }] of log.entries()) {
    const { statement, signature } = signed;
    if (statement.lane !== lane || !sameBytes(statement.job, proved.id))
      return `message ${at} of the log is about another lane`;
    const seat = network.genesis.seats[statement.seat];
    const message = statementMessage(statement, network.id);
    if (seat === undefined || !network.suite.verify(seat.publicKey, message, signature))
      return `message ${at} of the log is not signed by seat ${statement.seat}`;
  }
  return null;
}

function replayed(lane: number, { log }: ReceiptLane, question: LaneCase): LaneState | string {
  const { network, proved, headerAt, orderOf } = question;
  const { record, plan } = proved;
  const closed = record.lanes[lane]!;
  const drawOf = (wave: number): WaveDraw => {
    const base = wave === 0 ? record.includedHeight : closed.waves[wave]!.base;
    const next = headerAt(base + 1);
    const id = { network: network.id, height: base, wave, beacon: next.beacon };
    const order = orderOf(base, wave);
    const cut = laneCut({ offset: plan.offset, lane, lanesMax: plan.lanesMax });
    return {
      base,
      drawId: drawId({ ...id, blockHash: headerHash(headerAt(base)) }),
      skippedViews:
        wave === 0
          ? plan.skippedViews
          : skippedWaveViews({
              next,
              parent: headerAt(base - 1),
              commitClose: headerAt(closed.waves[wave - 1]!.commitClose!),
            }),
      order: wave === 0 ? cutLane(order, plan.perLane, cut) : order,
    };
  };
  const later = closed.waves.slice(1);
  return replayLane({
    rules: laneRules(record, plan, network.genesis.parameters, lane),
    closed,
    log,
    drawOf,
    beaconAt: (height) =>
      later.some(({ commitClose }) => commitClose !== null && commitClose + 1 === height)
        ? headerAt(height).beacon
        : null,
    timeMsAt: (height) =>
      later.some(({ base }) => base === height) ? headerAt(height).timeMs : null,
  });
}

/** What makes leaves no result of this lane, or null. */
function leafFault(
  lane: number,
  { leaves }: ReceiptLane,
  claim: LaneClaim,
  { proved, job }: LaneCase,
): string | null {
  const { lanes } = proved.plan;
  if (!sameBytes(laneRoot(leaves), claim.laneRoot))
    return 'the leaves are not those under the accepted root';
  const subtasks = laneSubtasks(job.subtasks, lanes, lane);
  const own = leaves.slice(0, subtasks.length);
  const [fold, ...rest] = leaves.slice(subtasks.length);
  const allOk = own.every(({ result }) => result.ok);
  const foldFails = fold?.subtask === lanes && !fold.result.ok && fold.result.item === null;
  if (rest.length > 0 || (fold !== undefined && !(allOk && foldFails)))
    return 'a leaf is of no subtask of the lane';
  for (const [at, subtask] of subtasks.entries()) {
    const leaf = own[at];
    if (leaf?.subtask !== subtask) return `subtask ${subtask} has no leaf`;
    const { first, end } = subtaskItems(job.input.items, job.subtasks, subtask);
    const { result } = leaf;
    if (!result.ok && result.item !== null && (result.item < first || result.item >= end))
      return `item ${result.item} is not of subtask ${subtask}`;
  }
  const succeeded = allOk && fold === undefined;
  if (succeeded !== (claim.valueCid !== null))
    return succeeded
      ? 'no leaf failed, but there is no value'
      : 'a leaf failed, but there is a value';
  return null;
}

const verdictWords: readonly SlotVerdict[] = [
  'agreed',
  'dissenting',
  'silent',
  'abstaining',
  'equivocating',
  'unopened',
];

function laneFacts(
  { slots, waves, accepted, closed }: LaneState,
  { mapFuel }: LaneClaim,
  leafCount: number,
): string {
  const groups = verdictWords.flatMap((word) => {
    const seats = slots.filter((slot) => slotVerdict(slot, accepted) === word);
    return seats.length === 0 ? [] : [`${word} ${seats.map(({ seat }) => seat).join(' ')}`];
  });
  const drawings = waves.length === 1 ? 'one wave' : `${waves.length} waves`;
  return (
    `seats ${groups.join(', ')}; ${drawings}; accepted at height ${closed}; ${leafCount} leaves; ` +
    `${mapFuel} units of fuel`
  );
}
