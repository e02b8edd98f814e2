/** Judge what others send: votes, certificates, blocks. */
import { assert } from '../assert.ts';
import type { Hex } from '../brand.ts';
import { countVote, type Draft, follow, takeCertificate } from './advance.ts';
import { bearing, follows } from './chain.ts';
import {
  type BlockRef,
  type Certificate,
  checkCertificate,
  type Vote,
  voteMessage,
  wellFormed,
} from './message.ts';
import {
  blocksKeptMax,
  type Line,
  named,
  ownVotes,
  recordOf,
  windowViews,
  withBlock,
  withRecord,
} from './state.ts';
import { counted, room } from './tally.ts';

export function onVote(draft: Draft, vote: Vote): void {
  const refusal = refuseVote(draft, vote);
  if (refusal === null) countVote(draft, vote);
  else follow(draft, refusal);
}

function refuseVote({ state, rules }: Draft, vote: Vote): Line | null {
  const { seat, view } = vote;
  const far = view > state.view + windowViews(rules.seats);
  if (vote.epoch !== rules.epoch || view <= state.root.view || far) return 'C5';
  const seated = Number.isSafeInteger(seat) && seat >= 0 && seat < rules.seats;
  if (!seated || !wellFormed(vote)) return 'C4';
  if (!room(recordOf(state, view).tally, vote)) return 'C6';
  const signed = rules.verify(seat, voteMessage(rules.network, vote, seat), vote.signature);
  return signed ? null : 'C4';
}

export function onCertificate(draft: Draft, certificate: Certificate): void {
  const refusal = refuseCertificate(draft, certificate);
  if (refusal !== null) {
    follow(draft, refusal);
    return;
  }
  follow(draft, 'C3');
  takeCertificate(draft, certificate);
}

function refuseCertificate({ state, rules }: Draft, certificate: Certificate): Line | null {
  const { epoch, kind, view } = certificate;
  const { tally } = recordOf(state, view);
  if (epoch !== rules.epoch || view <= state.root.view || tally.certificates[kind] !== null)
    return 'C10';
  const error = checkCertificate(certificate, rules, (vote) => counted(tally, vote));
  return error === null ? null : 'C2';
}

/** A header whose proposer's signature the caller has verified. */
export function onAnnounced(draft: Draft, block: BlockRef): void {
  const refusal = refuseBlock(draft, block);
  follow(draft, refusal ?? 'C18');
  if (refusal !== null) return;
  const { id, view } = block;
  const { blocks } = recordOf(draft.state, view);
  draft.state = withBlock(draft.state, { ref: block, validated: false });
  draft.state = withRecord(draft.state, view, { blocks: [...blocks, id] });
}

function refuseBlock({ state, rules }: Draft, block: BlockRef): Line | null {
  const { id, view } = block;
  if (block.proposer !== rules.leaderOf(view) || block.parentView >= view) return 'C16';
  if (state.blocks.has(id)) return 'C17';
  if (named(state, id, view)) return null;
  const open = view > state.root.view && view <= state.view + windowViews(rules.seats);
  return open && recordOf(state, view).blocks.length < blocksKeptMax ? null : 'C17';
}

/** The caller has the body of a block and of all its ancestors, and all is valid. */
export function onValidated(draft: Draft, id: Hex): void {
  const known = draft.state.blocks.get(id);
  const news = known !== undefined && !known.validated;
  follow(draft, news ? 'C20' : 'C19');
  if (!news) return;
  draft.state = withBlock(bearing(draft.state, known.ref.view), { ...known, validated: true });
}

/** Our own block for a view that we lead. */
export function onProposed(draft: Draft, block: BlockRef): void {
  const { state, rules } = draft;
  const { id, view } = block;
  assert(block.proposer === rules.self, 'we propose in our own name');
  assert(rules.leaderOf(view) === rules.self, 'we propose in views that we lead');
  const late = view !== state.view || ownVotes(state, view).notar !== null;
  const good = !late && follows(state, block);
  follow(draft, good ? 'C26' : 'C25');
  if (!good) return;
  draft.state = withBlock(state, { ref: block, validated: true });
  const others = recordOf(state, view).blocks.filter((other) => other !== id);
  draft.state = withRecord(draft.state, view, { blocks: [id, ...others] });
}
