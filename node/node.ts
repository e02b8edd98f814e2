/** Build a node of its parts; start them in order, stop them in reverse. */
import { join } from 'node:path';
import { unreachable } from '../protocol/assert.ts';
import { type Hex, hex } from '../protocol/brand.ts';
import { installSha256 } from '../protocol/crypto/hash.ts';
import { recent } from '../protocol/crypto/recent.ts';
import type { SeatKeys } from '../protocol/crypto/suite.ts';
import type { Verdict } from '../protocol/errors.ts';
import { admitJob } from '../protocol/job/admit.ts';
import { jobId, type SignedJob } from '../protocol/job/job.ts';
import {
  type ChainState,
  genesisChain,
  type LedgerRules,
  ledgerRules,
} from '../protocol/ledger/chain.ts';
import type { Genesis } from '../protocol/ledger/genesis.ts';
import { headerHash } from '../protocol/ledger/header.ts';
import { boot, nothingKept } from '../protocol/replica/boot.ts';
import type { Duty, Effect, Notice } from '../protocol/replica/effect.ts';
import { judgeGossip, readGossip } from '../protocol/replica/judge.ts';
import type { ReplicaState } from '../protocol/replica/state.ts';
import { askPeers } from './ask.ts';
import { systemClock } from './clock.ts';
import { contractsOf } from './contracts.ts';
import { nativeSha256, nativeSuite, rememberingSuite } from './crypto.ts';
import { type Driver, drive } from './driver.ts';
import { type Duties, startDuties } from './duties.ts';
import { type FaultName, faultyNetwork } from './faults.ts';
import { type HeaderHistory, headerHistory } from './history.ts';
import type { LaneParts } from './lane.ts';
import { answerBlob, fetchBlob } from './network/blobs.ts';
import type { Executor, Network, Store, Topic } from './ports.ts';
import { makeReceipt } from './receipts.ts';
import { type Blobs, openBlobStore } from './storage/blobs.ts';
import { StorageError } from './storage/error.ts';
import { openLevelStore } from './storage/level.ts';
import { answerSync } from './sync.ts';

/** Jobs of which it is remembered who told of them. */
const originCountMax = 4_096;
/** Leaves and values of own lanes that are kept for peers, whatever the quota. */
const keptResultCountMax = 2_048;
/** Milliseconds that gathering a receipt may take. */
const receiptMsMax = 60_000;
/** Milliseconds after which things are announced, asked for, and voted again. */
const paces = { repeatMs: 1_000, retryMs: 200, standstillMs: 3_000 };

// Nodes of one process share what they have checked.
const suite = rememberingSuite(nativeSuite);

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
  readonly log?: (notice: Notice) => void;
};

/** What watchers hear of. Each is a fact about this node, not a promise. */
export type NodeEvent =
  | { readonly kind: 'final'; readonly chain: ChainState }
  | { readonly kind: 'progress'; readonly job: Hex; readonly seat: number; readonly items: number }
  | { readonly kind: 'failed'; readonly reason: unknown };

export type AnwansiNode = {
  readonly rules: LedgerRules;
  readonly blobs: Blobs;
  readonly state: () => ReplicaState;
  /** Judges a job; an accepted one is announced until it is ordered or can no longer be. */
  readonly submit: (signed: SignedJob) => Verdict;
  readonly fetch: (cid: Uint8Array, bytesMax: number, signal: AbortSignal) => Promise<void>;
  readonly receipt: (job: Uint8Array) => Promise<Uint8Array>;
  /** Seats whose votes came in since a time of this machine's clock, the own seat included. */
  readonly seatsHeardSince: (ms: number) => ReadonlySet<number>;
  readonly watch: (listener: (event: NodeEvent) => void) => () => void;
  readonly stop: () => Promise<void>;
};

/** Directory of a node's blobs: an executor must be allowed to read it. */
export function blobDirectoryOf(directory: string): string {
  return join(directory, 'blobs');
}

/** What a node is made of, before it runs. */
type Parts = {
  readonly options: NodeOptions;
  readonly rules: LedgerRules;
  readonly store: Store;
  readonly blobs: Blobs;
  readonly network: Network;
  readonly history: HeaderHistory;
  readonly listeners: Set<(event: NodeEvent) => void>;
  readonly lastHeard: Map<number, number>;
  /** Results of own lanes that peers may ask for, oldest first. */
  readonly results: Uint8Array[];
  /** Whoever first told of a job most likely has its program and its items. */
  readonly origin: (job: Uint8Array) => string | null;
  readonly learnOrigin: (job: Uint8Array, peer: string) => void;
};

async function openParts(options: NodeOptions): Promise<Parts> {
  const { genesis, directory, keys, blobQuotaBytes: quotaBytes } = options;
  const rules = ledgerRules(genesis, suite, contractsOf(genesis));
  const store = await openLevelStore({
    directory: join(directory, 'store'),
    network: rules.network,
  });
  const blobs = await openBlobStore({ directory: blobDirectoryOf(directory), quotaBytes });
  const network =
    keys === null
      ? options.network
      : faultyNetwork(options.network, options.fault ?? null, rules, keys);
  const history = headerHistory();
  history.append(genesisChain(rules).hash);
  const origins = recent<string>(originCountMax);
  return {
    options,
    rules,
    store,
    blobs,
    network,
    history,
    listeners: new Set(),
    lastHeard: new Map(),
    results: [],
    origin: (job) => origins.get(hex(job)) ?? null,
    learnOrigin: (job, peer) => {
      if (origins.get(hex(job)) === undefined) origins.set(hex(job), peer);
    },
  };
}

/** Starts a node. Everything that it opened is closed by `stop`. */
export async function startNode(options: NodeOptions): Promise<AnwansiNode> {
  installSha256(nativeSha256);
  const parts = await openParts(options);
  const { rules, store, blobs, network } = parts;
  const { seat, keys } = options;
  await refuseUsedStore(store);
  const duties = startDuties({
    lane: (duty) => laneParts(parts, duty),
    finished: (key, outcome) => driver.take({ kind: 'executed', key, outcome }),
    failed: (reason) => tell(parts, { kind: 'failed', reason }),
  });
  const asking = new Set<Promise<void>>();
  const driver: Driver = drive(
    boot({ ledger: rules, seat, keys, ...paces }, nothingKept, Date.now()),
    {
      store,
      clock: systemClock(),
      perform: (effect) =>
        perform(
          parts,
          duties,
          (question) => {
            const asked = askPeers(network, question)
              .then((answer) => void driver.take(answer))
              .catch((reason: unknown) => tell(parts, { kind: 'failed', reason }))
              .finally(() => asking.delete(asked));
            asking.add(asked);
          },
          effect,
        ),
    },
  );
  driver.failed.catch((reason: unknown) => tell(parts, { kind: 'failed', reason }));
  await network.start({
    judge: (topic, bytes) => judgeGossip(topic, bytes, rules),
    heard: (topic, bytes, from) => hear(parts, driver, topic, bytes, from),
    answer: (protocol, body) =>
      protocol === 'sync' ? answerSync(driver.state(), store, body) : answerBlob(blobs, body),
  });
  return face(parts, driver, async () => {
    await driver.stop();
    await duties.stop();
    await network.stop();
    await Promise.all(asking);
    await store.close();
    await blobs.close();
  });
}

/**
 * A seat that forgot its votes could vote twice. Until a node takes up what its store kept, it
 * starts on an empty one only.
 */
async function refuseUsedStore(store: Store): Promise<void> {
  const [vote] = await store.range('vote', { limit: 1 });
  if (vote === undefined) return;
  await store.close();
  throw new StorageError({ code: 'STORE_HAS_VOTES' });
}

function tell({ listeners, options }: Parts, event: NodeEvent): void {
  for (const listener of listeners)
    try {
      listener(event);
    } catch (reason) {
      // A watcher's mistake is not the node's end.
      options.log?.({ kind: 'watcher-failed', reason: String(reason) });
    }
}

function laneParts(parts: Parts, duty: Duty): LaneParts {
  const { options, blobs } = parts;
  const first = parts.origin(duty.job);
  return {
    blobs,
    executor: options.executor,
    fetch: (cid, bytesMax, signal) => fetch(parts, cid, bytesMax, signal, first),
    itemWallMs: options.genesis.parameters.itemWallMs,
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

function fetch(
  { network, blobs }: Parts,
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

function hear(parts: Parts, driver: Driver, topic: Topic, bytes: Uint8Array, from: string): void {
  const message = readGossip(topic, bytes);
  if (message?.topic === 'votes' && message.ballot.kind === 'vote')
    parts.lastHeard.set(message.ballot.vote.seat, Date.now());
  if (message?.topic === 'jobs') parts.learnOrigin(jobId(message.signed.job), from);
  driver.take({ kind: 'heard', topic, bytes, from });
}

/** Performs one effect that the driver left: an exhaustive switch and nothing more. */
function perform(
  parts: Parts,
  duties: Duties,
  ask: (question: Extract<Effect, { kind: 'request' }>) => void,
  effect: Effect,
): void {
  switch (effect.kind) {
    case 'publish':
      parts.network.publish(effect.topic, effect.bytes);
      return;
    case 'request':
      ask(effect);
      return;
    case 'execute':
      duties.execute(effect.duty);
      return;
    case 'forget':
      duties.forget(effect.key);
      return;
    case 'finalize':
      for (const { header } of effect.blocks) parts.history.append(headerHash(header));
      tell(parts, { kind: 'final', chain: effect.chain });
      return;
    case 'notice':
      parts.options.log?.(effect.notice);
      return;
    case 'log-vote':
    case 'log-certificate':
    case 'log-statement':
    case 'log-proposal':
    case 'store-block':
    case 'store-job':
    case 'wake':
      return; // Done by the driver.
    default:
      unreachable(effect);
  }
}

/** What others see of a running node. */
function face(parts: Parts, driver: Driver, stop: () => Promise<void>): AnwansiNode {
  const { rules, blobs, store, history, listeners, lastHeard, options } = parts;
  const { genesis, seat } = options;
  return {
    rules,
    blobs,
    state: driver.state,
    submit: (signed) => {
      const seats = genesis.seats.length;
      const verdict = admitJob(signed, { network: rules.network, seats, suite });
      if (verdict.verdict === 'accept') driver.take({ kind: 'submitted', signed });
      return verdict;
    },
    fetch: (cid, bytesMax, signal) => fetch(parts, cid, bytesMax, signal),
    seatsHeardSince: (ms) => {
      const seats = new Set(seat === null ? [] : [seat]);
      for (const [heard, at] of lastHeard) if (at >= ms) seats.add(heard);
      return seats;
    },
    receipt: (job) => {
      const { final: chain, finalCertificate: certificate } = driver.state();
      if (certificate === null) return Promise.reject(new Error('nothing is final yet'));
      const signal = AbortSignal.timeout(receiptMsMax);
      const bring = (cid: Uint8Array, bytesMax: number): Promise<void> =>
        fetch(parts, cid, bytesMax, signal);
      return makeReceipt(job, { genesis, store, blobs, chain, certificate, history, fetch: bring });
    },
    watch: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    stop,
  };
}
