/** Answer what others ask of a running node. */
import { hex } from '../protocol/brand.ts';
import { admitJob } from '../protocol/job/admit.ts';
import { jobId } from '../protocol/job/job.ts';
import { StateCursor } from '../protocol/ledger/state.ts';
import type { Driver } from './driver.ts';
import type { AnwansiNode } from './face.ts';
import { fetch, type Parts, suite } from './parts.ts';
import { makeReceipt } from './receipts.ts';
import { readBlock, readCertificate, readHeight } from './records.ts';
import { readJobs, readSignedJob, readSubmission, submissionChanges } from './submissions.ts';

/** Milliseconds that gathering a receipt may take. */
const receiptMsMax = 60_000;

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
    receipt: (job) => {
      const { final: chain, finalCertificate: certificate } = driver.state();
      if (certificate === null) return Promise.reject(new Error('nothing is final yet'));
      const signal = AbortSignal.timeout(receiptMsMax);
      const bring = (cid: Uint8Array, bytesMax: number): Promise<void> =>
        fetch(parts, cid, bytesMax, signal);
      return makeReceipt(job, { genesis, store, blobs, chain, certificate, fetch: bring });
    },
    watch: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    stop,
  };
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
      if (known === null || known.state === 'cancelled')
        await store.batch(
          submissionChanges({ signed, state: 'pending', at: known?.at ?? Date.now() }),
          { durable: true },
        );
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
