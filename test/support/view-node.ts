/** Stand in for a running node where views look at it: a real replica's state, nothing runs. */

import type { AnwansiNode, NodeFailure, Submission } from '../../node/face.ts';
import { hex } from '../../protocol/brand.ts';
import { jobId } from '../../protocol/job/job.ts';
import type { ChainState, LedgerRules } from '../../protocol/ledger/chain.ts';
import { boot, nothingKept } from '../../protocol/replica/boot.ts';
import type { ReplicaState } from '../../protocol/replica/state.ts';

/** What a node is to be looked at as. */
export type NodeWish = {
  readonly rules: LedgerRules;
  readonly chain: ChainState;
  /** Seats that are heard at any time; all by default. */
  readonly heard?: readonly number[];
  readonly seat?: number | null;
  readonly startedAt?: number;
  readonly submissions?: readonly Submission[];
  /** Why it cannot go on. */
  readonly failure?: NodeFailure;
  /** Changes the replica's state before it is looked at. */
  readonly change?: (state: ReplicaState) => void;
};

/** The state of an observer whose last final block is a chain's. */
function stateAt({ rules, chain, change }: NodeWish): ReplicaState {
  const paces = { repeatMs: 1_000, retryMs: 200, standstillMs: 3_000 };
  const { state } = boot(
    { ledger: rules, seat: null, keys: null, ...paces },
    nothingKept,
    chain.header.timeMs,
  );
  const { view } = chain.header;
  state.final = chain;
  state.finalRef = { ...state.finalRef, id: hex(chain.hash), view, height: chain.header.height };
  state.engine = { ...state.engine, view: view + 1 };
  change?.(state);
  return state;
}

const notForViews = (): never => {
  throw new Error('a view does not ask for this');
};

export function viewNode(wish: NodeWish): AnwansiNode {
  const { rules, seat = null, submissions = [] } = wish;
  const state = stateAt(wish);
  const all = rules.genesis.seats.map((_, index) => index);
  return {
    rules,
    blobs: {} as AnwansiNode['blobs'],
    seat,
    failure: () => wish.failure ?? null,
    startedAt: wish.startedAt ?? rules.genesis.timeMs,
    state: () => state,
    submission: async (id) =>
      submissions.find(({ signed }) => hex(jobId(signed.job)) === hex(id)) ?? null,
    seatsHeardSince: () => new Set(wish.heard ?? all),
    submit: notForViews,
    cancel: notForViews,
    signedJob: notForViews,
    jobs: notForViews,
    block: notForViews,
    heightOf: notForViews,
    fetch: notForViews,
    receipt: notForViews,
    stateProof: notForViews,
    duties: notForViews,
    laws: notForViews,
    dutySummary: notForViews,
    watch: notForViews,
    stop: notForViews,
  };
}
