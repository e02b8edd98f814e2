/** Answer peers who ask for pieces of blobs. */
import { mark } from '../../protocol/assert.ts';
import { type Cid, formatCid } from '../../protocol/merkle/blob.ts';
import { blobBlockBytes } from '../../protocol/params.ts';
import type { Blobs } from '../storage/blobs.ts';
import { StorageError } from '../storage/error.ts';
import {
  type BlobAnswer,
  type BlobRequest,
  blobRequestCodec,
  encodeBlobAnswer,
} from './blob-codec.ts';

export { type BlobFetch, fetchBlob } from './fetch.ts';

type AnswerStore = Pick<Blobs, 'manifest' | 'readBlock' | 'read'>;

/**
 * Answers one request of the `blob` protocol from a store.
 *
 * @param body - The request as it came; a {@link CodecError} for anything else refuses it.
 * @returns The answer's bytes; "absent" for what is not here, or was found damaged.
 */
export async function answerBlob(store: AnswerStore, body: Uint8Array): Promise<Uint8Array> {
  const request = blobRequestCodec.decode(body);
  try {
    return encodeBlobAnswer(await pieceOf(store, request));
  } catch (error) {
    // The store has removed it and told its owner; to a peer it is simply not here.
    if (error instanceof StorageError) return encodeBlobAnswer({ kind: 'absent' });
    throw error;
  }
}

async function pieceOf(store: AnswerStore, request: BlobRequest): Promise<BlobAnswer> {
  const { kind, cid } = request;
  if (kind === 'manifest') return asPiece(await store.manifest(cid));
  if (kind === 'block') return asPiece(await store.readBlock(cid, request.index));
  const list = await listOf(store, cid);
  const at = request.index * blobBlockBytes;
  if (list === null || at >= list.length) return asPiece(null);
  mark('W29');
  const bytes = list.subarray(at, at + blobBlockBytes);
  return { kind: 'listPiece', size: list.length, bytes };
}

/** The list that was asked for last: who asks for one piece asks for the next one soon. */
const lastList = new WeakMap<AnswerStore, { readonly name: string; readonly bytes: Uint8Array }>();

async function listOf(store: AnswerStore, cid: Cid): Promise<Uint8Array | null> {
  const name = formatCid(cid);
  const last = lastList.get(store);
  if (last?.name === name) return last.bytes;
  const bytes = await store.read(cid);
  if (bytes !== null) lastList.set(store, { name, bytes });
  return bytes;
}

function asPiece(bytes: Uint8Array | null): BlobAnswer {
  if (bytes === null) {
    mark('W27');
    return { kind: 'absent' };
  }
  mark('W28');
  return { kind: 'piece', bytes };
}
