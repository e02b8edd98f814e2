/** Drive one engine by hand: votes and certificates of anybody, effects as they come. */
import { type Hex, hex, unhex, utf8 } from '../../../protocol/brand.ts';
import { type Boot, start, step } from '../../../protocol/consensus/engine.ts';
import {
  type BlockRef,
  type Certificate,
  type Subject,
  type Vote,
  type VoteKind,
  voteMessage,
} from '../../../protocol/consensus/message.ts';
import type {
  EngineEffect,
  EngineInput,
  EngineRules,
  EngineState,
} from '../../../protocol/consensus/state.ts';
import { type Digest, sha256, zeroDigest } from '../../../protocol/crypto/hash.ts';
import { fakeSignature, fakeVerify } from './signature.ts';

export const network = sha256(utf8('a network of four'));

/** Genesis of the hand-driven engines, at time zero of their clocks. */
export const genesis: BlockRef = {
  id: hex(sha256(utf8('genesis'))),
  view: 0,
  height: 0,
  parent: hex(zeroDigest),
  parentView: 0,
  proposer: 0,
  time: 0,
};

/** Four seats; seat v mod 4 leads view v; a view lasts 100 ms, blocks 1 s apart without work. */
export function rulesOf(self: number | null, seats = 4): EngineRules {
  return {
    network,
    epoch: 0,
    seats,
    self,
    leaderOf: (view) => view % seats,
    verify: fakeVerify,
    sign: (message) => fakeSignature(self!, message),
    viewTimeoutMs: 100,
    viewTimeoutMaxMs: 1_000,
    heartbeatMs: 1_000,
    standstillMs: 5_000,
  };
}

/** A block of the view's leader. Two names, two blocks. */
export function blockOf(view: number, parent: BlockRef = genesis, name = ''): BlockRef {
  return {
    id: hex(sha256(utf8(`block ${view} on ${parent.id} ${name}`))),
    view,
    height: parent.height + 1,
    parent: parent.id,
    parentView: parent.view,
    proposer: view % 4,
    time: parent.time + 1,
  };
}

export function subjectOf(kind: VoteKind, view: number, block?: BlockRef): Subject {
  const id = block === undefined ? zeroDigest : (unhex(block.id) as Digest);
  return { kind, epoch: 0, view, block: id };
}

export function voteOf(seat: number, kind: VoteKind, view: number, block?: BlockRef): Vote {
  const subject = subjectOf(kind, view, block);
  return { ...subject, seat, signature: fakeSignature(seat, voteMessage(network, subject, seat)) };
}

export function notarOf(block: BlockRef, seats = [1, 2, 3]): Certificate {
  return certificateOf(subjectOf('notar', block.view, block), seats);
}

export function finalOf(block: BlockRef, seats = [1, 2, 3]): Certificate {
  return certificateOf(subjectOf('final', block.view, block), seats);
}

export function skipOf(view: number, seats = [1, 2, 3]): Certificate {
  return certificateOf(subjectOf('skip', view), seats);
}

function certificateOf(subject: Subject, seats: number[]): Certificate {
  const sign = (seat: number): Uint8Array =>
    fakeSignature(seat, voteMessage(network, subject, seat));
  return { ...subject, seats, signatures: seats.map(sign) };
}

export type Timeless<I> = I extends { readonly now: number } ? Omit<I, 'now'> : never;

/** An engine with its last state; each call answers with the effects it caused. */
export type Seat = {
  readonly rules: EngineRules;
  readonly state: () => EngineState;
  readonly line: () => string;
  /** Sets the clock without a word to the engine. */
  readonly at: (now: number) => void;
  readonly feed: (input: Timeless<EngineInput>) => readonly EngineEffect[];
  readonly announce: (block: BlockRef) => readonly EngineEffect[];
  /** Announces and validates. */
  readonly give: (block: BlockRef) => readonly EngineEffect[];
  readonly validate: (id: Hex) => readonly EngineEffect[];
  readonly certify: (certificate: Certificate) => readonly EngineEffect[];
  readonly hear: (vote: Vote) => readonly EngineEffect[];
  readonly tick: (now: number) => readonly EngineEffect[];
  /** Every vote it has cast since it was started. */
  readonly votes: readonly Vote[];
  readonly started: readonly EngineEffect[];
};

/** Starts an engine at time zero, from genesis unless told otherwise. */
export function seatOf(rules: EngineRules, boot: Partial<Boot> = {}): Seat {
  const fresh = { now: 0, root: genesis, finalCertificate: null, signed: [], certificates: [] };
  const first = start(rules, { ...fresh, blocks: [], ...boot });
  let { state, line } = first;
  let now = boot.now ?? 0;
  const votes: Vote[] = [];
  const collect = (effects: readonly EngineEffect[]): readonly EngineEffect[] => {
    for (const effect of effects) if (effect.kind === 'vote') votes.push(effect.vote);
    return effects;
  };
  const feed = (input: Timeless<EngineInput>): readonly EngineEffect[] => {
    const transition = step(state, { ...input, now } as EngineInput, rules);
    ({ state, line } = transition);
    return collect(transition.effects);
  };
  const announce = (block: BlockRef) => feed({ kind: 'announced', block });
  const validate = (id: Hex) => feed({ kind: 'validated', id });
  return {
    rules,
    state: () => state,
    line: () => line,
    at: (next) => {
      now = next;
    },
    feed,
    announce,
    validate,
    give: (block) => [...announce(block), ...validate(block.id)],
    certify: (certificate) => feed({ kind: 'certificate', certificate }),
    hear: (vote) => feed({ kind: 'vote', vote }),
    tick: (next) => {
      now = next;
      return feed({ kind: 'tick' });
    },
    votes,
    started: collect(first.effects),
  };
}

/** Votes as `kind view`, to be read in an expectation. */
export const said = (votes: readonly Vote[]): string[] =>
  votes.map(({ kind, view }) => `${kind} ${view}`);

export const kinds = (effects: readonly EngineEffect[]): string[] =>
  effects.map(({ kind }) => kind);

/** The effects of one kind. */
export const only = <K extends EngineEffect['kind']>(
  effects: readonly EngineEffect[],
  kind: K,
): (EngineEffect & { kind: K })[] =>
  effects.filter((effect) => effect.kind === kind) as (EngineEffect & { kind: K })[];

/** Seat 0 in view 1, which seat 1 leads, with work waiting: its time runs from the start. */
export const busySeat = (boot: Partial<Boot> = {}): Seat => {
  const seat = seatOf(rulesOf(0), boot);
  seat.feed({ kind: 'busy', busy: true });
  return seat;
};
