/** Build a node of its parts; start them in order, stop them in reverse. */
import { mark, unreachable } from '../protocol/assert.ts';
import { type Hex, hex } from '../protocol/brand.ts';
import { LogError } from '../protocol/consensus/error.ts';
import { installSha256 } from '../protocol/crypto/hash.ts';
import { jobId } from '../protocol/job/job.ts';
import { type ChainState, genesisChain } from '../protocol/ledger/chain.ts';
import { StateCursor } from '../protocol/ledger/state.ts';
import { jobLifeMsMax } from '../protocol/params.ts';
import { boot, type Kept } from '../protocol/replica/boot.ts';
import type { Effect } from '../protocol/replica/effect.ts';
import { readGossip } from '../protocol/replica/judge.ts';
import { jobFault } from '../protocol/replica/offer.ts';
import { pooledJobCountMax } from '../protocol/replica/pool.ts';
import type { Stepped } from '../protocol/replica/replica.ts';
import { faceOf } from './answers.ts';
import { askPeers } from './ask.ts';
import { systemClock } from './clock.ts';
import { nativeSha256 } from './crypto.ts';
import { type Driver, drive } from './driver.ts';
import { type Duties, startDuties } from './duties.ts';
import { dutyChanges } from './duty-book.ts';
import type { AnwansiNode, Submission } from './face.ts';
import { jobLogChanges } from './job-log.ts';
import { judging } from './judging.ts';
import { createKeeper } from './keeper.ts';
import { readKept } from './kept.ts';
import { answerBlob } from './network/blobs.ts';
import {
  laneParts,
  type NodeOptions,
  openParts,
  type Parts,
  storeDirectoryOf,
  tell,
} from './parts.ts';
import type { StoreChange, Topic } from './ports.ts';
import { prune, pruneStep } from './prune.ts';
import { StorageError } from './storage/error.ts';
import { orderedChanges, readSubmissionsSince } from './submissions.ts';
import { answerSync } from './sync.ts';

export type { AnwansiNode, NodeEvent } from './face.ts';
export { blobDirectoryOf, type NodeOptions } from './parts.ts';

/** Milliseconds after which things are announced, asked for, and voted again. */
const paces = { repeatMs: 1_000, retryMs: 200, standstillMs: 3_000 };
/** Pending jobs that a pool turned away and that are offered to it again after one final block. */
const againCountMax = 64;
/** How far two machines' clocks may differ before a pending job is forgotten too early. */
const clockDoubtMs = 24 * 3_600_000;

/** Starts a node, where its store stopped. Everything that it opened is closed by `stop`. */
export async function startNode(options: NodeOptions): Promise<AnwansiNode> {
  installSha256(nativeSha256);
  const parts = await openParts(options);
  try {
    return await startParts(parts);
  } catch (error) {
    await parts.network.stop();
    await parts.store.close();
    await parts.blobs.close();
    throw error;
  }
}

async function startParts(parts: Parts): Promise<AnwansiNode> {
  const { options, rules, store, blobs, network, pins } = parts;
  const { seat } = options;
  const kept = await readKept(store, storeDirectoryOf(options.directory), seat);
  const genesis = genesisChain(rules);
  const duties = startDuties({
    lane: (duty) => laneParts(parts, duty),
    finished: (key, outcome) => driver.take({ kind: 'executed', key, outcome }),
    failed: (reason) => tell(parts, { kind: 'failed', reason, fatal: false }),
    inspections: parts.inspections,
  });
  const asking = new Set<Promise<void>>();
  const track = (work: Promise<void>): void => {
    const tracked = work
      .catch((reason: unknown) => tell(parts, { kind: 'failed', reason, fatal: false }))
      .finally(() => asking.delete(tracked));
    asking.add(tracked);
  };
  const ask: Ask = (question) =>
    track(askPeers(network, question).then((answer) => void driver.take(answer)));
  let final = kept.final ?? genesis;
  const submissions = await readSubmissionsSince(
    store,
    final.header.timeMs - jobLifeMsMax - clockDoubtMs,
  );
  await pins.restore(store, submissions, final);
  await blobs.trim();
  if (kept.final !== null && kept.finalCertificate !== null)
    parts.stored = { chain: kept.final, certificate: kept.finalCertificate };
  const driver: Driver = drive(bootKept(parts, kept), {
    store,
    keeper: createKeeper(kept.final, genesis, (before, effect) => derive(parts, before, effect)),
    clock: systemClock(),
    perform: (effect) => {
      perform(parts, duties, ask, effect);
      if (effect.kind !== 'finalize') return;
      const before = final;
      final = effect.chain;
      parts.stored = { chain: effect.chain, certificate: effect.certificate };
      announcePending(parts, driver, final);
      pins.follow(final);
      if (
        Math.floor(final.header.height / pruneStep) > Math.floor(before.header.height / pruneStep)
      )
        track(prune(store, final).then(() => undefined));
      tell(parts, { kind: 'final', chain: final, before, blocks: effect.blocks });
    },
  });
  driver.failed.catch((reason: unknown) => {
    // A node whose store failed must not go on: what it says could not be kept.
    parts.failure = { reason };
    void network.stop();
    tell(parts, { kind: 'failed', reason, fatal: true });
  });
  try {
    await network.start({
      judge: judging(rules),
      heard: (topic, bytes, from) => hear(parts, driver, topic, bytes, from),
      answer: (protocol, body) =>
        protocol === 'sync'
          ? driver.whenWritten((state) => answerSync(state, store, body))
          : answerBlob(blobs, body),
    });
    // A boot whose words could not be kept is no start, and that is the first thing to be told.
    takeUpSubmissions(parts, driver, submissions);
    await Promise.race([driver.failed, driver.whenWritten(() => undefined)]);
  } catch (error) {
    await driver.stop();
    await duties.stop();
    await parts.inspections?.stop();
    throw error;
  }
  return faceOf(parts, driver, async () => {
    await driver.stop();
    await duties.stop();
    await parts.inspections?.stop();
    await network.stop();
    await Promise.all(asking);
    await pins.settled();
    await store.close();
    await blobs.close();
  });
}

/** Boots the replica. @throws StorageError STORE_CORRUPT where nothing may be signed on the disk */
function bootKept({ options, rules: ledger }: Parts, kept: Kept): Stepped {
  const { seat, keys } = options;
  try {
    return boot({ ledger, seat, keys, ...paces }, kept, Date.now());
  } catch (cause) {
    if (!(cause instanceof LogError)) throw cause;
    const directory = storeDirectoryOf(options.directory);
    throw new StorageError({ code: 'STORE_CORRUPT', directory }, { cause });
  }
}

type Finalize = Extract<Effect, { kind: 'finalize' }>;
type Ask = (question: Extract<Effect, { kind: 'request' }>) => void;

/** What a new final chain adds to the store besides itself: lists of jobs, the own duties. */
function derive(
  parts: Parts,
  before: ChainState,
  { blocks, chain }: Finalize,
): readonly StoreChange[] {
  const { rules, options } = parts;
  const { seat } = options;
  const lists = [...orderedChanges(blocks), ...jobLogChanges(blocks)];
  if (seat === null) return lists;
  try {
    return [...lists, ...dutyChanges({ before, blocks, chain }, rules, seat)];
  } catch (reason) {
    // The book is for people: a mistake in it must not keep a block from becoming final here.
    tell(parts, { kind: 'failed', reason, fatal: false });
    return lists;
  }
}

/** Announces what was submitted here before and could still be ordered. */
function takeUpSubmissions(
  { pending }: Parts,
  driver: Driver,
  submissions: readonly Submission[],
): void {
  for (const { signed, state } of submissions) {
    if (pending.size >= pooledJobCountMax) return;
    const fault = jobFault(driver.state(), signed, true);
    if (state === 'cancelled' || (fault !== null && fault !== 'JOB_ANCHOR_UNKNOWN')) continue;
    mark('B10');
    pending.set(hex(jobId(signed.job)), signed);
    // The others follow block by block: what waits for a start is not shouted out at once.
    if (pending.size <= againCountMax) driver.take({ kind: 'submitted', signed });
  }
}

/** Submits again what a full pool turned away, and forgets what is ordered or too late. */
function announcePending({ pending }: Parts, driver: Driver, { header, map }: ChainState): void {
  if (pending.size === 0) return;
  const cursor = new StateCursor(map);
  const pooled = driver.state().pool.jobs;
  let again = 0;
  for (const [id, signed] of pending) {
    const { submitter, nonce, includeByMs } = signed.job;
    if (includeByMs <= header.timeMs || cursor.usedNonce(submitter, nonce)) pending.delete(id);
    else if (!pooled.has(id as Hex) && again++ < againCountMax)
      driver.take({ kind: 'submitted', signed });
  }
}

function hear(parts: Parts, driver: Driver, topic: Topic, bytes: Uint8Array, from: string): void {
  const message = readGossip(topic, bytes);
  if (message?.topic === 'votes' && message.ballot.kind === 'vote')
    parts.lastHeard.set(message.ballot.vote.seat, Date.now());
  if (message?.topic === 'jobs') parts.learnOrigin(jobId(message.signed.job), from);
  driver.take({ kind: 'heard', topic, bytes, from });
}

/** Performs one effect that the driver left: an exhaustive switch and nothing more. */
function perform({ network, options }: Parts, duties: Duties, ask: Ask, effect: Effect): void {
  switch (effect.kind) {
    case 'publish':
      network.publish(effect.topic, effect.bytes);
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
    case 'notice':
      options.log?.(effect.notice);
      return;
    case 'finalize': // Watchers are told by whoever knows the chain before.
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
