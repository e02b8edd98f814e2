/** Remember what honest seats ever signed, over all their lives, and when it was on their disks. */
import { hex } from '../../protocol/brand.ts';
import type { Vote } from '../../protocol/consensus/message.ts';
import { sha256 } from '../../protocol/crypto/hash.ts';
import { type SignedStatement, signedStatementCodec } from '../../protocol/job/statement.ts';
import { headerHash } from '../../protocol/ledger/header.ts';
import type { Effect } from '../../protocol/replica/effect.ts';
import { readGossip } from '../../protocol/replica/judge.ts';
import type { Violate } from './checker.ts';

/** I9: durable before visible. I10: no honest seat signs two things that exclude each other. */
export type Oaths = {
  /** An effect that is durable from now on. */
  readonly logged: (seat: number, effect: Effect) => void;
  readonly published: (seat: number, topic: string, bytes: Uint8Array) => void;
};

const voteName = ({ seat, view, kind }: Pick<Vote, 'seat' | 'view' | 'kind'>): string =>
  `${seat}/${view}/${kind}`;

export function oaths(violate: Violate): Oaths {
  const signed = new Map<string, string>();
  const durable = new Set<string>();
  const once = (about: string, said: string): void => {
    const before = signed.get(about);
    if (before === undefined) signed.set(about, said);
    else if (before !== said) violate('I10 equivocation', `${about}: ${before} and ${said}`);
  };
  const never = (about: string, other: string): void => {
    if (signed.has(other)) violate('I10 equivocation', `${about} beside ${other}`);
  };

  const logVote = (vote: Vote): void => {
    const { seat, view, kind, block } = vote;
    once(voteName(vote), hex(block));
    if (kind === 'final') never(voteName(vote), voteName({ seat, view, kind: 'skip' }));
    if (kind === 'skip') never(voteName(vote), voteName({ seat, view, kind: 'final' }));
    durable.add(`vote/${voteName(vote)}/${hex(block)}`);
  };
  const logStatement = (said: SignedStatement): void => {
    const { seat, kind, drawId, job, lane } = said.statement;
    const subject = `${seat}/${hex(drawId)}/${hex(job)}/${lane}`;
    const name = hex(sha256(signedStatementCodec.encode(said)));
    once(`${subject}/${kind}`, name);
    if (kind === 'commit') never(`${subject}/${kind}`, `${subject}/abstain`);
    if (kind === 'abstain') never(`${subject}/${kind}`, `${subject}/commit`);
    durable.add(`statement/${name}`);
  };
  const logged = (seat: number, effect: Effect): void => {
    if (effect.kind === 'log-vote') logVote(effect.vote);
    if (effect.kind === 'log-statement') logStatement(effect.signed);
    if (effect.kind === 'log-proposal') {
      const name = hex(headerHash(effect.block.header));
      once(`${seat}/${effect.block.header.view}/proposal`, name);
      durable.add(`proposal/${name}`);
    }
  };

  const mustBeLogged = (seat: number, name: string): void => {
    if (!durable.has(name)) violate('I9 durable before visible', `seat ${seat}: ${name}`);
  };
  const published = (seat: number, topic: string, bytes: Uint8Array): void => {
    const message = readGossip(topic as 'votes', bytes);
    if (message?.topic === 'votes') {
      const { ballot } = message;
      const said = ballot.kind === 'vote' ? ballot.vote : ballot.certificate;
      const own = ballot.kind === 'vote' ? [ballot.vote.seat] : ballot.certificate.seats;
      if (own.includes(seat))
        mustBeLogged(seat, `vote/${voteName({ ...said, seat })}/${hex(said.block)}`);
    }
    if (message?.topic === 'statements' && message.signed.statement.seat === seat)
      mustBeLogged(seat, `statement/${hex(sha256(bytes))}`);
    if (message?.topic === 'proposals' && message.proposal.header.proposer === seat)
      mustBeLogged(seat, `proposal/${hex(headerHash(message.proposal.header))}`);
  };
  return { logged, published };
}
