/** Say why a job could not be prepared, submitted or brought to its end. */
import { ProtocolError } from '../../protocol/errors.ts';

export type ClientErrorDetail = Readonly<
  | { code: 'PROGRAM_NOT_FOUND'; program: string }
  | { code: 'PROGRAM_REJECTED'; program: string; reason: string; rejection: string }
  | { code: 'PARAMETERS_NOT_JSON'; reason: string }
  | { code: 'PARAMETERS_TOO_LONG'; bytes: number; bytesMax: number }
  | { code: 'INPUT_MISSING'; program: string }
  | { code: 'INPUT_NEEDLESS'; program: string }
  | { code: 'INPUT_NOT_FOUND'; path: string }
  | { code: 'INPUT_IS_DIRECTORY'; path: string }
  | { code: 'INPUT_EMPTY'; path: string }
  | { code: 'COUNT_FAILED'; reason: string }
  | { code: 'COUNT_OUT_OF_RANGE'; items: string; itemsMax: number }
  | { code: 'JOB_REFUSED'; refusal: string }
  | { code: 'NOT_INCLUDED'; includeBy: string }
  | { code: 'NETWORK_NO_QUORUM'; heard: number; needed: number; missing: readonly number[] }
  | { code: 'NODE_FAILED'; reason: string }
>;

/** A job that did not come about, or was lost sight of. */
export class ClientError extends ProtocolError<ClientErrorDetail> {
  constructor(detail: ClientErrorDetail, options?: ErrorOptions) {
    super(detail, describe(detail), options);
  }
}

function describe(detail: ClientErrorDetail): string {
  switch (detail.code) {
    case 'PROGRAM_NOT_FOUND':
      return `there is no program ${detail.program}: expected a name under programs/ or a .wasm file`;
    case 'PROGRAM_REJECTED':
      return `${detail.program} cannot be run: ${detail.reason} (${detail.rejection})`;
    case 'PARAMETERS_NOT_JSON':
      return `--params is not JSON: ${detail.reason}`;
    case 'PARAMETERS_TOO_LONG':
      return `--params has ${detail.bytes} bytes, at most ${detail.bytesMax} are allowed`;
    case 'INPUT_MISSING':
      return `${detail.program} works on an input, and none was given`;
    case 'INPUT_NEEDLESS':
      return `${detail.program} makes its items from its parameters and takes no input`;
    case 'INPUT_NOT_FOUND':
      return `there is no input ${detail.path}`;
    case 'INPUT_IS_DIRECTORY':
      return `the input ${detail.path} is a directory, expected a file`;
    case 'INPUT_EMPTY':
      return `the input ${detail.path} is empty: there is nothing to compute`;
    case 'COUNT_FAILED':
      return `the program could not make items from these parameters: ${detail.reason}`;
    case 'COUNT_OUT_OF_RANGE':
      return `the program wants ${detail.items} items, expected 1 to ${detail.itemsMax}`;
    case 'JOB_REFUSED':
      return `the network refused the job: ${detail.refusal}`;
    case 'NOT_INCLUDED':
      return `no block took the job before its time was over (${detail.includeBy})`;
    case 'NETWORK_NO_QUORUM':
      return `stalled: the network stands still; ${detail.heard} seats were heard, ${detail.needed} are needed, missing ${detail.missing.join(', ')}`;
    case 'NODE_FAILED':
      return `the node failed: ${detail.reason}`;
  }
}
