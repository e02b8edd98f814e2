/** Say what may wait in the pool, and what of it a leader offers to a block. */
import { mark } from '../assert.ts';
import { type Hex, hex, sameBytes } from '../brand.ts';
import { lifeFits } from '../job/admit.ts';
import type { Job, SignedJob } from '../job/job.ts';
import type { SignedStatement } from '../job/statement.ts';
import type { BlockItem } from '../ledger/block.ts';
import type { ChainState } from '../ledger/chain.ts';
import { jobEscrow } from '../ledger/items.ts';
import { StateCursor } from '../ledger/state.ts';
import { blockItemCountMax, blockJobCountMax } from '../params.ts';
import type { Pool } from './pool.ts';
import type { ReplicaState } from './state.ts';

/** Items that are offered at most: a block that refuses some of them is filled all the same. */
const offeredJobCountMax = 2 * blockJobCountMax;
const offeredStatementCountMax = 2 * blockItemCountMax;

/**
 * Why a job cannot wait here for its order, or null. Its signature has been judged. Anybody can
 * sign jobs: only one that the chain could order now is kept, so that junk costs its author money.
 * @see spec/protocol/replica.md R35, R36
 */
export function jobFault(state: ReplicaState, { job }: SignedJob, own: boolean): string | null {
  const { final } = state;
  const cursor = new StateCursor(final.map);
  if (job.includeByMs <= final.header.timeMs) return 'JOB_NOT_INCLUDED_IN_TIME';
  if (cursor.usedNonce(job.submitter, job.nonce)) return 'JOB_REPLAYED';
  const anchorMs = anchorTime(state, cursor, job);
  if (anchorMs === null) return 'JOB_ANCHOR_UNKNOWN';
  if (!lifeFits(job.includeByMs, anchorMs)) return 'JOB_LIVES_TOO_LONG';
  // A submitter's own node waits with it for an escrow that is still out.
  if (own) return null;
  return cursor.tokens(job.submitter) < jobEscrow(job, state.rules.ledger) ? 'JOB_ESCROW' : null;
}

/** Chain time of a job's anchor: a recent final block, or one above that is at hand. */
function anchorTime(state: ReplicaState, cursor: StateCursor, job: Job): number | null {
  const { final, tree } = state;
  if (sameBytes(job.anchorHash, final.hash)) return final.header.timeMs;
  const recent = cursor.recent(job.anchorHeight);
  if (recent !== null && sameBytes(recent.hash, job.anchorHash)) return recent.timeMs;
  return tree.get(hex(job.anchorHash))?.header.timeMs ?? null;
}

/** Whether a statement is in a chain, or can never be in it or in one that grows from it. */
export function isOrdered(cursor: StateCursor, { statement }: SignedStatement): boolean {
  const record = cursor.job(statement.job);
  if (record === null) return false;
  if (record.ended !== null) return true;
  const lane = cursor.lane(statement.job, statement.lane);
  if (lane === null) return record.plan !== null;
  if (lane.outcome !== 'open') return true;
  const wave = lane.waves[statement.wave];
  if (wave === undefined) return false;
  const slot = lane.slots.find((one) => one.wave === statement.wave && one.seat === statement.seat);
  if (slot === undefined || !sameBytes(wave.drawId, statement.drawId)) return true;
  switch (statement.kind) {
    case 'commit':
      return (
        wave.commitClose !== null ||
        slot.equivocated ||
        slot.abstained !== null ||
        (slot.commit !== null && sameBytes(slot.commit, statement.digest))
      );
    case 'abstain':
      return slot.abstained !== null || slot.commit !== null;
    case 'reveal':
      return (
        slot.claim !== null ||
        slot.equivocated ||
        (wave.commitClose !== null && slot.commit === null)
      );
    case 'open':
      return slot.opened || slot.wave === 0 || wave.closed !== null;
  }
}

/** Whether the next block on a chain may have a place for a statement, as far as is seen at once. */
function isPlaceable(cursor: StateCursor, signed: SignedStatement): boolean {
  const { job, lane, wave } = signed.statement;
  const drawn = cursor.lane(job, lane)?.waves[wave] !== undefined;
  return drawn && !isOrdered(cursor, signed);
}

/**
 * What a leader offers to a block on `parent`: statements first, because running jobs end before
 * new ones begin. What could not have a place is left out before any signature is checked.
 * @see spec/protocol/replica.md R39
 */
export function offeredItems(pool: Pool, parent: ChainState): readonly BlockItem[] {
  mark('R39');
  const cursor = new StateCursor(parent.map);
  const items: BlockItem[] = [];
  for (const { signed } of pool.statements.values()) {
    if (items.length >= offeredStatementCountMax) break;
    if (isPlaceable(cursor, signed)) items.push({ kind: 'statement', signed });
  }
  const end = items.length + offeredJobCountMax;
  for (const { signed } of pool.jobs.values()) {
    if (items.length >= end) break;
    const { submitter, nonce, includeByMs } = signed.job;
    if (includeByMs > parent.header.timeMs && !cursor.usedNonce(submitter, nonce))
      items.push({ kind: 'job', signed });
  }
  return items;
}

// A chain never changes: what is open in it is looked up once.
const known = new WeakMap<ChainState, ReadonlySet<Hex>>();

/** Jobs that are open at a block of a chain, by id. */
export function openJobs(chain: ChainState): ReadonlySet<Hex> {
  let open = known.get(chain);
  if (open === undefined) {
    open = new Set(new StateCursor(chain.map).open().map(hex));
    known.set(chain, open);
  }
  return open;
}
