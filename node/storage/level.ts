/** Keep the store on disk: one ordered database, atomic batches, fsync where asked. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import { assert, mark } from '../../protocol/assert.ts';
import { compareBytes, concatBytes, hex } from '../../protocol/brand.ts';
import { uint64 } from '../../protocol/crypto/hash.ts';
import { digestBytes } from '../../protocol/params.ts';
import { type Bucket, buckets, type Store, type StoreChange } from '../ports.ts';
import { checkChanges } from './change.ts';
import { isFull, StorageError, systemCode } from './error.ts';

/** Version of what the buckets hold; another one is refused, never guessed at. */
export const storeSchema = 2;
/** File beside the database that names the process which has it open. */
const ownerFile = 'owner.pid';

type Database = ClassicLevel<Uint8Array, Uint8Array>;

export type LevelStoreOptions = {
  /** Made, with its parents, when it is not there; readable by its owner only. */
  readonly directory: string;
  /** The 32-byte network id to which the database is bound for ever. */
  readonly network: Uint8Array;
};

/**
 * Opens, or makes, the store of one network. One process at a time.
 *
 * Batches are applied in the order of the calls; those that wait while another is being written
 * go to disk together. A read sees every batch that has returned.
 *
 * @throws {@link StorageError} `STORE_LOCKED`, `STORE_OTHER_NETWORK`, `STORE_OTHER_SCHEMA`,
 * `STORE_CORRUPT`, `STORE_NO_SPACE`, `STORE_FAILED`.
 */
export async function openLevelStore({ directory, network }: LevelStoreOptions): Promise<Store> {
  assert(network.length === digestBytes, 'a network id has 32 bytes');
  const database = await openDatabase(directory);
  let batches: number;
  try {
    await bind(database, directory, network);
    batches = await lastBatch(database, directory);
    await writeFile(join(directory, ownerFile), `${process.pid}\n`);
  } catch (error) {
    await database.close();
    throw error instanceof StorageError ? error : failure('open', directory, error);
  }
  return store(database, directory, batches);
}

function store(database: Database, directory: string, batches: number): Store {
  const write = writer(database, directory, batches);
  let open = true;
  const checkOpen = (): void => {
    if (!open) throw new StorageError({ code: 'STORE_CLOSED' });
  };
  const reading = async <T>(work: () => Promise<T>): Promise<T> => {
    checkOpen();
    try {
      return await work();
    } catch (error) {
      throw failure('read', directory, error);
    }
  };
  return {
    get: (bucket, key) =>
      reading(async () => {
        const value = await database.get(fullKey(bucket, key));
        return value === undefined ? null : plain(value);
      }),
    batch: async (changes, { durable }) => {
      checkOpen();
      checkChanges(changes);
      await write.add(changes, durable);
    },
    range: (bucket, { from, to, limit, reverse = false }) =>
      reading(async () => {
        // No key is empty: the first byte alone is below all keys of its bucket.
        const low = fullKey(bucket, from ?? new Uint8Array());
        const high = to === undefined ? Uint8Array.of(buckets[bucket] + 1) : fullKey(bucket, to);
        if (compareBytes(low, high) >= 0) return [];
        const first = from === undefined || from.length === 0 ? { gt: low } : { gte: low };
        const options = { ...first, lt: high, limit: limit ?? -1, reverse };
        const entries = await database.iterator(options).all();
        return entries.map(([key, value]) => [plain(key).slice(1), plain(value)] as const);
      }),
    close: async () => {
      if (!open) return;
      open = false;
      await write.end();
      try {
        await database.close();
      } catch (error) {
        throw failure('close', directory, error);
      }
    },
  };
}

type Waiting = {
  readonly changes: readonly StoreChange[];
  readonly durable: boolean;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
};

/** One write at a time, in the order of the calls; what waits meanwhile is written together. */
function writer(database: Database, directory: string, batches: number) {
  let number = batches;
  let waiting: Waiting[] = [];
  let running: Promise<void> | null = null;
  // After a write that failed the log on disk may end inside a record, and what is written behind
  // that is lost at the next start, flushed or not: nothing more is written.
  let broken: StorageError | null = null;

  const run = async (): Promise<void> => {
    while (waiting.length > 0) {
      const group = waiting;
      waiting = [];
      number += 1;
      const operations = [
        ...group.flatMap(({ changes }) => changes.map(operation)),
        ...numbering(number),
      ];
      try {
        if (broken !== null) throw broken;
        await database.batch(operations, { sync: group.some(({ durable }) => durable) });
        for (const { done } of group) done();
      } catch (error) {
        broken ??= failure('write', directory, error);
        for (const { failed } of group) failed(broken);
      }
    }
    running = null;
  };
  const add = (changes: readonly StoreChange[], durable: boolean): Promise<void> =>
    new Promise((done, failed) => {
      if (broken !== null) {
        failed(broken);
        return;
      }
      // Their bytes are the caller's again at once.
      const copies = changes.map((change) => ({
        ...change,
        key: change.key.slice(),
        value: change.value?.slice() ?? null,
      }));
      waiting.push({ changes: copies, durable, done, failed });
      running ??= run();
    });
  const end = async (): Promise<void> => {
    await running;
  };
  return { add, end };
}

function operation({ bucket, key, value }: StoreChange) {
  const full = fullKey(bucket, key);
  return value === null
    ? ({ type: 'del', key: full } as const)
    : ({ type: 'put', key: full, value } as const);
}

/** Batches whose numbers are kept. */
const numberCountMax = 4_096;

/** Writes a batch's number with it, and forgets an old one. */
function numbering(number: number) {
  const put = operation({ bucket: 'batch', key: uint64(number), value: new Uint8Array(0) });
  const old = number - numberCountMax;
  return old > 0 ? [put, operation({ bucket: 'batch', key: uint64(old), value: null })] : [put];
}

/**
 * Number of the last batch. A bit that flips in the database's log makes it leave out a record
 * without a word, also one that was flushed: then a number is missing, and nothing is signed on it.
 */
async function lastBatch(database: Database, directory: string): Promise<number> {
  const range = { gte: Uint8Array.of(buckets.batch), lt: Uint8Array.of(buckets.batch + 1) };
  const keys = await database.keys(range).all();
  const numbers = keys.map((key) => {
    const bytes = plain(key);
    return Number(new DataView(bytes.buffer, bytes.byteOffset + 1, 8).getBigUint64(0));
  });
  const last = numbers.at(-1) ?? 0;
  const first = Math.max(1, last - numberCountMax + 1);
  if (numbers.length === 0) return 0;
  mark('B13');
  const whole = numbers[0] === first && numbers.length === last - first + 1;
  if (!whole) throw new StorageError({ code: 'STORE_CORRUPT', directory });
  return last;
}

function fullKey(bucket: Bucket, key: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(buckets[bucket]), key);
}

async function openDatabase(directory: string): Promise<Database> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw failure('open', directory, error);
  }
  const database: Database = new ClassicLevel(directory, {
    keyEncoding: 'view',
    valueEncoding: 'view',
  });
  try {
    await database.open();
  } catch (error) {
    if (systemCode(error) === 'LEVEL_LOCKED') {
      const processId = await ownerOf(directory);
      throw new StorageError({ code: 'STORE_LOCKED', directory, processId }, { cause: error });
    }
    throw failure('open', directory, error);
  }
  return database;
}

async function ownerOf(directory: string): Promise<number | null> {
  const text = await readFile(join(directory, ownerFile), 'utf8').catch(() => '');
  const processId = Number.parseInt(text, 10);
  return Number.isSafeInteger(processId) ? processId : null;
}

/** Checks, or writes into a new database, what it is: schema (4 bytes), then network. */
async function bind(database: Database, directory: string, network: Uint8Array): Promise<void> {
  const identityKey = Uint8Array.of(buckets.meta);
  const identity = await database.get(identityKey);
  mark('B6');
  if (identity === undefined) {
    if ((await database.keys({ limit: 1 }).all()).length > 0)
      throw new StorageError({ code: 'STORE_CORRUPT', directory });
    const fresh = new Uint8Array(4 + digestBytes);
    new DataView(fresh.buffer).setUint32(0, storeSchema);
    fresh.set(network, 4);
    await database.batch([{ type: 'put', key: identityKey, value: fresh }], { sync: true });
    return;
  }
  const bytes = plain(identity);
  if (bytes.length < 4) throw new StorageError({ code: 'STORE_CORRUPT', directory });
  const found = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  if (found !== storeSchema)
    throw new StorageError({ code: 'STORE_OTHER_SCHEMA', directory, found, expected: storeSchema });
  if (compareBytes(bytes.subarray(4), network) !== 0)
    throw new StorageError({
      code: 'STORE_OTHER_NETWORK',
      directory,
      found: hex(bytes.subarray(4)),
      expected: hex(network),
    });
}

function failure(
  action: 'open' | 'read' | 'write' | 'close',
  directory: string,
  cause: unknown,
): StorageError {
  if (isFull(cause)) return new StorageError({ code: 'STORE_NO_SPACE', directory }, { cause });
  if (systemCode(cause) === 'LEVEL_CORRUPTION')
    return new StorageError({ code: 'STORE_CORRUPT', directory }, { cause });
  return new StorageError({ code: 'STORE_FAILED', directory, action }, { cause });
}

/** The same bytes without the `Buffer` methods, some of which share where the standard copies. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
