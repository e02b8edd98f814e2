/** Judge a gossip message by itself: pure, so that every honest relay answers alike. */
import { mark } from '../assert.ts';
import { sameBytes } from '../brand.ts';
import { tryDecode } from '../codec/codec.ts';
import { checkCertificate, voteMessage, wellFormed } from '../consensus/message.ts';
import { leaderOf } from '../consensus/seats.ts';
import { accept, reject, type Verdict } from '../errors.ts';
import { admitJob } from '../job/admit.ts';
import { type SignedJob, signedJobCodec } from '../job/job.ts';
import { type SignedStatement, signedStatementCodec, statementMessage } from '../job/statement.ts';
import type { LedgerRules } from '../ledger/chain.ts';
import { type Proposal, proposalCodec, proposalMessage } from '../ledger/header.ts';
import type { Topic } from './input.ts';
import { type Ballot, ballotCodec } from './wire.ts';

/** What a gossip message says. */
export type GossipMessage =
  | { readonly topic: 'jobs'; readonly signed: SignedJob }
  | { readonly topic: 'proposals'; readonly proposal: Proposal }
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
      return proposal === null ? null : { topic, proposal };
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

/** Rejects what is false whatever else the judge may learn; accepts the rest. */
export function judgeGossip(topic: Topic, bytes: Uint8Array, rules: LedgerRules): Verdict {
  const message = readGossip(topic, bytes);
  if (message === null) return refuse('R1', 'GOSSIP_MALFORMED');
  switch (message.topic) {
    case 'jobs': {
      const { network, suite, genesis } = rules;
      return admitJob(message.signed, { network, seats: genesis.seats.length, suite });
    }
    case 'proposals':
      return judgeProposal(message.proposal, rules);
    case 'votes':
      return judgeBallot(message.ballot, rules);
    case 'statements':
      return judgeStatement(message.signed, rules);
  }
}

function judgeProposal({ header, signature }: Proposal, rules: LedgerRules): Verdict {
  if (!sameBytes(header.network, rules.network)) return refuse('R2', 'GOSSIP_OTHER_NETWORK');
  const seats = rules.genesis.seats.length;
  const { network, leaderSeed, suite } = rules;
  const { epoch, view } = header;
  if (view === 0 || header.proposer !== leaderOf({ network, leaderSeed, epoch, view, seats }))
    return refuse('R3', 'PROPOSAL_NOT_LEADER');
  const { publicKey } = rules.genesis.seats[header.proposer]!;
  if (!suite.verify(publicKey, proposalMessage(header), signature))
    return refuse('R4', 'PROPOSAL_SIGNATURE');
  mark('R5');
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
    if (!wellFormed(vote)) return refuse('R6', 'VOTE_SUBJECT');
    if (!verify(vote.seat, voteMessage(network, vote, vote.seat), vote.signature))
      return refuse('R6', 'VOTE_SIGNATURE');
    mark('R7');
    return accept;
  }
  const { certificate } = ballot;
  const seats = genesis.seats.length;
  const error = checkCertificate(certificate, { network, epoch: certificate.epoch, seats, verify });
  return error === null ? accept : refuse('R8', error);
}

function judgeStatement(signed: SignedStatement, rules: LedgerRules): Verdict {
  const seat = rules.genesis.seats[signed.statement.seat];
  const message = statementMessage(signed.statement, rules.network);
  if (seat === undefined || !rules.suite.verify(seat.publicKey, message, signed.signature))
    return refuse('R9', 'STATEMENT_SIGNATURE');
  mark('R10');
  return accept;
}

function refuse(line: string, code: string): Verdict {
  mark(line);
  return reject(code);
}
