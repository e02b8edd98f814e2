/** Answer for blobs: take them in as they come, give them out as they are taken. */
import { z } from '@hono/zod-openapi';
import { tryDecode } from '../../protocol/codec/codec.ts';
import {
  type Cid,
  formatCid,
  isCid,
  listBlobBytesMax,
  listBlobCodec,
  parseCid,
} from '../../protocol/merkle/blob.ts';
import { cidTextLength } from '../../protocol/merkle/cid.ts';
import { blobBlockBytes, blobBytesMax, cidBytes, itemCountMax } from '../../protocol/params.ts';
import type { Blobs } from '../storage/blobs.ts';
import { bodyChunks, bodyPaces, readBody } from './body.ts';
import { places } from './bounds.ts';
import { type BlobView, blobSchema, bytesType, cborType } from './contract.ts';
import { ApiError } from './error.ts';
import type { ApiParts } from './parts.ts';
import { revealedValues } from './reveals.ts';
import { type ApiEnv, bytesContent, json, type Route, route } from './route.ts';

/** Uploads at once: each holds some blocks in memory. Lists are held whole. */
const uploadCountMax = 16;
const listCountMax = 2;
/** Blobs that are fetched from peers for askers at once, and milliseconds that one may take. */
const fetchCountMax = 4;
const fetchMsMax = 20_000;

const stored = {
  201: { description: 'It is stored.', content: { 'application/json': blobSchema } },
};

/** The routes of blobs. */
export function blobRoutes(parts: ApiParts): readonly Route[] {
  const { blobs } = parts.node;
  const uploads = places(uploadCountMax, 'uploads');
  const lists = places(listCountMax, 'uploads of lists');
  return [
    route({
      method: 'post',
      path: '/v1/blobs',
      summary: 'Store a blob',
      body: { types: [bytesType], bytesMax: blobBytesMax },
      deadlineMs: null,
      answers: stored,
      problems: [429, 507],
      handle: ({ request }) =>
        uploads(async () => {
          const chunks = bodyChunks(request, { ...bodyPaces, bytesMax: blobBytesMax });
          return storedResponse(await blobs.putStream(chunks));
        }),
    }),
    route({
      method: 'post',
      path: '/v1/lists',
      summary: 'Store a list of content ids: the input of a job',
      body: { types: [bytesType, cborType], bytesMax: listBlobBytesMax },
      deadlineMs: null,
      answers: stored,
      problems: [429, 507],
      handle: ({ request }) =>
        lists(async () => {
          const bytes = await readBody(request, { ...bodyPaces, bytesMax: listBlobBytesMax });
          const type = request.headers.get('content-type') ?? '';
          const cid = await blobs.putList(
            type.startsWith(cborType) ? listedIds(bytes) : joinedIds(bytes),
          );
          return storedResponse({ cid, bytes: (await blobs.size(cid)) ?? 0 });
        }),
    }),
    downloadRoute(parts),
  ];
}

function storedResponse({ cid, bytes }: { cid: Uint8Array; bytes: number }): Response {
  const text = formatCid(cid as Cid);
  const view: BlobView = { cid: text, bytes };
  return json(view, 201, { location: `/v1/blobs/${text}` });
}

/** Content ids one after the other. @throws ApiError API_MALFORMED */
function joinedIds(bytes: Uint8Array): readonly Uint8Array[] {
  const count = bytes.length / cidBytes;
  if (!Number.isInteger(count) || count < 1 || count > itemCountMax) throw malformedList();
  const ids = Array.from({ length: count }, (_, place) =>
    bytes.subarray(place * cidBytes, (place + 1) * cidBytes),
  );
  return checkIds(ids);
}

/** Content ids as a list travels. @throws ApiError API_MALFORMED */
function listedIds(bytes: Uint8Array): readonly Uint8Array[] {
  const ids = tryDecode(listBlobCodec, bytes);
  if (ids === null || ids.length < 1 || ids.length > itemCountMax) throw malformedList();
  return checkIds(ids);
}

function checkIds(ids: readonly Uint8Array[]): readonly Uint8Array[] {
  if (!ids.every(isCid)) throw malformedList();
  return ids;
}

function malformedList(): ApiError {
  const expected = `1 to ${itemCountMax} content ids of ${cidBytes} bytes each`;
  return new ApiError({ code: 'API_MALFORMED', at: 'body', expected });
}

/** Brings a blob from a peer; where none has it, the answer is that it is not here. */
async function bring({ node, peers }: ApiParts, cid: Cid, gone: AbortSignal): Promise<void> {
  if (!peers().some(({ connected }) => connected)) return;
  const signal = AbortSignal.any([gone, AbortSignal.timeout(fetchMsMax)]);
  await node.fetch(cid, blobBytesMax, signal).catch(() => undefined);
}

function downloadRoute(parts: ApiParts): Route {
  const { blobs } = parts.node;
  const fetches = places(fetchCountMax, 'blobs that are fetched');
  const revealed = revealedValues(parts.node);
  /** Bytes of a blob that was not here, and now may be. */
  const brought = async (cid: Cid, fetch: boolean, gone: AbortSignal): Promise<number | null> => {
    const value = await revealed(cid);
    if (value !== null) await blobs.put(value);
    else if (fetch) await fetches(() => bring(parts, cid, gone));
    return blobs.size(cid);
  };
  return route({
    method: 'get',
    path: '/v1/blobs/{cid}',
    summary: 'The bytes of a blob or a list; HEAD tells its size alone',
    params: z.strictObject({
      cid: z
        .string()
        .length(cidTextLength, 'a content id')
        .refine((text) => parseCid(text) !== null, 'a content id'),
    }),
    query: z.strictObject({ fetch: z.enum(['true', 'false']).optional() }),
    headers: z.object({ Range: z.string().optional(), 'If-None-Match': z.string().optional() }),
    answers: {
      200: { description: 'All bytes.', content: bytesContent },
      206: { description: 'The bytes of the range.', content: bytesContent },
      304: { description: 'The bytes that you have: a content id names nothing else.' },
    },
    problems: [404, 416, 429, 507],
    handle: async ({ params, query, request, context }) => {
      const cid = parseCid(params.cid)!;
      const size =
        (await blobs.size(cid)) ?? (await brought(cid, query.fetch === 'true', request.signal));
      if (size === null) throw new ApiError({ code: 'API_BLOB_UNKNOWN', cid: params.cid });
      const headers = new Headers({
        'content-type': bytesType,
        etag: `"${params.cid}"`,
        'cache-control': 'public, max-age=31536000, immutable',
        'accept-ranges': 'bytes',
      });
      if (namesTag(request.headers.get('if-none-match'), params.cid))
        return new Response(null, { status: 304, headers });
      const range = rangeOf(request, size, params.cid);
      const [from, to] = range ?? [0, size];
      if (range !== null) headers.set('content-range', `bytes ${from}-${to - 1}/${size}`);
      headers.set('content-length', String(to - from));
      const status = range === null ? 200 : 206;
      const { signal } = request;
      const body = blobStream(blobs, cid, { from, to, signal, env: context.env });
      return new Response(body, { status, headers });
    },
  });
}

function namesTag(header: string | null, cid: string): boolean {
  return header !== null && (header.trim() === '*' || header.includes(`"${cid}"`));
}

/**
 * The one range that a request asks for, end exclusive; null for the whole. Several ranges, and
 * forms that nobody knows, are answered with the whole. @throws ApiError API_RANGE
 */
function rangeOf({ headers }: Request, size: number, cid: string): [number, number] | null {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(headers.get('range') ?? '');
  const condition = headers.get('if-range');
  if (match === null || (condition !== null && condition !== `"${cid}"`)) return null;
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return null;
  const from = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const to = first === '' || last === '' ? size : Math.min(size, Number(last) + 1);
  if (from >= to) throw new ApiError({ code: 'API_RANGE', bytes: size });
  return [from, to];
}

type Piece = {
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
  readonly signal: AbortSignal;
  readonly env: ApiEnv['Bindings'] | undefined;
};

/** Bytes of a blob, a block at a time, each when the last has been taken. Kept for as long. */
function blobStream(
  blobs: Blobs,
  cid: Cid,
  { from, to, signal, env }: Piece,
): ReadableStream<Uint8Array> {
  let at = from;
  let pinned = false;
  let over = false;
  const release = (): void => {
    if (pinned) blobs.release(cid);
    pinned = false;
    over = true;
    signal.removeEventListener('abort', release);
  };
  // A connection that is gone before it is written to never cancels.
  signal.addEventListener('abort', release);
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        if (over || signal.aborted) return controller.close();
        if (!pinned) blobs.pin(cid);
        pinned = true;
        const index = Math.floor(at / blobBlockBytes);
        const block = at < to ? await blobs.readBlock(cid, index).catch(() => null) : emptyBytes;
        if (block === null) {
          release();
          breakOff(controller, env);
          return;
        }
        const start = at - index * blobBlockBytes;
        const piece = block.subarray(start, Math.min(block.length, start + to - at));
        at += piece.length;
        if (piece.length > 0) controller.enqueue(piece);
        if (at < to) return;
        release();
        controller.close();
      },
      cancel: release,
    },
    { highWaterMark: 0 },
  );
}

const emptyBytes = new Uint8Array(0);

/** The disk failed after the answer began: only a broken connection can still say so. */
function breakOff(
  controller: ReadableStreamDefaultController<Uint8Array>,
  env: ApiEnv['Bindings'] | undefined,
): void {
  if (env?.outgoing === undefined) {
    controller.error(new ApiError({ code: 'API_BODY_CUT', bytes: 0 }));
    return;
  }
  env.outgoing.destroy();
  controller.close();
}
