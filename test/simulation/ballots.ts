/** Count the votes of a simulated world, honest or not, and look for quorums that must not be. */
import { hex } from '../../protocol/brand.ts';
import { type Certificate, type Vote, voteMessage } from '../../protocol/consensus/message.ts';
import { readGossip } from '../../protocol/replica/judge.ts';
import type { Violate } from './checker.ts';
import type { SimulatedNetwork } from './network.ts';

/** I4: no two certificates of a kind in a view, never Final beside Skip. */
export type Ballots = {
  /** A message on the wire, whoever sent it. */
  readonly heard: (topic: string, bytes: Uint8Array) => void;
  /** Whether a certificate is Final for a block, by a quorum of true signatures. */
  readonly certifies: (certificate: Certificate, block: string) => boolean;
};

export function ballots({ rules }: SimulatedNetwork, violate: Violate): Ballots {
  const holders = rules.genesis.seats;
  const quorum = Math.floor((2 * holders.length) / 3) + 1;
  const voters = new Map<string, Set<number>>();
  const certified = new Map<string, string>();

  const count = ({ kind, view, block, seat }: Vote): void => {
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
  const heard = (topic: string, bytes: Uint8Array): void => {
    const message = topic === 'votes' ? readGossip('votes', bytes) : null;
    if (message?.topic === 'votes' && message.ballot.kind === 'vote') count(message.ballot.vote);
  };
  const certifies = (certificate: Certificate, block: string): boolean => {
    const { kind, seats, signatures } = certificate;
    return (
      kind === 'final' &&
      hex(certificate.block) === block &&
      new Set(seats).size === quorum &&
      seats.length === quorum &&
      seats.every((seat, i) =>
        rules.suite.verify(
          holders[seat]!.publicKey,
          voteMessage(rules.network, certificate, seat),
          signatures[i]!,
        ),
      )
    );
  };
  return { heard, certifies };
}
