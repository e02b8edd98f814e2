/** Do what our seat was drawn for: execute, commit, reveal, open, and say it until ordered. */
import { currentWave, type LaneState, type Slot, type Wave } from '../aggregation/lane.ts';
import { pickedItems } from '../aggregation/pick.ts';
import { saltInput } from '../algebra/salt.ts';
import { openItem } from '../algebra/transcript.ts';
import { assert, mark } from '../assert.ts';
import { hex, sameBytes } from '../brand.ts';
import {
  commitDigest,
  type Reveal,
  type SignedStatement,
  type Statement,
  type StatementKind,
  signedStatementCodec,
  statementKinds,
  statementMessage,
} from '../job/statement.ts';
import type { ChainState } from '../ledger/chain.ts';
import { rulesOfLane } from '../ledger/items.ts';
import type { JobRecord } from '../ledger/record.ts';
import { StateCursor } from '../ledger/state.ts';
import type { LaneOutcome } from './input.ts';
import { isOrdered, openJobs } from './offer.ts';
import { insertStatement, sayInTurn } from './pool.ts';
import type { DutyState, ReplicaState } from './state.ts';

/** Milliseconds for which one blob is sought, however long the lane's windows are. */
const patienceMsMax = 120_000;

/** Names a duty: two draws of one lane have two names, also on two forks. */
export function dutyKey(drawId: Uint8Array, job: Uint8Array, lane: number): string {
  return `${hex(drawId)}/${hex(job)}/${lane}`;
}

/** Heights whose beacons drew the waves that are open at a block: a new start needs them. */
export function openDrawHeights(chain: ChainState): readonly number[] {
  const heights = new Set<number>();
  for (const { wave } of openLanes(chain)) heights.add(wave.base + 1);
  return [...heights].sort((a, b) => a - b);
}

type OpenLane = {
  readonly job: Uint8Array;
  readonly record: JobRecord;
  readonly number: number;
  readonly lane: LaneState;
  readonly wave: Wave;
};

function* openLanes(chain: ChainState): Generator<OpenLane> {
  const cursor = new StateCursor(chain.map);
  for (const job of cursor.open()) {
    const record = cursor.job(job)!;
    for (let number = 0; number < (record.plan?.lanes ?? 0); number++) {
      const lane = cursor.lane(job, number)!;
      if (lane.outcome === 'open') yield { job, record, number, lane, wave: currentWave(lane) };
    }
  }
}

/**
 * Starts the duties that a block drew for our seat. Running may begin before the block is final;
 * nothing is signed about it before.
 * @param beacons - Beacons of blocks below, by height, for draws that the block only inherited.
 * @see spec/protocol/replica.md R46
 */
export function startDuties(
  state: ReplicaState,
  chain: ChainState,
  beacons: ReadonlyMap<number, Uint8Array> = new Map(),
): void {
  const { seat, keys } = state.rules;
  const { height, timeMs, beacon: own } = chain.header;
  if (seat === null || keys === null || openJobs(chain).size === 0) return;
  for (const { job, record, number, lane, wave } of openLanes(chain)) {
    const drawnHeight = wave.base + 1;
    const beacon = drawnHeight === height ? own : beacons.get(drawnHeight);
    if (beacon === undefined) continue;
    const place = lane.waves.length - 1;
    const slot = lane.slots.find((one) => one.wave === place && one.seat === seat);
    // Who has not committed while that was possible has nothing left to do in this wave.
    const drawn = slot !== undefined && (slot.commit !== null || wave.commitClose === null);
    const key = dutyKey(wave.drawId, job, number);
    const signed = state.jobs.get(hex(job));
    if (!drawn || state.duties.has(key) || signed === undefined) continue;
    mark('R46');
    const duty = {
      key,
      signed,
      job,
      lane: number,
      lanes: record.plan!.lanes,
      wave: place,
      seat,
      drawId: wave.drawId,
      beacon,
      saltKey: keys.keyedHash(saltInput(wave.drawId, job, number)),
      patienceMs: Math.min(Math.max(wave.closeMs - timeMs, 1_000), patienceMsMax),
    };
    state.duties.set(key, { duty, drawnHeight, outcome: null });
    state.effects.push({ kind: 'execute', duty });
  }
}

/**
 * Looks at the final chain and says what is due for each duty.
 * @see spec/protocol/replica.md R47 to R53
 */
export function followDuties(state: ReplicaState): void {
  if (state.duties.size === 0) return;
  const cursor = new StateCursor(state.final.map);
  for (const held of [...state.duties.values()]) {
    const { duty, drawnHeight } = held;
    if (drawnHeight > state.final.header.height) continue;
    const record = cursor.job(duty.job);
    const lane = record?.plan == null ? null : cursor.lane(duty.job, duty.lane);
    const wave = lane?.waves[duty.wave];
    // The lane closed, or a fork lost: the final chain is past the draw and knows no such draw.
    if (
      record === null ||
      lane === null ||
      lane.outcome !== 'open' ||
      wave === undefined ||
      !sameBytes(wave.drawId, duty.drawId)
    ) {
      mark('R47');
      dropDuty(state, held);
    } else followDuty(state, held, record, lane, wave);
  }
}

function dropDuty(state: ReplicaState, { duty: { key } }: DutyState): void {
  state.duties.delete(key);
  for (const kind of statementKinds) state.said.delete(`${kind}/${key}`);
  state.effects.push({ kind: 'forget', key });
}

function followDuty(
  state: ReplicaState,
  held: DutyState,
  record: JobRecord,
  lane: LaneState,
  wave: Wave,
): void {
  const { duty, outcome } = held;
  const slot = lane.slots.find(({ wave: w, seat }) => w === duty.wave && seat === duty.seat);
  assert(slot !== undefined, 'a draw has one set of slots');
  if (outcome === null || slot.abstained !== null) return;
  if (outcome.kind === 'done' && slot.commit === null && wave.commitClose !== null) {
    // Too late for this wave: what it came to can not be committed to any more.
    mark('R48');
    dropDuty(state, held);
    return;
  }
  if (outcome.kind === 'local') {
    if (slot.commit !== null) return;
    mark('R49');
    say(state, duty.key, { kind: 'abstain', ...subject(held), class: outcome.class });
    return;
  }
  const opened = opening(held, outcome);
  const digest = commitDigest(opened);
  if (slot.commit === null) {
    mark('R50');
    say(state, duty.key, { kind: 'commit', ...subject(held), digest });
    return;
  }
  if (wave.commitClose === null || !sameBytes(slot.commit, digest)) return;
  if (slot.claim === null) {
    mark('R51');
    say(state, duty.key, { kind: 'reveal', ...opened, value: outcome.inlineValue });
    return;
  }
  if (duty.wave > 0 && !slot.opened && wave.openingBeacon !== null && wave.closed === null) {
    mark('R52');
    say(state, duty.key, openStatement(state, held, outcome, record, wave, slot));
  }
}

type Done = Extract<LaneOutcome, { kind: 'done' }>;

function subject({
  duty,
}: DutyState): Omit<Extract<Statement, { kind: 'commit' }>, 'kind' | 'digest'> {
  const { seat, job, lane, wave, drawId } = duty;
  return { seat, job, lane, wave, drawId };
}

function opening(held: DutyState, { claim, workRoot }: Done): Omit<Reveal, 'value'> {
  return { ...subject(held), claim, saltKey: held.duty.saltKey, workRoot };
}

function openStatement(
  state: ReplicaState,
  held: DutyState,
  outcome: Done,
  record: JobRecord,
  wave: Wave,
  slot: Slot,
): Statement {
  const { duty } = held;
  const rules = rulesOfLane(record, state.rules.ledger, duty.lane);
  assert(wave.openingBeacon !== null, 'the opening beacon is known');
  const picks = pickedItems(wave.openingBeacon, duty.drawId, slot.seat, rules);
  const openings = picks.map(({ subtask, item }) => openItem(outcome.transcript, subtask, item));
  return { kind: 'open', ...subject(held), openings };
}

/** Statements of which a seat makes one, never the other, about one draw. */
const excluded: Partial<Record<StatementKind, StatementKind>> = {
  commit: 'abstain',
  abstain: 'commit',
};

/**
 * Signs a statement once and says it. What was signed before is said again as it was, and nothing
 * that excludes it is signed, also when a new start came to another outcome.
 * @see spec/protocol/replica.md R53
 */
function say(state: ReplicaState, key: string, statement: Statement): void {
  const about = `${statement.kind}/${key}`;
  const other = excluded[statement.kind];
  if (state.said.has(about) || (other !== undefined && state.said.has(`${other}/${key}`))) return;
  mark('R53');
  const message = statementMessage(statement, state.rules.ledger.network);
  const signed: SignedStatement = { statement, signature: state.rules.keys!.sign(message) };
  state.said.set(about, signed);
  state.effects.push({ kind: 'log-statement', signed });
  publishStatement(state, signed);
}

function publishStatement(state: ReplicaState, signed: SignedStatement): number {
  insertStatement(state.pool, signed);
  const bytes = signedStatementCodec.encode(signed);
  state.effects.push({ kind: 'publish', topic: 'statements', bytes });
  return bytes.length;
}

/** Says again what of ours the final chain has not ordered. @see spec/protocol/replica.md R71 */
export function repeatStatements(state: ReplicaState): void {
  const { said } = state;
  const cursor = new StateCursor(state.final.map);
  sayInTurn(
    said.keys(),
    (about) => {
      const signed = said.get(about)!;
      return isOrdered(cursor, signed) ? null : publishStatement(state, signed);
    },
    (about) => {
      const signed = said.get(about)!;
      said.delete(about);
      said.set(about, signed);
    },
  );
}

/** Forgets own statements about jobs that have ended: nobody can ask for another. */
export function forgetSaid(state: ReplicaState): void {
  const cursor = new StateCursor(state.final.map);
  for (const [about, { statement }] of state.said)
    if (cursor.job(statement.job)?.ended != null) state.said.delete(about);
}
