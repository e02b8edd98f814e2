/** Sign one vote: the only place that signs, and where rules I1 to I4 are asserted. */
import { assert } from '../assert.ts';
import { type Hex, hex, sameBytes } from '../brand.ts';
import { follows } from './chain.ts';
import { type Subject, type Vote, voteMessage } from './message.ts';
import { certificateOf, type EngineRules, type EngineState, ownVotes } from './state.ts';

/**
 * Our seat's signed vote. Asking for one that a rule forbids is a bug of ours and stops us.
 * Rule I5 is the host's: it makes the vote durable before anything made of it leaves.
 * @see spec/protocol/consensus.md
 */
export function signVote(state: EngineState, subject: Subject, rules: EngineRules): Vote {
  const { self } = rules;
  const { kind, view } = subject;
  assert(self !== null, 'an observer never votes');
  assert(subject.epoch === rules.epoch && view > state.root.view, 'a vote is about what is open');
  const own = ownVotes(state, view);
  assert(own[kind] === null, 'I1: one vote of a kind in a view');
  assert(kind !== 'final' || own.skip === null, 'I2: never Final after Skip');
  assert(kind !== 'skip' || own.final === null, 'I2: never Skip after Final');
  assert(
    kind !== 'notar' || mayNotarize(state, view, hex(subject.block), rules),
    'I3: Notar only for what follows',
  );
  assert(kind !== 'final' || notarized(state, subject), 'I4: Final only for what is notarized');
  return {
    ...subject,
    seat: self,
    signature: rules.sign(voteMessage(rules.network, subject, self)),
  };
}

/** Rule I3: the leader's, validated, on a notarized or final parent across skipped views only. */
export function mayNotarize(
  state: EngineState,
  view: number,
  id: Hex,
  { leaderOf }: EngineRules,
): boolean {
  const known = state.blocks.get(id);
  if (known === undefined || !known.validated) return false;
  const { ref } = known;
  return ref.view === view && ref.proposer === leaderOf(view) && follows(state, ref);
}

/** Rule I4: a Notar certificate for this very block. */
function notarized(state: EngineState, { view, block }: Subject): boolean {
  const notar = certificateOf(state, 'notar', view);
  return notar !== null && sameBytes(notar.block, block);
}
