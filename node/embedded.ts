/** Run a whole development network in this process, over real libp2p on loopback. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hash } from '../protocol/crypto/hash.ts';
import { type Genesis, type NetworkParameters, networkId } from '../protocol/ledger/genesis.ts';
import { devGenesis, devSeatSeed } from '../protocol/receipt/dev.ts';
import { nativeKeys } from './crypto.ts';
import { type ChildPool, createExecutor } from './executor/pool.ts';
import type { FaultName } from './faults.ts';
import { createLibp2pNetwork, type Libp2pNetwork } from './network/libp2p.ts';
import { type AnwansiNode, blobDirectoryOf, startNode } from './node.ts';
import type { Network } from './ports.ts';

export type EmbeddedOptions = {
  readonly seats: number;
  /** The last `faulty` seats play this fault. */
  readonly faulty: number;
  readonly fault: FaultName | null;
  /** 32 bytes that make this network different from all others. */
  readonly nonce: Uint8Array;
  /** Where programs of the caller lie that the executor must be able to read. */
  readonly readable: readonly string[];
  /** Whether its nodes run programs without a look at their laws. */
  readonly unchecked?: boolean;
  /** What differs from the parameters of development networks, to try other limits. */
  readonly parameters?: Partial<NetworkParameters>;
  /** A network that goes on: its genesis, and the folder that keeps it when it stops. */
  readonly kept?: { readonly genesis: Genesis; readonly directory: string };
  /** Multiaddr on which a seat listens; a free port of the loopback unless given. */
  readonly listen?: (seat: number) => string;
  /** Puts something between a node and its network, such as a counter. */
  readonly wrap?: (network: Network) => Network;
};

export type Embedded = {
  readonly nodes: readonly AnwansiNode[];
  readonly hosts: readonly Libp2pNetwork[];
  readonly executor: ChildPool;
  /** A folder of this network's that children may read, and that is removed with it. */
  readonly scratch: string;
  readonly genesis: Genesis;
  readonly network: Uint8Array;
  readonly stop: () => Promise<void>;
};

/** Bytes that one node's blobs may take. */
const blobQuotaBytes = 4 * 1024 * 1024 * 1024;
/** Milliseconds within which the nodes must have found each other. */
const meshMsMax = 20_000;

/** The folder of a seat's node in the folder of its network. */
export function seatDirectory(root: string, seat: number): string {
  return join(root, `node-${seat}`);
}

/** The secret from which the peer id of a development seat comes: public, like its other keys. */
export function devPeerSeed(seat: number): Uint8Array {
  return hash('dev', 'peer', seat);
}

/** Starts `seats` nodes with the public dev keys. Unless kept, its data goes when it stops. */
export async function startEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const genesis = options.kept?.genesis ?? freshGenesis(options);
  const root = options.kept?.directory ?? (await mkdtemp(join(tmpdir(), 'anwansi-')));
  const scratch = join(root, 'scratch');
  const directories = genesis.seats.map((_, seat) => seatDirectory(root, seat));
  const readable = [scratch, ...directories.map(blobDirectoryOf)];
  for (const directory of readable) await mkdir(directory, { recursive: true });
  const executor = await createExecutor({ readable: [...readable, ...options.readable] });
  const nodes: AnwansiNode[] = [];
  const stop = async (): Promise<void> => {
    await Promise.allSettled(nodes.map((node) => node.stop()));
    await executor.close();
    await rm(options.kept === undefined ? root : scratch, { recursive: true, force: true });
  };
  try {
    const hosts = await createHosts(options, genesis);
    const starts = directories.map((directory, seat) =>
      startSeat(options, { genesis, seat, network: hosts[seat]!, executor, directory }),
    );
    // Also those that started beside one that did not are stopped with the rest.
    const started = await Promise.allSettled(starts);
    for (const one of started) if (one.status === 'fulfilled') nodes.push(one.value);
    const failed = started.find((one) => one.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    await connect(hosts);
    return { nodes, hosts, executor, scratch, genesis, network: networkId(genesis), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function freshGenesis({ seats, nonce, parameters }: EmbeddedOptions): Genesis {
  const dev = devGenesis({ seats, nonce, timeMs: Date.now() });
  return { ...dev, parameters: { ...dev.parameters, ...parameters } };
}

function createHosts({ listen }: EmbeddedOptions, genesis: Genesis): Promise<Libp2pNetwork[]> {
  const network = networkId(genesis);
  return Promise.all(
    genesis.seats.map((_, seat) =>
      createLibp2pNetwork({
        network,
        privateKeySeed: devPeerSeed(seat),
        ...(listen === undefined ? {} : { listen: [listen(seat)] }),
      }),
    ),
  );
}

function startSeat(
  { faulty, fault, wrap = (network) => network, unchecked = false }: EmbeddedOptions,
  parts: Pick<Parameters<typeof startNode>[0], 'genesis' | 'network' | 'executor' | 'directory'> & {
    readonly seat: number;
  },
): Promise<AnwansiNode> {
  const { seat, genesis, network } = parts;
  return startNode({
    ...parts,
    network: wrap(network),
    keys: nativeKeys(devSeatSeed(seat)),
    blobQuotaBytes,
    unchecked,
    fault: seat >= genesis.seats.length - faulty ? fault : null,
  });
}

async function connect(hosts: readonly Libp2pNetwork[]): Promise<void> {
  const dials = hosts.flatMap((host, place) =>
    hosts
      .slice(place + 1)
      .flatMap((other) => other.addresses().map((address) => host.dial(address))),
  );
  await Promise.all(dials);
  const deadline = Date.now() + meshMsMax;
  while (hosts.some((host) => host.peers().length < hosts.length - 1)) {
    if (Date.now() > deadline) return; // Whoever is missing is found later, or stays silent.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
