/** Make a network's genesis of validators' public keys. */
import { hex, unhex } from '../../protocol/brand.ts';
import {
  type contractNames,
  devParameters,
  type Genesis,
  genesisCodec,
  type NetworkParameters,
  type Seat,
  tokensMax,
} from '../../protocol/ledger/genesis.ts';
import {
  protocolVersion,
  publicKeyBytes,
  seatCountMax,
  seatCountMin,
} from '../../protocol/params.ts';
import { checkpointOf, formatTrust, type Policy } from '../../protocol/receipt/trust.ts';
import { nativeSuite } from '../crypto.ts';
import { nearestWord } from '../nearest.ts';
import { OperatorError } from './error.ts';
import { readToml } from './toml.ts';

/** What a fresh trust file asks of a job: what `anwansi run` asks for unless told otherwise. */
export const usualPolicy: Policy = { tiers: ['exact'], loss: '1e-9', adversary: '1/5' };

/** A seat under the name by which its maker is told of mistakes. */
export type NamedSeat = { readonly name: string; readonly seat: Seat };

export type GenesisWish = {
  /** In the order of the seats to be; their possession is proved already. */
  readonly seats: readonly NamedSeat[];
  /** `KEY=TOKENS`, each once. */
  readonly accounts: readonly string[];
  readonly contracts: (typeof contractNames)[number];
  readonly parameters: NetworkParameters;
  /** 32 bytes that tell this network from every other of the same keys. */
  readonly nonce: Uint8Array;
  readonly timeMs: number;
};

/**
 * Makes a genesis.
 * @throws OperatorError `GENESIS_SEATS`, `VALIDATOR_DUPLICATE`, `GENESIS_ACCOUNT`
 */
export function makeGenesis(wish: GenesisWish): Genesis {
  const { seats, contracts, parameters, nonce, timeMs } = wish;
  checkDistinct(seats);
  if (seats.length < seatCountMin || seats.length > seatCountMax)
    throw new OperatorError({
      code: 'GENESIS_SEATS',
      seats: seats.length,
      min: seatCountMin,
      max: seatCountMax,
    });
  const genesis: Genesis = {
    version: protocolVersion,
    nonce,
    timeMs,
    parameters,
    seats: seats.map(({ seat }) => seat),
    accounts: readAccounts(wish.accounts),
    contracts,
  };
  // What is written can be read, or is not written.
  genesisCodec.decode(genesisCodec.encode(genesis));
  return genesis;
}

/** The trust file of a network from its beginning. */
export function trustOf(genesis: Genesis): string {
  return formatTrust(checkpointOf(genesis, usualPolicy));
}

/** One key, one seat: a key with two could be asked to sign twice. */
export function checkDistinct(seats: readonly NamedSeat[]): void {
  const owners = new Map<string, string>();
  for (const { name, seat } of seats)
    for (const key of [seat.publicKey, seat.vrfPublicKey].map(hex)) {
      const other = owners.get(key);
      if (other !== undefined)
        throw new OperatorError({ code: 'VALIDATOR_DUPLICATE', name, other });
      owners.set(key, name);
    }
}

function readAccounts(texts: readonly string[]): Genesis['accounts'] {
  const accounts = new Map<string, { key: Uint8Array; tokens: bigint }>();
  let sum = 0n;
  for (const account of texts) {
    const refuse = (reason: string): never => {
      throw new OperatorError({ code: 'GENESIS_ACCOUNT', account, reason });
    };
    const [, keyText, tokenText] = /^([^=]*)=(\d{1,20})$/.exec(account) ?? [];
    if (keyText === undefined || tokenText === undefined)
      return refuse('write it KEY=TOKENS, the key in hexadecimal, the tokens as a whole number');
    const key = unhex(keyText);
    if (key?.length !== publicKeyBytes || !nativeSuite.validKey(key))
      return refuse('its key is not a public key in lower-case hexadecimal');
    if (accounts.has(keyText)) return refuse('its key is there twice');
    const tokens = BigInt(tokenText);
    sum += tokens;
    if (sum > tokensMax) return refuse(`with it there are more than ${tokensMax} tokens in all`);
    accounts.set(keyText, { key, tokens });
  }
  return [...accounts.values()];
}

/**
 * The parameters of a network: those of development networks, where a file says nothing else.
 * @param file - A TOML file with parameters by their names in the specification; null for none.
 * @throws OperatorError `GENESIS_PARAMETERS`, `CONFIG_…`
 */
export async function readParameters(file: string | null): Promise<NetworkParameters> {
  if (file === null) return devParameters;
  const names = Object.keys(devParameters) as (keyof NetworkParameters)[];
  const tables = await readToml(file);
  if (tables === null)
    throw new OperatorError({ code: 'CONFIG_UNREADABLE', file, reason: 'there is no such file' });
  const parameters: Record<string, number> = { ...devParameters };
  for (const [name, value] of Object.entries(tables)) {
    if (!names.includes(name as keyof NetworkParameters))
      throw new OperatorError({
        code: 'CONFIG_UNKNOWN_KEY',
        file,
        key: name,
        meant: nearestWord(name, names),
      });
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1 || value > hourMs)
      throw new OperatorError({
        code: 'CONFIG_VALUE',
        key: name,
        origin: file,
        reason: `it is not a whole number of milliseconds from 1 to ${hourMs}`,
      });
    parameters[name] = value;
  }
  const read = parameters as NetworkParameters;
  checkParameters(read);
  return read;
}

const hourMs = 3_600_000;

/** Relations without which a network stands still. */
function checkParameters(parameters: NetworkParameters): void {
  const rising: readonly (readonly [keyof NetworkParameters, keyof NetworkParameters])[] = [
    ['stepMinMs', 'heartbeatMs'],
    ['heartbeatMs', 'stepMaxMs'],
    ['viewTimeoutMs', 'viewTimeoutMaxMs'],
  ];
  for (const [less, more] of rising)
    if (parameters[less] > parameters[more]) {
      const reason = `${less} (${parameters[less]}) is more than ${more} (${parameters[more]})`;
      throw new OperatorError({ code: 'GENESIS_PARAMETERS', reason });
    }
}
