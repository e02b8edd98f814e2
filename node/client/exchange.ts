/** Ask for JSON, and believe no answer before it has the shape of the contract. */
import type { z } from 'zod';
import { unhex } from '../../protocol/brand.ts';
import { protocolName } from '../../protocol/params.ts';
import { pageOf } from '../api/contract.ts';
import { ClientError } from './error.ts';
import { plainText } from './plain.ts';
import { type Asking, parseJson, type Transport } from './transport.ts';

/** Bytes of the longest JSON answer. */
export const jsonBytesMax = 16 * 1024 * 1024;

/** A page of a list; `next` is the cursor of the next one, null at the end. */
export type Page<T> = { readonly data: readonly T[]; readonly next: string | null };

export type PageOptions = Asking & {
  readonly cursor?: string | undefined;
  /** Entries of the page; the node gives fewer if it wants. */
  readonly limit?: number | undefined;
};

/** A block by its height, its hash in hexadecimal, or the last final one. */
export type BlockName = number | string;

type JsonRequest = {
  readonly path: string;
  readonly method?: 'POST';
  readonly contentType?: string;
  readonly body?: Uint8Array;
  readonly expected?: number;
};

/** The JSON of an answer. @throws ClientError CLIENT_NOT_ANWANSI, and those of the transport */
export async function json(
  transport: Transport,
  request: JsonRequest,
  asking: Asking | undefined,
): Promise<unknown> {
  const whole = { ...request, accept: 'application/json', ...asking };
  return transport.again(async () => {
    const value = parseJson(await transport.bytes(whole, jsonBytesMax));
    if (value === undefined)
      throw new ClientError({
        code: 'CLIENT_NOT_ANWANSI',
        url: transport.url,
        reason: 'it does not answer with JSON',
      });
    return value;
  }, asking);
}

/** The JSON of an answer, in the shape that it should have. */
export async function get<T>(
  transport: Transport,
  path: string,
  schema: z.ZodType<T>,
  asking: Asking | undefined,
): Promise<T> {
  return shaped(schema, await json(transport, { path }, asking), transport.url);
}

/** A page of a list. */
export async function page<T extends z.ZodType>(
  transport: Transport,
  path: string,
  item: T,
  { cursor, limit, signal }: PageOptions = {},
  more: Readonly<Record<string, string | undefined>> = {},
): Promise<Page<z.infer<T>>> {
  const query = new URLSearchParams();
  const given = { ...more, cursor, limit: limit === undefined ? undefined : String(limit) };
  for (const [name, value] of Object.entries(given))
    if (value !== undefined) query.set(name, value);
  const whole = query.size === 0 ? path : `${path}?${query}`;
  const value = await json(transport, { path: whole }, { signal });
  return shaped(pageOf(item), value, transport.url) as Page<z.infer<T>>;
}

/** A value of a shape. @throws ClientError CLIENT_ANSWER_MALFORMED */
export function shaped<T>(schema: z.ZodType<T>, value: unknown, url: string): T {
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const where = issue === undefined || issue.path.length === 0 ? 'it' : issue.path.join('.');
  throw malformed(url, `${plainText(where, 80)}: ${plainText(issue?.message ?? '', 160)}`);
}

/** Tells another version, and what is no node at all, from a node with a fault. */
export function refuseStrangers(value: unknown, url: string): void {
  const protocol =
    typeof value === 'object' && value !== null ? (value as { protocol?: unknown }).protocol : null;
  if (protocol === protocolName) return;
  const [family] = protocolName.split('/');
  if (typeof protocol === 'string' && protocol.startsWith(`${family}/`))
    throw new ClientError({
      code: 'CLIENT_OTHER_PROTOCOL',
      url,
      protocol: plainText(protocol, 40),
    });
  const reason = 'its status names no protocol of ours';
  throw new ClientError({ code: 'CLIENT_NOT_ANWANSI', url, reason });
}

/** The error of an answer that breaks the contract. */
export function malformed(url: string, reason: string): ClientError {
  return new ClientError({ code: 'CLIENT_ANSWER_MALFORMED', url, reason });
}

/** The text of UTF-8 bytes. @throws ClientError CLIENT_ANSWER_MALFORMED */
export function textOf(bytes: Uint8Array, url: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw malformed(url, 'a text is not UTF-8');
  }
}

/** @throws RangeError for what is no id */
export function jobPath(id: string): string {
  if (unhex(id)?.length !== 32) throw new RangeError('a job id has 64 hexadecimal digits');
  return id;
}

/** @throws RangeError for what names no block */
export function blockPath(name: BlockName): string {
  const good =
    typeof name === 'number'
      ? Number.isSafeInteger(name) && name >= 0
      : name === 'final' || unhex(name)?.length === 32;
  if (!good) throw new RangeError('a block is named by its height, its hash, or "final"');
  return String(name);
}
