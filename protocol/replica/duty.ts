/** Do what our seat was drawn for: execute, commit, reveal, open; each once, and until ordered. */
import { currentWave, type LaneState, type Slot, type Wave } from '../aggregation/lane.ts';
import { pickedItems } from '../aggregation/pick.ts';
import { saltInput } from '../algebra/salt.ts';
import { openItem } from '../algebra/transcript.ts';
import { assert, mark } from '../assert.ts';
import { type Hex, hex } from '../brand.ts';
import {
  commitDigest,
  type Reveal,
  type SignedStatement,
  type Statement,
  signedStatementCodec,
  statementMessage,
} from '../job/statement.ts';
import type { ChainState } from '../ledger/chain.ts';
import { rulesOfLane } from '../ledger/items.ts';
import type { JobRecord } from '../ledger/record.ts';
import { StateCursor } from '../ledger/state.ts';
import type { LaneOutcome } from './input.ts';
import { insertStatement } from './pool.ts';
import type { DutyState, ReplicaState } from './state.ts';

/** Names a duty: two draws of one lane have two names, also on two forks. */
export function dutyKey(drawId: Uint8Array, job: Uint8Array, lane: number): string {
  return `${hex(drawId)}/${hex(job)}/${lane}`;
}

/**
 * Starts the duties that a block drew for our seat. Running may begin before the block is final;
 * nothing is signed about it before.
 * @see spec/protocol/replica.md R18
 */
export function startDuties(state: ReplicaState, chain: ChainState): void {
  const { seat, keys } = state.rules;
  if (seat === null || keys === null) return;
  const cursor = new StateCursor(chain.map);
  for (const job of cursor.open()) {
    const record = cursor.job(job)!;
    if (record.plan === null) continue;
    for (let lane = 0; lane < record.plan.lanes; lane++) {
      const held = cursor.lane(job, lane)!;
      if (held.outcome !== 'open') continue;
      const wave = currentWave(held);
      const number = held.waves.length - 1;
      const slot = held.slots.find((one) => one.wave === number && one.seat === seat);
      // Who has not committed while that was possible has nothing left to do in this wave.
      const drawn = slot !== undefined && (slot.commit !== null || wave.commitClose === null);
      const key = dutyKey(wave.drawId, job, lane);
      if (!drawn || state.duties.has(key)) continue;
      const signed = state.jobs.get(hex(job));
      const beacon = beaconOf(state, chain, wave.base + 1);
      if (signed === undefined || beacon === null) continue;
      mark('R18');
      const duty = {
        key,
        signed,
        job,
        lane,
        lanes: record.plan.lanes,
        wave: number,
        seat,
        drawId: wave.drawId,
        beacon,
        saltKey: keys.keyedHash(saltInput(wave.drawId, job, lane)),
        patienceMs: Math.max(wave.closeMs - chain.header.timeMs, 1_000),
      };
      state.duties.set(key, { duty, outcome: null });
      state.effects.push({ kind: 'execute', duty });
    }
  }
}

/** R of a height of this chain, as long as its block is at hand. */
function beaconOf(state: ReplicaState, chain: ChainState, height: number): Uint8Array | null {
  let at: ChainState | null = chain;
  while (at !== null && at.header.height > height)
    at =
      state.tree.get(hex(at.header.parent))?.chain ??
      (hex(at.header.parent) === hex(state.final.hash) ? state.final : null);
  return at !== null && at.header.height === height ? at.header.beacon : null;
}

/**
 * Looks at the final chain and says what is due for each duty.
 * @see spec/protocol/replica.md R19 to R24
 */
export function followDuties(state: ReplicaState): void {
  if (state.duties.size === 0) return;
  const cursor = new StateCursor(state.final.map);
  for (const [key, held] of [...state.duties]) {
    const { duty } = held;
    const record = cursor.job(duty.job);
    const lane = cursor.lane(duty.job, duty.lane);
    if (record?.plan != null && lane !== null && lane.outcome === 'open') {
      followDuty(state, held, record, lane);
      continue;
    }
    const ended = record !== null && (record.ended !== null || record.plan !== null);
    const forked = lane === null && dutyIsStale(state, held);
    if (ended || forked) {
      mark('R19');
      dropDuty(state, key);
    }
  }
}

function dropDuty(state: ReplicaState, key: string): void {
  state.duties.delete(key);
  for (const about of ['commit', 'abstain', 'reveal', 'open']) state.said.delete(`${about}/${key}`);
  state.effects.push({ kind: 'forget', key });
}

/** A duty of a fork that lost: the final chain is past its draw and knows no such draw. */
function dutyIsStale(state: ReplicaState, { duty }: DutyState): boolean {
  return state.final.header.height > duty.signed.job.anchorHeight + 1_024;
}

function followDuty(
  state: ReplicaState,
  held: DutyState,
  record: JobRecord,
  lane: LaneState,
): void {
  const { duty, outcome } = held;
  const wave = lane.waves[duty.wave];
  const slot = lane.slots.find(({ wave: w, seat }) => w === duty.wave && seat === duty.seat);
  if (wave === undefined || slot === undefined || hex(wave.drawId) !== hex(duty.drawId)) return;
  if (outcome === null && slot.commit === null && wave.commitClose !== null) {
    // Too late for this wave: whatever it came to could not be committed to any more.
    mark('R38');
    dropDuty(state, duty.key);
    return;
  }
  if (outcome === null || slot.abstained !== null) return;
  if (outcome.kind === 'local') {
    if (slot.commit !== null) return;
    mark('R20');
    say(state, duty.key, { kind: 'abstain', ...subject(held), class: outcome.class });
    return;
  }
  if (slot.commit === null) {
    if (wave.commitClose !== null) return;
    mark('R21');
    const digest = commitDigest(opening(held, outcome));
    say(state, duty.key, { kind: 'commit', ...subject(held), digest });
    return;
  }
  if (wave.commitClose === null || hex(slot.commit) !== hex(commitDigest(opening(held, outcome))))
    return;
  if (slot.claim === null) {
    mark('R22');
    const value = outcome.inlineValue;
    say(state, duty.key, { kind: 'reveal', ...opening(held, outcome), value });
    return;
  }
  if (duty.wave > 0 && !slot.opened && wave.openingBeacon !== null && wave.closed === null) {
    mark('R23');
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

/**
 * Signs a statement once and says it; a statement that was signed before is said again as it was.
 * @see spec/protocol/replica.md R24
 */
function say(state: ReplicaState, key: string, statement: Statement): void {
  const about = `${statement.kind}/${key}`;
  if (state.said.has(about)) return;
  mark('R24');
  const message = statementMessage(statement, state.rules.ledger.network);
  const signed: SignedStatement = { statement, signature: state.rules.keys!.sign(message) };
  state.said.set(about, signed);
  state.effects.push({ kind: 'log-statement', signed });
  publishStatement(state, signed);
}

function publishStatement(state: ReplicaState, signed: SignedStatement): void {
  insertStatement(state.pool, signed);
  const bytes = signedStatementCodec.encode(signed);
  state.effects.push({ kind: 'publish', topic: 'statements', bytes });
}

/** Says again everything of ours that the final chain has not ordered. */
export function repeatStatements(state: ReplicaState): void {
  const cursor = new StateCursor(state.final.map);
  for (const signed of state.said.values())
    if (!isOrdered(cursor, signed)) publishStatement(state, signed);
}

/** Whether a statement is in the chain, or can never be. */
export function isOrdered(cursor: StateCursor, { statement }: SignedStatement): boolean {
  const record = cursor.job(statement.job);
  if (record === null) return false;
  const lane = cursor.lane(statement.job, statement.lane);
  if (lane === null) return record.ended !== null;
  if (lane.outcome !== 'open') return true;
  const wave = lane.waves[statement.wave];
  const slot = lane.slots.find(
    ({ wave: number, seat }) => number === statement.wave && seat === statement.seat,
  );
  if (wave === undefined) return false;
  if (slot === undefined || hex(wave.drawId) !== hex(statement.drawId)) return true;
  switch (statement.kind) {
    case 'commit':
      return (
        wave.commitClose !== null ||
        slot.equivocated ||
        (slot.commit !== null && hex(slot.commit) === hex(statement.digest))
      );
    case 'abstain':
      return slot.abstained !== null || slot.commit !== null;
    case 'reveal':
      return slot.claim !== null || slot.equivocated;
    case 'open':
      return slot.opened || wave.closed !== null;
  }
}

/** Open jobs of a chain, by id. */
export function openJobs(chain: ChainState): readonly Hex[] {
  return new StateCursor(chain.map).open().map(hex);
}
