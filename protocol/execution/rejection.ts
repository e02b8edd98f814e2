/** Say why a program or an input is refused, where, and what to do about it. */
import { ProtocolError } from '../errors.ts';

/** Why a program is not admitted. Stable. */
export type ProgramRejectionCode =
  | 'PROGRAM_TOO_LARGE'
  | 'PROGRAM_NOT_WASM'
  | 'PROGRAM_MALFORMED'
  | 'PROGRAM_UNSUPPORTED'
  | 'PROGRAM_LIMIT'
  | 'PROGRAM_IMPORTS'
  | 'PROGRAM_MEMORY'
  | 'PROGRAM_ABI'
  | 'PROGRAM_MISSING_EXPORT'
  | 'PROGRAM_EXPORT_TYPE'
  | 'PROGRAM_UNKNOWN_EXPORT'
  | 'PROGRAM_MANIFEST';

export type ProgramErrorDetail = {
  readonly code: ProgramRejectionCode;
  /** Byte of the program at which the reason shows. */
  readonly offset: number;
  readonly reason: string;
};

/** Bytes that are not a program of this ABI. Always its author's fault. */
export class ProgramError extends ProtocolError<ProgramErrorDetail> {
  constructor(code: ProgramRejectionCode, offset: number, reason: string) {
    super({ code, offset, reason }, `at byte ${offset}: ${reason}`);
  }
}

export type InputErrorDetail = Readonly<
  | { code: 'INPUT_UNSPLITTABLE'; offset: number; itemBytesMax: number }
  | { code: 'INPUT_TOO_MANY_ITEMS'; itemCountMax: number }
>;

/** An input that its program's cut rule cannot cut into items within the limits. */
export class InputError extends ProtocolError<InputErrorDetail> {
  constructor(detail: InputErrorDetail) {
    super(detail, describe(detail));
  }
}

function describe(detail: InputErrorDetail): string {
  switch (detail.code) {
    case 'INPUT_UNSPLITTABLE':
      return (
        `no place to cut within ${detail.itemBytesMax} bytes from byte ${detail.offset} of the ` +
        'input; expected a line end, a space or punctuation: break it up, or use a program that ' +
        'cuts by size'
      );
    case 'INPUT_TOO_MANY_ITEMS':
      return (
        `the input makes more than ${detail.itemCountMax} items; send it as several jobs, or use ` +
        'a program with larger items'
      );
  }
}
