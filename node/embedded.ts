/** Run a whole development network in this process, over real libp2p on loopback. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hash } from '../protocol/crypto/hash.ts';
import { type NetworkParameters, networkId } from '../protocol/ledger/genesis.ts';
import { devGenesis, devSeatSeed } from '../protocol/receipt/dev.ts';
import { nativeKeys } from './crypto.ts';
import { createExecutor } from './executor/pool.ts';
import type { FaultName } from './faults.ts';
import { createLibp2pNetwork, type Libp2pNetwork } from './network/libp2p.ts';
import { type AnwansiNode, blobDirectoryOf, startNode } from './node.ts';
import type { Executor } from './ports.ts';

export type EmbeddedOptions = {
  readonly seats: number;
  /** The last `faulty` seats play this fault. */
  readonly faulty: number;
  readonly fault: FaultName | null;
  /** 32 bytes that make this network different from all others. */
  readonly nonce: Uint8Array;
  /** Where programs of the caller lie that the executor must be able to read. */
  readonly readable: readonly string[];
  /** What differs from the parameters of development networks, to try other limits. */
  readonly parameters?: Partial<NetworkParameters>;
};

export type Embedded = {
  readonly nodes: readonly AnwansiNode[];
  readonly executor: Executor;
  /** A folder of this network's that is removed with it, and that children may read. */
  readonly scratch: string;
  readonly network: Uint8Array;
  readonly stop: () => Promise<void>;
};

/** Bytes that one node's blobs may take. */
const blobQuotaBytes = 4 * 1024 * 1024 * 1024;
/** Milliseconds within which the nodes must have found each other. */
const meshMsMax = 20_000;

/** Starts `seats` nodes with the public dev keys. Its data is removed when it stops. */
export async function startEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const { seats, nonce } = options;
  const dev = devGenesis({ seats, nonce, timeMs: Date.now() });
  const genesis = { ...dev, parameters: { ...dev.parameters, ...options.parameters } };
  const network = networkId(genesis);
  const root = await mkdtemp(join(tmpdir(), 'anwansi-'));
  const scratch = join(root, 'scratch');
  const directories = genesis.seats.map((_, seat) => join(root, `node-${seat}`));
  const readable = [scratch, ...directories.map(blobDirectoryOf)];
  for (const directory of readable) await mkdir(directory, { recursive: true });
  const executor = await createExecutor({ readable: [...readable, ...options.readable] });
  const nodes: AnwansiNode[] = [];
  const stop = async (): Promise<void> => {
    await Promise.allSettled(nodes.map((node) => node.stop()));
    await executor.close();
    await rm(root, { recursive: true, force: true });
  };
  try {
    const hosts: Libp2pNetwork[] = [];
    for (let seat = 0; seat < seats; seat++)
      hosts.push(await createLibp2pNetwork({ network, privateKeySeed: hash('dev', 'peer', seat) }));
    const starts = directories.map((directory, seat) =>
      startNode({
        genesis,
        seat,
        keys: nativeKeys(devSeatSeed(seat)),
        network: hosts[seat]!,
        executor,
        directory,
        blobQuotaBytes,
        fault: seat >= seats - options.faulty ? options.fault : null,
      }),
    );
    nodes.push(...(await Promise.all(starts)));
    await connect(hosts);
  } catch (error) {
    await stop();
    throw error;
  }
  return { nodes, executor, scratch, network, stop };
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
