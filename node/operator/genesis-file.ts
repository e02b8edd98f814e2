/** Read a genesis file, and bind a data directory to its network. */
import { hex, sameBytes } from '../../protocol/brand.ts';
import { type Genesis, genesisCodec, networkId } from '../../protocol/ledger/genesis.ts';
import { protocolVersion } from '../../protocol/params.ts';
import { OperatorError } from './error.ts';
import { readBounded, writeWhole } from './files.ts';
import { checkDistinct, trustOf } from './genesis.ts';
import type { OperatorPaths } from './paths.ts';
import { checkSeat } from './validator-file.ts';

const genesisBytesMax = 1024 * 1024;

export type GenesisFile = {
  readonly genesis: Genesis;
  readonly bytes: Uint8Array;
  readonly network: Uint8Array;
  /** Whether the data directory is bound to it already. */
  readonly adopted: boolean;
};

/**
 * Reads a genesis file: its bytes are the truth, every seat in it is proved.
 * @throws OperatorError `GENESIS_NOT_FOUND`, `GENESIS_MALFORMED`, `GENESIS_VERSION`,
 * `VALIDATOR_POSSESSION`, `VALIDATOR_DUPLICATE`
 */
export async function readGenesis(file: string): Promise<Omit<GenesisFile, 'adopted'>> {
  const bytes = await readBounded(file, genesisBytesMax);
  if (bytes === null) throw new OperatorError({ code: 'GENESIS_NOT_FOUND', file, given: true });
  const read = decode(bytes, file);
  const seats = read.genesis.seats.map((seat, index) => ({ name: `seat ${index}`, seat }));
  checkDistinct(seats);
  for (const { name, seat } of seats) checkSeat(seat, name);
  return read;
}

/**
 * The genesis of a data directory, or the one that is named for it.
 * @param file - The file that was named; null for the one of the directory.
 * @throws OperatorError `GENESIS_OTHER_NETWORK`, and those of {@link readGenesis}
 */
export async function genesisOf(paths: OperatorPaths, file: string | null): Promise<GenesisFile> {
  const bytes = await readBounded(paths.genesis, genesisBytesMax);
  // It was proved when it was adopted.
  const own = bytes === null ? null : decode(bytes, paths.genesis);
  if (file === null) {
    if (own !== null) return { ...own, adopted: true };
    throw new OperatorError({ code: 'GENESIS_NOT_FOUND', file: paths.genesis, given: false });
  }
  const named = await readGenesis(file);
  if (own === null) return { ...named, adopted: false };
  if (sameBytes(own.bytes, named.bytes)) return { ...own, adopted: true };
  throw new OperatorError({
    code: 'GENESIS_OTHER_NETWORK',
    directory: paths.data,
    found: hex(own.network),
    expected: hex(named.network),
  });
}

/** Binds the data directory to a network, and writes its trust file. @throws OperatorError */
export async function adoptGenesis(paths: OperatorPaths, file: GenesisFile): Promise<void> {
  if (file.adopted) return;
  await writeWhole(paths.trust, trustOf(file.genesis));
  await writeWhole(paths.genesis, file.bytes);
}

function decode(bytes: Uint8Array | 'too-long', file: string): Omit<GenesisFile, 'adopted'> {
  const malformed = (reason: string, cause?: unknown): OperatorError =>
    new OperatorError({ code: 'GENESIS_MALFORMED', file, reason }, cause);
  if (bytes === 'too-long') throw malformed(`it has more than ${genesisBytesMax} bytes`);
  let genesis: Genesis;
  try {
    genesis = genesisCodec.decode(bytes);
  } catch (cause) {
    throw malformed((cause as Error).message, cause);
  }
  const { version } = genesis;
  if (version !== protocolVersion)
    throw new OperatorError({
      code: 'GENESIS_VERSION',
      file,
      found: version,
      expected: protocolVersion,
    });
  return { genesis, bytes, network: networkId(genesis) };
}
