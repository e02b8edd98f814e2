/** Say what a node of the contract would say, and tell what a client makes of it. */
import type { JobView, Status } from '../../node/api/contract.ts';
import { ApiError, ClientError } from '../../node/client/http.ts';

export const digest = 'ab'.repeat(32);
export const status: Status = {
  protocol: 'anwansi/1',
  software: 'test',
  network: digest,
  seats: 4,
  seat: null,
  final: { height: 3, hash: digest, time: '2026-01-01T00:00:00.000Z', timeMs: 1_767_225_600_000 },
  view: 4,
  sync: 'synced',
  reason: null,
  peers: 3,
  addresses: ['/ip4/127.0.0.1/tcp/26920'],
  heard: [0, 1, 2, 3],
  quorum: 3,
  openJobs: 0,
  startedAt: '2026-01-01T00:00:00.000Z',
};
/** A view of the job at a height. */
export const job = (at: number, state: JobView['state'] = 'running'): JobView => ({
  id: digest,
  state,
  reason: null,
  awaits: null,
  submitter: null,
  items: 1,
  subtasks: 1,
  fee: '1',
  fuelItem: '16777216',
  mapFuel: null,
  includedHeight: 1,
  endedHeight: state === 'settled' ? at : null,
  provisional: null,
  at,
});
/** A refusal with hostile text in it. */
export const problem = {
  type: 'urn:anwansi:code:API_JOB_UNKNOWN',
  title: 'Unknown.',
  status: 404,
  code: 'API_JOB_UNKNOWN',
  detail: 'no such \u001b[31mjob\u202e\nat all',
  remedy: 'Look again.',
  retryable: false,
};

/** The code of what a promise rejects with. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'nothing';
  } catch (error) {
    if (error instanceof ApiError || error instanceof ClientError) return error.code;
    throw error;
  }
}
/** All that comes. */
export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
