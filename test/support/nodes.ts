/** Run whole nodes on one machine: real disks, real sandboxes, a network in memory. */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nativeKeys } from '../../node/crypto.ts';
import { createExecutor } from '../../node/executor/pool.ts';
import { createMemoryNetworks, type MemoryFaults } from '../../node/network/memory.ts';
import { type AnwansiNode, blobDirectoryOf, startNode } from '../../node/node.ts';
import type { Executor } from '../../node/ports.ts';
import { utf8 } from '../../protocol/brand.ts';
import type { Digest } from '../../protocol/crypto/hash.ts';
import { signedMessage } from '../../protocol/crypto/signature.ts';
import { type Job, jobCodec, type SignedJob } from '../../protocol/job/job.ts';
import type { Genesis } from '../../protocol/ledger/genesis.ts';
import { headerHash } from '../../protocol/ledger/header.ts';
import {
  costTableVersion,
  fuelCallMax,
  fuelFoldMax,
  jobLifeMsMax,
  protocolVersion,
  rewriterVersion,
  waveCountMin,
} from '../../protocol/params.ts';
import { devAccountSeed, devGenesis, devSeatSeed } from '../../protocol/receipt/dev.ts';
import { packageRoot } from './anwansi-process.ts';

/** Machines of one network: their disks stay when their nodes stop. */
export type Machines = {
  readonly root: string;
  readonly genesis: Genesis;
  readonly executor: Executor;
  readonly directoryOf: (seat: number) => string;
  /** Starts the nodes of these seats, connected with each other and with nobody else. */
  readonly start: (seats: readonly number[]) => Promise<readonly AnwansiNode[]>;
  /** Stops whatever nodes are running. */
  readonly stop: () => Promise<void>;
  readonly remove: () => Promise<void>;
};

/** What differs from machines of a network that begins now and whose messages all arrive. */
export type MachineOptions = {
  readonly blobQuotaBytes?: number;
  /** Milliseconds since 1970 of the genesis: one of long ago is a network after an outage. */
  readonly genesisMs?: number;
  readonly faults?: MemoryFaults;
};

/** Makes the machines of a network whose blocks come faster than a dev network's. */
export async function createMachines(
  seats: number,
  { blobQuotaBytes = 256 * 1024 * 1024, genesisMs = Date.now(), faults }: MachineOptions = {},
): Promise<Machines> {
  const root = await mkdtemp(join(tmpdir(), 'anwansi-machines-'));
  const dev = devGenesis({ seats, nonce: randomBytes(32), timeMs: genesisMs });
  const parameters = { ...dev.parameters, stepMinMs: 50, heartbeatMs: 500, commitWindowMs: 2_000 };
  const genesis = { ...dev, parameters };
  const directoryOf = (seat: number): string => join(root, `node-${seat}`);
  const readable = genesis.seats.map((_, seat) => blobDirectoryOf(directoryOf(seat)));
  for (const directory of readable) await mkdir(directory, { recursive: true });
  const executor = await createExecutor({ readable });
  const running = new Set<AnwansiNode>();
  const stop = async (): Promise<void> => {
    const nodes = [...running];
    running.clear();
    await Promise.all(nodes.map((node) => node.stop()));
  };
  return {
    root,
    genesis,
    executor,
    directoryOf,
    start: async (which) => {
      const networks = createMemoryNetworks(faults);
      return Promise.all(
        which.map(async (seat) => {
          const node = await startNode({
            genesis,
            seat,
            keys: nativeKeys(devSeatSeed(seat)),
            network: networks.create(`seat ${seat}`),
            executor,
            directory: directoryOf(seat),
            blobQuotaBytes,
          });
          running.add(node);
          return node;
        }),
      );
    },
    stop,
    remove: async () => {
      await stop();
      await executor.close();
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** The program that counts primes, as it lies in the repository. */
export const primesProgram = join(packageRoot, 'programs', 'primes', 'primes.wasm');

/** What a job rests on: the network, a recent final block of it, and the program's name there. */
export type JobGround = {
  readonly network: Uint8Array;
  readonly program: Uint8Array;
  readonly items: number;
  readonly to: number;
  readonly anchor: { readonly height: number; readonly hash: Uint8Array; readonly timeMs: number };
  /** Which of the public accounts pays. */
  readonly account?: number;
};

/** Signs a job that counts the primes below `to`. */
export function signPrimes({
  network,
  program,
  items,
  to,
  anchor,
  account = 0,
}: JobGround): SignedJob {
  const keys = nativeKeys(devAccountSeed(account));
  const job: Job = {
    version: protocolVersion,
    rewriter: rewriterVersion,
    costTable: costTableVersion,
    network,
    submitter: keys.publicKey,
    nonce: randomBytes(8).readBigUInt64BE(),
    program,
    input: { kind: 'generated', items },
    cut: 'generated',
    parameters: utf8(JSON.stringify({ from: 0, to })),
    subtasks: items,
    tier: 'exact',
    lossExponent: 9,
    adversary: 'max',
    spare: 0,
    fuelItem: 2n ** 33n,
    fuelCombine: fuelCallMax,
    fuelFold: fuelFoldMax,
    fuelRender: fuelCallMax,
    slowItemMs: 100,
    fee: 1n,
    anchorHeight: anchor.height,
    anchorHash: anchor.hash,
    includeByMs: anchor.timeMs + jobLifeMsMax,
    waves: waveCountMin,
  };
  const message = signedMessage('job', network as Digest, jobCodec.encode(job));
  return { job, signature: keys.sign(message) };
}

/** How many items the primes below `to` are, as the program itself counts them. */
export async function primesItems(executor: Executor, path: string, to: number): Promise<number> {
  const parameters = utf8(JSON.stringify({ from: 0, to }));
  const counted = await executor.count(path, parameters, AbortSignal.timeout(10_000));
  if (counted.kind !== 'ok') throw new Error(`counting the items: ${counted.reason}`);
  const { buffer, byteOffset } = counted.value;
  return Number(new DataView(buffer, byteOffset, 8).getBigUint64(0));
}

/** Signs a job that counts primes, with its program stored at the node that will submit it. */
export async function primesJob(
  { executor }: Machines,
  node: AnwansiNode,
  to = 200_000,
): Promise<SignedJob> {
  const program = await node.blobs.put(await readFile(primesProgram));
  node.blobs.pin(program);
  const items = await primesItems(executor, (await node.blobs.path(program))!, to);
  const { header } = node.state().final;
  const { height, timeMs } = header;
  const anchor = { height, timeMs, hash: headerHash(header) };
  return signPrimes({ network: node.rules.network, program, items, to, anchor });
}

/** Resolves when a node's state is as it should be. @throws when it is not in time */
export async function until(what: string, isSo: () => boolean, msMax = 30_000): Promise<void> {
  const deadline = Date.now() + msMax;
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${msMax} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
