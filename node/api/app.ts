/** Put the routes together behind one door: guarded, described, and never without a reason. */
import { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { blobRoutes } from './blobs.ts';
import { chainRoutes } from './chain.ts';
import { ApiError } from './error.ts';
import { type StreamLimits, streamLimits } from './events.ts';
import { type GuardOptions, guard } from './guard.ts';
import { jobRoutes } from './jobs.ts';
import type { ApiLog, ApiParts } from './parts.ts';
import { isUnexpected, problemOf, problemResponse } from './problem.ts';
import type { ApiEnv, Route } from './route.ts';
import { statusRoutes } from './status.ts';

/** Characters of the longest URL: the longest key, twice over. */
const urlLengthMax = 2_048;

/** What a browser is told of every answer: it is data, for this origin alone. */
const safeHeaders = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
};

/** An application that answers requests; it needs no socket. */
export type App = OpenAPIHono<ApiEnv>;

export type ApiOptions = { readonly streams?: Partial<StreamLimits> };

/** The HTTP API of a node: a pure function of requests, and of what the node is meanwhile. */
export function createApi(parts: ApiParts, options: ApiOptions = {}): App {
  const routes = [
    ...statusRoutes(parts),
    ...jobRoutes(parts, { ...streamLimits, ...options.streams }),
    ...blobRoutes(parts),
    ...chainRoutes(parts),
  ];
  const app = guardedApp(parts, parts.log, routes);
  const document = `${JSON.stringify(documentOf(app, parts.software), null, 2)}\n`;
  app.get('/openapi.json', (context) => {
    context.set('route', '/openapi.json');
    return new Response(document, { headers: { 'content-type': 'application/json' } });
  });
  return app;
}

/** An application with these routes, behind the guard. */
export function guardedApp(options: GuardOptions, log: ApiLog, routes: readonly Route[]): App {
  const app: App = new OpenAPIHono<ApiEnv>();
  const admit = guard(options);
  app.use(async (context, next) => {
    const startedAt = performance.now();
    context.set('route', 'other');
    context.set('code', '');
    await next();
    finish(context, performance.now() - startedAt, log);
  });
  app.use(async (context, next) => {
    admit(context.req.raw);
    if (context.req.url.length > urlLengthMax) {
      const expected = `at most ${urlLengthMax} characters`;
      throw new ApiError({ code: 'API_MALFORMED', at: 'URL', expected });
    }
    await next();
  });
  for (const { method, path, document, answer } of routes) {
    app.openAPIRegistry.registerPath(document);
    app.on([method.toUpperCase()], [path.replaceAll(/\{(\w+)\}/g, ':$1')], answer);
  }
  app.notFound((context) => refusal(context, lost(context.req, routes), log));
  app.onError((error, context) => refusal(context, error, log));
  return app;
}

/** Nothing at all is here, or nothing for this method. */
function lost({ path, method }: { path: string; method: string }, routes: readonly Route[]) {
  const here = routes.filter((route) =>
    new RegExp(`^${route.path.replaceAll(/\{\w+\}/g, '[^/]+')}$`).test(path),
  );
  const allowed = [...new Set(here.map((route) => route.method.toUpperCase()))];
  if (allowed.length === 0 || allowed.includes(method))
    return new ApiError({ code: 'API_NOT_FOUND' });
  if (allowed.includes('GET')) allowed.push('HEAD');
  return new ApiError({ code: 'API_METHOD_REFUSED', allowed });
}

function refusal(context: Context<ApiEnv>, error: unknown, log: ApiLog): Response {
  if (isUnexpected(error)) log({ kind: 'unexpected', route: context.get('route'), reason: error });
  context.set('code', problemOf(error).code);
  const response = problemResponse(error);
  // What is left of a body is not waited for.
  const bodied = context.req.method !== 'GET' && context.req.method !== 'HEAD';
  if (bodied || context.req.header('content-length') !== undefined)
    response.headers.set('connection', 'close');
  return response;
}

function finish(context: Context<ApiEnv>, ms: number, log: ApiLog): void {
  const { headers, status } = context.res;
  for (const [name, value] of Object.entries(safeHeaders)) headers.set(name, value);
  if (!headers.has('cache-control')) headers.set('cache-control', 'no-store');
  const route = context.get('route');
  const code = context.get('code') || null;
  log({ kind: 'answered', method: context.req.method, route, status, code, ms });
}

/** The OpenAPI document of an application. */
export function documentOf(app: App, software: string) {
  app.openAPIRegistry.registerPath({
    method: 'get',
    path: '/openapi.json',
    summary: 'This document',
    responses: { 200: { description: 'OpenAPI 3.1.' } },
  });
  app.openAPIRegistry.registerComponent('securitySchemes', 'token', {
    type: 'http',
    scheme: 'bearer',
  });
  return app.getOpenAPI31Document({
    openapi: '3.1.0',
    // On loopback a node may need no token.
    security: [{}, { token: [] }],
    info: {
      title: 'Anwansi node',
      version: '1',
      description:
        `Served by ${software}. Ids and keys are lower-case hexadecimal, 64-bit numbers decimal ` +
        'text, times RFC 3339 in UTC. Every refusal is a Problem with a stable code.',
    },
  });
}
