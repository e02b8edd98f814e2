/** Open what a node is made of, before it runs. */
import { join } from 'node:path';
import { hex } from '../protocol/brand.ts';
import type { Certificate } from '../protocol/consensus/message.ts';
import { recent } from '../protocol/crypto/recent.ts';
import type { SeatKeys } from '../protocol/crypto/suite.ts';
import type { SignedJob } from '../protocol/job/job.ts';
import { type ChainState, type LedgerRules, ledgerRules } from '../protocol/ledger/chain.ts';
import type { Genesis } from '../protocol/ledger/genesis.ts';
import type { Duty, Notice } from '../protocol/replica/effect.ts';
import { contractsOf } from './contracts.ts';
import { nativeSuite, rememberingSuite } from './crypto.ts';
import type { NodeEvent, NodeFailure } from './face.ts';
import { type FaultName, faultyNetwork } from './faults.ts';
import type { LaneParts } from './lane.ts';
import { type Inspections, openInspections } from './laws/inspection.ts';
import { fetchBlob } from './network/blobs.ts';
import { type JobPins, jobPins } from './pins.ts';
import type { Executor, Network, Store } from './ports.ts';
import { type Blobs, openBlobStore } from './storage/blobs.ts';
import { openLevelStore } from './storage/level.ts';

/** Jobs of which it is remembered who told of them. */
const originCountMax = 4_096;
/** Leaves and values of own lanes that are kept for peers, whatever the quota. */
const keptResultCountMax = 2_048;

// Nodes of one process share what they have checked.
export const suite = rememberingSuite(nativeSuite);

export type NodeOptions = {
  readonly genesis: Genesis;
  /** The seat, and its keys; null for an observer. */
  readonly seat: number | null;
  readonly keys: SeatKeys | null;
  readonly network: Network;
  readonly executor: Executor;
  /** Directory of this node alone. */
  readonly directory: string;
  readonly blobQuotaBytes: number;
  readonly fault?: FaultName | null;
  /** Whether programs are run without a look at their laws. */
  readonly unchecked?: boolean;
  readonly log?: (notice: Notice) => void;
};

/** Directory of a node's blobs: an executor must be allowed to read it. */
export function blobDirectoryOf(directory: string): string {
  return join(directory, 'blobs');
}

/** Directory of files of a check of laws: children may read it. */
function lawScratchOf(directory: string): string {
  return join(blobDirectoryOf(directory), 'laws');
}

/** What a node is made of. */
export type Parts = {
  readonly options: NodeOptions;
  readonly rules: LedgerRules;
  readonly store: Store;
  readonly blobs: Blobs;
  readonly network: Network;
  readonly listeners: Set<(event: NodeEvent) => void>;
  readonly lastHeard: Map<number, number>;
  /** Jobs submitted here that are neither ordered nor too late, by id. */
  readonly pending: Map<string, SignedJob>;
  /** What keeps the inputs of jobs that were submitted here from being evicted. */
  readonly pins: JobPins;
  /** The final chain up to which the store holds everything; null before the first. */
  stored: { readonly chain: ChainState; readonly certificate: Certificate } | null;
  /** What the node could not go on from; null as long as it runs. */
  failure: NodeFailure | null;
  /** Results of own lanes that peers may ask for, oldest first. */
  readonly results: Uint8Array[];
  /** Whoever first told of a job most likely has its program and its items. */
  readonly origin: (job: Uint8Array) => string | null;
  readonly learnOrigin: (job: Uint8Array, peer: string) => void;
  /** What is known of programs; null where a node looks at none. */
  readonly inspections: Inspections | null;
};

/** Opens store and blobs; whatever was opened is closed when the rest cannot be. */
export async function openParts(options: NodeOptions): Promise<Parts> {
  const { genesis, directory, keys, blobQuotaBytes: quotaBytes } = options;
  const rules = ledgerRules(genesis, suite, contractsOf(genesis));
  const store = await openLevelStore({
    directory: storeDirectoryOf(directory),
    network: rules.network,
  });
  const blobs = await openBlobStore({ directory: blobDirectoryOf(directory), quotaBytes }).catch(
    async (error: unknown) => {
      await store.close();
      throw error;
    },
  );
  const network =
    keys === null
      ? options.network
      : faultyNetwork(options.network, options.fault ?? null, rules, keys);
  const origins = recent<string>(originCountMax);
  const origin = (job: Uint8Array): string | null => origins.get(hex(job)) ?? null;
  const listeners: Parts['listeners'] = new Set();
  const inspections = options.unchecked
    ? null
    : await openInspections({
        ...{ store, blobs, executor: options.executor, scratch: lawScratchOf(directory) },
        fetch: (duty, cid, bytesMax, signal) =>
          fetch({ network, blobs }, cid, bytesMax, signal, origin(duty.job)),
        tell: (event) => tell({ listeners, options }, event),
      }).catch(async (error: unknown) => {
        await store.close();
        await blobs.close();
        throw error;
      });
  return {
    ...{ options, rules, store, blobs, network, listeners, origin, inspections },
    lastHeard: new Map(),
    pending: new Map(),
    pins: jobPins(blobs),
    stored: null,
    failure: null,
    results: [],
    learnOrigin: (job, peer) => {
      if (origins.get(hex(job)) === undefined) origins.set(hex(job), peer);
    },
  };
}

/** Directory of a node's database. */
export function storeDirectoryOf(directory: string): string {
  return join(directory, 'store');
}

/** Tells everybody who watches. */
export function tell(
  { listeners, options }: Pick<Parts, 'listeners' | 'options'>,
  event: NodeEvent,
): void {
  for (const listener of listeners)
    try {
      listener(event);
    } catch (reason) {
      // A watcher's mistake is not the node's end.
      options.log?.({ kind: 'watcher-failed', reason: String(reason) });
    }
}

/** What running a lane takes of this node. */
export function laneParts(parts: Parts, duty: Duty): LaneParts {
  const { options, blobs } = parts;
  const first = parts.origin(duty.job);
  return {
    blobs,
    executor: options.executor,
    fetch: (cid, bytesMax, signal) => fetch(parts, cid, bytesMax, signal, first),
    progress: (_, items) =>
      tell(parts, { kind: 'progress', job: hex(duty.job), seat: duty.seat, items }),
    keep: (cid) => keepResult(parts, cid),
    lie: options.fault === 'wrong-result',
  };
}

/** Pins a lane's result, and gives up the one that has been kept longest when there are many. */
function keepResult({ blobs, results }: Parts, cid: Uint8Array): void {
  blobs.pin(cid);
  results.push(cid);
  const oldest = results.length > keptResultCountMax ? results.shift() : undefined;
  if (oldest !== undefined) blobs.release(oldest);
}

/** Brings a blob here from whoever has it, first asking a peer that should. */
export function fetch(
  { network, blobs }: Pick<Parts, 'network' | 'blobs'>,
  cid: Uint8Array,
  bytesMax: number,
  signal: AbortSignal,
  first: string | null = null,
): Promise<void> {
  const peers = (): readonly string[] => {
    const all = network.peers();
    return first !== null && all.includes(first)
      ? [first, ...all.filter((peer) => peer !== first)]
      : all;
  };
  return fetchBlob({ network, store: blobs, cid, bytesMax, peers, signal });
}
