/** Play the faulty seats of a simulated world: only with their own keys. */
import { tryDecode } from '../../protocol/codec/codec.ts';
import { voteMessage } from '../../protocol/consensus/message.ts';
import { hash } from '../../protocol/crypto/hash.ts';
import type { SeatKeys } from '../../protocol/crypto/suite.ts';
import { signedStatementCodec, statementMessage } from '../../protocol/job/statement.ts';
import { proposalCodec, proposalMessage } from '../../protocol/ledger/header.ts';
import type { Topic } from '../../protocol/replica/input.ts';
import { ballotCodec } from '../../protocol/replica/wire.ts';
import type { SimulatedNetwork } from './network.ts';

/** silent: says nothing. equivocating: says two things. lying: executes falsely, votes honestly. */
export type Role = 'silent' | 'equivocating' | 'lying';

/**
 * What an equivocator tells one listener instead of one message: two Notar votes, two proposals,
 * two commits. Half of the listeners hear the true one first, half hear only the other.
 */
export function disturb(
  topic: Topic,
  bytes: Uint8Array,
  listener: number,
  network: SimulatedNetwork,
  keys: SeatKeys,
): readonly Uint8Array[] {
  const other = otherMessage(topic, bytes, network, keys);
  if (other === null) return [bytes];
  return listener % 2 === 0 ? [bytes, other] : [other];
}

function otherMessage(
  topic: Topic,
  bytes: Uint8Array,
  { rules }: SimulatedNetwork,
  keys: SeatKeys,
): Uint8Array | null {
  if (topic === 'votes') {
    const ballot = tryDecode(ballotCodec, bytes);
    if (ballot?.kind !== 'vote' || ballot.vote.kind !== 'notar') return null;
    const vote = { ...ballot.vote, block: hash('header', ballot.vote.block, 'other') };
    const signature = keys.sign(voteMessage(rules.network, vote, vote.seat));
    return ballotCodec.encode({ kind: 'vote', vote: { ...vote, signature } });
  }
  if (topic === 'proposals') {
    const proposal = tryDecode(proposalCodec, bytes);
    if (proposal === null) return null;
    const header = { ...proposal.header, timeMs: proposal.header.timeMs + 1 };
    return proposalCodec.encode({
      ...proposal,
      header,
      signature: keys.sign(proposalMessage(header)),
    });
  }
  if (topic === 'statements') {
    const signed = tryDecode(signedStatementCodec, bytes);
    if (signed?.statement.kind !== 'commit') return null;
    const statement = { ...signed.statement, digest: hash('commit', signed.statement.digest) };
    const signature = keys.sign(statementMessage(statement, rules.network));
    return signedStatementCodec.encode({ statement, signature });
  }
  return null;
}
