/** Forget what no start needs any more: votes and blocks of long ago, words on ended jobs. */
import { mark } from '../protocol/assert.ts';
import { concatBytes } from '../protocol/brand.ts';
import { uint64 } from '../protocol/crypto/hash.ts';
import type { ChainState } from '../protocol/ledger/chain.ts';
import { StateCursor } from '../protocol/ledger/state.ts';
import { digestBytes } from '../protocol/params.ts';
import { pages } from './pages.ts';
import type { Bucket, Store, StoreChange } from './ports.ts';
import { placeKey, submissionOf } from './submissions.ts';

/** Final blocks between two looks. */
export const pruneStep = 1_024;
/** Views below the final one of which everything is kept, for whoever looks into a quarrel. */
const keptViewCount = 8_192;

/** Milliseconds of chain time for which a job that was never ordered is still known. */
const keptSubmissionMs = 7 * 24 * 3_600_000;

/**
 * Removes votes, certificates, proposals and voted blocks far below the final view, and statements
 * about jobs that have ended, and submissions that a week ago could be ordered the last time and
 * were not. Nothing of it can ever be asked for: a node votes above the final
 * view only, and an ended job takes no statement.
 * @returns Entries that were removed.
 */
export async function prune(store: Store, { header, map }: ChainState): Promise<number> {
  const view = Math.max(0, header.view - keptViewCount);
  const below: readonly (readonly [Bucket, Uint8Array])[] = [
    ['vote', concatBytes(uint64(0), uint64(view))],
    ['ballot', uint64(view)],
    ['proposal', uint64(view)],
    ['tree', uint64(view)],
  ];
  let removed = 0;
  const remove = async (bucket: Bucket, keys: readonly Uint8Array[]): Promise<void> => {
    if (keys.length === 0) return;
    const changes = keys.map((key): StoreChange => ({ bucket, key, value: null }));
    await store.batch(changes, { durable: false });
    mark('B11');
    removed += keys.length;
  };
  for (const [bucket, to] of below)
    for await (const page of pages(store, bucket, new Uint8Array(0), to))
      await remove(
        bucket,
        page.map(([key]) => key),
      );
  const cursor = new StateCursor(map);
  for await (const page of pages(store, 'statement', new Uint8Array(0))) {
    const ended = page.filter(([key]) => cursor.job(key.subarray(0, digestBytes))?.ended != null);
    await remove(
      'statement',
      ended.map(([key]) => key),
    );
  }
  for await (const page of pages(store, 'submission', new Uint8Array(0)))
    for (const [id, bytes] of page) {
      const { signed, at } = submissionOf(bytes);
      const late = signed.job.includeByMs + keptSubmissionMs < header.timeMs;
      if (!late || cursor.job(id) !== null) continue;
      await remove('submission', [id]);
      await remove('ordered', [placeKey(at, id, 'submitted')]);
    }
  return removed;
}
