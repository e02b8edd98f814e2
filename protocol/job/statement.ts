/** State what a seat did on its lane: commit, abstain, reveal, open. */
import { openingShape } from '../algebra/transcript.ts';
import { mark } from '../assert.ts';
import { type Codec, codec } from '../codec/codec.ts';
import {
  bigUint,
  bytesUpTo,
  fixedBytes,
  list,
  nullable,
  oneOf,
  type Shape,
  type ShapeOf,
  struct,
  uint,
  union,
} from '../codec/schema.ts';
import type { SignatureDomain } from '../crypto/domain.ts';
import { type Digest, hash } from '../crypto/hash.ts';
import { signedMessage } from '../crypto/signature.ts';
import {
  cidBytes,
  digestBytes,
  fuelMax,
  gossipBytesMax,
  inlineValueBytesMax,
  openedItemCount,
  seatCountMax,
  signatureBytes,
  subtaskCountMax,
  waveCountMax,
} from '../params.ts';

/** Why a seat could not, or would not, run its lane. Local: never part of a result. */
export const abstainClasses = [
  'timeout',
  'killed',
  'host-oom',
  'unavailable',
  'inadmissible',
  'lawless',
] as const;
export type AbstainClass = (typeof abstainClasses)[number];

/** A lane's statement x: what all its seats must agree on. */
export const laneClaimShape = struct({
  laneRoot: fixedBytes(digestBytes),
  /** CID of the lane's value; null if any leaf says failed. */
  valueCid: nullable(fixedBytes(cidBytes)),
  /** Fuel of the lane's items, as the job page counts it. */
  mapFuel: bigUint(fuelMax),
});
export type LaneClaim = ShapeOf<typeof laneClaimShape>;
export const laneClaimCodec: Codec<LaneClaim> = codec('lane claim', 128, laneClaimShape);

const common = {
  seat: uint(seatCountMax - 1),
  job: fixedBytes(digestBytes),
  lane: uint(subtaskCountMax - 1),
  wave: uint(waveCountMax),
  drawId: fixedBytes(digestBytes),
};

const commitShape = struct({ ...common, digest: fixedBytes(digestBytes) });
const abstainShape = struct({ ...common, class: oneOf(abstainClasses) });
const revealShape = struct({
  ...common,
  claim: laneClaimShape,
  saltKey: fixedBytes(digestBytes),
  workRoot: fixedBytes(digestBytes),
  /** The lane's value where it is small; larger ones are served by CID. */
  value: nullable(bytesUpTo(inlineValueBytesMax)),
});
const openShape = struct({ ...common, openings: list(openingShape, openedItemCount) });

export type Commit = ShapeOf<typeof commitShape>;
export type Abstain = ShapeOf<typeof abstainShape>;
export type Reveal = ShapeOf<typeof revealShape>;
export type Open = ShapeOf<typeof openShape>;

const statementShape = union({
  commit: commitShape,
  abstain: abstainShape,
  reveal: revealShape,
  open: openShape,
});

export type Statement = ShapeOf<typeof statementShape>;
export type StatementKind = Statement['kind'];
export const statementKinds = ['commit', 'abstain', 'reveal', 'open'] as const;

const domains: { readonly [K in StatementKind]: SignatureDomain } = {
  commit: 'commit',
  abstain: 'abstain',
  reveal: 'reveal',
  open: 'opening',
};

/** A statement with its seat's signature. */
export type SignedStatement = { readonly statement: Statement; readonly signature: Uint8Array };

export const signedStatementShape: Shape<SignedStatement> = struct({
  statement: statementShape,
  signature: fixedBytes(signatureBytes),
});

const statementCodec: Codec<Statement> = codec('statement', gossipBytesMax - 128, statementShape);

export const signedStatementCodec: Codec<SignedStatement> = codec(
  'signed statement',
  gossipBytesMax,
  signedStatementShape,
);

/**
 * The bytes that a seat signs.
 * @see spec/protocol/job.md J17
 */
export function statementMessage(statement: Statement, network: Digest): Uint8Array {
  mark('J17');
  return signedMessage(domains[statement.kind], network, statementCodec.encode(statement));
}

/**
 * The digest by which a lane's log names a message.
 * @see spec/protocol/job.md J19
 */
export function messageHash(signed: SignedStatement): Digest {
  mark('J19');
  return hash('message', signedStatementCodec.encode(signed));
}

/**
 * The commitment that a reveal must open.
 * @see spec/protocol/job.md J18
 */
export function commitDigest(opened: Omit<Reveal, 'value'>): Digest {
  mark('J18');
  return hash(
    'commit',
    opened.drawId,
    opened.job,
    opened.lane,
    opened.seat,
    opened.saltKey,
    laneClaimCodec.encode(opened.claim),
    opened.workRoot,
  );
}
