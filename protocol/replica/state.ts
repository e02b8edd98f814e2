/** Hold everything a replica remembers between two inputs. */
import type { Hex } from '../brand.ts';
import type { BlockRef, Certificate } from '../consensus/message.ts';
import type { EngineRules, EngineState } from '../consensus/state.ts';
import type { SeatKeys } from '../crypto/suite.ts';
import type { SignedJob } from '../job/job.ts';
import type { SignedStatement } from '../job/statement.ts';
import type { ChainState, LedgerRules } from '../ledger/chain.ts';
import type { Header } from '../ledger/header.ts';
import type { Duty, Effect } from './effect.ts';
import type { LaneOutcome } from './input.ts';
import type { Pool } from './pool.ts';
import type { SyncRequest } from './wire.ts';

/** What stays the same as long as a replica runs. */
export type ReplicaRules = {
  readonly ledger: LedgerRules;
  /** The own seat and its keys; null for an observer. */
  readonly seat: number | null;
  readonly keys: SeatKeys | null;
  /** Milliseconds after which what is not yet ordered is announced again. */
  readonly repeatMs: number;
  /** Milliseconds after which a missing block or certificate is asked for again. */
  readonly retryMs: number;
  /** Milliseconds without a new final block after which all votes are said again. */
  readonly standstillMs: number;
  readonly engine: EngineRules;
};

/** A block above the last final one, as far as it is known. */
export type TreeEntry = {
  readonly header: Header;
  readonly ref: BlockRef;
  readonly signature: Uint8Array;
  readonly rests: readonly Uint8Array[];
  readonly from: string | null;
  items: readonly Uint8Array[] | null;
  /** The chain with this block applied; null until its parent's is there too. */
  chain: ChainState | null;
  fault: string | null;
  validated: boolean;
};

/** A header whose parent is not known yet. */
export type Orphan = {
  readonly header: Header;
  readonly signature: Uint8Array;
  readonly rests: readonly Uint8Array[];
  readonly from: string | null;
  items: readonly Uint8Array[] | null;
};

/** A question that is out, or that waits to be asked again. */
export type Wanted = {
  readonly request: SyncRequest;
  prefer: string | null;
  /** Id of the question that is out; null while it waits. */
  out: number | null;
  at: number;
  tries: number;
};

/** A view that we lead and have not proposed in yet. */
export type Leadership = {
  readonly view: number;
  readonly parent: BlockRef;
  readonly rests: readonly Uint8Array[];
  readonly since: number;
};

/** One lane that we were drawn for, and how far we are with it. */
export type DutyState = { readonly duty: Duty; outcome: LaneOutcome | null };

/**
 * Everything a replica remembers. It belongs to {@link step}, which consumes it: after a step only
 * the state that the step returned may be used.
 */
export type ReplicaState = {
  readonly rules: ReplicaRules;
  now: number;
  engine: EngineState;
  /** The chain at the last final block, and that block's Final certificate. */
  final: ChainState;
  finalCertificate: Certificate | null;
  finalAt: number;
  readonly tree: Map<Hex, TreeEntry>;
  readonly orphans: Map<Hex, Orphan>;
  /** Certificates above the last final block, by digest, for peers that ask. */
  readonly certificates: Map<Hex, { readonly view: number; readonly certificate: Certificate }>;
  readonly wanted: Map<string, Wanted>;
  readonly asked: Map<number, string>;
  /** A certified final block whose chain is not at hand yet. */
  certified: { readonly id: Hex; readonly certificate: Certificate } | null;
  leadership: Leadership | null;
  /** Views in which we have proposed, with the block: never two in one view. */
  readonly proposed: Map<number, Hex>;
  readonly pool: Pool;
  /** Jobs that are open in a chain we hold, by id. */
  readonly jobs: Map<Hex, SignedJob>;
  readonly duties: Map<string, DutyState>;
  /** Own statements, by what they are about: each is signed once and said until it is ordered. */
  readonly said: Map<string, SignedStatement>;
  repeatAt: number;
  busy: boolean;
  nextId: number;
  /** Effects of the step at hand. */
  effects: Effect[];
};
