/** Forge receipts as a quorum of colluding seats could: everything signed and proved, but untrue. */
import { logEntryCodec } from '../../protocol/aggregation/lane.ts';
import { tryDecode } from '../../protocol/codec/codec.ts';
import type { Wire } from '../../protocol/codec/schema.ts';
import { type VoteKind, voteMessage } from '../../protocol/consensus/message.ts';
import { quorum } from '../../protocol/consensus/seats.ts';
import { signedMessage } from '../../protocol/crypto/signature.ts';
import { type Job, jobCodec, jobId } from '../../protocol/job/job.ts';
import { messageHash } from '../../protocol/job/statement.ts';
import { blockItemCodec } from '../../protocol/ledger/block.ts';
import { type Header, headerHash } from '../../protocol/ledger/header.ts';
import { type ClosedLane, type JobRecord, recordCodec } from '../../protocol/ledger/record.ts';
import { stateKeys } from '../../protocol/ledger/state.ts';
import { listRoot } from '../../protocol/merkle/list.ts';
import { mapRoot, mapUpdate } from '../../protocol/merkle/map.ts';
import { proveKey } from '../../protocol/merkle/proof.ts';
import { neededHeights } from '../../protocol/receipt/heights.ts';
import { historyProofs } from '../../protocol/receipt/inclusion.ts';
import type { LoggedStatement, Receipt, ReceiptLane } from '../../protocol/receipt/receipt.ts';
import type { LedgerWorld } from './ledger-world.ts';

/** What is untrue. Everything that depends on it is made to fit, and signed by the first q seats. */
export type Forgery = {
  readonly job?: Partial<Job>;
  readonly record?: (record: JobRecord) => JobRecord;
  readonly lanes?: (lanes: readonly ReceiptLane[]) => readonly ReceiptLane[];
  /** What stands in the state in the place of a record. */
  readonly recordBytes?: Uint8Array;
  /** Whether the records of lanes follow the forged logs. */
  readonly logsFit?: boolean;
  readonly headers?: (header: Header) => Header;
  readonly final?: Partial<Header>;
  readonly voters?: readonly number[];
  readonly voteKind?: VoteKind;
};

/** The record's word on a log. */
export function logWord(log: readonly LoggedStatement[]): Pick<ClosedLane, 'logRoot' | 'logSize'> {
  const entries = log.map(({ height, signed }) => {
    const { kind, seat, wave } = signed.statement;
    return logEntryCodec.encode({ kind, seat, wave, height, message: messageHash(signed) });
  });
  return { logRoot: listRoot(entries), logSize: log.length };
}

/** A receipt that only a check of the forged thing itself can tell from a true one. */
export function forge(world: LedgerWorld, receipt: Receipt, forgery: Forgery): Receipt {
  const { network } = world.rules;
  const job = { ...receipt.job.job, ...forgery.job };
  const signature =
    forgery.job === undefined
      ? receipt.job.signature
      : world.keys.account(0).sign(signedMessage('job', network, jobCodec.encode(job)));
  const lanes = forgery.lanes?.(receipt.lanes) ?? receipt.lanes;
  const truth = tryDecode(recordCodec, receipt.record)!;
  const fitted = {
    ...truth,
    lanes: truth.lanes.map((lane, at) =>
      forgery.logsFit === true ? { ...lane, ...logWord(lanes[at]!.log) } : lane,
    ),
  };
  const record = forgery.record?.(fitted) ?? fitted;
  const bytes = forgery.recordBytes ?? recordCodec.encode(record);
  const key = stateKeys.job(jobId(job));
  const { height } = receipt.final;
  const map = mapUpdate(world.chains[height]!.map, [{ key, value: bytes }]);

  const change = forgery.headers ?? ((header: Header) => header);
  const isOrdered = forgery.job !== undefined;
  const item = blockItemCodec.encode({ kind: 'job', signed: { job, signature } });
  const headers = world.chains.slice(0, height).map(({ header }) => {
    if (header.height === 0) return header;
    const here = isOrdered && header.height === truth.includedHeight;
    return change(here ? { ...header, itemsRoot: listRoot([item]) } : header);
  });
  const hashes = headers.map(headerHash);
  const ended = record.ended ?? height;
  const needed = neededHeights({ record, ended, anchorHeight: job.anchorHeight }).filter(
    (at) => at < height,
  );
  const history = { hash: (at: number) => hashes[at] ?? null, subtree: () => null };
  const proofs = historyProofs(history, height, [0, ...needed])!;
  const final = {
    ...change(receipt.final),
    historyRoot: listRoot(hashes),
    stateRoot: mapRoot(map),
    ...forgery.final,
  };
  return {
    ...receipt,
    final,
    votes: votes(world, final, forgery),
    genesisProof: proofs.get(0)!,
    headers: needed.map((at) => ({ header: headers[at]!, proof: proofs.get(at)! })),
    job: { job, signature },
    jobPath: isOrdered ? [] : receipt.jobPath,
    record: bytes,
    recordProof: proveKey(map, key),
    lanes,
  };
}

function votes(
  world: LedgerWorld,
  final: Header,
  { voters, voteKind = 'final' }: Forgery,
): Receipt['votes'] {
  const first = Array.from({ length: quorum(world.genesis.seats.length) }, (_, seat) => seat);
  const { epoch, view } = final;
  const subject = { kind: voteKind, epoch, view, block: headerHash(final) } as const;
  return (voters ?? first).map((seat) => ({
    seat,
    signature: world.keys.seat(seat).sign(voteMessage(world.rules.network, subject, seat)),
  }));
}

/** A reveal with another fuel in its claim, signed anew by its seat or not; others as they are. */
export function withFuel(entry: LoggedStatement, by: LedgerWorld | null): LoggedStatement {
  const { statement, signature } = entry.signed;
  if (statement.kind !== 'reveal') return entry;
  const bent = { ...statement, claim: { ...statement.claim, mapFuel: 7n } };
  return { ...entry, signed: by?.sign(bent) ?? { statement: bent, signature } };
}

/** Every tree that differs from `wire` in one place. */
export function* mutations(wire: Wire): Generator<Wire> {
  if (Array.isArray(wire)) {
    const values = wire as readonly Wire[];
    if (values.length > 0) yield values.slice(0, -1);
    yield [...values, values.at(-1) ?? 0];
    for (const [at, value] of values.entries())
      for (const changed of mutations(value)) yield values.with(at, changed);
    return;
  }
  if (wire instanceof Uint8Array) {
    if (wire.length > 0) yield wire.slice(1);
    yield Uint8Array.from([...wire, 0]);
    for (const at of [wire.length >> 1])
      if (at >= 0 && at < wire.length) yield wire.with(at, wire[at]! ^ 1);
    return;
  }
  switch (typeof wire) {
    case 'number':
      yield wire + 1;
      if (wire > 0) yield wire - 1;
      return;
    case 'bigint':
      yield wire + 1n;
      return;
    case 'boolean':
      yield !wire;
      return;
    case 'string':
      yield `${wire}x`;
      return;
    default:
      yield 0;
      yield new Uint8Array(36);
  }
}
