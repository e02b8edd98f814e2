/** Account for the bytes of blobs: who must stay, who may come, who goes first. */
import { assert, mark } from '../../protocol/assert.ts';
import { StorageError } from './error.ts';

/** Milliseconds for which an upload that no job names is kept from making room for another one. */
export const uploadMsMax = 3_600_000;

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
   * Whom to evict so that `bytes` more fit, stalest first, uploads last; they are dropped from the
   * account.
   * @throws {@link StorageError} `BLOB_QUOTA` if even all unpinned ones do not make room.
   */
  readonly makeRoom: (bytes: number) => readonly string[];
  /**
   * Whom to evict for `bytes` of an upload: never another upload, and never more than the share.
   * @throws {@link StorageError} `BLOB_QUOTA`
   */
  readonly makeRoomForUpload: (bytes: number) => readonly string[];
  /**
   * Notes that what lies under a name is an upload; while it is `open`, it is not evicted at all.
   * @throws {@link StorageError} `BLOB_QUOTA` if it was none, and uploads have their share.
   */
  readonly upload: (name: string, open: boolean) => void;
  /** Notes that a job names it: it is no upload any more. */
  readonly named: (name: string) => void;
};

/**
 * An empty account of at most `quotaBytes`. Blobs are of three kinds: pinned; uploaded within the
 * last hour and named by no job; all others. Uploads may have half of what is not pinned, so that
 * whoever uploads can neither send away what jobs wait for nor leave the node's own lanes no room.
 * @param now - Milliseconds of a clock that nobody sets.
 * @see spec/protocol/storage.md B15
 */
export function openQuota(quotaBytes: number, now: () => number = () => performance.now()): Quota {
  const sizes = new Map<string, number>();
  const pins = new Map<string, number>();
  // Since when, in that order.
  const uploads = new Map<string, number>();
  const open = new Set<string>();
  // All others that are here. A Set walks in the order of insertion: the first is the stalest.
  const stale = new Set<string>();
  let total = 0;
  let pinned = 0;
  let loose = 0;

  const weigh = (name: string, sign: 1 | -1): void => {
    const bytes = sign * (sizes.get(name) ?? 0);
    total += bytes;
    if (pins.has(name)) pinned += bytes;
    else if (uploads.has(name)) loose += bytes;
  };
  /** Changes what is known of one blob, and with it all sums. */
  const change = (name: string, mutate: () => void): void => {
    weigh(name, -1);
    mutate();
    weigh(name, 1);
    if (!sizes.has(name) || pins.has(name) || uploads.has(name)) stale.delete(name);
    else stale.add(name);
  };
  const forgetOldUploads = (): void => {
    for (const [name, since] of uploads) {
      if (open.has(name)) continue;
      if (now() - since < uploadMsMax) return;
      change(name, () => uploads.delete(name));
    }
  };
  const drop = (name: string): void =>
    change(name, () => {
      sizes.delete(name);
      uploads.delete(name);
      open.delete(name);
    });
  const refuse = (bytes: number): never => {
    const detail = { bytes, pinnedBytes: pinned, uploadedBytes: loose, quotaBytes };
    throw new StorageError({ code: 'BLOB_QUOTA', ...detail });
  };
  const checkShare = (bytes: number): void => {
    if (loose + bytes <= Math.floor((quotaBytes - pinned) / 2)) return;
    mark('B15');
    refuse(bytes);
  };
  const victimsAmong = (bytes: number, kinds: readonly Iterable<string>[]): readonly string[] => {
    const victims: string[] = [];
    let freed = 0;
    for (const kind of kinds)
      for (const name of kind) {
        if (total - freed + bytes <= quotaBytes) break;
        if (pins.has(name) || open.has(name) || !sizes.has(name)) continue;
        victims.push(name);
        freed += sizes.get(name)!;
      }
    if (total - freed + bytes > quotaBytes) refuse(bytes);
    victims.forEach(drop);
    return victims;
  };
  return {
    bytes: () => total,
    has: (name) => sizes.has(name),
    add: (name, bytes) => {
      stale.delete(name);
      change(name, () => sizes.set(name, bytes));
    },
    touch: (name) => {
      if (stale.delete(name)) stale.add(name);
    },
    drop,
    pin: (name) => change(name, () => pins.set(name, (pins.get(name) ?? 0) + 1)),
    release: (name) =>
      change(name, () => {
        const count = pins.get(name);
        assert(count !== undefined, 'what is released was pinned');
        if (count === 1) pins.delete(name);
        else pins.set(name, count - 1);
      }),
    makeRoom: (bytes) => {
      forgetOldUploads();
      return victimsAmong(bytes, [stale, uploads.keys()]);
    },
    makeRoomForUpload: (bytes) => {
      forgetOldUploads();
      checkShare(bytes);
      return victimsAmong(bytes, [stale]);
    },
    upload: (name, isOpen) => {
      if (stale.has(name)) checkShare(sizes.get(name)!);
      change(name, () => {
        uploads.delete(name);
        uploads.set(name, now());
      });
      if (isOpen) open.add(name);
      else open.delete(name);
    },
    named: (name) => change(name, () => uploads.delete(name)),
  };
}
