/** Address blobs and lists by content, so that every block can be checked as it arrives. */
import { assert, mark, unreachable } from '../assert.ts';
import { sameBytes } from '../brand.ts';
import { codec, tryDecode } from '../codec/codec.ts';
import { CodecError } from '../codec/error.ts';
import { fixedBytes, list, type Shape, struct, uint } from '../codec/schema.ts';
import { type Digest, sha256 } from '../crypto/hash.ts';
import { ProtocolError } from '../errors.ts';
import { blobBlockBytes, blobBytesMax, cidBytes } from '../params.ts';
import {
  type Cid,
  cidCodec,
  cidDigest,
  cidOf,
  isCid,
  listCodec,
  manifestBlockCodec,
  rawCid,
  rawCodec,
} from './cid.ts';
import { isListBlob } from './list-blob.ts';

export {
  type Cid,
  cidCodec,
  cidDigest,
  formatCid,
  isCid,
  listCid,
  parseCid,
  rawCid,
} from './cid.ts';
export {
  isListBlob,
  listBlob,
  listBlobBytesMax,
  listBlobCodec,
  listBlobStretches,
  listEntryBytesMax,
  listEntryCountMax,
  type PackedList,
  readListStretches,
  verifyListBlob,
} from './list-blob.ts';

/** Blocks of the longest blob, and bytes of its manifest. */
export const blobBlockCountMax = blobBytesMax / blobBlockBytes;
export const manifestBytesMax = blobBlockCountMax * (cidBytes + 2) + 16;
assert(Number.isInteger(blobBlockCountMax), 'the longest blob is whole blocks');

const manifestVersion = 1;

/** The blocks of a blob that is longer than one, in order: all full but the last. */
export type BlobManifest = {
  readonly version: number;
  /** Bytes of the blob. */
  readonly size: number;
  readonly blocks: readonly Uint8Array[];
};

const fields = struct<BlobManifest>({
  version: uint(manifestVersion, manifestVersion),
  size: uint(blobBytesMax, blobBlockBytes + 1),
  blocks: list(fixedBytes(cidBytes), blobBlockCountMax, 2),
});

const manifestShape: Shape<BlobManifest> = {
  write: (manifest) => fields.write(whole(manifest, '')),
  read: (wire, at) => whole(fields.read(wire, at), at),
};

/** The one encoding of a manifest; decoding refuses one whose blocks do not make up its size. */
export const manifestCodec = codec('blob manifest', manifestBytesMax, manifestShape);

/**
 * The name of a blob: of its bytes if they fit into one block, else of its manifest.
 * @throws {@link BlobError} `BLOB_TOO_LONG`.
 * @see spec/protocol/merkle.md M25, M26
 */
export function blobCid(bytes: Uint8Array): Cid {
  return finishBlob(draftOf(bytes)).cid;
}

/**
 * The manifest of a blob, or null if it fits into one block and so needs none.
 * @throws {@link BlobError} `BLOB_TOO_LONG`.
 */
export function manifestOf(bytes: Uint8Array): BlobManifest | null {
  return draftManifest(draftOf(bytes));
}

/** A blob that is being named while its blocks come by. Plain data, never changed in place. */
export type BlobDraft = {
  /** Bytes so far. */
  readonly size: number;
  /** Hashes of the blocks so far. */
  readonly blocks: readonly Digest[];
};

/** The blob without bytes. */
export const emptyBlob: BlobDraft = { size: 0, blocks: [] };

/** A blob's name, and the bytes of its manifest if it has one. */
export type FinishedBlob = {
  readonly cid: Cid;
  readonly size: number;
  readonly manifest: Uint8Array | null;
};

/**
 * The draft with one block more, of which only the hash (plain SHA-256) and the length are needed.
 * Every block but the last has exactly `blobBlockBytes`; none is empty.
 * @throws {@link BlobError} `BLOB_TOO_LONG`.
 */
export function pushBlock(draft: BlobDraft, blockHash: Digest, blockBytes: number): BlobDraft {
  const fits = Number.isSafeInteger(blockBytes) && blockBytes > 0 && blockBytes <= blobBlockBytes;
  assert(fits, 'a block has between 1 byte and a full block');
  assert(draft.size % blobBlockBytes === 0, 'only the last block of a blob may be short');
  const size = draft.size + blockBytes;
  if (size > blobBytesMax) throw new BlobError({ code: 'BLOB_TOO_LONG', bytesMax: blobBytesMax });
  return { size, blocks: [...draft.blocks, blockHash] };
}

/** Names the blob. */
export function finishBlob(draft: BlobDraft): FinishedBlob {
  const { size, blocks } = draft;
  const manifest = draftManifest(draft);
  if (manifest === null) {
    mark('M25');
    return { cid: rawCid(blocks[0] ?? sha256(new Uint8Array(0))), size, manifest: null };
  }
  mark('M26');
  const bytes = manifestCodec.encode(manifest);
  return { cid: cidOf(manifestBlockCodec, sha256(bytes)), size, manifest: bytes };
}

/**
 * Whether bytes are what a content id names: a block, a manifest, or a whole list. Total. Of a
 * long blob this checks the manifest; its blocks are then checked one by one against theirs.
 * @see spec/protocol/merkle.md M28 to M30
 */
export function verifyBlock(cid: Uint8Array, bytes: Uint8Array): boolean {
  if (!isCid(cid)) return false;
  const codecOfCid = cidCodec(cid);
  switch (codecOfCid) {
    case rawCodec:
      mark('M28');
      return bytes.length <= blobBlockBytes && sameBytes(sha256(bytes), cidDigest(cid));
    case manifestBlockCodec:
      return readManifest(cid, bytes) !== null;
    case listCodec:
      return isListBlob(cid, bytes);
    default:
      return unreachable(codecOfCid);
  }
}

/**
 * The manifest that a content id names, or null if these bytes are not it. Total.
 * @see spec/protocol/merkle.md M29
 */
export function readManifest(cid: Uint8Array, bytes: Uint8Array): BlobManifest | null {
  mark('M29');
  if (!isCid(cid) || cidCodec(cid) !== manifestBlockCodec) return null;
  if (bytes.length > manifestBytesMax || !sameBytes(sha256(bytes), cidDigest(cid))) return null;
  return tryDecode(manifestCodec, bytes);
}

/** Bytes that block `index` of a manifest has. */
export function manifestBlockBytes({ size, blocks }: BlobManifest, index: number): number {
  const isLast = index === blocks.length - 1;
  return isLast ? size - (blocks.length - 1) * blobBlockBytes : blobBlockBytes;
}

function draftOf(bytes: Uint8Array): BlobDraft {
  let draft = emptyBlob;
  for (let at = 0; at < bytes.length; at += blobBlockBytes) {
    const block = bytes.subarray(at, at + blobBlockBytes);
    draft = pushBlock(draft, sha256(block), block.length);
  }
  return draft;
}

function draftManifest({ size, blocks }: BlobDraft): BlobManifest | null {
  return blocks.length < 2 ? null : { version: manifestVersion, size, blocks: blocks.map(rawCid) };
}

/** Refuses a manifest whose blocks are not raw ids, or not as many as its size needs. */
function whole(manifest: BlobManifest, at: string): BlobManifest {
  const { size, blocks } = manifest;
  const raw = blocks.every((block) => isCid(block) && cidCodec(block) === rawCodec);
  const short = size <= (blocks.length - 1) * blobBlockBytes;
  if (!raw || short || size > blocks.length * blobBlockBytes) {
    mark('M27');
    throw new CodecError({
      code: 'CODEC_SHAPE',
      at,
      expected: `one raw block id for every ${blobBlockBytes} bytes of its size, begun or full`,
    });
  }
  return manifest;
}

export type BlobErrorDetail = Readonly<{ code: 'BLOB_TOO_LONG'; bytesMax: number }>;

/** A blob that cannot be named. */
export class BlobError extends ProtocolError<BlobErrorDetail> {
  constructor(detail: BlobErrorDetail) {
    super(
      detail,
      `the blob is longer than ${detail.bytesMax} bytes, the most that one may have: ` +
        'cut it into several, and name them in a list',
    );
  }
}
