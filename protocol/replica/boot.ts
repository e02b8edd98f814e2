/** Start a replica, or start it again from what its disk kept. */
import { hex } from '../brand.ts';
import { start as startEngine } from '../consensus/engine.ts';
import type { Certificate, Vote } from '../consensus/message.ts';
import { leaderOf } from '../consensus/seats.ts';
import type { EngineRules } from '../consensus/state.ts';
import type { SeatKeys } from '../crypto/suite.ts';
import { jobId, type SignedJob } from '../job/job.ts';
import type { SignedStatement } from '../job/statement.ts';
import { type ChainState, genesisChain, type LedgerRules } from '../ledger/chain.ts';
import { dutyKey, followDuties, startDuties } from './duty.ts';
import { emptyPool, insertStatement } from './pool.ts';
import { follow, type Stepped, settle } from './replica.ts';
import type { ReplicaState } from './state.ts';
import { blockRef, takeBlock } from './tree.ts';
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
  readonly votes: readonly Vote[];
  readonly statements: readonly SignedStatement[];
  /** Certificates of views from the final block's on. */
  readonly certificates: readonly Certificate[];
  /** Own proposals above the final block. */
  readonly proposals: readonly SealedBlock[];
  /** Jobs that were open at the final block. */
  readonly jobs: readonly SignedJob[];
};

export const nothingKept: Kept = {
  final: null,
  finalCertificate: null,
  votes: [],
  statements: [],
  certificates: [],
  proposals: [],
  jobs: [],
};

function engineRules({ ledger, seat, keys, standstillMs }: ReplicaSetup): EngineRules {
  const { genesis, network, leaderSeed, suite } = ledger;
  const { parameters } = genesis;
  const seats = genesis.seats.length;
  return {
    network,
    epoch: 0,
    seats,
    verify: (index, message, signature) => {
      const holder = genesis.seats[index];
      return holder !== undefined && suite.verify(holder.publicKey, message, signature);
    },
    self: seat,
    leaderOf: (view) => leaderOf({ network, leaderSeed, epoch: 0, view, seats }),
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
 */
export function boot(setup: ReplicaSetup, kept: Kept, now: number): Stepped {
  const final = kept.final ?? genesisChain(setup.ledger);
  const engine = engineRules(setup);
  // The engine asks for the view of the parent only to judge links above the root.
  const root = blockRef(final.header, hex(final.hash), 0);
  const started = startEngine(engine, {
    now,
    root,
    finalCertificate: kept.finalCertificate,
    signed: kept.votes,
    certificates: kept.certificates,
    blocks: [],
  });
  const state: ReplicaState = {
    rules: { ...setup, engine },
    now,
    engine: started.state,
    final,
    finalCertificate: kept.finalCertificate,
    finalAt: now,
    tree: new Map(),
    orphans: new Map(),
    certificates: new Map(),
    wanted: new Map(),
    asked: new Map(),
    certified: null,
    leadership: null,
    proposed: new Map(),
    pool: emptyPool(),
    jobs: new Map(kept.jobs.map((signed) => [hex(jobId(signed.job)), signed])),
    duties: new Map(),
    said: new Map(),
    repeatAt: now,
    busy: false,
    nextId: 1,
    effects: [],
  };
  for (const signed of kept.statements) {
    const { kind, drawId, job, lane } = signed.statement;
    state.said.set(`${kind}/${dutyKey(drawId, job, lane)}`, signed);
    insertStatement(state.pool, signed);
  }
  for (const block of kept.proposals) {
    for (const entry of takeBlock(state, { ...block, rests: [], from: null }))
      state.proposed.set(entry.header.view, entry.ref.id);
  }
  for (const effect of started.effects) follow(state, effect);
  startDuties(state, final);
  followDuties(state);
  settle(state);
  const { effects } = state;
  state.effects = [];
  return { state, effects };
}
