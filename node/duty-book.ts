/** Keep the book of a seat's duties: a row for each draw, and what became of it. */
import { concatBytes, hex, sameBytes, unhex } from '../protocol/brand.ts';
import { uint64 } from '../protocol/crypto/hash.ts';
import type { ChainState, LedgerRules } from '../protocol/ledger/chain.ts';
import { StateCursor } from '../protocol/ledger/state.ts';
import { digestBytes } from '../protocol/params.ts';
import type { SealedBlock } from '../protocol/replica/wire.ts';
import type { DutyView } from './api/contract.ts';
import { type ReplayBase, replayBlock } from './duty-replay.ts';
import { type DutyRow, dutyRowCodec, dutyRows, type LaneAt } from './duty-row.ts';
import type { Store, StoreChange } from './ports.ts';

/** Rows of one page, at most. */
export const dutyPageMax = 1_000;
const keyBytes = 4 * 8 + digestBytes;

/** A stretch of the final chain: where it was, the blocks that followed, where it is. */
export type FinalStretch = {
  readonly before: ChainState;
  /** In rising height, from the one above `before` up to `chain`; one at least. */
  readonly blocks: readonly SealedBlock[];
  readonly chain: ChainState;
};

/**
 * The rows of a seat that a stretch of final blocks changed: every draw of it, with the furthest
 * that it got. A pure function: the same stretch gives the same rows, however it is cut.
 */
export function dutyChanges(
  { before, blocks, chain }: FinalStretch,
  rules: LedgerRules,
  seat: number,
): readonly StoreChange[] {
  const old = new StateCursor(before.map);
  if (old.open().length === 0 && blocks.every(({ items }) => items.length === 0)) return [];
  const changes: StoreChange[] = [];
  const put = (row: DutyRow): void => {
    changes.push({ bucket: 'duty', key: dutyKey(row), value: dutyRowCodec.encode(row) });
  };
  const left = new Set(new StateCursor(chain.map).open().map(hex));
  let base: ReplayBase = before;
  for (const [place, block] of blocks.entries()) {
    const last = place === blocks.length - 1;
    // What goes on is read from the chain: of the last block, only the jobs matter that it ended.
    const matters = last ? (job: Uint8Array): boolean => !left.has(hex(job)) : () => true;
    if (last && !new StateCursor(base.map).open().some(matters)) break;
    const { ended, next } = replayBlock(base, block, rules, matters);
    for (const { id, record, lanes, paid } of ended)
      for (const [number, lane] of lanes.entries())
        dutyRows({ id, record, number, lane, paid }, rules, seat).forEach(put);
    if (!last) base = next();
  }
  for (const at of openLanes(chain)) {
    const lane = old.lane(at.id, at.number);
    // A value that stays is the same object: what has not changed is not looked at.
    if (lane === at.lane) continue;
    const known = lane === null ? [] : dutyRows({ ...at, lane }, rules, seat);
    const rows = dutyRows(at, rules, seat);
    for (const [place, row] of rows.entries()) {
      const same = known[place];
      if (same === undefined || !sameRow(same, row)) put(row);
    }
  }
  return changes;
}

function* openLanes({ map }: ChainState): Generator<LaneAt> {
  const cursor = new StateCursor(map);
  for (const id of cursor.open()) {
    const record = cursor.job(id)!;
    for (let number = 0; number < (record.plan?.lanes ?? 0); number++)
      yield { id, record, number, lane: cursor.lane(id, number)!, paid: null };
  }
}

function sameRow(a: DutyRow, b: DutyRow): boolean {
  return sameBytes(dutyRowCodec.encode(a), dutyRowCodec.encode(b));
}

/** Rows stand in the order of their draws: read backwards, the newest comes first. */
function dutyKey({ drawnHeight, job, lane, wave, seat }: DutyRow): Uint8Array {
  return concatBytes(uint64(drawnHeight), job, uint64(lane), uint64(wave), uint64(seat));
}

/**
 * One page of the book, newest draws first.
 * @param cursor - `next` of the page before; null begins with the newest.
 * @throws RangeError for a cursor that is none, and for a limit outside 1 to {@link dutyPageMax}
 */
export async function readDuties(
  store: Store,
  cursor: string | null,
  limit: number,
): Promise<{ data: DutyView[]; next: string | null }> {
  const to = cursor === null ? null : unhex(cursor);
  if (cursor !== null && to?.length !== keyBytes) throw new RangeError('this is no cursor');
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > dutyPageMax)
    throw new RangeError(`a page has 1 to ${dutyPageMax} duties`);
  const found = await store.range('duty', {
    ...(to === null ? {} : { to }),
    limit: limit + 1,
    reverse: true,
  });
  const page = found.slice(0, limit);
  return {
    data: page.map(([, value]) => dutyView(dutyRowCodec.decode(value))),
    next: found.length > limit ? hex(page.at(-1)![0]) : null,
  };
}

function dutyView({ job, paid, ...rest }: DutyRow): DutyView {
  return { job: hex(job), ...rest, paid: String(paid) };
}
