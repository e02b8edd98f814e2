/** Order one job or one statement, or say why it has no place in the block. */
import { orderStatement } from '../aggregation/order.ts';
import { mark } from '../assert.ts';
import { sameBytes } from '../brand.ts';
import { admitJob, lifeFits } from '../job/admit.ts';
import { itemCount, type Job, jobId, type SignedJob } from '../job/job.ts';
import { messageHash, type SignedStatement, statementMessage } from '../job/statement.ts';
import { openJobCountMax } from '../params.ts';
import type { LedgerRules } from './chain.ts';
import type { BlockContext } from './context.ts';
import { type JobRecord, laneRules } from './record.ts';
import type { StateCursor } from './state.ts';

/**
 * Orders a job: from here on it ends by itself, whatever happens. Returns its id, or a code.
 * @see spec/protocol/ledger.md L21 to L28
 */
export function orderJob(
  cursor: StateCursor,
  signed: SignedJob,
  block: BlockContext,
  rules: LedgerRules,
): Uint8Array | string {
  const { job } = signed;
  const seats = rules.genesis.seats.length;
  const verdict = admitJob(signed, { network: rules.network, seats, suite: rules.suite });
  if (verdict.verdict !== 'accept') return code('L21', verdict.code);
  if (block.timeMs > job.includeByMs) return code('L22', 'JOB_NOT_INCLUDED_IN_TIME');
  const anchor = cursor.recent(job.anchorHeight);
  if (anchor === null || !sameBytes(anchor.hash, job.anchorHash))
    return code('L23', 'JOB_ANCHOR_UNKNOWN');
  if (!lifeFits(job.includeByMs, anchor.timeMs)) return code('L24', 'JOB_LIVES_TOO_LONG');
  if (cursor.usedNonce(job.submitter, job.nonce)) return code('L25', 'JOB_REPLAYED');
  const open = cursor.open();
  if (open.length >= openJobCountMax) return code('L26', 'LEDGER_JOBS_FULL');
  const escrow = jobEscrow(job, rules);
  const tokens = cursor.tokens(job.submitter);
  if (tokens < escrow) return code('L27', 'JOB_ESCROW');
  mark('L28');
  const id = jobId(job);
  cursor.setTokens(job.submitter, tokens - escrow);
  cursor.useNonce(job.submitter, job.nonce, job.includeByMs);
  cursor.setOpen([...open, id]);
  cursor.setJob(id, {
    state: 'ordered',
    reason: 'JOB_AWAITS_DRAW',
    submitter: job.submitter,
    items: itemCount(job),
    subtasks: job.subtasks,
    lossExponent: job.lossExponent,
    adversary: job.adversary,
    slowItemMs: job.slowItemMs,
    waves: job.waves,
    fuelItem: job.fuelItem,
    fee: job.fee,
    escrow,
    includedHeight: block.height,
    parentView: block.parent.view,
    anchorView: anchor.view,
    anchorHeight: anchor.height,
    plan: null,
    lanes: [],
    ended: null,
  });
  return id;
}

/**
 * Orders a seat's statement about its lane. Returns null, or why it has no place.
 * @see spec/protocol/ledger.md L29 to L32
 */
export function orderSeatStatement(
  cursor: StateCursor,
  signed: SignedStatement,
  height: number,
  rules: LedgerRules,
): string | null {
  const { statement } = signed;
  const record = cursor.job(statement.job);
  if (record === null) return code('L29', 'STATEMENT_JOB_UNKNOWN');
  const lane = cursor.lane(statement.job, statement.lane);
  if (record.plan === null || lane === null) return code('L30', 'STATEMENT_JOB_NOT_RUNNING');
  const seat = rules.genesis.seats[statement.seat];
  const message = statementMessage(statement, rules.network);
  if (seat === undefined || !rules.suite.verify(seat.publicKey, message, signed.signature))
    return code('L31', 'STATEMENT_SIGNATURE');
  const change = orderStatement(
    lane,
    rulesOfLane(record, rules, statement.lane),
    statement,
    messageHash(signed),
    height,
  );
  if (!change.ok) return change.code;
  mark('L32');
  cursor.setLane(statement.job, statement.lane, change.lane);
  return null;
}

/** Tokens that a network's contracts hold for a job. */
export function jobEscrow(job: Job, { contracts, genesis }: LedgerRules): bigint {
  const { fuelItem, fee } = job;
  return contracts.escrow({ items: itemCount(job), fuelItem, fee, seats: genesis.seats.length });
}

/** The rules of a lane of a drawn job. */
export function rulesOfLane(
  record: JobRecord,
  rules: LedgerRules,
  lane: number,
): ReturnType<typeof laneRules> {
  return laneRules(record, record.plan!, rules.genesis.parameters, lane);
}

function code(line: string, name: string): string {
  mark(line);
  return name;
}
