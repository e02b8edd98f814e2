/** Export what it takes to audit receipts and state proofs. No network, no disk. */
export { hex, unhex } from './brand.ts';
export { installSha256 } from './crypto/hash.ts';
export { portableSuite } from './crypto/signature.ts';
export type { CryptoSuite } from './crypto/suite.ts';
export { ProtocolError } from './errors.ts';
export { readStateEntry, type StateReading } from './ledger/entry.ts';
export { formatStateKey } from './ledger/key.ts';
export { type Cid, formatCid, parseCid } from './merkle/blob.ts';
export { formatRatio, type Ratio } from './ratio.ts';
export { type Assurance, assuranceSentence } from './receipt/assurance.ts';
export {
  type Audit,
  type AuditOptions,
  type AuditOutcome,
  auditReceipt,
  type Conclusion,
  concludeAudit,
  type FoldOutcome,
  type FoldWork,
  failureSentence,
  type JobFailure,
  nothingRun,
} from './receipt/audit.ts';
export { ReceiptError, StateProofError, TrustError } from './receipt/error.ts';
export {
  type AuditVerdict,
  type Check,
  checks,
  type Finding,
  type FindingStatus,
} from './receipt/finding.ts';
export { type ProofKind, proofKindOf } from './receipt/kind.ts';
export type { LaneReport } from './receipt/lane.ts';
export { parseReceipt, type Receipt, receiptBytesMax, receiptCodec } from './receipt/receipt.ts';
export type { ReexecutedSubtask, ReexecutionTask, ReexecutionWish } from './receipt/reexecution.ts';
export {
  auditStateProof,
  type ProvedEntry,
  type StateAudit,
  type StateAuditOptions,
  type StateCheck,
  type StateFinding,
  stateChecks,
} from './receipt/state-audit.ts';
export {
  parseStateProof,
  type StateProof,
  stateProofBytesMax,
  stateProofCodec,
} from './receipt/state-proof.ts';
export {
  type Checkpoint,
  devPolicy,
  devTrust,
  formatTrust,
  type Policy,
  parseTrust,
  type Trust,
} from './receipt/trust.ts';
