/** Draw the consequences of a vote or a certificate: views entered, blocks final, votes cast. */
import { mark, unreachable } from '../assert.ts';
import { hex } from '../brand.ts';
import type { Digest } from '../crypto/hash.ts';
import { signVote } from './ballot.ts';
import { bearing, entered } from './chain.ts';
import { type Certificate, type Vote, type VoteKind, votesOf } from './message.ts';
import {
  type EngineEffect,
  type EngineRules,
  type EngineState,
  type Line,
  ownVotes,
  recordOf,
  type ViewRecord,
  withOwnVote,
  withRecord,
} from './state.ts';
import { accuse, certify, contradiction, count, keep, room, settled } from './tally.ts';
import { Versions } from './versions.ts';

/** One step in the making: `state` is replaced, never changed, so that the old one stays good. */
export type Draft = {
  readonly rules: EngineRules;
  readonly now: number;
  state: EngineState;
  readonly effects: EngineEffect[];
  readonly lines: Line[];
};

/** Notes that a line of the specification was followed. */
export function follow(draft: Draft, line: Line): void {
  mark(line);
  draft.lines.push(line);
}

/** Counts a verified vote for which there is room; its quorum makes a certificate. */
export function countVote(draft: Draft, vote: Vote): void {
  remember(draft, vote);
  const { tally } = recordOf(draft.state, vote.view);
  const certificate = certify(tally, vote, draft.rules.seats);
  follow(draft, certificate === null ? 'C7' : 'C8');
  if (certificate !== null) adopt(draft, certificate);
}

/** Takes over a checked certificate from elsewhere, and the votes in it. */
export function takeCertificate(draft: Draft, certificate: Certificate): void {
  for (const vote of votesOf(certificate))
    if (room(recordOf(draft.state, vote.view).tally, vote)) remember(draft, vote);
  adopt(draft, certificate);
}

/** Signs a vote of our own, logs it, and counts it. */
export function castVote(draft: Draft, kind: VoteKind, view: number, block: Digest): void {
  const subject = { kind, epoch: draft.rules.epoch, view, block };
  const vote = signVote(draft.state, subject, draft.rules);
  draft.state = withOwnVote(draft.state, vote);
  draft.effects.push({ kind: 'vote', vote });
  if (room(recordOf(draft.state, view).tally, vote)) countVote(draft, vote);
}

/** Asks for a block that a certificate names, if its header has not been seen. */
export function wantBlock(draft: Draft, block: Digest, view: number): void {
  if (draft.state.blocks.has(hex(block))) return;
  follow(draft, 'C15');
  draft.effects.push({ kind: 'wanted', block, view });
}

function remember(draft: Draft, vote: Vote): void {
  let { tally } = recordOf(draft.state, vote.view);
  const first = contradiction(tally, vote);
  if (first !== null) {
    follow(draft, 'C9');
    draft.effects.push({ kind: 'equivocation', first, second: vote });
    tally = accuse(tally, vote.seat);
  }
  draft.state = withRecord(draft.state, vote.view, { tally: count(tally, vote) });
}

function adopt(draft: Draft, certificate: Certificate): void {
  const { kind, view, block } = certificate;
  const { tally } = recordOf(draft.state, view);
  draft.state = withRecord(draft.state, view, { tally: keep(tally, certificate) });
  draft.effects.push({ kind: 'relay', certificate });
  switch (kind) {
    case 'notar':
      follow(draft, 'C11');
      draft.state = bearing(draft.state, view);
      draft.effects.push({ kind: 'notarized', block, view });
      wantBlock(draft, block, view);
      leave(draft, certificate);
      castFinal(draft, view, block);
      break;
    case 'skip':
      follow(draft, 'C12');
      leave(draft, certificate);
      break;
    case 'final':
      follow(draft, 'C13');
      finalize(draft, certificate);
      leave(draft, certificate);
      break;
    default:
      unreachable(kind);
  }
}

/** Enters the view after the certificate's, unless we are beyond it. */
function leave(draft: Draft, certificate: Certificate): void {
  const { state, now } = draft;
  if (certificate.view < state.view) return;
  follow(draft, 'C14');
  draft.state = entered(state, certificate, now);
}

/** Moves the root, and forgets everything older. */
function finalize(draft: Draft, certificate: Certificate): void {
  const { state, now, rules } = draft;
  const { view, block } = certificate;
  const id = hex(block);
  const { tally } = recordOf(state, view);
  const views = new Map<number, ViewRecord>([[view, { tally: settled(tally), blocks: [id] }]]);
  for (const [other, kept] of state.views.entries()) if (other > view) views.set(other, kept);
  draft.state = {
    ...bearing(state, view),
    root: { id, view },
    finalCertificate: certificate,
    repeatAt: now + rules.standstillMs,
    views: new Versions(views),
    blocks: only(state.blocks, (key, { ref }) => key === id || ref.view > view),
    own: only(state.own, (other) => other > view),
  };
  draft.effects.push({ kind: 'finalized', block, view, certificate });
  wantBlock(draft, block, view);
}

function only<K, V>(map: Versions<K, V>, keeps: (key: K, value: V) => boolean): Versions<K, V> {
  return new Versions(new Map(map.entries().filter(([key, value]) => keeps(key, value))));
}

/** Votes Final for a block just notarized, unless we have voted Skip or Final in its view. */
function castFinal(draft: Draft, view: number, block: Digest): void {
  const { skip, final } = ownVotes(draft.state, view);
  if (draft.rules.self === null || skip !== null || final !== null) return;
  follow(draft, 'C22');
  castVote(draft, 'final', view, block);
}
