/** Define blocks as consensus sees them, votes, certificates, and their codecs. */
import { mark } from '../assert.ts';
import { concatBytes, type Hex, sameBytes } from '../brand.ts';
import { codec } from '../codec/codec.ts';
import { fixedBytes, list, oneOf, type Shape, struct, uint } from '../codec/schema.ts';
import type { SignatureDomain } from '../crypto/domain.ts';
import { type Digest, hash, uint64, zeroDigest } from '../crypto/hash.ts';
import { signedMessage } from '../crypto/signature.ts';
import {
  digestBytes,
  epochMax,
  seatCountMax,
  seatCountMin,
  signatureBytes,
  viewMax,
} from '../params.ts';
import { quorum } from './seats.ts';

/** All that consensus knows of a block. The genesis block has view 0 and height 0. */
export type BlockRef = {
  readonly id: Hex;
  readonly view: number;
  readonly height: number;
  readonly parent: Hex;
  readonly parentView: number;
  /** The seat that signed it. */
  readonly proposer: number;
  /** Chain time, milliseconds since 1970. */
  readonly time: number;
};

const voteKinds = ['notar', 'skip', 'final'] as const;

/** Notar: the block is good. Skip: the view may be left without one. Final: keep it for ever. */
export type VoteKind = (typeof voteKinds)[number];

/** What a vote or a certificate is about. `block` is all zeros for Skip, and only then. */
export type Subject = {
  readonly kind: VoteKind;
  readonly epoch: number;
  readonly view: number;
  readonly block: Digest;
};

/** One seat's signed word. */
export type Vote = Subject & { readonly seat: number; readonly signature: Uint8Array };

/** A quorum's word: exactly `quorum(seats)` distinct seats, ascending, each with its signature. */
export type Certificate = Subject & {
  readonly seats: readonly number[];
  readonly signatures: readonly Uint8Array[];
};

const subjectFields = {
  kind: oneOf(voteKinds),
  epoch: uint(epochMax),
  view: uint(viewMax),
  block: fixedBytes(digestBytes) as Shape<Digest>,
};
const seatShape = uint(seatCountMax - 1);
const signatureShape = fixedBytes(signatureBytes);
const quorumMin = quorum(seatCountMin);
const quorumMax = quorum(seatCountMax);

/** Bytes of one encoded vote, and of what a certificate holds beside its seats. */
const voteBytesMax = 160;
/** Bytes of one seat and its signature in a certificate: 3 and 66. */
const signedSeatBytes = 69;

export const voteCodec = codec<Vote>(
  'vote',
  voteBytesMax,
  struct<Vote>({ ...subjectFields, seat: seatShape, signature: signatureShape }),
);

export const certificateCodec = codec<Certificate>(
  'certificate',
  voteBytesMax + quorumMax * signedSeatBytes,
  struct<Certificate>({
    ...subjectFields,
    seats: list(seatShape, quorumMax, quorumMin),
    signatures: list(signatureShape, quorumMax, quorumMin),
  }),
);

const domains: Readonly<Record<VoteKind, SignatureDomain>> = {
  notar: 'vote-notar',
  skip: 'vote-skip',
  final: 'vote-final',
};

/**
 * What a seat says, as 56 bytes: epoch, view and seat (8 bytes each, big-endian) and the block.
 * The seat is in it because one key may hold several; the kind is in the signature's domain.
 */
export function voteBody({ epoch, view, block }: Omit<Subject, 'kind'>, seat: number): Uint8Array {
  return concatBytes(uint64(epoch), uint64(view), uint64(seat), block);
}

/** The bytes that `seat` signs to vote for `subject` on a network. */
export function voteMessage(network: Digest, subject: Subject, seat: number): Uint8Array {
  return signedMessage(domains[subject.kind], network, voteBody(subject, seat));
}

// A certificate is named by whoever keeps it and by each proposal that rests on it: hashed once.
const ids = new WeakMap<Certificate, Digest>();

/** Names a certificate by all its bytes. Two certificates of one subject have two names. */
export function certificateId(certificate: Certificate): Digest {
  let id = ids.get(certificate);
  if (id === undefined) {
    id = hash('message', certificateCodec.encode(certificate));
    ids.set(certificate, id);
  }
  return id;
}

/** Whether two votes or certificates say the same thing. */
export function sameSubject(a: Subject, b: Subject): boolean {
  return (
    a.kind === b.kind && a.epoch === b.epoch && a.view === b.view && sameBytes(a.block, b.block)
  );
}

/** Whether a subject names a block exactly when its kind has one, in a view open to votes. */
export function wellFormed({ kind, view, block }: Subject): boolean {
  const range = Number.isSafeInteger(view) && view > 0 && view <= viewMax;
  return range && (kind === 'skip') === sameBytes(block, zeroDigest);
}

/** What it takes to check a signature of an epoch. */
export type CheckRules = {
  readonly network: Digest;
  readonly epoch: number;
  /** Seats of the epoch. */
  readonly seats: number;
  /** Whether `signature` is the seat's over `message`. */
  readonly verify: (seat: number, message: Uint8Array, signature: Uint8Array) => boolean;
};

export type CertificateError =
  | 'CERTIFICATE_EPOCH'
  | 'CERTIFICATE_SUBJECT'
  | 'CERTIFICATE_COUNT'
  | 'CERTIFICATE_ORDER'
  | 'CERTIFICATE_SEAT'
  | 'CERTIFICATE_SIGNATURE';

/**
 * Says what is wrong with a certificate, or null: then a quorum did sign it.
 *
 * @param verified - Whether a vote is known to be signed as it should be; saves its check.
 * @see spec/protocol/consensus.md C2, C3
 */
export function checkCertificate(
  certificate: Certificate,
  rules: CheckRules,
  verified: (vote: Vote) => boolean = () => false,
): CertificateError | null {
  const error = certificateError(certificate, rules, verified);
  if (error === null) mark('C3');
  else mark('C2');
  return error;
}

function certificateError(
  certificate: Certificate,
  { network, epoch, seats: seatCount, verify }: CheckRules,
  verified: (vote: Vote) => boolean,
): CertificateError | null {
  const { seats, signatures } = certificate;
  if (certificate.epoch !== epoch) return 'CERTIFICATE_EPOCH';
  if (!wellFormed(certificate)) return 'CERTIFICATE_SUBJECT';
  const count = quorum(seatCount);
  if (seats.length !== count || signatures.length !== count) return 'CERTIFICATE_COUNT';
  for (let i = 1; i < count; i++) if (seats[i]! <= seats[i - 1]!) return 'CERTIFICATE_ORDER';
  if (!seats.every((seat) => Number.isSafeInteger(seat) && seat >= 0 && seat < seatCount))
    return 'CERTIFICATE_SEAT';
  for (const vote of votesOf(certificate)) {
    if (verified(vote)) continue;
    if (!verify(vote.seat, voteMessage(network, vote, vote.seat), vote.signature))
      return 'CERTIFICATE_SIGNATURE';
  }
  return null;
}

/** The votes that a certificate is made of, in its order. */
export function votesOf({ kind, epoch, view, block, seats, signatures }: Certificate): Vote[] {
  return seats.map((seat, i) => ({ kind, epoch, view, block, seat, signature: signatures[i]! }));
}
