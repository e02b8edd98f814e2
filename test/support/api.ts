/** Ask an API without a socket, and hold its answers against its own document. */

import { z } from 'zod';
import { type App, createApi } from '../../node/api/app.ts';
import type { StreamLimits } from '../../node/api/events.ts';
import type { ApiEvent, ApiParts } from '../../node/api/parts.ts';
import type { AnwansiNode } from '../../node/face.ts';
import type { Executor } from '../../node/ports.ts';

type Lent = { node: AnwansiNode; executor: Executor; scratch: string };

/** An API over a real node; what other parts of a node lend is made up, and `events` is its log. */
export function testApi(
  lent: Lent,
  different: Partial<ApiParts> = {},
  streams: Partial<StreamLimits> = {},
) {
  const events: ApiEvent[] = [];
  const parts: ApiParts = {
    ...lent,
    software: 'anwansi test',
    peers: () => [],
    addresses: () => [],
    findings: async () => [],
    duties: async () => ({ data: [], next: null }),
    stateProof: async (key) => Uint8Array.of(1, ...key),
    token: null,
    allowedHosts: [],
    log: (event) => events.push(event),
    ...different,
  };
  const app = createApi(parts, { streams });
  return { app, parts, events };
}

/** A request as a program on this machine sends it. */
export function ask(app: App, path: string, init: RequestInit = {}): Promise<Response> {
  return Promise.resolve(app.request(`http://localhost${path}`, init));
}

type Schema = Record<string, unknown>;
type Operation = {
  responses: Record<string, { content?: Record<string, { schema?: Schema }> }>;
};
export type Document = {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
};

/** Routes without a description, and descriptions without a route: `get /path`, or nothing. */
export function undocumented(app: App, document: Document): string[] {
  const put = app.routes
    .filter(({ method }) => method !== 'ALL')
    .map(({ method, path }) => `${method.toLowerCase()} ${path.replaceAll(/:(\w+)/g, '{$1}')}`);
  const told = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  return [...put.filter((one) => !told.includes(one)), ...told.filter((one) => !put.includes(one))];
}

/** What an answer is that its document does not say; nothing if it is as described. */
export async function deviations(
  document: Document,
  method: string,
  path: string,
  response: Response,
): Promise<string[]> {
  const [bare = ''] = path.split('?');
  const template = Object.keys(document.paths).find((one) =>
    new RegExp(`^${one.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(bare),
  );
  const operation = document.paths[template ?? '']?.[method.toLowerCase()];
  if (operation === undefined) return [`${method} ${path} is not described`];
  const told = operation.responses[response.status];
  if (told === undefined) return [`${method} ${template}: status ${response.status}`];
  if (told.content === undefined) return [];
  const type = (response.headers.get('content-type') ?? '').split(';')[0]!;
  const content = told.content[type];
  if (content === undefined) return [`${method} ${template}: type ${type}`];
  if (!type.endsWith('json') || content.schema === undefined) return [];
  const read = schemaOf(document, content.schema).safeParse(await response.clone().json());
  return read.success ? [] : read.error.issues.map((one) => `${template}: ${one.message}`);
}

/** The document's own schema, closed: a field that it does not name is a deviation. */
function schemaOf(document: Document, schema: Schema): z.ZodType {
  const named = { ...schema, $defs: document.components.schemas };
  const text = JSON.stringify(named).replaceAll('#/components/schemas/', '#/$defs/');
  return z.fromJSONSchema(closed(JSON.parse(text)) as never);
}

function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, inner]) => [name, closed(inner)]);
  const made = Object.fromEntries(entries) as Schema;
  // One that may be null has two types.
  const isObject = [made.type].flat().includes('object') && made.properties !== undefined;
  return isObject && !('additionalProperties' in made)
    ? { ...made, additionalProperties: false }
    : made;
}

/** The events of a stream as they come: name, id, and the parsed data. */
export async function* eventsOf(response: Response) {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of response.body!) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const lines = text.slice(0, end).split('\n');
      text = text.slice(end + 2);
      const field = (name: string) =>
        lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2) ?? null;
      const data = field('data');
      yield {
        event: field('event'),
        id: field('id'),
        data: data === null ? null : JSON.parse(data),
        comment: lines.some((line) => line.startsWith(':')),
      };
    }
  }
}
