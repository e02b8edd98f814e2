/** Write, read and check the public part of a validator, for whoever makes a genesis. */
import { basename } from 'node:path';
import { hex, unhex } from '../../protocol/brand.ts';
import { possessesVrfKey, vrfPossession } from '../../protocol/crypto/vrf.ts';
import type { Seat } from '../../protocol/ledger/genesis.ts';
import { publicKeyBytes, vrfProofBytes } from '../../protocol/params.ts';
import { nativeKeys, nativeSuite } from '../crypto.ts';
import { OperatorError } from './error.ts';
import { readBounded } from './files.ts';

export const validatorSchema = 'anwansi/validator/1';
const fileBytesMax = 16 * 1024;

/** A seat to be, and who its node is on the network. */
export type PublicPart = { readonly seat: Seat; readonly peerId: string };

/** The public part of a seat's key. */
export function seatOf(seed: Uint8Array): Seat {
  const keys = nativeKeys(seed);
  const { publicKey, vrfPublicKey } = keys;
  return { publicKey, vrfPublicKey, possession: vrfPossession(keys) };
}

/** Text of a validator file. */
export function formatValidator({ seat, peerId }: PublicPart): string {
  const written = {
    schema: validatorSchema,
    publicKey: hex(seat.publicKey),
    vrfPublicKey: hex(seat.vrfPublicKey),
    possession: hex(seat.possession),
    peerId,
  };
  return `${JSON.stringify(written, null, 2)}\n`;
}

/**
 * Reads a validator file, and checks that its holder has both keys.
 * @throws OperatorError `VALIDATOR_FILE_MALFORMED`, `VALIDATOR_POSSESSION`
 */
export async function readValidator(file: string): Promise<PublicPart> {
  const refuse = (reason: string): never => {
    throw new OperatorError({ code: 'VALIDATOR_FILE_MALFORMED', file, reason });
  };
  const bytes = await readBounded(file, fileBytesMax);
  if (bytes === null) return refuse('there is no such file');
  if (bytes === 'too-long') return refuse(`it has more than ${fileBytesMax} bytes`);
  const read = parseValidator(new TextDecoder().decode(bytes), refuse);
  checkSeat(read.seat, basename(file));
  return read;
}

/**
 * Checks a seat that somebody else has made.
 * @throws OperatorError `VALIDATOR_POSSESSION`
 */
export function checkSeat({ publicKey, vrfPublicKey, possession }: Seat, name: string): void {
  const good =
    nativeSuite.validKey(publicKey) &&
    nativeSuite.validKey(vrfPublicKey) &&
    possessesVrfKey(nativeSuite, publicKey, vrfPublicKey, possession);
  if (!good) throw new OperatorError({ code: 'VALIDATOR_POSSESSION', name });
}

function parseValidator(text: string, refuse: (reason: string) => never): PublicPart {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refuse('it is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return refuse('it is not a JSON object');
  const fields = value as Record<string, unknown>;
  if (fields.schema !== validatorSchema) return refuse(`its schema is not "${validatorSchema}"`);
  const names = ['schema', 'publicKey', 'vrfPublicKey', 'possession', 'peerId'];
  const foreign = Object.keys(fields).find((name) => !names.includes(name));
  if (foreign !== undefined) return refuse(`it has an unknown field ${JSON.stringify(foreign)}`);
  const bytes = (name: string, length: number): Uint8Array => {
    const field = fields[name];
    const read = typeof field === 'string' ? unhex(field) : null;
    if (read?.length === length) return read;
    return refuse(`${name} is not ${length} bytes in lower-case hexadecimal`);
  };
  const { peerId } = fields;
  if (typeof peerId !== 'string' || !/^[1-9A-HJ-NP-Za-km-z]{1,128}$/.test(peerId))
    return refuse('peerId is not a peer id');
  const seat = {
    publicKey: bytes('publicKey', publicKeyBytes),
    vrfPublicKey: bytes('vrfPublicKey', publicKeyBytes),
    possession: bytes('possession', vrfProofBytes),
  };
  return { seat, peerId };
}
