/** Keep one replica alone in a laboratory that holds every seat's keys. */
import { nativeSha256 } from '../../node/crypto.ts';
import { hex } from '../../protocol/brand.ts';
import {
  type Certificate,
  certificateId,
  type Subject,
  type Vote,
  type VoteKind,
  voteMessage,
} from '../../protocol/consensus/message.ts';
import { leaderOf, quorum } from '../../protocol/consensus/seats.ts';
import { type Digest, installSha256, zeroDigest } from '../../protocol/crypto/hash.ts';
import type { BlockItem } from '../../protocol/ledger/block.ts';
import { type ChainState, genesisChain } from '../../protocol/ledger/chain.ts';
import {
  type Header,
  headerHash,
  proposalCodec,
  proposalMessage,
} from '../../protocol/ledger/header.ts';
import { draftBlock } from '../../protocol/ledger/transition.ts';
import { boot, type Kept, nothingKept } from '../../protocol/replica/boot.ts';
import type { Effect } from '../../protocol/replica/effect.ts';
import type { Input, Topic } from '../../protocol/replica/input.ts';
import { step } from '../../protocol/replica/replica.ts';
import type { ReplicaState } from '../../protocol/replica/state.ts';
import { ballotCodec, type SealedBlock, type SyncResponse } from '../../protocol/replica/wire.ts';
import { beaconInput, nextBeacon } from '../../protocol/sampling/beacon.ts';
import { specLines } from '../support/lines.ts';
import { type SimulatedNetwork, simulatedNetwork } from './network.ts';
import type { Machine } from './world.ts';

installSha256(nativeSha256);

export type Made = {
  readonly chain: ChainState;
  readonly sealed: SealedBlock;
  readonly hash: Digest;
  readonly view: number;
  /** The gossip message that announces it. */
  readonly proposal: Uint8Array;
};

type Choice = {
  readonly items?: readonly BlockItem[];
  readonly timeMs?: number;
  readonly rests?: readonly Certificate[];
  /** Replaces parts of the header before it is signed. */
  readonly change?: Partial<Header>;
};

/** Makes what the seats of a network can make. */
export type Laboratory = {
  readonly network: SimulatedNetwork;
  readonly genesis: ChainState;
  readonly leader: (view: number) => number;
  /** A view from `from` on that a seat leads. */
  readonly viewOf: (seat: number, from?: number) => number;
  readonly block: (parent: ChainState, view: number, choice?: Choice) => Made;
  /** A made block with another header, signed by its leader. */
  readonly resealed: (made: Made, change: Partial<Header>) => Made;
  readonly vote: (seat: number, kind: VoteKind, view: number, block?: Digest) => Vote;
  /** Of the highest q seats, or of those given. */
  readonly certificate: (
    kind: VoteKind,
    view: number,
    block?: Digest,
    seats?: readonly number[],
  ) => Certificate;
};

export function laboratory(seats = 4, seed = 1): Laboratory {
  const network = simulatedNetwork(seats, seed);
  const { rules, keys } = network;
  const leader = (view: number): number =>
    leaderOf({ network: rules.network, leaderSeed: rules.leaderSeed, epoch: 0, view, seats });
  const vote = (seat: number, kind: VoteKind, view: number, block = zeroDigest): Vote => {
    const subject: Subject = { kind, epoch: 0, view, block };
    const signature = keys(seat).sign(voteMessage(rules.network, subject, seat));
    return { ...subject, seat, signature };
  };
  return {
    network,
    genesis: genesisChain(rules),
    leader,
    viewOf: (seat, from = 1) => {
      let view = from;
      while (leader(view) !== seat) view += 1;
      return view;
    },
    vote,
    certificate: (kind, view, block = zeroDigest, of) => {
      const size = quorum(seats);
      const chosen = of ?? Array.from({ length: size }, (_, i) => seats - size + i);
      const signatures = chosen.map((seat) => vote(seat, kind, view, block).signature);
      return { kind, epoch: 0, view, block, seats: chosen, signatures };
    },
    resealed: (made, change) => {
      const header = { ...made.sealed.header, ...change };
      const signature = keys(leader(header.view)).sign(proposalMessage(header));
      const proposal = proposalCodec.encode({ header, signature, rests: [] });
      const sealed = { ...made.sealed, header, signature };
      return { ...made, sealed, proposal, hash: headerHash(header), view: header.view };
    },
    block: (parent, view, { items = [], timeMs, rests = [], change = {} } = {}) => {
      const proposer = leader(view);
      const parentBeacon = parent.header.beacon as Digest;
      const { proof, output } = keys(proposer).vrfProve(beaconInput(parentBeacon, 0, view));
      const beacon = nextBeacon({ parentBeacon, epoch: 0, view, output });
      const time = timeMs ?? parent.header.timeMs + rules.genesis.parameters.stepMinMs;
      const seal = { view, proposer, timeMs: time, beacon, vrfProof: proof };
      const draft = draftBlock(parent, seal, items, rules);
      const header = { ...draft.header, ...change };
      const signature = keys(proposer).sign(proposalMessage(header));
      const ids = rests.map((certificate) => certificateId(certificate));
      return {
        chain: draft.chain,
        sealed: { header, signature, items: draft.items },
        hash: headerHash(header),
        view,
        proposal: proposalCodec.encode({ header, signature, rests: ids }),
      };
    },
  };
}

type Happening = Input extends infer I
  ? I extends { readonly now: number }
    ? Omit<I, 'now'>
    : never
  : never;

/** A replica, its clock, and hands to feed it. Each returns the effects of its step. */
export type Lone = {
  readonly state: () => ReplicaState;
  /** Effects of the boot. */
  readonly booted: readonly Effect[];
  readonly feed: (happening: Happening) => readonly Effect[];
  /** Lets the clock run, or step back, by some milliseconds. */
  readonly tick: (ms?: number) => readonly Effect[];
  readonly hear: (topic: Topic, bytes: Uint8Array) => readonly Effect[];
  readonly certified: (certificate: Certificate) => readonly Effect[];
  readonly voted: (vote: Vote) => readonly Effect[];
  /** Announces a block and answers the question for its body. */
  readonly shown: (made: Made) => readonly Effect[];
  /** Answers the question that is out for `key`. */
  readonly answer: (key: string, response: SyncResponse | null) => readonly Effect[];
  /** Makes a chain of final blocks, one a view, each shown, notarized and made final. */
  readonly settle: (made: Made) => readonly Effect[];
};

export function lone(
  { network, certificate }: Laboratory,
  {
    seat = 0 as number | null,
    kept = {} as Partial<Kept>,
    startMs = network.startMs,
    machine = { boot, step } as Pick<Machine, 'boot' | 'step'>,
  } = {},
): Lone {
  let now = startMs;
  const setup = {
    ledger: network.rules,
    seat,
    keys: seat === null ? null : network.keys(seat),
    repeatMs: 1_000,
    retryMs: 300,
    standstillMs: 3_000,
  };
  const { state: first, effects: booted } = machine.boot(setup, { ...nothingKept, ...kept }, now);
  let state = first;
  const feed = (happening: Happening): readonly Effect[] => {
    const stepped = machine.step(state, { ...happening, now } as Input);
    state = stepped.state;
    return stepped.effects;
  };
  const hear = (topic: Topic, bytes: Uint8Array): readonly Effect[] =>
    feed({ kind: 'heard', topic, bytes, from: 'peer' });
  const certified = (one: Certificate): readonly Effect[] =>
    hear('votes', ballotCodec.encode({ kind: 'certificate', certificate: one }));
  const answer = (key: string, response: SyncResponse | null): readonly Effect[] => {
    const id = state.wanted.get(key)?.out;
    if (id == null) throw new Error(`nothing asks for ${key}`);
    return feed({ kind: 'answered', id, response });
  };
  const given = ({ sealed, hash }: Made): readonly Effect[] => {
    const key = `block/${hex(hash)}`;
    if (state.wanted.get(key)?.out == null) return [];
    return answer(key, { kind: 'block', block: sealed });
  };
  const shown = (made: Made): readonly Effect[] => [
    ...hear('proposals', made.proposal),
    ...given(made),
  ];
  return {
    state: () => state,
    booted,
    feed,
    tick: (ms = 0) => {
      now += ms;
      return feed({ kind: 'tick' });
    },
    hear,
    certified,
    voted: (vote) => hear('votes', ballotCodec.encode({ kind: 'vote', vote })),
    shown,
    answer,
    settle: (made) => [
      ...shown(made),
      ...certified(certificate('notar', made.view, made.hash)),
      ...given(made),
      ...certified(certificate('final', made.view, made.hash)),
    ],
  };
}

/** Lines of the replica's page outside `first` to `last`: another test file reaches them. */
export function linesBut(first: number, last: number): Readonly<Record<string, string>> {
  const others = specLines('replica').filter((line) => {
    const number = Number(line.slice(1));
    return number < first || number > last;
  });
  return Object.fromEntries(others.map((line) => [line, 'another part of the page']));
}

/** Effects of one kind. */
export function only<K extends Effect['kind']>(
  effects: readonly Effect[],
  kind: K,
): readonly Extract<Effect, { kind: K }>[] {
  return effects.filter((effect) => effect.kind === kind) as Extract<Effect, { kind: K }>[];
}
