/** Keep a file on a node as a blob, and print its content id. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { blobBytesMax } from '../../../protocol/params.ts';
import { type Context, defineCommand } from '../command.ts';
import { askNode, nodeOptions } from '../connect.ts';
import { CliError, exitCodes } from '../error.ts';

export const dataPut = defineCommand({
  name: 'data put',
  summary: 'Keep a file on a node as a blob, and print its content id.',
  examples: [['anwansi data put book.txt', 'The same bytes have the same id everywhere.']],
  arguments: { file: { kind: 'path', describe: 'The file, of at most 1 GiB.' } },
  options: nodeOptions,
  run: (context, values) =>
    askNode(values, context, async (client) => {
      const { output, signal } = context;
      const bytes = await checkFile(values.file);
      const { formatCid } = await import('../../../protocol/merkle/blob.ts');
      const source = createReadStream(values.file, { highWaterMark: 1024 * 1024 });
      const sent = client.putBlob(counted(source, bytes, context), { signal });
      const cid = formatCid(await sent.finally(() => source.destroy()));
      output.result({ cid, bytes }, cid);
      return undefined;
    }),
});

/** Bytes of a file that may be put. @throws CliError */
async function checkFile(file: string): Promise<number> {
  const found = await stat(file).catch((cause: Error) => {
    throw refused('DATA_NOT_FOUND', `${file} cannot be read: ${cause.message}`, 'notFound');
  });
  if (!found.isFile()) throw refused('DATA_NOT_FOUND', `${file} is not a file`, 'notFound');
  if (found.size > blobBytesMax)
    throw refused(
      'DATA_TOO_LONG',
      `${file} has ${found.size} bytes, a blob at most ${blobBytesMax}`,
    );
  return found.size;
}

function refused(code: string, message: string, exit: 'notFound' | 'usage' = 'usage'): CliError {
  const hint =
    code === 'DATA_TOO_LONG'
      ? 'Cut it into several. An input of a job may be longer: `run --input` cuts it itself.'
      : 'Check the path; it is meant from the directory you are in.';
  return new CliError({ code, message, hint, exitCode: exitCodes[exit] });
}

/** Share of a file after which it is said how much is sent. */
const saidShare = 0.1;
/** Bytes below which nobody waits long enough to be told. */
const saidBytesMin = 64 * 1024 * 1024;

async function* counted(
  pieces: AsyncIterable<Uint8Array>,
  total: number,
  { output }: Context,
): AsyncGenerator<Uint8Array, void, undefined> {
  let sent = 0;
  let said = 0;
  for await (const piece of pieces) {
    yield piece;
    sent += piece.length;
    if (total < saidBytesMin || sent < said + saidShare * total) continue;
    said = sent;
    output.detail(`${Math.floor((100 * sent) / total)} % of ${total} bytes sent`);
  }
}
