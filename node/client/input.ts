/** Bring an input into a node's blobs as items, without ever holding it in memory. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Cutter } from '../../protocol/execution/cut.ts';
import type { Manifest } from '../../protocol/execution/manifest.ts';
import type { Blobs } from '../storage/blobs.ts';
import { ClientError } from './error.ts';

/** The items of an input, by content. */
export type ItemList = {
  readonly cids: readonly Uint8Array[];
  /** CID of the list itself: its digest is the job's input root. */
  readonly list: Uint8Array;
  readonly bytes: number;
};

/** Refuses what is no file with something in it. @throws ClientError */
export async function checkInput(path: string): Promise<void> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new ClientError({ code: 'INPUT_NOT_FOUND', path }, { cause });
  });
  if (found.isDirectory()) throw new ClientError({ code: 'INPUT_IS_DIRECTORY', path });
  if (found.size === 0 && found.isFile()) throw new ClientError({ code: 'INPUT_EMPTY', path });
}

/** Cuts a file by the program's rule and stores its items. @throws ClientError, InputError */
export async function storeInput(path: string, { cut }: Manifest, blobs: Blobs): Promise<ItemList> {
  const cids: Uint8Array[] = [];
  let bytes = 0;
  const keep = async (items: readonly Uint8Array[]): Promise<void> => {
    for (const item of items) {
      const cid = await blobs.put(item);
      blobs.pin(cid);
      cids.push(cid);
    }
  };
  const cutter = new Cutter(cut);
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
    const read = chunk as Uint8Array;
    bytes += read.length;
    await keep(cutter.push(read));
  }
  await keep(cutter.finish());
  if (cids.length === 0) throw new ClientError({ code: 'INPUT_EMPTY', path });
  const list = await blobs.putList(cids);
  blobs.pin(list);
  return { cids, list, bytes };
}
