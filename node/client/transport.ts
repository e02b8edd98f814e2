/** Ask a node over HTTP: every wait has a deadline, every answer a largest size. */
import { problemSchema } from '../api/contract.ts';
import { ApiError, ClientError } from './error.ts';
import { plainText } from './plain.ts';

/** `fetch` as the host has it; tests and pages may bring their own. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** Lets a caller give up; the promise then rejects with the signal's reason. */
export type Asking = { readonly signal?: AbortSignal | undefined };

export type TransportOptions = {
  /** Base of all paths, such as `http://127.0.0.1:26922`. */
  readonly url: string;
  /** Bearer token for what not everybody may ask. */
  readonly token?: string | undefined;
  readonly fetch?: Fetch | undefined;
  /** Milliseconds until an answer begins, and between any two pieces of it. */
  readonly answerMs?: number | undefined;
  /** Times that what may be asked twice is asked again after a broken connection. */
  readonly retries?: number | undefined;
  /** Milliseconds before the first retry; the later ones wait longer, up to 80 times that. */
  readonly pauseMs?: number | undefined;
};

export type Request = {
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'DELETE';
  /** Path and query below the base, without a leading slash. */
  readonly path: string;
  readonly accept: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | ReadableStream<Uint8Array>;
  readonly contentType?: string;
  /** Where it takes longer than usual to begin the answer. */
  readonly answerMs?: number;
  /** Where nothing may come for longer in the middle of the answer. */
  readonly idleMs?: number;
  /** A status that is an answer like any other, such as 404. */
  readonly expected?: number;
  /** True for streams that may be slow for ever, because nothing happens. */
  readonly endless?: boolean;
  readonly signal?: AbortSignal | undefined;
};

/** An answer that has begun. `chunks` must be read to its end, or `close` be called. */
export type Answer = {
  readonly status: number;
  readonly type: string;
  readonly header: (name: string) => string | null;
  /** Once. @throws ClientError CLIENT_TIMEOUT, CLIENT_BROKEN_OFF; the signal's reason */
  readonly chunks: () => AsyncGenerator<Uint8Array, void, undefined>;
  readonly close: () => void;
};

export type Transport = {
  readonly url: string;
  /** @throws ApiError, ClientError; the signal's reason */
  readonly open: (request: Request) => Promise<Answer>;
  /** The whole answer. @throws ClientError CLIENT_ANSWER_TOO_LARGE and those of `open` */
  readonly bytes: (request: Request, bytesMax: number) => Promise<Uint8Array>;
  /** Again, if the connection broke and the retries allow it. */
  readonly again: <T>(attempt: () => Promise<T>, asking: Asking | undefined) => Promise<T>;
  /** Waits before the next try, longer after each. @throws the signal's reason */
  readonly pause: (tries: number, signal: AbortSignal | undefined) => Promise<void>;
};

const answerMsDefault = 30_000;
const retriesDefault = 2;
/** Bytes a second below which an answer is given up, after twice the time for its first byte. */
const bytesPerSecondMin = 4_096;
const problemBytesMax = 64 * 1024;
const pauseMsDefault = 100;
const pauseFactorMax = 80;

/** @throws ClientError CLIENT_URL */
export function createTransport(options: TransportOptions): Transport {
  const base = baseOf(options.url);
  const send: Fetch = options.fetch ?? ((url, init) => fetch(url, init));
  const answerMs = options.answerMs ?? answerMsDefault;
  const retries = options.retries ?? retriesDefault;
  const shared: Shared = { base, send, answerMs, token: options.token };
  const pauseMs = options.pauseMs ?? pauseMsDefault;
  const open = (request: Request): Promise<Answer> => openAnswer(shared, request);
  return {
    url: base,
    open,
    bytes: async (request, bytesMax) => readAll(await open(request), base, bytesMax),
    again: async (attempt, asking) => {
      for (let tries = 0; ; tries++)
        try {
          return await attempt();
        } catch (error) {
          if (tries >= retries || asking?.signal?.aborted === true || !isPassing(error))
            throw error;
          await pause(pauseMs * Math.min(pauseFactorMax, 2 ** tries), asking?.signal);
        }
    },
    pause: (tries, signal) => pause(pauseMs * Math.min(pauseFactorMax, 2 ** tries), signal),
  };
}

type Shared = {
  readonly base: string;
  readonly send: Fetch;
  readonly answerMs: number;
  readonly token: string | undefined;
};

/** The base without a slash at its end. @throws ClientError CLIENT_URL */
function baseOf(url: string): string {
  const refuse = (reason: string): never => {
    throw new ClientError({ code: 'CLIENT_URL', url: plainText(url, 200), reason });
  };
  if (!URL.canParse(url)) refuse('it is no URL');
  const parsed = new URL(url);
  if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:')
    refuse('it begins with neither http: nor https:');
  if (parsed.username !== '' || parsed.password !== '')
    refuse('it holds a password, which belongs into a token file');
  if (parsed.search !== '' || parsed.hash !== '') refuse('it has a query');
  return `${parsed.origin}${parsed.pathname.replace(/\/+$/, '')}`;
}

/** A wait of at most so long, and at least half of it: those who broke off together spread out. */
async function pause(most: number, signal: AbortSignal | undefined): Promise<void> {
  const ms = most / 2 + (Math.random() * most) / 2;
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal!.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', abort, { once: true });
  });
}

/** Whether the same request may well succeed in a moment. */
export function isPassing(error: unknown): boolean {
  if (error instanceof ApiError)
    return error.detail.retryable && [429, 502, 503, 504].includes(error.detail.status);
  const code = error instanceof ClientError ? error.code : null;
  return code === 'CLIENT_UNREACHABLE' || code === 'CLIENT_BROKEN_OFF';
}

async function openAnswer(shared: Shared, request: Request): Promise<Answer> {
  const { base, send } = shared;
  const { signal } = request;
  signal?.throwIfAborted();
  const control = new AbortController();
  const follow = (): void => control.abort(signal!.reason);
  signal?.addEventListener('abort', follow, { once: true });
  const late = (ms: number, what: string): NodeJS.Timeout =>
    setTimeout(
      () => control.abort(new ClientError({ code: 'CLIENT_TIMEOUT', url: base, ms, what })),
      ms,
    );
  const close = (): void => {
    signal?.removeEventListener('abort', follow);
    control.abort(new ClientError({ code: 'CLIENT_BROKEN_OFF', url: base, reason: 'closed' }));
  };
  const ms = request.answerMs ?? shared.answerMs;
  // An upload takes as long as it takes: its own chunks have deadlines.
  const timer = request.body instanceof ReadableStream ? null : late(ms, 'no answer came');
  try {
    const sent = send(`${base}/${request.path}`, requestInit(shared, request, control.signal));
    const response = await raced(sent, control.signal);
    if (timer !== null) clearTimeout(timer);
    const answer: Answer = {
      status: response.status,
      type: (response.headers.get('content-type') ?? '').split(';')[0]!.trim().toLowerCase(),
      header: (name) => response.headers.get(name),
      chunks: () => chunksOf(response, { base, request, control, answerMs: ms, late, close }),
      close,
    };
    if (!response.ok && response.status !== request.expected) throw await refusal(answer, base);
    return answer;
  } catch (error) {
    if (timer !== null) clearTimeout(timer);
    const given = failureOf(error, control.signal, base);
    close();
    throw given;
  }
}

function requestInit(shared: Shared, request: Request, signal: AbortSignal): RequestInit {
  const { body, contentType, method = 'GET', accept } = request;
  return {
    method,
    signal,
    // A node never redirects; a token must not follow one to somewhere else.
    redirect: 'error',
    credentials: 'omit',
    cache: 'no-store',
    headers: {
      accept,
      ...(shared.token === undefined ? {} : { authorization: `Bearer ${shared.token}` }),
      ...(contentType === undefined ? {} : { 'content-type': contentType }),
      ...request.headers,
    },
    ...(body === undefined ? {} : { body: body as NonNullable<RequestInit['body']> }),
    ...(body instanceof ReadableStream ? { duplex: 'half' } : {}),
  } as RequestInit;
}

/** The promise, or the signal's reason as soon as it fires: also where `fetch` does not look. */
function raced<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

type Reading = {
  readonly base: string;
  readonly request: Request;
  readonly control: AbortController;
  readonly answerMs: number;
  readonly late: (ms: number, what: string) => NodeJS.Timeout;
  readonly close: () => void;
};

async function* chunksOf(
  response: Response,
  { base, request, control, answerMs, late, close }: Reading,
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = response.body?.getReader();
  const idleMs = request.idleMs ?? answerMs;
  const startedAt = Date.now();
  let received = 0;
  try {
    for (;;) {
      const timer = late(idleMs, 'nothing more of the answer came');
      const next = reader === undefined ? null : raced(reader.read(), control.signal);
      const read = await next?.finally(() => clearTimeout(timer));
      if (read === undefined) clearTimeout(timer);
      if (read?.done !== false) return;
      received += read.value.length;
      const elapsedMs = Date.now() - startedAt;
      const least = ((elapsedMs - 2 * answerMs) / 1_000) * bytesPerSecondMin;
      if (request.endless !== true && received < least)
        throw new ClientError({
          code: 'CLIENT_TIMEOUT',
          url: base,
          ms: elapsedMs,
          what: `the answer drips, ${received} bytes so far`,
        });
      yield read.value;
    }
  } catch (error) {
    throw failureOf(error, control.signal, base, 'the answer has no end');
  } finally {
    close();
    void reader?.cancel().catch(() => {});
  }
}

async function readAll(answer: Answer, base: string, bytesMax: number): Promise<Uint8Array> {
  const tooLarge = (): ClientError =>
    new ClientError({ code: 'CLIENT_ANSWER_TOO_LARGE', url: base, bytesMax });
  const length = Number(answer.header('content-length') ?? 0);
  if (length > bytesMax) {
    answer.close();
    throw tooLarge();
  }
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of answer.chunks()) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw tooLarge();
    parts.push(chunk);
  }
  const all = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** The error of an answer that is not a success. */
async function refusal(answer: Answer, url: string): Promise<Error> {
  const { status } = answer;
  const unexplained = (reason: string): ClientError =>
    new ClientError({
      code: status >= 500 ? 'CLIENT_ANSWER_MALFORMED' : 'CLIENT_NOT_ANWANSI',
      url,
      // A proxy in front of a node says so too.
      reason: `status ${status}, ${reason}${status >= 500 ? '; a proxy, or no node at all' : ''}`,
    });
  if (!/^application\/(problem\+)?json$/.test(answer.type)) {
    answer.close();
    return unexplained(`type ${plainText(answer.type, 60) || 'unknown'}`);
  }
  const bytes = await readAll(answer, url, problemBytesMax);
  const problem = problemSchema.safeParse(parseJson(bytes));
  if (!problem.success || !/^[A-Z][A-Z0-9_]{0,63}$/.test(problem.data.code))
    return unexplained('without a reason');
  const { code, title, detail, remedy, retryable } = problem.data;
  return new ApiError(
    { code, status, title: plainText(title, 200), remedy: plainText(remedy, 500), retryable },
    plainText(detail === '' ? title : detail, 500),
  );
}

/** The value of JSON bytes; undefined for bytes that are none. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

/** What was thrown, as one of ours. */
function failureOf(error: unknown, signal: AbortSignal, url: string, otherwise?: string): unknown {
  if (error instanceof ApiError || error instanceof ClientError) return error;
  if (signal.aborted) return signal.reason;
  const reason = plainText(innermost(error), 200);
  if (speaksNoHttp(error))
    return new ClientError(
      { code: 'CLIENT_NOT_ANWANSI', url, reason: `no HTTP, ${reason}` },
      { cause: error },
    );
  if (otherwise !== undefined)
    return new ClientError(
      { code: 'CLIENT_BROKEN_OFF', url, reason: `${otherwise} (${reason})` },
      { cause: error },
    );
  return new ClientError({ code: 'CLIENT_UNREACHABLE', url, reason }, { cause: error });
}

/** Whether bytes came that are no answer in HTTP: as from a server of another protocol. */
function speaksNoHttp(error: unknown): boolean {
  for (let at = error; at instanceof Error; at = at.cause)
    if (at.name === 'HTTPParserError') return true;
  return false;
}

/** `fetch failed` says nothing; its cause does. */
function innermost(error: unknown): string {
  let at = error;
  while (at instanceof Error && at.cause instanceof Error) at = at.cause;
  if (at instanceof AggregateError && at.errors[0] instanceof Error) at = at.errors[0];
  return at instanceof Error ? at.message || at.name : String(at);
}
