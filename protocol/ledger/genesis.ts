/** Describe a network's beginning: its parameters, seats and accounts. */
import { mark } from '../assert.ts';
import { type Codec, codec } from '../codec/codec.ts';
import { CodecError } from '../codec/error.ts';
import {
  bigUint,
  fixedBytes,
  list,
  oneOf,
  type Shape,
  type ShapeOf,
  struct,
  uint,
} from '../codec/schema.ts';
import { type Digest, hash } from '../crypto/hash.ts';
import {
  digestBytes,
  protocolVersion,
  publicKeyBytes,
  seatCountMax,
  seatCountMin,
  timeMsMax,
  vrfProofBytes,
} from '../params.ts';

const durationMs = uint(3_600_000, 1);

const parametersShape = struct({
  /** Least and largest step of chain time between a block and its parent. */
  stepMinMs: durationMs,
  stepMaxMs: durationMs,
  /** A leader with nothing to order waits this long after the parent's time. */
  heartbeatMs: durationMs,
  /** How far a block's time may be ahead of a voter's clock. */
  clockSlackMs: durationMs,
  viewTimeoutMs: durationMs,
  viewTimeoutMaxMs: durationMs,
  /** Commit window without the declared time of the items; reveal and opening windows. */
  commitWindowMs: durationMs,
  revealWindowMs: durationMs,
  openingWindowMs: durationMs,
});

export type NetworkParameters = ShapeOf<typeof parametersShape>;

/** Parameters of the development network. */
export const devParameters: NetworkParameters = {
  stepMinMs: 250,
  stepMaxMs: 4_000,
  heartbeatMs: 2_000,
  clockSlackMs: 1_000,
  viewTimeoutMs: 1_500,
  viewTimeoutMaxMs: 24_000,
  commitWindowMs: 4_000,
  revealWindowMs: 3_000,
  openingWindowMs: 2_000,
};

export const seatShape = struct({
  publicKey: fixedBytes(publicKeyBytes),
  vrfPublicKey: fixedBytes(publicKeyBytes),
  /** VRF proof that the holder of the signing key also holds the VRF key. */
  possession: fixedBytes(vrfProofBytes),
});

/** One bond, one vote, one draw. */
export type Seat = ShapeOf<typeof seatShape>;

/** Incentives that a network may name; the core knows none of them. */
export const contractNames = ['none', 'fees'] as const;

/** Tokens of a network, all accounts together: what no account can ever exceed. */
export const tokensMax = 2n ** 64n - 1n;

const accountListShape = list(
  struct({ key: fixedBytes(publicKeyBytes), tokens: bigUint(tokensMax) }),
  4_096,
);
type Accounts = ShapeOf<typeof accountListShape>;

function affordable(accounts: Accounts, at: string): Accounts {
  const sum = accounts.reduce((all, { tokens }) => all + tokens, 0n);
  if (sum <= tokensMax) return accounts;
  const range = { value: `${sum} tokens in all`, min: 0, max: String(tokensMax) };
  throw new CodecError({ code: 'CODEC_RANGE', at, ...range });
}

const accountsShape: Shape<Accounts> = {
  write: (accounts) => accountListShape.write(affordable(accounts, '')),
  read: (wire, at) => affordable(accountListShape.read(wire, at), at),
};

const genesisShape = struct({
  version: uint(255),
  nonce: fixedBytes(digestBytes),
  timeMs: uint(timeMsMax),
  parameters: parametersShape,
  seats: list(seatShape, seatCountMax, seatCountMin),
  accounts: accountsShape,
  contracts: oneOf(contractNames),
});

/** The first state of a network. Its digest is the network's id. */
export type Genesis = ShapeOf<typeof genesisShape>;
export const genesisCodec: Codec<Genesis> = codec('genesis', 1024 * 1024, genesisShape);

/**
 * The id of a network: the digest of its genesis.
 * @see spec/protocol/ledger.md L1
 */
export function networkId(genesis: Genesis): Digest {
  mark('L1');
  return hash('genesis', protocolVersion, genesisCodec.encode(genesis));
}

const seatSetCodec = codec('seat set', 1024 * 1024, list(seatShape, seatCountMax, seatCountMin));

/**
 * The digest by which headers and receipts name the seats of an epoch.
 * @see spec/protocol/ledger.md L2
 */
export function seatSetHash(epoch: number, seats: readonly Seat[]): Digest {
  mark('L2');
  return hash('seat-set', epoch, seatSetCodec.encode(seats));
}
