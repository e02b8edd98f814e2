/** Play the faulty seats of a development network: nothing that needs keys of others. */

import { type Hex, hex } from '../protocol/brand.ts';
import { tryDecode } from '../protocol/codec/codec.ts';
import { voteMessage } from '../protocol/consensus/message.ts';
import { hash } from '../protocol/crypto/hash.ts';
import type { SeatKeys } from '../protocol/crypto/suite.ts';
import { signedStatementCodec, statementMessage } from '../protocol/job/statement.ts';
import type { LedgerRules } from '../protocol/ledger/chain.ts';
import {
  headerHash,
  type Proposal,
  proposalCodec,
  proposalMessage,
} from '../protocol/ledger/header.ts';
import type { Topic } from '../protocol/replica/input.ts';
import { ballotCodec, syncRequestCodec, syncResponseCodec } from '../protocol/replica/wire.ts';
import type { Network, NetworkHandlers } from './ports.ts';

/** silent: sends nothing in any role. wrong-result: lies about lanes. equivocate: says two things. */
export const faultNames = ['silent', 'wrong-result', 'equivocate'] as const;
export type FaultName = (typeof faultNames)[number];

/** A network through which a faulty seat speaks. */
export function faultyNetwork(
  inner: Network,
  fault: FaultName | null,
  rules: LedgerRules,
  keys: SeatKeys,
): Network {
  if (fault === 'silent') return silentNetwork(inner);
  if (fault === 'equivocate') return equivocatingNetwork(inner, rules, keys);
  return inner;
}

function silentNetwork(inner: Network): Network {
  return {
    ...inner,
    publish: () => undefined,
    start: (handlers) =>
      inner.start({ ...handlers, answer: () => Promise.reject(new Error('silent')) }),
  };
}

function equivocatingNetwork(inner: Network, rules: LedgerRules, keys: SeatKeys): Network {
  const others = new Map<
    Hex,
    {
      readonly header: Proposal['header'];
      readonly signature: Uint8Array;
      readonly first: Uint8Array;
    }
  >();
  const other = (topic: Topic, bytes: Uint8Array): Uint8Array | null => {
    if (topic === 'votes') return otherVote(bytes, rules, keys);
    if (topic === 'statements') return otherCommit(bytes, rules, keys);
    if (topic !== 'proposals') return null;
    const proposal = tryDecode(proposalCodec, bytes);
    if (proposal === null) return null;
    const header = { ...proposal.header, timeMs: proposal.header.timeMs + 1 };
    const signature = keys.sign(proposalMessage(header));
    const first = headerHash(proposal.header);
    others.set(hex(headerHash(header)), { header, signature, first });
    return proposalCodec.encode({ ...proposal, header, signature });
  };
  let hear: NetworkHandlers['heard'] = () => {};
  return {
    ...inner,
    publish: (topic, bytes) => {
      const second = other(topic, bytes);
      // A commit that cannot be opened goes first, and to ourselves when we lead: whoever orders
      // one of them orders it, so that nobody takes the seat for an honest one that agreed.
      if (second !== null && topic === 'statements') {
        inner.publish(topic, second);
        hear(topic, second, '');
        inner.publish(topic, bytes);
        return;
      }
      inner.publish(topic, bytes);
      if (second !== null) inner.publish(topic, second);
    },
    start: (handlers) => {
      hear = handlers.heard;
      return inner.start({
        ...handlers,
        answer: async (protocol, body, from) => {
          const request = protocol === 'sync' ? tryDecode(syncRequestCodec, body) : null;
          const twin = request?.kind === 'block' ? others.get(hex(request.hash)) : undefined;
          if (twin === undefined) return handlers.answer(protocol, body, from);
          // The second proposal has the body of the first.
          const asked = syncRequestCodec.encode({ kind: 'block', hash: twin.first });
          const found = syncResponseCodec.decode(await handlers.answer(protocol, asked, from));
          if (found.kind !== 'block' || found.block === null)
            return syncResponseCodec.encode({ kind: 'block', block: null });
          const { header, signature } = twin;
          const block = { header, signature, items: found.block.items };
          return syncResponseCodec.encode({ kind: 'block', block });
        },
      });
    },
  };
}

function otherVote(bytes: Uint8Array, rules: LedgerRules, keys: SeatKeys): Uint8Array | null {
  const ballot = tryDecode(ballotCodec, bytes);
  if (ballot?.kind !== 'vote' || ballot.vote.kind !== 'notar') return null;
  const vote = { ...ballot.vote, block: hash('header', ballot.vote.block, 'other') };
  const signature = keys.sign(voteMessage(rules.network, vote, vote.seat));
  return ballotCodec.encode({ kind: 'vote', vote: { ...vote, signature } });
}

function otherCommit(bytes: Uint8Array, rules: LedgerRules, keys: SeatKeys): Uint8Array | null {
  const signed = tryDecode(signedStatementCodec, bytes);
  if (signed?.statement.kind !== 'commit') return null;
  const statement = { ...signed.statement, digest: hash('commit', signed.statement.digest) };
  const signature = keys.sign(statementMessage(statement, rules.network));
  return signedStatementCodec.encode({ statement, signature });
}
