/** Answer what others ask of a running node. */
import { mark } from '../protocol/assert.ts';
import { hex, sameBytes, unhex } from '../protocol/brand.ts';
import { ignore, reject, type Verdict } from '../protocol/errors.ts';
import { admitJob } from '../protocol/job/admit.ts';
import { jobId, type SignedJob } from '../protocol/job/job.ts';
import { StateCursor } from '../protocol/ledger/state.ts';
import { type Cid, formatCid } from '../protocol/merkle/cid.ts';
import { ReceiptError } from '../protocol/receipt/error.ts';
import { jobFault } from '../protocol/replica/offer.ts';
import { pooledJobCountMax } from '../protocol/replica/pool.ts';
import type { DutyView } from './api/contract.ts';
import type { Driver } from './driver.ts';
import { dutyPageMax, readDuties } from './duty-book.ts';
import { dutySummary } from './duty-chance.ts';
import { lawlessWhy } from './duty-row.ts';
import type { AnwansiNode } from './face.ts';
import { lawCode } from './laws/words.ts';
import { fetch, type Parts, suite } from './parts.ts';
import { makeReceipt } from './receipts.ts';
import { readBlock, readCertificate, readHeight } from './records.ts';
import { stateProofOf } from './state-proof.ts';
import { readJobs, readSignedJob, readSubmission, submissionChanges } from './submissions.ts';

/** Jobs that may wait here for their order: each is looked at after each final block. */
const pendingCountMax = pooledJobCountMax;
/** Of these, jobs whose escrow is not there yet: whoever has no tokens keeps nobody else out. */
const unfundedCountMax = 512;
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
    failure: () => parts.failure,
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
    duties: async (cursor, limit) => {
      const page = await readDuties(store, cursor, limit);
      return { ...page, data: await Promise.all(page.data.map((duty) => withLaw(parts, duty))) };
    },
    laws: (job) => parts.inspections?.word(job) ?? null,
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

/** Says of a seat that refused a program which law is refuted, and where it can be read. */
async function withLaw({ store, inspections }: Parts, duty: DutyView): Promise<DutyView> {
  if (inspections === null || !duty.why.startsWith(lawlessWhy)) return duty;
  const signed = await readSignedJob(store, unhex(duty.job)!);
  const word = signed === null ? null : inspections.word(signed.job);
  if (word === null || word.law === null) return duty;
  const told = `${lawlessWhy}: ${lawCode(word.law)}, report ${formatCid(word.report as Cid)}`;
  return { ...duty, why: duty.why.replace(lawlessWhy, told) };
}

type JobAnswers = Pick<AnwansiNode, 'submit' | 'cancel' | 'submission' | 'signedJob' | 'jobs'>;

function jobAnswers({ rules, store, pending, pins }: Parts, driver: Driver): JobAnswers {
  const { genesis } = rules;
  const isOrdered = (id: Uint8Array): boolean =>
    new StateCursor(driver.state().final.map).job(id) !== null;
  /** Jobs that are being written down: each has its place among those that wait. */
  const keeping = new Set<string>();
  const unfunded = new Set<string>();
  const hasJobs = (submitter: Uint8Array): boolean => {
    for (const { job } of pending.values()) if (sameBytes(job.submitter, submitter)) return true;
    const cursor = new StateCursor(driver.state().final.map);
    return cursor.open().some((id) => sameBytes(cursor.job(id)!.submitter, submitter));
  };
  const refusal = (signed: SignedJob, id: string): Verdict | null => {
    const code = jobFault(driver.state(), signed, false);
    if (code === 'JOB_ESCROW') {
      // Only what comes back from a job that is under way can still pay for this one.
      if (!hasJobs(signed.job.submitter)) return reject(code);
      if (unfunded.size >= unfundedCountMax)
        for (const one of unfunded)
          if (!pending.has(one) && !keeping.has(one)) unfunded.delete(one);
      if (unfunded.size >= unfundedCountMax) return ignore(code);
      unfunded.add(id);
    } else if (code !== null) {
      // Its anchor may be a block that this node has yet to see; the rest stays as it is.
      return code === 'JOB_ANCHOR_UNKNOWN' ? ignore(code) : reject(code);
    }
    return pending.size + keeping.size >= pendingCountMax ? ignore('POOL_FULL') : null;
  };
  return {
    submit: async (signed) => {
      const seats = genesis.seats.length;
      const verdict = admitJob(signed, { network: rules.network, seats, suite });
      if (verdict.verdict !== 'accept') return verdict;
      const id = jobId(signed.job);
      const name = hex(id);
      const known = await readSubmission(store, id);
      const isNew = known?.state !== 'pending';
      if (isNew) {
        const refused = isOrdered(id) ? null : refusal(signed, name);
        if (refused !== null) return refused;
        mark('B5');
        const at = known?.at ?? Date.now();
        const changes = submissionChanges({ signed, state: 'pending', at });
        keeping.add(name);
        try {
          await pins.hold(signed.job);
          await store.batch(changes, { durable: true });
        } finally {
          keeping.delete(name);
        }
      }
      if (!isOrdered(id) && (isNew || refusal(signed, name) === null)) {
        pending.set(name, signed);
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
