/** Answer what others ask of a running node. */
import { mark } from '../protocol/assert.ts';
import { hex } from '../protocol/brand.ts';
import { admitJob } from '../protocol/job/admit.ts';
import { jobId } from '../protocol/job/job.ts';
import { StateCursor } from '../protocol/ledger/state.ts';
import { ReceiptError } from '../protocol/receipt/error.ts';
import type { Driver } from './driver.ts';
import { dutyPageMax, readDuties } from './duty-book.ts';
import { dutySummary } from './duty-chance.ts';
import type { AnwansiNode } from './face.ts';
import { fetch, type Parts, suite } from './parts.ts';
import { makeReceipt } from './receipts.ts';
import { readBlock, readCertificate, readHeight } from './records.ts';
import { stateProofOf } from './state-proof.ts';
import { readJobs, readSignedJob, readSubmission, submissionChanges } from './submissions.ts';

/** Latest jobs that a summary of duties looks at. */
const summedJobCount = 256;
/** Milliseconds that gathering a receipt may take. */
const receiptMsMax = 60_000;
/** Milliseconds after which what the disk holds is used, even if the replica is ahead of it. */
const storeMsMax = 5_000;

/** The face of a node whose parts run. */
export function faceOf(parts: Parts, driver: Driver, stop: () => Promise<void>): AnwansiNode {
  const { rules, blobs, store, listeners, lastHeard, options } = parts;
  const { genesis, seat } = options;
  return {
    rules,
    blobs,
    seat,
    startedAt: Date.now(),
    state: driver.state,
    ...jobAnswers(parts, driver),
    block: async (height) => {
      const block = await readBlock(store, height);
      return block === null ? null : { block, certificate: await readCertificate(store, height) };
    },
    heightOf: (hash) => readHeight(store, hash),
    fetch: (cid, bytesMax, signal) => fetch(parts, cid, bytesMax, signal),
    seatsHeardSince: (ms) => {
      const seats = new Set(seat === null ? [] : [seat]);
      for (const [heard, at] of lastHeard) if (at >= ms) seats.add(heard);
      return seats;
    },
    receipt: async (job) => {
      const stored = await storedChain(parts, driver);
      if (stored === null)
        throw new ReceiptError({ code: 'RECEIPT_PIECE_MISSING', piece: 'a final block' });
      const signal = AbortSignal.timeout(receiptMsMax);
      const bring = (cid: Uint8Array, bytesMax: number): Promise<void> =>
        fetch(parts, cid, bytesMax, signal);
      return makeReceipt(job, { genesis, store, blobs, ...stored, fetch: bring });
    },
    stateProof: async (key) => {
      const stored = await storedChain(parts, driver);
      const { chain, certificate } = stored ?? { chain: driver.state().final, certificate: null };
      return stateProofOf(key, { genesis, store, chain, certificate });
    },
    duties: (cursor, limit) => readDuties(store, cursor, limit),
    dutySummary: async () => {
      const { ids } = await readJobs(store, null, summedJobCount);
      const { data } = await readDuties(store, null, dutyPageMax);
      const summary = dutySummary(driver.state().final, ids, data, seat ?? 0);
      return seat === null
        ? { ...summary, seat, text: 'An observer has no seat and is never drawn.' }
        : summary;
    },
    watch: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    stop,
  };
}

/**
 * The final chain, once the disk holds all of it: for a moment the replica is ahead, and what is
 * proved is read from the disk.
 */
async function storedChain(parts: Parts, driver: Driver): Promise<Parts['stored']> {
  const { height } = driver.state().final.header;
  const isStored = (): boolean => (parts.stored?.chain.header.height ?? 0) >= height;
  if (isStored()) return parts.stored;
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = (): void => {
    if (isStored()) resolve();
  };
  const timer = setTimeout(resolve, storeMsMax);
  parts.listeners.add(look);
  await promise;
  clearTimeout(timer);
  parts.listeners.delete(look);
  return parts.stored;
}

type JobAnswers = Pick<AnwansiNode, 'submit' | 'cancel' | 'submission' | 'signedJob' | 'jobs'>;

function jobAnswers({ rules, store, pending }: Parts, driver: Driver): JobAnswers {
  const { genesis } = rules;
  const isOrdered = (id: Uint8Array): boolean =>
    new StateCursor(driver.state().final.map).job(id) !== null;
  return {
    submit: async (signed) => {
      const seats = genesis.seats.length;
      const verdict = admitJob(signed, { network: rules.network, seats, suite });
      if (verdict.verdict !== 'accept') return verdict;
      const id = jobId(signed.job);
      const known = await readSubmission(store, id);
      if (known === null || known.state === 'cancelled') {
        mark('B5');
        await store.batch(
          submissionChanges({ signed, state: 'pending', at: known?.at ?? Date.now() }),
          { durable: true },
        );
      }
      if (!isOrdered(id)) {
        pending.set(hex(id), signed);
        driver.take({ kind: 'submitted', signed });
      }
      return verdict;
    },
    cancel: async (id) => {
      if (isOrdered(id)) return 'ordered';
      const known = await readSubmission(store, id);
      if (known === null) return 'unknown';
      await store.batch(submissionChanges({ ...known, state: 'cancelled' }), { durable: true });
      pending.delete(hex(id));
      driver.take({ kind: 'withdrawn', job: id });
      return 'cancelled';
    },
    submission: (id) => readSubmission(store, id),
    signedJob: (id) => readSignedJob(store, id),
    jobs: (cursor, limit) => readJobs(store, cursor, limit),
  };
}
