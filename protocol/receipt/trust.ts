/** Read what an auditor trusts: a checkpoint of a network, and a policy of his own. */
import { assert, mark } from '../assert.ts';
import { hex, sameBytes, unhex } from '../brand.ts';
import { faultyMax } from '../consensus/seats.ts';
import type { Digest } from '../crypto/hash.ts';
import {
  type AdversaryWord,
  adversaryDenominator,
  adversaryWords,
  type Tier,
  tiers,
} from '../job/job.ts';
import { type Genesis, networkId, type Seat } from '../ledger/genesis.ts';
import { headerHash } from '../ledger/header.ts';
import {
  digestBytes,
  publicKeyBytes,
  seatCountMax,
  seatCountMin,
  vrfProofBytes,
} from '../params.ts';
import { compare, one, parseDecimal, type Ratio } from '../ratio.ts';
import { devSeat, devSeatCountMax } from './dev.ts';
import { TrustError } from './error.ts';
import { genesisHeader } from './network.ts';

/** The weakest job that a reader accepts. */
export type Policy = {
  readonly tiers: readonly Tier[];
  /** Largest loss of a job, as decimal text: `1e-1`. */
  readonly loss: string;
  /** Least share of seats that must have been assumed adversarial. */
  readonly adversary: AdversaryWord;
};

/** A network that the reader believes in, by the one header that he knows of it. */
export type Checkpoint = {
  readonly kind: 'checkpoint';
  readonly network: Digest;
  readonly height: 0;
  readonly headerHash: Digest;
  readonly seats: readonly Seat[];
  readonly policy: Policy;
};

/** What an auditor believes before he reads a receipt. */
export type Trust = Checkpoint | { readonly kind: 'dev'; readonly policy: Policy };

/** The policy for development networks. */
export const devPolicy: Policy = { tiers: ['exact'], loss: '1e-1', adversary: '1/20' };

/** Trust in every development network: its keys are public, so it proves arithmetic alone. */
export const devTrust: Trust = { kind: 'dev', policy: devPolicy };

/** Trust in one network from its beginning. */
export function checkpointOf(genesis: Genesis, policy: Policy): Checkpoint {
  return {
    kind: 'checkpoint',
    network: networkId(genesis),
    height: 0,
    headerHash: headerHash(genesisHeader(genesis)),
    seats: genesis.seats,
    policy,
  };
}

/** Whether a genesis is that of a development network. @see spec/protocol/receipt.md V12 */
export function isDevGenesis({ seats }: Pick<Genesis, 'seats'>): boolean {
  if (seats.length > devSeatCountMax) return false;
  return seats.every((seat, index) => sameSeat(seat, devSeat(index)));
}

/** Whether two lists hold the same seats in the same order. */
export function sameSeats(a: readonly Seat[], b: readonly Seat[]): boolean {
  return a.length === b.length && a.every((seat, index) => sameSeat(seat, b[index]!));
}

function sameSeat(a: Seat, b: Seat): boolean {
  return (
    sameBytes(a.publicKey, b.publicKey) &&
    sameBytes(a.vrfPublicKey, b.vrfPublicKey) &&
    sameBytes(a.possession, b.possession)
  );
}

/** The largest loss of a policy. */
export function policyLoss({ loss }: Policy): Ratio {
  const ratio = parseDecimal(loss);
  assert(ratio !== null, 'the loss of a policy is a decimal');
  return ratio;
}

/** The fewest seats that must have been assumed adversarial among `seats`: at most f. */
export function policyAdversarial({ adversary }: Policy, seats: number): number {
  const denominator = adversaryDenominator(adversary);
  const most = faultyMax(seats);
  return denominator === 0
    ? most
    : Math.min(most, Math.floor((seats + denominator - 1) / denominator));
}

export const trustSchema = 'anwansi/trust/1';
/** Characters of a trust file: the keys of the largest seat set fit. */
export const trustTextLengthMax = 4 * 1024 * 1024;

/** Writes a trust file. */
export function formatTrust({
  network,
  height,
  headerHash: hash,
  seats,
  policy,
}: Checkpoint): string {
  const written = {
    schema: trustSchema,
    network: hex(network),
    height,
    headerHash: hex(hash),
    seats: seats.map(({ publicKey, vrfPublicKey, possession }) => ({
      publicKey: hex(publicKey),
      vrfPublicKey: hex(vrfPublicKey),
      possession: hex(possession),
    })),
    policy,
  };
  return `${JSON.stringify(written, null, 2)}\n`;
}

/**
 * Reads a trust file.
 * @throws {@link TrustError}
 * @see spec/protocol/receipt.md V8, V9
 */
export function parseTrust(text: string): Checkpoint {
  const file = fields(parseJson(text), 'file', [
    'schema',
    'network',
    'height',
    'headerHash',
    'seats',
    'policy',
  ]);
  if (file.schema !== trustSchema) refuse('schema', `"${trustSchema}"`);
  const height = file.height;
  if (typeof height !== 'number' || !Number.isSafeInteger(height) || height < 0)
    refuse('height', 'a count of blocks');
  if (height !== 0) {
    mark('V8');
    throw new TrustError({ code: 'TRUST_HEIGHT_UNSUPPORTED', height });
  }
  const seats = file.seats;
  if (!Array.isArray(seats) || seats.length < seatCountMin || seats.length > seatCountMax)
    refuse('seats', `a list of ${seatCountMin} to ${seatCountMax} seats`);
  const trust: Checkpoint = {
    kind: 'checkpoint',
    network: bytes(file.network, 'network', digestBytes) as Digest,
    height: 0,
    headerHash: bytes(file.headerHash, 'headerHash', digestBytes) as Digest,
    seats: (seats as unknown[]).map((seat, index) => parseSeat(seat, `seats[${index}]`)),
    policy: parsePolicy(file.policy),
  };
  mark('V9');
  return trust;
}

function parseSeat(value: unknown, at: string): Seat {
  const seat = fields(value, at, ['publicKey', 'vrfPublicKey', 'possession']);
  return {
    publicKey: bytes(seat.publicKey, `${at}.publicKey`, publicKeyBytes),
    vrfPublicKey: bytes(seat.vrfPublicKey, `${at}.vrfPublicKey`, publicKeyBytes),
    possession: bytes(seat.possession, `${at}.possession`, vrfProofBytes),
  };
}

function parsePolicy(value: unknown): Policy {
  const policy = fields(value, 'policy', ['tiers', 'loss', 'adversary']);
  const {
    tiers: allowed,
    loss,
    adversary,
  } = policy as Record<'tiers' | 'loss' | 'adversary', unknown>;
  if (!Array.isArray(allowed) || !allowed.every((tier) => tiers.includes(tier as Tier)))
    refuse('policy.tiers', `a list of ${tiers.join(', ')}`);
  const ratio = typeof loss === 'string' ? parseDecimal(loss) : null;
  if (ratio === null || compare(ratio, one) > 0)
    refuse('policy.loss', 'a decimal text from 0 to 1, such as "1e-9"');
  if (!adversaryWords.includes(adversary as AdversaryWord))
    refuse('policy.adversary', `one of ${adversaryWords.join(', ')}`);
  return {
    tiers: allowed as Tier[],
    loss: loss as string,
    adversary: adversary as AdversaryWord,
  };
}

function parseJson(text: string): unknown {
  if (text.length > trustTextLengthMax) refuse('file', `at most ${trustTextLengthMax} characters`);
  try {
    return JSON.parse(text);
  } catch {
    return refuse('file', 'JSON');
  }
}

function fields(value: unknown, at: string, names: readonly string[]): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(at, 'an object');
  const present = Object.keys(value as object).sort();
  if (present.join() !== [...names].sort().join())
    refuse(at, `exactly the fields ${names.join(', ')}`);
  return value as Record<string, unknown>;
}

function bytes(value: unknown, at: string, length: number): Uint8Array {
  const read = typeof value === 'string' ? unhex(value) : null;
  return read?.length === length ? read : refuse(at, `${length} bytes in lower-case hexadecimal`);
}

function refuse(at: string, expected: string): never {
  mark('V8');
  throw new TrustError({ code: 'TRUST_MALFORMED', at, expected });
}
