/** Lay out a development network on disk: one genesis, and a data directory for each seat. */
import { createServer } from 'node:net';
import { join } from 'node:path';
import { hex } from '../../protocol/brand.ts';
import {
  type Genesis,
  genesisCodec,
  type NetworkParameters,
} from '../../protocol/ledger/genesis.ts';
import { devGenesis, devSeatSeed } from '../../protocol/receipt/dev.ts';
import {
  checkpointOf,
  devPolicy,
  formatTrust,
  isDevGenesis,
} from '../../protocol/receipt/trust.ts';
import { devPeerSeed, seatDirectory } from '../embedded.ts';
import { peerIdOf } from '../network/peer-id.ts';
import { OperatorError } from './error.ts';
import { makeFolder, writeSecretOnce, writeWhole } from './files.ts';
import { readGenesis } from './genesis-file.ts';
import { type OperatorPaths, operatorPaths } from './paths.ts';

/** Ports of one seat: each seat has the ten above the one before. */
export type SeatPorts = {
  readonly network: number;
  readonly api: number;
  readonly metrics: number;
};

/** A development network that lies ready to be started. */
export type DevLayout = {
  readonly root: string;
  readonly genesis: Genesis;
  readonly genesisFile: string;
  readonly trustFile: string;
  readonly seats: readonly DevSeat[];
};

export type DevSeat = {
  readonly seat: number;
  readonly directory: string;
  readonly paths: OperatorPaths;
  readonly ports: SeatPorts;
  /** Where its peers reach it, with its peer id. */
  readonly address: string;
};

export type DevWish = {
  readonly root: string;
  readonly seats: number;
  readonly nonce: Uint8Array;
  /** Port of seat 0's API; 0 for free ones. */
  readonly apiPort: number;
  /** What differs from the parameters of development networks; a kept network has its own. */
  readonly parameters?: Partial<NetworkParameters>;
};

const portStep = 10;

/**
 * Writes what is not there yet; a network that is there goes on.
 * @throws OperatorError `DEV_OTHER_NETWORK` if another kind of network lies there
 */
export async function layDevNetwork(wish: DevWish): Promise<DevLayout> {
  const { root } = wish;
  await makeFolder(root);
  const genesisFile = join(root, 'genesis.cbor');
  const trustFile = join(root, 'trust.json');
  const genesis = await keptGenesis(genesisFile, wish);
  await writeWhole(trustFile, formatTrust(checkpointOf(genesis, devPolicy)));
  const seats: DevSeat[] = [];
  for (const seat of genesis.seats.keys()) {
    const directory = seatDirectory(root, seat);
    const paths = await operatorPaths(directory);
    const ports = await portsOf(wish.apiPort, seat);
    const address = `${listenAddress(ports)}/p2p/${await peerIdOf(devPeerSeed(seat))}`;
    seats.push({ seat, directory, paths, ports, address });
  }
  for (const one of seats) await writeSeat(one, seats);
  return { root, genesis, genesisFile, trustFile, seats };
}

/** Where a seat listens, as a multiaddr without its peer id. */
export function listenAddress({ network }: SeatPorts): string {
  return `/ip4/127.0.0.1/tcp/${network}`;
}

async function keptGenesis(file: string, wish: DevWish): Promise<Genesis> {
  const { seats, nonce } = wish;
  const kept = await readGenesis(file).catch((error: unknown) => {
    if (error instanceof OperatorError && error.code === 'GENESIS_NOT_FOUND') return null;
    throw error;
  });
  if (kept === null) {
    const dev = devGenesis({ seats, nonce, timeMs: Date.now() });
    const genesis = { ...dev, parameters: { ...dev.parameters, ...wish.parameters } };
    await writeWhole(file, genesisCodec.encode(genesis));
    return genesis;
  }
  const found = kept.genesis.seats.length;
  if (!isDevGenesis(kept.genesis) || found !== seats)
    throw new OperatorError({ code: 'DEV_OTHER_NETWORK', file, found, wanted: seats });
  return kept.genesis;
}

async function portsOf(apiPort: number, seat: number): Promise<SeatPorts> {
  if (apiPort === 0)
    return { network: await freePort(), api: await freePort(), metrics: await freePort() };
  const api = apiPort + seat * portStep;
  return { network: api - 2, api, metrics: api + 1 };
}

/** A port of the loopback that is free now. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0));
    });
  });
}

/** The keys of a seat, which are public, and settings that let it find all others by itself. */
async function writeSeat({ seat, paths, ports }: DevSeat, all: readonly DevSeat[]): Promise<void> {
  await makeFolder(paths.data);
  await makeFolder(paths.keys);
  await writeSecretOnce(paths.seatKey, `${hex(devSeatSeed(seat))}\n`);
  await writeSecretOnce(paths.peerKey, `${hex(devPeerSeed(seat))}\n`);
  const peers = all.filter((other) => other.seat !== seat).map(({ address }) => address);
  const lines = [
    '# Written by anwansi dev at each start.',
    '[network]',
    `listen = ${JSON.stringify([listenAddress(ports)])}`,
    `peers = ${JSON.stringify(peers)}`,
    '[api]',
    `port = ${ports.api}`,
    '[metrics]',
    `port = ${ports.metrics}`,
  ];
  await writeWhole(paths.config, `${lines.join('\n')}\n`);
}
