/** Listen for HTTP: few connections, short headers, quick answers, and no strangers. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { App } from './app.ts';
import { ApiError } from './error.ts';
import { isLoopback } from './guard.ts';
import type { ApiLog } from './parts.ts';
import { problemOf, problemResponse, problemType } from './problem.ts';

/** Bounds of a listener; tests have smaller ones. */
export type ServerLimits = {
  /** Connections at once; what comes beyond them is closed at once. */
  readonly connectionCountMax: number;
  readonly requestsPerConnectionMax: number;
  readonly headerBytesMax: number;
  readonly headerCountMax: number;
  /** Milliseconds until all headers are here, and until the whole request is. */
  readonly headersMs: number;
  readonly requestMs: number;
  /** Milliseconds that an idle connection is kept for its next request. */
  readonly keepAliveMs: number;
  /** Milliseconds without a byte in either direction: a reader who takes nothing. */
  readonly idleMs: number;
  /** Milliseconds between two looks at those clocks. */
  readonly lookMs: number;
  /** Milliseconds that answers under way have when the listener stops. */
  readonly stopMs: number;
};

export const serverLimits: ServerLimits = {
  connectionCountMax: 1_024,
  requestsPerConnectionMax: 10_000,
  headerBytesMax: 16 * 1024,
  headerCountMax: 64,
  headersMs: 10_000,
  requestMs: 3_600_000,
  keepAliveMs: 10_000,
  // Longer than the longest time that a result may take to be made.
  idleMs: 120_000,
  lookMs: 2_000,
  stopMs: 2_000,
};

export type StartOptions = {
  readonly app: App;
  /** Address to bind to. */
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
  /** Whether an address that other machines reach is meant. */
  readonly allowRemote: boolean;
  readonly log: ApiLog;
  readonly limits?: Partial<ServerLimits>;
};

export type Listening = {
  /** `http://host:port`, as clients must write it. */
  readonly address: string;
  readonly port: number;
  /** Takes no more connections, lets answers end for a moment, then closes all. */
  readonly stop: () => Promise<void>;
};

/**
 * Starts to listen.
 * @throws ApiError API_REMOTE_REFUSED, API_REMOTE_OPEN, API_LISTEN
 */
export async function startApi(options: StartOptions): Promise<Listening> {
  const { app, host, port, allowRemote, log } = options;
  const limits = { ...serverLimits, ...options.limits };
  if (!isLoopback(host)) {
    if (!allowRemote) throw new ApiError({ code: 'API_REMOTE_REFUSED', host });
    if (await answersStrangers(app)) throw new ApiError({ code: 'API_REMOTE_OPEN', host });
  }
  const server = boundedServer(app, limits, log);
  await listen(server, host, port);
  const bound = (server.address() as AddressInfo).port;
  const name = host.includes(':') ? `[${host}]` : host;
  return {
    address: `http://${name}:${bound}`,
    port: bound,
    stop: () => stopServer(server, limits.stopMs),
  };
}

/** Whether an application does without a token: then it is not for other machines. */
async function answersStrangers(app: App): Promise<boolean> {
  const { status } = await app.request('http://localhost/livez');
  return status !== 401;
}

function boundedServer(app: App, limits: ServerLimits, log: ApiLog): Server {
  const answer = getRequestListener(app.fetch, {
    overrideGlobalObjects: false,
    // A request line or a host that is none never becomes a request.
    errorHandler: (cause) => {
      const at = 'request line or Host';
      const error = new ApiError(
        { code: 'API_MALFORMED', at, expected: 'a path of this node' },
        { cause },
      );
      log({ kind: 'connection-refused', reason: error.code });
      return problemResponse(error);
    },
  });
  const server = createServer(
    {
      maxHeaderSize: limits.headerBytesMax,
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.keepAliveMs,
      connectionsCheckingInterval: limits.lookMs,
      insecureHTTPParser: false,
      requireHostHeader: false,
      noDelay: true,
    },
    (request, response) => {
      response.on('timeout', (socket) => {
        log({ kind: 'connection-refused', reason: 'nothing moved' });
        socket.destroy();
      });
      void answer(request, response);
    },
  );
  server.maxConnections = limits.connectionCountMax;
  server.maxRequestsPerSocket = limits.requestsPerConnectionMax;
  server.maxHeadersCount = limits.headerCountMax;
  server.timeout = limits.idleMs;
  server.on('drop', () => log({ kind: 'connection-refused', reason: 'too many connections' }));
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const reason = error.code ?? 'malformed';
    log({ kind: 'connection-refused', reason });
    refuseConnection(socket as Socket, reason);
  });
  return server;
}

/** Says what was wrong with bytes that are no HTTP, as far as the other end still listens. */
function refuseConnection(socket: Socket, reason: string): void {
  if (!socket.writable || socket.bytesWritten > 0) {
    socket.destroy();
    return;
  }
  const slow = reason === 'ERR_HTTP_REQUEST_TIMEOUT';
  const long = /HEADER.OVERFLOW$/.test(reason);
  const error = slow
    ? new ApiError({ code: 'API_BODY_TOO_SLOW', bytes: 0 })
    : new ApiError({
        code: 'API_MALFORMED',
        at: 'request',
        expected: long ? 'shorter headers' : 'HTTP/1.1',
      });
  const status = slow ? '408 Request Timeout' : long ? '431 Headers Too Long' : '400 Bad Request';
  const problem = { ...problemOf(error), status: Number(status.slice(0, 3)) };
  const body = `${JSON.stringify(problem)}\n`;
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: ${problemType}\r\nConnection: close\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  // Whoever goes on sending is not listened to.
  setTimeout(() => socket.destroy(), 500).unref();
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, refuse) => {
    const failed = (cause: NodeJS.ErrnoException): void => {
      const reason = cause.code ?? cause.message;
      refuse(new ApiError({ code: 'API_LISTEN', host, port, reason }, { cause }));
    };
    server.once('error', failed);
    server.listen({ host, port }, () => {
      server.off('error', failed);
      resolve();
    });
  });
}

async function stopServer(server: Server, stopMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  // Streams of events never end by themselves; their clients go on elsewhere.
  const timer = setTimeout(() => server.closeAllConnections(), stopMs);
  await closed;
  clearTimeout(timer);
}
