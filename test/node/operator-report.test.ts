// Goal: a log says each thing once, in time and in one sentence; what was opened is closed.
// Method: real log lines into a list; a made-up clock, network and node in front of them.
import { expect, test, vi } from 'vitest';
import { defineCommand } from '../../node/cli/command.ts';
import { type Interruption, runCommandLine } from '../../node/cli/frame.ts';
import { contractsOf } from '../../node/contracts.ts';
import { nativeSuite } from '../../node/crypto.ts';
import type { AnwansiNode, NodeEvent } from '../../node/face.ts';
import { NetworkError } from '../../node/network/error.ts';
import { openLog, seldom } from '../../node/operator/log.ts';
import { nothingOpened } from '../../node/operator/opened.ts';
import {
  failureLines,
  missingLines,
  networkLines,
  noticeLines,
  report,
} from '../../node/operator/report.ts';
import { StorageError } from '../../node/storage/error.ts';
import { hash } from '../../protocol/crypto/hash.ts';
import { genesisChain, ledgerRules } from '../../protocol/ledger/chain.ts';
import { devGenesis } from '../../protocol/receipt/dev.ts';
import { runWords } from '../support/command-line.ts';

function recording(level = 'debug', isTTY = false) {
  const lines: string[] = [];
  const log = openLog(level, { write: (text) => lines.push(text), isTTY });
  const read = () => lines.map((line) => JSON.parse(line));
  return { log, lines, read };
}

test('lines are JSON with a time, a level and a message; secrets stay out', () => {
  const { log, read, lines } = recording('info');
  log.debug('too low');
  log.info({ module: 'net', seed: 'abab', deep: { token: 'cdcd' } }, 'hello');
  log.warn({ reason: new NetworkError({ code: 'NETWORK_STOPPED' }) }, 'it ended');
  log.error({ reason: new TypeError('x is no y') }, 'a bug');
  const [hello, ended, bug] = read();
  expect(lines).toHaveLength(3);
  expect(hello).toMatchObject({ level: 'info', module: 'net', msg: 'hello' });
  expect(hello.ts).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
  expect(lines.join('')).not.toMatch(/abab|cdcd/);
  expect(ended.reason).toMatch(/^NETWORK_STOPPED: the network is stopped/);
  expect(bug.reason).toBe('TypeError: x is no y');
});

test('on a terminal lines are short', () => {
  const { log, lines } = recording('info', true);
  log.info({ module: 'chain', height: 7, peers: ['a'] }, 'final');
  expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d info {2}chain: final height=7 peers=\["a"\]\n$/);
});

test('law: a thing passes once in its time, and then tells how often it was held back', () => {
  let at = 0;
  const often = seldom(() => at);
  expect(often('a')).toEqual({});
  for (let i = 0; i < 5; i++) expect(often('a')).toBeNull();
  expect(often('b')).toEqual({});
  at += 30_000;
  expect(often('a')).toEqual({ heldBack: 5 });
  expect(often('a')).toBeNull();
  at += 30_000;
  expect(often('a')).toEqual({ heldBack: 1 });
  // A flood of things makes it forget the oldest, never grow without end.
  for (let i = 0; i < 2_000; i++) often(`flood ${i}`);
  expect(often('a')).toEqual({});
  expect(often('flood 1999')).toBeNull();
});

test('what a network tells is logged by its weight, and a repeat is held back', () => {
  const { log, read } = recording();
  const tell = networkLines(log);
  tell({ kind: 'connected', peer: 'p' });
  for (let i = 0; i < 3; i++)
    tell({ kind: 'stranger', peer: 'q', reason: 'it belongs to another network' });
  for (const verdict of ['ignore', 'reject'] as const)
    tell({ kind: 'judged', topic: 'votes', peer: 'p', verdict, code: verdict });
  tell({ kind: 'unreachable', address: 'a', reason: 'r' });
  tell({ kind: 'error', error: new NetworkError({ code: 'NETWORK_STOPPED' }) });
  expect(read().map(({ level, msg }) => `${level} ${msg}`)).toEqual([
    'info connected',
    'warn peer refused',
    'debug message ignored',
    'warn message rejected',
    'warn network error',
  ]);
  expect(read()[1].reason).toBe('it belongs to another network');
  const notice = noticeLines(log);
  notice({ kind: 'equivocation', seat: 3, view: 9 });
  notice({ kind: 'equivocation', seat: 3, view: 9 });
  notice({ kind: 'block-refused', height: 2, code: 'LEDGER_X' });
  expect(read().slice(5)).toMatchObject([
    { level: 'warn', msg: 'a seat voted twice in one view', seat: 3, view: 9 },
    { level: 'warn', msg: 'block refused', height: 2, code: 'LEDGER_X' },
  ]);
});

test('a missing peer is told once for each reason, and again after it was here', () => {
  let at = 0;
  const { log, read } = recording();
  const missing = missingLines(log, () => at);
  const look = (reason: string | null) => {
    missing(reason === null ? [] : [{ address: '/ip4/192.0.2.1/tcp/1', reason }]);
    at += 1_000;
  };
  for (const reason of ['refused', 'refused', 'no route', 'no route']) look(reason);
  look(null); // Here for a moment, as a peer of another network is after each dial.
  look('no route');
  expect(read().map(({ reason }) => reason)).toEqual(['refused', 'no route']);
  for (let i = 0; i < 8; i++) look(null);
  look('no route');
  expect(read().map(({ reason }) => reason)).toEqual(['refused', 'no route', 'no route']);
});

const genesis = devGenesis({ seats: 4, nonce: hash('dev', 'report'), timeMs: 1_000 });
const rules = ledgerRules(genesis, nativeSuite, contractsOf(genesis));
const chain = genesisChain(rules);

/** As much of a node as a report looks at. */
function watched(heard: Set<number>) {
  let tell: (event: NodeEvent) => void = () => undefined;
  const node = {
    rules,
    failure: () => null,
    seatsHeardSince: () => heard,
    watch: (listener: typeof tell) => {
      tell = listener;
      return () => {
        tell = () => undefined;
      };
    },
  } as Partial<AnwansiNode> as AnwansiNode;
  const finals = (height: number) =>
    tell({
      kind: 'final',
      chain: { ...chain, header: { ...chain.header, height } },
      before: chain,
      blocks: [],
    });
  return { node, finals, tell: (event: NodeEvent) => tell(event) };
}

test('final blocks get one line a slot; silence is told with who is missing, and its end', () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance', 'Date'] });
  try {
    const { log, read } = recording('info');
    const heard = new Set([0, 1, 2]);
    const { node, finals, tell } = watched(heard);
    const stop = report({
      log,
      node,
      peers: () => ['p', 'q'],
      unreachable: () => [],
      ended: () => undefined,
    });
    for (let height = 1; height <= 12; height++) {
      finals(height);
      vi.advanceTimersByTime(500);
    }
    const heights = read().map((line) => line.height);
    expect(heights).toEqual([1, 4, 7, 10]);
    expect(read()[0]).toMatchObject({ msg: 'final', peers: 2, seatsHeard: 3 });

    heard.delete(2);
    vi.advanceTimersByTime(25_000);
    expect(read().slice(4)).toMatchObject([
      { level: 'warn', heard: 2, needed: 3, absent: [2, 3], msg: /^no quorum/ },
    ]);
    vi.advanceTimersByTime(30_000);
    expect(read()).toHaveLength(5);
    heard.add(3);
    vi.advanceTimersByTime(40_000);
    expect(read().at(-1)).toMatchObject({ msg: /though a quorum is heard/ });
    finals(13);
    expect(
      read()
        .slice(-2)
        .map(({ msg }) => msg),
    ).toEqual(['blocks are final again', 'final']);
    const law = { kind: 'law', program: 'bafprogram', report: 'bafreport' } as const;
    tell({ ...law, verdict: 'refuted', text: 'refuted: order (LAW_ORDER)' });
    tell({ ...law, verdict: 'not-checked', report: null, text: 'nobody has it' });
    const said = { module: 'laws', program: 'bafprogram', report: 'bafreport' };
    expect(read().at(-1), 'what is no news is not told').toMatchObject({ ...said, level: 'warn' });
    const count = read().length;
    stop();
    finals(14);
    vi.advanceTimersByTime(120_000);
    expect(read()).toHaveLength(count);
  } finally {
    vi.useRealTimers();
  }
});

test('what a node goes on from is said now and then, what ends it once, with its code', () => {
  const { log, read } = recording('info');
  const { node, tell } = watched(new Set());
  const ends: unknown[] = [];
  const stop = report({
    log,
    node,
    peers: () => [],
    unreachable: () => [],
    ended: (reason) => ends.push(reason),
  });
  for (let i = 0; i < 3; i++) tell({ kind: 'failed', reason: new Error('a lane'), fatal: false });
  expect(read()).toMatchObject([{ level: 'error', code: 'UNEXPECTED', reason: 'Error: a lane' }]);
  expect(ends).toEqual([]);
  const reason = new StorageError({ code: 'STORE_FAILED', directory: 'store', action: 'write' });
  for (let i = 0; i < 3; i++) tell({ kind: 'failed', reason, fatal: true });
  stop();
  expect(ends).toEqual([reason]);
  expect(read().slice(1)).toMatchObject([
    { level: 'fatal', module: 'node', code: 'STORE_FAILED', msg: 'the node cannot go on' },
  ]);
});

test('a node that ended before anybody looked is told of all the same', () => {
  const { log, read } = recording('info');
  const ends: unknown[] = [];
  const reason = 'the disk';
  const node = { ...watched(new Set()).node, failure: () => ({ reason }) };
  failureLines({ log, node, ended: (one) => ends.push(one) }, { seat: 3 });
  expect(ends).toEqual([reason]);
  expect(read()).toMatchObject([{ level: 'fatal', seat: 3, code: 'UNEXPECTED', reason }]);
});

test('what was opened is closed in reverse, once, whatever fails or hangs', async () => {
  const closed: string[] = [];
  const opened = nothingOpened();
  opened.add('a', () => void closed.push('a'));
  opened.add('b', () => {
    throw new Error('b fails');
  });
  opened.add('c', () => new Promise(() => undefined));
  opened.add('d', async () => void closed.push('d'));
  const [first, second] = await Promise.all([opened.closeAll(20), opened.closeAll(20)]);
  expect(closed).toEqual(['d', 'a']);
  expect(second).toBe(first);
  expect(first).toMatchObject([{ code: 'NODE_STOP_TIMEOUT' }, { message: 'b fails' }]);
});

test('a command that runs until it is stopped ends by itself, with its own code', async () => {
  const ends: string[] = [];
  const serve = (name: string, stopMsMax: number, endMs: number) =>
    defineCommand({
      name,
      summary: 'Run.',
      examples: [],
      options: {
        peer: { kind: 'texts', placeholder: 'ADDR', describe: 'Some.' },
        file: { kind: 'paths', placeholder: 'FILE', describe: 'Some.' },
      },
      stopMsMax,
      run: async ({ output, signal, onExit }, { peer, file }) => {
        onExit(() => void ends.push('cleaned'));
        output.event({ ready: true, peer, file }, `ready ${peer.join(' ')} ${file.join(' ')}`);
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
        await new Promise((resolve) => setTimeout(resolve, endMs).unref());
        ends.push('ended');
        return undefined;
      },
    });
  const commands = [serve('serve', 5_000, 1), serve('hang', 5, 60_000)];
  const interrupt = (give: (what: Interruption) => void) => setTimeout(() => give('SIGTERM'), 20);
  const words = ['--peer', 'a', 'b', '--file', 'x', '--peer', 'c', '--file', '/y', '-'];
  const served = await runWords(commands, ['serve', ...words], { interrupt });
  expect(served).toMatchObject({ exitCode: 0, out: 'ready a b c /home/me/x /y -\n', err: '' });
  expect(ends).toEqual(['ended', 'cleaned']);
  const hung = await runWords(commands, ['hang'], { interrupt });
  expect(hung).toMatchObject({ exitCode: 143, out: 'ready  \n' });
  expect(ends).toEqual(['ended', 'cleaned', 'cleaned']);
});

test('with --json events and the closing document are one line each', async () => {
  const tell = defineCommand({
    name: 'tell',
    summary: 'Tell.',
    examples: [],
    run: async ({ output }) => {
      for (const height of [1, 2]) output.event({ height, tokens: 2n ** 60n }, `at ${height}`);
      return undefined;
    },
  });
  const lines = async (words: string[]) => {
    let out = '';
    await runCommandLine(
      words,
      { version: '1', summary: 'A test.', commands: [tell] },
      {
        stdout: { write: (text) => (out += text) },
        stderr: { write: () => undefined },
        environment: {},
        directory: '/home/me',
        onInterruption: () => () => undefined,
      },
    );
    return out.trimEnd().split('\n');
  };
  const [first, second, closing, ...more] = (await lines(['tell', '--json'])).map((line) =>
    JSON.parse(line),
  );
  expect([first, second]).toEqual([
    { height: 1, tokens: String(2n ** 60n) },
    { height: 2, tokens: String(2n ** 60n) },
  ]);
  expect(closing).toMatchObject({ schema_version: 1, success: true });
  expect(more).toEqual([]);
  expect(await lines(['tell'])).toEqual(['at 1', 'at 2']);
});
