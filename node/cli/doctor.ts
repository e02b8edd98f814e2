/** Look at a node from outside: its answers, its ports, its disk, the lock of its key. */
import { access, constants, statfs } from 'node:fs/promises';
import { connect } from 'node:net';
import { concatBytes, unhex } from '../../protocol/brand.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import { guardPicosecondsPerFuel } from '../../protocol/params.ts';
import type { Client, Finding, Health, Status } from '../client/http.ts';
import { createExecutor } from '../executor/pool.ts';
import { engineReport } from '../executor/self-test.ts';
import { settleConfig } from '../operator/config.ts';
import { OperatorError } from '../operator/error.ts';
import { genesisOf } from '../operator/genesis-file.ts';
import { lockKey } from '../operator/key-lock.ts';
import { readKey } from '../operator/keys.ts';
import { type OperatorPaths, operatorPaths } from '../operator/paths.ts';
import { systemCode } from '../storage/error.ts';
import { codeEntry } from './codes.ts';
import { isThisMachine } from './connect.ts';

export type DoctorOptions = {
  /** Data directory of the node, null to leave its disk and key alone. */
  readonly directory: string | null;
  /** Port where its peers should reach it; null to take what the node or its settings say. */
  readonly port: number | null;
  /** Variables that may hold settings of the node. */
  readonly environment: Readonly<Record<string, string | undefined>>;
};

/** Milliseconds by which this clock may be behind the last block: what voters allow. */
const aheadMsMax = 1_000;
/** Milliseconds after which the last block is old. */
const oldMs = 60_000;
/** Milliseconds that a port has to take a connection. */
const portMs = 2_000;
const diskWarningBytes = 5 * 1024 ** 3;
const diskFailedBytes = 256 * 1024 ** 2;

/** Everything that can be found out, in the order in which a person would look. Never throws. */
export async function diagnose(
  client: Client,
  options: DoctorOptions,
  signal: AbortSignal,
  now: () => number = Date.now,
): Promise<readonly Finding[]> {
  const { directory } = options;
  const asked = await Promise.allSettled([client.status({ signal }), client.health({ signal })]);
  signal.throwIfAborted();
  const [status, health] = asked;
  const alive = status.status === 'fulfilled';
  const local = isThisMachine(new URL(client.url).hostname);
  return [
    alive ? answers(client, status.value) : silent(client, status.reason),
    ...(alive ? [clock(status.value, now()), quorum(status.value), peers(status.value)] : []),
    ...(local ? [...(await ports(options, alive ? status.value : null)), await engine()] : []),
    ...(directory === null ? [] : [await disk(directory)]),
    ...(directory === null ? [] : [await keyLock(directory, alive ? status.value : null)]),
    ...(health.status === 'fulfilled' ? ofNode(health.value) : []),
  ];
}

/** What the node says of itself, under names that tell it from what was looked at here. */
function ofNode({ findings }: Health): readonly Finding[] {
  return findings.map((finding) => ({ ...finding, name: `node ${finding.name}` }));
}

function ok(name: string, cause: string): Finding {
  return { name, state: 'ok', cause, consequence: 'None.', remedy: 'Nothing to do.' };
}

function answers({ url }: Client, { software }: Status): Finding {
  return ok('api', `${software} answers at ${url}`);
}

function silent({ url }: Client, reason: unknown): Finding {
  const entry = reason instanceof ProtocolError ? codeEntry(reason.code) : undefined;
  return {
    name: 'api',
    state: 'failed',
    cause: (reason as Error).message,
    consequence: 'No job can be submitted here, and the node itself cannot be asked what it lacks.',
    remedy:
      entry?.remedy ?? `Start the node, or name where it answers instead of ${url}: --api URL.`,
  };
}

function clock({ final }: Status, now: number): Finding {
  const aheadMs = final.timeMs - now;
  if (aheadMs > aheadMsMax)
    return {
      name: 'clock',
      state: 'failed',
      cause: `the last final block is ${aheadMs} ms ahead of the clock of this machine`,
      consequence: 'A seat with this clock votes for no block in time, and its jobs look old.',
      remedy: 'Set the clock: `timedatectl set-ntp true`, or whatever keeps time here.',
    };
  if (-aheadMs > oldMs)
    return {
      name: 'clock',
      state: 'warning',
      cause: `the last final block is ${Math.round(-aheadMs / 1_000)} s old by this clock`,
      consequence: 'Either nothing becomes final, or the clock of this machine is fast.',
      remedy: 'Compare the clock with another one; if it is right, see quorum and sync.',
    };
  return ok('clock', `the last final block is ${Math.max(0, -aheadMs)} ms old by this clock`);
}

function quorum({ heard, quorum: needed, seats }: Status): Finding {
  const missing = Array.from({ length: Math.min(seats, 4_096) }, (_, seat) => seat).filter(
    (seat) => !heard.includes(seat),
  );
  const names = missing.slice(0, 16).join(', ');
  if (heard.length < needed)
    return {
      name: 'quorum',
      state: 'failed',
      cause: `${heard.length} of ${seats} seats are heard, ${needed} are needed; missing: ${names}`,
      consequence: 'Nothing is ordered and nothing becomes final until more are heard.',
      remedy: 'Ask whoever runs them; if all are up, this node is cut off: see peers and ports.',
    };
  if (missing.length > 0 && heard.length === needed)
    return {
      name: 'quorum',
      state: 'warning',
      cause: `${heard.length} of ${seats} seats are heard, not one to spare; missing: ${names}`,
      consequence: 'One more that goes away stops the network.',
      remedy: 'Ask whoever runs the missing ones to bring them back.',
    };
  return ok('quorum', `${heard.length} of ${seats} seats are heard, ${needed} are needed`);
}

function peers({ peers: connected, seats }: Status): Finding {
  if (connected > 0 || seats === 0) return ok('peers', `${connected} peers are connected`);
  return {
    name: 'peers',
    state: 'failed',
    cause: 'no peer is connected',
    consequence: 'The node hears of no block, and nobody hears of its jobs.',
    remedy: 'Give it peers (network.peers in its config.toml) and let their port through.',
  };
}

/** Whether a sandbox starts on this machine, and its engine is like others. */
async function engine(): Promise<Finding> {
  try {
    const executor = await createExecutor({ children: 1, readable: [] });
    await executor.close();
    const { picosecondsPerFuel } = (await engineReport())!;
    return ok(
      'engine',
      `Node ${process.version} runs programs as specified, ${picosecondsPerFuel} ps a unit of fuel ` +
        `at worst; up to ${guardPicosecondsPerFuel} are allowed`,
    );
  } catch (error) {
    const entry = error instanceof ProtocolError ? codeEntry(error.code) : undefined;
    return {
      name: 'engine',
      state: 'failed',
      cause: (error as Error).message,
      consequence: 'A node does not start here: what it computed would not be what others compute.',
      remedy: entry?.remedy ?? 'Look at the message; start the node with -v.',
    };
  }
}

/** Where connections are taken, as far as this machine can try. */
type Door = { readonly host: string; readonly port: number };

/** Whether something takes connections where peers should come in, and only if a node runs. */
async function ports(
  { directory, port, environment }: DoctorOptions,
  status: Status | null,
): Promise<readonly Finding[]> {
  if (port !== null) return [await listening({ host: '127.0.0.1', port }, status !== null)];
  if (status === null) return settledPorts(directory, environment);
  const doors = doorsOf(status.addresses);
  if (doors.length > 0) return Promise.all(doors.map((door) => listening(door, true)));
  return [
    {
      name: 'ports',
      state: 'warning',
      cause: 'the node listens for peers nowhere',
      consequence: 'Peers cannot begin a connection to this node; it has those that it began.',
      remedy: 'See network.listen in its config.toml, or --listen, and start it again.',
    },
  ];
}

/** The ports that the settings of a node name which does not run: they should be free. */
async function settledPorts(
  directory: string | null,
  environment: DoctorOptions['environment'],
): Promise<readonly Finding[]> {
  try {
    const { config: file } = await operatorPaths(directory);
    const { config } = await settleConfig({ flags: {}, environment, file, fileGiven: false });
    return await Promise.all(doorsOf(config.network.listen).map((door) => listening(door, false)));
  } catch (error) {
    const entry = error instanceof ProtocolError ? codeEntry(error.code) : undefined;
    return [
      {
        name: 'settings',
        state: 'failed',
        cause: (error as Error).message,
        consequence: 'A node does not start with these settings.',
        remedy: entry?.remedy ?? 'Look at config.toml of the node.',
      },
    ];
  }
}

/** Any address of this machine, and the one by which it reaches itself. */
const ownHosts: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };
/** Ports that are tried, at most. */
const doorCountMax = 16;

/** One door a port, of the loopback where it is open there; port 0 is none yet. */
function doorsOf(addresses: readonly string[]): readonly Door[] {
  const doors = new Map<number, Door>();
  for (const address of addresses) {
    const [, text, digits] = /^\/ip[46]\/([^/]+)\/tcp\/(\d{1,5})(?:\/|$)/.exec(address) ?? [];
    const port = Number(digits);
    if (text === undefined || !(port > 0)) continue;
    const host = ownHosts[text] ?? text;
    const isLoopback = host === '::1' || host.startsWith('127.');
    if (isLoopback || !doors.has(port)) doors.set(port, { host, port });
  }
  return [...doors.values()].slice(0, doorCountMax);
}

/** Whether something takes connections at a door, and whether it should. */
async function listening({ host, port }: Door, alive: boolean): Promise<Finding> {
  const taken = await takesConnections({ host, port });
  const where = host === '127.0.0.1' ? `port ${port}` : `port ${port} of ${host}`;
  if (alive && !taken)
    return {
      name: 'ports',
      state: 'warning',
      cause: `nothing takes connections on ${where}`,
      consequence: 'Peers cannot begin a connection to this node; it has those that it began.',
      remedy: 'Let the port through here; see network.listen in its config, and its log.',
    };
  if (!alive && taken)
    return {
      name: 'ports',
      state: 'warning',
      cause: `something listens on ${where}, and no node answers`,
      consequence: 'A node that starts here cannot have the port.',
      remedy: `See what it is: \`ss -ltnp sport = :${port}\`; stop it, or choose another port.`,
    };
  return ok('ports', alive ? `${where} takes connections` : `${where} is free`);
}

function takesConnections(door: Door): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(door);
    const end = (taken: boolean): void => {
      socket.destroy();
      resolve(taken);
    };
    socket.setTimeout(portMs, () => end(false));
    socket.once('connect', () => end(true)).once('error', () => end(false));
  });
}

async function disk(directory: string): Promise<Finding> {
  try {
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    const { bavail, bsize } = await statfs(directory);
    const free = bavail * bsize;
    const gib = (free / 1024 ** 3).toFixed(1);
    if (free > diskWarningBytes) return ok('disk', `${gib} GiB are free at ${directory}`);
    return {
      name: 'disk',
      state: free < diskFailedBytes ? 'failed' : 'warning',
      cause: `${gib} GiB are free at ${directory}`,
      consequence: 'A full disk stops a seat: it may not vote for what it cannot keep.',
      remedy: 'Make room, or give blobs less of it: blobs.quota_bytes in the config.',
    };
  } catch (error) {
    const missing = systemCode(error) === 'ENOENT';
    return {
      name: 'disk',
      state: 'failed',
      cause: missing ? `there is no ${directory}` : (error as Error).message,
      consequence: 'A node cannot keep its votes there, and so may not vote.',
      remedy: missing
        ? 'Name the data directory of the node with --data-dir, or make one: anwansi node init.'
        : 'Let the user of the node read and write it, and look as that user.',
    };
  }
}

/** Whether exactly one process signs with the key of this directory. */
async function keyLock(directory: string, status: Status | null): Promise<Finding> {
  try {
    const paths = await operatorPaths(directory);
    const seed = await readKey(paths, paths.seatKey);
    const network = await networkOf(paths, status);
    if (network === null)
      return ok('key lock', 'no network is chosen here yet, so no process signs');
    const lock = await lockKey(concatBytes(seed, network), directory);
    await lock.release();
    if (status?.seat === undefined || status.seat === null)
      return ok('key lock', 'no process signs with the key of this directory');
    return {
      name: 'key lock',
      state: 'warning',
      cause: 'a node answers, but no process of this machine signs with the key of this directory',
      consequence: 'The node that answers has another key, or runs elsewhere.',
      remedy: 'Check that --api and --data-dir mean the same node.',
    };
  } catch (error) {
    if (error instanceof OperatorError && error.detail.code === 'KEY_LOCKED')
      return heldLock(error.detail.processId, error.detail.directory, directory);
    const entry = error instanceof ProtocolError ? codeEntry(error.code) : undefined;
    return {
      name: 'key lock',
      state: error instanceof OperatorError && error.code === 'KEY_MISSING' ? 'warning' : 'failed',
      cause: (error as Error).message,
      consequence: 'A node cannot sign with the key of this directory.',
      remedy: entry?.remedy ?? 'Look at the files under keys in the data directory.',
    };
  }
}

/** The network for which the key of a directory is locked; null before one is chosen. */
async function networkOf(paths: OperatorPaths, status: Status | null): Promise<Uint8Array | null> {
  try {
    return (await genesisOf(paths, null)).network;
  } catch (error) {
    const isMissing = error instanceof OperatorError && error.code === 'GENESIS_NOT_FOUND';
    if (!isMissing) throw error;
    return status === null ? null : unhex(status.network);
  }
}

function heldLock(pid: number | null, holder: string | null, directory: string): Finding {
  const who = pid === null ? 'a process' : `process ${pid}`;
  if (holder === null || holder === directory)
    return ok('key lock', `${who} signs with the key of this directory, and nobody else can`);
  return {
    name: 'key lock',
    state: 'failed',
    cause: `${who} signs with this key from another directory, ${holder}`,
    consequence: 'A node of this directory does not start: a key that signs twice is punished.',
    remedy: 'Keep one of the two directories: the one with the newer votes.',
  };
}
