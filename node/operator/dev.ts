/** Keep a development network running: all in this process, or a process for each validator. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { concatBytes } from '../../protocol/brand.ts';
import { networkId } from '../../protocol/ledger/genesis.ts';
import { devSeatSeed } from '../../protocol/receipt/dev.ts';
import { type Embedded, startEmbedded } from '../embedded.ts';
import { configSchema } from './config.ts';
import { type DevLayout, type DevSeat, listenAddress } from './dev-layout.ts';
import { OperatorError } from './error.ts';
import { lockKey } from './key-lock.ts';
import type { Log } from './log.ts';
import { nothingOpened } from './opened.ts';
import { failureLines } from './report.ts';
import { servers } from './servers.ts';
import { stopMsMax } from './start.ts';

/** A development network that runs. */
export type DevNetwork = {
  /** Where the API of seat 0 is. */
  readonly api: string;
  /** Rejects when it cannot go on. */
  readonly failed: Promise<never>;
  readonly stop: () => Promise<void>;
};

/** Starts all seats in this process; seat 0 has an API and metrics. */
export async function startDevTogether(layout: DevLayout, log: Log): Promise<DevNetwork> {
  const { root: directory, genesis, seats } = layout;
  const opened = nothingOpened();
  try {
    // As each would be locked by a process of its own: no copy of a directory signs beside us.
    for (const { seat, directory: own } of seats) {
      const seed = concatBytes(devSeatSeed(seat), networkId(genesis));
      const lock = await lockKey(seed, own);
      opened.add('the lock of a key', () => lock.release());
    }
    const network: Embedded = await startEmbedded({
      seats: seats.length,
      faulty: 0,
      fault: null,
      nonce: genesis.nonce,
      readable: [],
      kept: { genesis, directory },
      listen: (seat) => listenAddress(seats[seat]!.ports),
    });
    opened.add('the network', () => network.stop());
    const { promise: failed, reject } = Promise.withResolvers<never>();
    failed.catch(() => undefined);
    for (const [seat, node] of network.nodes.entries())
      node.watch(failureLines({ log, node, ended: reject }, { seat }));
    const first = seats[0]!;
    const config = configSchema.parse({
      network: {},
      api: { port: first.ports.api },
      metrics: { port: first.ports.metrics },
      blobs: {},
      log: {},
    });
    const parts = {
      node: network.nodes[0]!,
      network: network.hosts[0]!,
      executor: network.executor,
      scratch: network.scratch,
      genesis: { genesis, bytes: new Uint8Array(0), network: networkId(genesis), adopted: true },
      config,
      paths: first.paths,
      log,
    };
    const addresses: string[] = [];
    for (const start of servers) {
      const server = await start(parts);
      opened.add(server.name, () => server.stop());
      addresses.push(server.address);
    }
    const stop = async (): Promise<void> => {
      const failures = await opened.closeAll(stopMsMax);
      if (failures.length > 0) throw failures[0];
    };
    return { api: addresses[0]!, failed, stop };
  } catch (error) {
    await opened.closeAll(stopMsMax);
    throw error;
  }
}

const script = fileURLToPath(new URL('../anwansi.mjs', import.meta.url));
/** Milliseconds within which a validator's process must be ready, or have ended when asked to. */
const readyMsMax = 60_000;
const endMsMax = 25_000;
/** Milliseconds after which a validator that ended is started again: longer each time, and after
 * a while of good behaviour soon again. */
const againMs = { first: 500, most: 30_000, good: 60_000 };

/** One validator's process, started again whenever it ends. */
type Keeper = { readonly ready: Promise<void>; readonly stop: () => Promise<void> };

/** Starts a process for each seat, really `node start`; one that ends is started again. */
export async function startDevProcesses(layout: DevLayout, log: Log): Promise<DevNetwork> {
  const keepers = layout.seats.map((seat) => keepRunning(seat, layout.genesisFile, log));
  const stop = async (): Promise<void> => {
    await Promise.all(keepers.map((keeper) => keeper.stop()));
  };
  try {
    await Promise.all(keepers.map(({ ready }) => ready));
  } catch (error) {
    await stop();
    throw error;
  }
  const api = `http://127.0.0.1:${layout.seats[0]!.ports.api}`;
  return { api, failed: new Promise<never>(() => undefined), stop };
}

function keepRunning({ seat, directory }: DevSeat, genesisFile: string, log: Log): Keeper {
  const { promise: ready, resolve, reject } = Promise.withResolvers<void>();
  ready.catch(() => undefined);
  let stopping = false;
  let child: ChildProcess | null = null;
  let timer: NodeJS.Timeout | null = null;
  let waitMs = againMs.first;
  let last = 'it said nothing';
  const patience = setTimeout(
    () => reject(new Error(`seat ${seat} was not ready within ${readyMsMax / 1_000} s`)),
    readyMsMax,
  );
  const start = (): void => {
    const startedAt = Date.now();
    const words = [
      'node',
      'start',
      '--validator',
      '--data-dir',
      directory,
      '--genesis',
      genesisFile,
    ];
    // The channel ends with this process, and the validator ends with the channel.
    const started = spawn(process.execPath, [script, ...words], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    child = started;
    started.stdout!.setEncoding('utf8').on('data', (text: string) => {
      if (!text.includes('ready network')) return;
      clearTimeout(patience);
      resolve();
    });
    started.stderr!.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.split('\n')) {
        if (line.startsWith('error ')) last = line.slice('error '.length);
        if (line !== '') log.debug({ seat }, line);
      }
    });
    started.once('exit', (code, signal) => {
      child = null;
      if (stopping) return;
      // A refusal will be the same next time: whoever waits is told at once.
      if (code !== null && code !== 0)
        reject(new OperatorError({ code: 'DEV_SEAT_ENDED', seat, exitCode: code, reason: last }));
      if (Date.now() - startedAt > againMs.good) waitMs = againMs.first;
      const because = last;
      log.warn({ seat, code, signal, because, againInMs: waitMs }, 'a validator ended');
      timer = setTimeout(start, waitMs);
      waitMs = Math.min(2 * waitMs, againMs.most);
    });
  };
  start();
  const stop = async (): Promise<void> => {
    stopping = true;
    clearTimeout(patience);
    if (timer !== null) clearTimeout(timer);
    const running = child;
    if (running === null) return;
    const ended = new Promise<void>((done) => running.once('exit', () => done()));
    running.kill('SIGTERM');
    const late = setTimeout(() => running.kill('SIGKILL'), endMsMax);
    await ended;
    clearTimeout(late);
  };
  return { ready, stop };
}
