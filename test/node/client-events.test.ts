// Goal: a stream of events goes on where it broke off, and ends by itself when nothing comes of it.
// Method: a real listener that breaks off, repeats itself, and sends what is no event.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClient } from '../../node/client/http.ts';
import { all, codeOf, digest, job, problem } from '../support/client-answers.ts';
import { gives, type ScriptedServer, says, scriptedServer } from '../support/scripted-server.ts';

let server: ScriptedServer;
beforeAll(async () => {
  server = await scriptedServer();
});
afterAll(() => server.stop());

const client = (more: { token?: string; retries?: number; answerMs?: number } = {}) =>
  createClient({ url: server.url, retries: 0, pauseMs: 1, ...more });

describe('events', () => {
  const path = `GET /v1/jobs/${digest}/events`;
  const event = (at: number, kind: 'seen' | 'ended', id = String(at)): string =>
    `event: ${kind}\nid: ${id}\ndata: ${JSON.stringify(job(at, kind === 'ended' ? 'settled' : 'running'))}\n\n`;
  const stream = (...texts: readonly string[]) =>
    gives(Buffer.from(texts.join('')), 'text/event-stream');

  test('go on where they broke off, until the job has ended', async () => {
    const last: (string | undefined)[] = [];
    const texts = [
      `: hello\n\n${event(5, 'seen')}${event(6, 'seen').slice(0, 40)}`,
      ': nothing new',
      `event: later-kind\ndata: {}\n\n${event(6, 'seen')}${event(7, 'ended')}${event(8, 'seen')}`,
    ];
    server.on(path, (request, response) => {
      last.push(request.headers['last-event-id'] as string | undefined);
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(texts[last.length - 1] ?? '', () => response.destroy());
    });
    const found = await all(client().events(digest));
    expect(found.map(({ kind, job: { at } }) => [kind, at])).toEqual([
      ['seen', 5],
      ['seen', 6],
      ['ended', 7],
    ]);
    expect(last).toEqual([undefined, '5', '5']);
  });

  test('that never come, or always the same one, end after some tries', async () => {
    let opened = 0;
    server.on(path, (request, response) => {
      opened += 1;
      stream(opened === 1 ? event(5, 'seen') : ': nothing new\n\n')(request, response);
    });
    expect(await codeOf(all(client().events(digest)))).toBe('CLIENT_BROKEN_OFF');
    expect(opened).toBeLessThanOrEqual(10);
  });

  test.each([
    ['another type', says({}), 'CLIENT_ANSWER_MALFORMED'],
    [
      'an event that is no job',
      stream('event: seen\nid: 1\ndata: {"id":1}\n\n'),
      'CLIENT_ANSWER_MALFORMED',
    ],
    ['a refusal', says(problem, 404, 'application/problem+json'), 'API_JOB_UNKNOWN'],
    [
      'a line without end',
      stream(`event: seen\ndata: ${'x'.repeat(9_000_000)}`),
      'CLIENT_ANSWER_TOO_LARGE',
    ],
  ] as const)('with %s are told at once', async (_name, handler, code) => {
    server.on(path, handler);
    expect(await codeOf(all(client().events(digest)))).toBe(code);
  });

  test('stop when their reader does', async () => {
    let closed = false;
    server.on(path, (_, response) => {
      response.on('close', () => {
        closed = true;
      });
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(event(5, 'seen'));
    });
    for await (const { job: seen } of client().events(digest)) {
      expect(seen.at).toBe(5);
      break;
    }
    await expect.poll(() => closed).toBe(true);
    const stop = new AbortController();
    const reading = all(client().events(digest, { signal: stop.signal }));
    setTimeout(() => stop.abort(new Error('enough')), 50);
    await expect(reading).rejects.toThrow('enough');
  });
});
