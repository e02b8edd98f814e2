// Goal: connections that are broken, slow, greedy or many are bounded, told why, and let go; what
// listens beyond this machine needs a token.
// Method: a real node that hears nobody, real listeners, raw sockets; after each, a good request.
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { App } from '../../node/api/app.ts';
import { createMetrics, createMetricsApp } from '../../node/api/metrics.ts';
import { type Listening, type ServerLimits, startApi } from '../../node/api/server.ts';
import type { AnwansiNode } from '../../node/face.ts';
import { hex } from '../../protocol/brand.ts';
import { jobId } from '../../protocol/job/job.ts';
import { type Cid, formatCid } from '../../protocol/merkle/blob.ts';
import { testApi } from '../support/api.ts';
import { createMachines, type Machines, primesJob } from '../support/nodes.ts';

let machines: Machines;
let node: AnwansiNode;
let id: string;
const lent = () => ({ node, executor: machines.executor, scratch: machines.root });

beforeAll(async () => {
  machines = await createMachines(4);
  [node] = (await machines.start([0])) as [AnwansiNode];
  const signed = await primesJob(machines, node);
  id = hex(jobId(signed.job));
  expect((await node.submit(signed)).verdict).toBe('accept');
});
afterAll(() => machines.remove());

const open: Listening[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(open.splice(0).map((one) => one.stop()));
});

async function listen(limits: Partial<ServerLimits> = {}, streams = {}) {
  const api = testApi(lent(), {}, { heartbeatMs: 20, ...streams });
  const { app, parts } = api;
  const host = '127.0.0.1';
  const small = { stopMs: 50, lookMs: 20, ...limits };
  const listening = await startApi({
    app,
    host,
    port: 0,
    allowRemote: false,
    log: parts.log,
    limits: small,
  });
  open.push(listening);
  return { ...listening, events: api.events };
}

/** Sends text, and gives all that came back once the other end closes. */
function raw(port: number, ...pieces: readonly string[]) {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  let text = '';
  const closed = new Promise<string>((resolve) => {
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
  });
  for (const piece of pieces) socket.write(piece);
  return { socket, closed, text: () => text };
}

test('garbage, foreign names and broken request lines are answered with a reason', async () => {
  const { port, events } = await listen();
  const end = 'Connection: close\r\n\r\n';
  for (const [text, expected] of [
    ['\x16\x03\x01\x02\x00nonsense\r\n\r\n', /^HTTP\/1.1 400 [\s\S]*API_MALFORMED/],
    [`GET /livez HTTP/1.1\r\nHost: evil.example\r\n${end}`, /403[\s\S]*API_HOST_REFUSED/],
    [`GET /livez HTTP/1.1\r\n${end}`, /^HTTP\/1.1 400 [\s\S]*API_MALFORMED/],
    [`GET /livez HTTP/1.1\r\nHost: a b\r\n${end}`, /^HTTP\/1.1 400 [\s\S]*API_MALFORMED/],
    [`GET http://evil.example/livez HTTP/1.1\r\nHost: localhost\r\n${end}`, /API_HOST_REFUSED/],
    [`GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n${end}`, /API_NOT_FOUND/],
    [`GET /v1\\status HTTP/1.1\r\nHost: localhost\r\n${end}`, /API_MALFORMED/],
    [`GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n`, /API_MALFORMED/],
    [
      `POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n${end}`,
      /^HTTP\/1.1 400/,
    ],
    [
      `GET /livez HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n${end}`,
      /^HTTP\/1.1 431/,
    ],
  ] as const)
    expect(await raw(port, text).closed, text.slice(0, 60)).toMatch(expected);
  expect(events.some((one) => one.kind === 'connection-refused')).toBe(true);
  expect(await (await fetch(`http://127.0.0.1:${port}/livez`)).text()).toBe('live\n');
});

test('several requests at once are answered in their order', async () => {
  const { port } = await listen();
  const one = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n`;
  const close = 'Connection: close\r\n\r\n';
  const text = await raw(port, `${one('/livez')}\r\n${one('/nowhere')}\r\n${one('/livez')}${close}`)
    .closed;
  expect(text.match(/HTTP\/1.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 404', 'HTTP/1.1 200']);
});

test('whoever is slow with headers, body or reading is let go', async () => {
  const { port, events } = await listen({ headersMs: 60, requestMs: 150, idleMs: 500 });
  const slowHeaders = raw(port, 'GET /livez HTTP/1.1\r\nHost: localh');
  const slowBody = raw(
    port,
    'POST /v1/blobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n' +
      'Content-Length: 1000000\r\n\r\nonly this',
  );
  const cid = await node.blobs.putStream(
    (async function* () {
      for (let i = 0; i < 24; i++) yield new Uint8Array(1_000_000).fill(i);
    })(),
  );
  const text = formatCid(cid.cid as Cid);
  // Checked once already: what is slow below is the reader alone.
  expect(await node.blobs.size(cid.cid)).toBe(24_000_000);
  const slowReader = raw(port, `GET /v1/blobs/${text} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  slowReader.socket.pause();
  const reader = new Promise((resolve) => slowReader.socket.on('close', resolve));
  expect(await slowHeaders.closed).toMatch(/^HTTP\/1.1 408 [\s\S]*API_BODY_TOO_SLOW/);
  expect(await slowBody.closed).toMatch(/^HTTP\/1.1 408 /);
  // What the reader leaves is not made: the answer stands still until it is given up.
  const reasons = () =>
    events.flatMap((one) => (one.kind === 'connection-refused' ? [one.reason] : []));
  for (let i = 0; !reasons().includes('nothing moved'); i++) {
    expect(i).toBeLessThan(2_000);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  slowReader.socket.resume();
  await reader;
  expect(slowReader.text().length).toBeLessThan(20_000_000);
  expect((await fetch(`http://127.0.0.1:${port}/livez`)).status).toBe(200);
});

test('a thousand who listen to events take their places and no more', async () => {
  const places = 20;
  const { port, events } = await listen({ connectionCountMax: 600 }, { streamCountMax: places });
  const request = `GET /v1/jobs/${id}/events HTTP/1.1\r\nHost: localhost\r\n\r\n`;
  const crowd = Array.from({ length: 1_000 }, () => raw(port, request));
  const answered = () =>
    crowd.filter(({ text, socket }) => socket.closed || /\r\n\r\n/.test(text())).length;
  for (let i = 0; answered() < 1_000; i++) {
    expect(i).toBeLessThan(1_000);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const status = (code: number) =>
    crowd.filter(({ text }) => text().startsWith(`HTTP/1.1 ${code}`)).length;
  expect(status(200)).toBe(places);
  expect(status(429)).toBeGreaterThan(0);
  expect(status(200) + status(429)).toBeLessThanOrEqual(600);
  expect(events).toContainEqual({ kind: 'connection-refused', reason: 'too many connections' });
  for (const { socket } of crowd) socket.destroy();
  // As soon as they are gone their places are free.
  const free = () => events.findLast((one) => one.kind === 'streams')?.open === 0;
  for (let i = 0; !free(); i++) {
    expect(i).toBeLessThan(500);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const late = raw(port, request);
  while (!late.text().includes('event: seen'))
    await new Promise((resolve) => setTimeout(resolve, 5));
});

test('a blob goes up and down a real connection as it is', async () => {
  const { address } = await listen();
  const bytes = randomBytes(3_000_000);
  const up = await fetch(`${address}/v1/blobs`, {
    method: 'POST',
    body: bytes,
    headers: { 'content-type': 'application/octet-stream' },
  });
  const { cid } = (await up.json()) as { cid: string };
  const down = await fetch(`${address}/v1/blobs/${cid}`);
  expect(Buffer.compare(Buffer.from(await down.arrayBuffer()), bytes)).toBe(0);
  expect((await fetch(`${address}/v1/blobs/${cid}`, { method: 'HEAD' })).status).toBe(200);
});

test('an upload that breaks off leaves nothing behind', async () => {
  const { port } = await listen();
  const before = node.blobs.bytes();
  const { socket, closed } = raw(
    port,
    'POST /v1/blobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n' +
      `Content-Length: 9000000\r\n\r\n${'x'.repeat(400_000)}`,
  );
  for (let i = 0; node.blobs.bytes() === before && i < 200; i++)
    await new Promise((resolve) => setTimeout(resolve, 5));
  expect(node.blobs.bytes()).toBeGreaterThan(before);
  socket.destroy();
  await closed;
  for (let i = 0; node.blobs.bytes() !== before; i++) {
    expect(i).toBeLessThan(500);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
});

test('only loopback is bound, unless a token guards the rest', async () => {
  const { app, parts } = testApi(lent());
  const start = (one: App, host: string, allowRemote: boolean, port = 0) =>
    startApi({ app: one, host, port, allowRemote, log: parts.log });
  await expect(start(app, '0.0.0.0', false)).rejects.toMatchObject({
    code: 'API_REMOTE_REFUSED',
  });
  await expect(start(app, '0.0.0.0', true)).rejects.toMatchObject({ code: 'API_REMOTE_OPEN' });
  await expect(start(app, '::', true)).rejects.toMatchObject({ code: 'API_REMOTE_OPEN' });
  const guarded = testApi(lent(), { token: 't'.repeat(32) }).app;
  await expect(start(guarded, '0.0.0.0', false)).rejects.toMatchObject({
    code: 'API_REMOTE_REFUSED',
  });
  const remote = await start(guarded, '0.0.0.0', true);
  open.push(remote);
  expect((await fetch(`http://127.0.0.1:${remote.port}/livez`)).status).toBe(401);
  await expect(start(app, '127.0.0.1', false, remote.port)).rejects.toMatchObject({
    code: 'API_LISTEN',
    detail: { reason: 'EADDRINUSE' },
  });
  // The metrics have a listener of their own, under the same rules.
  const peers = () => [];
  const made = createMetrics({ node, software: 's', peers, measures: [], process: false });
  const metricsApp = createMetricsApp(made, { token: null, allowedHosts: [] }, parts.log);
  const metrics = await start(metricsApp, '127.0.0.1', false);
  open.push(metrics);
  const text = await (await fetch(`${metrics.address}/metrics`)).text();
  expect(text).toContain('anwansi_sync_state 1');
  await expect(start(metricsApp, '0.0.0.0', true)).rejects.toMatchObject({
    code: 'API_REMOTE_OPEN',
  });
  made.stop();
});
