/** Issue the receipt of a settled or failed job from what a node keeps. */
import { type LaneLeaf, laneRoot } from '../algebra/result.ts';
import { assert, mark } from '../assert.ts';
import { sameBytes } from '../brand.ts';
import { tryDecode } from '../codec/codec.ts';
import { type Certificate, votesOf } from '../consensus/message.ts';
import type { Digest } from '../crypto/hash.ts';
import { jobId, type SignedJob } from '../job/job.ts';
import type { SignedStatement } from '../job/statement.ts';
import { blockItemCodec } from '../ledger/block.ts';
import { type Genesis, genesisCodec } from '../ledger/genesis.ts';
import { type Header, headerHash } from '../ledger/header.ts';
import { type JobRecord, recordCodec } from '../ledger/record.ts';
import { stateKeys } from '../ledger/state.ts';
import { blobCid } from '../merkle/blob.ts';
import { listRoot } from '../merkle/list.ts';
import { mapGet, mapRoot, type StateMap } from '../merkle/map.ts';
import { proveKey } from '../merkle/proof.ts';
import { receiptValueBytesMax } from '../params.ts';
import { ReceiptError } from './error.ts';
import { neededHeights } from './heights.ts';
import { type History, historyProofs, itemPath, type PathStep } from './inclusion.ts';
import {
  type LoggedStatement,
  type ProvedHeader,
  type Receipt,
  type ReceiptLane,
  receiptMagic,
  receiptVersion,
  valueBytes,
} from './receipt.ts';
import { logEntries } from './replay.ts';

/** What a node gathers from its store. A function gives null for what the store lacks. */
export type ReceiptPieces = {
  readonly genesis: Genesis;
  readonly jobId: Uint8Array;
  /** A header at or after the job's end, the Final votes of a quorum for it, and its state. */
  readonly final: Header;
  readonly certificate: Certificate;
  readonly map: StateMap;
  /** Of heights below the final one. */
  readonly history: History;
  readonly header: (height: number) => Header | null;
  /**
   * Heights after the job's own block, rising, of all blocks up to the job's end that order
   * statements about it. Others may be among them.
   */
  readonly statementHeights: readonly number[];
  /**
   * Encoded items of the job's own block and of those heights; of the latter, items that are not
   * about the job may be left out.
   */
  readonly body: (height: number) => readonly Uint8Array[] | null;
  /** Per lane, the leaves under the accepted laneRoot and the value; null if a leaf failed. */
  readonly lanes: readonly LanePiece[];
  readonly program: Uint8Array;
};

export type LanePiece = {
  readonly leaves: readonly LaneLeaf[];
  readonly value: Uint8Array | null;
};

/**
 * Issues a receipt. Pure: any node with the same store issues the same bytes for the same final
 * header and certificate.
 * @throws {@link ReceiptError} `RECEIPT_JOB_UNFINISHED`, also where the job ended above the final
 *   header; `RECEIPT_PIECE_MISSING`, `RECEIPT_TOO_LARGE`.
 * @see spec/protocol/receipt.md V10, V11
 */
export function issueReceipt(pieces: ReceiptPieces): Receipt {
  const { genesis, final, certificate, map, program } = pieces;
  assert(sameBytes(mapRoot(map), final.stateRoot), 'the state is that of the final header');
  assert(
    certificate.kind === 'final' && sameBytes(certificate.block, headerHash(final)),
    'the certificate is of Final votes for the final header',
  );
  const key = stateKeys.job(pieces.jobId);
  const { bytes: record, value: job } = endedJob(mapGet(map, key), final.height);
  const { signed, path } = orderedJob(pieces, job.record.includedHeight);
  const lanes = laneEvidence(pieces, job.record);
  const { genesisProof, headers } = provedHeaders(
    pieces,
    neededHeights({ ...job, anchorHeight: signed.job.anchorHeight }),
  );
  if (!sameBytes(blobCid(program), signed.job.program)) missing('the program of the job');
  mark('V11');
  return {
    magic: receiptMagic,
    version: receiptVersion,
    genesis: genesisCodec.encode(genesis),
    final,
    votes: votesOf(certificate).map(({ seat, signature }) => ({ seat, signature })),
    genesisProof,
    headers,
    job: signed,
    jobPath: path,
    record,
    recordProof: proveKey(map, key),
    lanes,
    program,
  };
}

type EndedJob = { readonly record: JobRecord; readonly ended: number };

function endedJob(
  bytes: Uint8Array | null,
  finalHeight: number,
): { readonly bytes: Uint8Array; readonly value: EndedJob } {
  if (bytes === null) return missing('the record of the job in the final state');
  const record = recordCodec.decode(bytes);
  const { state, ended } = record;
  if ((state !== 'settled' && state !== 'failed') || ended === null) {
    mark('V10');
    throw new ReceiptError({ code: 'RECEIPT_JOB_UNFINISHED', state });
  }
  assert(ended <= finalHeight, 'what is recorded in a state has happened by then');
  return { bytes, value: { record, ended } };
}

function orderedJob(
  pieces: ReceiptPieces,
  height: number,
): { readonly signed: SignedJob; readonly path: readonly PathStep[] } {
  const items = bodyAt(pieces, height);
  for (const [index, bytes] of items.entries()) {
    const item = tryDecode(blockItemCodec, bytes);
    if (item?.kind === 'job' && sameBytes(jobId(item.signed.job), pieces.jobId))
      return { signed: item.signed, path: itemPath(items, index) };
  }
  return missing(`the job in the block of height ${height}`);
}

/** A block orders nothing invalid: every statement about a lane is an entry of its log. */
function laneEvidence(pieces: ReceiptPieces, record: JobRecord): readonly ReceiptLane[] {
  const logs: LoggedStatement[][] = record.lanes.map(() => []);
  for (const height of pieces.statementHeights)
    for (const signed of statementsAt(pieces, height))
      logs[signed.statement.lane]?.push({ height, signed });
  const bytes = valueBytes(pieces.lanes);
  if (bytes > receiptValueBytesMax) {
    mark('V10');
    throw new ReceiptError({
      code: 'RECEIPT_TOO_LARGE',
      valueBytes: bytes,
      valueBytesMax: receiptValueBytesMax,
    });
  }
  return record.lanes.map(({ claim, logRoot }, lane) => {
    assert(claim !== null, 'a lane of an ended job has an accepted claim');
    if (!sameBytes(listRoot(logEntries(logs[lane]!)), logRoot))
      return missing(`the whole log of lane ${lane}`);
    const piece = pieces.lanes[lane];
    if (piece === undefined || !sameBytes(laneRoot(piece.leaves), claim.laneRoot))
      return missing(`the leaves of lane ${lane}`);
    const { leaves } = piece;
    if (claim.valueCid === null) return { log: logs[lane]!, leaves, value: null };
    if (piece.value === null || !sameBytes(blobCid(piece.value), claim.valueCid))
      return missing(`the value of lane ${lane}`);
    return { log: logs[lane]!, leaves, value: piece.value };
  });
}

function statementsAt(pieces: ReceiptPieces, height: number): readonly SignedStatement[] {
  return bodyAt(pieces, height).flatMap((bytes) => {
    const item = tryDecode(blockItemCodec, bytes);
    const about = item?.kind === 'statement' ? item.signed : null;
    return about !== null && sameBytes(about.statement.job, pieces.jobId) ? [about] : [];
  });
}

function bodyAt(pieces: ReceiptPieces, height: number): readonly Uint8Array[] {
  return pieces.body(height) ?? missing(`the block of height ${height}`);
}

function provedHeaders(
  { final, history, header: headerAt }: ReceiptPieces,
  needed: readonly number[],
): {
  readonly genesisProof: readonly Digest[];
  readonly headers: readonly ProvedHeader[];
} {
  const heights = needed.filter((height) => height < final.height);
  const proofs = historyProofs(history, final.height, [0, ...heights]);
  if (proofs === null) return missing(`a header hash below height ${final.height}`);
  const headers = heights.map((height) => {
    const header = headerAt(height) ?? missing(`the header of height ${height}`);
    return { header, proof: proofs.get(height)! };
  });
  return { genesisProof: proofs.get(0)!, headers };
}

function missing(piece: string): never {
  mark('V10');
  throw new ReceiptError({ code: 'RECEIPT_PIECE_MISSING', piece });
}
