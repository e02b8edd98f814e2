/** Keep the blobs of acknowledged jobs from being evicted until the jobs have ended. */
import { mark } from '../protocol/assert.ts';
import { type Hex, hex, unhex } from '../protocol/brand.ts';
import { type Job, jobId } from '../protocol/job/job.ts';
import type { ChainState } from '../protocol/ledger/chain.ts';
import { StateCursor } from '../protocol/ledger/state.ts';
import { readListStretches } from '../protocol/merkle/blob.ts';
import { isCid, listCid } from '../protocol/merkle/cid.ts';
import { jobLifeMsMax } from '../protocol/params.ts';
import { openJobs } from '../protocol/replica/offer.ts';
import type { Submission } from './face.ts';
import type { Store } from './ports.ts';
import type { Blobs } from './storage/blobs.ts';
import { readSubmission } from './submissions.ts';
import { unhurried } from './unhurried.ts';

/** What is pinned, and for how long. */
export type JobPins = {
  /** Pins a job's program, its list and those of its items that are here; once for each job. */
  readonly hold: (job: Job) => Promise<void>;
  /** Pins again what was pinned before this start, for jobs that are open or may yet be ordered. */
  readonly restore: (
    store: Store,
    submissions: readonly Submission[],
    chain: ChainState,
  ) => Promise<void>;
  /** Gives back what the jobs pinned that have ended on a chain, or can never be on it. */
  readonly follow: (chain: ChainState) => void;
  /** Resolves when everything that was given back is back. */
  readonly settled: () => Promise<void>;
};

/** The items of one list, pinned once for all jobs that name it. */
type ListHold = {
  jobs: number;
  /** Whether each item is pinned by us: many may not have been here. */
  pinned: Uint8Array | null;
  /** Work on it comes one after the other. */
  work: Promise<void>;
};

/** Items that are looked at between two other things. */
const stretchItemCount = 1_024;

/** Nothing pinned yet. @see spec/protocol/storage.md B14 */
export function jobPins(blobs: Blobs): JobPins {
  const held = new Map<Hex, { readonly job: Job; readonly done: Promise<void> }>();
  const lists = new Map<Hex, ListHold>();
  const giving = new Set<Promise<void>>();

  const after = (list: ListHold, work: () => Promise<void>): Promise<void> => {
    list.work = list.work.then(work);
    return list.work;
  };
  const take = async ({ program, input }: Job): Promise<void> => {
    mark('B14');
    if (isCid(program)) blobs.claim(program);
    if (input.kind !== 'list') return;
    const { root } = input;
    blobs.claim(listCid(root));
    const list = lists.get(hex(root)) ?? { jobs: 0, pinned: null, work: Promise.resolve() };
    lists.set(hex(root), list);
    list.jobs += 1;
    await after(list, () => pinItems(blobs, root, list));
  };
  const hold = (job: Job): Promise<void> => {
    const id = hex(jobId(job));
    const known = held.get(id);
    if (known !== undefined) return known.done;
    const done = take(job);
    held.set(id, { job, done });
    return done;
  };
  const release = async ({ program, input }: Job): Promise<void> => {
    if (isCid(program)) blobs.release(program);
    if (input.kind !== 'list') return;
    const { root } = input;
    const list = lists.get(hex(root))!;
    list.jobs -= 1;
    if (list.jobs === 0) {
      lists.delete(hex(root));
      await after(list, () => releaseItems(blobs, root, list));
    }
    blobs.release(listCid(root));
  };
  return {
    hold,
    restore: async (store, submissions, chain) => {
      const { timeMs } = chain.header;
      for (const id of openJobs(chain)) {
        const submission = await readSubmission(store, unhex(id)!);
        if (submission !== null) await hold(submission.signed.job);
      }
      for (const { signed } of submissions)
        if (signed.job.includeByMs + jobLifeMsMax > timeMs) await hold(signed.job);
    },
    follow: (chain) => {
      const open = openJobs(chain);
      const cursor = new StateCursor(chain.map);
      for (const [id, { job, done }] of held) {
        // One that was never ordered may be submitted anew by whoever waits for it.
        const isOver = (): boolean =>
          job.includeByMs + jobLifeMsMax <= chain.header.timeMs ||
          cursor.usedNonce(job.submitter, job.nonce) ||
          cursor.job(unhex(id)!) !== null;
        if (open.has(id) || !isOver()) continue;
        held.delete(id);
        const given = done.then(() => release(job)).finally(() => giving.delete(given));
        giving.add(given);
      }
    },
    settled: async () => {
      await Promise.all(giving);
    },
  };
}

/** Pins the items that are here and not pinned by this list yet. */
async function pinItems(blobs: Blobs, root: Uint8Array, list: ListHold): Promise<void> {
  await eachItem(blobs, root, async (cid, index, count) => {
    list.pinned ??= new Uint8Array(Math.ceil(count / 8));
    const bit = 1 << (index % 8);
    if ((list.pinned[index >> 3]! & bit) !== 0 || !(await blobs.has(cid))) return;
    blobs.claim(cid);
    list.pinned[index >> 3]! |= bit;
  });
}

async function releaseItems(blobs: Blobs, root: Uint8Array, list: ListHold): Promise<void> {
  const { pinned } = list;
  if (pinned === null) return;
  await eachItem(blobs, root, (cid, index) => {
    if ((pinned[index >> 3]! & (1 << (index % 8))) !== 0) blobs.release(cid);
  });
}

/**
 * Does something with each item of a list that is here, some at a time. Where the disk lost the
 * list, nothing is pinned; and what it pinned stays so until the next start.
 */
async function eachItem(
  blobs: Blobs,
  root: Uint8Array,
  work: (cid: Uint8Array, index: number, count: number) => Promise<void> | void,
): Promise<void> {
  const cid = listCid(root);
  const bytes = await blobs.read(cid).catch(() => null);
  const items = bytes === null ? null : await unhurried(readListStretches(cid, bytes));
  for (let index = 0; index < (items?.count ?? 0); index++) {
    if (index % stretchItemCount === 0) await new Promise((resolve) => setImmediate(resolve));
    await work(items!.entry(index), index, items!.count);
  }
}
