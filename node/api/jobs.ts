/** Answer for jobs: submit, list, show, follow, result, receipt, cancel. */
import { z } from '@hono/zod-openapi';
import { hex, unhex } from '../../protocol/brand.ts';
import { recent } from '../../protocol/crypto/recent.ts';
import type { Verdict } from '../../protocol/errors.ts';
import { jobId, signedJobCodec } from '../../protocol/job/job.ts';
import { gossipBytesMax } from '../../protocol/params.ts';
import { codeEntry } from '../cli/codes.ts';
import { jobView } from '../views/job.ts';
import { type BodyLimits, bodyPaces, readBody } from './body.ts';
import { places } from './bounds.ts';
import {
  type AcceptedJob,
  acceptedJobSchema,
  bytesType,
  cborType,
  type JobView,
  jobEventSchema,
  jobSchema,
  jobViewStates,
  pageOf,
} from './contract.ts';
import { ApiError, RulingError } from './error.ts';
import { eventsPath, eventsType, openStreams, type StreamLimits } from './events.ts';
import type { ApiParts } from './parts.ts';
import { makingMsMax, openResults } from './results.ts';
import {
  bytesContent,
  bytesResponse,
  cborContent,
  countText,
  cursorText,
  hex32,
  json,
  type Route,
  route,
} from './route.ts';

const jobBody: BodyLimits = { ...bodyPaces, bytesMax: gossipBytesMax };
/** Keys of submissions that are remembered, until the node stops. */
const keyCountMax = 4_096;
/** What a key stands for whose job was refused. */
const unused = '';
/** Lists that are made at once. */
const listCountMax = 8;
/** Jobs that one request looks at, however few of them are in the state that was asked for. */
const scannedCountMax = 1_000;

const idParams = z.strictObject({ id: hex32 });
const jobAnswer = { 200: { description: 'The job.', content: { 'application/json': jobSchema } } };

/** The routes of jobs. */
export function jobRoutes(parts: ApiParts, limits: StreamLimits): readonly Route[] {
  const streams = openStreams(parts.node, limits, parts.log);
  const results = openResults(parts);
  return [
    submitRoute(parts),
    listRoute(parts),
    showRoute(parts),
    cancelRoute(parts),
    route({
      method: 'get',
      path: eventsPath,
      summary: 'What happens to a job, as server-sent events',
      params: idParams,
      headers: z.object({ 'Last-Event-ID': z.string().optional() }),
      answers: {
        200: {
          description:
            'Events `seen` and `ended`: the id is the height, the data a Job. After Last-Event-ID ' +
            'nothing older comes again; the stream ends after `ended`.',
          content: { [eventsType]: jobEventSchema },
        },
      },
      problems: [404, 429],
      handle: ({ params, request }) =>
        streams.open(unhex(params.id)!, lastEvent(request), request.signal),
    }),
    route({
      method: 'get',
      path: '/v1/jobs/{id}/result',
      summary: 'The rendered result of a settled job, audited by this node',
      params: idParams,
      answers: { 200: { description: 'The bytes of the result.', content: bytesContent } },
      problems: [404, 409, 429, 503],
      deadlineMs: 2 * makingMsMax,
      handle: async ({ params }) =>
        bytesResponse(await results.result(unhex(params.id)!), bytesType, {
          'cache-control': 'private, max-age=31536000, immutable',
        }),
    }),
    route({
      method: 'get',
      path: '/v1/jobs/{id}/receipt',
      summary: 'The receipt of a settled or failed job: what anybody can verify offline',
      params: idParams,
      answers: { 200: { description: 'The bytes of the receipt.', content: cborContent } },
      problems: [404, 409, 429, 503],
      deadlineMs: 2 * makingMsMax,
      handle: async ({ params }) =>
        bytesResponse(await results.receipt(unhex(params.id)!), cborType),
    }),
  ];
}

function lastEvent({ headers }: Request): number {
  const id = headers.get('last-event-id') ?? '';
  if (id === '') return -1;
  if (!/^\d{1,15}$/.test(id))
    throw new ApiError({ code: 'API_MALFORMED', at: 'Last-Event-ID', expected: 'a height' });
  return Number(id);
}

function submitRoute({ node, log }: ApiParts): Route {
  const keys = recent<string>(keyCountMax);
  return route({
    method: 'post',
    path: '/v1/jobs',
    summary: 'Submit a signed job; the same job again changes nothing',
    headers: z.object({ 'Idempotency-Key': z.string().max(255).optional() }),
    body: { types: [cborType], bytesMax: jobBody.bytesMax },
    deadlineMs: null,
    answers: {
      202: {
        description: 'The job is kept and announced.',
        content: { 'application/json': acceptedJobSchema },
      },
    },
    problems: [409, 422, 503],
    handle: async ({ request }) => {
      const key = idempotencyKey(request);
      const signed = signedJobCodec.decode(await readBody(request, jobBody));
      const id = jobId(signed.job);
      const name = hex(id);
      const before = key === null ? undefined : keys.get(key);
      if (![undefined, unused, name].includes(before))
        throw new ApiError({ code: 'API_KEY_REUSED' });
      // From here on, so that of two at the same time one is refused.
      if (key !== null) keys.set(key, name);
      const known = (await node.signedJob(id)) !== null;
      const verdict = await node.submit(signed);
      if (verdict.verdict !== 'accept') {
        // A job that was not taken leaves its key to the one that is put right.
        if (key !== null && before !== name) keys.set(key, unused);
        throw refused(verdict);
      }
      if (!known) log({ kind: 'submitted', job: name });
      const state = (await jobView(node, id))?.state ?? 'pending';
      const accepted: AcceptedJob = { id: name, state, known };
      return json(accepted, 202, { location: `/v1/jobs/${name}` });
    },
  });
}

function idempotencyKey({ headers }: Request): string | null {
  const key = headers.get('idempotency-key');
  if (key !== null && !/^[!-~]{1,255}$/.test(key)) {
    const expected = 'one word of at most 255 printable characters';
    throw new ApiError({ code: 'API_MALFORMED', at: 'Idempotency-Key', expected });
  }
  return key;
}

/** What stays false is the submitter's to change; what is ignored may go better later. */
function refused({ verdict, code }: Exclude<Verdict, { verdict: 'accept' }>): RulingError {
  const status = verdict === 'reject' ? 422 : 503;
  return new RulingError({ code, status }, codeEntry(code)?.meaning ?? code);
}

function listRoute({ node }: ApiParts): Route {
  const lists = places(listCountMax, 'lists of jobs');
  return route({
    method: 'get',
    path: '/v1/jobs',
    summary: 'Jobs that are final or were submitted here, newest first',
    query: z.strictObject({
      cursor: cursorText,
      limit: countText(200, 50),
      state: z.enum(jobViewStates, `one of ${jobViewStates.join(', ')}`).optional(),
    }),
    answers: {
      200: {
        description: 'A page; with `state` it may be short, or empty, and not the last.',
        content: { 'application/json': pageOf(jobSchema) },
      },
    },
    problems: [429],
    handle: ({ query: { cursor, limit, state } }) =>
      lists(async () => {
        const data: JobView[] = [];
        let next: string | null = cursor ?? null;
        // A page of the node may be short, or empty, without being the last.
        for (let scanned = 0; data.length < limit && scanned < scannedCountMax; ) {
          const wanted = limit - data.length;
          const page = await node.jobs(next, wanted).catch(badCursor);
          for (const id of page.ids) {
            const view = await jobView(node, id);
            if (view !== null && (state === undefined || view.state === state)) data.push(view);
          }
          scanned += wanted;
          next = page.next;
          if (next === null) break;
        }
        return json({ data, next });
      }),
  });
}

/** A cursor is checked by whoever gave it. @throws ApiError API_MALFORMED */
export function badCursor(cause: unknown): never {
  if (!(cause instanceof RangeError)) throw cause;
  const expected = 'a cursor as the page before gave it';
  throw new ApiError({ code: 'API_MALFORMED', at: 'query cursor', expected }, { cause });
}

function showRoute({ node }: ApiParts): Route {
  return route({
    method: 'get',
    path: '/v1/jobs/{id}',
    summary: 'A job: where it stands, why, and what it waits for',
    params: idParams,
    answers: jobAnswer,
    problems: [404],
    handle: async ({ params }) => {
      const view = await jobView(node, unhex(params.id)!);
      if (view === null) throw new ApiError({ code: 'API_JOB_UNKNOWN', job: params.id });
      return json(view);
    },
  });
}

function cancelRoute({ node }: ApiParts): Route {
  return route({
    method: 'delete',
    path: '/v1/jobs/{id}',
    summary: 'Announce a job no more, as long as no final block has ordered it',
    params: idParams,
    answers: jobAnswer,
    problems: [404, 409],
    handle: async ({ params }) => {
      const id = unhex(params.id)!;
      const outcome = await node.cancel(id);
      if (outcome === 'ordered') throw new ApiError({ code: 'API_JOB_ORDERED', job: params.id });
      const view = outcome === 'unknown' ? null : await jobView(node, id);
      if (view === null) throw new ApiError({ code: 'API_JOB_UNKNOWN', job: params.id });
      return json(view);
    },
  });
}
