/** Make reproducible values of every wire type: the same from the same seed, for ever. */
import {
  type LaneState,
  laneCodec,
  laneOutcomes,
  logEntryCodec,
} from '../../protocol/aggregation/lane.ts';
import { itemFailureClasses, type LaneLeaf, laneLeafCodec } from '../../protocol/algebra/result.ts';
import type { Opening } from '../../protocol/algebra/transcript.ts';
import { itemOutcomes } from '../../protocol/algebra/work.ts';
import type { Codec } from '../../protocol/codec/codec.ts';
import {
  type Certificate,
  certificateCodec,
  type Vote,
  voteCodec,
} from '../../protocol/consensus/message.ts';
import { type Digest, hash } from '../../protocol/crypto/hash.ts';
import { type Stream, stream } from '../../protocol/crypto/stream.ts';
import {
  adversaryWords,
  cutRules,
  type Job,
  jobCodec,
  type SignedJob,
  signedJobCodec,
  tiers,
} from '../../protocol/job/job.ts';
import {
  abstainClasses,
  laneClaimCodec,
  type SignedStatement,
  type Statement,
  signedStatementCodec,
  statementKinds,
} from '../../protocol/job/statement.ts';
import { blockItemCodec } from '../../protocol/ledger/block.ts';
import { contractNames, devParameters, genesisCodec } from '../../protocol/ledger/genesis.ts';
import { type Header, headerCodec, proposalCodec } from '../../protocol/ledger/header.ts';
import { jobStates, recordCodec } from '../../protocol/ledger/record.ts';
import { seatCodec } from '../../protocol/ledger/state.ts';
import { listBlobCodec, manifestCodec } from '../../protocol/merkle/blob.ts';
import { rawCid } from '../../protocol/merkle/cid.ts';
import { blobBlockBytes } from '../../protocol/params.ts';
import { type Receipt, receiptCodec } from '../../protocol/receipt/receipt.ts';
import { type StateProof, stateProofCodec } from '../../protocol/receipt/state-proof.ts';
import {
  ballotCodec,
  pushedBlockCodec,
  type SealedBlock,
  sealedBlockCodec,
  syncRequestCodec,
  syncResponseCodec,
} from '../../protocol/replica/wire.ts';

/** Draws the parts of one case. */
class Draw {
  readonly #chance: Stream;

  constructor(name: string, index: number) {
    this.#chance = stream(hash('dev', 'wire case', name, index));
  }

  below(n: number): number {
    return this.#chance.below(n);
  }
  /** An integer in `min..max`, often at a limit or where its encoding grows. */
  int(max: number, min = 0): number {
    const edges = [min, max, 0, 1, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32];
    const edge = edges[this.below(edges.length)]!;
    if (this.below(2) === 0 && edge >= min && edge <= max) return edge;
    const span = Math.min(max - min + 1, 2 ** 32);
    return min + this.below(span);
  }
  big(max: bigint): bigint {
    const edges = [0n, 1n, max, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n];
    const edge = edges[this.below(edges.length)]!;
    if (this.below(2) === 0 && edge <= max) return edge;
    return ((BigInt(this.below(2 ** 32)) << 32n) | BigInt(this.below(2 ** 32))) % (max + 1n);
  }
  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += 4) {
      const word = this.below(2 ** 32);
      for (let byte = 0; byte < 4 && at + byte < length; byte++)
        bytes[at + byte] = word >>> (8 * byte);
    }
    return bytes;
  }
  digest(): Digest {
    return this.bytes(32) as Digest;
  }
  flag(): boolean {
    return this.below(2) === 1;
  }
  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }
  maybe<T>(make: () => T): T | null {
    return this.flag() ? make() : null;
  }
  many<T>(max: number, make: () => T, min = 0): T[] {
    return Array.from({ length: min + this.below(max - min + 1) }, make);
  }
  text(max: number): string {
    return this.many(max, () => this.pick(['A', 'Z', '_', 'é', '語', '\u{1f4a1}'])).join('');
  }
}

const [height, seat, time, view] = [2 ** 48, 4_095, 2 ** 48, 2 ** 48];
const fuel = 2n ** 63n - 1n;
const tokens = 2n ** 64n - 1n;

const job = (d: Draw): Job => ({
  ...{ version: d.int(255), rewriter: d.int(255), costTable: d.int(255), network: d.digest() },
  ...{ submitter: d.digest(), nonce: d.big(tokens), program: d.bytes(36) },
  input: d.flag()
    ? { kind: 'list', root: d.digest(), items: d.int(1_048_576, 1) }
    : { kind: 'generated', items: d.int(1_048_576, 1) },
  ...{ cut: d.pick(cutRules), parameters: d.bytes(d.below(60)), subtasks: d.int(65_536, 1) },
  ...{ tier: d.pick(tiers), lossExponent: d.int(15, 1), adversary: d.pick(adversaryWords) },
  ...{ spare: d.int(255), fuelItem: d.big(fuel), fuelCombine: d.big(fuel), fuelFold: d.big(fuel) },
  ...{ fuelRender: d.big(fuel), slowItemMs: d.int(10_000), fee: d.big(tokens) },
  ...{ anchorHeight: d.int(height), anchorHash: d.digest(), includeByMs: d.int(time) },
  waves: d.int(64, 1),
});
const signedJob = (d: Draw): SignedJob => ({ job: job(d), signature: d.bytes(64) });

const claim = (d: Draw) => ({
  laneRoot: d.digest(),
  valueCid: d.maybe(() => d.bytes(36)),
  mapFuel: d.big(fuel),
});
const opening = (d: Draw): Opening => ({
  ...{ subtask: d.int(65_535), item: d.int(1_048_575), outcome: d.pick(itemOutcomes) },
  ...{ valueHash: d.maybe(() => d.digest()), committed: d.int(1_048_576, 1), rootA: d.digest() },
  ...{ itemPath: d.many(3, () => d.digest()), rootB: d.maybe(() => d.digest()) },
  ...{ subtaskValueHash: d.maybe(() => d.digest()), workPath: d.many(3, () => d.digest()) },
});
const statement = (d: Draw): Statement => {
  const subject = {
    ...{ seat: d.int(seat), job: d.digest(), lane: d.int(65_535), wave: d.int(64) },
    drawId: d.digest(),
  };
  switch (d.pick(statementKinds)) {
    case 'commit':
      return { kind: 'commit', ...subject, digest: d.digest() };
    case 'abstain':
      return { kind: 'abstain', ...subject, class: d.pick(abstainClasses) };
    case 'reveal': {
      const roots = { claim: claim(d), saltKey: d.digest(), workRoot: d.digest() };
      return { kind: 'reveal', ...subject, ...roots, value: d.maybe(() => d.bytes(d.below(40))) };
    }
    case 'open':
      return { kind: 'open', ...subject, openings: d.many(4, () => opening(d)) };
  }
};
const signedStatement = (d: Draw): SignedStatement => ({
  statement: statement(d),
  signature: d.bytes(64),
});
const logEntry = (d: Draw) => ({
  ...{ kind: d.pick(statementKinds), seat: d.int(seat), wave: d.int(64), height: d.int(height) },
  message: d.digest(),
});
const lane = (d: Draw): LaneState => ({
  ...{ outcome: d.pick(laneOutcomes), accepted: d.maybe(() => d.int(16_384)) },
  closed: d.maybe(() => d.int(height)),
  waves: d.many(3, () => ({
    ...{ base: d.int(height), drawId: d.digest(), skippedViews: d.int(view), reopened: d.flag() },
    ...{ commitByMs: d.int(time), revealByMs: d.int(time), closeMs: d.int(time) },
    commitClose: d.maybe(() => d.int(height)),
    commitCloseView: d.maybe(() => d.int(view)),
    openingBeacon: d.maybe(() => d.digest()),
    revealClose: d.maybe(() => d.int(height)),
    closed: d.maybe(() => d.int(height)),
  })),
  slots: d.many(4, () => ({
    ...{ wave: d.int(64), seat: d.int(seat), commit: d.maybe(() => d.digest()) },
    ...{ equivocated: d.flag(), abstained: d.maybe(() => d.pick(abstainClasses)) },
    ...{ claim: d.maybe(() => d.int(16_384)), saltKey: d.maybe(() => d.digest()) },
    ...{ workRoot: d.maybe(() => d.digest()), opened: d.flag() },
  })),
  claims: d.many(2, () => claim(d)),
  log: d.many(4, () => logEntry(d)),
});

const header = (d: Draw): Header => ({
  ...{ network: d.digest(), epoch: d.int(2 ** 32), view: d.int(view), height: d.int(height) },
  ...{ parent: d.digest(), proposer: d.int(seat), timeMs: d.int(time), beacon: d.digest() },
  ...{ vrfProof: d.bytes(80), itemsRoot: d.digest(), historyRoot: d.digest() },
  ...{ seatSetHash: d.digest(), stateRoot: d.digest() },
});
const holder = (d: Draw) => ({
  publicKey: d.digest(),
  vrfPublicKey: d.digest(),
  possession: d.bytes(80),
});
const genesis = (d: Draw) => ({
  ...{ version: d.int(255), nonce: d.digest(), timeMs: d.int(time) },
  parameters: Object.fromEntries(
    Object.keys(devParameters).map((name) => [name, d.int(3_600_000, 1)]),
  ) as typeof devParameters,
  seats: d.many(6, () => holder(d), 4),
  accounts: d.many(3, () => ({ key: d.digest(), tokens: d.big(2n ** 62n) })),
  contracts: d.pick(contractNames),
});
const record = (d: Draw) => ({
  ...{ state: d.pick(jobStates), reason: d.text(20), submitter: d.digest() },
  ...{ items: d.int(1_048_576, 1), subtasks: d.int(65_536, 1), lossExponent: d.int(15, 1) },
  ...{ adversary: d.pick(adversaryWords), slowItemMs: d.int(10_000), waves: d.int(64, 1) },
  ...{ fuelItem: d.big(fuel), fee: d.big(tokens), escrow: d.big(tokens) },
  includedHeight: d.int(height),
  ...{ parentView: d.int(view), anchorView: d.int(view), anchorHeight: d.int(view) },
  plan: d.maybe(() => ({
    ...{ seats: d.int(4_096), seatSetHash: d.digest(), adversarial: d.int(4_096) },
    ...{ perLane: d.int(4_096, 1), lanesMax: d.int(4_096, 1), lanes: d.int(4_096, 1) },
    ...{ offset: d.int(2 ** 32), skippedViews: d.int(view), drawnMs: d.int(time) },
  })),
  lanes: d.many(3, () => ({
    ...{ outcome: d.pick(laneOutcomes), claim: d.maybe(() => claim(d)) },
    closed: d.maybe(() => d.int(height)),
    waves: d.many(3, () => ({
      ...{ base: d.int(height), skippedViews: d.int(view), reopened: d.flag() },
      ...{ seats: d.int(4_096), commitClose: d.maybe(() => d.int(height)) },
    })),
    ...{ logRoot: d.digest(), logSize: d.int(2 ** 32) },
  })),
  ended: d.maybe(() => d.int(height)),
});

const subject = (d: Draw) => ({
  ...{ kind: d.pick(['notar', 'skip', 'final'] as const), epoch: d.int(2 ** 32) },
  ...{ view: d.int(view), block: d.digest() },
});
const vote = (d: Draw): Vote => ({ ...subject(d), seat: d.int(seat), signature: d.bytes(64) });
const certificate = (d: Draw): Certificate => ({
  ...subject(d),
  seats: d.many(5, () => d.int(seat), 3),
  signatures: d.many(5, () => d.bytes(64), 3),
});
const sealedBlock = (d: Draw): SealedBlock => ({
  header: header(d),
  signature: d.bytes(64),
  items: d.many(3, () => d.bytes(d.below(50))),
});
const laneLeaf = (d: Draw): LaneLeaf => {
  const subtask = d.int(65_536);
  switch (d.below(3)) {
    case 0:
      return { subtask, result: { ok: true, valueHash: d.digest() } };
    case 1: {
      const failure = { class: d.pick(itemFailureClasses), item: d.int(1_048_575) };
      return { subtask, result: { ok: false, ...failure } };
    }
    default:
      return { subtask, result: { ok: false, class: 'combine-failed', item: null } };
  }
};
const receipt = (d: Draw): Receipt => ({
  ...{ magic: 'anwansi-receipt', version: d.int(2 ** 32), genesis: d.bytes(d.below(90)) },
  ...{ final: header(d), genesisProof: d.many(3, () => d.digest()) },
  votes: d.many(4, () => ({ seat: d.int(seat), signature: d.bytes(64) })),
  headers: d.many(2, () => ({ header: header(d), proof: d.many(3, () => d.digest()) })),
  job: signedJob(d),
  jobPath: d.many(4, () => ({ side: d.pick(['left', 'right'] as const), hash: d.digest() })),
  record: d.bytes(d.below(70)),
  recordProof: {
    ...{ bitmap: d.bytes(d.below(33)), siblings: d.many(3, () => d.digest()) },
    other: d.maybe(() => ({ path: d.digest(), valueHash: d.digest() })),
  },
  lanes: d.many(
    2,
    () => ({
      log: d.many(3, () => ({ height: d.int(height), signed: signedStatement(d) })),
      leaves: d.many(3, () => laneLeaf(d), 1),
      value: d.maybe(() => d.bytes(d.below(50))),
    }),
    1,
  ),
  program: d.bytes(d.below(60)),
});

const stateProof = (d: Draw): StateProof => ({
  ...{ magic: 'anwansi-state-proof', version: d.int(2 ** 32), genesis: d.bytes(d.below(90)) },
  ...{ key: d.bytes(d.below(65)), path: d.digest() },
  value: d.maybe(() => d.bytes(d.below(70))),
  mapProof: {
    ...{ bitmap: d.bytes(d.below(33)), siblings: d.many(3, () => d.digest()) },
    other: d.maybe(() => ({ path: d.digest(), valueHash: d.digest() })),
  },
  final: header(d),
  votes: d.many(4, () => ({ seat: d.int(seat), signature: d.bytes(64) })),
  genesisProof: d.many(3, () => d.digest()),
});

/** A codec, and how to make the case of an index. */
export type WireType = {
  readonly name: string;
  readonly codec: Codec<unknown>;
  readonly value: (index: number) => unknown;
};

function wireType<T>(codec: Codec<T>, make: (d: Draw) => T): WireType {
  const value = (index: number): T => make(new Draw(codec.name, index));
  return { name: codec.name, codec: codec as Codec<unknown>, value };
}

/** Every type that travels, is hashed, or stands in the state. */
export const wireTypes: readonly WireType[] = [
  wireType(jobCodec, job),
  wireType(signedJobCodec, signedJob),
  wireType(laneClaimCodec, claim),
  wireType(signedStatementCodec, signedStatement),
  wireType(logEntryCodec, logEntry),
  wireType(laneCodec, lane),
  wireType(laneLeafCodec, laneLeaf),
  wireType(voteCodec, vote),
  wireType(certificateCodec, certificate),
  wireType(headerCodec, header),
  wireType(proposalCodec, (d) => ({
    header: header(d),
    signature: d.bytes(64),
    rests: d.many(4, () => d.digest()),
  })),
  wireType(blockItemCodec, (d) =>
    d.flag()
      ? { kind: 'job' as const, signed: signedJob(d) }
      : { kind: 'statement' as const, signed: signedStatement(d) },
  ),
  wireType(seatCodec, holder),
  wireType(manifestCodec, (d) => {
    const blocks = d.many(4, () => rawCid(d.digest()), 2);
    const last = 1 + d.below(blobBlockBytes);
    return { version: 1, size: (blocks.length - 1) * blobBlockBytes + last, blocks };
  }),
  wireType(listBlobCodec, (d) => d.many(5, () => d.bytes(d.below(40)))),
  wireType(genesisCodec, genesis),
  wireType(recordCodec, record),
  wireType(receiptCodec, receipt),
  wireType(stateProofCodec, stateProof),
  wireType(ballotCodec, (d) =>
    d.flag()
      ? { kind: 'vote' as const, vote: vote(d) }
      : { kind: 'certificate' as const, certificate: certificate(d) },
  ),
  wireType(syncRequestCodec, (d) => {
    switch (d.below(3)) {
      case 0:
        return { kind: 'block' as const, hash: d.digest() };
      case 1:
        return { kind: 'certificates' as const, ids: d.many(4, () => d.digest(), 1) };
      default:
        return { kind: 'final' as const, from: d.int(height, 1) };
    }
  }),
  wireType(sealedBlockCodec, sealedBlock),
  wireType(pushedBlockCodec, (d) => ({ block: sealedBlock(d) })),
  wireType(syncResponseCodec, (d) => {
    switch (d.below(3)) {
      case 0:
        return { kind: 'block' as const, block: d.maybe(() => sealedBlock(d)) };
      case 1:
        return { kind: 'certificates' as const, certificates: d.many(3, () => certificate(d)) };
      default: {
        const blocks = d.many(2, () => sealedBlock(d));
        return { kind: 'final' as const, blocks, certificate: d.maybe(() => certificate(d)) };
      }
    }
  }),
];
