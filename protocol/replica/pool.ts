/** Keep admitted jobs and statements, bounded, until the chain has ordered them. */
import { mark } from '../assert.ts';
import { type Hex, hex } from '../brand.ts';
import { jobId, type SignedJob } from '../job/job.ts';
import { messageHash, type SignedStatement } from '../job/statement.ts';

/** Jobs of one submitter and of all, and statements of one seat, that a pool keeps. */
export const pooledJobCountMax = 4_096;
export const pooledJobsOfSubmitterMax = 512;
export const pooledStatementsOfSeatMax = 2_048;
/** Bytes of own jobs, and of own statements, after which a round of saying them again ends. */
export const repeatedBytesMax = 256 * 1024;
/** Statements of one seat about one thing: two exclude each other, more say no more. */
export const pooledStatementsOfSubjectMax = 2;

export type PooledJob = { readonly signed: SignedJob; readonly id: Hex };
export type PooledStatement = {
  readonly signed: SignedStatement;
  readonly seat: number;
  readonly subject: string;
};

/** What waits to be ordered. Insertion order is kept: first come, first offered. */
export type Pool = {
  readonly jobs: Map<Hex, PooledJob>;
  /** Of these, the ones that were submitted here; who was announced longest ago comes first. */
  readonly own: Set<Hex>;
  readonly statements: Map<Hex, PooledStatement>;
  readonly ofSubmitter: Map<Hex, number>;
  readonly ofSeat: Map<number, number>;
  readonly ofSubject: Map<string, number>;
};

export type Inserted = 'new' | 'known' | 'full';

export function emptyPool(): Pool {
  return {
    jobs: new Map(),
    own: new Set(),
    statements: new Map(),
    ofSubmitter: new Map(),
    ofSeat: new Map(),
    ofSubject: new Map(),
  };
}

function count<K>(counts: Map<K, number>, key: K, change: number): void {
  const next = (counts.get(key) ?? 0) + change;
  if (next === 0) counts.delete(key);
  else counts.set(key, next);
}

export function insertJob(pool: Pool, signed: SignedJob, own: boolean): Inserted {
  const id = hex(jobId(signed.job));
  if (pool.jobs.has(id)) {
    // What others told us first is ours too, once it is submitted here: then we repeat it.
    if (own) pool.own.add(id);
    return 'known';
  }
  const submitter = hex(signed.job.submitter);
  if (
    pool.jobs.size >= pooledJobCountMax ||
    (pool.ofSubmitter.get(submitter) ?? 0) >= pooledJobsOfSubmitterMax
  )
    return 'full';
  pool.jobs.set(id, { signed, id });
  if (own) pool.own.add(id);
  count(pool.ofSubmitter, submitter, 1);
  return 'new';
}

export function insertStatement(pool: Pool, signed: SignedStatement): Inserted {
  const id = hex(messageHash(signed));
  if (pool.statements.has(id)) return 'known';
  const { seat, kind, drawId, job, lane } = signed.statement;
  const subject = `${seat}/${kind}/${lane}/${hex(job)}/${hex(drawId)}`;
  if (
    (pool.ofSeat.get(seat) ?? 0) >= pooledStatementsOfSeatMax ||
    (pool.ofSubject.get(subject) ?? 0) >= pooledStatementsOfSubjectMax
  )
    return 'full';
  pool.statements.set(id, { signed, seat, subject });
  count(pool.ofSeat, seat, 1);
  count(pool.ofSubject, subject, 1);
  return 'new';
}

export function removeJob(pool: Pool, id: Hex): void {
  const found = pool.jobs.get(id);
  if (found === undefined) return;
  pool.jobs.delete(id);
  pool.own.delete(id);
  count(pool.ofSubmitter, hex(found.signed.job.submitter), -1);
}

export function removeStatement(pool: Pool, id: Hex): void {
  const found = pool.statements.get(id);
  if (found === undefined) return;
  pool.statements.delete(id);
  count(pool.ofSeat, found.seat, -1);
  count(pool.ofSubject, found.subject, -1);
}

/**
 * Says again what waits longest: each thing that has been said goes behind all others. Ends at the
 * first that reaches {@link repeatedBytesMax}, so that a long queue costs a round no more than a
 * short one, and everything has its turn.
 * @param say - Publishes one thing and gives its bytes; null for one that need not be said.
 */
export function sayInTurn<K>(
  waiting: Iterable<K>,
  say: (key: K) => number | null,
  toEnd: (key: K) => void,
): void {
  let bytes = 0;
  for (const key of [...waiting]) {
    const said = say(key);
    if (said === null) continue;
    toEnd(key);
    bytes += said;
    if (bytes < repeatedBytesMax) continue;
    mark('R71');
    return;
  }
}
