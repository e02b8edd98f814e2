/** Move blobs to and from a node in pieces, and check that they are what they are called. */
import { sameBytes } from '../../protocol/brand.ts';
import { sha256 } from '../../protocol/crypto/hash.ts';
import {
  type Cid,
  cidCodec,
  emptyBlob,
  finishBlob,
  formatCid,
  listBlobBytesMax,
  pushBlock,
  verifyListBlob,
} from '../../protocol/merkle/blob.ts';
import { listCodec } from '../../protocol/merkle/cid.ts';
import { blobBlockBytes } from '../../protocol/params.ts';
import { ClientError } from './error.ts';

/** Bytes as they come: at hand, or a stream that is read once. */
export type BlobSource = Uint8Array | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

/** Cuts a stream of any pieces into blocks; holds one block. */
async function* blocksOf(
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let block = new Uint8Array(blobBlockBytes);
  let held = 0;
  for await (const piece of pieces)
    for (let at = 0; at < piece.length; ) {
      const part = piece.subarray(at, at + blobBlockBytes - held);
      block.set(part, held);
      held += part.length;
      at += part.length;
      if (held < blobBlockBytes) continue;
      yield block;
      block = new Uint8Array(blobBlockBytes);
      held = 0;
    }
  if (held > 0) yield block.subarray(0, held);
}

/**
 * The pieces of a blob, while they are checked. The last piece comes only when all of them
 * together are what the content id names: whoever has read to the end has the blob.
 * @throws ClientError CLIENT_BLOB_MISMATCH; {@link BlobError} for more bytes than a blob has
 */
export async function* checkedBlob(
  cid: Cid,
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  if (cidCodec(cid) === listCodec) {
    yield await checkedList(cid, pieces);
    return;
  }
  let draft = emptyBlob;
  let last: Uint8Array | null = null;
  for await (const block of blocksOf(pieces)) {
    if (last !== null) yield last;
    draft = pushBlock(draft, sha256(block), block.length);
    last = block;
  }
  const found = finishBlob(draft).cid;
  if (!sameBytes(found, cid)) throw mismatch(cid, formatCid(found));
  if (last !== null) yield last;
}

async function checkedList(cid: Cid, pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    bytes += piece.length;
    if (bytes > listBlobBytesMax) throw mismatch(cid, 'something longer than any list');
    parts.push(piece);
  }
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  if (verifyListBlob(cid, whole) === null) throw mismatch(cid, 'something else');
  return whole;
}

/** The error of bytes that are not what they were called. */
export function mismatch(cid: Cid, found: string): ClientError {
  return new ClientError({ code: 'CLIENT_BLOB_MISMATCH', cid: formatCid(cid), found });
}

/** A body under way: what is sent, and what it came to. */
export type Upload = {
  readonly body: ReadableStream<Uint8Array>;
  /** Fires when the node takes nothing, or gives no answer, for too long. */
  readonly signal: AbortSignal;
  /** The name of all that was sent; null before the end. */
  readonly cid: () => Cid | null;
  /** What the source failed with, which the sender only sees as a broken body. */
  readonly failure: () => unknown;
  /** Takes no more of the source, whoever still asks. */
  readonly end: () => void;
};

/** Sends a source block by block, naming it on the way; one block is held at a time. */
export function startUpload(source: BlobSource, url: string, idleMs: number): Upload {
  const blocks = blocksOf(piecesOf(source));
  const control = new AbortController();
  let draft = emptyBlob;
  let cid: Cid | null = null;
  let failure: unknown;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let over = false;
  const wait = (what: string): void => {
    clearTimeout(timer);
    const error = new ClientError({ code: 'CLIENT_TIMEOUT', url, ms: idleMs, what });
    timer = setTimeout(() => control.abort(error), idleMs);
  };
  wait('it takes nothing');
  const body = new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        clearTimeout(timer);
        try {
          // Hosts read on for a while after they have given up sending.
          if (over) throw new Error('nobody waits for this upload');
          const { done, value } = await blocks.next();
          if (done === true) {
            cid = finishBlob(draft).cid;
            controller.close();
            wait('no answer came');
            return;
          }
          draft = pushBlock(draft, sha256(value), value.length);
          controller.enqueue(value);
          wait('it takes nothing more');
        } catch (error) {
          if (!over) failure = error;
          controller.error(error);
        }
      },
      cancel: async () => {
        clearTimeout(timer);
        await blocks.return();
      },
    },
    { highWaterMark: 0 },
  );
  return {
    body,
    signal: control.signal,
    cid: () => cid,
    failure: () => failure,
    end: () => {
      over = true;
      clearTimeout(timer);
      void blocks.return().catch(() => {});
    },
  };
}

async function* piecesOf(source: BlobSource): AsyncGenerator<Uint8Array, void, undefined> {
  if (source instanceof Uint8Array) {
    yield source;
    return;
  }
  if (!(source instanceof ReadableStream)) {
    yield* source;
    return;
  }
  // Not every browser can iterate over a stream.
  const reader = source.getReader();
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
  } finally {
    void reader.cancel().catch(() => {});
  }
}
