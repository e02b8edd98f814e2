/** Bring an input to a network as items, without ever holding it in memory. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Cutter } from '../../protocol/execution/cut.ts';
import type { Manifest } from '../../protocol/execution/manifest.ts';
import type { Cid } from '../../protocol/merkle/cid.ts';
import { ClientError } from './error.ts';
import type { Gateway } from './gateway.ts';

/** The items of an input, by content. */
export type ItemList = {
  readonly cids: readonly Cid[];
  /** CID of the list itself: its digest is the job's input root. */
  readonly list: Cid;
  readonly bytes: number;
  /** Index of the item with the most bytes. */
  readonly largest: number;
  /** Where each item begins in the input, in bytes. */
  readonly starts: readonly number[];
};

/** Refuses what is no file with something in it. @throws ClientError */
export async function checkInput(path: string): Promise<void> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new ClientError({ code: 'INPUT_NOT_FOUND', path }, { cause });
  });
  if (found.isDirectory()) throw new ClientError({ code: 'INPUT_IS_DIRECTORY', path });
  if (found.size === 0 && found.isFile()) throw new ClientError({ code: 'INPUT_EMPTY', path });
}

/**
 * Cuts a file by the program's rule and puts its items. Holds a handful of items at a time: as
 * many as the gateway takes at once, and those of one chunk.
 * @throws ClientError, InputError, and what the gateway throws
 */
export async function storeInput(
  path: string,
  { cut }: Manifest,
  gateway: Gateway,
  signal: AbortSignal,
): Promise<ItemList> {
  const cids: Cid[] = [];
  let bytes = 0;
  const starts: number[] = [];
  let [count, end] = [0, 0];
  let [largest, largestBytes] = [0, 0];
  const puts = boundedPuts(gateway, signal, (index, cid) => {
    cids[index] = cid;
  });
  const keep = async (items: readonly Uint8Array[]): Promise<void> => {
    for (const item of items) {
      if (item.length > largestBytes) [largest, largestBytes] = [count, item.length];
      starts.push(end);
      end += item.length;
      await puts.add(count++, item);
    }
  };
  try {
    const cutter = new Cutter(cut);
    for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024, signal })) {
      const read = chunk as Uint8Array;
      bytes += read.length;
      await keep(cutter.push(read));
    }
    await keep(cutter.finish());
  } finally {
    // Also after a failure: nothing of ours goes on behind the caller's back.
    await puts.settled();
  }
  puts.check();
  if (cids.length === 0) throw new ClientError({ code: 'INPUT_EMPTY', path });
  const list = await gateway.putList(cids, signal);
  return { cids, list, bytes, largest, starts };
}

/** Puts under way, at most as many as the gateway takes at once. */
function boundedPuts(
  gateway: Gateway,
  signal: AbortSignal,
  done: (index: number, cid: Cid) => void,
) {
  const under = new Set<Promise<void>>();
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const failures: unknown[] = [];
  const check = (): void => {
    if (failures.length > 0) throw failures[0];
  };
  return {
    add: async (index: number, item: Uint8Array): Promise<void> => {
      while (under.size >= gateway.putsAtOnce) await Promise.race(under);
      check();
      const put = gateway
        .putBlob(item, either)
        .then(
          (cid) => done(index, cid),
          (error: unknown) => {
            failures.push(error);
            stop.abort(error);
          },
        )
        .finally(() => under.delete(put));
      under.add(put);
    },
    settled: async (): Promise<void> => {
      await Promise.all(under);
    },
    check,
  };
}
