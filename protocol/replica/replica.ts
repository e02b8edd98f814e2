/** Step the whole replica: route the input, collect the effects. */
import { assert, mark, unreachable } from '../assert.ts';
import { type Hex, hex } from '../brand.ts';
import { follows } from '../consensus/chain.ts';
import { step as stepEngine } from '../consensus/engine.ts';
import type { EngineInput } from '../consensus/state.ts';
import { type SignedJob, signedJobCodec } from '../job/job.ts';
import type { SignedStatement } from '../job/statement.ts';
import type { Proposal } from '../ledger/header.ts';
import { StateCursor } from '../ledger/state.ts';
import { readAnswer } from './answer.ts';
import { followDuties, repeatStatements } from './duty.ts';
import type { Effect } from './effect.ts';
import { finalizeReady, learn } from './finality.ts';
import { follow, isOwnVote, publishBallot } from './follow.ts';
import type { Input } from './input.ts';
import { readGossip } from './judge.ts';
import { announce, isBusy, proposalDueAt, proposeDue } from './lead.ts';
import { isOrdered, jobFault } from './offer.ts';
import { insertJob, insertStatement, removeJob, sayInTurn } from './pool.ts';
import type { ReplicaState, Wanted } from './state.ts';
import {
  type Arrival,
  applyReady,
  blockId,
  dropBlock,
  isNear,
  nextHeldAt,
  takeBlock,
  wantReached,
} from './tree.ts';
import { answered, askDue, hastenAll, nextAskAt, wantCertificates } from './want.ts';
import type { Ballot, SyncResponse } from './wire.ts';

/** What a step gives back. The state that went in must not be used again. */
export type Stepped = { readonly state: ReplicaState; readonly effects: readonly Effect[] };

/**
 * Steps the replica by one input. Total: every input has an answer in every state.
 * @see spec/protocol/replica.md
 */
export function step(state: ReplicaState, input: Input): Stepped {
  state.effects = [];
  if (input.now < state.now) rebase(state, input.now);
  state.now = input.now;
  take(state, input);
  state.source = null;
  settle(state);
  const { effects } = state;
  state.effects = [];
  return { state, effects };
}

/**
 * Follows a clock that was set back: what was to happen soon would otherwise wait for as long as
 * it was set back.
 */
function rebase(state: ReplicaState, now: number): void {
  mark('R58');
  const { repeatMs } = state.rules;
  state.repeatAt = Math.min(state.repeatAt, now + repeatMs);
  state.viewSaidAt = Math.min(state.viewSaidAt, now);
  hastenAll(state, now);
}

function take(state: ReplicaState, input: Input): void {
  switch (input.kind) {
    case 'tick':
      return;
    case 'heard':
      state.source = input.from;
      hear(state, input);
      return;
    case 'answered': {
      const wanted = answered(state, input.id);
      if (wanted !== null && input.response !== null) takeAnswer(state, wanted, input.response);
      return;
    }
    case 'submitted':
      takeJob(state, input.signed);
      return;
    case 'withdrawn':
      mark('R69');
      removeJob(state.pool, hex(input.job));
      return;
    case 'executed': {
      const held = state.duties.get(input.key);
      if (held === undefined || held.outcome !== null) return;
      mark('R54');
      held.outcome = input.outcome;
      followDuties(state);
      return;
    }
    default:
      unreachable(input);
  }
}

function takeJob(state: ReplicaState, signed: SignedJob): void {
  const code = jobFault(state, signed, true);
  const inserted = code === null ? insertJob(state.pool, signed, true) : 'full';
  if (inserted !== 'full') {
    mark('R35');
    publishJob(state, signed);
    return;
  }
  const notice = { kind: 'job-refused', code: code ?? 'POOL_FULL' } as const;
  state.effects.push({ kind: 'notice', notice });
}

/** Announces a job; gives the bytes of it. */
function publishJob(state: ReplicaState, signed: SignedJob): number {
  const bytes = signedJobCodec.encode(signed);
  state.effects.push({ kind: 'publish', topic: 'jobs', bytes });
  return bytes.length;
}

function hear(state: ReplicaState, { topic, bytes }: Extract<Input, { kind: 'heard' }>): void {
  const message = readGossip(topic, bytes);
  if (message === null) return;
  switch (message.topic) {
    case 'jobs':
      if (jobFault(state, message.signed, false) === null)
        insertJob(state.pool, message.signed, false);
      else mark('R36');
      return;
    case 'statements':
      hearStatement(state, message.signed);
      return;
    case 'votes':
      hearBallot(state, message.ballot);
      return;
    case 'proposals':
      hearProposal(state, message.proposal, message.items);
      return;
  }
}

function hearStatement(state: ReplicaState, signed: SignedStatement): void {
  if (isOrdered(new StateCursor(state.final.map), signed)) mark('R38');
  else if (insertStatement(state.pool, signed) === 'new') mark('R37');
}

function hearBallot(state: ReplicaState, ballot: Ballot): void {
  const { now } = state;
  if (ballot.kind === 'vote') runEngine(state, { kind: 'vote', now, vote: ballot.vote });
  else runEngine(state, { kind: 'certificate', now, certificate: ballot.certificate });
}

/** @see spec/protocol/replica.md R23 */
function hearProposal(
  state: ReplicaState,
  proposal: Proposal,
  items: readonly Uint8Array[] | null,
): void {
  const { header, rests } = proposal;
  const { view } = header;
  arrive(state, [{ ...proposal, items, from: state.source, sure: false }]);
  const id = blockId(header);
  const entry = state.tree.get(id);
  const kept = entry !== undefined || state.orphans.has(id);
  if (!kept || !isNear(state, view)) return;
  if (entry !== undefined && follows(state.engine, entry.ref)) return;
  const missing = rests.filter((rest) => !state.certificates.has(hex(rest)));
  if (missing.length === 0) return;
  mark('R23');
  wantCertificates(state, missing, { about: id, view, from: state.source });
}

function arrive(state: ReplicaState, arrivals: readonly Arrival[]): void {
  for (const arrival of arrivals)
    for (const entry of takeBlock(state, arrival))
      runEngine(state, { kind: 'announced', now: state.now, block: entry.ref });
}

function takeAnswer(state: ReplicaState, wanted: Wanted, response: SyncResponse): void {
  const { arrivals, certificates } = readAnswer(state, wanted, response);
  arrive(state, arrivals);
  for (const certificate of certificates)
    runEngine(state, { kind: 'certificate', now: state.now, certificate });
}

/** Steps consensus, and follows what it asks for. */
function runEngine(state: ReplicaState, input: EngineInput): void {
  const { state: next, effects } = stepEngine(state.engine, input, state.rules.engine);
  state.engine = next;
  for (const effect of effects) follow(state, effect);
}

/** Tells consensus of blocks that it let go by and that a certificate names now. */
function recall(state: ReplicaState): void {
  const { now } = state;
  for (const id of state.recalled.splice(0)) {
    const entry = state.tree.get(id);
    const block = id === state.finalRef.id ? state.finalRef : entry?.ref;
    if (block === undefined || state.engine.blocks.get(id)?.validated) continue;
    mark('R21');
    runEngine(state, { kind: 'announced', now, block });
    if (entry === undefined || entry.validated) runEngine(state, { kind: 'validated', now, id });
  }
}

/** Progress that one input can make is bounded by the blocks at hand. */
const settleRoundMax = 65_536;

/** Runs everything that may have become possible, until nothing more happens. */
export function settle(state: ReplicaState): void {
  runEngine(state, { kind: 'tick', now: state.now });
  for (let round = 0, progress = true; progress; round++) {
    assert(round < settleRoundMax, 'an input is dealt with at some time');
    recall(state);
    const valid = applyReady(state);
    // What a valid block brings is kept and begun before anything is signed about it.
    for (const entry of valid) learn(state, entry);
    for (const entry of valid)
      runEngine(state, { kind: 'validated', now: state.now, id: entry.ref.id });
    const advanced = finalizeReady(state);
    tellBusy(state);
    const proposed = propose(state);
    progress = valid.length > 0 || advanced || proposed || state.recalled.length > 0;
  }
  wantReached(state);
  if (state.now >= state.repeatAt) repeatAll(state);
  repeatView(state);
  askDue(state);
  state.effects.push({ kind: 'wake', at: nextWakeAt(state) });
}

function propose(state: ReplicaState): boolean {
  const own = proposeDue(state);
  if (own === null) return false;
  learn(state, own);
  const { id, view } = own.ref;
  runEngine(state, { kind: 'proposed', now: state.now, block: own.ref });
  // Only with our vote for it logged: that vote keeps us from proposing twice after a new start.
  if (isOwnVote(state, view, id)) announce(state, own);
  else {
    mark('R59');
    dropBlock(state, id);
  }
  return true;
}

function tellBusy(state: ReplicaState): void {
  const busy = isBusy(state);
  if (busy === state.busy) return;
  mark('R55');
  state.busy = busy;
  runEngine(state, { kind: 'busy', now: state.now, busy });
}

/**
 * Announces again what the chain has not ordered: gossip loses messages, and tells nobody.
 * @see spec/protocol/replica.md R56, R71
 */
function repeatAll(state: ReplicaState): void {
  mark('R56');
  state.repeatAt = state.now + state.rules.repeatMs;
  repeatStatements(state);
  const { jobs, own } = state.pool;
  sayInTurn(
    own,
    (id) => publishJob(state, jobs.get(id)!.signed),
    (id) => {
      own.delete(id);
      own.add(id);
    },
  );
}

/**
 * When we repeat ourselves in the view that goes on: ever later, so that a network that is slow
 * because it is busy is not made slower. Null while we have said nothing that is open.
 */
function repeatViewAt({ engine, rules, viewSaidAt }: ReplicaState): number | null {
  const { view, own, enteredAt } = engine;
  if (!own.has(view) && !own.has(view - 1)) return null;
  const least = Math.floor(rules.engine.viewTimeoutMs / 4);
  return Math.max(enteredAt, viewSaidAt) + Math.max(least, viewSaidAt - enteredAt, 1);
}

/**
 * Says again what we have to say in a view that goes on for long, and what let us into it.
 * @see spec/protocol/replica.md R57
 */
function repeatView(state: ReplicaState): void {
  const at = repeatViewAt(state);
  if (at === null || at > state.now) return;
  mark('R57');
  state.viewSaidAt = state.now;
  const { view, entry, finalCertificate, own } = state.engine;
  const isFinal = (finalCertificate?.view ?? 0) >= (entry?.view ?? 0);
  const certificate = isFinal ? finalCertificate : entry;
  if (certificate !== null) publishBallot(state, { kind: 'certificate', certificate });
  for (const one of [view - 1, view]) {
    const votes = Object.values(own.get(one) ?? {});
    for (const vote of votes) if (vote !== null) publishBallot(state, { kind: 'vote', vote });
  }
  const proposal = state.tree.get(state.proposed.get(view) ?? ('' as Hex));
  if (proposal !== undefined && isOwnVote(state, view, proposal.ref.id)) announce(state, proposal);
}

function nextWakeAt(state: ReplicaState): number {
  const times = [
    state.engine.wakeAt,
    proposalDueAt(state),
    nextHeldAt(state),
    nextAskAt(state),
    state.repeatAt,
    repeatViewAt(state),
  ];
  let at = state.now + 60_000;
  for (const time of times) if (time !== null && time < at) at = time;
  return Math.max(at, state.now + 1);
}
