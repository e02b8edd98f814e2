/** Answer peers who ask for pieces of blobs. */
import { mark } from '../../protocol/assert.ts';
import { cidCodec, listCodec } from '../../protocol/merkle/cid.ts';
import type { Blobs } from '../storage/blobs.ts';
import { StorageError } from '../storage/error.ts';
import {
  type BlobAnswer,
  type BlobRequest,
  blobRequestCodec,
  encodeBlobAnswer,
} from './blob-codec.ts';

export { type BlobFetch, fetchBlob } from './fetch.ts';

type AnswerStore = Pick<Blobs, 'manifest' | 'readBlock' | 'size'>;

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
  // Only lists are asked for as lists: a blob goes block by block, whoever asks.
  const size = cidCodec(cid) === listCodec ? await store.size(cid) : null;
  const bytes = size === null ? null : await store.readBlock(cid, request.index);
  if (size === null || bytes === null) return asPiece(null);
  mark('W29');
  return { kind: 'listPiece', size, bytes };
}

function asPiece(bytes: Uint8Array | null): BlobAnswer {
  if (bytes === null) {
    mark('W27');
    return { kind: 'absent' };
  }
  mark('W28');
  return { kind: 'piece', bytes };
}
