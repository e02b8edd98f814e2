/** Define a block's header: what is voted on, and what everything is proved against. */
import { mark } from '../assert.ts';
import { type Codec, codec } from '../codec/codec.ts';
import { fixedBytes, list, type ShapeOf, struct, uint } from '../codec/schema.ts';
import { type Digest, hash, zeroDigest } from '../crypto/hash.ts';
import { signedMessage } from '../crypto/signature.ts';
import {
  digestBytes,
  epochMax,
  gossipBytesMax,
  heightMax,
  seatCountMax,
  signatureBytes,
  timeMsMax,
  viewMax,
  vrfProofBytes,
} from '../params.ts';

export const headerShape = struct({
  network: fixedBytes(digestBytes),
  epoch: uint(epochMax),
  view: uint(viewMax),
  height: uint(heightMax),
  parent: fixedBytes(digestBytes),
  proposer: uint(seatCountMax - 1),
  timeMs: uint(timeMsMax),
  /** Public randomness R of this block, and the proposer's VRF proof for it. */
  beacon: fixedBytes(digestBytes),
  vrfProof: fixedBytes(vrfProofBytes),
  /** RFC 9162 root over the encoded items. */
  itemsRoot: fixedBytes(digestBytes),
  /** RFC 9162 root over the header hashes of all lower heights. */
  historyRoot: fixedBytes(digestBytes),
  seatSetHash: fixedBytes(digestBytes),
  /** Root of the state after this block's own items. */
  stateRoot: fixedBytes(digestBytes),
});

export type Header = ShapeOf<typeof headerShape>;
export const headerCodec: Codec<Header> = codec('header', 1_024, headerShape);

/**
 * The id of a block.
 * @see spec/protocol/ledger.md L4
 */
export function headerHash(header: Header): Digest {
  mark('L4');
  return hash('header', headerCodec.encode(header));
}

const proposalShape = struct({
  header: headerShape,
  signature: fixedBytes(signatureBytes),
  /** Digests of the certificates it rests on: its parent's Notar and the Skips between. */
  rests: list(fixedBytes(digestBytes), 1_024),
});

/** A leader's announcement of a block; its body and certificates travel by stream. */
export type Proposal = ShapeOf<typeof proposalShape>;
export const proposalCodec: Codec<Proposal> = codec('proposal', gossipBytesMax, proposalShape);

/** The bytes that a leader signs. */
export function proposalMessage(header: Header): Uint8Array {
  return signedMessage('proposal', header.network as Digest, headerCodec.encode(header));
}

export const noProof = new Uint8Array(vrfProofBytes);
export const noParent = zeroDigest;
