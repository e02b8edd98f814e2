/** Describe a route once: its path, what it takes and gives, and the function that answers. */
import { type RouteConfig, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { checkBody } from './body.ts';
import { inTime } from './bounds.ts';
import { bytesType, cborType, problemSchema } from './contract.ts';
import { ApiError } from './error.ts';
import { problemType } from './problem.ts';

/** What a server lends besides the request; a test without a socket lends nothing. */
export type ApiEnv = {
  Bindings: { readonly outgoing?: { readonly destroy: () => unknown } };
  Variables: { route: string; code: string };
};

/** One request, its texts checked. */
export type Call<P, Q> = {
  readonly params: P;
  readonly query: Q;
  readonly request: Request;
  readonly context: Context<ApiEnv>;
};

/** One kind of answer: what it says, and its body by media type. */
export type Answer = {
  readonly description: string;
  readonly content?: Readonly<Record<string, z.ZodType>>;
};

type Spec<P extends z.ZodType, Q extends z.ZodType> = {
  readonly method: 'get' | 'post' | 'delete';
  /** As in the document: `/v1/jobs/{id}`. */
  readonly path: string;
  readonly summary: string;
  readonly params?: P;
  readonly query?: Q;
  readonly headers?: z.ZodObject;
  readonly body?: { readonly types: readonly string[]; readonly bytesMax: number };
  readonly answers: Readonly<Record<number, Answer>>;
  /** Statuses of the refusals that are this route's own. */
  readonly problems: readonly number[];
  /** Milliseconds until the answer must begin; null where a body has deadlines of its own. */
  readonly deadlineMs?: number | null;
  readonly handle: (call: Call<z.infer<P>, z.infer<Q>>) => Response | Promise<Response>;
};

/** A route, ready to be put up. */
export type Route = {
  readonly method: 'get' | 'post' | 'delete';
  readonly path: string;
  readonly document: RouteConfig;
  readonly answer: (context: Context<ApiEnv>) => Promise<Response>;
};

/** Refusals that every route may answer with. */
const commonProblems = [400, 401, 403, 405, 500, 504];
/** Milliseconds until an answer begins, where nothing else is said. */
const answerMsMax = 30_000;

const nothing = z.strictObject({});

/** Bytes in the document. */
export const binary = z.string().openapi({ format: 'binary' });
export const cborContent = { [cborType]: binary };
export const bytesContent = { [bytesType]: binary };

/** A route of its description. */
export function route<P extends z.ZodType = typeof nothing, Q extends z.ZodType = typeof nothing>(
  spec: Spec<P, Q>,
): Route {
  const { method, path, params, query, body } = spec;
  return {
    method,
    path,
    document: documentOf(spec as unknown as Spec<z.ZodType, z.ZodType>),
    answer: async (context) => {
      context.set('route', path);
      const request = context.req.raw;
      checkContent(request, body ?? null);
      const handled = Promise.resolve(
        spec.handle({
          params: checked(params ?? nothing, context.req.param() ?? {}, 'path') as z.infer<P>,
          query: checked(query ?? nothing, queryOf(context), 'query') as z.infer<Q>,
          request,
          context,
        }),
      );
      const { deadlineMs = answerMsMax } = spec;
      const response =
        deadlineMs === null ? await handled : await inTime(handled, deadlineMs, 'the answer');
      if (context.req.method !== 'HEAD') return response;
      // Nobody will read what was opened.
      await response.body?.cancel();
      return new Response(null, response);
    },
  };
}

function queryOf(context: Context<ApiEnv>): Record<string, string> {
  const given: Record<string, string> = {};
  for (const [name, values] of Object.entries(context.req.queries())) {
    if (values.length > 1)
      throw new ApiError({ code: 'API_MALFORMED', at: `?${name.slice(0, 40)}`, expected: 'one' });
    given[name] = values[0] ?? '';
  }
  return given;
}

function checked(schema: z.ZodType, given: unknown, place: string): unknown {
  const read = schema.safeParse(given);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const at = [place, ...(issue?.path ?? [])].join(' ');
  throw new ApiError({ code: 'API_MALFORMED', at, expected: issue?.message ?? 'another form' });
}

/** Refuses by the headers alone what a browser could send unasked, and what is too long. */
function checkContent({ headers }: Request, body: Spec<never, never>['body'] | null): void {
  if (body === null || body === undefined) {
    const empty = headers.get('content-length') ?? '0';
    if (empty !== '0' || headers.has('transfer-encoding'))
      throw new ApiError({ code: 'API_MALFORMED', at: 'body', expected: 'none' });
    return;
  }
  const type = (headers.get('content-type') ?? '').split(';')[0]!.trim().toLowerCase();
  const encoding = headers.get('content-encoding') ?? 'identity';
  if (!body.types.includes(type) || encoding !== 'identity')
    throw new ApiError({ code: 'API_BODY_TYPE', expected: body.types });
  checkBody(headers, body.bytesMax);
}

function documentOf(spec: Spec<z.ZodType, z.ZodType>): RouteConfig {
  const { method, path, summary, params, query, headers, body, answers, problems } = spec;
  const responses: RouteConfig['responses'] = {};
  for (const [status, { description, content }] of Object.entries(answers))
    responses[status] = {
      description,
      ...(content === undefined ? {} : { content: contentOf(content) }),
    };
  const own = body === undefined ? [] : [408, 413, 415];
  for (const status of new Set([...commonProblems, ...own, ...problems]))
    responses[status] ??= {
      description: 'A refusal, and what to do about it.',
      content: { [problemType]: { schema: problemSchema } },
    };
  const content = Object.fromEntries((body?.types ?? []).map((type) => [type, { schema: binary }]));
  return {
    method,
    path,
    summary,
    request: {
      ...(params === undefined ? {} : { params: params as z.ZodObject }),
      ...(query === undefined ? {} : { query: query as z.ZodObject }),
      ...(headers === undefined ? {} : { headers }),
      ...(body === undefined ? {} : { body: { required: true, content } }),
    },
    responses,
  };
}

function contentOf(content: Readonly<Record<string, z.ZodType>>) {
  return Object.fromEntries(Object.entries(content).map(([type, schema]) => [type, { schema }]));
}

/** A JSON answer. */
export function json(value: unknown, status = 200, headers: Record<string, string> = {}): Response {
  return new Response(`${JSON.stringify(value)}\n`, {
    status,
    headers: { 'content-type': 'application/json', ...headers },
  });
}

/** Bytes of each piece of an answer, so that a slow reader holds one piece and no more. */
const pieceBytes = 256 * 1024;

/** Bytes as an answer, sent in pieces as they are taken. */
export function bytesResponse(
  bytes: Uint8Array,
  type: string,
  headers: Record<string, string> = {},
): Response {
  let at = 0;
  const stream = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        if (at < bytes.length) controller.enqueue(bytes.slice(at, at + pieceBytes));
        at += pieceBytes;
        if (at >= bytes.length) controller.close();
      },
    },
    { highWaterMark: 0 },
  );
  return new Response(stream, {
    headers: { 'content-type': type, 'content-length': String(bytes.length), ...headers },
  });
}

/** The pieces of most paths. */
export const hex32 = z
  .string()
  .regex(/^[0-9a-f]{64}$/, '64 lower-case hexadecimal digits')
  .openapi({ example: '00'.repeat(32) });

/** A count in a query, with what it is where it is not given. */
export function countText(max: number, instead: number) {
  const expected = `a whole number from 1 to ${max}`;
  return z
    .string()
    .regex(/^[1-9]\d{0,5}$/, expected)
    .transform(Number)
    .refine((count) => count <= max, expected)
    .default(instead)
    .openapi({ type: 'integer', minimum: 1, maximum: max, default: instead });
}

export const cursorText = z
  .string()
  .regex(/^[!-~]{1,512}$/, 'a cursor as the page before gave it')
  .optional();
