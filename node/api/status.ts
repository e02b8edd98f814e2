/** Answer for the node itself: how it is, whom it knows, what its seat did. */
import { z } from '@hono/zod-openapi';
import { healthOf, healthStatus, statusOf } from '../views/status.ts';
import {
  dutySchema,
  dutySummarySchema,
  type Health,
  healthSchema,
  type Peer,
  pageOf,
  peerSchema,
  type Status,
  statusSchema,
} from './contract.ts';
import { badCursor } from './jobs.ts';
import type { ApiParts } from './parts.ts';
import { countText, cursorText, json, type Route, route } from './route.ts';

const healthContent = { 'application/json': healthSchema };

/** The routes of the node itself. */
export function statusRoutes(parts: ApiParts): readonly Route[] {
  const { node, software } = parts;
  const status = (): Status => {
    const peers = parts.peers().filter((peer) => peer.connected).length;
    return statusOf(node, { software, peers, addresses: parts.addresses() });
  };
  return [
    route({
      method: 'get',
      path: '/v1/status',
      summary: 'What is final, whether the node keeps up, and why not',
      answers: {
        200: { description: 'How it is.', content: { 'application/json': statusSchema } },
      },
      problems: [],
      handle: () => json(status()),
    }),
    ...healthRoutes(async () => healthOf(status(), await parts.findings())),
    ...pageRoutes(parts),
  ];
}

function healthRoutes(health: () => Promise<Health>): readonly Route[] {
  return [
    route({
      method: 'get',
      path: '/v1/health',
      summary: 'Whether the node is fit for use, with all that was found out about it',
      answers: {
        200: { description: 'Ready.', content: healthContent },
        206: { description: 'Syncing.', content: healthContent },
        503: { description: 'Unready.', content: healthContent },
      },
      problems: [],
      handle: async () => {
        const found = await health();
        return json(found, healthStatus(found));
      },
    }),
    route({
      method: 'get',
      path: '/livez',
      summary: 'Whether the process answers at all',
      answers: { 200: { description: 'It does.', content: { 'text/plain': z.string() } } },
      problems: [],
      handle: () => new Response('live\n', { headers: { 'content-type': 'text/plain' } }),
    }),
    route({
      method: 'get',
      path: '/readyz',
      summary: 'Whether the node is ready: for those who look at the status alone',
      answers: {
        200: { description: 'Ready.', content: healthContent },
        503: { description: 'Syncing or unready.', content: healthContent },
      },
      problems: [],
      handle: async () => {
        const found = await health();
        return json(found, found.state === 'ready' ? 200 : 503);
      },
    }),
  ];
}

function pageRoutes({ node, peers, duties }: ApiParts): readonly Route[] {
  return [
    route({
      method: 'get',
      path: '/v1/peers',
      summary: 'Peers that are known, and why some are not connected',
      query: z.strictObject({ cursor: cursorText, limit: countText(500, 100) }),
      answers: {
        200: { description: 'A page.', content: { 'application/json': pageOf(peerSchema) } },
      },
      problems: [],
      handle: ({ query: { cursor, limit } }) => json(pageOfPeers(peers(), cursor ?? '', limit)),
    }),
    route({
      method: 'get',
      path: '/v1/duties/summary',
      summary: 'What the draws of the latest jobs brought the own seat',
      answers: {
        200: { description: 'A summary.', content: { 'application/json': dutySummarySchema } },
      },
      problems: [],
      handle: async () => json(await node.dutySummary()),
    }),
    route({
      method: 'get',
      path: '/v1/duties',
      summary: 'Draws of the own seat, newest first: what became of each, and why',
      query: z.strictObject({ cursor: cursorText, limit: countText(200, 50) }),
      answers: {
        200: { description: 'A page.', content: { 'application/json': pageOf(dutySchema) } },
      },
      problems: [],
      handle: async ({ query: { cursor, limit } }) =>
        json(await duties(cursor ?? null, limit).catch(badCursor)),
    }),
  ];
}

/** Peers in an order that stays while they come and go; the cursor is the last one's place. */
function pageOfPeers(peers: readonly Peer[], after: string, limit: number) {
  // One that was never reached has an address and no id.
  const placed = peers.map((peer) => ({ peer, place: `${peer.id}|${peer.addresses[0] ?? ''}` }));
  const rest = placed
    .filter(({ place }) => place > after)
    .sort((a, b) => (a.place < b.place ? -1 : 1));
  const page = rest.slice(0, limit);
  const next = rest.length > limit ? page.at(-1)!.place : null;
  return { data: page.map(({ peer }) => peer), next };
}
