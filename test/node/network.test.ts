// Goal: the network on libp2p keeps its page of the specification against peers that do not.
// Method: real hosts on the loopback against a bare libp2p peer that says and does what no node of
// ours would.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Connection, Stream } from '@libp2p/interface';
import { lpStream } from '@libp2p/utils';
import { describe, expect, test } from 'vitest';
import { wrapMessage } from '../../node/network/envelope.ts';
import {
  gossipFrameBytesMax,
  repeatHoldMs,
  repeatMs,
  requestBytesMax,
  responseBytesMax,
} from '../../node/network/limits.ts';
import { topics } from '../../node/network/names.ts';
import type { NetworkHandlers } from '../../node/ports.ts';
import { utf8 } from '../../protocol/brand.ts';
import { sha256 } from '../../protocol/crypto/hash.ts';
import { accept, ignore, reject } from '../../protocol/errors.ts';
import { gossipBytesMax } from '../../protocol/params.ts';
import { eventually, listen } from '../ports/network.ts';
import { reachEveryLine } from '../support/lines.ts';
import { addressOf, bare, logged, names, ours, quiet, soon } from './network-hosts.ts';

const blobs = 'test/node/blobs-fetch*.test.ts reach every line about blobs';
const search = 'test/node/network-discovery.test.ts';
const blobLines = [26, 27, 28, 29, 30, 31, 32, 33, 34, 36, 37].map((line) => [`W${line}`, blobs]);
const searchLines = [38, 39, 40, 41].map((line) => [`W${line}`, search]);
const judgeLines = [['W42', 'test/node/judging.test.ts']];
reachEveryLine('network', Object.fromEntries([...blobLines, ...searchLines, ...judgeLines]));

describe('gossip against hostile peers', () => {
  test('junk on topics silences its sender, who is hung up on and kept out', async () => {
    const good = utf8('good');
    const judge: NetworkHandlers['judge'] = (_topic, bytes) =>
      bytes.length === good.length ? accept : reject('TEST_JUNK');
    const [a, b] = [await ours('a'), await ours('b')];
    const [earA, earB] = [listen(a, { judge }), listen(b, { judge })];
    await Promise.all([a.start(earA.handlers), b.start(earB.handlers)]);
    await a.dial(b.addresses()[0]!);
    await eventually('gossip flows', () => a.mesh('votes').includes(b.self));
    const junk = await bare();
    await junk.dial(addressOf(a));
    const self = junk.peerId.toString();
    await eventually('it is a peer', () => a.peers().includes(self));
    const { pubsub } = junk.services;
    await eventually(
      'it knows who listens',
      () => pubsub.getSubscribers(names.topic('votes')).length > 0,
    );
    await pubsub.publish(names.topic('jobs'), new Uint8Array(3));
    for (let i = 0; i < 300; i++)
      await pubsub.publish(names.topic(topics[i % 4]!), wrapMessage(i, utf8(`some junk ${i}`)));
    await pubsub.publish('/somebody/elses/topic', wrapMessage(0, good));
    await eventually('it is hung up on', () => logged(a, 'banned').length > 0);
    await eventually('it is gone', () => !a.peers().includes(self));
    expect(earA.heard).toEqual([]);
    expect(earB.judged, 'nothing of it was passed on').toEqual([]);
    expect(earA.judged.length, 'most was not even judged').toBeLessThan(300);
    expect(a.score(b.self)).toBeGreaterThanOrEqual(0);
    await expect(
      junk.dial(addressOf(a)).then(async (connection) => {
        await connection.newStream(names.protocol('sync'), { signal: soon(1_000) });
      }),
    ).rejects.toThrow();
    a.publish('votes', good);
    await eventually('life goes on', () => earB.heard.length > 0);
  });

  test('one payload replayed under many ticks floods nobody', async () => {
    const [a, b] = [await ours('a'), await ours('b')];
    const [earA, earB] = [listen(a), listen(b)];
    await Promise.all([a.start(earA.handlers), b.start(earB.handlers)]);
    await a.dial(b.addresses()[0]!);
    await eventually('gossip flows', () => a.mesh('jobs').includes(b.self));
    const parrot = await bare();
    await parrot.dial(addressOf(a));
    const { pubsub } = parrot.services;
    await eventually('it is ready', () => pubsub.getSubscribers(names.topic('jobs')).length > 0);
    const begin = performance.now();
    for (let i = 0; i < 400; i++)
      await pubsub.publish(names.topic('jobs'), wrapMessage(i * repeatMs, utf8('a valid job')));
    await pubsub.publish(names.topic('jobs'), wrapMessage(0, utf8('the last one')));
    await eventually('all have come', () =>
      earB.heard.some(({ bytes }) => bytes.length === 'the last one'.length),
    );
    const holds = 2 + (performance.now() - begin) / repeatHoldMs;
    expect(earA.judged.length).toBeLessThanOrEqual(holds + 1);
    expect(earB.judged.length).toBeLessThanOrEqual(holds + 1);
  });

  test("an oversized frame ends its sender's gossip, the watchdog its connection", async () => {
    const a = await ours('a');
    const ear = listen(a);
    await a.start(ear.handlers);
    const loud = await bare();
    const connection = await loud.dial(addressOf(a));
    const self = loud.peerId.toString();
    await eventually('it is a peer', () => a.mesh('votes').includes(self));
    const before = process.memoryUsage().arrayBuffers;
    const stream = await connection.newStream('/meshsub/1.2.0');
    stream.send(lengthPrefix(gossipFrameBytesMax + 1));
    const filler = new Uint8Array(64 * 1024);
    for (let sent = 0; sent < 64 && stream.status === 'open'; sent++) {
      if (!stream.send(filler)) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await eventually('its gossip is dead', () => !a.mesh('votes').includes(self));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024);
    await eventually('the watchdog sees it', () => logged(a, 'zombie').length > 0);
    await eventually('it is hung up on', () => !a.peers().includes(self));
    expect(ear.heard).toEqual([]);
  });

  test('a judge that throws is our bug: it is told, and the sender is not blamed', async () => {
    const [a, b] = [await ours('a'), await ours('b')];
    await a.start({
      ...quiet,
      judge: (_topic, bytes) => {
        if (bytes.length === 5) return ignore('TEST_EARLY');
        throw new Error('a bug');
      },
    });
    await b.start(quiet);
    await a.dial(b.addresses()[0]!);
    await eventually('gossip flows', () => b.mesh('votes').includes(a.self));
    b.publish('votes', utf8('early'));
    b.publish('votes', utf8('fine'));
    b.publish('votes', new Uint8Array(gossipBytesMax + 1));
    await eventually('it is told', () => logged(a, 'error').length > 0);
    expect(logged(a, 'error')[0]).toMatchObject({ error: { code: 'NETWORK_JUDGE_FAILED' } });
    expect(logged(a, 'judged')).toMatchObject([{ verdict: 'ignore', code: 'TEST_EARLY' }]);
    expect(logged(b, 'error')[0]).toMatchObject({
      error: { detail: { code: 'NETWORK_MESSAGE_TOO_LARGE', bytes: gossipBytesMax + 1 } },
    });
    expect(a.score(b.self)).toBeGreaterThanOrEqual(0);
  });
});

describe('requests against hostile peers', () => {
  test('half-open streams, oversized requests and floods hurt only who sends them', async () => {
    const [a, b] = [await ours('a'), await ours('b')];
    await Promise.all([a.start(quiet), b.start(quiet)]);
    await a.dial(b.addresses()[0]!);
    const rude = await bare();
    const connection = await rude.dial(addressOf(a));
    await eventually('it is a peer', () => a.peers().includes(rude.peerId.toString()));
    const name = names.protocol('sync');
    const open = () => connection.newStream(name, { maxOutboundStreams: 1_000, signal: soon() });
    const halfOpen = await Promise.all(Array.from({ length: 30 }, () => open().catch(() => null)));
    for (const stream of halfOpen) stream?.send(lengthPrefix(1_000));
    const large = await open();
    large.send(lengthPrefix(requestBytesMax + 1));
    await eventually('who asks too much is cut off', () => large.status !== 'open');
    const flood = await open();
    for (let sent = 0; sent < 40 && flood.status === 'open'; sent++) {
      flood.send(new Uint8Array(64 * 1024).fill(255));
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await eventually('who floods is cut off', () => flood.status !== 'open');
    const many = await Promise.all(Array.from({ length: 60 }, () => open().catch(() => null)));
    await eventually(
      'no more streams than allowed stay open',
      () => openStreams(connection, name) <= 33,
    );
    expect(many.length).toBe(60);
    const begin = performance.now();
    for (let i = 0; i < 50; i++)
      expect(await b.request(a.self, 'sync', utf8(`${i}`), soon())).toEqual(utf8(`${i}`));
    expect(performance.now() - begin, 'others are served').toBeLessThan(15_000);
  });

  test('an oversized, empty or broken response is an error with a name', async () => {
    const a = await ours('a');
    await a.start(quiet);
    const acts: ((stream: Stream) => void)[] = [
      (stream) => stream.send(lengthPrefix(responseBytesMax + 2)),
      (stream) => stream.send(lengthPrefix(0)),
      (stream) => stream.send(Uint8Array.of(3, 1, 0x1b, 0x41)),
      (stream) => stream.abort(new Error('rude')),
      (stream) => void stream.close(),
      () => undefined,
    ];
    let act = 0;
    const rude = await bare((stream) => {
      const mine = acts[act]!;
      void lpStream(stream)
        .read()
        .then(
          () => mine(stream),
          () => undefined,
        );
    });
    await rude.dial(addressOf(a));
    const self = rude.peerId.toString();
    await eventually('it is a peer', () => a.peers().includes(self));
    const seen: unknown[] = [];
    for (act = 0; act < acts.length; act++) {
      const signal = soon(act === 5 ? 200 : 10_000);
      seen.push(await a.request(self, 'sync', utf8('?'), signal).catch((error) => error.detail));
    }
    expect(seen).toMatchObject([
      { code: 'NETWORK_TOO_LARGE', what: 'response' },
      { code: 'NETWORK_REFUSED', reason: 'no reason given' },
      { code: 'NETWORK_REFUSED', reason: '?A' },
      { code: 'NETWORK_CLOSED' },
      { code: 'NETWORK_CLOSED' },
      { code: 'NETWORK_TIMEOUT' },
    ]);
  });

  test('more requests than may wait are turned away, the others are answered', async () => {
    const [a, b] = [await ours('a'), await ours('b')];
    let most = 0;
    let now = 0;
    const answer: NetworkHandlers['answer'] = async (_protocol, body) => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, 2));
      now -= 1;
      return body;
    };
    await Promise.all([a.start(quiet), b.start({ ...quiet, answer })]);
    await a.dial(b.addresses()[0]!);
    const all = await Promise.allSettled(
      Array.from({ length: 300 }, (_, i) =>
        a.request(b.self, 'sync', Uint8Array.of(i % 256), soon()),
      ),
    );
    const refused = all.flatMap((one) => (one.status === 'rejected' ? [one.reason.code] : []));
    expect(new Set(refused)).toEqual(new Set(['NETWORK_BUSY']));
    expect(refused.length).toBe(300 - 16 - 256);
    await expect(
      a.request(b.self, 'sync', new Uint8Array(requestBytesMax + 1), soon()),
    ).rejects.toMatchObject({ code: 'NETWORK_TOO_LARGE' });
    expect(most, 'one peer has few answers in the making').toBe(8);
  });
});

describe('finding peers', () => {
  test('says why a peer is missing, and finds it when it comes', async () => {
    const taken = await ours('taken');
    await taken.start(quiet);
    const free = taken.addresses()[0]!.replace(/\/p2p\/.*$/, '');
    await taken.stop();
    const late = await ours('late', { listen: [free] });
    const a = await ours('a', { peers: [`${free}/p2p/${late.self}`] });
    await a.start(quiet);
    await eventually(
      'the reason is there',
      () => a.unreachable()[0]?.reason.includes('refused') === true,
    );
    expect(a.unreachable()).toEqual([
      {
        address: `${free}/p2p/${late.self}`,
        reason: 'nobody listens there (connection refused)',
      },
    ]);
    await late.start(quiet);
    await eventually('it is found', () => a.peers().includes(late.self));
    expect(a.unreachable()).toEqual([]);
    const clash = await ours('clash', { listen: [free] });
    await expect(clash.start(quiet)).rejects.toMatchObject({
      detail: { code: 'NETWORK_LISTEN', addresses: [free] },
    });
  });

  test('takes nobody for another, and nobody of another network', async () => {
    const [a, b] = [await ours('a'), await ours('b')];
    const foreign = await ours('foreign', { network: sha256(utf8('another network')) });
    await Promise.all([a.start(quiet), b.start(quiet), foreign.start(quiet)]);
    await a.dial(foreign.addresses()[0]!);
    const wrong = b.addresses()[0]!.replace(b.self, foreign.self);
    await a.dial(wrong);
    await eventually('both reasons are there', () => {
      const reasons = a.unreachable().map(({ reason }) => reason);
      return (
        reasons.some((reason) => reason.startsWith('it belongs to another network')) &&
        reasons.includes('another peer answers there')
      );
    });
    await eventually('it is gone', () => foreign.peers().length === 0);
    expect(a.peers()).toEqual([]);
    await expect(a.dial('somewhere')).rejects.toMatchObject({ code: 'NETWORK_ADDRESS' });
    await expect(a.dial('/ip4/127.0.0.1/udp/1')).rejects.toMatchObject({
      code: 'NETWORK_ADDRESS',
    });
    await expect(ours('x', { peers: ['/ip4/1'] })).rejects.toMatchObject({
      code: 'NETWORK_ADDRESS',
    });
    await a.dial(a.addresses()[0]!);
    expect(a.unreachable().map(({ address }) => address)).not.toContain(a.addresses()[0]);
  });

  test('seven hosts that all know each other make one mesh', async () => {
    const seeds = Array.from({ length: 7 }, (_, i) => `host ${i}`);
    const first = await Promise.all(seeds.map((seed) => ours(seed)));
    await Promise.all(first.map((one) => one.start(quiet)));
    const peers = first.map((one) => one.addresses()[0]!);
    await Promise.all(first.map((one) => one.stop()));
    const hosts = await Promise.all(
      seeds.map((seed, i) => ours(seed, { peers, listen: [peers[i]!.replace(/\/p2p\/.*$/, '')] })),
    );
    const ears = hosts.map((one) => listen(one));
    await Promise.all(ears.map(({ network, handlers }) => network.start(handlers)));
    await eventually('all are peers', () => hosts.every((one) => one.peers().length === 6));
    await eventually('and gossip', () => hosts.every((one) => one.mesh('votes').length >= 3));
    hosts[0]!.publish('votes', utf8('to all'));
    await eventually('all hear', () => ears.slice(1).every(({ heard }) => heard.length > 0));
    expect(hosts.flatMap((one) => one.unreachable())).toEqual([]);
  });
});

test('after a stop nothing is left that would keep the process alive', async () => {
  // A process of its own: here the hosts of other tests still have timers.
  const script = `
    import { createLibp2pNetwork } from ${JSON.stringify(moduleOf('libp2p.ts'))};
    const make = (seed) => createLibp2pNetwork({
      network: new Uint8Array(32), privateKeySeed: new Uint8Array(32).fill(seed),
    });
    const quiet = { judge: () => ({ verdict: 'accept' }), heard() {}, answer: async (_, b) => b };
    const [a, b] = [await make(1), await make(2)];
    await Promise.all([a.start(quiet), b.start(quiet)]);
    await a.dial(b.addresses()[0]);
    await a.dial('/ip4/127.0.0.1/tcp/1');
    await a.request(b.self, 'sync', new Uint8Array(9), AbortSignal.timeout(60_000));
    const held = () => process.getActiveResourcesInfo().filter((w) => /Timeout|TCP/.test(w)).length;
    const running = held();
    await Promise.all([a.stop(), b.stop()]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    console.log(JSON.stringify({ running, stopped: held() }));
  `;
  const arguments_ = ['--input-type=module', '--eval', script];
  const { stdout } = await promisify(execFile)(process.execPath, arguments_);
  const { running, stopped } = JSON.parse(stdout) as { running: number; stopped: number };
  expect(running).toBeGreaterThan(4);
  expect(stopped).toBe(0);
});

function moduleOf(file: string): string {
  return new URL(`../../node/network/${file}`, import.meta.url).href;
}

function openStreams({ streams }: Connection, name: string): number {
  return streams.filter(({ protocol, status }) => protocol === name && status === 'open').length;
}

/** An unsigned varint. */
function lengthPrefix(length: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = length; ; rest = Math.floor(rest / 128)) {
    bytes.push(rest < 128 ? rest : (rest % 128) + 128);
    if (rest < 128) return Uint8Array.from(bytes);
  }
}
