/** Gather what a receipt is issued from: blocks of the store, results from peers. */
import type { LaneLeaf } from '../protocol/algebra/result.ts';
import { laneLeafCodec } from '../protocol/algebra/result.ts';
import { assert } from '../protocol/assert.ts';
import { sameBytes } from '../protocol/brand.ts';
import { tryDecode } from '../protocol/codec/codec.ts';
import type { Certificate } from '../protocol/consensus/message.ts';
import { jobId, type SignedJob } from '../protocol/job/job.ts';
import { blockItemCodec } from '../protocol/ledger/block.ts';
import type { ChainState } from '../protocol/ledger/chain.ts';
import type { Genesis } from '../protocol/ledger/genesis.ts';
import type { Header } from '../protocol/ledger/header.ts';
import type { JobRecord } from '../protocol/ledger/record.ts';
import { StateCursor } from '../protocol/ledger/state.ts';
import { listBlobBytesMax, readListStretches } from '../protocol/merkle/blob.ts';
import { listCid } from '../protocol/merkle/cid.ts';
import { programBytesMax, valueBytesMax } from '../protocol/params.ts';
import { ReceiptError } from '../protocol/receipt/error.ts';
import { neededHeights } from '../protocol/receipt/heights.ts';
import { issueReceipt, type LanePiece } from '../protocol/receipt/issue.ts';
import { receiptCodec } from '../protocol/receipt/receipt.ts';
import type { SealedBlock } from '../protocol/replica/wire.ts';
import { readHistory } from './history.ts';
import { readJobLog, statementIn } from './job-log.ts';
import type { Store } from './ports.ts';
import { rootWithMerkletreejs } from './prover.ts';
import { readBlock } from './records.ts';
import type { Blobs } from './storage/blobs.ts';
import { unhurried } from './unhurried.ts';

/** What a node lends for issuing. */
export type ReceiptParts = {
  readonly genesis: Genesis;
  readonly store: Store;
  readonly blobs: Blobs;
  readonly chain: ChainState;
  readonly certificate: Certificate;
  readonly fetch: (cid: Uint8Array, bytesMax: number) => Promise<void>;
};

/** The bytes of a job's receipt. @throws ReceiptError, or a network's error for missing values. */
export async function makeReceipt(job: Uint8Array, parts: ReceiptParts): Promise<Uint8Array> {
  const { chain, certificate, store, genesis } = parts;
  const record = new StateCursor(chain.map).job(job);
  if (record === null) throw new ReceiptError({ code: 'RECEIPT_PIECE_MISSING', piece: 'the job' });
  const ended = record.ended ?? record.includedHeight;
  const own = await load(store, record.includedHeight);
  const signed = findJob(own?.items ?? [], job);
  const anchorHeight = signed?.job.anchorHeight ?? 0;
  const heights = neededHeights({ record, ended, anchorHeight });
  const headers = new Map<number, Header>();
  for (const height of heights) {
    const block = await load(store, height);
    if (block !== null) headers.set(height, block.header);
  }
  const statements = await statementsOf(job, record, ended, store);
  const lanes = await lanePieces(record, parts);
  const program = signed === null ? null : await programOf(signed, parts);
  const below = heights.filter((height) => height < chain.header.height);
  const receipt = issueReceipt({
    genesis,
    jobId: job,
    final: chain.header,
    certificate,
    map: chain.map,
    history: await readHistory(store, chain.header.height, [0, ...below]),
    header: (height) => headers.get(height) ?? null,
    statementHeights: [...statements.keys()],
    body: (height) =>
      height === record.includedHeight ? (own?.items ?? null) : (statements.get(height) ?? null),
    lanes,
    program: program ?? new Uint8Array(0),
  });
  return receiptCodec.encode(receipt);
}

/** A final block, its root built a second time by another implementation. */
async function load(store: Store, height: number): Promise<SealedBlock | null> {
  const block = await readBlock(store, height);
  assert(
    block === null ||
      block.items.length === 0 ||
      sameBytes(rootWithMerkletreejs(block.items), block.header.itemsRoot),
    'both implementations give a body one root',
  );
  return block;
}

/**
 * The items that are statements about a job, by height. One block at a time is held, and of it
 * these items are kept: a job may be open for more blocks than fit into memory.
 */
async function statementsOf(
  job: Uint8Array,
  { includedHeight, lanes }: JobRecord,
  ended: number,
  store: Store,
): Promise<ReadonlyMap<number, readonly Uint8Array[]>> {
  const gather = async (
    heights: Iterable<number>,
  ): Promise<ReadonlyMap<number, readonly Uint8Array[]> | null> => {
    const kept = new Map<number, readonly Uint8Array[]>();
    const open = lanes.map(({ logSize }) => logSize);
    for (const height of heights) {
      const block = await load(store, height);
      if (block === null) return null;
      const about = block.items.filter((item) => {
        const lane = statementAbout(item, job);
        if (lane !== null && lane in open) open[lane]! -= 1;
        return lane !== null;
      });
      if (about.length > 0) kept.set(height, about);
    }
    return open.every((rest) => rest === 0) ? kept : null;
  };
  const first = includedHeight + 1;
  const known = await readJobLog(store, job, first, ended);
  // A store that was begun before it kept the heights lacks some: the sizes of the logs tell.
  return (await gather(known)) ?? (await gather(range(first, ended))) ?? new Map();
}

/** The lane that a block item is a statement about, if it is one about this job. */
function statementAbout(item: Uint8Array, job: Uint8Array): number | null {
  const statement = statementIn(item)?.statement;
  return statement !== undefined && sameBytes(statement.job, job) ? statement.lane : null;
}

function* range(first: number, last: number): Generator<number> {
  for (let height = first; height <= last; height++) yield height;
}

function findJob(items: readonly Uint8Array[], id: Uint8Array): SignedJob | null {
  for (const bytes of items) {
    const item = tryDecode(blockItemCodec, bytes);
    if (item?.kind === 'job' && sameBytes(jobId(item.signed.job), id)) return item.signed;
  }
  return null;
}

async function programOf(
  signed: SignedJob,
  { blobs, fetch }: ReceiptParts,
): Promise<Uint8Array | null> {
  await fetch(signed.job.program, programBytesMax);
  return blobs.read(signed.job.program);
}

/** Leaves and value of each accepted lane, by content, from whoever has them. */
export async function lanePieces(
  record: JobRecord,
  { blobs, fetch }: Pick<ReceiptParts, 'blobs' | 'fetch'>,
): Promise<readonly LanePiece[]> {
  const pieces: LanePiece[] = [];
  for (const { claim } of record.lanes) {
    if (claim === null) continue;
    const cid = listCid(claim.laneRoot);
    await fetch(cid, listBlobBytesMax);
    const bytes = await blobs.read(cid);
    const list = bytes === null ? null : await unhurried(readListStretches(cid, bytes));
    const leaves: LaneLeaf[] = Array.from({ length: list?.count ?? 0 }, (_, at) =>
      laneLeafCodec.decode(list!.entry(at)),
    );
    if (claim.valueCid !== null) await fetch(claim.valueCid, valueBytesMax);
    const value = claim.valueCid === null ? null : await blobs.read(claim.valueCid);
    pieces.push({ leaves, value });
  }
  return pieces;
}
