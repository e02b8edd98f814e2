/** Show what an audit of a state proof found. */
import { hex } from '../../protocol/brand.ts';
import { formatStateKey } from '../../protocol/ledger/key.ts';
import type { StateAudit } from '../../protocol/receipt/state-audit.ts';
import { entryDocument, entryWords } from './state-entry.ts';

/** The lines under the findings. The word VERIFIED stands nowhere but in the last of a proof. */
export function stateVerdictLines({ verdict, code, proof, proved }: StateAudit): readonly string[] {
  const about = proof === null ? '' : ` ${formatStateKey(proof.key)}`;
  if (proved === null)
    return [`${verdict === 'refuted' ? 'REFUTED' : 'CANNOT TELL'}${about}: ${code}`];
  const { key, value, height, timeMs } = proved;
  const when = `height ${height}, ${new Date(timeMs).toISOString()}`;
  return [
    `      held ${entryWords(key, value, height)}`,
    `      as of ${when}; of what came later it tells nothing`,
    `VERIFIED${about}`,
  ];
}

/** The document of `--json`. What is proved stands under `proved`, and only if it is. */
export function stateDocument({ findings, verdict, code, proof, proved }: StateAudit) {
  return {
    kind: 'state-proof',
    verdict,
    code,
    key: proof === null ? null : formatStateKey(proof.key),
    findings,
    proved: proved === null ? null : provedDocument(proved),
  };
}

function provedDocument({
  network,
  key,
  value,
  height,
  hash,
  timeMs,
}: NonNullable<StateAudit['proved']>) {
  return {
    network: hex(network),
    key: formatStateKey(key),
    value: value === null ? null : hex(value),
    entry: entryDocument(key, value, height),
    height,
    hash: hex(hash),
    time: new Date(timeMs).toISOString(),
  };
}
