/** Step the whole replica: route the input, collect the effects. */
import { mark, unreachable } from '../assert.ts';
import { hex } from '../brand.ts';
import { step as stepEngine } from '../consensus/engine.ts';
import { type Certificate, certificateId } from '../consensus/message.ts';
import type { EngineEffect, EngineInput } from '../consensus/state.ts';
import { signedJobCodec } from '../job/job.ts';
import { type Header, proposalMessage } from '../ledger/header.ts';
import { followDuties, repeatStatements, startDuties } from './duty.ts';
import type { Effect } from './effect.ts';
import { certify, finalizeReady, learnJobs } from './finality.ts';
import type { Input } from './input.ts';
import { readGossip } from './judge.ts';
import { announce, isBusy, proposalDueAt, proposeDue, takeLead } from './lead.ts';
import { insertJob, insertStatement } from './pool.ts';
import type { ReplicaState, TreeEntry } from './state.ts';
import { type Arrival, applyReady, nextHeldAt, takeBlock } from './tree.ts';
import { answered, askDue, nextAskAt, want } from './want.ts';
import { type Ballot, ballotCodec, type SyncResponse } from './wire.ts';

/** What a step gives back. The state that went in must not be used again. */
export type Stepped = { readonly state: ReplicaState; readonly effects: readonly Effect[] };

/**
 * Steps the replica by one input. Total: every input has an answer in every state.
 * @see spec/protocol/replica.md
 */
export function step(state: ReplicaState, input: Input): Stepped {
  state.effects = [];
  // The clock of a host may step back; the replica's does not.
  state.now = Math.max(state.now, input.now);
  take(state, input);
  settle(state);
  const { effects } = state;
  state.effects = [];
  return { state, effects };
}

function take(state: ReplicaState, input: Input): void {
  switch (input.kind) {
    case 'tick':
      return;
    case 'heard':
      hear(state, input);
      return;
    case 'answered': {
      const request = answered(state, input.id);
      if (request !== null && input.response !== null) takeResponse(state, input.response);
      return;
    }
    case 'submitted': {
      if (insertJob(state.pool, input.signed, true) === 'new') {
        mark('R29');
        publishJob(state, signedJobCodec.encode(input.signed));
      }
      return;
    }
    case 'executed': {
      const held = state.duties.get(input.key);
      if (held === undefined || held.outcome !== null) return;
      mark('R30');
      held.outcome = input.outcome;
      followDuties(state);
      return;
    }
    default:
      unreachable(input);
  }
}

function publishJob(state: ReplicaState, bytes: Uint8Array): void {
  state.effects.push({ kind: 'publish', topic: 'jobs', bytes });
}

function hear(
  state: ReplicaState,
  { topic, bytes, from }: Extract<Input, { kind: 'heard' }>,
): void {
  const message = readGossip(topic, bytes);
  if (message === null) return;
  switch (message.topic) {
    case 'jobs':
      insertJob(state.pool, message.signed, false);
      return;
    case 'statements':
      insertStatement(state.pool, message.signed);
      return;
    case 'votes':
      hearBallot(state, message.ballot, from);
      return;
    case 'proposals': {
      const { proposal } = message;
      const missing = proposal.rests.filter((id) => !state.certificates.has(hex(id)));
      if (missing.length > 0 && proposal.header.view > state.engine.root.view)
        want(state, { kind: 'certificates', ids: missing }, from);
      arrive(state, { ...proposal, items: null, from });
      return;
    }
  }
}

function hearBallot(state: ReplicaState, ballot: Ballot, from: string): void {
  const { now } = state;
  if (ballot.kind === 'vote') {
    runEngine(state, { kind: 'vote', now, vote: ballot.vote });
    return;
  }
  keepCertificate(state, ballot.certificate);
  runEngine(state, { kind: 'certificate', now, certificate: ballot.certificate });
  if (ballot.certificate.kind !== 'skip') {
    const id = hex(ballot.certificate.block);
    const unknown = !state.tree.has(id) && id !== hex(state.final.hash);
    if (unknown && ballot.certificate.view > state.final.header.view)
      want(state, { kind: 'block', hash: ballot.certificate.block }, from);
  }
}

function keepCertificate(state: ReplicaState, certificate: Certificate): void {
  if (certificate.view < state.final.header.view) return;
  state.certificates.set(hex(certificateId(certificate)), { view: certificate.view, certificate });
}

function arrive(state: ReplicaState, arrival: Arrival): void {
  for (const entry of takeBlock(state, arrival))
    runEngine(state, { kind: 'announced', now: state.now, block: entry.ref });
}

/** A header from a peer's answer is worth no more than its leader's signature. */
function isSigned(state: ReplicaState, header: Header, signature: Uint8Array): boolean {
  const { genesis, suite } = state.rules.ledger;
  const seat = genesis.seats[header.proposer];
  return seat !== undefined && suite.verify(seat.publicKey, proposalMessage(header), signature);
}

function takeResponse(state: ReplicaState, response: SyncResponse): void {
  switch (response.kind) {
    case 'block': {
      if (
        response.block === null ||
        !isSigned(state, response.block.header, response.block.signature)
      )
        return;
      arrive(state, { ...response.block, rests: [], from: null });
      return;
    }
    case 'certificates': {
      mark('R31');
      for (const certificate of response.certificates)
        hearBallot(state, { kind: 'certificate', certificate }, '');
      dropFoundCertificates(state);
      return;
    }
    case 'final': {
      mark('R32');
      for (const block of response.blocks) {
        if (!isSigned(state, block.header, block.signature)) return;
        arrive(state, { ...block, rests: [], from: null });
      }
      if (response.certificate !== null)
        hearBallot(state, { kind: 'certificate', certificate: response.certificate }, '');
      state.wanted.delete('final');
      return;
    }
  }
}

function dropFoundCertificates(state: ReplicaState): void {
  for (const [key, { request }] of state.wanted)
    if (
      request.kind === 'certificates' &&
      request.ids.every((id) => state.certificates.has(hex(id)))
    )
      state.wanted.delete(key);
}

/** Steps consensus, and follows what it asks for. */
function runEngine(state: ReplicaState, input: EngineInput): void {
  const { state: next, effects } = stepEngine(state.engine, input, state.rules.engine);
  state.engine = next;
  for (const effect of effects) follow(state, effect);
}

/** Does what consensus asks for, as far as a replica can. */
export function follow(state: ReplicaState, effect: EngineEffect): void {
  switch (effect.kind) {
    case 'vote':
      state.effects.push({ kind: 'log-vote', vote: effect.vote });
      publishBallot(state, { kind: 'vote', vote: effect.vote });
      return;
    case 'relay':
      keepCertificate(state, effect.certificate);
      state.effects.push({ kind: 'log-certificate', certificate: effect.certificate });
      publishBallot(state, { kind: 'certificate', certificate: effect.certificate });
      return;
    case 'repeat':
      mark('R33');
      for (const vote of effect.votes) publishBallot(state, { kind: 'vote', vote });
      for (const certificate of effect.certificates)
        publishBallot(state, { kind: 'certificate', certificate });
      for (const entry of state.tree.values())
        if (entry.header.proposer === state.rules.seat) announce(state, entry);
      return;
    case 'lead':
      for (const certificate of [effect.notar, ...effect.skips])
        if (certificate !== null) keepCertificate(state, certificate);
      takeLead(state, effect);
      return;
    case 'notarized':
      return;
    case 'finalized':
      keepCertificate(state, effect.certificate);
      certify(state, effect.certificate);
      return;
    case 'wanted':
      bringWanted(state, effect.block);
      return;
    case 'equivocation': {
      const { seat, view } = effect.first;
      state.effects.push({ kind: 'notice', notice: { kind: 'equivocation', seat, view } });
      return;
    }
    case 'wake':
      return;
    default:
      unreachable(effect);
  }
}

/** Consensus may have dropped a block that we still hold: then it is told again, else asked for. */
function bringWanted(state: ReplicaState, block: Uint8Array): void {
  const id = hex(block);
  if (id === hex(state.final.hash)) return;
  const entry = state.tree.get(id);
  if (entry === undefined) {
    want(state, { kind: 'block', hash: block }, null);
    return;
  }
  const { now } = state;
  runEngine(state, { kind: 'announced', now, block: entry.ref });
  if (entry.validated) runEngine(state, { kind: 'validated', now, id });
}

function publishBallot(state: ReplicaState, ballot: Ballot): void {
  state.effects.push({ kind: 'publish', topic: 'votes', bytes: ballotCodec.encode(ballot) });
}

/** Runs everything that may have become possible, until nothing more happens. */
export function settle(state: ReplicaState): void {
  const bound = 4_096;
  for (let round = 0; round < bound; round++) {
    const valid = applyReady(state);
    for (const entry of valid) learn(state, entry);
    for (const entry of valid)
      runEngine(state, { kind: 'validated', now: state.now, id: entry.ref.id });
    const advanced = finalizeReady(state);
    tellBusy(state);
    const own = proposeDue(state);
    if (own !== null) {
      learn(state, own);
      runEngine(state, { kind: 'proposed', now: state.now, block: own.ref });
    }
    if (valid.length === 0 && !advanced && own === null) break;
  }
  runEngine(state, { kind: 'tick', now: state.now });
  finalizeReady(state);
  if (state.now >= state.repeatAt) repeatAll(state);
  askDue(state);
  state.effects.push({ kind: 'wake', at: nextWakeAt(state) });
}

function learn(state: ReplicaState, entry: TreeEntry): void {
  for (const signed of learnJobs(state, entry.items!))
    state.effects.push({ kind: 'store-job', signed });
  startDuties(state, entry.chain!);
}

function tellBusy(state: ReplicaState): void {
  const busy = isBusy(state);
  if (busy === state.busy) return;
  state.busy = busy;
  runEngine(state, { kind: 'busy', now: state.now, busy });
}

/**
 * Announces again what the chain has not ordered: gossip loses messages, and tells nobody.
 * @see spec/protocol/replica.md R34
 */
function repeatAll(state: ReplicaState): void {
  mark('R34');
  state.repeatAt = state.now + state.rules.repeatMs;
  repeatStatements(state);
  for (const { signed, own } of state.pool.jobs.values())
    if (own) publishJob(state, signedJobCodec.encode(signed));
}

function nextWakeAt(state: ReplicaState): number {
  const times = [
    state.engine.wakeAt,
    proposalDueAt(state),
    nextHeldAt(state),
    nextAskAt(state),
    state.repeatAt,
  ];
  let at = state.now + 60_000;
  for (const time of times) if (time !== null && time < at) at = time;
  return Math.max(at, state.now + 1);
}
