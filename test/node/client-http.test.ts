// Goal: the client believes no answer that breaks the contract, waits for none for ever, holds
// none that is too large, and tells a refusal from a broken node and from a stranger.
// Method: a real listener that answers as each test says; every bad answer has a good twin.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { codeEntry } from '../../node/cli/codes.ts';
import { ApiError, ClientError, createClient } from '../../node/client/http.ts';
import { plainText } from '../../node/client/plain.ts';
import { codeOf, digest, problem, status } from '../support/client-answers.ts';
import { gives, type ScriptedServer, says, scriptedServer } from '../support/scripted-server.ts';

let server: ScriptedServer;
beforeAll(async () => {
  server = await scriptedServer();
});
afterAll(() => server.stop());

const client = (more: { token?: string; retries?: number; answerMs?: number } = {}) =>
  createClient({ url: server.url, retries: 0, pauseMs: 1, ...more });

describe('answers', () => {
  test('of the contract are given as they are, with the token and no more', async () => {
    const tokens: (string | undefined)[] = [];
    server.on('GET /v1/status', (request, response) => {
      tokens.push(request.headers.authorization);
      says({ ...status, later: 'a field of a newer server' })(request, response);
    });
    expect(await client().status()).toEqual(status);
    await client({ token: 'secret' }).status();
    expect(tokens).toEqual([undefined, 'Bearer secret']);
    server.on('GET /v1/health', says({ state: 'unready', findings: [] }, 503));
    expect(await client().health(), '503 is an answer here').toMatchObject({ state: 'unready' });
  });

  test.each([
    ['another field type', says({ ...status, seats: 'four' }), 'CLIENT_ANSWER_MALFORMED'],
    ['a field less', says({ ...status, final: undefined }), 'CLIENT_ANSWER_MALFORMED'],
    ['another version', says({ ...status, protocol: 'anwansi/2' }), 'CLIENT_OTHER_PROTOCOL'],
    ['another protocol', says({ jsonrpc: '2.0' }), 'CLIENT_NOT_ANWANSI'],
    ['an array', says([]), 'CLIENT_NOT_ANWANSI'],
    ['a page', gives(Buffer.from('<html>'), 'text/html'), 'CLIENT_NOT_ANWANSI'],
    [
      'half a document',
      gives(Buffer.from('{"protocol":'), 'application/json'),
      'CLIENT_NOT_ANWANSI',
    ],
    ['bad UTF-8', gives(Uint8Array.of(0x22, 0xff, 0x22), 'application/json'), 'CLIENT_NOT_ANWANSI'],
    ['a proxy', gives(Buffer.from('x'), 'text/html'), 'CLIENT_NOT_ANWANSI'],
    ['a refusal without a reason', says({ error: 'no' }, 400), 'CLIENT_NOT_ANWANSI'],
    ['a broken server', says({ error: 'no' }, 500), 'CLIENT_ANSWER_MALFORMED'],
    ['a code that is none', says({ ...problem, code: 'a b' }, 404), 'CLIENT_NOT_ANWANSI'],
    ['a refusal with one', says(problem, 404, 'application/problem+json'), 'API_JOB_UNKNOWN'],
  ] as const)('%s', async (_name, handler, code) => {
    server.on('GET /v1/status', handler);
    expect(await codeOf(client().status())).toBe(code);
    expect(codeEntry(code)?.remedy).toBeTruthy();
  });

  test('a redirect is not followed: a token stays where it belongs', async () => {
    const count = server.asked.length;
    server.on('GET /v1/elsewhere', says(status));
    server.on('GET /v1/status', (_, response) =>
      response.writeHead(302, { location: `${server.url}/v1/elsewhere` }).end(),
    );
    expect(await codeOf(client({ token: 'secret' }).status())).toBe('CLIENT_UNREACHABLE');
    expect(server.asked.slice(count)).toEqual(['GET /v1/status']);
  });

  test('a refusal keeps code, status and remedy, and loses its control characters', async () => {
    server.on(`GET /v1/jobs/${digest}`, says(problem, 404, 'application/problem+json'));
    const error = await client()
      .job(digest)
      .catch((thrown) => thrown);
    expect(error).toBeInstanceOf(ApiError);
    expect(error.detail).toEqual({
      code: 'API_JOB_UNKNOWN',
      status: 404,
      title: 'Unknown.',
      remedy: 'Look again.',
      retryable: false,
    });
    expect(error.message).toBe('no such  [31mjob at all');
  });

  test('where nobody listens, nothing is a node', async () => {
    const gone = await scriptedServer();
    await gone.stop();
    const absent = createClient({ url: gone.url, retries: 1, pauseMs: 1 });
    expect(await codeOf(absent.status())).toBe('CLIENT_UNREACHABLE');
  });

  test.each([
    'nonsense',
    'ftp://127.0.0.1',
    'http://me:secret@127.0.0.1',
    'http://127.0.0.1/?a=b',
    '',
  ])('%j is no URL of a node', (url) => {
    expect(() => createClient({ url })).toThrow(ClientError);
  });
  test('a path in front and a slash behind are kept apart', () => {
    expect(createClient({ url: 'https://a.example/node/' }).url).toBe('https://a.example/node');
  });
});

describe('bounds', () => {
  test('nothing, and what drips, is given up; so is what nobody wants any more', async () => {
    server.on('GET /v1/status', () => {});
    expect(await codeOf(client({ answerMs: 50 }).status())).toBe('CLIENT_TIMEOUT');
    const timers: NodeJS.Timeout[] = [];
    server.on('GET /v1/status', (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      timers.push(setInterval(() => response.write(' '), 10));
    });
    expect(await codeOf(client({ answerMs: 60 }).status())).toBe('CLIENT_TIMEOUT');
    const reason = new Error('enough');
    const asked = client().status({ signal: AbortSignal.any([AbortSignal.timeout(30)]) });
    await expect(asked).rejects.toMatchObject({ name: 'TimeoutError' });
    await expect(client().status({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    timers.forEach(clearInterval);
  });

  test('a fetch that never looks at its signal is left as well', async () => {
    const deaf = createClient({
      url: server.url,
      retries: 0,
      answerMs: 30,
      fetch: () => new Promise(() => {}),
    });
    expect(await codeOf(deaf.status())).toBe('CLIENT_TIMEOUT');
  });

  test('too much is not read, whether it is announced or not', async () => {
    let sent = 0;
    let closed = false;
    server.on('GET /v1/status', (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.on('close', () => {
        closed = true;
      });
      const more = (): void => {
        while (!closed && response.write(Buffer.alloc(1_000_000, 0x20))) sent += 1_000_000;
        sent += 1_000_000;
        if (!closed && sent < 400_000_000) response.once('drain', more);
      };
      more();
    });
    expect(await codeOf(client().status())).toBe('CLIENT_ANSWER_TOO_LARGE');
    await expect.poll(() => closed).toBe(true);
    expect(sent).toBeLessThan(200_000_000);
    server.on('GET /v1/status', (_, response) =>
      response.writeHead(200, { 'content-length': '99999999999' }).write('{'),
    );
    expect(await codeOf(client().status())).toBe('CLIENT_ANSWER_TOO_LARGE');
  });

  test('a broken connection is tried again, as often as was said, and a refusal is not', async () => {
    let count = 0;
    server.on('GET /v1/status', (request, response) => {
      count += 1;
      if (count < 3) response.destroy();
      else says(status)(request, response);
    });
    expect(await codeOf(client({ retries: 1 }).status())).toBe('CLIENT_UNREACHABLE');
    count = 0;
    expect(await client({ retries: 2 }).status()).toEqual(status);
    const busy = { ...problem, code: 'API_BUSY', status: 429, retryable: true };
    let asked = 0;
    server.on('GET /v1/status', (request, response) => {
      asked += 1;
      says(
        asked === 1 ? busy : problem,
        asked === 1 ? 429 : 404,
        'application/problem+json',
      )(request, response);
    });
    expect(await codeOf(client({ retries: 5 }).status()), 'busy, then refused').toBe(
      'API_JOB_UNKNOWN',
    );
    expect(asked).toBe(2);
  });
});

test('`anwansi/client` is this client, and a page can load it: nothing of Node is in it', async () => {
  const entry = 'anwansi/client';
  expect((await import(entry)).createClient).toBe(createClient);
  const bundled = await build({
    entryPoints: [fileURLToPath(new URL('../../node/client/http.ts', import.meta.url))],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'browser',
    logLevel: 'silent',
    metafile: true,
  });
  expect(Object.keys(bundled.metafile.inputs)).toContain('node/client/http.ts');
  const foreign = Object.values(bundled.metafile.inputs).flatMap(({ imports }) =>
    imports.filter(({ path }) => path.startsWith('node:')),
  );
  expect(foreign).toEqual([]);
  const other = fileURLToPath(new URL('../../node/client/input.ts', import.meta.url));
  const twin = build({
    entryPoints: [other],
    bundle: true,
    write: false,
    platform: 'browser',
    logLevel: 'silent',
  });
  await expect(twin, 'what needs Node does not bundle').rejects.toThrow('node:fs');
});

test('a stranger’s text is one line without control characters, and never too long', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 50 }), (text, length) => {
      const shown = plainText(text, length);
      expect(shown.length).toBeLessThanOrEqual(length);
      expect(shown).not.toMatch(/[\p{Cc}\u202e\u2028\u2029]/u);
    }),
  );
  expect(plainText('as it is', 50)).toBe('as it is');
});
