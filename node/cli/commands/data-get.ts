/** Get a blob from a node, checked against its content id. */
import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { type Cid, parseCid } from '../../../protocol/merkle/cid.ts';
import type { Client } from '../../client/http.ts';
import { type Context, defineCommand } from '../command.ts';
import { askNode, nodeOptions } from '../connect.ts';
import { usageError } from '../error.ts';
import { checkTarget, unwritable } from '../target.ts';

export const dataGet = defineCommand({
  name: 'data get',
  summary: 'Get a blob from a node into a file, checked against its content id.',
  examples: [['anwansi data get bafkrei… --out book.txt', 'Nothing is written unless it is it.']],
  arguments: { cid: { kind: 'text', describe: 'Content id, as `data put` prints it.' } },
  options: {
    ...nodeOptions,
    out: { kind: 'path', placeholder: 'FILE', describe: 'Where the bytes go; must be given.' },
  },
  run: (context, values) =>
    askNode(values, context, async (client) => {
      const { out } = values;
      const cid = parseCid(values.cid);
      if (cid === null)
        throw usageError(`${values.cid} is no content id`, 'Give what `anwansi data put` printed.');
      if (out === undefined) throw usageError('the bytes need a file', 'Add --out FILE.');
      await checkTarget(out);
      const bytes = await getFile(client, cid, out, context);
      context.output.result({ cid: values.cid, bytes, file: out }, `blob ${out}`);
      return undefined;
    }),
});

/** Writes a blob beside its place, and puts it there when it has been checked to its end. */
async function getFile(
  client: Client,
  cid: Cid,
  out: string,
  { signal, onExit }: Context,
): Promise<number> {
  const draft = `${out}.${randomUUID().slice(0, 8)}.part`;
  const remove = (): Promise<void> => rm(draft, { force: true });
  onExit(remove);
  let bytes = 0;
  const counted = async function* (): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const piece of client.getBlob(cid, { signal })) {
      bytes += piece.length;
      yield piece;
    }
  };
  try {
    await pipeline(counted, createWriteStream(draft, { flags: 'wx' }), { signal });
    await rename(draft, out);
  } catch (error) {
    await remove();
    // A code of the system, such as ENOSPC: the file is at fault and not the node.
    if (error instanceof Error && 'syscall' in error) throw unwritable(out, error.message, error);
    throw error;
  }
  return bytes;
}
