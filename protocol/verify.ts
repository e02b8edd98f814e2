/** Export what a web page or another program needs to audit a receipt. No network, no disk. */
export { hex, unhex } from './brand.ts';
export { installSha256 } from './crypto/hash.ts';
export { portableSuite } from './crypto/signature.ts';
export type { CryptoSuite } from './crypto/suite.ts';
export { ProtocolError } from './errors.ts';
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
export { ReceiptError, TrustError } from './receipt/error.ts';
export {
  type AuditVerdict,
  type Check,
  checks,
  type Finding,
  type FindingStatus,
} from './receipt/finding.ts';
export type { LaneReport } from './receipt/lane.ts';
export { parseReceipt, type Receipt, receiptBytesMax, receiptCodec } from './receipt/receipt.ts';
export type { ReexecutionTask, ReexecutionWish } from './receipt/reexecution.ts';
export {
  type Checkpoint,
  devPolicy,
  devTrust,
  formatTrust,
  type Policy,
  parseTrust,
  type Trust,
} from './receipt/trust.ts';
