/** Define what replicas say to each other: votes and certificates, blocks on request. */
import { type Codec, codec } from '../codec/codec.ts';
import {
  bytesUpTo,
  fixedBytes,
  list,
  nullable,
  type Shape,
  type ShapeOf,
  struct,
  uint,
  union,
} from '../codec/schema.ts';
import { type Certificate, certificateCodec, type Vote, voteCodec } from '../consensus/message.ts';
import { headerShape } from '../ledger/header.ts';
import {
  blockBytesMax,
  blockItemCountMax,
  digestBytes,
  gossipBytesMax,
  heightMax,
  signatureBytes,
} from '../params.ts';

/** A value of another codec, carried as its bytes. */
function enclosed<T>(inner: Codec<T>): Shape<T> {
  const bytes = bytesUpTo(inner.bytesMax);
  return {
    write: (value) => bytes.write(inner.encode(value)),
    read: (wire, at) => inner.decode(bytes.read(wire, at)),
  };
}

export const certificateShape: Shape<Certificate> = enclosed(certificateCodec);
const voteShape: Shape<Vote> = enclosed(voteCodec);

/** Most bytes of a ballot with a certificate of so many seats. */
export function certificateBytes({ seats }: Certificate): number {
  return 256 + 69 * seats.length;
}

/** What travels on the topic of votes. */
const ballotShape = union({
  vote: struct({ vote: voteShape }),
  certificate: struct({ certificate: certificateShape }),
});
export type Ballot = ShapeOf<typeof ballotShape>;
export const ballotCodec: Codec<Ballot> = codec('ballot', gossipBytesMax, ballotShape);

const requestShape = union({
  /** One block, whether final or not. */
  block: struct({ hash: fixedBytes(digestBytes) }),
  /** Certificates by their digests. */
  certificates: struct({ ids: list(fixedBytes(digestBytes), 1_024, 1) }),
  /** Final blocks from a height on, up to a directly final one. */
  final: struct({ from: uint(heightMax, 1) }),
});
/** A question to one peer. */
export type SyncRequest = ShapeOf<typeof requestShape>;
export const syncRequestCodec: Codec<SyncRequest> = codec('sync request', 40_960, requestShape);

export const sealedBlockShape = struct({
  header: headerShape,
  signature: fixedBytes(signatureBytes),
  items: list(bytesUpTo(gossipBytesMax + 64), blockItemCountMax),
});
/** A block with its leader's signature. */
export type SealedBlock = ShapeOf<typeof sealedBlockShape>;
export const sealedBlockCodec: Codec<SealedBlock> = codec(
  'sealed block',
  blockBytesMax + 4_096,
  sealedBlockShape,
);

/** A whole block as its leader pushes it by gossip, where it is small enough. */
export const pushedBlockCodec: Codec<{ readonly block: SealedBlock }> = codec(
  'pushed block',
  gossipBytesMax,
  struct({ block: sealedBlockShape }),
);

const responseShape = union({
  block: struct({ block: nullable(sealedBlockShape) }),
  certificates: struct({ certificates: list(certificateShape, 1_024) }),
  final: struct({
    blocks: list(sealedBlockShape, 1_024),
    /** Final votes for the last of the blocks. */
    certificate: nullable(certificateShape),
  }),
});
/** An answer to a {@link SyncRequest} of the same kind. */
export type SyncResponse = ShapeOf<typeof responseShape>;
export const syncResponseCodec: Codec<SyncResponse> = codec(
  'sync response',
  2 * blockBytesMax - 4_096,
  responseShape,
);
