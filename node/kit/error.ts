/** Say why a program could not be begun, built or tested. */
import { ProtocolError } from '../../protocol/errors.ts';

export type KitErrorDetail = Readonly<
  | { code: 'PROGRAM_TOOL_MISSING'; tool: string; remedy: string }
  | { code: 'PROGRAM_BUILD_FAILED'; compiler: string; said: string }
  | { code: 'PROGRAM_PROJECT'; folder: string; reason: string }
  | { code: 'PROGRAM_NAME'; name: string; like: string }
  | { code: 'PROGRAM_EXISTS'; folder: string }
  | { code: 'PROGRAM_NO_TESTS'; folder: string }
  | { code: 'PROGRAM_NOT_BUILT'; file: string }
  | { code: 'PROGRAM_STALE'; file: string; reason: string }
>;

/** A fault of a program's author, or of the author's machine. */
export class KitError extends ProtocolError<KitErrorDetail> {
  constructor(detail: KitErrorDetail, options?: ErrorOptions) {
    super(detail, describe(detail), options);
  }
}

function describe(detail: KitErrorDetail): string {
  switch (detail.code) {
    case 'PROGRAM_TOOL_MISSING':
      return `${detail.tool} is not there: ${detail.remedy}`;
    case 'PROGRAM_BUILD_FAILED':
      return `${detail.compiler} refused the source:\n${detail.said}`;
    case 'PROGRAM_PROJECT':
      return `${detail.folder} is not a program's folder: ${detail.reason}`;
    case 'PROGRAM_NAME':
      return (
        `${JSON.stringify(detail.name)} cannot be the name of a program: it has small letters, ` +
        `digits and -, begins with a letter, and is not long; such as ${detail.like}`
      );
    case 'PROGRAM_EXISTS':
      return `${detail.folder} is there already, and nothing in it was touched`;
    case 'PROGRAM_NO_TESTS':
      return `${detail.folder} has no tests: no file NAME.expected or NAME.input`;
    case 'PROGRAM_NOT_BUILT':
      return `${detail.file} is not there: the program was not built`;
    case 'PROGRAM_STALE':
      return `${detail.file} is not what the folder holds now: ${detail.reason}`;
  }
}
