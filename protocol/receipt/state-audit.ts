/** Audit a state proof offline: verified, refuted or cannot tell. */
import { mark } from '../assert.ts';
import { sameBytes } from '../brand.ts';
import type { Digest } from '../crypto/hash.ts';
import { portableSuite } from '../crypto/signature.ts';
import type { CryptoSuite } from '../crypto/suite.ts';
import { type Header, headerHash } from '../ledger/header.ts';
import { formatStateKey } from '../ledger/key.ts';
import { verifyInclusion } from '../merkle/list.ts';
import { mapPath } from '../merkle/map.ts';
import { verifyMapProof } from '../merkle/proof.ts';
import { checkFinality, checkNetwork, type Network } from './case.ts';
import { StateProofError } from './error.ts';
import {
  type AuditVerdict,
  type Finding,
  fails,
  holds,
  type Ruling,
  skips,
  untold,
  verdictOf,
} from './finding.ts';
import { genesisHeader } from './network.ts';
import { parseStateProof, type StateProof } from './state-proof.ts';
import type { Trust } from './trust.ts';

/** What is looked at in a state proof, in this order. */
export const stateChecks = ['proof', 'network', 'finality', 'history', 'state'] as const;
export type StateCheck = (typeof stateChecks)[number];

/** One line of an audit of a state proof. */
export type StateFinding = Omit<Finding, 'check' | 'lane'> & { readonly check: StateCheck };

/** What the network held under a key when a block was final. What came later it does not tell. */
export type ProvedEntry = {
  readonly network: Digest;
  /** Whoever asked for a key should see that it is this one. */
  readonly key: Uint8Array;
  /** Null: it held nothing. */
  readonly value: Uint8Array | null;
  readonly height: number;
  /** Hash of the header of that height. */
  readonly hash: Digest;
  /** Chain time of that header, milliseconds since 1970. */
  readonly timeMs: number;
};

export type StateAudit = {
  /** One a check, in the order of {@link stateChecks}. */
  readonly findings: readonly StateFinding[];
  readonly verdict: AuditVerdict;
  /** Code of the finding that decided; null when verified. */
  readonly code: string | null;
  /** What could be read, proved or not: the findings tell. */
  readonly proof: StateProof | null;
  /** What is proved; null unless verified. */
  readonly proved: ProvedEntry | null;
};

export type StateAuditOptions = {
  /** Signature checks; {@link portableSuite} where nothing faster is at hand. */
  readonly suite?: CryptoSuite;
};

/**
 * Audits the bytes of a state proof. Total: any bytes give an audit.
 * @param trust - Null where the reader has none: then nothing can be verified. Of its policy
 *   nothing applies: a state proof is of no job.
 * @see spec/protocol/receipt.md V59 to V68
 */
export function auditStateProof(
  bytes: Uint8Array,
  trust: Trust | null,
  { suite = portableSuite }: StateAuditOptions = {},
): StateAudit {
  const findings: StateFinding[] = [];
  const tell = <T>(check: StateCheck, { status, code, because, value }: Ruling<T>): T | null => {
    findings.push({ check, status, code, because });
    return value;
  };
  const proof = tell('proof', readProof(bytes));
  const network = proof && tell('network', checkNetwork(proof, trust, suite));
  const final = network && tell('finality', checkFinality(proof!, network));
  const rooted = final && tell('history', checkOrigin(proof!, network!, final));
  if (rooted !== null) tell('state', checkEntry(proof!, final!));
  fillSkipped(findings);
  const { verdict, code } = verdictOf(findings);
  const proved = verdict === 'verified' ? provedEntry(proof!, network!) : null;
  return { findings, verdict, code, proof, proved };
}

function readProof(bytes: Uint8Array): Ruling<StateProof> {
  try {
    const proof = parseStateProof(bytes);
    return holds(`${bytes.length} bytes, read and written again alike`, proof);
  } catch (error) {
    if (!(error instanceof StateProofError)) throw error;
    const { code, message } = error;
    return code === 'STATE_PROOF_MALFORMED' ? fails(code, message) : untold(code, message);
  }
}

/** @see spec/protocol/receipt.md V65, V66 */
function checkOrigin(
  { genesisProof }: StateProof,
  { genesis }: Network,
  { height, historyRoot }: Header,
): Ruling<true> {
  const leaf = headerHash(genesisHeader(genesis));
  const claim = { root: historyRoot, size: height, index: 0, leaf, proof: genesisProof };
  if (!verifyInclusion(claim)) {
    mark('V65');
    const because = 'the header of height 0 is not under the history root of the final one';
    return fails('AUDIT_HISTORY', because);
  }
  mark('V66');
  return holds(`header 0 lies under the history root of height ${height}`, true);
}

/** @see spec/protocol/receipt.md V67, V68 */
function checkEntry(
  { key, path, value, mapProof }: StateProof,
  { height, stateRoot }: Header,
): Ruling<true> {
  const name = formatStateKey(key);
  const held = value === null ? 'nothing' : `these ${value.length} bytes`;
  if (!sameBytes(path, mapPath(key)) || !verifyMapProof(stateRoot, key, value, mapProof)) {
    mark('V67');
    const because = `it does not follow from the final state root that ${name} holds ${held}`;
    return fails('AUDIT_STATE', because);
  }
  mark('V68');
  return holds(`${name} holds ${held} at height ${height}, by the final state root`, true);
}

function provedEntry({ key, value, final }: StateProof, { id }: Network): ProvedEntry {
  const { height, timeMs } = final;
  return { network: id, key, value, height, hash: headerHash(final), timeMs };
}

/** Checks that were not reached get a line as well. */
function fillSkipped(findings: StateFinding[]): void {
  const reached = findings.length;
  const cause = findings.findLast(({ status }) => status !== 'ok');
  for (const check of stateChecks.slice(reached)) {
    const { status, code, because } = skips(
      'AUDIT_NOT_REACHED',
      `rests on the check "${cause?.check}"`,
    );
    findings.push({ check, status, code, because });
  }
}
