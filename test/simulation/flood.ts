/** Make what a hostile peer sends: junk, and whatever faulty seats and strangers can sign. */
import { type VoteKind, voteMessage } from '../../protocol/consensus/message.ts';
import { leaderOf } from '../../protocol/consensus/seats.ts';
import { type Digest, hash, zeroDigest } from '../../protocol/crypto/hash.ts';
import { signedJobCodec } from '../../protocol/job/job.ts';
import {
  type Statement,
  signedStatementCodec,
  statementMessage,
} from '../../protocol/job/statement.ts';
import { itemsRoot } from '../../protocol/ledger/block.ts';
import { type Header, proposalCodec, proposalMessage } from '../../protocol/ledger/header.ts';
import { StateCursor } from '../../protocol/ledger/state.ts';
import type { Topic } from '../../protocol/replica/input.ts';
import type { ReplicaState } from '../../protocol/replica/state.ts';
import { ballotCodec } from '../../protocol/replica/wire.ts';
import { type SimulatedNetwork, simulatedJob, simulatedNetwork, strangerJob } from './network.ts';
import { type Chance, chance } from './random.ts';

type Message = readonly [topic: Topic, bytes: Uint8Array];

/** Messages without end; each looks at the state of a victim, as a peer that follows it could. */
export type Flood = (victim: ReplicaState) => Message;

const topics: readonly Topic[] = ['jobs', 'proposals', 'votes', 'statements'];
const kinds: readonly VoteKind[] = ['notar', 'skip', 'final'];

/** What the makers of hostile messages share. */
type Hand = {
  readonly network: SimulatedNetwork;
  readonly faulty: readonly number[];
  readonly chance: Chance;
  /** A fresh number, a fresh digest, a seat of ours. */
  readonly serial: () => number;
  readonly digest: () => Digest;
  readonly liar: () => number;
};

/** A flood by the holders of some seats. */
export function flood(network: SimulatedNetwork, faulty: readonly number[], seed: number): Flood {
  const numbers = chance(seed, 'flood');
  const { below } = numbers;
  let count = 0;
  const serial = (): number => count++;
  const hand: Hand = {
    network,
    faulty,
    chance: numbers,
    serial,
    digest: () => hash('dev', 'flood', seed, serial()),
    liar: () => faulty[below(faulty.length)]!,
  };
  const elsewhere = simulatedNetwork(network.rules.genesis.seats.length, seed + 1_000);
  return (victim) => {
    switch (below(6)) {
      case 0:
        return ['votes', vote(hand, far(hand, victim), network)];
      case 1:
        return ['proposals', proposal(hand, victim)];
      case 2:
        return ['statements', statement(hand, victim)];
      case 3:
        return ['jobs', job(hand, victim)];
      case 4:
        return ['votes', vote(hand, victim.engine.view, elsewhere)];
      default:
        return [topics[below(4)]!, Uint8Array.from({ length: below(200) }, () => below(256))];
    }
  };
}

function far({ chance: { percent, below } }: Hand, { engine }: ReplicaState): number {
  return engine.view + below(percent(50) ? 200 : 2 ** 30);
}

function vote({ chance: { below }, digest, liar }: Hand, view: number, on: SimulatedNetwork) {
  const kind = kinds[below(3)]!;
  const seat = liar();
  const block = kind === 'skip' ? zeroDigest : digest();
  const subject = { kind, epoch: 0, view, block } as const;
  const signature = on.keys(seat).sign(voteMessage(on.rules.network, subject, seat));
  return ballotCodec.encode({ kind: 'vote', vote: { ...subject, seat, signature } });
}

function proposal(hand: Hand, victim: ReplicaState): Uint8Array {
  const { network, faulty, digest } = hand;
  const { percent, below } = hand.chance;
  const { network: name, leaderSeed, genesis } = network.rules;
  const seats = genesis.seats.length;
  const leads = (view: number): number =>
    leaderOf({ network: name, leaderSeed, epoch: 0, view, seats });
  let view = far(hand, victim);
  while (!faulty.includes(leads(view))) view += 1;
  const { header } = victim.final;
  const changed: Header = {
    ...header,
    view,
    proposer: leads(view),
    height: header.height + 1 + below(percent(50) ? 2 : 1_000_000),
    parent: percent(50) ? victim.final.hash : digest(),
    timeMs: header.timeMs + 250,
    itemsRoot: percent(20) ? itemsRoot([]) : digest(),
    stateRoot: digest(),
  };
  const rests = Array.from({ length: below(4) }, digest);
  const signature = network.keys(changed.proposer).sign(proposalMessage(changed));
  return proposalCodec.encode({ header: changed, signature, rests });
}

function statement(hand: Hand, victim: ReplicaState): Uint8Array {
  const { network, digest, liar } = hand;
  const { below } = hand.chance;
  const cursor = new StateCursor(victim.final.map);
  const [open] = cursor.open();
  const lane = open === undefined ? null : cursor.lane(open, 0);
  const drawId = lane?.waves.at(-1)?.drawId ?? digest();
  const wave = Math.max((lane?.waves.length ?? 1) - 1, 0);
  const at = { seat: liar(), job: open ?? digest(), lane: below(3), wave, drawId };
  const claim = { laneRoot: digest(), valueCid: null, mapFuel: BigInt(below(2 ** 30)) };
  const all: readonly Statement[] = [
    { kind: 'commit', ...at, digest: digest() },
    { kind: 'abstain', ...at, class: 'timeout' },
    { kind: 'reveal', ...at, claim, saltKey: digest(), workRoot: digest(), value: null },
    { kind: 'open', ...at, openings: [] },
    { kind: 'commit', ...at, job: digest(), digest: digest() },
  ];
  const chosen = all[below(all.length)]!;
  const message = statementMessage(chosen, network.rules.network);
  const signature = network.keys(chosen.seat).sign(message);
  return signedStatementCodec.encode({ statement: chosen, signature });
}

function job({ network, chance: { below }, serial, digest }: Hand, { final }: ReplicaState) {
  const nonce = BigInt(1_000_000 + serial());
  const changes = [{ nonce }, { nonce, anchorHash: digest() }, { nonce, includeByMs: 2 ** 47 }];
  const chosen = below(changes.length);
  const make = chosen === 0 ? strangerJob : simulatedJob;
  return signedJobCodec.encode(make(network, final.header, changes[chosen]!));
}
