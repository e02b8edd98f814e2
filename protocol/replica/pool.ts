/** Keep admitted jobs and statements, bounded, until the chain has ordered them. */
import { type Hex, hex } from '../brand.ts';
import { jobId, type SignedJob } from '../job/job.ts';
import { messageHash, type SignedStatement } from '../job/statement.ts';

/** Jobs of one submitter and of all, and statements of one seat, that a pool keeps. */
export const pooledJobCountMax = 4_096;
export const pooledJobsOfSubmitterMax = 512;
export const pooledStatementsOfSeatMax = 2_048;
/** Statements of one seat about one thing: two exclude each other, more say no more. */
export const pooledStatementsOfSubjectMax = 2;

export type PooledJob = { readonly signed: SignedJob; readonly id: Hex; readonly own: boolean };
export type PooledStatement = {
  readonly signed: SignedStatement;
  readonly seat: number;
  readonly subject: string;
};

/** What waits to be ordered. Insertion order is kept: first come, first offered. */
export type Pool = {
  readonly jobs: Map<Hex, PooledJob>;
  readonly statements: Map<Hex, PooledStatement>;
  readonly ofSubmitter: Map<Hex, number>;
  readonly ofSeat: Map<number, number>;
  readonly ofSubject: Map<string, number>;
};

export type Inserted = 'new' | 'known' | 'full';

export function emptyPool(): Pool {
  return {
    jobs: new Map(),
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
  const known = pool.jobs.get(id);
  if (known !== undefined) {
    // What others told us first is ours too, once it is submitted here: then we repeat it.
    if (own && !known.own) pool.jobs.set(id, { ...known, own });
    return 'known';
  }
  const submitter = hex(signed.job.submitter);
  if (
    pool.jobs.size >= pooledJobCountMax ||
    (pool.ofSubmitter.get(submitter) ?? 0) >= pooledJobsOfSubmitterMax
  )
    return 'full';
  pool.jobs.set(id, { signed, id, own });
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
  count(pool.ofSubmitter, hex(found.signed.job.submitter), -1);
}

export function removeStatement(pool: Pool, id: Hex): void {
  const found = pool.statements.get(id);
  if (found === undefined) return;
  pool.statements.delete(id);
  count(pool.ofSeat, found.seat, -1);
  count(pool.ofSubject, found.subject, -1);
}
