/** Issue a proof of what the last final state of a node holds under a key. */
import type { Certificate } from '../protocol/consensus/message.ts';
import type { ChainState } from '../protocol/ledger/chain.ts';
import type { Genesis } from '../protocol/ledger/genesis.ts';
import type { History } from '../protocol/receipt/inclusion.ts';
import { issueStateProof, stateProofCodec } from '../protocol/receipt/state-proof.ts';
import { readHistory } from './history.ts';
import type { Store } from './ports.ts';

/** What a node lends for issuing. */
export type StateProofParts = {
  readonly genesis: Genesis;
  readonly store: Store;
  /** The last final chain, all of which the store holds. */
  readonly chain: ChainState;
  /** The Final votes for its header; null at height 0. */
  readonly certificate: Certificate | null;
};

/** What is below height 0. */
const noHistory: History = { hash: () => null, subtree: () => null };

/**
 * The bytes of the proof, of presence or of absence, under the header of the final chain.
 * @throws StateProofError `STATE_PROOF_NOTHING_FINAL`, `STATE_PROOF_KEY_TOO_LONG`,
 *   `STATE_PROOF_PIECE_MISSING`; StorageError.
 */
export async function stateProofOf(
  key: Uint8Array,
  { genesis, store, chain, certificate }: StateProofParts,
): Promise<Uint8Array> {
  const { header, map } = chain;
  const { height } = header;
  const history = height === 0 ? noHistory : await readHistory(store, height, [0]);
  const proof = issueStateProof({ genesis, key, final: header, certificate, map, history });
  return stateProofCodec.encode(proof);
}
