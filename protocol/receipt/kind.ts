/** Tell by its first bytes what a file claims to prove. */
import { frontVersion } from './front.ts';
import { receiptMagic } from './receipt.ts';
import { stateProofMagic } from './state-proof.ts';

/** What can be audited: how a job ended, or what the state held under a key. */
export type ProofKind = 'receipt' | 'state-proof';

/** The kind that bytes begin like, of whatever version; null for other bytes. */
export function proofKindOf(bytes: Uint8Array): ProofKind | null {
  if (frontVersion(bytes, receiptMagic) !== null) return 'receipt';
  return frontVersion(bytes, stateProofMagic) !== null ? 'state-proof' : null;
}
