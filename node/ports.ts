/** State what the driver needs: a network, a store, blobs, an executor, a clock. */

import type { Verdict } from '../protocol/errors.ts';
import type { FoldFuel } from '../protocol/execution/evaluate.ts';
import type { Topic } from '../protocol/replica/input.ts';

export type { FoldFuel, Topic };

/** Request/response protocols over streams. */
export type StreamProtocol = 'sync' | 'blob';

/** What a network calls. `judge` is pure and quick; the others must not throw. */
export type NetworkHandlers = {
  readonly judge: (topic: Topic, bytes: Uint8Array, from: string) => Verdict;
  /** An accepted message, at least once, in any order. */
  readonly heard: (topic: Topic, bytes: Uint8Array, from: string) => void;
  /** Answers a request. A rejection closes the stream; the asker gets an error. */
  readonly answer: (
    protocol: StreamProtocol,
    body: Uint8Array,
    from: string,
  ) => Promise<Uint8Array>;
};

/** Gossip and request/response. Never throws because a peer is missing. */
export type Network = {
  /** Text of the own peer id. */
  readonly self: string;
  readonly start: (handlers: NetworkHandlers) => Promise<void>;
  readonly stop: () => Promise<void>;
  /** Announces once to whoever is reachable; nothing tells whether anybody heard. */
  readonly publish: (topic: Topic, bytes: Uint8Array) => void;
  /** Peers connected now. */
  readonly peers: () => readonly string[];
  /** @throws NetworkError with a code, at the latest when `signal` fires. */
  readonly request: (
    peer: string,
    protocol: StreamProtocol,
    body: Uint8Array,
    signal: AbortSignal,
  ) => Promise<Uint8Array>;
};

/** One change of a batch; `value` null deletes. */
export type StoreChange = {
  readonly bucket: Bucket;
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
};

/** Buckets of the one ordered store. Numbers are never used again for another meaning. */
export const buckets = {
  meta: 0,
  vote: 1,
  block: 2,
  certificate: 3,
  height: 4,
  statement: 5,
  job: 6,
  blob: 7,
  proposal: 8,
  ballot: 9,
  tree: 10,
  state: 11,
  history: 12,
  submission: 13,
  ordered: 14,
  duty: 15,
  log: 16,
  batch: 17,
  law: 18,
} as const;
export type Bucket = keyof typeof buckets;

/** An ordered key-value store with atomic batches. */
export type Store = {
  readonly get: (bucket: Bucket, key: Uint8Array) => Promise<Uint8Array | null>;
  /** Applies all changes or none; with `durable`, returns only when they survive a crash. */
  readonly batch: (changes: readonly StoreChange[], options: { durable: boolean }) => Promise<void>;
  /** Entries with `from <= key < to`, ascending by key bytes, at most `limit`. */
  readonly range: (
    bucket: Bucket,
    options: { from?: Uint8Array; to?: Uint8Array; limit?: number; reverse?: boolean },
  ) => Promise<readonly (readonly [Uint8Array, Uint8Array])[]>;
  readonly close: () => Promise<void>;
};

/** Content-addressed bytes beside the store, verified on read, bounded by a quota. */
export type BlobStore = {
  readonly has: (cid: Uint8Array) => Promise<boolean>;
  /** Stores bytes and returns their CID. */
  readonly put: (bytes: Uint8Array) => Promise<Uint8Array>;
  /** The whole blob, verified, or null when it is not here. @throws BLOB_CORRUPT */
  readonly read: (cid: Uint8Array) => Promise<Uint8Array | null>;
  /** A file that holds exactly the verified blob, for handing over to a child, or null. */
  readonly path: (cid: Uint8Array) => Promise<string | null>;
  /** Keeps a blob from being evicted until it is released as often. */
  readonly pin: (cid: Uint8Array) => void;
  readonly release: (cid: Uint8Array) => void;
  readonly bytes: () => number;
  readonly close: () => Promise<void>;
};

/** Where one item of a subtask comes from. */
export type ItemSource =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'generated'; readonly index: number };

/** Why a program failed on an item: part of the result that seats agree on. */
export type FailureClass = 'trap' | 'bad-value' | 'out-of-fuel' | 'too-deep';

/** Why a machine could not run a program: never part of a result, only a reason to abstain. */
export type LocalFailureClass = 'timeout' | 'killed' | 'host-oom' | 'inadmissible';

/** One subtask as a child runs it: `map` in the order of the plan, folded by its bracket. */
export type SubtaskRun = {
  /** File with the program's bytes, which the sandbox admits before it runs them. */
  readonly programPath: string;
  readonly parameters: Uint8Array;
  /** Items in index order of the subtask (place 0 is its first item). */
  readonly items: readonly ItemSource[];
  /** Postfix fold plan over places: a number >= 0 maps that item and pushes it, -1 combines two. */
  readonly plan: readonly number[] | Int32Array;
  /** Units of fuel that each item, and each combine, may use. */
  readonly fuel: { readonly item: bigint; readonly combine: bigint };
  /** Whose turn it takes where several want the machine: a job's id. The program, if not given. */
  readonly turn?: string;
};

export type SubtaskOutcome =
  | {
      readonly kind: 'done';
      /**
       * Per place: 0 not run, because it lies above the lowest failing one; 1 ok; 2 trap;
       * 3 bad-value; 4 out-of-fuel; 5 too-deep.
       */
      readonly states: Uint8Array;
      /** SHA-256 of each item's value, 32 bytes a place; zero where there is none. */
      readonly hashes: Uint8Array;
      /** SHA-256 of the value after each -1 of the plan, 32 bytes each; null when anything failed. */
      readonly folds: Uint8Array | null;
      /** The folded value; null when an item or a combine failed. */
      readonly value: Uint8Array | null;
      readonly combineFailed: boolean;
      /** Fuel of all items up to the lowest failing one, which counts its whole limit. */
      readonly mapFuel: bigint;
      /** Most fuel of an item and of a combine, and that of all combines: 0 where none ran. */
      readonly spent: {
        readonly itemMax: bigint;
        readonly combineMax: bigint;
        readonly combineSum: bigint;
        /** Most bytes of memory that one instance had, for people only. */
        readonly memoryBytesMax: number;
        /**
         * Fuel of all calls, of failing ones what they used on this machine: for its own accounts
         * only, engines need not agree in it.
         */
        readonly used?: bigint;
      };
      /** Wall time of the slowest item, in milliseconds: for the person, never for the protocol. */
      readonly slowestItemMs: number;
      /**
       * What this machine's engine says of the lowest failing item, or of the failing combine, and
       * in which function: a line of at most 200 letters, for people only. Engines differ in it.
       */
      readonly said?: string;
    }
  | { readonly kind: 'local'; readonly class: LocalFailureClass; readonly reason: string };

/** Outcome of a single call such as `anw_render`. */
export type CallOutcome =
  | {
      readonly kind: 'ok';
      readonly value: Uint8Array;
      readonly wallMs: number;
      /** Units that it used. */
      readonly fuel: bigint;
    }
  | {
      readonly kind: 'failed';
      readonly class: FailureClass;
      readonly reason: string;
      /** Its limit: what a failing call is charged. Of a fold, that of the combine that failed. */
      readonly fuel: bigint;
      /** What it used on this machine, as above; nobody knows where it is absent. */
      readonly used?: bigint;
    }
  | { readonly kind: 'local'; readonly class: LocalFailureClass; readonly reason: string };

/** What `anw_check` is asked: whether an item has a value. */
export type CheckQuestion = {
  readonly parameters: Uint8Array;
  readonly item: ItemSource;
  readonly value: Uint8Array;
  /** 32 bytes. */
  readonly seed: Uint8Array;
};

/** Runs programs in sandboxed children. Never rejects for what a program does. */
export type Executor = {
  readonly runSubtask: (run: SubtaskRun, signal: AbortSignal) => Promise<SubtaskOutcome>;
  /**
   * Left fold of values with `anw_combine`; empty values are the identity. A fold that is taken up
   * again is given what is left of its fuel.
   * @param fuel - Units that each combine, and all combines together, may use.
   */
  readonly fold: (
    programPath: string,
    values: readonly Uint8Array[],
    fuel: FoldFuel,
    signal: AbortSignal,
    turn?: string,
  ) => Promise<CallOutcome>;
  /** `anw_render`, or the value itself for a program without it. */
  readonly render: (
    programPath: string,
    parameters: Uint8Array,
    value: Uint8Array,
    fuel: bigint,
    signal: AbortSignal,
  ) => Promise<CallOutcome>;
  /**
   * `anw_count`: the number of items of a job without input. `value` is 8 bytes, big-endian.
   * @param fuel - As for the next two: as much as a call may ever have, unless given.
   */
  readonly count: (
    programPath: string,
    parameters: Uint8Array,
    signal: AbortSignal,
    fuel?: bigint,
  ) => Promise<CallOutcome>;
  /** `anw_sample`: a value by chance, from a seed of 32 bytes. */
  readonly sample: (
    programPath: string,
    seed: Uint8Array,
    signal: AbortSignal,
    fuel?: bigint,
  ) => Promise<CallOutcome>;
  /** `anw_check`: `value` is one byte, 1 where it holds, 0 where it is refuted. */
  readonly check: (
    programPath: string,
    question: CheckQuestion,
    signal: AbortSignal,
    fuel?: bigint,
  ) => Promise<CallOutcome>;
  readonly close: () => Promise<void>;
};

/** Milliseconds since 1970, and waking up. */
export type Clock = {
  readonly now: () => number;
  /** Calls back once at or after `at`; a new call replaces the old one. */
  readonly wake: (at: number, callback: () => void) => void;
  readonly stop: () => void;
};
