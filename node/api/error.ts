/** Say why a request is refused, or why the API cannot be opened. */
import { ProtocolError } from '../../protocol/errors.ts';

export type ApiErrorDetail = Readonly<
  | { code: 'API_HOST_REFUSED'; host: string }
  | { code: 'API_ORIGIN_REFUSED'; origin: string }
  | { code: 'API_UNAUTHORIZED' }
  | { code: 'API_MALFORMED'; at: string; expected: string }
  | { code: 'API_NOT_FOUND' }
  | { code: 'API_METHOD_REFUSED'; allowed: readonly string[] }
  | { code: 'API_BODY_TYPE'; expected: readonly string[] }
  | { code: 'API_BODY_TOO_LARGE'; bytesMax: number }
  | { code: 'API_BODY_TOO_SLOW'; bytes: number }
  | { code: 'API_BODY_CUT'; bytes: number }
  | { code: 'API_BUSY'; what: string; retrySeconds: number }
  | { code: 'API_TOO_SLOW'; what: string }
  | { code: 'API_KEY_REUSED' }
  | { code: 'API_JOB_UNKNOWN'; job: string }
  | { code: 'API_JOB_NOT_ENDED'; state: string; awaits: string | null }
  | { code: 'API_JOB_ORDERED'; job: string }
  | { code: 'API_BLOB_UNKNOWN'; cid: string }
  | { code: 'API_BLOCK_UNKNOWN'; block: string }
  | { code: 'API_RANGE'; bytes: number }
  | { code: 'API_REMOTE_REFUSED'; host: string }
  | { code: 'API_REMOTE_OPEN'; host: string }
  | { code: 'API_TOKEN_FILE'; path: string; reason: string }
  | { code: 'API_LISTEN'; host: string; port: number; reason: string }
>;

/** A request that is not answered as it was asked, or a listener that is not opened. */
export class ApiError extends ProtocolError<ApiErrorDetail> {
  constructor(detail: ApiErrorDetail, options?: ErrorOptions) {
    super(detail, describe(detail), options);
  }
}

/** A job or a result that the protocol, not this API, says no to: its code is the protocol's. */
export class RulingError extends ProtocolError<{
  readonly code: string;
  readonly status: number;
}> {}

/** HTTP status of each of our codes. Those of the last four never reach a client. */
export const apiStatuses: Readonly<Record<ApiErrorDetail['code'], number>> = {
  API_HOST_REFUSED: 403,
  API_ORIGIN_REFUSED: 403,
  API_UNAUTHORIZED: 401,
  API_MALFORMED: 400,
  API_NOT_FOUND: 404,
  API_METHOD_REFUSED: 405,
  API_BODY_TYPE: 415,
  API_BODY_TOO_LARGE: 413,
  API_BODY_TOO_SLOW: 408,
  API_BODY_CUT: 400,
  API_BUSY: 429,
  API_TOO_SLOW: 504,
  API_KEY_REUSED: 409,
  API_JOB_UNKNOWN: 404,
  API_JOB_NOT_ENDED: 409,
  API_JOB_ORDERED: 409,
  API_BLOB_UNKNOWN: 404,
  API_BLOCK_UNKNOWN: 404,
  API_RANGE: 416,
  API_REMOTE_REFUSED: 500,
  API_REMOTE_OPEN: 500,
  API_TOKEN_FILE: 500,
  API_LISTEN: 500,
};

/** What came from outside is shown in part: an answer is never longer for a long request. */
function shown(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function describe(detail: ApiErrorDetail): string {
  switch (detail.code) {
    case 'API_HOST_REFUSED':
      return `this node does not answer under the name "${shown(detail.host)}"`;
    case 'API_ORIGIN_REFUSED':
      return `a page of "${shown(detail.origin)}" may not ask this node`;
    case 'API_UNAUTHORIZED':
      return 'the request carries no token, or another one: "Authorization: Bearer TOKEN"';
    case 'API_MALFORMED':
      return `${detail.at}: expected ${detail.expected}`;
    case 'API_NOT_FOUND':
      return 'there is nothing at this path: /openapi.json lists what there is';
    case 'API_METHOD_REFUSED':
      return `this path answers ${detail.allowed.join(', ')} alone`;
    case 'API_BODY_TYPE':
      return `expected a body of type ${detail.expected.join(' or ')}, not encoded further`;
    case 'API_BODY_TOO_LARGE':
      return `the body is longer than ${detail.bytesMax} bytes`;
    case 'API_BODY_TOO_SLOW':
      return `the body stopped coming after ${detail.bytes} bytes, or came too slowly`;
    case 'API_BODY_CUT':
      return `the body broke off after ${detail.bytes} bytes`;
    case 'API_BUSY':
      return `${detail.what} at once is all that this node does`;
    case 'API_TOO_SLOW':
      return `${detail.what} took longer than a request may`;
    case 'API_KEY_REUSED':
      return 'this Idempotency-Key came with another body before';
    case 'API_JOB_UNKNOWN':
      return `this node never heard of a job ${detail.job}`;
    case 'API_JOB_NOT_ENDED':
      return `the job is ${detail.state}${detail.awaits === null ? '' : `: ${detail.awaits}`}`;
    case 'API_JOB_ORDERED':
      return `the job ${detail.job} is in a final block and takes its course`;
    case 'API_BLOB_UNKNOWN':
      return `this node does not have the blob ${detail.cid}`;
    case 'API_BLOCK_UNKNOWN':
      return `this node has no final block "${shown(detail.block)}"`;
    case 'API_RANGE':
      return `the range lies outside of the ${detail.bytes} bytes that there are`;
    case 'API_REMOTE_REFUSED':
      return `${detail.host} is not a loopback address`;
    case 'API_REMOTE_OPEN':
      return `without a token everybody who reaches ${detail.host} could use this node`;
    case 'API_TOKEN_FILE':
      return `the token file ${detail.path}: ${detail.reason}`;
    case 'API_LISTEN':
      return `cannot listen on ${detail.host} port ${detail.port}: ${detail.reason}`;
  }
}
