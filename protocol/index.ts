/** Export the core by name: what programs build on. To audit a receipt, `./verify` is enough. */
export { type Hex, hex, unhex } from './brand.ts';
export { type Codec, type CodecOf, tryDecode } from './codec/codec.ts';
export { CodecError } from './codec/error.ts';
export { type Digest, hash, installSha256, sha256 } from './crypto/hash.ts';
export { portableKeys, portableSuite, signedMessage } from './crypto/signature.ts';
export type { CryptoSuite, SeatKeys } from './crypto/suite.ts';
export { ProtocolError, type Verdict } from './errors.ts';
export { type Admission, admitProgram } from './execution/admit.ts';
export { cutInput } from './execution/cut.ts';
export {
  type Instrumented,
  type InstrumentOptions,
  instrument,
} from './execution/instrument.ts';
export { type InstrumentLimits, protocolLimits } from './execution/limits.ts';
export { type Manifest, packProgram, programManifest } from './execution/manifest.ts';
export { depthLimit, type RunEnd, type RunOutcome, runOutcome } from './execution/outcome.ts';
export { admitJob, type JobRules } from './job/admit.ts';
export {
  type Job,
  jobCodec,
  jobId,
  type SignedJob,
  signedJobCodec,
} from './job/job.ts';
export { type ItemRange, laneSubtasks, subtaskItems } from './job/split.ts';
export {
  type LaneClaim,
  type SignedStatement,
  type Statement,
  signedStatementCodec,
  statementMessage,
} from './job/statement.ts';
export { type BlockItem, blockItemCodec, itemsRoot } from './ledger/block.ts';
export {
  type ChainState,
  genesisChain,
  type LedgerRules,
  ledgerRules,
} from './ledger/chain.ts';
export type { Contracts, JobEnd, JobTerms, Settlement } from './ledger/contracts.ts';
export { readStateEntry, type StateReading } from './ledger/entry.ts';
export {
  devParameters,
  type Genesis,
  genesisCodec,
  type NetworkParameters,
  networkId,
  type Seat,
} from './ledger/genesis.ts';
export { type Header, headerCodec, headerHash } from './ledger/header.ts';
export { formatStateKey } from './ledger/key.ts';
export { type JobRecord, type JobState, recordCodec } from './ledger/record.ts';
export { StateCursor, stateKeys } from './ledger/state.ts';
export {
  type Applied,
  applyBlock,
  type BlockSeal,
  type Draft,
  draftBlock,
} from './ledger/transition.ts';
export { blobCid, type Cid, formatCid, listBlob, parseCid } from './merkle/blob.ts';
export { inclusionProof, listRoot, verifyInclusion } from './merkle/list.ts';
export { mapGet, mapRoot, type StateMap } from './merkle/map.ts';
export { type MapProof, proveKey, verifyMapProof } from './merkle/proof.ts';
export { protocolName, protocolVersion } from './params.ts';
export { formatRatio, parseDecimal, type Ratio, ratio } from './ratio.ts';
export { issueReceipt, type ReceiptPieces } from './receipt/issue.ts';
export { type Receipt, receiptCodec } from './receipt/receipt.ts';
export {
  issueStateProof,
  type StateProof,
  type StateProofPieces,
  stateProofCodec,
} from './receipt/state-proof.ts';
export { boot, type Kept, nothingKept, type ReplicaSetup } from './replica/boot.ts';
export type { Duty, Effect } from './replica/effect.ts';
export type { Input, LaneOutcome, Topic } from './replica/input.ts';
export { judgeGossip } from './replica/judge.ts';
export { type Stepped, step } from './replica/replica.ts';
export { serveFromMemory } from './replica/serve.ts';
export type { ReplicaState } from './replica/state.ts';
export {
  describeJob,
  type LeadingClaim,
  type ProvisionalJob,
  type ProvisionalLane,
} from './replica/view.ts';
export { acceptTable } from './sampling/accept.ts';
export { SamplingError } from './sampling/error.ts';
export { adversarialSeats, type DrawPlan, defaultAdversary, drawPlan } from './sampling/plan.ts';
