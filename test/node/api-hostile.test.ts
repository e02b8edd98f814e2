// Goal: strangers, foreign pages and broken requests are refused by a stable code, held within
// bounds, and told to the log; those who behave notice nothing.
// Method: a real node that hears nobody, and requests without a socket.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { App } from '../../node/api/app.ts';
import { bodyChunks, readBody } from '../../node/api/body.ts';
import { problemSchema } from '../../node/api/contract.ts';
import { readTokenFile } from '../../node/api/guard.ts';
import { type ApiEvent, boundedLog } from '../../node/api/parts.ts';
import { problemOf } from '../../node/api/problem.ts';
import type { AnwansiNode } from '../../node/face.ts';
import { StorageError } from '../../node/storage/error.ts';
import { hex } from '../../protocol/brand.ts';
import { jobId, type SignedJob, signedJobCodec } from '../../protocol/job/job.ts';
import { ask, type Document, deviations, eventsOf, testApi } from '../support/api.ts';
import { createMachines, type Machines, primesJob } from '../support/nodes.ts';

const bytesBody = { 'content-type': 'application/octet-stream' };
const cborBody = { 'content-type': 'application/vnd.ipld.dag-cbor' };

let machines: Machines;
let node: AnwansiNode;
let signed: SignedJob;
let id: string;
const lent = () => ({ node, executor: machines.executor, scratch: machines.root });

beforeAll(async () => {
  machines = await createMachines(4);
  [node] = (await machines.start([0])) as [AnwansiNode];
  signed = await primesJob(machines, node);
  id = hex(jobId(signed.job));
  expect((await node.submit(signed)).verdict).toBe('accept');
});
afterAll(() => machines.remove());

/** Status and code of a refusal, which is a problem as described. */
async function refusal(app: App, path: string, init: RequestInit = {}): Promise<string> {
  const response = await ask(app, path, init);
  expect(response.headers.get('content-type'), path).toBe('application/problem+json');
  const problem = problemSchema.parse(await response.json());
  expect([problem.status, problem.title === ''], path).toEqual([response.status, false]);
  expect(problem.remedy, path).not.toBe('');
  return `${problem.status} ${problem.code}`;
}

describe('who may ask', () => {
  test('names that are not ours are not answered, whatever they point at', async () => {
    const { app, events } = testApi(lent(), { allowedHosts: ['node.example', 'x.example:8080'] });
    const from = (host: string) => ask(app, '/livez', { headers: { host } });
    for (const host of ['localhost', 'LOCALHOST:1', '127.0.0.1:26922', '[::1]:5', 'node.example:9'])
      expect((await from(host)).status, host).toBe(200);
    for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.nip.io', 'x.example'])
      expect((await from(host)).status, host).toBe(403);
    expect((await from('x.example:8080')).status).toBe(200);
    // A request line with a name of its own does not get around the header.
    const url = await app.request('http://evil.example/livez', { headers: { host: 'localhost' } });
    expect(url.status).toBe(403);
    expect(events.filter((one) => one.kind === 'answered' && one.status === 403)).toHaveLength(5);
  });

  test('pages of others are refused, and nothing is shared with them', async () => {
    const { app } = testApi(lent());
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: 'http://localhost:1' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ])
      expect(await refusal(app, '/v1/status', { headers })).toBe('403 API_ORIGIN_REFUSED');
    const own = { origin: 'http://localhost', 'sec-fetch-site': 'same-origin' };
    const answer = await ask(app, '/v1/status', { headers: own });
    expect(answer.status).toBe(200);
    const names = [...answer.headers.keys()];
    expect(names.filter((name) => /^(access-control|set-cookie)/.test(name))).toEqual([]);
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    // What a form can send is not taken, so no page can post without asking first.
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data'])
      for (const path of ['/v1/jobs', '/v1/blobs', '/v1/lists']) {
        const init = { method: 'POST', body: 'x', headers: { 'content-type': type } };
        expect(await refusal(app, path, init)).toBe('415 API_BODY_TYPE');
      }
    expect((await ask(app, '/v1/jobs', { method: 'OPTIONS' })).status).toBe(405);
  });

  test('where there is a token, everything needs it', async () => {
    const token = 'a'.repeat(40);
    const { app } = testApi(lent(), { token });
    const paths = ['/livez', '/v1/status', '/openapi.json', '/nowhere'];
    for (const path of paths) {
      expect(await refusal(app, path)).toBe('401 API_UNAUTHORIZED');
      for (const wrong of [`Bearer ${'b'.repeat(40)}`, `Bearer ${token}a`, `Basic ${token}`, token])
        expect((await ask(app, path, { headers: { authorization: wrong } })).status).toBe(401);
    }
    const headers = { authorization: `Bearer ${token}` };
    expect((await ask(app, '/v1/status', { headers })).status).toBe(200);
  });

  test('a token file is one that others cannot read, and long enough', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'anwansi-token-'));
    const file = (name: string, text: string, mode: number) => {
      const path = join(folder, name);
      writeFileSync(path, text);
      chmodSync(path, mode);
      return path;
    };
    try {
      expect(await readTokenFile(file('good', `${'t'.repeat(32)}\n`, 0o600))).toBe('t'.repeat(32));
      for (const path of [
        file('open', 't'.repeat(32), 0o644),
        file('short', 't'.repeat(31), 0o600),
        file('two', `${'t'.repeat(32)} ${'t'.repeat(32)}`, 0o600),
        file('large', 't'.repeat(4_096), 0o600),
        folder,
        join(folder, 'none'),
      ])
        await expect(readTokenFile(path), path).rejects.toMatchObject({ code: 'API_TOKEN_FILE' });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('what is asked', () => {
  test('paths are taken literally: no way out, no way round', async () => {
    const { app } = testApi(lent());
    const long = 'a'.repeat(3_000);
    for (const path of [
      '/v1/blobs/%2e%2e%2f%2e%2e%2fetc%2fpasswd',
      '/v1/blobs/..%2f..%2fetc/passwd',
      '/v1/blobs/%00',
      '/v1/jobs/%00%ff%c0%ae',
      '/v1/jobs/ａｂｃ',
      `/v1/jobs/${id.toUpperCase()}`,
      `/v1/jobs/${id}%20`,
      `/v1/state/${'00'.repeat(129)}`,
      '/v1/state/0',
      '/v1/blocks/-1',
      '/v1/blocks/01',
      '/v1/blocks/1e3',
      '/v1/blocks?limit=0',
      '/v1/blocks?limit=1&limit=2',
      '/v1/jobs?limit=99999',
      '/v1/jobs?state=lost',
      '/v1/jobs?statee=settled',
      `/v1/jobs?cursor=${'%20'.repeat(9)}`,
      '/v1/jobs?cursor=!',
      `/v1/jobs/${long}`,
    ])
      expect(await refusal(app, path), path).toMatch(/^(400 API_MALFORMED|404 API_NOT_FOUND)$/);
    for (const path of [
      '/',
      '/v1',
      '/v1/',
      '//v1/status',
      '/v1/status/',
      '/V1/status',
      '/etc/passwd',
    ])
      expect(await refusal(app, path), path).toBe('404 API_NOT_FOUND');
    expect(await refusal(app, '/v1/status', { method: 'POST' })).toBe('405 API_METHOD_REFUSED');
    const put = await ask(app, `/v1/jobs/${id}`, { method: 'PUT' });
    expect([put.status, put.headers.get('allow')]).toEqual([405, 'GET, DELETE, HEAD']);
  });

  test('bodies are bounded by what they say and by what they are', async () => {
    const { app } = testApi(lent());
    const post = (path: string, body: string, headers: Record<string, string>) =>
      refusal(app, path, { method: 'POST', body, headers });
    const said = (bytes: number) => ({ ...bytesBody, 'content-length': String(bytes) });
    expect(await post('/v1/blobs', 'x', said(2 ** 30 + 1))).toBe('413 API_BODY_TOO_LARGE');
    expect(await post('/v1/blobs', 'x', { ...bytesBody, 'content-length': '-1' })).toBe(
      '400 API_MALFORMED',
    );
    expect(await post('/v1/jobs', 'x'.repeat(65_537), cborBody)).toBe('413 API_BODY_TOO_LARGE');
    expect(await post('/v1/jobs', 'x', { ...cborBody, 'content-encoding': 'gzip' })).toBe(
      '415 API_BODY_TYPE',
    );
    expect(await post('/v1/jobs', 'x', { ...cborBody, 'idempotency-key': 'a b' })).toBe(
      '400 API_MALFORMED',
    );
    const deleted = { method: 'DELETE', body: 'x', headers: { 'content-length': '1' } };
    expect(await refusal(app, `/v1/jobs/${id}`, deleted)).toBe('400 API_MALFORMED');
    expect(await refusal(app, `/v1/jobs/${id}/events`, { headers: { 'last-event-id': 'x' } })).toBe(
      '400 API_MALFORMED',
    );
  });

  test('a body that stops, drips or breaks is given up, and is never held in memory', async () => {
    const limits = { bytesMax: 1_000, idleMs: 30, graceMs: 60, bytesPerSecondMin: 1_000 };
    const request = (
      pull: (c: ReadableStreamDefaultController<Uint8Array>) => void | Promise<void>,
    ) =>
      new Request('http://localhost/', {
        method: 'POST',
        body: new ReadableStream({ pull }, { highWaterMark: 0 }),
        duplex: 'half',
      } as RequestInit);
    const code = async (made: Request): Promise<string> => {
      try {
        return String((await readBody(made, limits)).length);
      } catch (error) {
        return problemOf(error).code;
      }
    };
    expect(await code(request(() => new Promise<void>(() => {})))).toBe('API_BODY_TOO_SLOW');
    const drip = request(async (c) => {
      await new Promise((resolve) => setTimeout(resolve, 15));
      c.enqueue(new Uint8Array(1));
    });
    expect(await code(drip)).toBe('API_BODY_TOO_SLOW');
    expect(await code(request((c) => c.error(new Error('gone'))))).toBe('API_BODY_CUT');
    expect(await code(request((c) => c.enqueue(new Uint8Array(400))))).toBe('API_BODY_TOO_LARGE');
    let left = 1_000;
    const tiny = request((c) => (left-- > 0 ? c.enqueue(new Uint8Array(1)) : c.close()));
    expect(await code(tiny)).toBe('1000');
    let pulled = 0;
    const slowTaker = bodyChunks(
      request((c) => {
        pulled++;
        c.enqueue(new Uint8Array(10));
      }),
      limits,
    );
    await slowTaker.next();
    await new Promise((resolve) => setTimeout(resolve, 100));
    // The time that we take is ours, and nothing is read ahead.
    expect([(await slowTaker.next()).done, pulled]).toEqual([false, 2]);
    await slowTaker.return();
  });

  test('an error that nobody foresaw is told to the log, not to the client', async () => {
    const reason = new Error('the secret is 42');
    const { app, events } = testApi(lent(), { findings: () => Promise.reject(reason) });
    const response = await ask(app, '/v1/health');
    const text = await response.text();
    expect([response.status, text.includes('UNEXPECTED'), text.includes('42')]).toEqual([
      500,
      true,
      false,
    ]);
    expect(events).toContainEqual({ kind: 'unexpected', route: '/v1/health', reason });
    const disk = problemOf(
      new StorageError({ code: 'BLOB_FAILED', path: '/home/me', action: 'read' }),
    );
    expect([disk.status, JSON.stringify(disk).includes('/home/me')]).toEqual([500, false]);
  });
});

describe('a job that waits', () => {
  test('has no result yet, and says what it waits for', async () => {
    const { app } = testApi(lent());
    for (const what of ['result', 'receipt']) {
      const response = await ask(app, `/v1/jobs/${id}/${what}`);
      const problem = problemSchema.parse(await response.json());
      expect(problem).toMatchObject({ code: 'API_JOB_NOT_ENDED', status: 409, retryable: true });
      expect(problem.detail).toMatch(/pending: Awaits/);
    }
    const none = 'f'.repeat(64);
    for (const path of [`/v1/jobs/${none}/result`, `/v1/jobs/${none}/events`, `/v1/jobs/${none}`])
      expect(await refusal(app, path)).toBe('404 API_JOB_UNKNOWN');
    expect(await refusal(app, `/v1/jobs/${none}`, { method: 'DELETE' })).toBe(
      '404 API_JOB_UNKNOWN',
    );
  });

  test('tells its present state once, then signs of life, in a bounded number of streams', async () => {
    const limits = { streamCountMax: 2, heartbeatMs: 20, lifeMs: 400 };
    const { app, events } = testApi(lent(), {}, limits);
    const open = (last?: string) =>
      ask(
        app,
        `/v1/jobs/${id}/events`,
        last === undefined ? {} : { headers: { 'last-event-id': last } },
      );
    const [first, second] = [await open(), await open('0')];
    expect(await refusal(app, `/v1/jobs/${id}/events`)).toBe('429 API_BUSY');
    const listen = async (stream: Response) => {
      const heard: string[] = [];
      for await (const one of eventsOf(stream))
        heard.push(one.event ?? (one.comment ? 'beat' : 'retry'));
      return heard;
    };
    const [seen, again] = await Promise.all([listen(first), listen(second)]);
    expect(seen.slice(0, 2)).toEqual(['retry', 'seen']);
    expect(seen.filter((one) => one === 'seen')).toHaveLength(1);
    // Height 0 is known to the second: it hears of changes alone.
    expect(again).not.toContain('seen');
    for (const heard of [seen, again])
      expect(heard.filter((one) => one === 'beat').length).toBeGreaterThan(1);
    const third = await open();
    await third.body?.cancel();
    // Neither a question for the headers alone nor a client that is gone keeps a place.
    for (let i = 0; i < 3; i++) {
      const path = `/v1/jobs/${id}/events`;
      expect((await ask(app, path, { method: 'HEAD' })).status).toBe(200);
      expect((await ask(app, path, { signal: AbortSignal.abort() })).status).toBe(200);
    }
    const counts = events.flatMap((one) => (one.kind === 'streams' ? [one.open] : []));
    expect([Math.max(...counts), counts.at(-1)]).toEqual([2, 0]);
  });

  test('can be cancelled, and submitted again', async () => {
    const { app } = testApi(lent());
    const cancelled = await ask(app, `/v1/jobs/${id}`, { method: 'DELETE' });
    expect(await cancelled.json()).toMatchObject({ id, state: 'cancelled' });
    const body = signedJobCodec.encode(signed);
    const again = await ask(app, '/v1/jobs', {
      method: 'POST',
      body: body as never,
      headers: cborBody,
    });
    expect(await again.json()).toMatchObject({ id, state: 'pending', known: true });
  });
});

test('health says the same in its status and in its words', async () => {
  const failed = {
    name: 'disk',
    state: 'failed',
    cause: 'c',
    consequence: 'q',
    remedy: 'r',
  } as const;
  const { app } = testApi(lent(), { findings: async () => [failed] });
  const document = (await (await ask(app, '/openapi.json')).json()) as Document;
  for (const path of ['/v1/health', '/readyz']) {
    const response = await ask(app, path);
    expect(await deviations(document, 'GET', path, response)).toEqual([]);
    const body = (await response.json()) as { state: string; findings: unknown[] };
    expect([response.status, body.state]).toEqual([503, 'unready']);
    expect(body.findings).toContainEqual(failed);
  }
  expect((await ask(app, '/livez')).status).toBe(200);
});

test('peers come in pages that no coming or going upsets, also those without an id', async () => {
  const peer = (id: string, address: string) => ({
    id,
    addresses: [address],
    connected: true,
    reason: null,
    score: 0,
  });
  const [a, b, c, d] = [peer('', '/a'), peer('', '/b'), peer('x', '/c'), peer('y', '/d')];
  const { app } = testApi(lent(), { peers: () => [d, b, a, c] });
  const seen: unknown[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const from: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`;
    const response = await ask(app, `/v1/peers?limit=1${from}`);
    const page = (await response.json()) as { data: unknown[]; next: string | null };
    seen.push(...page.data);
    cursor = page.next;
  }
  expect(seen).toEqual([c, d, a, b]);
});

test('a log tells a few troubles of a kind each second, and how many it did not', () => {
  const written: ApiEvent[] = [];
  let now = 1_000;
  const log = boundedLog(
    (event) => written.push(event),
    () => now,
  );
  const answered = (code: string | null, status: number): ApiEvent => ({
    kind: 'answered',
    method: 'GET',
    route: 'other',
    status,
    code,
    ms: 0,
  });
  for (let i = 0; i < 1_000; i++) log(answered('API_NOT_FOUND', 404));
  for (let i = 0; i < 1_000; i++) log({ kind: 'connection-refused', reason: `reason ${i}` });
  for (let i = 0; i < 10; i++) log(answered(null, 200));
  expect(written.filter((one) => one.kind === 'answered' && one.code !== null)).toHaveLength(5);
  expect(written.filter((one) => one.kind === 'connection-refused')).toHaveLength(63);
  expect(written.filter((one) => one.kind === 'answered' && one.code === null)).toHaveLength(10);
  now = 2_000;
  log({ kind: 'connection-refused', reason: 'reason 999' });
  expect(written.slice(-2)).toEqual([
    { kind: 'suppressed', count: 995 + 937 },
    { kind: 'connection-refused', reason: 'reason 999' },
  ]);
});
