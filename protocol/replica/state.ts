/** Hold everything a replica remembers between two inputs. */
import type { Hex } from '../brand.ts';
import type { BlockRef, Certificate } from '../consensus/message.ts';
import type { EngineRules, EngineState } from '../consensus/state.ts';
import type { SeatKeys } from '../crypto/suite.ts';
import type { SignedJob } from '../job/job.ts';
import type { SignedStatement } from '../job/statement.ts';
import type { ChainState, LedgerRules } from '../ledger/chain.ts';
import type { Header } from '../ledger/header.ts';
import type { Agenda } from './agenda.ts';
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

/** A header with its leader's signature, and its body once that is here. */
type Announced = {
  readonly header: Header;
  readonly signature: Uint8Array;
  /** Digests of the certificates that the leader says it rests on. */
  readonly rests: readonly Uint8Array[];
  /** Whoever told of it, or null. */
  readonly from: string | null;
  /** A certificate asked for it, or our own disk: it is no junk. */
  readonly sure: boolean;
  /** It lies below a block that a Final certificate names: f + 1 honest seats have checked it. */
  readonly vouched: boolean;
  items: readonly Uint8Array[] | null;
};

/** A block above the last final one, as far as it is known. */
export type TreeEntry = Announced & {
  readonly ref: BlockRef;
  /** The chain with this block applied; null until its parent's is there too. */
  chain: ChainState | null;
  fault: string | null;
  validated: boolean;
  /** A certificate vouches for it: its missing ancestors' bodies have been asked for. */
  sought: boolean;
};

/** A header whose parent is not known yet. */
export type Orphan = Announced & {
  readonly id: Hex;
  readonly parent: Hex;
  /**
   * An ancestor of which the blocks between are orphans too, and the height of the lowest of them
   * and this one. It moves down as far as it is looked for, so that long ways are gone once.
   */
  below: Hex;
  lowest: number;
};

/** A question that is out, or that waits to be asked. */
export type Wanted = {
  readonly request: SyncRequest;
  /** The view from which on nobody needs the answer, unless it is certified. */
  readonly view: number;
  /** A quorum vouches for what is asked: it exists, and is asked for until it is here. */
  certified: boolean;
  /** The proposal that rests on the certificates that are asked for. */
  readonly about: Hex | null;
  /** A peer that should know; only the first question prefers it. */
  prefer: string | null;
  /** Id of the question that is out; null while it waits. */
  out: number | null;
  /** When it is to be asked; while it is out, when it counts as lost. */
  at: number;
};

/** A view that we lead and have not proposed in yet. */
export type Leadership = {
  readonly view: number;
  readonly parent: BlockRef;
  readonly rests: readonly Uint8Array[];
};

/** One lane that we were drawn for, and how far we are with it. */
export type DutyState = {
  readonly duty: Duty;
  /** Height of the block that drew it. */
  readonly drawnHeight: number;
  outcome: LaneOutcome | null;
};

/** A block that a Final certificate names, and that certificate. */
export type Certified = { readonly id: Hex; readonly certificate: Certificate };

/**
 * Everything a replica remembers. It belongs to {@link step}, which consumes it: after a step only
 * the state that the step returned may be used.
 */
export type ReplicaState = {
  readonly rules: ReplicaRules;
  now: number;
  engine: EngineState;
  /** The chain at the last final block, that block as consensus sees it, its certificate. */
  final: ChainState;
  finalRef: BlockRef;
  finalCertificate: Certificate | null;
  readonly tree: Map<Hex, TreeEntry>;
  /** Of the tree: blocks that may yet become valid, parents first. */
  readonly unsettled: Map<Hex, TreeEntry>;
  /** Of the tree: blocks at which jobs are open. */
  readonly working: Set<Hex>;
  readonly orphans: Map<Hex, Orphan>;
  /** Orphans by the parent that they wait for. */
  readonly waiting: Map<Hex, Orphan[]>;
  /** Blocks in tree and orphans that nothing vouches for, by view. */
  unsure: Map<number, Hex[]>;
  /** Own and adopted certificates from the last final block on, by digest, for peers that ask. */
  readonly certificates: Map<Hex, { readonly view: number; readonly certificate: Certificate }>;
  readonly wanted: Map<string, Wanted>;
  /** When each of them is to be looked at: an entry counts if its time is that of the question. */
  readonly agenda: Agenda;
  /** Of them, those that nothing certifies: nobody needs their answer for long. */
  readonly fleeting: Set<string>;
  /** View of the final block at which the certified ones were last looked through. */
  wantedFromView: number;
  readonly asked: Map<number, string>;
  /** The view up to which bodies have been asked for. */
  reachedView: number;
  /** The highest Final-certified block, and one below it, whose chains are not at hand yet. */
  certified: Certified | null;
  stretch: Certified | null;
  /** Blocks here of which consensus is to be told once more. */
  recalled: Hex[];
  leadership: Leadership | null;
  /** Views in which we have proposed, with the block: never two in one view. */
  readonly proposed: Map<number, Hex>;
  readonly pool: Pool;
  /** Jobs that are open in a chain we hold, by id. */
  readonly jobs: Map<Hex, SignedJob>;
  readonly duties: Map<string, DutyState>;
  /** Own statements, by what they are about: each is signed once and said until it is ordered. */
  readonly said: Map<string, SignedStatement>;
  /** When everything of ours that is not ordered, and what we said in this view, is said again. */
  repeatAt: number;
  viewSaidAt: number;
  busy: boolean;
  nextId: number;
  /** Who sent the input at hand, if it came from a peer. */
  source: string | null;
  /** Effects of the step at hand. */
  effects: Effect[];
};
