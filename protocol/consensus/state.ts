/** List all that can happen to the engine, all it asks for, and what it remembers. */
import { type Hex, hex } from '../brand.ts';
import type { Digest } from '../crypto/hash.ts';
import type { BlockRef, Certificate, CheckRules, Vote, VoteKind } from './message.ts';
import { emptyTally, type Tally } from './tally.ts';
import type { Versions } from './versions.ts';

/** Unsolicited blocks that are kept of one view: more than one proves its leader false. */
export const blocksKeptMax = 2;

/** Views ahead of the current one whose votes and blocks are kept, by count of seats. */
export function windowViews(seats: number): number {
  return 4 * seats + 64;
}

/** Constants of an epoch and the host's powers. All times are in milliseconds. */
export type EngineRules = CheckRules & {
  /** Our seat; null for an observer, who counts and never votes. */
  readonly self: number | null;
  readonly leaderOf: (view: number) => number;
  /** Signs as `self`; equal messages give equal signatures. */
  readonly sign: (message: Uint8Array) => Uint8Array;
  readonly viewTimeoutMs: number;
  readonly viewTimeoutMaxMs: number;
  /** Time between blocks while there is no work. */
  readonly heartbeatMs: number;
  /** Time without a new final block after which everything is said again; above `heartbeatMs`. */
  readonly standstillMs: number;
};

/** `now` is the host's clock in milliseconds since 1970, the clock of block times. */
export type EngineInput = { readonly now: number } & (
  | { readonly kind: 'announced'; readonly block: BlockRef }
  | { readonly kind: 'validated'; readonly id: Hex }
  | { readonly kind: 'vote'; readonly vote: Vote }
  | { readonly kind: 'certificate'; readonly certificate: Certificate }
  | { readonly kind: 'busy'; readonly busy: boolean }
  | { readonly kind: 'proposed'; readonly block: BlockRef }
  | { readonly kind: 'tick' }
);

/** Performed in order: nothing leaves before the votes ahead of it are durable (rule I5). */
export type EngineEffect =
  | { readonly kind: 'vote'; readonly vote: Vote }
  | { readonly kind: 'relay'; readonly certificate: Certificate }
  | {
      readonly kind: 'repeat';
      readonly votes: readonly Vote[];
      readonly certificates: readonly Certificate[];
    }
  | {
      readonly kind: 'lead';
      readonly view: number;
      readonly parent: BlockRef;
      /** Notar for the parent, else Final for it; null if the parent is the first root. */
      readonly notar: Certificate | null;
      readonly skips: readonly Certificate[];
    }
  | { readonly kind: 'notarized'; readonly block: Digest; readonly view: number }
  | {
      readonly kind: 'finalized';
      readonly block: Digest;
      readonly view: number;
      readonly certificate: Certificate;
    }
  | { readonly kind: 'wanted'; readonly block: Digest; readonly view: number }
  | { readonly kind: 'equivocation'; readonly first: Vote; readonly second: Vote }
  | { readonly kind: 'wake'; readonly at: number };

/** A line of spec/protocol/consensus.md. */
export type Line = `C${number}`;

/** `line` names the first rule that fired; `state` is the old one if nothing was learned. */
export type Transition = {
  readonly line: Line;
  readonly state: EngineState;
  readonly effects: readonly EngineEffect[];
};

export type ViewRecord = {
  readonly tally: Tally;
  /** Blocks announced for the view, in the order of their arrival. */
  readonly blocks: readonly Hex[];
};

export type KnownBlock = { readonly ref: BlockRef; readonly validated: boolean };

/** What we ourselves signed in a view: the vote log, by kind. */
export type OwnVotes = Readonly<Record<VoteKind, Vote | null>>;

/** All that the engine remembers. Nothing older than the last final block. */
export type EngineState = {
  readonly view: number;
  readonly enteredAt: number;
  /** What let us into the view. */
  readonly entry: Certificate | null;
  /** Since when there is work waiting. */
  readonly busySince: number | null;
  /** The last final block; its header may still be unseen. */
  readonly root: { readonly id: Hex; readonly view: number };
  readonly finalCertificate: Certificate | null;
  /** When everything is said again unless a block becomes final first. */
  readonly repeatAt: number;
  readonly views: Versions<number, ViewRecord>;
  readonly blocks: Versions<Hex, KnownBlock>;
  readonly own: Versions<number, OwnVotes>;
  /**
   * From this view up to the one before the current, every view is certified Skip and none has a
   * block to build on: whoever looks for one begins below. Derived, so that a long outage is walked
   * through once and not at every input.
   */
  readonly barren: number;
  /** The view we were last told to lead, and the parent that we were told. */
  readonly led: { readonly view: number; readonly parent: Hex } | null;
  readonly wakeAt: number | null;
};

const emptyRecord: ViewRecord = { tally: emptyTally, blocks: [] };
const noVotes: OwnVotes = { notar: null, skip: null, final: null };

export function recordOf({ views }: EngineState, view: number): ViewRecord {
  return views.get(view) ?? emptyRecord;
}

/** The certificate of a kind that is held for a view. */
export function certificateOf(
  state: EngineState,
  kind: VoteKind,
  view: number,
): Certificate | null {
  return recordOf(state, view).tally.certificates[kind];
}

export function ownVotes({ own }: EngineState, view: number): OwnVotes {
  return own.get(view) ?? noVotes;
}

/** `state` with one view's record replaced; the old state keeps its own. */
export function withRecord(
  state: EngineState,
  view: number,
  change: Partial<ViewRecord>,
): EngineState {
  const views = state.views.with(view, { ...recordOf(state, view), ...change });
  return { ...state, views };
}

/** `state` with one more vote of our own in its log. */
export function withOwnVote(state: EngineState, vote: Vote): EngineState {
  const votes = { ...ownVotes(state, vote.view), [vote.kind]: vote };
  return { ...state, own: state.own.with(vote.view, votes) };
}

/** `state` with one block added or replaced. */
export function withBlock(state: EngineState, block: KnownBlock): EngineState {
  return { ...state, blocks: state.blocks.with(block.ref.id, block) };
}

/** Whether a certificate that we hold names this block: then it is worth having. */
export function named(state: EngineState, id: Hex, view: number): boolean {
  if (view === state.root.view) return id === state.root.id;
  const notar = certificateOf(state, 'notar', view);
  return notar !== null && hex(notar.block) === id;
}
