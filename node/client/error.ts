/** Say why a node could not be asked, or a job not be prepared, submitted or ended. */
import { ProtocolError } from '../../protocol/errors.ts';
import type { ProgramErrorDetail } from '../../protocol/execution/rejection.ts';
import { protocolName } from '../../protocol/params.ts';
import type { Foreseen } from './foreseen.ts';

export type ClientErrorDetail = Readonly<
  | { code: 'PROGRAM_NOT_FOUND'; program: string; reason: string; meant: string | null }
  | { code: 'PROGRAM_AMBIGUOUS'; program: string; bundled: string }
  | { code: 'PROGRAM_IS_SOURCE'; program: string; project: string; what: string }
  | { code: 'PROGRAM_REJECTED'; program: string; reason: string; rejection: string }
  | { code: 'PARAMETERS_NOT_JSON'; reason: string }
  | { code: 'PARAMETERS_TOO_LONG'; bytes: number; bytesMax: number }
  | { code: 'INPUT_MISSING'; program: string }
  | { code: 'INPUT_NEEDLESS'; program: string }
  | { code: 'INPUT_NOT_FOUND'; path: string }
  | { code: 'INPUT_IS_DIRECTORY'; path: string }
  | { code: 'INPUT_EMPTY'; path: string }
  /** Whether any parameters were given. */
  | { code: 'COUNT_FAILED'; reason: string; given: boolean }
  | { code: 'COUNT_OUT_OF_RANGE'; items: string; itemsMax: number }
  | { code: 'ITEM_OUT_OF_RANGE'; item: number; items: number }
  | { code: 'FUEL_OUT_OF_RANGE'; flag: string; fuel: string; most: string }
  | {
      code: 'ITEM_FAILED' | 'COMBINE_FAILED' | 'RENDER_FAILED';
      failure: Foreseen;
      sentence: string;
    }
  | { code: 'JOB_REFUSED'; refusal: string }
  | { code: 'NOT_INCLUDED'; includeBy: string; renewals: number }
  | { code: 'NETWORK_NO_QUORUM'; heard: number; needed: number; missing: readonly number[] }
  | { code: 'NODE_FAILED'; reason: string }
  | { code: 'CLIENT_URL'; url: string; reason: string }
  | { code: 'CLIENT_UNREACHABLE'; url: string; reason: string }
  | { code: 'CLIENT_TIMEOUT'; url: string; ms: number; what: string }
  | { code: 'CLIENT_BROKEN_OFF'; url: string; reason: string }
  | { code: 'CLIENT_NOT_ANWANSI'; url: string; reason: string }
  | { code: 'CLIENT_OTHER_PROTOCOL'; url: string; protocol: string }
  | { code: 'CLIENT_OTHER_NETWORK'; said: string; found: string }
  | { code: 'CLIENT_ANSWER_MALFORMED'; url: string; reason: string }
  | { code: 'CLIENT_ANSWER_TOO_LARGE'; url: string; bytesMax: number }
  | { code: 'CLIENT_BLOB_MISMATCH'; cid: string; found: string }
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
      return (
        `there is no program ${detail.program}: ${detail.reason}` +
        (detail.meant === null ? '' : `; did you mean ${detail.meant}?`)
      );
    case 'PROGRAM_AMBIGUOUS':
      return (
        `${detail.program} is a program that comes along, and a folder here: ` +
        `expected ./${detail.program} for the folder, or ${detail.bundled}`
      );
    case 'PROGRAM_IS_SOURCE':
      return (
        `${detail.program} is no program: this is a ${detail.what} of the project ` +
        `${detail.project}: name that folder`
      );
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
      return detail.given
        ? `the program could not make items from these parameters: ${detail.reason}`
        : `no --params was given, and the program could not make items without: ${detail.reason}`;
    case 'COUNT_OUT_OF_RANGE':
      return `the program wants ${detail.items} items, expected 1 to ${detail.itemsMax}`;
    case 'ITEM_OUT_OF_RANGE':
      return detail.items === 1
        ? `the job has no item ${detail.item}: its only one is item 0`
        : `the job has no item ${detail.item}: it has ${detail.items}, 0 to ${detail.items - 1}`;
    case 'FUEL_OUT_OF_RANGE':
      return `${detail.flag} asks for ${detail.fuel} units of fuel, expected 1 to ${detail.most}`;
    case 'ITEM_FAILED':
    case 'COMBINE_FAILED':
    case 'RENDER_FAILED':
      return detail.sentence;
    case 'JOB_REFUSED':
      return `the network refused the job: ${detail.refusal}`;
    case 'NOT_INCLUDED':
      return (
        `no block took the job before its time was over (${detail.includeBy})` +
        (detail.renewals === 0 ? '' : `, nor ${detail.renewals} before it that it stood in for`)
      );
    case 'NETWORK_NO_QUORUM':
      return `stalled: the network stands still; ${detail.heard} seats were heard, ${detail.needed} are needed, missing ${detail.missing.join(', ')}`;
    case 'NODE_FAILED':
      return `the node failed: ${detail.reason}`;
    default:
      return describeExchange(detail);
  }
}

type ExchangeDetail = Extract<ClientErrorDetail, { readonly code: `CLIENT_${string}` }>;

function describeExchange(detail: ExchangeDetail): string {
  switch (detail.code) {
    case 'CLIENT_URL':
      return `${detail.url} is not where a node can be asked: ${detail.reason}`;
    case 'CLIENT_UNREACHABLE':
      return `no node answers at ${detail.url}: ${detail.reason}`;
    case 'CLIENT_TIMEOUT':
      return `the node at ${detail.url} took longer than ${detail.ms} ms: ${detail.what}`;
    case 'CLIENT_BROKEN_OFF':
      return `the node at ${detail.url} broke off: ${detail.reason}`;
    case 'CLIENT_NOT_ANWANSI':
      return `something answers at ${detail.url}, but it is no node's API: ${detail.reason}`;
    case 'CLIENT_OTHER_PROTOCOL':
      return `the node at ${detail.url} speaks ${detail.protocol}, this client ${protocolName}`;
    case 'CLIENT_OTHER_NETWORK':
      return `the node says that it is of network ${detail.said}, its genesis is of ${detail.found}`;
    case 'CLIENT_ANSWER_MALFORMED':
      return `the node at ${detail.url} gave an answer that is none: ${detail.reason}`;
    case 'CLIENT_ANSWER_TOO_LARGE':
      return `the node at ${detail.url} answered with more than ${detail.bytesMax} bytes`;
    case 'CLIENT_BLOB_MISMATCH':
      return `the bytes of ${detail.cid} are those of ${detail.found}`;
  }
}

export type ApiErrorDetail = {
  /** The server's own stable code. */
  readonly code: string;
  /** Status of the HTTP answer. */
  readonly status: number;
  readonly title: string;
  readonly remedy: string;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
};

/** A refusal that a node explained. Its texts are the node's, without control characters. */
export class ApiError extends ProtocolError<ApiErrorDetail> {
  constructor(detail: ApiErrorDetail, message: string) {
    super(detail, message);
  }
}

/** What a person is told of a program that no sandbox runs. */
export function rejected(
  program: string,
  { code: rejection, reason, offset }: ProgramErrorDetail,
): ClientError {
  const said = `${reason} (at byte ${offset})`;
  return new ClientError({ code: 'PROGRAM_REJECTED', program, reason: said, rejection });
}
