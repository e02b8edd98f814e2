/** Write what peers ask of one another about blobs, and what they answer. */
import { mark } from '../../protocol/assert.ts';
import { type Codec, codec } from '../../protocol/codec/codec.ts';
import { CodecError } from '../../protocol/codec/error.ts';
import { type Shape, struct, uint, union } from '../../protocol/codec/schema.ts';
import {
  blobBlockCountMax,
  type Cid,
  isCid,
  listBlobBytesMax,
  manifestBytesMax,
} from '../../protocol/merkle/blob.ts';
import { blobBlockBytes, cidBytes } from '../../protocol/params.ts';

/** Pieces of the longest list as it travels. */
export const listPieceCountMax = Math.ceil(listBlobBytesMax / blobBlockBytes);

/** A piece of something that has a content id: the id is that of the whole. */
export type BlobRequest =
  | { readonly kind: 'manifest'; readonly cid: Cid }
  | { readonly kind: 'block'; readonly cid: Cid; readonly index: number }
  | { readonly kind: 'list'; readonly cid: Cid; readonly index: number };

/** That piece, or that it is not here. A list tells its whole size, for it has no manifest. */
export type BlobAnswer =
  | { readonly kind: 'absent' }
  | { readonly kind: 'piece'; readonly bytes: Uint8Array }
  | { readonly kind: 'listPiece'; readonly size: number; readonly bytes: Uint8Array };

const cidShape: Shape<Cid> = {
  write: (cid) => cid,
  read: (wire, at) => {
    if (wire instanceof Uint8Array && isCid(wire)) return wire;
    mark('W26');
    throw new CodecError({ code: 'CODEC_SHAPE', at, expected: 'a content id' });
  },
};

/** @see spec/protocol/network.md W26 */
export const blobRequestCodec: Codec<BlobRequest> = codec(
  'blob request',
  cidBytes + 16,
  union({
    manifest: struct<{ cid: Cid }>({ cid: cidShape }),
    block: struct<{ cid: Cid; index: number }>({
      cid: cidShape,
      index: uint(blobBlockCountMax - 1),
    }),
    list: struct<{ cid: Cid; index: number }>({
      cid: cidShape,
      index: uint(listPieceCountMax - 1),
    }),
  }) as Shape<BlobRequest>,
);

/** First byte of an answer, by its kind. */
const kinds = { absent: 0, piece: 1, listPiece: 2 } as const;
/** Bytes in front of a piece: its kind; of a piece of a list: its kind and the size, 4 bytes. */
const pieceFront = 1;
const listPieceFront = 1 + 4;
const pieceBytesMax = Math.max(blobBlockBytes, manifestBytesMax);

/**
 * Writes an answer. Not dag-cbor: reading that canonically means writing every block again, which
 * took two thirds of the processor time of a fetch; this has one way to write an answer by itself.
 * @see spec/protocol/network.md W27 to W29
 */
export function encodeBlobAnswer(answer: BlobAnswer): Uint8Array {
  if (answer.kind === 'absent') return Uint8Array.of(kinds.absent);
  const front = answer.kind === 'piece' ? pieceFront : listPieceFront;
  const body = new Uint8Array(front + answer.bytes.length);
  body[0] = kinds[answer.kind];
  if (answer.kind === 'listPiece') new DataView(body.buffer).setUint32(1, answer.size);
  body.set(answer.bytes, front);
  return body;
}

/** Reads what {@link encodeBlobAnswer} wrote. Returns null for anything else. */
export function decodeBlobAnswer(body: Uint8Array): BlobAnswer | null {
  switch (body[0]) {
    case kinds.absent:
      return body.length === 1 ? { kind: 'absent' } : null;
    case kinds.piece:
      if (body.length > pieceFront + pieceBytesMax) return null;
      return { kind: 'piece', bytes: body.subarray(pieceFront) };
    case kinds.listPiece: {
      if (body.length < listPieceFront || body.length > listPieceFront + blobBlockBytes)
        return null;
      const size = new DataView(body.buffer, body.byteOffset).getUint32(1);
      if (size > listBlobBytesMax) return null;
      return { kind: 'listPiece', size, bytes: body.subarray(listPieceFront) };
    }
    default:
      return null;
  }
}
