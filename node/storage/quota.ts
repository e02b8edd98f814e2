/** Account for the bytes of blobs; choose whom to evict, least recently used first. */
import { assert } from '../../protocol/assert.ts';
import { StorageError } from './error.ts';

/** What lies in a blob store, by name, and what is pinned there. */
export type Quota = {
  readonly bytes: () => number;
  readonly has: (name: string) => boolean;
  readonly add: (name: string, bytes: number) => void;
  /** Notes that a blob was used, if it is here. */
  readonly touch: (name: string) => void;
  readonly drop: (name: string) => void;
  /** Counts: a blob may be pinned before it is here. */
  readonly pin: (name: string) => void;
  readonly release: (name: string) => void;
  /**
   * Whom to evict so that `bytes` more fit, stalest first; they are dropped from the account.
   * @throws {@link StorageError} `BLOB_QUOTA` if even all unpinned ones do not make room.
   */
  readonly makeRoom: (bytes: number) => readonly string[];
};

/** An empty account of at most `quotaBytes`. */
export function openQuota(quotaBytes: number): Quota {
  // A Map walks its keys in the order of their insertion: the first is the stalest.
  const sizes = new Map<string, number>();
  const pins = new Map<string, number>();
  let total = 0;

  const drop = (name: string): void => {
    total -= sizes.get(name) ?? 0;
    sizes.delete(name);
  };
  const add = (name: string, bytes: number): void => {
    drop(name);
    sizes.set(name, bytes);
    total += bytes;
  };
  const touch = (name: string): void => {
    const bytes = sizes.get(name);
    if (bytes !== undefined) add(name, bytes);
  };
  const makeRoom = (bytes: number): readonly string[] => {
    const victims: string[] = [];
    let freed = 0;
    for (const [name, size] of sizes) {
      if (total - freed + bytes <= quotaBytes) break;
      if (pins.has(name)) continue;
      victims.push(name);
      freed += size;
    }
    if (total - freed + bytes > quotaBytes) {
      const pinnedBytes = total - freed;
      throw new StorageError({ code: 'BLOB_QUOTA', bytes, pinnedBytes, quotaBytes });
    }
    victims.forEach(drop);
    return victims;
  };
  return {
    bytes: () => total,
    has: (name) => sizes.has(name),
    add,
    touch,
    drop,
    pin: (name) => void pins.set(name, (pins.get(name) ?? 0) + 1),
    release: (name) => {
      const count = pins.get(name);
      assert(count !== undefined, 'what is released was pinned');
      if (count === 1) pins.delete(name);
      else pins.set(name, count - 1);
    },
    makeRoom,
  };
}
