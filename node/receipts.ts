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
import { listBlobBytesMax, verifyListBlob } from '../protocol/merkle/blob.ts';
import { listCid } from '../protocol/merkle/cid.ts';
import { programBytesMax, valueBytesMax } from '../protocol/params.ts';
import { ReceiptError } from '../protocol/receipt/error.ts';
import { neededHeights } from '../protocol/receipt/heights.ts';
import { issueReceipt, type LanePiece } from '../protocol/receipt/issue.ts';
import { receiptCodec } from '../protocol/receipt/receipt.ts';
import { readHistory } from './history.ts';
import type { Store } from './ports.ts';
import { rootWithMerkletreejs } from './prover.ts';
import { readBlock } from './records.ts';
import type { Blobs } from './storage/blobs.ts';

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
  const last = record.ended ?? record.includedHeight;
  const bodies = new Map<number, readonly Uint8Array[]>();
  const headers = new Map<number, Header>();
  const load = async (height: number): Promise<void> => {
    if (height < 0 || headers.has(height)) return;
    const block = await readBlock(store, height);
    if (block === null) return;
    headers.set(height, block.header);
    bodies.set(height, block.items);
  };
  for (let height = record.includedHeight - 1; height <= last; height++) await load(height);
  const signed = findJob(bodies.get(record.includedHeight) ?? [], job);
  if (signed !== null) await load(signed.job.anchorHeight);
  crossCheck(bodies, headers);
  const lanes = await lanePieces(record, parts);
  const program = signed === null ? null : await programOf(signed, parts);
  const anchorHeight = signed?.job.anchorHeight ?? 0;
  const heights = neededHeights({ record, ended: last, anchorHeight });
  const below = heights.filter((height) => height < chain.header.height);
  const history = await readHistory(store, chain.header.height, [0, ...below]);
  const receipt = issueReceipt({
    genesis,
    jobId: job,
    final: chain.header,
    certificate,
    map: chain.map,
    history,
    header: (height) => headers.get(height) ?? null,
    body: (height) => bodies.get(height) ?? null,
    lanes,
    program: program ?? new Uint8Array(0),
  });
  return receiptCodec.encode(receipt);
}

/** The roots that the receipt rests on, built a second time by another implementation. */
function crossCheck(
  bodies: ReadonlyMap<number, readonly Uint8Array[]>,
  headers: ReadonlyMap<number, Header>,
): void {
  for (const [height, items] of bodies)
    assert(
      items.length === 0 || sameBytes(rootWithMerkletreejs(items), headers.get(height)!.itemsRoot),
      'both implementations give a body one root',
    );
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
    const entries = bytes === null ? null : verifyListBlob(cid, bytes);
    const leaves: LaneLeaf[] = (entries ?? []).map((entry) => laneLeafCodec.decode(entry));
    if (claim.valueCid !== null) await fetch(claim.valueCid, valueBytesMax);
    const value = claim.valueCid === null ? null : await blobs.read(claim.valueCid);
    pieces.push({ leaves, value });
  }
  return pieces;
}
