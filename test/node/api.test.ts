// Goal: whatever a node does can be done over HTTP: a job from its submission to its result and
// its audited receipt, its events, blobs both ways, the chain; and the document describes it all.
// Method: an embedded network of four, a client that knows HTTP alone; each answer is held against
// the OpenAPI document; what the document must not let through is tried as well.
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { App } from '../../node/api/app.ts';
import { blobSchema, cborType, type JobView, jobSchema } from '../../node/api/contract.ts';
import { createMetrics, createMetricsApp } from '../../node/api/metrics.ts';
import { nativeSuite } from '../../node/crypto.ts';
import { type Embedded, startEmbedded } from '../../node/embedded.ts';
import { hex, sameBytes, utf8 } from '../../protocol/brand.ts';
import { jobId, type SignedJob, signedJobCodec } from '../../protocol/job/job.ts';
import { genesisCodec, networkId } from '../../protocol/ledger/genesis.ts';
import { stateKeys } from '../../protocol/ledger/state.ts';
import {
  blobCid,
  formatCid,
  listBlobCodec,
  parseCid,
  verifyListBlob,
} from '../../protocol/merkle/blob.ts';
import { auditReceipt } from '../../protocol/receipt/audit.ts';
import { auditStateProof } from '../../protocol/receipt/state-audit.ts';
import { devTrust, parseTrust } from '../../protocol/receipt/trust.ts';
import { ask, type Document, deviations, eventsOf, testApi, undocumented } from '../support/api.ts';
import { primesJob } from '../support/nodes.ts';

const bytesBody = { 'content-type': 'application/octet-stream' };
const cborBody = { 'content-type': cborType };

let network: Embedded;
let api: ReturnType<typeof testApi>;
let document: Document;
let signed: SignedJob;
let id: string;
let metrics: ReturnType<typeof createMetrics>;

/** Asks, and holds the answer against the document. */
async function get(path: string, init: RequestInit = {}, app: App = api.app): Promise<Response> {
  const response = await ask(app, path, init);
  const method = init.method === 'HEAD' ? 'GET' : (init.method ?? 'GET');
  expect(await deviations(document, method, path, response), path).toEqual([]);
  return response;
}
const job = async (): Promise<JobView> => (await (await get(`/v1/jobs/${id}`)).json()) as JobView;
const bytesOf = async (response: Response) => new Uint8Array(await response.arrayBuffer());

beforeAll(async () => {
  network = await startEmbedded({
    seats: 4,
    faulty: 0,
    fault: null,
    nonce: randomBytes(32),
    readable: [],
    parameters: { stepMinMs: 50, heartbeatMs: 200 },
  });
  const node = network.nodes[0]!;
  metrics = createMetrics({
    node,
    software: 'anwansi test',
    peers: () => [],
    measures: [{ name: 'anwansi_disk_free_bytes', help: 'Free.', read: () => 5 }],
    process: true,
  });
  const lent = { node, executor: network.executor, scratch: network.scratch };
  api = testApi(lent, {
    log: (event) => metrics.heard(event),
    stateProof: node.stateProof,
    duties: node.duties,
  });
  document = (await (await ask(api.app, '/openapi.json')).json()) as Document;
  signed = await primesJob({ executor: network.executor } as never, node);
  id = hex(jobId(signed.job));
});
afterAll(async () => {
  metrics.stop();
  await network.stop();
});

describe('a job', () => {
  const post = (key: string | null = null, body: Uint8Array = signedJobCodec.encode(signed)) =>
    get('/v1/jobs', {
      method: 'POST',
      body: body as never,
      headers: { ...cborBody, ...(key === null ? {} : { 'idempotency-key': key }) },
    });

  test('is unknown, accepted, known, and keeps its key', async () => {
    expect((await get(`/v1/jobs/${id}`)).status).toBe(404);
    const first = await post('key-1');
    expect([first.status, first.headers.get('location')]).toEqual([202, `/v1/jobs/${id}`]);
    expect(await first.json()).toMatchObject({ id, known: false });
    expect(await (await post('key-1')).json()).toMatchObject({ id, known: true });
    const other = await primesJob({ executor: network.executor } as never, network.nodes[0]!, 9);
    const reused = await post('key-1', signedJobCodec.encode(other));
    expect([reused.status, ((await reused.json()) as { code: string }).code]).toEqual([
      409,
      'API_KEY_REUSED',
    ]);
  });

  test('is refused by the protocol’s own name', async () => {
    const bad = { ...signed, signature: new Uint8Array(64) };
    const refused = await post(null, signedJobCodec.encode(bad));
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([
      422,
      'JOB_SIGNATURE',
    ]);
    const torn = await post(null, signedJobCodec.encode(signed).subarray(1));
    expect(torn.status).toBe(400);
    expect(((await torn.json()) as { code: string }).code).toMatch(/^CODEC_/);
  });

  test('tells its events until it has ended, and goes on where a client stopped', async () => {
    const heights: number[] = [];
    const kinds: (string | null)[] = [];
    for await (const { event, id: at, data } of eventsOf(await get(`/v1/jobs/${id}/events`))) {
      if (data === null) continue;
      expect(jobSchema.parse(data)).toEqual(data);
      heights.push(Number(at));
      kinds.push(event);
    }
    expect(kinds.at(-1)).toBe('ended');
    expect(kinds.slice(0, -1)).toEqual(kinds.slice(0, -1).map(() => 'seen'));
    expect(heights).toEqual([...heights].sort((a, b) => a - b));
    // The end is said to everybody, whatever they have heard before.
    const last = String(heights.at(-1));
    const again = await get(`/v1/jobs/${id}/events`, { headers: { 'last-event-id': last } });
    const events = [];
    for await (const one of eventsOf(again)) if (one.event !== null) events.push(one.event);
    expect(events).toEqual(['ended']);
  });

  test('has a result and a receipt that anybody can verify', async () => {
    expect(await job()).toMatchObject({ state: 'settled', reason: { code: 'JOB_SETTLED' } });
    const [one, two] = await Promise.all([
      get(`/v1/jobs/${id}/result`),
      get(`/v1/jobs/${id}/result`),
    ]);
    const text = await one.text();
    // Primes below 200 000.
    expect(text).toBe('17984');
    expect(await two.text()).toBe(text);
    const receipt = await bytesOf(await get(`/v1/jobs/${id}/receipt`));
    const audit = auditReceipt(receipt, devTrust, { suite: nativeSuite });
    expect(audit.findings.filter(({ status }) => status !== 'ok')).toEqual([]);
    expect(readdirSync(network.scratch)).toEqual([]);
    expect((await get(`/v1/jobs/${id}`, { method: 'DELETE' })).status).toBe(409);
  });

  test('is listed, by pages and by state', async () => {
    const page = async (query: string) =>
      (await (await get(`/v1/jobs${query}`)).json()) as { data: JobView[]; next: string | null };
    expect((await page('?limit=1')).data.map((one) => one.id)).toEqual([id]);
    expect((await page('?state=settled')).data).toHaveLength(1);
    expect((await page('?state=failed')).data).toEqual([]);
    expect((await get('/v1/jobs?cursor=nonsense!')).status).toBe(400);
  });
});

describe('the chain', () => {
  test('can be read by height, hash and name, and only where it is', async () => {
    const { includedHeight, endedHeight } = await job();
    const block = (await (await get(`/v1/blocks/${includedHeight}`)).json()) as never;
    expect(block).toMatchObject({ items: [{ kind: 'job', job: id }] });
    const { hash, height } = (block as { header: { hash: string; height: number } }).header;
    expect(height).toBe(includedHeight);
    expect(await (await get(`/v1/blocks/${hash}`)).json()).toEqual(block);
    expect(await (await get(`/v1/headers/${hash}`)).json()).toMatchObject({ height });
    expect(await (await get('/v1/headers/0')).json()).toMatchObject({ height: 0 });
    for (const none of ['blocks/0', 'blocks/999999999', `headers/${'0'.repeat(64)}`])
      expect((await get(`/v1/${none}`)).status, none).toBe(404);
    for (const final of ['blocks/final', 'headers/final', 'status', 'health', 'peers', 'duties'])
      expect((await get(`/v1/${final}`)).status, final).toBe(200);
    // Some seats were drawn for the job, not always the one that it was submitted to.
    const pages = await Promise.all(network.nodes.map((node) => node.duties(null, 9)));
    const drawn = pages.findIndex(({ data }) => data.length > 0);
    const { app } = testApi(
      { ...api.parts, node: network.nodes[drawn]! },
      {
        duties: network.nodes[drawn]!.duties,
      },
    );
    const duties = (await (await get('/v1/duties', {}, app)).json()) as object;
    expect(duties).toEqual(pages[drawn]);
    expect(duties).toMatchObject({
      data: expect.arrayContaining([expect.objectContaining({ job: id })]),
    });
    expect((await get('/v1/duties?cursor=nonsense')).status).toBe(400);
    type Page = { data: { header: { height: number } }[]; next: string | null };
    const from = `/v1/blocks?from=${endedHeight}&limit=2`;
    const page = (await (await get(from)).json()) as Page;
    expect(page.data.map((one) => one.header.height)).toEqual([endedHeight, endedHeight! - 1]);
    expect(page.next).toBe(String(endedHeight! - 2));
    const last = (await (await get('/v1/blocks?from=1')).json()) as Page;
    expect([last.data.length, last.next]).toEqual([1, null]);
  });

  test('says what it is: genesis, trust, and the state with or without a proof', async () => {
    const genesis = genesisCodec.decode(await bytesOf(await get('/v1/genesis')));
    expect(sameBytes(networkId(genesis), network.network)).toBe(true);
    const trust = parseTrust(await (await get('/v1/trust')).text());
    expect(sameBytes(trust.network, network.network)).toBe(true);
    const key = hex(stateKeys.job(jobId(signed.job)));
    const entry = (await (await get(`/v1/state/${key}`)).json()) as { value: string };
    expect(entry).toMatchObject({ key, value: expect.stringMatching(/^[0-9a-f]+$/) });
    expect(await (await get('/v1/state/00')).json()).toMatchObject({ value: null });
    for (const [name, isHeld] of [
      [key, true],
      ['00', false],
    ] as const) {
      const proof = await bytesOf(await get(`/v1/state/${name}?proof=true`));
      const { verdict, proved } = auditStateProof(proof, devTrust, { suite: nativeSuite });
      expect([verdict, proved !== null && proved.value !== null]).toEqual(['verified', isHeld]);
    }
  });
});

describe('blobs', () => {
  const long = randomBytes(700_000);
  const cid = formatCid(blobCid(long));

  test('go up in pieces and come down whole, in part, or not at all', async () => {
    async function* pieces() {
      for (let at = 0; at < long.length; at += 65_536) yield long.subarray(at, at + 65_536);
    }
    const body = ReadableStream.from(pieces());
    const up = await get('/v1/blobs', {
      method: 'POST',
      body: body as never,
      headers: bytesBody,
      duplex: 'half',
    } as RequestInit);
    expect(up.status).toBe(201);
    expect(blobSchema.parse(await up.json())).toEqual({ cid, bytes: long.length });
    const path = `/v1/blobs/${cid}`;
    const down = await get(path);
    expect(sameBytes(await bytesOf(down), long)).toBe(true);
    expect(down.headers.get('cache-control')).toContain('immutable');
    const etag = down.headers.get('etag')!;
    const head = await get(path, { method: 'HEAD' });
    expect([head.headers.get('content-length'), await head.text()]).toEqual(['700000', '']);
    expect((await get(path, { headers: { 'if-none-match': etag } })).status).toBe(304);
    for (const [range, from, to] of [
      ['bytes=262143-262144', 262_143, 262_145],
      ['bytes=699999-', 699_999, 700_000],
      ['bytes=-3', 699_997, 700_000],
      ['bytes=0-9999999', 0, 700_000],
    ] as const) {
      const part = await get(path, { headers: { range } });
      expect(part.status, range).toBe(206);
      expect(sameBytes(await bytesOf(part), long.subarray(from, to)), range).toBe(true);
    }
    expect((await get(path, { headers: { range: 'bytes=700000-' } })).status).toBe(416);
    const other = formatCid(blobCid(utf8('nobody has this')));
    expect((await get(`/v1/blobs/${other}`)).status).toBe(404);
  });

  test('of no bytes is one too', async () => {
    const up = await get('/v1/blobs', { method: 'POST', headers: bytesBody });
    const { cid: empty } = (await up.json()) as { cid: string };
    const down = await get(`/v1/blobs/${empty}`);
    expect([down.status, await down.text()]).toEqual([200, '']);
  });

  test('are listed in both forms, and nothing else is a list', async () => {
    const ids = [blobCid(long), blobCid(utf8('two'))];
    const post = (body: Uint8Array, headers: Record<string, string>) =>
      get('/v1/lists', { method: 'POST', body: body as never, headers });
    const encoded = listBlobCodec.encode(ids);
    const first = await post(Buffer.concat(ids), bytesBody);
    const list = (await first.json()) as { cid: string; bytes: number };
    expect(await (await post(encoded, cborBody)).json()).toEqual(list);
    expect(list.bytes).toBe(encoded.length);
    const down = await bytesOf(await get(`/v1/blobs/${list.cid}`));
    expect(verifyListBlob(parseCid(list.cid)!, down)?.map(hex)).toEqual(ids.map(hex));
    for (const [body, headers] of [
      [new Uint8Array(0), bytesBody],
      [new Uint8Array(35), bytesBody],
      [new Uint8Array(36), bytesBody],
      [listBlobCodec.encode([utf8('no id')]), cborBody],
      [encoded.subarray(1), cborBody],
    ] as const)
      expect((await post(body, headers)).status).toBe(400);
  });
});

describe('the document', () => {
  test('describes every route, and no other', () => {
    expect(undocumented(api.app, document)).toEqual([]);
    expect(Object.keys(document.paths).length).toBeGreaterThan(18);
  });

  test('a route that it does not know is told, and so is one that is not there', () => {
    const { app } = testApi({ ...api.parts });
    app.get('/v1/secret', () => new Response(''));
    expect(undocumented(app, document)).toEqual(['get /v1/secret']);
    const more = {
      ...document,
      paths: { ...document.paths, '/v1/gone': { get: { responses: {} } } },
    };
    expect(undocumented(api.app, more)).toEqual(['get /v1/gone']);
  });

  test('an answer of another shape, status or type is told', async () => {
    const told = (body: unknown, status = 200, type = 'application/json') =>
      deviations(
        document,
        'GET',
        '/v1/status',
        new Response(JSON.stringify(body), { status, headers: { 'content-type': type } }),
      );
    const status = (await (await get('/v1/status')).json()) as object;
    expect(await told(status)).toEqual([]);
    expect(await told({ ...status, view: 'high' })).not.toEqual([]);
    expect(await told({ ...status, secret: 1 })).not.toEqual([]);
    expect(await told(status, 418)).not.toEqual([]);
    expect(await told(status, 200, 'text/html')).not.toEqual([]);
  });
});

test('metrics count what happened, and nobody by name', async () => {
  const app = createMetricsApp(metrics, { token: null, allowedHosts: [] }, () => {});
  const text = await (await ask(app, '/metrics')).text();
  const value = (name: string) =>
    Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${name} `))
        ?.split(' ')
        .at(-1),
    );
  expect(value('anwansi_chain_finalized_height')).toBeGreaterThan(0);
  expect(value('anwansi_jobs_submitted_total')).toBe(1);
  expect(value('anwansi_jobs_finished_total{outcome="settled"}')).toBe(1);
  expect(value('anwansi_job_finality_seconds_count')).toBe(1);
  expect(value('anwansi_events_clients')).toBe(0);
  expect(value('anwansi_receipts_issued_total')).toBe(1);
  expect(value('anwansi_disk_free_bytes')).toBe(5);
  expect(value('anwansi_api_requests_total{route="/v1/jobs",method="POST",code="422"}')).toBe(1);
  expect(value('process_open_fds')).toBeGreaterThan(0);
  expect(text).not.toContain(id);
  expect((await ask(app, '/v1/status')).status).toBe(404);
});
