/** Take a peer's answer in: only what was asked for, and only what proves itself. */
import { mark } from '../assert.ts';
import { hex, sameBytes } from '../brand.ts';
import { type Certificate, certificateId, checkCertificate } from '../consensus/message.ts';
import { headerHash } from '../ledger/header.ts';
import { judgeHeader } from './judge.ts';
import type { ReplicaState, Wanted } from './state.ts';
import type { Arrival } from './tree.ts';
import type { SealedBlock, SyncResponse } from './wire.ts';

/** What a good answer holds: blocks, parents first, and certificates. */
export type Found = {
  readonly arrivals: readonly Arrival[];
  readonly certificates: readonly Certificate[];
};

const nothing: Found = { arrivals: [], certificates: [] };

/**
 * Reads an answer. Whatever is not what was asked for is left out: the question is asked again.
 * @see spec/protocol/replica.md R29, R30, R31
 */
export function readAnswer(
  state: ReplicaState,
  { request, certified }: Wanted,
  response: SyncResponse,
): Found {
  if (request.kind === 'block' && response.kind === 'block') {
    const { block } = response;
    if (block === null || !sameBytes(headerHash(block.header), request.hash)) return nothing;
    if (!isProposed(state, block)) return nothing;
    mark('R29');
    return { arrivals: [arrival(block, certified)], certificates: [] };
  }
  if (request.kind === 'certificates' && response.kind === 'certificates') {
    const ids = new Set(request.ids.map(hex));
    const certificates = response.certificates.filter((one) => ids.has(hex(certificateId(one))));
    mark('R30');
    return { arrivals: [], certificates };
  }
  if (request.kind === 'final' && response.kind === 'final') return readStretch(state, response);
  return nothing;
}

function arrival(block: SealedBlock, sure: boolean): Arrival {
  return { ...block, rests: [], from: null, sure };
}

function isProposed(state: ReplicaState, { header, signature }: SealedBlock): boolean {
  return judgeHeader(header, signature, state.rules.ledger).verdict === 'accept';
}

/** Final blocks that link our own last one to a Final certificate. Remembers that certificate. */
function readStretch(
  state: ReplicaState,
  { blocks, certificate }: Extract<SyncResponse, { kind: 'final' }>,
): Found {
  const { finalRef, rules } = state;
  if (certificate === null || certificate.kind !== 'final' || certificate.view <= finalRef.view)
    return nothing;
  const above = blocks.filter(({ header }) => header.height > finalRef.height);
  let link: Uint8Array = state.final.hash;
  for (const { header } of above) {
    if (!sameBytes(header.parent, link)) return nothing;
    link = headerHash(header);
  }
  if (above.length === 0 || !sameBytes(link, certificate.block)) return nothing;
  if (checkCertificate(certificate, rules.engine) !== null) return nothing;
  if (!above.every((block) => isProposed(state, block))) return nothing;
  mark('R31');
  state.stretch = { id: hex(certificate.block), certificate };
  const arrivals = above.map((block) => ({ ...arrival(block, true), vouched: true }));
  return { arrivals, certificates: [certificate] };
}
