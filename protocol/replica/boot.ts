/** Start a replica, or start it again from what its disk kept. */
import { mark } from '../assert.ts';
import { hex } from '../brand.ts';
import { start as startEngine, step as stepEngine } from '../consensus/engine.ts';
import { checkLog } from '../consensus/error.ts';
import type { Certificate, Vote } from '../consensus/message.ts';
import { leaderOf } from '../consensus/seats.ts';
import type { EngineRules } from '../consensus/state.ts';
import type { SeatKeys } from '../crypto/suite.ts';
import { jobId, type SignedJob } from '../job/job.ts';
import { type SignedStatement, statementMessage } from '../job/statement.ts';
import { type ChainState, genesisChain, type LedgerRules } from '../ledger/chain.ts';
import { proposalMessage } from '../ledger/header.ts';
import { emptyAgenda } from './agenda.ts';
import { dutyKey, followDuties, forgetSaid, startDuties } from './duty.ts';
import { follow, keepCertificate } from './follow.ts';
import { emptyPool, insertStatement } from './pool.ts';
import { type Stepped, settle } from './replica.ts';
import type { ReplicaState } from './state.ts';
import { blockId, blockRef, takeBlock } from './tree.ts';
import type { SealedBlock } from './wire.ts';

/** What a host gives a replica to live by. */
export type ReplicaSetup = {
  readonly ledger: LedgerRules;
  readonly seat: number | null;
  readonly keys: SeatKeys | null;
  readonly repeatMs: number;
  readonly retryMs: number;
  readonly standstillMs: number;
};

/** What a host kept: nothing at the first start. */
export type Kept = {
  readonly final: ChainState | null;
  readonly finalCertificate: Certificate | null;
  /** Every own vote for a view above the final block's. */
  readonly votes: readonly Vote[];
  /** Own statements about jobs that are open at the final block; more do no harm. */
  readonly statements: readonly SignedStatement[];
  /** Certificates of views from the final block's on. */
  readonly certificates: readonly Certificate[];
  /** Own proposals, and blocks voted for, above the final block. */
  readonly blocks: readonly SealedBlock[];
  /** Jobs that are open at the final block or may be at the kept ones; more do no harm. */
  readonly jobs: readonly SignedJob[];
  /** Beacons of final blocks, by height, at least those of `openDrawHeights(final)`. */
  readonly beacons: ReadonlyMap<number, Uint8Array>;
};

export const nothingKept: Kept = {
  final: null,
  finalCertificate: null,
  votes: [],
  statements: [],
  certificates: [],
  blocks: [],
  jobs: [],
  beacons: new Map(),
};

/** Leaders of views that are remembered: the views that votes are taken for, and some more. */
const leaderCountMax = 4_096;

function engineRules({ ledger, seat, keys, standstillMs }: ReplicaSetup): EngineRules {
  const { genesis, network, leaderSeed, suite } = ledger;
  const { parameters } = genesis;
  const seats = genesis.seats.length;
  const leaders = new Map<number, number>();
  return {
    network,
    epoch: 0,
    seats,
    verify: (index, message, signature) => {
      const holder = genesis.seats[index];
      return holder !== undefined && suite.verify(holder.publicKey, message, signature);
    },
    self: seat,
    leaderOf: (view) => {
      let leader = leaders.get(view);
      if (leader === undefined) {
        leader = leaderOf({ network, leaderSeed, epoch: 0, view, seats });
        if (leaders.size >= leaderCountMax) leaders.clear();
        leaders.set(view, leader);
      }
      return leader;
    },
    sign: (message) => keys!.sign(message),
    viewTimeoutMs: parameters.viewTimeoutMs,
    viewTimeoutMaxMs: parameters.viewTimeoutMaxMs,
    heartbeatMs: parameters.heartbeatMs,
    standstillMs,
  };
}

/**
 * Boots a replica. What was signed before is said again as it was; nothing that excludes it is
 * ever signed.
 * @throws LogError where what was kept is not what this seat can have kept
 * @see spec/protocol/replica.md R66 to R68
 */
export function boot(setup: ReplicaSetup, kept: Kept, now: number): Stepped {
  const final = kept.final ?? genesisChain(setup.ledger);
  const engine = engineRules(setup);
  // The engine asks for the view of the parent only to judge links above the root.
  const finalRef = blockRef(final.header, hex(final.hash), 0);
  const { finalCertificate, votes, certificates } = kept;
  const started = startEngine(engine, {
    now,
    root: finalRef,
    finalCertificate,
    signed: votes,
    certificates,
    blocks: [],
  });
  mark('R66');
  const state: ReplicaState = {
    rules: { ...setup, engine },
    now,
    engine: started.state,
    final,
    finalRef,
    finalCertificate,
    tree: new Map(),
    unsettled: new Map(),
    working: new Set(),
    orphans: new Map(),
    waiting: new Map(),
    unsure: new Map(),
    certificates: new Map(),
    wanted: new Map(),
    agenda: emptyAgenda(),
    fleeting: new Set(),
    wantedFromView: finalRef.view,
    asked: new Map(),
    reachedView: 0,
    certified: null,
    stretch: null,
    recalled: [],
    leadership: null,
    proposed: new Map(),
    pool: emptyPool(),
    jobs: new Map(kept.jobs.map((signed) => [hex(jobId(signed.job)), signed])),
    duties: new Map(),
    said: new Map(),
    repeatAt: now,
    viewSaidAt: now,
    busy: false,
    nextId: 1,
    source: null,
    effects: [],
  };
  for (const certificate of [finalCertificate, ...certificates])
    if (certificate !== null) keepCertificate(state, certificate);
  restoreStatements(state, kept.statements);
  restoreBlocks(state, kept.blocks);
  for (const effect of started.effects) follow(state, effect);
  for (const { ref } of state.tree.values()) {
    const input = { kind: 'announced', now, block: ref } as const;
    const told = stepEngine(state.engine, input, engine);
    state.engine = told.state;
    for (const effect of told.effects) follow(state, effect);
  }
  startDuties(state, final, kept.beacons);
  followDuties(state);
  settle(state);
  const { effects } = state;
  state.effects = [];
  return { state, effects };
}

/** @throws LogError for what is not ours */
function restoreStatements(state: ReplicaState, statements: readonly SignedStatement[]): void {
  for (const signed of statements) {
    mark('R67');
    const { kind, drawId, job, lane, seat } = signed.statement;
    const { ledger, seat: own } = state.rules;
    const message = statementMessage(signed.statement, ledger.network);
    const isOurs = seat === own && isSigned(state, seat, message, signed.signature);
    checkLog(isOurs, `a ${kind} of lane ${lane} is not signed with our key`);
    state.said.set(`${kind}/${dutyKey(drawId, job, lane)}`, signed);
  }
  forgetSaid(state);
  for (const signed of state.said.values()) insertStatement(state.pool, signed);
}

/**
 * Brings kept blocks back, parents first: each is applied and validated anew.
 * @throws LogError for an own proposal that is not signed with our key: peers would blame us for it
 */
function restoreBlocks(state: ReplicaState, blocks: readonly SealedBlock[]): void {
  for (const block of [...blocks].sort((a, b) => a.header.view - b.header.view)) {
    const { header } = block;
    mark('R68');
    if (header.proposer === state.rules.seat) {
      const isOurs = isSigned(state, header.proposer, proposalMessage(header), block.signature);
      checkLog(isOurs, `the proposal of view ${header.view} is not signed with our key`);
      state.proposed.set(header.view, blockId(header));
    }
    takeBlock(state, { ...block, rests: [], from: null, sure: true });
  }
}

function isSigned(
  { rules: { ledger } }: ReplicaState,
  seat: number,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const holder = ledger.genesis.seats[seat];
  return holder !== undefined && ledger.suite.verify(holder.publicKey, message, signature);
}
