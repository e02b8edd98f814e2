/** Run a network of real processes, and do to them what machines do: kill, start again, ask. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, createClient } from '../../node/client/http.ts';
import { createExecutor } from '../../node/executor/pool.ts';
import { type DevLayout, layDevNetwork } from '../../node/operator/dev-layout.ts';
import { storeDirectoryOf } from '../../node/parts.ts';
import { openLevelStore } from '../../node/storage/level.ts';
import { hex, unhex } from '../../protocol/brand.ts';
import { jobId } from '../../protocol/job/job.ts';
import { type NetworkParameters, networkId } from '../../protocol/ledger/genesis.ts';
import { blobCid } from '../../protocol/merkle/blob.ts';
import { script } from './anwansi-process.ts';
import { primesItems, primesProgram, signPrimes } from './nodes.ts';

const readyMsMax = 60_000;

/** Machines with a process each. Their disks stay when a process is killed. */
export type Fleet = {
  readonly layout: DevLayout;
  readonly client: (seat: number) => Client;
  /** Starts the process of a seat and waits until it is ready. */
  readonly start: (seat: number) => Promise<void>;
  /** kill -9, and waits until it is gone. */
  readonly kill: (seat: number) => Promise<void>;
  readonly running: () => readonly number[];
  /** Memory of a seat's process, in bytes. */
  readonly memory: (seat: number) => Promise<number>;
  /** Signs and submits a small job at a seat. Its id, once the node has acknowledged it. */
  readonly submit: (seat: number, account: number) => Promise<string>;
  /** Ends all processes and says what they wrote on standard error. */
  readonly stop: () => Promise<void>;
  readonly log: (seat: number) => string;
  readonly remove: () => Promise<void>;
};

export type FleetWish = {
  /** Jobs count the primes below this. */
  readonly to?: number;
  /** What differs from the parameters of development networks. */
  readonly parameters?: Partial<NetworkParameters>;
  /** Seats to start; all unless given. */
  readonly started?: readonly number[];
};

/** Lays out a network of `seats` and starts them. */
export async function startFleet(seats: number, wish: FleetWish = {}): Promise<Fleet> {
  const { to = 100_000, parameters = {} } = wish;
  const root = await mkdtemp(join(tmpdir(), 'anwansi-fleet-'));
  const nonce = randomBytes(32);
  const layout = await layDevNetwork({ root, seats, nonce, apiPort: 0, parameters });
  const network = networkId(layout.genesis);
  const program = await readFile(primesProgram);
  const sandbox = await createExecutor({ readable: [join(primesProgram, '..')] });
  const items = await primesItems(sandbox, primesProgram, to).finally(() => sandbox.close());
  const children = new Map<number, ChildProcess>();
  const logs = layout.seats.map(() => '');

  const start = (seat: number): Promise<void> => {
    const { directory } = layout.seats[seat]!;
    const words = ['node', 'start', '--validator', '--data-dir', directory];
    const child = spawn(process.execPath, [script, ...words, '--genesis', layout.genesisFile], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    children.set(seat, child);
    const keep = (text: string): void => {
      logs[seat] = (logs[seat]! + text).slice(-200_000);
    };
    child.stderr!.setEncoding('utf8').on('data', keep);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`seat ${seat} is not ready:\n${logs[seat]}`)),
        readyMsMax,
      );
      child.stdout!.setEncoding('utf8').on('data', (text: string) => {
        keep(text);
        if (!text.includes('ready network')) return;
        clearTimeout(timer);
        resolve();
      });
      child.once('exit', (code, signal) => {
        clearTimeout(timer);
        if (children.get(seat) === child) children.delete(seat);
        reject(new Error(`seat ${seat} ended (${code ?? signal}):\n${logs[seat]!.slice(-2_000)}`));
      });
    });
  };
  const end = (seat: number, how: 'SIGKILL' | 'SIGTERM'): Promise<void> => {
    const child = children.get(seat);
    if (child === undefined) return Promise.resolve();
    const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill(how);
    return gone;
  };
  const client = (seat: number): Client =>
    createClient({ url: `http://127.0.0.1:${layout.seats[seat]!.ports.api}` });
  const stop = async (): Promise<void> => {
    await Promise.all([...children.keys()].map((seat) => end(seat, 'SIGTERM')));
  };
  const fleet: Fleet = {
    layout,
    client,
    start,
    kill: (seat) => end(seat, 'SIGKILL'),
    running: () => [...children.keys()],
    memory: async (seat) => {
      const text = await readFile(`/proc/${children.get(seat)!.pid}/status`, 'utf8');
      return Number(/VmRSS:\s+(\d+)/.exec(text)![1]) * 1024;
    },
    submit: async (seat, account) => {
      const one = client(seat);
      await one.putBlob(program);
      const { final } = await one.status();
      const { height, timeMs } = final;
      const anchor = { height, timeMs, hash: unhex(final.hash)! };
      const signed = signPrimes({ network, program: blobCid(program), items, to, anchor, account });
      const { id } = await one.submit(signed);
      if (id !== hex(jobId(signed.job))) throw new Error('another id than the job has');
      return id;
    },
    stop,
    log: (seat) => logs[seat]!,
    remove: async () => {
      await stop();
      await rm(root, { recursive: true, force: true });
    },
  };
  try {
    const started = wish.started ?? layout.seats.map(({ seat }) => seat);
    await Promise.all(started.map((seat) => start(seat)));
    return fleet;
  } catch (error) {
    await fleet.remove();
    throw error;
  }
}

/** What the logs of stopped machines say when they are read side by side. */
export type Inspection = {
  readonly votes: number;
  /** Places in which one seat signed two different votes. */
  readonly doubles: readonly string[];
  /** Heights at which two machines have different blocks. */
  readonly forks: readonly number[];
  /** The last final height of each. */
  readonly heights: readonly number[];
};

/** Reads all stores of a fleet whose processes have ended. */
export async function inspect({ layout }: Fleet): Promise<Inspection> {
  const network = networkId(layout.genesis);
  const doubles: string[] = [];
  const forks = new Set<number>();
  const heights: number[] = [];
  const blocks = new Map<number, string>();
  let votes = 0;
  for (const { seat, directory } of layout.seats) {
    const store = await openLevelStore({ directory: storeDirectoryOf(directory), network });
    const places = new Set<string>();
    for (const [key] of await store.range('vote', {})) {
      const place = hex(key.subarray(0, 17));
      if (places.has(place)) doubles.push(`seat ${seat} at ${place}`);
      places.add(place);
      votes += 1;
    }
    let last = 0;
    for (const [hash, value] of await store.range('height', {})) {
      const height = Number(new DataView(value.buffer, value.byteOffset, 8).getBigUint64(0));
      last = Math.max(last, height);
      const other = blocks.get(height);
      if (other !== undefined && other !== hex(hash)) forks.add(height);
      blocks.set(height, hex(hash));
    }
    heights.push(last);
    await store.close();
  }
  return { votes, doubles, forks: [...forks], heights };
}
