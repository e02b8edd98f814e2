/** Define what a receipt holds, and its one encoding. */
import { laneLeafShape } from '../algebra/result.ts';
import { mark } from '../assert.ts';
import { type Codec, codec } from '../codec/codec.ts';
import { CodecError } from '../codec/error.ts';
import {
  bytesUpTo,
  fixedBytes,
  list,
  nullable,
  type Shape,
  type ShapeOf,
  struct,
  text,
  uint,
} from '../codec/schema.ts';
import { quorum } from '../consensus/seats.ts';
import { signedJobShape } from '../job/job.ts';
import { signedStatementShape } from '../job/statement.ts';
import { genesisCodec } from '../ledger/genesis.ts';
import { headerShape } from '../ledger/header.ts';
import { recordCodec } from '../ledger/record.ts';
import { listProofShape } from '../merkle/list.ts';
import { mapProofShape } from '../merkle/proof.ts';
import {
  heightMax,
  programBytesMax,
  receiptValueBytesMax,
  seatCountMax,
  signatureBytes,
  subtaskCountMax,
  valueBytesMax,
} from '../params.ts';
import { ReceiptError } from './error.ts';
import { frontVersion } from './front.ts';
import { pathShape } from './inclusion.ts';

export const receiptMagic = 'anwansi-receipt';
export const receiptVersion = 1;

/** Bytes of a receipt without its values and its program. */
export const receiptProofBytesMax = 32 * 1024 * 1024;
export const receiptBytesMax = receiptValueBytesMax + programBytesMax + receiptProofBytesMax;
/** Headers that a receipt can need: two or three a wave of a lane, and few others. */
const headerCountMax = 32_768;
/** Messages in the log of one lane. */
const logLengthMax = 65_536;

const quorumMax = quorum(seatCountMax);

const voteShape = struct({ seat: uint(seatCountMax - 1), signature: fixedBytes(signatureBytes) });
/** The Final votes for a header: a certificate without what the header says already. */
export const finalVotesShape = list(voteShape, quorumMax);
const provedHeaderShape = struct({ header: headerShape, proof: listProofShape });
const loggedShape = struct({ height: uint(heightMax), signed: signedStatementShape });
const laneShape = struct({
  log: list(loggedShape, logLengthMax),
  /** Leaves under the accepted laneRoot, and the lane's value; null if a leaf says failed. */
  leaves: list(laneLeafShape, subtaskCountMax + 1, 1),
  value: nullable(bytesUpTo(valueBytesMax)),
});

const bodyShape = struct({
  magic: text(receiptMagic.length),
  version: uint(2 ** 32),
  /** The encoded genesis: its digest names the network, its seats are the seat set. */
  genesis: bytesUpTo(genesisCodec.bytesMax),
  /** A header with the Final votes of a quorum. */
  final: headerShape,
  votes: finalVotesShape,
  /** Proof of header 0, which follows from the genesis, under the final header's history root. */
  genesisProof: listProofShape,
  /** Every header that the receipt rests on, rising, without header 0 and the final one. */
  headers: list(provedHeaderShape, headerCountMax),
  job: signedJobShape,
  jobPath: pathShape,
  /** The encoded record, and its proof under the final header's state root. */
  record: bytesUpTo(recordCodec.bytesMax),
  recordProof: mapProofShape,
  lanes: list(laneShape, seatCountMax, 1),
  program: bytesUpTo(programBytesMax),
});

/** What a submitter keeps: enough to check a job without a network. */
export type Receipt = ShapeOf<typeof bodyShape>;
export type ReceiptLane = ShapeOf<typeof laneShape>;
export type LoggedStatement = ShapeOf<typeof loggedShape>;
export type ProvedHeader = ShapeOf<typeof provedHeaderShape>;

const receiptShape: Shape<Receipt> = {
  write: (receipt) => bodyShape.write(receipt),
  read: (wire, at) => {
    const receipt = bodyShape.read(wire, at);
    if (valueBytes(receipt.lanes) > receiptValueBytesMax)
      throw new CodecError({
        code: 'CODEC_SHAPE',
        at: `${at}.lanes`,
        expected: `at most ${receiptValueBytesMax} bytes of values`,
      });
    return receipt;
  },
};

/** The one encoding of a receipt. @see spec/protocol/receipt.md */
export const receiptCodec: Codec<Receipt> = codec(
  'receipt',
  receiptBytesMax,
  receiptShape,
  2 ** 22,
);

/** Bytes of the values that lanes carry. */
export function valueBytes(lanes: readonly { readonly value: Uint8Array | null }[]): number {
  return lanes.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);
}

/**
 * Reads a receipt.
 * @throws {@link ReceiptError} `RECEIPT_NOT_A_RECEIPT`, `RECEIPT_VERSION`, `RECEIPT_MALFORMED`.
 * @see spec/protocol/receipt.md V4 to V7
 */
export function parseReceipt(bytes: Uint8Array): Receipt {
  const version = frontVersion(bytes, receiptMagic);
  if (version === null) {
    mark('V4');
    throw new ReceiptError({ code: 'RECEIPT_NOT_A_RECEIPT' });
  }
  if (version !== receiptVersion) {
    mark('V5');
    throw new ReceiptError({ code: 'RECEIPT_VERSION', version, expected: receiptVersion });
  }
  try {
    const receipt = receiptCodec.decode(bytes);
    mark('V7');
    return receipt;
  } catch (cause) {
    if (!(cause instanceof CodecError)) throw cause;
    mark('V6');
    throw new ReceiptError({ code: 'RECEIPT_MALFORMED', reason: cause.message });
  }
}
