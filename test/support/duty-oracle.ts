/** Judge a book of duties by the blocks alone: what was drawn, said and paid. */

import type { DutyView } from '../../node/api/contract.ts';
import { type dutyChanges, readDuties } from '../../node/duty-book.ts';
import type { Store } from '../../node/ports.ts';
import { openMemoryStore } from '../../node/storage/memory.ts';
import { sameClaim } from '../../protocol/aggregation/lane.ts';
import { hex, unhex } from '../../protocol/brand.ts';
import { tryDecode } from '../../protocol/codec/codec.ts';
import { jobId } from '../../protocol/job/job.ts';
import type { Statement } from '../../protocol/job/statement.ts';
import { blockItemCodec } from '../../protocol/ledger/block.ts';
import type { ChainState, LedgerRules } from '../../protocol/ledger/chain.ts';
import { StateCursor } from '../../protocol/ledger/state.ts';
import type { SealedBlock } from '../../protocol/replica/wire.ts';
import type { LedgerWorld } from './ledger-world.ts';

/** A run of a chain: all its states from height 0 on, and the blocks between them. */
export type ChainRun = {
  readonly rules: LedgerRules;
  readonly chains: readonly ChainState[];
  /** `blocks[h]` leads from height h to height h + 1. */
  readonly blocks: readonly SealedBlock[];
};

export function runOf({ rules, chains, bodies }: LedgerWorld): ChainRun {
  const blocks = chains.slice(1).map(({ header }, place) => ({
    header,
    signature: new Uint8Array(64),
    items: bodies[place + 1]!,
  }));
  return { rules, chains, blocks };
}

/** The heights that a run became final at, one after the other; the last is its tip. */
export type Cuts = readonly number[];

export function everyHeight({ chains }: ChainRun): Cuts {
  return chains.slice(1).map(({ header }) => header.height);
}

/** How a book is written; a twin writes it another way. */
export type Bookkeeper = typeof dutyChanges;

/** The book of all seats, as their nodes would write it. */
export async function bookOf(run: ChainRun, cuts: Cuts, write: Bookkeeper): Promise<Store> {
  const { chains, rules, blocks } = run;
  const store = openMemoryStore();
  let from = 0;
  for (const to of cuts) {
    const stretch = { before: chains[from]!, blocks: blocks.slice(from, to), chain: chains[to]! };
    for (const seat of rules.genesis.seats.keys())
      await store.batch(write(stretch, rules, seat), { durable: true });
    from = to;
  }
  return store;
}

/** All rows of a book, page by page. */
export async function rowsOf(store: Store, limit = 1_000): Promise<DutyView[]> {
  const rows: DutyView[] = [];
  for (let cursor: string | null = null; ; ) {
    const { data, next }: Awaited<ReturnType<typeof readDuties>> = await readDuties(
      store,
      cursor,
      limit,
    );
    rows.push(...data);
    if (next === null) return rows;
    cursor = next;
  }
}

/** What is wrong with the rows of all seats; empty for a true book. */
export function bookFaults(run: ChainRun, rows: readonly DutyView[]): readonly string[] {
  return [...drawFaults(run, rows), ...stateFaults(run, rows), ...payFaults(run, rows)];
}

function jobsOf({ blocks }: ChainRun): readonly Uint8Array[] {
  return blocks.flatMap(({ items }) =>
    items.flatMap((bytes) => {
      const item = tryDecode(blockItemCodec, bytes);
      return item?.kind === 'job' ? [jobId(item.signed.job)] : [];
    }),
  );
}

/** Each drawn slot has one row, and each row is of a drawn slot. */
function drawFaults(run: ChainRun, rows: readonly DutyView[]): readonly string[] {
  const faults: string[] = [];
  const cursor = new StateCursor(run.chains.at(-1)!.map);
  const counts = new Map<string, number>();
  const seen = new Set<string>();
  for (const { job, lane, wave, seat } of rows) {
    const draw = `${job}/${lane}/${wave}`;
    counts.set(draw, (counts.get(draw) ?? 0) + 1);
    if (seen.has(`${draw}/${seat}`)) faults.push(`two rows of seat ${seat} for one draw`);
    seen.add(`${draw}/${seat}`);
  }
  let drawn = 0;
  for (const id of jobsOf(run)) {
    const { plan, lanes, ended } = cursor.job(id)!;
    for (let lane = 0; lane < (plan?.lanes ?? 0); lane++) {
      const open = ended === null ? cursor.lane(id, lane)! : null;
      const waves = open === null ? lanes[lane]!.waves : open.waves;
      for (const wave of waves.keys()) {
        const slots =
          open === null
            ? lanes[lane]!.waves[wave]!.seats
            : open.slots.filter((slot) => slot.wave === wave).length;
        const told = counts.get(`${hex(id)}/${lane}/${wave}`) ?? 0;
        if (told !== slots) faults.push(`wave ${wave} drew ${slots} seats, ${told} have rows`);
        drawn += slots;
      }
    }
  }
  if (rows.length !== drawn) faults.push(`${rows.length} rows for ${drawn} draws`);
  return faults;
}

/** What the blocks say of each draw, read from their statements. */
export function saidIn({
  blocks,
}: Pick<ChainRun, 'blocks'>): ReadonlyMap<string, readonly Statement[]> {
  const said = new Map<string, Statement[]>();
  for (const { items } of blocks)
    for (const bytes of items) {
      const item = tryDecode(blockItemCodec, bytes);
      if (item?.kind !== 'statement') continue;
      const { statement } = item.signed;
      const { job, lane, wave, seat } = statement;
      const key = `${hex(job)}/${lane}/${wave}/${seat}`;
      said.set(key, [...(said.get(key) ?? []), statement]);
    }
  return said;
}

const endStates = ['counted', 'dissenting', 'abstained', 'silent', 'equivocated', 'late'];

/** Each row is in the state that its own statements and the lane's result give. */
function stateFaults(run: ChainRun, rows: readonly DutyView[]): readonly string[] {
  const said = saidIn(run);
  const cursor = new StateCursor(run.chains.at(-1)!.map);
  return rows.flatMap((row) => {
    const { job, lane, wave, seat, state, closedHeight } = row;
    const own = said.get(`${job}/${lane}/${wave}/${seat}`) ?? [];
    const id = unhex(job)!;
    const record = cursor.job(id)!;
    const open = cursor.lane(id, lane);
    const closed = record.lanes[lane];
    const claim = closed?.claim ?? (open?.accepted == null ? null : open.claims[open.accepted]!);
    const over = record.ended !== null || open!.outcome !== 'open';
    const faults = possible(own, wave, claim, over).includes(state)
      ? []
      : [`seat ${seat} is told ${state} in wave ${wave} after ${own.map(({ kind }) => kind)}`];
    if (over !== (closedHeight !== null)) faults.push(`a row is closed with its lane: ${state}`);
    if (claim !== null && !endStates.includes(state))
      faults.push(`${state} is no end for a lane with a result`);
    return faults;
  });
}

type Claim = Parameters<typeof sameClaim>[0] | null;

/** States that a seat's statements leave open: what it missed depends on when its phases ended. */
function possible(
  own: readonly Statement[],
  wave: number,
  claim: Claim,
  over: boolean,
): readonly DutyView['state'][] {
  const commits = own.filter(({ kind }) => kind === 'commit').length;
  const reveal = own.find((one) => one.kind === 'reveal');
  const opened = own.some(({ kind }) => kind === 'open');
  if (commits > 1) return ['equivocated'];
  if (own.some(({ kind }) => kind === 'abstain')) return ['abstained'];
  if (reveal !== undefined && (wave === 0 || opened)) {
    if (claim !== null) return [sameClaim(reveal.claim, claim) ? 'counted' : 'dissenting'];
    return [wave === 0 ? 'revealed' : 'opened'];
  }
  const furthest = reveal !== undefined ? 'revealed' : commits > 0 ? 'committed' : 'drawn';
  const missed = reveal === undefined ? 'silent' : 'late';
  return !over || claim === null ? [furthest, missed] : [missed, 'late'];
}

/** What the rows of a seat say it was paid is what its account has. */
function payFaults({ rules, chains }: ChainRun, rows: readonly DutyView[]): readonly string[] {
  const before = new StateCursor(chains[0]!.map);
  const after = new StateCursor(chains.at(-1)!.map);
  return [...rules.genesis.seats.entries()].flatMap(([seat, { publicKey }]) => {
    const earned = after.tokens(publicKey) - before.tokens(publicKey);
    const told = rows
      .filter((row) => row.seat === seat)
      .reduce((sum, { paid }) => sum + BigInt(paid), 0n);
    return earned === told ? [] : [`seat ${seat} earned ${earned}, its rows say ${told}`];
  });
}
