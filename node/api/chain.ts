/** Answer for the chain: genesis, trust, headers, blocks, and the state under its root. */
import { z } from '@hono/zod-openapi';
import { unhex } from '../../protocol/brand.ts';
import { genesisCodec } from '../../protocol/ledger/genesis.ts';
import type { Header } from '../../protocol/ledger/header.ts';
import { genesisHeader } from '../../protocol/receipt/network.ts';
import { checkpointOf, devPolicy, formatTrust } from '../../protocol/receipt/trust.ts';
import type { AnwansiNode, FinalBlock } from '../face.ts';
import { blockView, headerView, stateEntry } from '../views/chain.ts';
import { places } from './bounds.ts';
import {
  type BlockView,
  blockSchema,
  cborType,
  headerSchema,
  pageOf,
  stateEntrySchema,
} from './contract.ts';
import { ApiError } from './error.ts';
import type { ApiParts } from './parts.ts';
import { bytesResponse, cborContent, countText, json, type Route, route } from './route.ts';

/** Lists that are made at once: each reads whole blocks. */
const listCountMax = 4;
/** Bytes of the longest key that the state may be asked for. */
const keyBytesMax = 128;

const forever = { 'cache-control': 'public, max-age=31536000, immutable' };

const blockName = z
  .string()
  .regex(/^(final|0|[1-9]\d{0,14}|[0-9a-f]{64})$/, 'a height, a hash, or "final"');
const blockParams = z.strictObject({ block: blockName });

/** The routes of the chain. */
export function chainRoutes(parts: ApiParts): readonly Route[] {
  return [...networkRoutes(parts), ...blockRoutes(parts), stateRoute(parts)];
}

function networkRoutes({ node }: ApiParts): readonly Route[] {
  const { genesis } = node.rules;
  const bytes = genesisCodec.encode(genesis);
  const trust = formatTrust(checkpointOf(genesis, devPolicy));
  return [
    route({
      method: 'get',
      path: '/v1/genesis',
      summary: 'The genesis of the network: whose hash is the network',
      answers: { 200: { description: 'Its bytes.', content: cborContent } },
      problems: [],
      handle: () => bytesResponse(bytes, cborType),
    }),
    route({
      method: 'get',
      path: '/v1/trust',
      summary: 'A trust file for this network: check it elsewhere before you believe in it',
      answers: {
        200: { description: 'Its text.', content: { 'application/json': z.looseObject({}) } },
      },
      problems: [],
      handle: () => new Response(trust, { headers: { 'content-type': 'application/json' } }),
    }),
  ];
}

function blockRoutes({ node }: ApiParts): readonly Route[] {
  const lists = places(listCountMax, 'lists of blocks');
  return [
    route({
      method: 'get',
      path: '/v1/blocks',
      summary: 'Final blocks, highest first',
      query: z.strictObject({
        from: z
          .string()
          .regex(/^[1-9]\d{0,14}$/, 'a height')
          .transform(Number)
          .optional()
          .openapi({ type: 'integer', minimum: 1 }),
        limit: countText(50, 20),
      }),
      answers: {
        200: {
          description: 'A page; `next` is the `from` of the next one.',
          content: { 'application/json': pageOf(blockSchema) },
        },
      },
      problems: [429],
      handle: ({ query: { from, limit } }) =>
        lists(async () => {
          const top = node.state().final.header.height;
          let height = Math.min(from ?? top, top);
          const data: BlockView[] = [];
          // A node that began at a later block has none below it.
          for (; height > 0 && data.length < limit; height--) {
            const block = await node.block(height);
            if (block === null) return json({ data, next: null });
            data.push(blockView(block));
          }
          return json({ data, next: height > 0 ? String(height) : null });
        }),
    }),
    route({
      method: 'get',
      path: '/v1/blocks/{block}',
      summary: 'A final block by its height or hash, or the last one',
      params: blockParams,
      answers: {
        200: { description: 'The block.', content: { 'application/json': blockSchema } },
      },
      problems: [404],
      handle: async ({ params }) => json(blockView(await finalBlock(node, params.block))),
    }),
    route({
      method: 'get',
      path: '/v1/headers/{block}',
      summary: 'The header of a final block; that of height 0 follows from the genesis',
      params: blockParams,
      answers: {
        200: { description: 'The header.', content: { 'application/json': headerSchema } },
      },
      problems: [404],
      handle: async ({ params }) => {
        const header = await finalHeader(node, params.block);
        return json(headerView(header), 200, params.block === 'final' ? {} : forever);
      },
    }),
  ];
}

async function heightOf(node: AnwansiNode, block: string): Promise<number> {
  if (block === 'final') return node.state().final.header.height;
  const height = block.length === 64 ? await node.heightOf(unhex(block)!) : Number(block);
  if (height === null) throw new ApiError({ code: 'API_BLOCK_UNKNOWN', block });
  return height;
}

async function finalBlock(node: AnwansiNode, block: string): Promise<FinalBlock> {
  const height = await heightOf(node, block);
  const found = height === 0 ? null : await node.block(height);
  if (found === null) throw new ApiError({ code: 'API_BLOCK_UNKNOWN', block });
  return found;
}

async function finalHeader(node: AnwansiNode, block: string): Promise<Header> {
  const { header } = node.state().final;
  if (block === 'final') return header;
  const first = genesisHeader(node.rules.genesis);
  if (block === '0' || block === headerView(first).hash) return first;
  return (await finalBlock(node, block)).block.header;
}

function stateRoute({ node, stateProof }: ApiParts): Route {
  return route({
    method: 'get',
    path: '/v1/state/{key}',
    summary: 'A value of the last final state; with a proof, one that needs no trust in this node',
    params: z.strictObject({
      key: z
        .string()
        .max(2 * keyBytesMax, `at most ${keyBytesMax} bytes`)
        .regex(/^([0-9a-f]{2})+$/, 'bytes in lower-case hexadecimal'),
    }),
    query: z.strictObject({
      proof: z.enum(['true', 'false'], 'true or false').default('false'),
    }),
    answers: {
      200: {
        description: 'The entry; with `proof=true` the bytes of its proof.',
        content: { 'application/json': stateEntrySchema, ...cborContent },
      },
    },
    problems: [503],
    handle: async ({ params, query }) => {
      const key = unhex(params.key)!;
      if (query.proof === 'false') return json(stateEntry(node, key));
      return bytesResponse(await stateProof(key), cborType);
    },
  });
}
