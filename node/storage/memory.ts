/** Keep the store in memory, with the faults that a disk has, on demand. */
import { compareBytes, type Hex, hex } from '../../protocol/brand.ts';
import { type Bucket, buckets, type Store } from '../ports.ts';
import { checkChanges } from './change.ts';
import { StorageError } from './error.ts';

type Entry = { readonly key: Uint8Array; readonly value: Uint8Array };

/** A store without a disk, and what may be done to it that a disk does by itself. */
export type MemoryStore = Store & {
  /** The next batch is refused with this error and changes nothing. */
  readonly failNextWrite: (error: Error) => void;
  /** As after a power cut: batches since the last durable one are gone. */
  readonly loseUnsynced: () => void;
  /** Lets a closed store be used again, as after a restart. */
  readonly reopen: () => void;
};

/** An empty store. */
export function openMemoryStore(): MemoryStore {
  const entries = new Map<Bucket, Map<Hex, Entry>>();
  for (const bucket of Object.keys(buckets) as Bucket[]) entries.set(bucket, new Map());
  let undo: (() => void)[] = [];
  let fault: Error | null = null;
  let open = true;

  const checkOpen = (): void => {
    if (!open) throw new StorageError({ code: 'STORE_CLOSED' });
  };
  const set = (bucket: Bucket, name: Hex, entry: Entry | null): void => {
    if (entry === null) entries.get(bucket)!.delete(name);
    else entries.get(bucket)!.set(name, entry);
  };
  const batch: Store['batch'] = async (changes, { durable }) => {
    checkOpen();
    checkChanges(changes);
    if (fault !== null) {
      const cause = fault;
      fault = null;
      throw new StorageError(
        { code: 'STORE_FAILED', directory: 'the store in memory', action: 'write' },
        { cause },
      );
    }
    for (const { bucket, key, value } of changes) {
      const name = hex(key);
      const before = entries.get(bucket)!.get(name) ?? null;
      undo.push(() => set(bucket, name, before));
      set(bucket, name, value === null ? null : { key: key.slice(), value: value.slice() });
    }
    if (durable) undo = [];
  };
  const range: Store['range'] = async (bucket, { from, to, limit, reverse = false }) => {
    checkOpen();
    const inside = [...entries.get(bucket)!.values()]
      .filter(({ key }) => from === undefined || compareBytes(key, from) >= 0)
      .filter(({ key }) => to === undefined || compareBytes(key, to) < 0)
      .sort((a, b) => (reverse ? compareBytes(b.key, a.key) : compareBytes(a.key, b.key)));
    return inside.slice(0, limit).map(({ key, value }) => [key.slice(), value.slice()] as const);
  };
  return {
    get: async (bucket, key) => {
      checkOpen();
      return entries.get(bucket)!.get(hex(key))?.value.slice() ?? null;
    },
    batch,
    range,
    close: async () => {
      open = false;
    },
    failNextWrite: (error) => {
      fault = error;
    },
    loseUnsynced: () => {
      for (const back of undo.reverse()) back();
      undo = [];
    },
    reopen: () => {
      open = true;
    },
  };
}
