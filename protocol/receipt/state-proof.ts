/** Define, issue and read the proof of what a final state holds under one key. */
import { laneCodec } from '../aggregation/lane.ts';
import { assert, mark } from '../assert.ts';
import { sameBytes } from '../brand.ts';
import { type Codec, codec } from '../codec/codec.ts';
import { CodecError } from '../codec/error.ts';
import {
  bytesUpTo,
  fixedBytes,
  nullable,
  type ShapeOf,
  struct,
  text,
  uint,
} from '../codec/schema.ts';
import { type Certificate, votesOf } from '../consensus/message.ts';
import { type Genesis, genesisCodec } from '../ledger/genesis.ts';
import { type Header, headerHash, headerShape } from '../ledger/header.ts';
import { recordCodec } from '../ledger/record.ts';
import { listProofShape } from '../merkle/list.ts';
import { mapGet, mapPath, mapRoot, type StateMap } from '../merkle/map.ts';
import { mapProofShape, proveKey } from '../merkle/proof.ts';
import { digestBytes } from '../params.ts';
import { StateProofError } from './error.ts';
import { frontVersion } from './front.ts';
import { type History, historyProofs } from './inclusion.ts';
import { finalVotesShape } from './receipt.ts';

export const stateProofMagic = 'anwansi-state-proof';
export const stateProofVersion = 1;

/** Bytes of a key; the longest that the ledger writes, of a nonce, has 46. */
export const stateKeyBytesMax = 64;
/** Bytes of a value: the largest are those of lanes and of job records. */
export const stateValueBytesMax = 8 * 1024 * 1024;
assert(
  stateValueBytesMax >= Math.max(laneCodec.bytesMax, recordCodec.bytesMax),
  'every value of the state fits into a proof',
);
/** Bytes of a state proof. A quarter of a MiB holds votes, header and proofs. */
export const stateProofBytesMax = genesisCodec.bytesMax + stateValueBytesMax + 256 * 1024;

const stateProofShape = struct({
  magic: text(stateProofMagic.length),
  version: uint(2 ** 32),
  /** The encoded genesis: its digest names the network, its seats are the seat set. */
  genesis: bytesUpTo(genesisCodec.bytesMax),
  key: bytesUpTo(stateKeyBytesMax),
  /**
   * The key's path, which follows from it. An empty subtree is the absence of all keys that would
   * lie in it: without the path, a damaged key could be another one that is truly absent.
   */
  path: fixedBytes(digestBytes),
  /** What the state holds under the key; null for nothing. */
  value: nullable(bytesUpTo(stateValueBytesMax)),
  /** Proof of just that under the final header's state root. */
  mapProof: mapProofShape,
  /** A header with the Final votes of a quorum. */
  final: headerShape,
  votes: finalVotesShape,
  /** Proof of header 0, which follows from the genesis, under the final header's history root. */
  genesisProof: listProofShape,
});

/** Enough to check one key of a final state without a network. */
export type StateProof = ShapeOf<typeof stateProofShape>;

/** The one encoding of a state proof. @see spec/protocol/receipt.md */
export const stateProofCodec: Codec<StateProof> = codec(
  'state proof',
  stateProofBytesMax,
  stateProofShape,
);

/** What a node gathers for a state proof. */
export type StateProofPieces = {
  readonly genesis: Genesis;
  readonly key: Uint8Array;
  /** A final header, the Final votes of a quorum for it, and its state. */
  readonly final: Header;
  /** Null at height 0, which nobody votes for. */
  readonly certificate: Certificate | null;
  readonly map: StateMap;
  /** Of heights below the final one. */
  readonly history: History;
};

/**
 * Issues a state proof. Pure: any node issues the same bytes for the same key, final header and
 * certificate.
 * @throws {@link StateProofError} `STATE_PROOF_NOTHING_FINAL`, `STATE_PROOF_KEY_TOO_LONG`,
 *   `STATE_PROOF_PIECE_MISSING`.
 * @see spec/protocol/receipt.md V63, V64
 */
export function issueStateProof(pieces: StateProofPieces): StateProof {
  const { genesis, key, final, certificate, map, history } = pieces;
  assert(sameBytes(mapRoot(map), final.stateRoot), 'the state is that of the final header');
  if (certificate === null) return refuse({ code: 'STATE_PROOF_NOTHING_FINAL' });
  assert(
    certificate.kind === 'final' && sameBytes(certificate.block, headerHash(final)),
    'the certificate is of Final votes for the final header',
  );
  if (key.length > stateKeyBytesMax)
    return refuse({
      code: 'STATE_PROOF_KEY_TOO_LONG',
      keyBytes: key.length,
      keyBytesMax: stateKeyBytesMax,
    });
  const proofs = historyProofs(history, final.height, [0]);
  if (proofs === null) {
    const piece = `a header hash below height ${final.height}`;
    return refuse({ code: 'STATE_PROOF_PIECE_MISSING', piece });
  }
  mark('V64');
  return {
    magic: stateProofMagic,
    version: stateProofVersion,
    genesis: genesisCodec.encode(genesis),
    key,
    path: mapPath(key),
    value: mapGet(map, key),
    mapProof: proveKey(map, key),
    final,
    votes: votesOf(certificate).map(({ seat, signature }) => ({ seat, signature })),
    genesisProof: proofs.get(0)!,
  };
}

function refuse(detail: ConstructorParameters<typeof StateProofError>[0]): never {
  mark('V63');
  throw new StateProofError(detail);
}

/**
 * Reads a state proof.
 * @throws {@link StateProofError} `STATE_PROOF_NOT_A_PROOF`, `STATE_PROOF_VERSION`,
 *   `STATE_PROOF_MALFORMED`.
 * @see spec/protocol/receipt.md V59 to V62
 */
export function parseStateProof(bytes: Uint8Array): StateProof {
  const version = frontVersion(bytes, stateProofMagic);
  if (version === null) {
    mark('V59');
    throw new StateProofError({ code: 'STATE_PROOF_NOT_A_PROOF' });
  }
  if (version !== stateProofVersion) {
    mark('V60');
    throw new StateProofError({
      code: 'STATE_PROOF_VERSION',
      version,
      expected: stateProofVersion,
    });
  }
  try {
    const proof = stateProofCodec.decode(bytes);
    mark('V62');
    return proof;
  } catch (cause) {
    if (!(cause instanceof CodecError)) throw cause;
    mark('V61');
    throw new StateProofError({ code: 'STATE_PROOF_MALFORMED', reason: cause.message });
  }
}
