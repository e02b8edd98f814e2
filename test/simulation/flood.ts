/** Make what a hostile peer sends: junk, and whatever faulty seats and strangers can sign. */
import { type Vote, type VoteKind, voteMessage } from '../../protocol/consensus/message.ts';
import { leaderOf } from '../../protocol/consensus/seats.ts';
import { hash, zeroDigest } from '../../protocol/crypto/hash.ts';
import { signedJobCodec } from '../../protocol/job/job.ts';
import {
  type SignedStatement,
  type Statement,
  signedStatementCodec,
  statementMessage,
} from '../../protocol/job/statement.ts';
import { type Header, proposalCodec, proposalMessage } from '../../protocol/ledger/header.ts';
import { StateCursor } from '../../protocol/ledger/state.ts';
import type { Topic } from '../../protocol/replica/input.ts';
import type { ReplicaState } from '../../protocol/replica/state.ts';
import { ballotCodec } from '../../protocol/replica/wire.ts';
import { type SimulatedNetwork, simulatedJob, simulatedNetwork, strangerJob } from './network.ts';
import { chance } from './random.ts';

type Message = readonly [topic: Topic, bytes: Uint8Array];

/** Messages without end; each looks at the state of a victim, as a peer that follows it could. */
export type Flood = (victim: ReplicaState) => Message;

const topics: readonly Topic[] = ['jobs', 'proposals', 'votes', 'statements'];
const kinds: readonly VoteKind[] = ['notar', 'skip', 'final'];

/** A flood by the holders of some seats. */
export function flood(network: SimulatedNetwork, faulty: readonly number[], seed: number): Flood {
  const { below, percent } = chance(seed, 'flood');
  const { rules, keys } = network;
  const seats = rules.genesis.seats.length;
  const elsewhere = simulatedNetwork(seats, seed + 1_000);
  let serial = 0;
  const digest = () => hash('dev', 'flood', seed, serial++);
  const liar = (): number => faulty[below(faulty.length)]!;
  const far = (view: number): number => (percent(50) ? view + below(200) : view + below(2 ** 40));

  const vote = (view: number, on = network): Uint8Array => {
    const kind = kinds[below(3)]!;
    const seat = liar();
    const block = kind === 'skip' ? zeroDigest : digest();
    const subject = { kind, epoch: 0, view: Math.max(view, 1), block } as const;
    const signature = on.keys(seat).sign(voteMessage(on.rules.network, subject, seat));
    const said: Vote = { ...subject, seat, signature };
    return ballotCodec.encode({ kind: 'vote', vote: said });
  };

  const proposal = (victim: ReplicaState): Uint8Array => {
    const { network: name, leaderSeed } = rules;
    let view = far(victim.engine.view);
    const leads = (at: number): number =>
      leaderOf({ network: name, leaderSeed, epoch: 0, view: at, seats });
    while (!faulty.includes(leads(view))) view += 1;
    const { header } = victim.final;
    const changed: Header = {
      ...header,
      view,
      proposer: leads(view),
      height: header.height + 1 + below(percent(50) ? 2 : 1_000_000),
      parent: percent(50) ? victim.final.hash : digest(),
      timeMs: header.timeMs + 250,
      itemsRoot: digest(),
      stateRoot: digest(),
    };
    const rests = Array.from({ length: below(4) }, digest);
    const signature = keys(changed.proposer).sign(proposalMessage(changed));
    return proposalCodec.encode({ header: changed, signature, rests });
  };

  const statement = (victim: ReplicaState): Uint8Array => {
    const cursor = new StateCursor(victim.final.map);
    const [open] = cursor.open();
    const lane = open === undefined ? null : cursor.lane(open, 0);
    const drawId = lane?.waves.at(-1)?.drawId ?? digest();
    const wave = Math.max((lane?.waves.length ?? 1) - 1, 0);
    const at = { seat: liar(), job: open ?? digest(), lane: below(3), wave, drawId };
    const claim = { laneRoot: digest(), valueCid: null, mapFuel: 0n };
    const all: readonly Statement[] = [
      { kind: 'commit', ...at, digest: digest() },
      { kind: 'abstain', ...at, class: 'timeout' },
      { kind: 'reveal', ...at, claim, saltKey: digest(), workRoot: digest(), value: null },
      { kind: 'open', ...at, openings: [] },
      { kind: 'commit', ...at, job: digest(), digest: digest() },
    ];
    const chosen = all[below(all.length)]!;
    const signature = keys(chosen.seat).sign(statementMessage(chosen, rules.network));
    const signed: SignedStatement = { statement: chosen, signature };
    return signedStatementCodec.encode(signed);
  };

  const job = (victim: ReplicaState): Uint8Array => {
    const { header } = victim.final;
    const nonce = BigInt(1_000_000 + serial++);
    const change = [{ nonce }, { nonce, anchorHash: digest() }, { nonce, includeByMs: 2 ** 47 }];
    const chosen = change[below(change.length)]!;
    const make = chosen === change[0] ? strangerJob : simulatedJob;
    return signedJobCodec.encode(make(network, header, chosen));
  };

  return (victim) => {
    switch (below(6)) {
      case 0:
        return ['votes', vote(far(victim.engine.view))];
      case 1:
        return ['proposals', proposal(victim)];
      case 2:
        return ['statements', statement(victim)];
      case 3:
        return ['jobs', job(victim)];
      case 4:
        return ['votes', vote(victim.engine.view, elsewhere)];
      default:
        return [topics[below(4)]!, Uint8Array.from({ length: below(200) }, () => below(256))];
    }
  };
}
