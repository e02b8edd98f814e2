// Goal: operators who know one address make a network, keep it through deaths, and are told why
// a node does not start.
// Method: the real command line on four data directories, as processes that are killed and started
// again; what they say on their two streams is all that is looked at.
import type { ChildProcess } from 'node:child_process';
import { chmodSync, cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { genesisNew } from '../../node/cli/commands/genesis-new.ts';
import { nodeInit } from '../../node/cli/commands/node-init.ts';
import {
  documentOf,
  type Ended,
  newPlace,
  type Started,
  startAnwansi,
} from '../support/anwansi-process.ts';
import { runWords } from '../support/command-line.ts';

const waitMsMax = 60_000;
// A busy machine is no fault of the node.
vi.setConfig({ testTimeout: 3 * waitMsMax, hookTimeout: 3 * waitMsMax });
const place = newPlace();
const running = new Set<ChildProcess>();
afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
  place.remove();
});

/** Ports of its own on the loopback, so that tests never meet. */
const ownPorts = ['--listen', '127.0.0.1:0', '--api-port', '0', '--metrics-port', '0'];

type NodeProcess = Started & {
  /** Lines of its log so far. */
  readonly lines: () => readonly Record<string, unknown>[];
  /** The first line that fits, now or later. */
  readonly line: (
    fits: (line: Record<string, unknown>) => boolean,
  ) => Promise<Record<string, unknown>>;
  /** Its ready line. */
  readonly ready: Promise<string>;
};

function start(directory: string, ...words: string[]): NodeProcess {
  const started = startAnwansi(['node', 'start', '--data-dir', directory, ...words], { place });
  const { child } = started;
  running.add(child);
  child.once('close', () => running.delete(child));
  let [out, err] = ['', ''];
  child.stderr!.on('data', (text: string) => {
    err += text;
  });
  const ready = new Promise<string>((resolve, reject) => {
    child.stdout!.on('data', (chunk: Uint8Array) => {
      out += Buffer.from(chunk).toString();
      if (out.includes('\n')) resolve(out.split('\n')[0]!);
    });
    child.once('close', () => reject(new Error(`it ended before it was ready:\n${err}`)));
  });
  ready.catch(() => undefined);
  // Half a line may be all that is here yet.
  const lines = () =>
    err
      .slice(0, err.lastIndexOf('\n') + 1)
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line));
  const line: NodeProcess['line'] = async (fits) => {
    const end = Date.now() + waitMsMax;
    for (;;) {
      const found = lines().find(fits);
      if (found !== undefined) return found;
      if (Date.now() > end || child.exitCode !== null) throw new Error(`no such line in:\n${err}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  return { ...started, lines, line, ready };
}

const final = (above: number) => (line: Record<string, unknown>) =>
  line.msg === 'final' && Number(line.height) > above;
const heightOf = async (node: NodeProcess, above: number) =>
  Number((await node.line(final(above))).height);
const lastHeight = (node: NodeProcess) =>
  Math.max(
    0,
    ...node.lines().flatMap(({ msg, height }) => (msg === 'final' ? [Number(height)] : [])),
  );
const kill = async (node: NodeProcess, signal: NodeJS.Signals): Promise<Ended> => {
  node.child.kill(signal);
  return node.ended;
};

/** Runs a command in this process: quicker, where its being a process is of no matter. */
async function here(words: string[]) {
  const { directory } = place;
  const { exitCode, err, document } = await runWords([nodeInit, genesisNew], words, { directory });
  expect([exitCode, err]).toEqual([0, expect.not.stringContaining('error ')]);
  return document;
}

const otherNetwork = /^it belongs to another network/;
const directories = ['n0', 'n1', 'n2', 'n3'];
const validators = directories.map((name) => join(name, 'validator.json'));
let network = '';
let nodes: NodeProcess[] = [];
let join0 = '';
let address0 = '';

beforeAll(async () => {
  for (const name of directories) await here(['node', 'init', '--data-dir', name]);
  // Quick slots: what is waited for here is blocks.
  writeFileSync(
    join(place.directory, 'quick.toml'),
    'heartbeatMs = 500\nviewTimeoutMs = 1000\nviewTimeoutMaxMs = 8000\n',
  );
  const words = ['genesis', 'new', '--validator', ...validators, '--parameters', 'quick.toml'];
  words.push('--json');
  network = (await here(words)).data.network;
});

test('four nodes that know one address make blocks final; the join line is a command', async () => {
  const first = start('n0', '--genesis', 'genesis.cbor', '--validator', ...ownPorts);
  const line = await first.ready;
  expect(line).toMatch(
    new RegExp(`^ready network ${network} seat 0 of 4 at /ip4/127\\.0\\.0\\.1/`),
  );
  join0 = /join: anwansi (.*)$/.exec(line)![1]!;
  address0 = join0.split(' ').at(-1)!;
  expect(address0).toMatch(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/p2p\/12D3Koo\w+$/);
  // What is printed is run as it is, but for what is this machine's own.
  const [, , ...joinWords] = join0.split(' ');
  nodes = [first, ...directories.slice(1).map((name) => start(name, ...joinWords, ...ownPorts))];
  const ready = await Promise.all(nodes.map((node) => node.ready));
  expect(ready.map((text) => /seat (\d) of 4/.exec(text)?.[1])).toEqual(['0', '1', '2', '3']);
  for (const node of nodes) expect(await heightOf(node, 2)).toBeGreaterThan(2);
  // Two of them were told of no more than the first: they have found each other through it.
  for (const node of nodes) await node.line(({ msg, peers }) => msg === 'final' && peers === 3);
  for (const name of directories) {
    expect(existsSync(join(place.directory, name, 'genesis.cbor'))).toBe(true);
    expect(
      JSON.parse(readFileSync(join(place.directory, name, 'trust.json'), 'utf8')).network,
    ).toBe(network);
  }
  const api = / api (http:\/\/127\.0\.0\.1:\d+)/.exec(line)![1]!;
  expect((await fetch(`${api}/livez`)).status).toBe(200);
  const pid = Number(readFileSync(join(place.directory, 'n0', 'pid'), 'utf8'));
  expect(pid).toBe(first.child.pid);
});

test('one key signs in one process, one directory has one process: exit 7', async () => {
  const keys = join(place.directory, 'copy', 'keys');
  cpSync(join(place.directory, 'n1', 'keys'), keys, { recursive: true });
  chmodSync(keys, 0o700);
  const [copy, same, observer] = await Promise.all([
    start('copy', '--genesis', 'genesis.cbor', ...ownPorts).ended,
    start('n1', ...ownPorts, '--json').ended,
    start('n1', '--observer', ...ownPorts).ended,
  ]);
  expect([copy.exitCode, same.exitCode, observer.exitCode]).toEqual([7, 7, 7]);
  expect(copy.err).toContain(`error KEY_LOCKED process ${nodes[1]!.child.pid}, on `);
  expect(documentOf(same).errors).toMatchObject([{ code: 'KEY_LOCKED', retryable: false }]);
  expect(observer.err).toContain(`error STORE_LOCKED process ${nodes[1]!.child.pid} `);
  // The one that runs has noticed nothing.
  expect(await heightOf(nodes[1]!, lastHeight(nodes[1]!))).toBeGreaterThan(2);
});

test('a node of another network, or without its peers, runs on and says why', async () => {
  const own = ['--out', 'other.cbor', '--trust', 'other.json'];
  const words = ['genesis', 'new', '--validator', ...validators, ...own];
  await here([...words, '--trust', 'other.json']);
  const closed = createServer();
  const port = await new Promise<number>((resolve) =>
    closed.listen(0, '127.0.0.1', () => resolve((closed.address() as { port: number }).port)),
  );
  await new Promise((resolve) => closed.close(resolve));

  await here(['node', 'init', '--data-dir', 'stranger']);
  const peers = ['--peer', address0, `127.0.0.1:${port}`];
  const stranger = start('stranger', '--genesis', 'other.cbor', ...peers, ...ownPorts);
  expect(await stranger.ready).toContain(' observer at ');
  expect(stranger.lines().some(({ msg }) => /holds no seat/.test(String(msg)))).toBe(true);
  const missing = (at: string) =>
    stranger.line((line) => line.msg === 'peer is not connected' && line.address === at);
  expect((await missing(address0)).reason).toMatch(otherNetwork);
  expect((await missing(`/ip4/127.0.0.1/tcp/${port}`)).reason).toMatch(/connection refused/);
  await nodes[0]!.line(({ reason }) => otherNetwork.test(String(reason)));
  const ended = await kill(stranger, 'SIGTERM');
  expect(ended.exitCode).toBe(0);
  expect(ended.err).not.toMatch(/error|Error/);
});

test('a killed node comes back, catches up and takes part; the others never waited', async () => {
  const before = lastHeight(nodes[3]!);
  await kill(nodes[3]!, 'SIGKILL');
  expect(await heightOf(nodes[2]!, before + 1)).toBeGreaterThan(before + 1);
  // What it was started with is remembered but for its peers.
  const again = start('n3', '--peer', address0, '--validator', ...ownPorts);
  nodes[3] = again;
  expect(await again.ready).toContain('seat 3 of 4');
  const height = await heightOf(again, before + 1);
  // With a second one gone, nothing is final without the one that came back.
  const stopped = await kill(nodes[1]!, 'SIGTERM');
  expect(stopped.exitCode).toBe(0);
  expect(existsSync(join(place.directory, 'n1', 'pid'))).toBe(false);
  const alone = Math.max(height, lastHeight(nodes[0]!));
  expect(await heightOf(nodes[0]!, alone + 1)).toBeGreaterThan(alone + 1);
  expect(await heightOf(again, alone + 1)).toBeGreaterThan(alone + 1);
  for (const node of nodes)
    expect(node.lines().filter(({ msg }) => /voted twice|failed/.test(String(msg)))).toEqual([]);
  const ends = await Promise.all([0, 2, 3].map((seat) => kill(nodes[seat]!, 'SIGINT')));
  expect(ends.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0]);
});
