/** Keep the jobs that were submitted here, and list all jobs by time. */
import { compareBytes, concatBytes, hex, unhex } from '../protocol/brand.ts';
import { tryDecode } from '../protocol/codec/codec.ts';
import { uint64 } from '../protocol/crypto/hash.ts';
import { jobId, type SignedJob, signedJobCodec } from '../protocol/job/job.ts';
import { blockItemCodec } from '../protocol/ledger/block.ts';
import { digestBytes } from '../protocol/params.ts';
import type { SealedBlock } from '../protocol/replica/wire.ts';
import type { JobPage, Submission } from './face.ts';
import { pages } from './pages.ts';
import type { Store, StoreChange } from './ports.ts';

const states = ['pending', 'cancelled'] as const;
/** In the list of jobs by time: submitted here, or ordered from elsewhere as far as we know. */
const entryKinds = { submitted: 0, ordered: 1 } as const;
const noValue = new Uint8Array(0);
/** Jobs of one page, at most. */
const pageCountMax = 1_000;

/**
 * The list key of a job: newest last. A leader may give its block the very millisecond in which the
 * job was submitted to it: what an entry says is part of its key.
 */
export function placeKey(ms: number, id: Uint8Array, kind: keyof typeof entryKinds): Uint8Array {
  return concatBytes(uint64(ms), id, Uint8Array.of(entryKinds[kind]));
}

const placeKeyBytes = 8 + digestBytes + 1;

/** The job that a list key names. */
function idOf(key: Uint8Array): Uint8Array {
  return key.slice(8, 8 + digestBytes);
}

/** The rows of a submission: state, time, job. Written durably before it is acknowledged. */
export function submissionChanges({ signed, state, at }: Submission): readonly StoreChange[] {
  const id = jobId(signed.job);
  const head = concatBytes(Uint8Array.of(states.indexOf(state)), uint64(at));
  const value = concatBytes(head, signedJobCodec.encode(signed));
  return [
    { bucket: 'submission', key: id, value },
    { bucket: 'ordered', key: placeKey(at, id, 'submitted'), value: noValue },
  ];
}

/** The rows that list the jobs of newly final blocks. */
export function orderedChanges(blocks: readonly SealedBlock[]): readonly StoreChange[] {
  return blocks.flatMap(({ header, items }) =>
    items.flatMap((bytes): StoreChange[] => {
      const item = tryDecode(blockItemCodec, bytes);
      if (item?.kind !== 'job') return [];
      const key = placeKey(header.timeMs, jobId(item.signed.job), 'ordered');
      return [{ bucket: 'ordered', key, value: noValue }];
    }),
  );
}

/** What was submitted here under an id; null for all other jobs. */
export async function readSubmission(store: Store, id: Uint8Array): Promise<Submission | null> {
  const bytes = await store.get('submission', id);
  return bytes === null ? null : submissionOf(bytes);
}

/** Reads a row of a submission. */
export function submissionOf(bytes: Uint8Array): Submission {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 9);
  return {
    state: states[view.getUint8(0)] ?? 'pending',
    at: Number(view.getBigUint64(1)),
    signed: signedJobCodec.decode(bytes.subarray(9)),
  };
}

/** Submissions since a time of this machine's clock, oldest first. */
export async function readSubmissionsSince(store: Store, ms: number): Promise<Submission[]> {
  const found: Submission[] = [];
  // The jobs of everybody in this time may be millions: they are not held at once.
  for await (const page of pages(store, 'ordered', uint64(Math.max(0, ms))))
    for (const [key] of page) {
      if (key.at(-1) !== entryKinds.submitted) continue;
      const submission = await readSubmission(store, idOf(key));
      if (submission !== null) found.push(submission);
    }
  return found;
}

/** A job that was ordered or submitted here. */
export async function readSignedJob(store: Store, id: Uint8Array): Promise<SignedJob | null> {
  const bytes = await store.get('job', id);
  if (bytes !== null) return signedJobCodec.decode(bytes);
  return (await readSubmission(store, id))?.signed ?? null;
}

/** Jobs, newest first. @throws RangeError for a cursor that was not given out */
export async function readJobs(
  store: Store,
  cursor: string | null,
  limit: number,
): Promise<JobPage> {
  const to = cursor === null ? null : unhex(cursor);
  if (cursor !== null && to?.length !== placeKeyBytes)
    throw new RangeError('expected a cursor that an earlier page gave');
  const count = Math.min(Math.max(1, limit), pageCountMax);
  const page = await store.range('ordered', {
    reverse: true,
    limit: count,
    ...(to === null ? {} : { to }),
  });
  const ids: Uint8Array[] = [];
  for (const [key] of page) {
    const id = idOf(key);
    // A job that was submitted here and ordered later is listed once, where it was submitted.
    const again = key.at(-1) === entryKinds.ordered && (await store.get('submission', id)) !== null;
    if (!again && !ids.some((other) => compareBytes(other, id) === 0)) ids.push(id);
  }
  const last = page.at(-1);
  return { ids, next: page.length < count || last === undefined ? null : hex(last[0]) };
}
