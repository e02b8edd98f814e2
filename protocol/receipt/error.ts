/** Say why a receipt or a state proof cannot be issued or read, and why a trust file cannot. */
import { ProtocolError } from '../errors.ts';

export type ReceiptErrorDetail = Readonly<
  | { code: 'RECEIPT_NOT_A_RECEIPT' }
  | { code: 'RECEIPT_VERSION'; version: number; expected: number }
  | { code: 'RECEIPT_MALFORMED'; reason: string }
  | { code: 'RECEIPT_TOO_LARGE'; valueBytes: number; valueBytesMax: number }
  | { code: 'RECEIPT_JOB_UNFINISHED'; state: string }
  | { code: 'RECEIPT_PIECE_MISSING'; piece: string }
>;

/** A receipt that cannot be issued from what there is, or bytes that are no receipt of ours. */
export class ReceiptError extends ProtocolError<ReceiptErrorDetail> {
  constructor(detail: ReceiptErrorDetail) {
    super(detail, describe(detail));
  }
}

function describe(detail: ReceiptErrorDetail): string {
  switch (detail.code) {
    case 'RECEIPT_NOT_A_RECEIPT':
      return 'these bytes do not begin like a receipt: name the file that "--receipt" wrote';
    case 'RECEIPT_VERSION':
      return (
        `a receipt of version ${detail.version}, but this program reads version ` +
        `${detail.expected}: use the program that wrote it, or a newer one`
      );
    case 'RECEIPT_MALFORMED':
      return `a receipt that nobody can have issued: ${detail.reason}`;
    case 'RECEIPT_TOO_LARGE':
      return (
        `the values of the lanes have ${detail.valueBytes} bytes, but a receipt carries at most ` +
        `${detail.valueBytesMax}: let the program combine to something smaller`
      );
    case 'RECEIPT_JOB_UNFINISHED':
      return `the job is ${detail.state}: only a settled or a failed job has a receipt, once its end is final`;
    case 'RECEIPT_PIECE_MISSING':
      return `this store lacks ${detail.piece}: ask a node that has it`;
  }
}

export type StateProofErrorDetail = Readonly<
  | { code: 'STATE_PROOF_NOT_A_PROOF' }
  | { code: 'STATE_PROOF_VERSION'; version: number; expected: number }
  | { code: 'STATE_PROOF_MALFORMED'; reason: string }
  | { code: 'STATE_PROOF_NOTHING_FINAL' }
  | { code: 'STATE_PROOF_PIECE_MISSING'; piece: string }
  | { code: 'STATE_PROOF_KEY_TOO_LONG'; keyBytes: number; keyBytesMax: number }
>;

/** A state proof that cannot be issued from what there is, or bytes that are none of ours. */
export class StateProofError extends ProtocolError<StateProofErrorDetail> {
  constructor(detail: StateProofErrorDetail) {
    super(detail, describeStateProof(detail));
  }
}

function describeStateProof(detail: StateProofErrorDetail): string {
  switch (detail.code) {
    case 'STATE_PROOF_NOT_A_PROOF':
      return 'these bytes do not begin like a state proof: name the file that "--proof" wrote';
    case 'STATE_PROOF_VERSION':
      return (
        `a state proof of version ${detail.version}, but this program reads version ` +
        `${detail.expected}: use the program that wrote it, or a newer one`
      );
    case 'STATE_PROOF_MALFORMED':
      return `a state proof that nobody can have issued: ${detail.reason}`;
    case 'STATE_PROOF_NOTHING_FINAL':
      return 'this node has no final block yet: ask again when it has, or ask another node';
    case 'STATE_PROOF_PIECE_MISSING':
      return `this store lacks ${detail.piece}: ask a node that has it`;
    case 'STATE_PROOF_KEY_TOO_LONG':
      return `a key of ${detail.keyBytes} bytes, but no key of the state has more than ${detail.keyBytesMax}`;
  }
}

export type TrustErrorDetail = Readonly<
  | { code: 'TRUST_MALFORMED'; at: string; expected: string }
  | { code: 'TRUST_HEIGHT_UNSUPPORTED'; height: number }
>;

/** A trust file that says nothing. Always its writer's to change. */
export class TrustError extends ProtocolError<TrustErrorDetail> {
  constructor(detail: TrustErrorDetail) {
    super(
      detail,
      detail.code === 'TRUST_MALFORMED'
        ? `trust file, ${detail.at}: expected ${detail.expected}`
        : `trust file: a checkpoint at height ${detail.height}, but only genesis, height 0, is ` +
            'known until epochs exist',
    );
  }
}
