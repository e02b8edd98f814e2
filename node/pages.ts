/** Walk through a bucket of the store, a page at a time. */
import { concatBytes } from '../protocol/brand.ts';
import type { Bucket, Store } from './ports.ts';

/** Entries that are read at once. */
const pageCount = 4_096;

/** Entries from a key on, below another, in rising order; what is written meanwhile may show. */
export async function* pages(
  store: Store,
  bucket: Bucket,
  from: Uint8Array,
  to?: Uint8Array,
): AsyncGenerator<readonly (readonly [Uint8Array, Uint8Array])[]> {
  for (let start = from; ; ) {
    const page = await store.range(bucket, {
      from: start,
      limit: pageCount,
      ...(to === undefined ? {} : { to }),
    });
    yield page;
    if (page.length < pageCount) return;
    // The least key above: the same one with a zero byte more.
    start = concatBytes(page.at(-1)![0], Uint8Array.of(0));
  }
}
