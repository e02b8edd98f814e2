/** Explain the codes of state proofs. */
import { entries } from './entry.ts';

export const stateProofCodes = [
  ...entries(4, [
    [
      'STATE_PROOF_MALFORMED',
      'The state proof cannot be decoded, or not in its one canonical form.',
      'It was changed, or was never issued by an honest node.',
      'Do not rely on it; get another one from a node.',
    ],
    [
      'AUDIT_STATE',
      'The final state does not hold under the key what the proof says.',
      'The key, the value or the proof was changed, or they are of another block.',
      'Do not rely on it; get another one from a node.',
    ],
  ]),
  ...entries(5, [
    [
      'STATE_PROOF_VERSION',
      'The state proof is of a version that this program does not know.',
      'Another version of anwansi issued it.',
      'Verify it with the version that issued it, or a newer one.',
    ],
    [
      'STATE_PROOF_PIECE_MISSING',
      'This node lacks a piece of the state proof.',
      'It has just finalized a block and is still writing it, or its store is damaged.',
      'Ask again in a moment; if it repeats, ask another node.',
    ],
    [
      'STATE_PROOF_NOTHING_FINAL',
      'The node has no final block yet, and nobody votes for the genesis.',
      'The network has just begun, or the node has heard of none of its blocks.',
      'Ask again when the node has a final block, or ask another node.',
    ],
  ]),
  ...entries(2, [
    [
      'STATE_PROOF_NOT_A_PROOF',
      'The bytes are not a state proof.',
      'They do not begin like one.',
      'Name the file that --proof wrote.',
    ],
    [
      'STATE_PROOF_KEY_TOO_LONG',
      'The key is longer than any key of the state.',
      'A key of the state has at most 64 bytes.',
      'Check the key: it is a kind and its parts, such as account/ and a public key.',
    ],
  ]),
];
