/** Watch a simulated world and report whatever the theorems forbid. */
import { hex } from '../../protocol/brand.ts';
import { codec } from '../../protocol/codec/codec.ts';
import { bigUint } from '../../protocol/codec/schema.ts';
import { type Certificate, type Vote, voteMessage } from '../../protocol/consensus/message.ts';
import { sha256 } from '../../protocol/crypto/hash.ts';
import { type SignedStatement, signedStatementCodec } from '../../protocol/job/statement.ts';
import { headerHash, type Proposal } from '../../protocol/ledger/header.ts';
import { recordCodec } from '../../protocol/ledger/record.ts';
import { mapEntries } from '../../protocol/merkle/map.ts';
import type { Effect, Notice } from '../../protocol/replica/effect.ts';
import { readGossip } from '../../protocol/replica/judge.ts';
import type { ReplicaState } from '../../protocol/replica/state.ts';
import type { SimulatedNetwork } from './network.ts';

/** Names of the invariants, as the reliability page numbers them. */
export type Violation = { readonly name: string; readonly detail: string };

export type Checker = {
  readonly violations: Violation[];
  /** One effect of an honest seat, in the order in which it is performed. */
  readonly performed: (seat: number, effect: Effect) => void;
  /** Made durable though it was never performed: the step stopped before it. */
  readonly durable: (seat: number, effect: Effect) => void;
  /** A message on the wire, whoever sent it. */
  readonly heard: (topic: string, bytes: Uint8Array) => void;
  /** Honest messages must pass every honest judge. */
  readonly refused: (seat: number, code: string) => void;
  readonly bounded: (seat: number, state: ReplicaState) => void;
  readonly violate: (name: string, detail: string) => void;
  /** Hashes of final blocks by height, as the first seat made them final. */
  readonly finals: ReadonlyMap<number, string>;
  /** Codes that honest seats refused blocks for, and how often. */
  readonly notices: ReadonlyMap<string, number>;
};

/** Violations of one invariant that are told. */
const toldCountMax = 3;

const tokensCodec = codec('tokens', 32, bigUint(2n ** 128n - 1n));

/** All tokens of a state: accounts, and what open jobs hold. Reads raw entries. */
export function totalTokens(entries: Iterable<{ key: Uint8Array; value: Uint8Array }>): bigint {
  let total = 0n;
  const front = (key: Uint8Array): string => new TextDecoder().decode(key.subarray(0, 8));
  for (const { key, value } of entries) {
    if (front(key) === 'account/') total += tokensCodec.decode(value);
    else if (front(key).startsWith('job/')) total += recordCodec.decode(value).escrow;
  }
  return total;
}

/** A checker of one world. Its rules are its own: it asks no part of the product for a verdict. */
export function checker(network: SimulatedNetwork, faulty: ReadonlySet<number>): Checker {
  const seats = network.rules.genesis.seats.length;
  const quorum = Math.floor((2 * seats) / 3) + 1;
  const supply = network.rules.genesis.accounts.reduce((sum, { tokens }) => sum + tokens, 0n);
  const violations: Violation[] = [];
  const violate = (name: string, detail: string): void => {
    const told = violations.filter((each) => each.name === name).length;
    if (told < toldCountMax) violations.push({ name, detail });
  };

  // I10: what each honest seat ever signed, over all its lives; I9: what was durable by then.
  const signed = new Map<string, string>();
  const logged = new Set<string>();
  const once = (about: string, said: string): void => {
    const before = signed.get(about);
    if (before === undefined) signed.set(about, said);
    else if (before !== said) violate('I10 equivocation', `${about}: ${before} and ${said}`);
  };
  const never = (about: string, other: string): void => {
    if (signed.has(other)) violate('I10 equivocation', `${about} beside ${other}`);
  };
  const voteName = ({ seat, view, kind }: Vote): string => `${seat}/${view}/${kind}`;
  const logVote = (vote: Vote): void => {
    const { seat, view, kind, block } = vote;
    once(voteName(vote), hex(block));
    if (kind === 'final') never(voteName(vote), `${seat}/${view}/skip`);
    if (kind === 'skip') never(voteName(vote), `${seat}/${view}/final`);
    logged.add(`vote/${voteName(vote)}/${hex(block)}`);
  };
  const logStatement = (said: SignedStatement): void => {
    const { seat, kind, drawId, job, lane } = said.statement;
    const subject = `${seat}/${hex(drawId)}/${hex(job)}/${lane}`;
    const name = hex(sha256(signedStatementCodec.encode(said)));
    once(`${subject}/${kind}`, name);
    if (kind === 'commit') never(`${subject}/${kind}`, `${subject}/abstain`);
    if (kind === 'abstain') never(`${subject}/${kind}`, `${subject}/commit`);
    logged.add(`statement/${name}`);
  };
  const durable = (seat: number, effect: Effect): void => {
    if (effect.kind === 'log-vote') logVote(effect.vote);
    if (effect.kind === 'log-statement') logStatement(effect.signed);
    if (effect.kind === 'log-proposal') {
      const name = hex(headerHash(effect.block.header));
      once(`${seat}/${effect.block.header.view}/proposal`, name);
      logged.add(`proposal/${name}`);
    }
  };

  // I4: quorums that exist among all votes on the wire, honest or not.
  const voters = new Map<string, Set<number>>();
  const certified = new Map<string, string>();
  const countVote = ({ kind, view, block, seat }: Vote): void => {
    const subject = `${kind}/${view}/${hex(block)}`;
    const said = voters.get(subject) ?? new Set<number>();
    voters.set(subject, said.add(seat));
    if (said.size !== quorum) return;
    const before = certified.get(`${kind}/${view}`);
    if (before !== undefined && before !== hex(block))
      violate('I4 certificates', `two ${kind} certificates in view ${view}`);
    certified.set(`${kind}/${view}`, hex(block));
    if (certified.has(`final/${view}`) && certified.has(`skip/${view}`))
      violate('I4 certificates', `Final and Skip certified in view ${view}`);
  };
  const votesIn = (certificate: Certificate): Vote[] => {
    const { kind, epoch, view, block, seats: of, signatures } = certificate;
    return of.map((seat, i) => ({ kind, epoch, view, block, seat, signature: signatures[i]! }));
  };
  const heard = (topic: string, bytes: Uint8Array): void => {
    if (topic !== 'votes') return;
    const message = readGossip('votes', bytes);
    if (message?.topic === 'votes' && message.ballot.kind === 'vote')
      countVote(message.ballot.vote);
  };

  // I1, I2, I3, I7: the chain.
  const finals = new Map<number, string>();
  const heights = new Map<number, number>();
  const isCertified = (certificate: Certificate, block: string): boolean => {
    const holders = network.rules.genesis.seats;
    const votes = votesIn(certificate);
    return (
      certificate.kind === 'final' &&
      hex(certificate.block) === block &&
      new Set(certificate.seats).size === quorum &&
      votes.length === quorum &&
      votes.every((vote) =>
        network.rules.suite.verify(
          holders[vote.seat]!.publicKey,
          voteMessage(network.rules.network, vote, vote.seat),
          vote.signature,
        ),
      )
    );
  };
  const finalize = (seat: number, effect: Extract<Effect, { kind: 'finalize' }>): void => {
    let last = '';
    const news = !finals.has(effect.chain.header.height);
    for (const { header } of effect.blocks) {
      const { height } = header;
      last = hex(headerHash(header));
      const parent = finals.get(height - 1);
      if (height !== (heights.get(seat) ?? 0) + 1)
        violate('I3 finality', `seat ${seat} made height ${height} final out of turn`);
      if (height > 1 && parent !== undefined && parent !== hex(header.parent))
        violate('I2 validity', `height ${height} does not extend the final block below it`);
      const known = finals.get(height);
      if (known === undefined) finals.set(height, last);
      else if (known !== last) violate('I1 agreement', `two final blocks at height ${height}`);
      heights.set(seat, height);
    }
    const { height } = effect.chain.header;
    if (!isCertified(effect.certificate, last))
      violate('I4 certificates', `seat ${seat} made height ${height} final without a certificate`);
    // Equal blocks have equal states: one look a height is enough.
    if (news && totalTokens(mapEntries(effect.chain.map)) !== supply)
      violate('I7 conservation', `tokens came or went up to height ${height}`);
  };

  const mustBeLogged = (seat: number, name: string): void => {
    if (!logged.has(name)) violate('I9 durable before visible', `seat ${seat}: ${name}`);
  };
  const published = (seat: number, topic: string, bytes: Uint8Array): void => {
    const message = readGossip(topic as 'votes', bytes);
    if (message?.topic === 'votes') {
      const { ballot } = message;
      const said = ballot.kind === 'vote' ? ballot.vote : ballot.certificate;
      const own = ballot.kind === 'vote' ? [ballot.vote.seat] : ballot.certificate.seats;
      if (own.includes(seat))
        mustBeLogged(seat, `vote/${seat}/${said.view}/${said.kind}/${hex(said.block)}`);
    }
    if (message?.topic === 'statements' && message.signed.statement.seat === seat)
      mustBeLogged(seat, `statement/${hex(sha256(bytes))}`);
    if (message?.topic === 'proposals') checkProposal(seat, message.proposal);
  };
  const checkProposal = (seat: number, { header }: Proposal): void => {
    if (header.proposer === seat) mustBeLogged(seat, `proposal/${hex(headerHash(header))}`);
  };

  const notices = new Map<string, number>();
  const noticed = (notice: Notice): void => {
    if (notice.kind === 'equivocation' && !faulty.has(notice.seat))
      violate('I8 accusation', `seat ${notice.seat} is honest and was accused`);
    if (notice.kind === 'block-refused')
      notices.set(notice.code, (notices.get(notice.code) ?? 0) + 1);
  };
  const performed = (seat: number, effect: Effect): void => {
    durable(seat, effect);
    if (effect.kind === 'publish') published(seat, effect.topic, effect.bytes);
    if (effect.kind === 'finalize') finalize(seat, effect);
    if (effect.kind === 'notice') noticed(effect.notice);
  };
  return {
    violations,
    performed,
    durable: (seat, effect) => {
      durable(seat, effect);
      if (effect.kind === 'finalize') finalize(seat, effect);
    },
    heard,
    refused: (seat, code) => violate('I5 judges', `seat ${seat} sent what is refused: ${code}`),
    bounded: (seat, state) => {
      for (const [name, size, limit] of sizes(state, seats))
        if (size > limit) violate('I19 bounds', `seat ${seat} holds ${size} ${name}`);
    },
    violate,
    finals,
    notices,
  };
}

/** What a replica holds, and how much it may: most grows with the views without a final block. */
export function sizes(
  state: ReplicaState,
  seats: number,
): readonly (readonly [name: string, size: number, limit: number])[] {
  const open = Math.max(state.engine.view - state.finalRef.view, 1);
  const window = open + 4 * seats + 64;
  return [
    ['blocks', state.tree.size, 2 * window + 512],
    ['orphans', state.orphans.size, 2 * window + 512],
    ['certificates', state.certificates.size, 6 * (open + 2)],
    ['questions', state.wanted.size, 32 + 4 * open],
    ['questions out', state.asked.size, 32 + 4 * open],
    ['proposals', state.proposed.size, window],
    ['statements', state.pool.statements.size, 2_048 * seats],
    ['jobs waiting', state.pool.jobs.size, 4_096],
    ['jobs', state.jobs.size, 4_096 + 64 * window],
    ['statements of its own', state.said.size, 4_096],
    ['duties', state.duties.size, 4_096],
  ];
}
