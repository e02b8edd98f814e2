/** Do what consensus asks for, as far as a replica can. */
import { mark, unreachable } from '../assert.ts';
import { type Hex, hex } from '../brand.ts';
import { type Certificate, certificateId } from '../consensus/message.ts';
import { type EngineEffect, ownVotes } from '../consensus/state.ts';
import type { Digest } from '../crypto/hash.ts';
import { gossipBytesMax } from '../params.ts';
import { certify, seekAncestors } from './finality.ts';
import { announce, takeLead } from './lead.ts';
import type { ReplicaState, TreeEntry } from './state.ts';
import { type Ballot, ballotCodec, certificateBytes } from './wire.ts';

/** Does what consensus asks for. @see spec/protocol/replica.md R21, R60 to R62 */
export function follow(state: ReplicaState, effect: EngineEffect): void {
  switch (effect.kind) {
    case 'vote':
      if (effect.vote.kind === 'notar') storeVoted(state, effect.vote.block);
      state.effects.push({ kind: 'log-vote', vote: effect.vote });
      state.viewSaidAt = state.now;
      publishBallot(state, { kind: 'vote', vote: effect.vote });
      return;
    case 'relay':
      keepCertificate(state, effect.certificate);
      state.effects.push({ kind: 'log-certificate', certificate: effect.certificate });
      publishBallot(state, { kind: 'certificate', certificate: effect.certificate });
      return;
    case 'repeat':
      mark('R62');
      for (const vote of effect.votes) publishBallot(state, { kind: 'vote', vote });
      for (const certificate of effect.certificates)
        publishBallot(state, { kind: 'certificate', certificate });
      for (const entry of state.tree.values())
        if (isOwnVote(state, entry.ref.view, entry.ref.id) && isOwn(state, entry))
          announce(state, entry);
      return;
    case 'lead':
      takeLead(state, effect);
      return;
    case 'notarized':
    case 'wanted':
      seek(state, effect.block, effect.view);
      return;
    case 'finalized':
      certify(state, effect.certificate);
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

function isOwn({ rules }: ReplicaState, { header }: TreeEntry): boolean {
  return header.proposer === rules.seat;
}

/** Whether we have voted Notar for a block: only such a block of our own is announced. */
export function isOwnVote(state: ReplicaState, view: number, id: Hex): boolean {
  const { notar } = ownVotes(state.engine, view);
  return notar !== null && hex(notar.block) === id;
}

/** A block that we vote for is durable before the vote: a quorum that all starts anew has it. */
function storeVoted(state: ReplicaState, block: Digest): void {
  const entry = state.tree.get(hex(block));
  if (entry?.items == null || isOwn(state, entry)) return;
  mark('R60');
  const { header, signature, items } = entry;
  state.effects.push({ kind: 'store-block', block: { header, signature, items } });
}

/** Finds a block that a certificate names: here, where consensus let it go by, or elsewhere. */
function seek(state: ReplicaState, block: Digest, view: number): void {
  const id = hex(block);
  const known = state.engine.blocks.has(id);
  if (!known && (id === state.finalRef.id || state.tree.has(id))) state.recalled.push(id);
  if (id !== state.finalRef.id && view > state.finalRef.view) seekAncestors(state, { id, view });
}

/** Keeps a certificate for peers that ask for it by its digest. */
export function keepCertificate(state: ReplicaState, certificate: Certificate): void {
  const { view } = certificate;
  if (view >= state.finalRef.view)
    state.certificates.set(hex(certificateId(certificate)), { view, certificate });
}

/** Publishes a vote or a certificate; one of very many seats travels on request only. */
export function publishBallot(state: ReplicaState, ballot: Ballot): void {
  const large =
    ballot.kind === 'certificate' && certificateBytes(ballot.certificate) > gossipBytesMax;
  if (large) mark('R61');
  else state.effects.push({ kind: 'publish', topic: 'votes', bytes: ballotCodec.encode(ballot) });
}
