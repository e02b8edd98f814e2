/** Answer HTTP as a test says: well, badly, slowly, endlessly. A real listener. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

export type ScriptedServer = {
  readonly url: string;
  /** `METHOD /path?query` of each request, in order. */
  readonly asked: readonly string[];
  /** What is answered from now on; anything else gets 404 without a reason. */
  readonly on: (methodAndPath: string, handler: Handler) => void;
  readonly stop: () => Promise<void>;
};

export async function scriptedServer(): Promise<ScriptedServer> {
  const handlers = new Map<string, Handler>();
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const [path = ''] = (request.url ?? '').split('?');
    const handler = handlers.get(`${request.method} ${path}`);
    if (handler === undefined) response.writeHead(404).end();
    else void Promise.resolve(handler(request, response)).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    on: (methodAndPath, handler) => void handlers.set(methodAndPath, handler),
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Answers with JSON. */
export function says(value: unknown, status = 200, type = 'application/json'): Handler {
  return (_, response) =>
    response.writeHead(status, { 'content-type': type }).end(JSON.stringify(value));
}

/** Answers with bytes. */
export function gives(bytes: Uint8Array, type = 'application/octet-stream'): Handler {
  return (_, response) => response.writeHead(200, { 'content-type': type }).end(bytes);
}

/** The whole body of a request. */
export async function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of request) parts.push(part as Uint8Array);
  return Buffer.concat(parts);
}
