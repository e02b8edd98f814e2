/** Start a node’s process: key, lock, node, servers; stop them in reverse. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { concatBytes, hex, sameBytes } from '../../protocol/brand.ts';
import type { SeatKeys } from '../../protocol/crypto/suite.ts';
import type { Genesis } from '../../protocol/ledger/genesis.ts';
import { isDevGenesis } from '../../protocol/receipt/trust.ts';
import { nativeKeys } from '../crypto.ts';
import { createExecutor } from '../executor/pool.ts';
import type { AnwansiNode } from '../face.ts';
import { createLibp2pNetwork, type Libp2pNetwork } from '../network/libp2p.ts';
import { blobDirectoryOf, startNode } from '../node.ts';
import type { Executor } from '../ports.ts';
import type { Config } from './config.ts';
import { OperatorError } from './error.ts';
import { makeFolder, writeWhole } from './files.ts';
import { adoptGenesis, type GenesisFile, genesisOf } from './genesis-file.ts';
import { lockKey } from './key-lock.ts';
import { readKey } from './keys.ts';
import type { Log } from './log.ts';
import { nothingOpened, type Opened } from './opened.ts';
import type { OperatorPaths } from './paths.ts';
import { networkLines, noticeLines, report } from './report.ts';

/** Milliseconds within which a node ends when it is asked to. */
export const stopMsMax = 20_000;

/**
 * `any`: takes part if its key holds a seat, else follows. `validator`: takes part or refuses to
 * start. `observer`: follows, and needs no key of a seat.
 */
export type Role = 'any' | 'validator' | 'observer';

/** What runs beside the node, such as its HTTP API. */
export type ServerParts = {
  readonly node: AnwansiNode;
  readonly network: Libp2pNetwork;
  readonly executor: Executor;
  /** A folder that the executor may read; gone when the node stops. */
  readonly scratch: string;
  readonly genesis: GenesisFile;
  readonly config: Config;
  readonly paths: OperatorPaths;
  readonly log: Log;
};

export type RunningServer = {
  readonly name: string;
  /** Where it can be reached, such as `http://127.0.0.1:26922`. */
  readonly address: string;
  readonly stop: () => Promise<void>;
};

/** Starts a server; what it opened is closed if it cannot. */
export type ServerStart = (parts: ServerParts) => Promise<RunningServer>;

export type ValidatorOptions = {
  readonly paths: OperatorPaths;
  readonly config: Config;
  /** The genesis file that was named; null for the one of the data directory. */
  readonly genesisFile: string | null;
  readonly role: Role;
  readonly log: Log;
  readonly servers: readonly ServerStart[];
};

export type Validator = {
  readonly node: AnwansiNode;
  readonly network: Libp2pNetwork;
  readonly genesis: GenesisFile;
  readonly seat: number | null;
  readonly servers: readonly RunningServer[];
  /** Rejects with the reason for which the node cannot go on. */
  readonly failed: Promise<never>;
  /** Ends everything. @throws what went wrong first; the rest was ended all the same */
  readonly stop: () => Promise<void>;
};

/** Starts a node. Whatever was opened is closed when the rest cannot be. @throws ProtocolError */
export async function startValidator(options: ValidatorOptions): Promise<Validator> {
  const opened = nothingOpened();
  try {
    return await startParts(options, opened);
  } catch (error) {
    for (const reason of await opened.closeAll(stopMsMax))
      options.log.warn({ reason }, 'closing what was opened failed');
    throw error;
  }
}

async function startParts(options: ValidatorOptions, opened: Opened): Promise<Validator> {
  const { paths, config, log } = options;
  const genesis = await genesisOf(paths, options.genesisFile);
  const holder = await seatHolder(options, genesis, opened);
  const privateKeySeed = await readKey(paths, paths.peerKey);
  const blobs = blobDirectoryOf(paths.data);
  for (const folder of [paths.data, blobs, paths.scratch]) await makeFolder(folder);
  // One of its own: until the store is open, another process may run on this directory.
  const scratch = await mkdtemp(join(paths.scratch, 'run-'));
  opened.add('the scratch folder', () => rm(scratch, { recursive: true, force: true }));
  const executor = await createExecutor({ readable: [blobs, scratch] });
  opened.add('the sandbox', () => executor.close());
  const { listen, peers, discover } = config.network;
  const wish = { network: genesis.network, privateKeySeed, listen, peers, discover };
  const network = await createLibp2pNetwork({ ...wish, log: networkLines(log) });
  const node = await startNode({
    genesis: genesis.genesis,
    seat: holder.seat,
    keys: holder.keys,
    network,
    executor,
    directory: paths.data,
    blobQuotaBytes: config.blobs.quota_bytes,
    log: noticeLines(log),
  });
  opened.add('the node', () => node.stop());
  // The store is ours and belongs to this network: now the directory may.
  await adoptGenesis(paths, genesis);
  await sweep(paths.scratch, scratch);
  const { promise: failed, reject } = Promise.withResolvers<never>();
  failed.catch(() => undefined);
  const { peers: connected, unreachable } = network;
  const followed = report({ log, node, peers: connected, unreachable, ended: reject });
  opened.add('the log of the node', followed);

  const servers: RunningServer[] = [];
  const parts = { node, network, executor, scratch, genesis, config, paths, log };
  for (const start of options.servers) {
    const server = await start(parts);
    opened.add(server.name, () => server.stop());
    servers.push(server);
  }
  await writeWhole(paths.pid, `${process.pid}\n`);
  opened.add('the pid file', () => removeOwn(paths.pid));
  const stop = async (): Promise<void> => {
    const failures = await opened.closeAll(stopMsMax);
    for (const reason of failures) log.error({ reason }, 'stopping failed');
    if (failures.length > 0) throw failures[0];
  };
  return { node, network, genesis, seat: holder.seat, servers, failed, stop };
}

type SeatHolder = { readonly seat: number | null; readonly keys: SeatKeys | null };

/** The seat of this process, and its keys under their lock; none for an observer. */
async function seatHolder(
  { paths, role, log }: ValidatorOptions,
  { genesis, network }: GenesisFile,
  opened: Opened,
): Promise<SeatHolder> {
  const observer = { seat: null, keys: null };
  if (isDevGenesis(genesis))
    log.warn('the keys of this network are public: it proves nothing to anybody');
  if (role === 'observer') {
    log.info({ network: hex(network) }, 'following as an observer, as asked');
    return observer;
  }
  const seed = await readKey(paths, paths.seatKey);
  const keys = nativeKeys(seed);
  const seat = seatIndex(genesis, keys.publicKey);
  if (seat === null) {
    const facts = { publicKey: hex(keys.publicKey), network: hex(network) };
    if (role === 'validator') throw new OperatorError({ code: 'KEY_NOT_SEATED', ...facts });
    log.warn(facts, 'following as an observer: the key holds no seat in this network');
    return observer;
  }
  // What is signed names its network: a key may serve two networks, and never twice in one.
  const lock = await lockKey(concatBytes(seed, network), paths.data);
  opened.add('the lock of the key', () => lock.release());
  return { seat, keys };
}

function seatIndex({ seats }: Genesis, publicKey: Uint8Array): number | null {
  const index = seats.findIndex((seat) => sameBytes(seat.publicKey, publicKey));
  return index < 0 ? null : index;
}

/** Removes what earlier processes left in a folder. */
async function sweep(folder: string, own: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    if (path !== own) await rm(path, { recursive: true, force: true });
  }
}

/** Removes a pid file, unless another process has put its own in its place. */
async function removeOwn(file: string): Promise<void> {
  const text = await readFile(file, 'utf8').catch(() => '');
  if (text.trim() === String(process.pid)) await rm(file, { force: true });
}
