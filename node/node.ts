/** Build a node of its parts; start them in order, stop them in reverse. */
import { join } from 'node:path';
import { type Hex, hex } from '../protocol/brand.ts';
import { installSha256 } from '../protocol/crypto/hash.ts';
import { recent } from '../protocol/crypto/recent.ts';
import type { SeatKeys } from '../protocol/crypto/suite.ts';
import { ProtocolError, type Verdict } from '../protocol/errors.ts';
import { admitJob } from '../protocol/job/admit.ts';
import { jobId, type SignedJob } from '../protocol/job/job.ts';
import type { ChainState } from '../protocol/ledger/chain.ts';
import { genesisChain, type LedgerRules, ledgerRules } from '../protocol/ledger/chain.ts';
import type { Genesis } from '../protocol/ledger/genesis.ts';
import { headerHash } from '../protocol/ledger/header.ts';
import { boot, nothingKept } from '../protocol/replica/boot.ts';
import type { Duty, Effect, Notice } from '../protocol/replica/effect.ts';
import { judgeGossip, readGossip } from '../protocol/replica/judge.ts';
import type { ReplicaState } from '../protocol/replica/state.ts';
import { syncRequestCodec, syncResponseCodec } from '../protocol/replica/wire.ts';
import { systemClock } from './clock.ts';
import { contractsOf } from './contracts.ts';
import { nativeSha256, nativeSuite, rememberingSuite } from './crypto.ts';
import { type Driver, drive, type Happening } from './driver.ts';
import { type FaultName, faultyNetwork } from './faults.ts';
import { headerHistory } from './history.ts';
import { runLane } from './lane.ts';
import { answerBlob, fetchBlob } from './network/blobs.ts';
import type { Executor, Network, Topic } from './ports.ts';
import { makeReceipt } from './receipts.ts';
import { type Blobs, openBlobStore } from './storage/blobs.ts';
import { openLevelStore } from './storage/level.ts';
import { answerSync } from './sync.ts';

/** Milliseconds that a peer has to answer a question, and peers that are asked one after another. */
const answerMsMax = 2_000;
const askedPeerCountMax = 3;
/** Jobs of which it is remembered who told of them. */
const originCountMax = 4_096;
/** Milliseconds that gathering a receipt may take. */
const receiptMsMax = 60_000;

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
  readonly blobDirectory: string;
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

/** Starts a node. Everything that it opened is closed by `stop`. */
export async function startNode(options: NodeOptions): Promise<AnwansiNode> {
  installSha256(nativeSha256);
  const { genesis, directory, seat, keys } = options;
  const rules = ledgerRules(genesis, suite, contractsOf(genesis));
  const blobDirectory = blobDirectoryOf(directory);
  const store = await openLevelStore({
    directory: join(directory, 'store'),
    network: rules.network,
  });
  const { blobQuotaBytes: quotaBytes } = options;
  const blobs = await openBlobStore({ directory: blobDirectory, quotaBytes });
  const network =
    keys === null
      ? options.network
      : faultyNetwork(options.network, options.fault ?? null, rules, keys);
  const listeners = new Set<(event: NodeEvent) => void>();
  const tell = (event: NodeEvent): void => {
    for (const listener of listeners) listener(event);
  };
  const history = headerHistory();
  history.append(genesisChain(rules).hash);
  const running = new Map<string, AbortController>();
  const work = new Set<Promise<void>>();

  // Whoever first told of a job most likely has its program and its items.
  const origins = recent<string>(originCountMax);
  const lastHeard = new Map<number, number>();
  const fetch = (
    cid: Uint8Array,
    bytesMax: number,
    signal: AbortSignal,
    first: string | null = null,
  ): Promise<void> => {
    const peers = (): readonly string[] => {
      const all = network.peers();
      return first !== null && all.includes(first)
        ? [first, ...all.filter((peer) => peer !== first)]
        : all;
    };
    return fetchBlob({ network, store: blobs, cid, bytesMax, peers, signal });
  };

  const hear = (topic: Topic, bytes: Uint8Array, from: string): void => {
    const message = readGossip(topic, bytes);
    if (message?.topic === 'votes' && message.ballot.kind === 'vote')
      lastHeard.set(message.ballot.vote.seat, Date.now());
    if (message?.topic === 'jobs') {
      const id = hex(jobId(message.signed.job));
      if (origins.get(id) === undefined) origins.set(id, from);
    }
    driver.take({ kind: 'heard', topic, bytes, from } satisfies Happening);
  };

  const execute = async (duty: Duty): Promise<void> => {
    const stop = new AbortController();
    running.set(duty.key, stop);
    const outcome = await runLane(
      duty,
      {
        blobs,
        executor: options.executor,
        fetch: (cid, bytesMax, signal) =>
          fetch(cid, bytesMax, signal, origins.get(hex(duty.job)) ?? null),
        itemWallMs: genesis.parameters.itemWallMs,
        progress: (_, items) =>
          tell({ kind: 'progress', job: hex(duty.job), seat: duty.seat, items }),
        lie: options.fault === 'wrong-result',
      },
      stop.signal,
    );
    if (!stop.signal.aborted) driver.take({ kind: 'executed', key: duty.key, outcome });
  };

  const ask = async (effect: Extract<Effect, { kind: 'request' }>): Promise<void> => {
    const { id, prefer, request } = effect;
    const body = syncRequestCodec.encode(request);
    const others = shuffled(network.peers().filter((peer) => peer !== prefer));
    const peers = prefer === null || prefer === '' ? others : [prefer, ...others];
    for (const peer of peers.slice(0, askedPeerCountMax)) {
      try {
        const signal = AbortSignal.timeout(answerMsMax);
        const response = syncResponseCodec.decode(
          await network.request(peer, 'sync', body, signal),
        );
        const empty = response.kind === 'block' && response.block === null;
        if (response.kind !== request.kind || empty) continue;
        driver.take({ kind: 'answered', id, response });
        return;
      } catch (error) {
        // A peer that is gone, slow or false is one of several: the next one is asked.
        if (!(error instanceof ProtocolError)) throw error;
      }
    }
    driver.take({ kind: 'answered', id, response: null });
  };

  const background = (promise: Promise<void>): void => {
    const kept = promise
      .catch((reason: unknown) => tell({ kind: 'failed', reason }))
      .finally(() => work.delete(kept));
    work.add(kept);
  };

  const perform = (effect: Effect): void => {
    switch (effect.kind) {
      case 'publish':
        network.publish(effect.topic, effect.bytes);
        return;
      case 'request':
        background(ask(effect));
        return;
      case 'execute':
        background(execute(effect.duty));
        return;
      case 'forget':
        running.get(effect.key)?.abort();
        running.delete(effect.key);
        return;
      case 'finalize':
        for (const { header } of effect.blocks) history.append(headerHash(header));
        tell({ kind: 'final', chain: effect.chain });
        return;
      case 'notice':
        options.log?.(effect.notice);
        return;
      case 'log-vote':
      case 'log-certificate':
      case 'log-statement':
      case 'log-proposal':
      case 'store-job':
      case 'wake':
        return; // Done by the driver.
    }
  };

  const booted = boot(
    { ledger: rules, seat, keys, repeatMs: 1_000, retryMs: 200, standstillMs: 3_000 },
    nothingKept,
    Date.now(),
  );
  const driver: Driver = drive(booted, { store, clock: systemClock(), perform });
  driver.failed.catch((reason: unknown) => tell({ kind: 'failed', reason }));
  await network.start({
    judge: (topic, bytes) => judgeGossip(topic, bytes, rules),
    heard: hear,
    answer: (protocol, body) =>
      protocol === 'sync' ? answerSync(driver.state(), store, body) : answerBlob(blobs, body),
  });

  return {
    rules,
    blobs,
    blobDirectory,
    state: driver.state,
    submit: (signed) => {
      const seats = genesis.seats.length;
      const verdict = admitJob(signed, { network: rules.network, seats, suite });
      if (verdict.verdict === 'accept') driver.take({ kind: 'submitted', signed });
      return verdict;
    },
    fetch: (cid, bytesMax, signal) => fetch(cid, bytesMax, signal),
    seatsHeardSince: (ms) => {
      const seats = new Set(seat === null ? [] : [seat]);
      for (const [heard, at] of lastHeard) if (at >= ms) seats.add(heard);
      return seats;
    },
    receipt: (job) => {
      const { final: chain, finalCertificate: certificate } = driver.state();
      if (certificate === null) return Promise.reject(new Error('nothing is final yet'));
      const signal = AbortSignal.timeout(receiptMsMax);
      return makeReceipt(job, {
        genesis,
        store,
        blobs,
        chain,
        certificate,
        history,
        fetch: (cid, bytesMax) => fetch(cid, bytesMax, signal),
      });
    },
    watch: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    stop: async () => {
      for (const stop of running.values()) stop.abort();
      await driver.stop();
      await network.stop();
      await Promise.allSettled(work);
      await store.close();
      await blobs.close();
    },
  };
}

function shuffled<T>(values: readonly T[]): readonly T[] {
  const order = values.map((value) => ({ value, rank: Math.random() }));
  return order.sort((a, b) => a.rank - b.rank).map(({ value }) => value);
}
