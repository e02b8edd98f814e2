/** Play the faulty seats of a simulated world: only with their own keys. */
import { type Hex, hex } from '../../protocol/brand.ts';
import { type VoteKind, voteMessage } from '../../protocol/consensus/message.ts';
import { type Digest, hash, zeroDigest } from '../../protocol/crypto/hash.ts';
import type { SeatKeys } from '../../protocol/crypto/suite.ts';
import { signedStatementCodec, statementMessage } from '../../protocol/job/statement.ts';
import {
  type Header,
  headerHash,
  type Proposal,
  proposalCodec,
  proposalMessage,
} from '../../protocol/ledger/header.ts';
import type { Topic } from '../../protocol/replica/input.ts';
import { readGossip } from '../../protocol/replica/judge.ts';
import { ballotCodec, pushedBlockCodec, type SealedBlock } from '../../protocol/replica/wire.ts';
import type { SimulatedNetwork } from './network.ts';

/**
 * silent: says nothing. equivocating: says two things. lying: executes falsely, votes honestly.
 * miscounting: executes truly, and claims another fuel. withholding: proposes and never serves the body. forging: proposes wrong state roots.
 */
export const roles = [
  'silent',
  'equivocating',
  'lying',
  'miscounting',
  'withholding',
  'forging',
] as const;
export type Role = (typeof roles)[number];

/** What a faulty seat sends to one listener in place of a message of its own. */
export type Speech = (topic: Topic, bytes: Uint8Array, listener: number) => readonly Uint8Array[];

/** A faulty seat's tongue, and the blocks that it made beside its own. */
export type Adversary = {
  readonly speak: Speech;
  /** Block of the same seat that has the body of another one, by hash. */
  readonly twins: ReadonlyMap<
    Hex,
    { readonly block: Omit<SealedBlock, 'items'>; readonly of: Hex }
  >;
};

/** The adversary for a role; null for one that speaks the truth, if it speaks. */
export function adversary(
  role: Role | null,
  network: SimulatedNetwork,
  keys: SeatKeys,
): Adversary | null {
  if (role === 'forging') return forger(keys);
  if (role === 'withholding') return withholder;
  return role === 'equivocating' ? equivocator(network, keys) : null;
}

function resealed(header: Header, keys: SeatKeys): Omit<SealedBlock, 'items'> {
  return { header, signature: keys.sign(proposalMessage(header)) };
}

/** Announces headers, and never lets go of a body. */
const withholder: Adversary = {
  speak: (topic, bytes) => {
    const message = topic === 'proposals' ? readGossip(topic, bytes) : null;
    return message?.topic === 'proposals' && message.items !== null ? [] : [bytes];
  },
  twins: new Map(),
};

/** An announcement, or a pushed block, with another header. */
function announced(
  block: Omit<SealedBlock, 'items'>,
  { items, proposal }: { items: readonly Uint8Array[] | null; proposal: Proposal },
): Uint8Array {
  if (items !== null) return pushedBlockCodec.encode({ block: { ...block, items } });
  return proposalCodec.encode({ ...block, rests: proposal.rests });
}

function forger(keys: SeatKeys): Adversary {
  const twins = new Map<Hex, { block: Omit<SealedBlock, 'items'>; of: Hex }>();
  const speak: Speech = (topic, bytes) => {
    const message = topic === 'proposals' ? readGossip(topic, bytes) : null;
    if (message?.topic !== 'proposals') return [bytes];
    const { header } = message.proposal;
    const stateRoot = hash('dev', 'another state', header.stateRoot);
    const block = resealed({ ...header, stateRoot }, keys);
    twins.set(hex(headerHash(block.header)), { block, of: hex(headerHash(header)) });
    return [announced(block, message)];
  };
  return { speak, twins };
}

/**
 * Says two things: two blocks in a view, both with a body that can be had; Notar for both; Final to
 * some and Skip to others; two commits. Half of the listeners hear the true one first, half hear
 * only the other.
 */
function equivocator(network: SimulatedNetwork, keys: SeatKeys): Adversary {
  const twins = new Map<Hex, { block: Omit<SealedBlock, 'items'>; of: Hex }>();
  const twinOf = new Map<Hex, Digest>();
  const other = (topic: Topic, bytes: Uint8Array): Uint8Array | null => {
    const message = readGossip(topic, bytes);
    if (message?.topic === 'votes' && message.ballot.kind === 'vote')
      return otherVote(message.ballot.vote, twinOf, network, keys);
    if (message?.topic === 'proposals') {
      const { header } = message.proposal;
      const block = resealed({ ...header, timeMs: header.timeMs + 1 }, keys);
      const [of, twin] = [hex(headerHash(header)), headerHash(block.header)];
      twins.set(hex(twin), { block, of });
      twinOf.set(of, twin);
      return announced(block, message);
    }
    if (message?.topic === 'statements' && message.signed.statement.kind === 'commit') {
      const { statement } = message.signed;
      const changed = { ...statement, digest: hash('commit', statement.digest) };
      const signature = keys.sign(statementMessage(changed, network.rules.network));
      return signedStatementCodec.encode({ statement: changed, signature });
    }
    return null;
  };
  const others = new Map<Uint8Array, Uint8Array | null>();
  const speak: Speech = (topic, bytes, listener) => {
    let said = others.get(bytes);
    if (said === undefined) {
      others.clear();
      said = other(topic, bytes);
      others.set(bytes, said);
    }
    if (said === null) return [bytes];
    return listener % 2 === 0 ? [bytes, said] : [said];
  };
  return { speak, twins };
}

type Vote = { kind: VoteKind; epoch: number; view: number; block: Digest; seat: number };

function otherVote(
  vote: Vote,
  twinOf: ReadonlyMap<Hex, Digest>,
  { rules }: SimulatedNetwork,
  keys: SeatKeys,
): Uint8Array | null {
  const { epoch, view, seat } = vote;
  const block = twinOf.get(hex(vote.block)) ?? hash('header', vote.block, 'other');
  const subject =
    vote.kind === 'notar'
      ? ({ kind: 'notar', epoch, view, block } as const)
      : vote.kind === 'final'
        ? ({ kind: 'skip', epoch, view, block: zeroDigest } as const)
        : null;
  if (subject === null) return null;
  const signature = keys.sign(voteMessage(rules.network, subject, seat));
  return ballotCodec.encode({ kind: 'vote', vote: { ...subject, seat, signature } });
}
