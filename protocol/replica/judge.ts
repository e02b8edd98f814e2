/** Judge a gossip message by itself: pure, so that every honest relay answers alike. */
import { mark } from '../assert.ts';
import { sameBytes } from '../brand.ts';
import { tryDecode } from '../codec/codec.ts';
import { checkCertificate, voteMessage, wellFormed } from '../consensus/message.ts';
import { leaderOf } from '../consensus/seats.ts';
import { accept, ignore, reject, type Verdict } from '../errors.ts';
import { admitJob } from '../job/admit.ts';
import { type SignedJob, signedJobCodec } from '../job/job.ts';
import { type SignedStatement, signedStatementCodec, statementMessage } from '../job/statement.ts';
import { itemsRoot } from '../ledger/block.ts';
import type { LedgerRules } from '../ledger/chain.ts';
import { type Header, type Proposal, proposalCodec, proposalMessage } from '../ledger/header.ts';
import type { Topic } from './input.ts';
import { type Ballot, ballotCodec, pushedBlockCodec } from './wire.ts';

/** What a gossip message says. */
export type GossipMessage =
  | { readonly topic: 'jobs'; readonly signed: SignedJob }
  | {
      readonly topic: 'proposals';
      readonly proposal: Proposal;
      /** The body, where the leader pushes it. */
      readonly items: readonly Uint8Array[] | null;
    }
  | { readonly topic: 'votes'; readonly ballot: Ballot }
  | { readonly topic: 'statements'; readonly signed: SignedStatement };

// A message is judged and then heard: reading it once is enough, and reading is pure.
const readings = new WeakMap<Uint8Array, GossipMessage>();

/** Reads a message; null if its bytes are not the encoding of anything of that topic. */
export function readGossip(topic: Topic, bytes: Uint8Array): GossipMessage | null {
  const known = readings.get(bytes);
  if (known?.topic === topic) return known;
  const message = decodeGossip(topic, bytes);
  if (message !== null) readings.set(bytes, message);
  return message;
}

function decodeGossip(topic: Topic, bytes: Uint8Array): GossipMessage | null {
  switch (topic) {
    case 'jobs': {
      const signed = tryDecode(signedJobCodec, bytes);
      return signed === null ? null : { topic, signed };
    }
    case 'proposals': {
      const proposal = tryDecode(proposalCodec, bytes);
      if (proposal !== null) return { topic, proposal, items: null };
      const pushed = tryDecode(pushedBlockCodec, bytes);
      if (pushed === null) return null;
      const { header, signature, items } = pushed.block;
      return { topic, proposal: { header, signature, rests: [] }, items };
    }
    case 'votes': {
      const ballot = tryDecode(ballotCodec, bytes);
      return ballot === null ? null : { topic, ballot };
    }
    case 'statements': {
      const signed = tryDecode(signedStatementCodec, bytes);
      return signed === null ? null : { topic, signed };
    }
  }
}

/** The only epoch so far: what names another may be meant for a later one. */
const epochNow = 0;

/**
 * Rejects what is false whatever else the judge may learn, ignores what is for another time, and
 * accepts the rest.
 * @see spec/protocol/replica.md R1 to R11
 */
export function judgeGossip(topic: Topic, bytes: Uint8Array, rules: LedgerRules): Verdict {
  const message = readGossip(topic, bytes);
  if (message === null) return refuse('R1', 'GOSSIP_MALFORMED');
  switch (message.topic) {
    case 'jobs': {
      const { network, suite, genesis } = rules;
      return admitJob(message.signed, { network, seats: genesis.seats.length, suite });
    }
    case 'proposals':
      return judgeProposal(message.proposal, message.items, rules);
    case 'votes':
      return judgeBallot(message.ballot, rules);
    case 'statements':
      return judgeStatement(message.signed, rules);
  }
}

function judgeProposal(
  { header, signature }: Proposal,
  items: readonly Uint8Array[] | null,
  rules: LedgerRules,
): Verdict {
  const verdict = judgeHeader(header, signature, rules);
  if (verdict.verdict !== 'accept' || items === null) return verdict;
  return sameBytes(itemsRoot(items), header.itemsRoot) ? accept : refuse('R11', 'PROPOSAL_BODY');
}

/** Judges a header and its leader's signature. */
export function judgeHeader(header: Header, signature: Uint8Array, rules: LedgerRules): Verdict {
  if (!sameBytes(header.network, rules.network)) return refuse('R2', 'GOSSIP_OTHER_NETWORK');
  if (header.epoch !== epochNow) return otherEpoch();
  const seats = rules.genesis.seats.length;
  const { network, leaderSeed, suite } = rules;
  const { epoch, view } = header;
  if (view === 0 || header.proposer !== leaderOf({ network, leaderSeed, epoch, view, seats }))
    return refuse('R4', 'PROPOSAL_NOT_LEADER');
  const { publicKey } = rules.genesis.seats[header.proposer]!;
  if (!suite.verify(publicKey, proposalMessage(header), signature))
    return refuse('R5', 'PROPOSAL_SIGNATURE');
  mark('R6');
  return accept;
}

function judgeBallot(ballot: Ballot, rules: LedgerRules): Verdict {
  const { genesis, network, suite } = rules;
  const verify = (seat: number, message: Uint8Array, signature: Uint8Array): boolean => {
    const holder = genesis.seats[seat];
    return holder !== undefined && suite.verify(holder.publicKey, message, signature);
  };
  if (ballot.kind === 'vote') {
    const { vote } = ballot;
    if (vote.epoch !== epochNow) return otherEpoch();
    if (!wellFormed(vote)) return refuse('R7', 'VOTE_SUBJECT');
    if (!verify(vote.seat, voteMessage(network, vote, vote.seat), vote.signature))
      return refuse('R7', 'VOTE_SIGNATURE');
    mark('R8');
    return accept;
  }
  const { certificate } = ballot;
  if (certificate.epoch !== epochNow) return otherEpoch();
  const seats = genesis.seats.length;
  const error = checkCertificate(certificate, { network, epoch: epochNow, seats, verify });
  return error === null ? accept : refuse('R9', error);
}

function judgeStatement(signed: SignedStatement, rules: LedgerRules): Verdict {
  const seat = rules.genesis.seats[signed.statement.seat];
  const message = statementMessage(signed.statement, rules.network);
  if (seat === undefined || !rules.suite.verify(seat.publicKey, message, signed.signature))
    return refuse('R10', 'STATEMENT_SIGNATURE');
  return accept;
}

function refuse(line: string, code: string): Verdict {
  mark(line);
  return reject(code);
}

function otherEpoch(): Verdict {
  mark('R3');
  return ignore('GOSSIP_OTHER_EPOCH');
}
