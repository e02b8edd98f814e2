// Goal: blobs are checked against their names while they stream, in both directions, and a refused or
// stalled upload ends with its reason.
// Method: a real listener that cuts, changes and refuses; laws over lengths, cuts and flipped bits.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClient } from '../../node/client/http.ts';
import { checkedBlob } from '../../node/client/stream.ts';
import { blobCid, type Cid, formatCid, listBlob } from '../../protocol/merkle/blob.ts';
import { all, codeOf, problem, status } from '../support/client-answers.ts';
import {
  bodyOf,
  gives,
  type ScriptedServer,
  says,
  scriptedServer,
} from '../support/scripted-server.ts';

let server: ScriptedServer;
beforeAll(async () => {
  server = await scriptedServer();
});
afterAll(() => server.stop());

const client = (more: { token?: string; retries?: number; answerMs?: number } = {}) =>
  createClient({ url: server.url, retries: 0, pauseMs: 1, ...more });

describe('blobs', () => {
  const long = Uint8Array.from({ length: 700_000 }, (_, index) => (index * 7 + (index >> 9)) & 255);

  test('come back as they were named, however they are cut; anything else is told', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(0, 1, 262_144, 262_145, 700_000),
        fc.integer({ min: 1, max: 300_000 }),
        fc.option(fc.nat(699_999)),
        async (length, cut, flip) => {
          const bytes = long.slice(0, length);
          const cid = blobCid(bytes);
          const sent = bytes.slice();
          if (flip !== null && length > 0) sent[flip % length]! ^= 1;
          const pieces = (async function* () {
            for (let at = 0; at < length; at += cut) yield sent.subarray(at, at + cut);
          })();
          const got: Uint8Array[] = [];
          const read = (async () => {
            for await (const piece of checkedBlob(cid, pieces)) got.push(piece);
          })();
          if (flip === null || length === 0) {
            await read;
            expect(Buffer.concat(got).equals(bytes)).toBe(true);
          } else {
            expect(await codeOf(read)).toBe('CLIENT_BLOB_MISMATCH');
            expect(Buffer.concat(got).length, 'never whole').toBeLessThan(length);
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  test('and lists alike', async () => {
    const entries = [blobCid(long), blobCid(Uint8Array.of(1))];
    const { cid, bytes } = listBlob(entries);
    const path = `GET /v1/blobs/${formatCid(cid)}`;
    server.on(path, gives(bytes));
    expect(Buffer.concat(await all(client().getBlob(cid)))).toEqual(Buffer.from(bytes));
    server.on(path, gives(listBlob([...entries].reverse()).bytes));
    expect(await codeOf(all(client().getBlob(cid)))).toBe('CLIENT_BLOB_MISMATCH');
  });

  test('cut short, and endless ones, are no blobs', async () => {
    const cid = blobCid(long);
    const path = `GET /v1/blobs/${formatCid(cid)}`;
    server.on(path, gives(long));
    expect(Buffer.concat(await all(client().getBlob(cid))).equals(long)).toBe(true);
    server.on(path, gives(long.subarray(0, 600_000)));
    expect(await codeOf(all(client().getBlob(cid)))).toBe('CLIENT_BLOB_MISMATCH');
    server.on(path, (_, response) => {
      response.writeHead(200, { 'content-length': String(long.length) });
      response.write(long.subarray(0, 300_000), () => response.destroy());
    });
    expect(await codeOf(all(client().getBlob(cid)))).toBe('CLIENT_BROKEN_OFF');
  });

  test('are sent as a stream or whole, and a node that names them otherwise is told', async () => {
    let received: Uint8Array = new Uint8Array();
    let named: Cid | null = null;
    server.on('POST /v1/blobs', async (request, response) => {
      received = await bodyOf(request);
      says({ cid: formatCid(named ?? blobCid(received)), bytes: received.length })(
        request,
        response,
      );
    });
    const source = async function* () {
      for (let at = 0; at < long.length; at += 99_999) yield long.subarray(at, at + 99_999);
    };
    for (const put of [long, source(), ReadableStream.from(source())]) {
      expect(await client().putBlob(put)).toEqual(blobCid(long));
      expect(Buffer.from(received).equals(long)).toBe(true);
    }
    named = blobCid(Uint8Array.of(9));
    expect(await codeOf(client().putBlob(long))).toBe('CLIENT_BLOB_MISMATCH');
    expect(await codeOf(client().putBlob(source()))).toBe('CLIENT_BLOB_MISMATCH');
  });

  test('a source that fails says so itself; a node that takes nothing is given up', async () => {
    server.on('POST /v1/blobs', async (request, response) => {
      await bodyOf(request);
      says({ cid: 'b', bytes: 0 })(request, response);
    });
    const broken = new Error('the disk failed');
    const failing = async function* () {
      yield long;
      throw broken;
    };
    await expect(client().putBlob(failing())).rejects.toBe(broken);
    server.on('POST /v1/blobs', (request) => void request.pause());
    let taken = 0;
    let ended = false;
    const endless = async function* () {
      try {
        for (;;) {
          taken += 1;
          yield long;
        }
      } finally {
        ended = true;
      }
    };
    expect(await codeOf(client({ answerMs: 100 }).putBlob(endless()))).toBe('CLIENT_TIMEOUT');
    const takenThen = taken;
    await expect.poll(() => ended).toBe(true);
    expect(taken, 'nothing is read for nobody').toBeLessThanOrEqual(takenThen + 1);
  });

  test('a refusal in the middle of an upload is heard, though the connection is cut', async () => {
    const endless = async function* () {
      for (;;) yield long;
    };
    server.on('POST /v1/blobs', (request) => request.destroy());
    const unauthorized = { ...problem, code: 'API_UNAUTHORIZED', status: 401 };
    server.on('GET /v1/status', says(unauthorized, 401, 'application/problem+json'));
    for (const put of [long, endless()])
      expect(await codeOf(client().putBlob(put))).toBe('API_UNAUTHORIZED');
    server.on('GET /v1/status', says(status));
    for (const put of [long, endless()])
      expect(await codeOf(client().putBlob(put))).toBe('CLIENT_BROKEN_OFF');
  });
});
