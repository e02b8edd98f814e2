// Goal: every relay says the same of a gossip message, and blames only what is false for ever.
// Method: true messages of a laboratory that holds all keys, and each with one thing made false.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hash, zeroDigest } from '../../protocol/crypto/hash.ts';
import { signedJobCodec } from '../../protocol/job/job.ts';
import {
  type SignedStatement,
  signedStatementCodec,
  statementMessage,
} from '../../protocol/job/statement.ts';
import { proposalCodec, proposalMessage } from '../../protocol/ledger/header.ts';
import type { Topic } from '../../protocol/replica/input.ts';
import { judgeGossip, readGossip } from '../../protocol/replica/judge.ts';
import { type Ballot, ballotCodec, pushedBlockCodec } from '../../protocol/replica/wire.ts';
import { laboratory, linesBut } from '../simulation/lone.ts';
import { simulatedJob } from '../simulation/network.ts';
import { reachEveryLine } from '../support/lines.ts';

reachEveryLine('replica', linesBut(1, 11));

const topics: readonly Topic[] = ['jobs', 'proposals', 'votes', 'statements'];
const lab = laboratory(4);
const { network, genesis } = lab;
const judge = (topic: Topic, bytes: Uint8Array): string => {
  const verdict = judgeGossip(topic, bytes, network.rules);
  return verdict.verdict === 'accept' ? 'accept' : `${verdict.verdict} ${verdict.code}`;
};
const made = lab.block(genesis, 1);
const ballot = (value: Ballot): string => judge('votes', ballotCodec.encode(value));

describe('proposals', () => {
  const { header, signature } = made.sealed;
  const keys = network.keys(lab.leader(1));
  const said = (change: Partial<typeof header>, signer = keys): string => {
    const changed = { ...header, ...change };
    const signed = signer.sign(proposalMessage(changed));
    return judge(
      'proposals',
      proposalCodec.encode({ header: changed, signature: signed, rests: [] }),
    );
  };
  test('of the leader are accepted, whatever their chain is', () => {
    expect(said({})).toBe('accept');
    expect(said({ height: 77, stateRoot: hash('dev', 'any') })).toBe('accept');
    expect(judge('proposals', made.proposal)).toBe('accept');
  });
  test('of another network, epoch, seat or signer are not', () => {
    expect(said({ network: hash('dev', 'other') })).toBe('reject GOSSIP_OTHER_NETWORK');
    expect(said({ epoch: 1 })).toBe('ignore GOSSIP_OTHER_EPOCH');
    expect(said({ view: 0 })).toBe('reject PROPOSAL_NOT_LEADER');
    expect(said({ proposer: (header.proposer + 1) % 4 })).toBe('reject PROPOSAL_NOT_LEADER');
    expect(said({ proposer: 4_000 })).toBe('reject PROPOSAL_NOT_LEADER');
    const other = network.keys((header.proposer + 1) % 4);
    expect(said({}, other)).toBe('reject PROPOSAL_SIGNATURE');
    const forged = { header: { ...header, timeMs: header.timeMs + 1 }, signature, rests: [] };
    expect(judge('proposals', proposalCodec.encode(forged))).toBe('reject PROPOSAL_SIGNATURE');
  });
});

test('pushed blocks are accepted with their own body, and with no other', () => {
  const signed = simulatedJob(network, genesis.header);
  const { sealed } = lab.block(genesis, 1, { items: [{ kind: 'job', signed }] });
  const pushed = (block: typeof sealed): string =>
    judge('proposals', pushedBlockCodec.encode({ block }));
  expect(pushed(sealed)).toBe('accept');
  expect(pushed({ ...sealed, items: [] })).toBe('reject PROPOSAL_BODY');
  expect(pushed({ ...sealed, signature: new Uint8Array(64) })).toBe('reject PROPOSAL_SIGNATURE');
});

describe('votes and certificates', () => {
  test('true ones are accepted, near and far', () => {
    expect(ballot({ kind: 'vote', vote: lab.vote(1, 'notar', 1, made.hash) })).toBe('accept');
    expect(ballot({ kind: 'vote', vote: lab.vote(1, 'skip', 2 ** 40) })).toBe('accept');
    const certificate = lab.certificate('final', 3, made.hash);
    expect(ballot({ kind: 'certificate', certificate })).toBe('accept');
  });
  test('false votes are rejected', () => {
    const vote = lab.vote(1, 'notar', 1, made.hash);
    const code = 'reject VOTE_SIGNATURE';
    expect(ballot({ kind: 'vote', vote: { ...vote, seat: 2 } })).toBe(code);
    expect(ballot({ kind: 'vote', vote: { ...vote, seat: 9 } })).toBe(code);
    expect(ballot({ kind: 'vote', vote: { ...vote, kind: 'final' } })).toBe(code);
    const skip = lab.vote(1, 'skip', 1, made.hash);
    expect(ballot({ kind: 'vote', vote: skip })).toBe('reject VOTE_SUBJECT');
    const nothing = lab.vote(1, 'notar', 1, zeroDigest);
    expect(ballot({ kind: 'vote', vote: nothing })).toBe('reject VOTE_SUBJECT');
    expect(ballot({ kind: 'vote', vote: { ...vote, epoch: 3 } })).toBe('ignore GOSSIP_OTHER_EPOCH');
  });
  test('false certificates are rejected', () => {
    const of = (seats: readonly number[]): string =>
      ballot({ kind: 'certificate', certificate: lab.certificate('skip', 2, zeroDigest, seats) });
    expect(of([0, 1, 2])).toBe('accept');
    expect(of([0, 2, 1])).toBe('reject CERTIFICATE_ORDER');
    expect(of([1, 1, 2])).toBe('reject CERTIFICATE_ORDER');
    expect(of([0, 1, 2, 3])).toBe('reject CERTIFICATE_COUNT');
    const good = lab.certificate('notar', 2, made.hash);
    const forged = { ...good, view: 3 };
    expect(ballot({ kind: 'certificate', certificate: forged })).toBe(
      'reject CERTIFICATE_SIGNATURE',
    );
    const later = { ...good, epoch: 1 };
    expect(ballot({ kind: 'certificate', certificate: later })).toBe('ignore GOSSIP_OTHER_EPOCH');
  });
});

test('statements are as good as their signature', () => {
  const digest = hash('dev', 'digest');
  const statement = {
    kind: 'commit',
    seat: 2,
    job: hash('dev', 'job'),
    lane: 0,
    wave: 0,
    drawId: hash('dev', 'draw'),
    digest,
  } as const;
  const signature = network.keys(2).sign(statementMessage(statement, network.rules.network));
  const said = (signed: SignedStatement): string =>
    judge('statements', signedStatementCodec.encode(signed));
  expect(said({ statement, signature })).toBe('accept');
  const code = 'reject STATEMENT_SIGNATURE';
  expect(said({ statement: { ...statement, lane: 1 }, signature })).toBe(code);
  expect(said({ statement: { ...statement, seat: 4_000 }, signature })).toBe(code);
});

test('jobs are judged by their own page', () => {
  const signed = simulatedJob(network, genesis.header);
  expect(judge('jobs', signedJobCodec.encode(signed))).toBe('accept');
  const forged = { ...signed, job: { ...signed.job, fee: 2n } };
  expect(judge('jobs', signedJobCodec.encode(forged))).toBe('reject JOB_SIGNATURE');
});

test('any bytes have a verdict, and a message of one topic is none of another', () => {
  fc.assert(
    fc.property(fc.constantFrom(...topics), fc.uint8Array({ maxLength: 300 }), (topic, bytes) => {
      expect(judge(topic, bytes)).toBe('reject GOSSIP_MALFORMED');
      expect(readGossip(topic, bytes)).toBeNull();
    }),
    { numRuns: 500 },
  );
  for (const topic of ['jobs', 'votes', 'statements'] as const)
    expect(judge(topic, made.proposal)).toBe('reject GOSSIP_MALFORMED');
  const longer = new Uint8Array([...made.proposal, 0]);
  expect(judge('proposals', longer)).toBe('reject GOSSIP_MALFORMED');
});

test('a message of another network is refused whatever it is', () => {
  const other = laboratory(4, 2);
  const there = other.block(other.genesis, 1);
  const vote = ballotCodec.encode({ kind: 'vote', vote: other.vote(1, 'notar', 1, there.hash) });
  const job = simulatedJob(other.network, other.genesis.header);
  expect(judge('proposals', there.proposal)).toMatch(/^reject/);
  expect(judge('votes', vote)).toMatch(/^reject/);
  expect(judge('jobs', signedJobCodec.encode(job))).toBe('reject JOB_OTHER_NETWORK');
});
