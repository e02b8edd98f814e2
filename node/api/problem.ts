/** Turn what was thrown into an answer: a status, a stable code, what it means, what to do. */
import { ProtocolError } from '../../protocol/errors.ts';
import { codeEntry } from '../cli/codes.ts';
import type { Problem } from './contract.ts';
import { ApiError, type ApiErrorDetail, apiStatuses, RulingError } from './error.ts';

export const problemType = 'application/problem+json';

/** Statuses of errors that others throw: whoever is to blame decides. The rest are ours: 500. */
const statuses: Readonly<Record<string, number>> = {
  BLOB_TOO_LONG: 413,
  BLOB_QUOTA: 507,
  BLOB_NO_SPACE: 507,
  STORE_NO_SPACE: 507,
  RECEIPT_JOB_UNFINISHED: 409,
  RECEIPT_TOO_LARGE: 409,
  RECEIPT_PIECE_MISSING: 503,
  STATE_PROOF_NOTHING_FINAL: 503,
  STATE_PROOF_PIECE_MISSING: 503,
  STATE_PROOF_KEY_TOO_LONG: 400,
  STORE_CLOSED: 503,
};

/** Statuses after which the same request may succeed. */
const retryable: readonly number[] = [408, 429, 503, 504];

function statusOf(error: unknown): number {
  if (error instanceof ApiError) return apiStatuses[error.code as ApiErrorDetail['code']];
  if (error instanceof RulingError) return error.detail.status;
  if (!(error instanceof ProtocolError)) return 500;
  const { code } = error;
  const status = statuses[code];
  if (status !== undefined) return status;
  if (code.startsWith('CODEC_')) return 400;
  return code.startsWith('NETWORK_') ? 503 : 500;
}

/** What is said of an error. Of one of ours only what it means: its message is for the log. */
export function problemOf(error: unknown): Problem {
  const status = statusOf(error);
  const code = error instanceof ProtocolError ? error.code : 'UNEXPECTED';
  const entry = codeEntry(code);
  const meaning = entry?.meaning ?? 'Something is not as it should be.';
  const told = error instanceof ProtocolError && (status < 500 || error instanceof RulingError);
  return {
    type: `urn:anwansi:code:${code}`,
    title: meaning,
    status,
    code,
    detail: told ? error.message : meaning,
    remedy: entry?.remedy ?? '',
    retryable: retryable.includes(status) || code === 'API_JOB_NOT_ENDED',
  };
}

/** The answer that says it. */
export function problemResponse(error: unknown): Response {
  const problem = problemOf(error);
  const headers = new Headers({ 'content-type': problemType });
  const detail = error instanceof ApiError ? error.detail : null;
  if (detail?.code === 'API_METHOD_REFUSED') headers.set('allow', detail.allowed.join(', '));
  if (detail?.code === 'API_UNAUTHORIZED') headers.set('www-authenticate', 'Bearer');
  if (detail?.code === 'API_RANGE') headers.set('content-range', `bytes */${detail.bytes}`);
  if (detail?.code === 'API_BUSY') headers.set('retry-after', String(detail.retrySeconds));
  else if (problem.status === 503) headers.set('retry-after', '2');
  return new Response(`${JSON.stringify(problem)}\n`, { status: problem.status, headers });
}

/** Whether nobody foresaw an error, so that the log must have all of it. */
export function isUnexpected(error: unknown): boolean {
  return statusOf(error) === 500;
}
