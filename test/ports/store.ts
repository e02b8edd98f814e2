/** Say what every store must do, whatever it is made of. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Bucket, buckets, type Store, type StoreChange } from '../../node/ports.ts';
import { compareBytes, hex, utf8 } from '../../protocol/brand.ts';

/** Makes an empty store, and says how to take it away. */
export type StoreMaker = () => Promise<{ store: Store; remove: () => Promise<void> }>;

const bucketNames = Object.keys(buckets) as Bucket[];
const keys = fc.uint8Array({ minLength: 1, maxLength: 3, max: 3 });
const bucketOf = fc.constantFrom<Bucket>('meta', 'vote', 'blob');
const changes = fc.array(
  fc.record({
    bucket: bucketOf,
    key: keys,
    value: fc.option(fc.uint8Array({ maxLength: 4 }), { nil: null }),
  }),
  { maxLength: 6 },
);
const queries = fc.record({
  bucket: bucketOf,
  from: fc.option(keys, { nil: undefined }),
  to: fc.option(keys, { nil: undefined }),
  limit: fc.option(fc.nat(5), { nil: undefined }),
  reverse: fc.boolean(),
});
type Query = (typeof queries extends fc.Arbitrary<infer Q> ? Q : never) & { bucket: Bucket };

/** The port's laws, as tests of one implementation. */
export function storeLaws(name: string, make: StoreMaker): void {
  const using = async (work: (store: Store) => Promise<void>): Promise<void> => {
    const { store, remove } = await make();
    try {
      await work(store);
    } finally {
      await store.close();
      await remove();
    }
  };

  describe(name, () => {
    test('answers like a sorted map, after any batches', () =>
      using(async (store) => {
        const model: Model = new Map();
        await fc.assert(
          fc.asyncProperty(changes, fc.boolean(), queries, async (batch, durable, query) => {
            await store.batch(batch, { durable });
            for (const change of batch) note(model, change);
            for (const { bucket, key } of batch)
              expect(await store.get(bucket, key)).toEqual(
                model.get(bucket)?.get(hex(key))?.[1] ?? null,
              );
            expect(await store.range(query.bucket, given(query))).toEqual(expected(model, query));
          }),
          { numRuns: 300 },
        );
      }));

    test('keeps buckets apart, the last one and empty values too', () =>
      using(async (store) => {
        for (const [place, bucket] of bucketNames.entries())
          await store.batch([put(bucket, 'key', Uint8Array.of(place))], { durable: false });
        await store.batch([put('blob', 'empty', new Uint8Array())], { durable: true });
        for (const [place, bucket] of bucketNames.entries())
          expect(await store.get(bucket, utf8('key'))).toEqual(Uint8Array.of(place));
        expect(await store.range('certificate', {})).toHaveLength(1);
        expect(await store.get('blob', utf8('empty'))).toEqual(new Uint8Array());
        expect(await store.get('blob', utf8('other'))).toBeNull();
      }));

    test('applies the batches of one caller in the order of the calls', () =>
      using(async (store) => {
        const writes = Array.from({ length: 200 }, (_, i) =>
          store.batch([put('job', 'key', Uint8Array.of(i % 256))], { durable: i % 7 === 0 }),
        );
        await Promise.all(writes);
        expect(await store.get('job', utf8('key'))).toEqual(Uint8Array.of(199));
      }));

    test('keeps its own copy of what goes in and what comes out', () =>
      using(async (store) => {
        const value = Uint8Array.of(1, 2, 3);
        const before = store.batch([put('job', 'other', value)], { durable: true });
        const done = store.batch([put('job', 'key', value)], { durable: false });
        value.fill(9);
        await Promise.all([before, done]);
        const first = await store.get('job', utf8('key'));
        expect(first).toEqual(Uint8Array.of(1, 2, 3));
        first!.fill(7);
        const [entry] = await store.range('job', {});
        entry![1].fill(7);
        expect(await store.get('job', utf8('key'))).toEqual(Uint8Array.of(1, 2, 3));
        expect(Buffer.isBuffer(first)).toBe(false);
      }));

    test('refuses a key without bytes, one that is too long, and any use after its end', () =>
      using(async (store) => {
        const durable = { durable: false };
        await expect(store.batch([put('job', '', new Uint8Array())], durable)).rejects.toThrow(
          'a key has 1 to 256 bytes',
        );
        await expect(
          store.batch([put('job', 'x'.repeat(257), new Uint8Array())], durable),
        ).rejects.toThrow('a key has 1 to 256 bytes');
        await store.close();
        await expect(store.get('job', utf8('key'))).rejects.toMatchObject({ code: 'STORE_CLOSED' });
        await expect(store.range('job', {})).rejects.toMatchObject({ code: 'STORE_CLOSED' });
        await expect(store.batch([], durable)).rejects.toMatchObject({ code: 'STORE_CLOSED' });
      }));
  });
}

type Model = Map<Bucket, Map<string, readonly [Uint8Array, Uint8Array]>>;

function note(model: Model, { bucket, key, value }: StoreChange): void {
  const entries = model.get(bucket) ?? new Map();
  model.set(bucket, entries);
  if (value === null) entries.delete(hex(key));
  else entries.set(hex(key), [key, value]);
}

function expected(model: Model, { bucket, from, to, limit, reverse }: Query) {
  const all = [...(model.get(bucket) ?? new Map()).values()]
    .sort(([a], [b]) => compareBytes(a, b))
    .filter(([key]) => from === undefined || compareBytes(key, from) >= 0)
    .filter(([key]) => to === undefined || compareBytes(key, to) < 0);
  return (reverse ? all.reverse() : all).slice(0, limit);
}

/** Leaves out what was not asked, which is not the same as `undefined` to the compiler. */
function given({ from, to, limit, reverse }: Query) {
  return {
    reverse,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(limit === undefined ? {} : { limit }),
  };
}

/** A change that puts `value` under the UTF-8 bytes of `key`. */
export function put(bucket: Bucket, key: string, value: Uint8Array): StoreChange {
  return { bucket, key: utf8(key), value };
}
