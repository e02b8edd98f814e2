/** Step views over opaque blocks (Simplex). */
import { assert, mark, unreachable } from '../assert.ts';
import { hex, unhex } from '../brand.ts';
import { type Digest, zeroDigest } from '../crypto/hash.ts';
import { castVote, type Draft, follow, wantBlock } from './advance.ts';
import { mayNotarize } from './ballot.ts';
import { parentOf, supportOf, surveyed } from './chain.ts';
import { checkLog } from './error.ts';
import { onAnnounced, onCertificate, onProposed, onValidated, onVote } from './intake.ts';
import {
  type BlockRef,
  type Certificate,
  checkCertificate,
  type Vote,
  voteMessage,
} from './message.ts';
import {
  type EngineInput,
  type EngineRules,
  type EngineState,
  ownVotes,
  recordOf,
  type Transition,
  withOwnVote,
  withRecord,
} from './state.ts';
import { count, emptyTally, keep, room } from './tally.ts';
import { nextWake, rebased, skipDueAt } from './timer.ts';
import { Versions } from './versions.ts';

export type {
  EngineEffect,
  EngineInput,
  EngineRules,
  EngineState,
  Line,
  Transition,
} from './state.ts';

/** What a host kept on disk. */
export type Boot = {
  readonly now: number;
  /** The last final block, or genesis: it and its ancestors are valid and at hand. */
  readonly root: BlockRef;
  readonly finalCertificate: Certificate | null;
  /** Our own vote log: every vote we ever made durable for a view after the root's. */
  readonly signed: readonly Vote[];
  /** Every certificate that we relayed for a view from the root's on. */
  readonly certificates: readonly Certificate[];
  /** Headers of blocks after the root; each is validated again by an input. */
  readonly blocks: readonly BlockRef[];
};

/**
 * Starts, or starts again. What was signed is said again; nothing that excludes it is signed.
 * @throws LogError where what was kept breaks a rule, or is not this seat's
 */
export function start(rules: EngineRules, boot: Boot): Transition {
  assert(rules.viewTimeoutMs > 0, 'a view has time');
  assert(rules.standstillMs > rules.heartbeatMs, 'a pause between blocks is no standstill');
  const { now, root } = boot;
  const draft: Draft = { rules, now, state: rootState(rules, boot), effects: [], lines: [] };
  follow(draft, 'C30');
  for (const vote of boot.signed) if (vote.view > root.view) recall(draft, vote);
  for (const certificate of [...boot.certificates].sort((a, b) => a.view - b.view))
    onCertificate(draft, certificate);
  for (const block of boot.blocks) onAnnounced(draft, block);
  // What the disk held is not news: it is said once, as a whole.
  const { blocks: known, finalCertificate, views, own } = draft.state;
  const news = draft.effects.filter(
    (effect) =>
      effect.kind !== 'relay' && !(effect.kind === 'wanted' && known.has(hex(effect.block))),
  );
  draft.effects.splice(0, draft.effects.length, ...news);
  if (finalCertificate !== null || views.size > 1 || own.size > 0) repeat(draft);
  return finish(draft, false);
}

/**
 * Advances the engine by one input.
 *
 * Total: every input has an answer in every state. The old state stays as it was.
 * @see spec/protocol/consensus.md
 */
export function step(state: EngineState, input: EngineInput, rules: EngineRules): Transition {
  const { now } = input;
  const draft: Draft = { rules, now, state: rebased(state, now, rules), effects: [], lines: [] };
  if (draft.state !== state) mark('C29');
  route(draft, input);
  return finish(draft, input.kind === 'tick');
}

function route(draft: Draft, input: EngineInput): void {
  switch (input.kind) {
    case 'announced':
      onAnnounced(draft, input.block);
      break;
    case 'validated':
      onValidated(draft, input.id);
      break;
    case 'vote':
      onVote(draft, input.vote);
      break;
    case 'certificate':
      onCertificate(draft, input.certificate);
      break;
    case 'proposed':
      onProposed(draft, input.block);
      break;
    case 'busy':
      onBusy(draft, input.busy);
      break;
    case 'tick':
      break;
    default:
      unreachable(input);
  }
}

function onBusy(draft: Draft, busy: boolean): void {
  follow(draft, 'C27');
  const { state, now } = draft;
  if (busy === (state.busySince !== null)) return;
  draft.state = { ...state, busySince: busy ? now : null };
}

/** Does what the state now calls for, whatever led to it. */
function finish(draft: Draft, ticked: boolean): Transition {
  if (draft.state.repeatAt <= draft.now) standstill(draft);
  for (let view = 0; view !== draft.state.view; ) {
    view = draft.state.view;
    draft.state = surveyed(draft.state);
    notarize(draft);
    skip(draft);
  }
  draft.state = surveyed(draft.state);
  lead(draft);
  if (draft.lines.length === 0) follow(draft, 'C31');
  const at = nextWake(draft.state, draft.rules);
  assert(at > draft.now, 'what is due has been done');
  // A host's timer may fire early: a tick is always told when to come again.
  if (ticked || at !== draft.state.wakeAt) draft.effects.push({ kind: 'wake', at });
  if (at !== draft.state.wakeAt) draft.state = { ...draft.state, wakeAt: at };
  return { line: draft.lines[0]!, state: draft.state, effects: draft.effects };
}

function notarize(draft: Draft): void {
  const { state, rules } = draft;
  const { view } = state;
  if (rules.self === null || ownVotes(state, view).notar !== null) return;
  const id = recordOf(state, view).blocks.find((block) => mayNotarize(state, view, block, rules));
  if (id === undefined) return;
  follow(draft, 'C21');
  castVote(draft, 'notar', view, unhex(id) as Digest);
}

function skip(draft: Draft): void {
  const { state, rules, now, effects } = draft;
  const due = skipDueAt(state, rules);
  if (due === null || due > now) return;
  // Those who miss the certificate that let us in would never count our Skip as theirs.
  if (state.entry !== null) effects.push({ kind: 'relay', certificate: state.entry });
  follow(draft, 'C23');
  castVote(draft, 'skip', state.view, zeroDigest);
}

function lead(draft: Draft): void {
  const { state, rules, effects } = draft;
  const { view, led } = state;
  if (rules.self === null || rules.leaderOf(view) !== rules.self) return;
  if (ownVotes(state, view).notar !== null) return;
  const parent = parentOf(state);
  if (parent === null || (led?.view === view && led.parent === parent.id)) return;
  follow(draft, 'C24');
  draft.state = { ...state, led: { view, parent: parent.id } };
  effects.push({ kind: 'lead', view, parent, ...supportOf(state, parent) });
}

/** Nothing has become final for too long: says everything again, asks again. */
function standstill(draft: Draft): void {
  follow(draft, 'C28');
  repeat(draft);
  const { root, finalCertificate, views } = draft.state;
  if (finalCertificate !== null) wantBlock(draft, finalCertificate.block, root.view);
  for (const [open, { tally }] of views.entries())
    if (open > root.view && tally.certificates.notar !== null)
      wantBlock(draft, tally.certificates.notar.block, open);
  draft.state = { ...draft.state, repeatAt: draft.now + draft.rules.standstillMs };
}

function repeat(draft: Draft): void {
  const { finalCertificate, root, views, own } = draft.state;
  const certificates: Certificate[] = finalCertificate === null ? [] : [finalCertificate];
  for (const view of [...views.keys()].sort((a, b) => a - b)) {
    const { notar, skip } = views.get(view)!.tally.certificates;
    if (view <= root.view) continue;
    if (notar !== null) certificates.push(notar);
    if (skip !== null) certificates.push(skip);
  }
  const votes = [...own.keys()]
    .sort((a, b) => a - b)
    .flatMap((view) => Object.values(own.get(view)!))
    .filter((vote) => vote !== null);
  draft.effects.push({ kind: 'repeat', votes, certificates });
}

/** The state of one who knows the last final block and nothing else. */
function rootState(rules: EngineRules, boot: Boot): EngineState {
  const { now, root, finalCertificate } = boot;
  const notar = boot.certificates.find(
    ({ kind, view, block }) => kind === 'notar' && view === root.view && hex(block) === root.id,
  );
  let tally = emptyTally;
  for (const certificate of [notar, finalCertificate]) {
    if (certificate === undefined || certificate === null) continue;
    const isGood = checkCertificate(certificate, rules) === null;
    checkLog(isGood, 'a certificate of the last final block does not certify it');
    tally = keep(tally, certificate);
  }
  return {
    view: root.view + 1,
    enteredAt: now,
    entry: finalCertificate,
    busySince: null,
    root: { id: root.id, view: root.view },
    finalCertificate,
    repeatAt: now + rules.standstillMs,
    views: new Versions(new Map([[root.view, { tally, blocks: [root.id] }]])),
    blocks: new Versions(new Map([[root.id, { ref: root, validated: true }]])),
    own: new Versions(),
    barren: root.view + 1,
    led: null,
    wakeAt: null,
  };
}

/**
 * Takes one vote of our own log back. A log that breaks a rule stops us before we add to it.
 * @throws LogError
 */
function recall(draft: Draft, vote: Vote): void {
  const { rules } = draft;
  const { seat, view, kind } = vote;
  checkLog(
    seat === rules.self && vote.epoch === rules.epoch,
    `a vote of view ${view} is not of our seat`,
  );
  const own = ownVotes(draft.state, view);
  checkLog(own[kind] === null, `the votes of view ${view} break I1`);
  checkLog(kind !== 'final' || own.skip === null, `the votes of view ${view} break I2`);
  checkLog(kind !== 'skip' || own.final === null, `the votes of view ${view} break I2`);
  const message = voteMessage(rules.network, vote, seat);
  const isOurs = rules.verify(seat, message, vote.signature);
  checkLog(isOurs, `a vote of view ${view} is not signed with our key`);
  draft.state = withOwnVote(draft.state, vote);
  const { tally } = recordOf(draft.state, view);
  if (room(tally, vote)) draft.state = withRecord(draft.state, view, { tally: count(tally, vote) });
}
