/** Ask a node for a command: where it is, by what token, and what its refusals mean. */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client, JobView, Page } from '../client/http.ts';
import { codeEntry } from './codes.ts';
import type { Context } from './command.ts';
import { CliError, type ExitCode, exitCodes, usageError } from './error.ts';

/** Where a node of this machine answers unless it is told otherwise. */
export const usualApi = 'http://127.0.0.1:26922';
/** Tries after a broken connection: a person waits for an answer, an upload for its node. */
export const retriesOf = { question: 1, upload: 6 } as const;

/** Options of every command that asks a node. */
export const nodeOptions = {
  api: {
    kind: 'text',
    placeholder: 'URL',
    describe: `Where the node is; ${usualApi} unless given.`,
  },
  tokenFile: {
    kind: 'path',
    placeholder: 'FILE',
    describe: 'File with the token of the node, or ANWANSI_TOKEN_FILE.',
  },
} as const;

export type NodeValues = {
  readonly api: string | undefined;
  readonly tokenFile: string | undefined;
};

/** A client of the node that the options name; nothing is asked yet. @throws CliError, others */
export async function openClient(
  { api = usualApi, tokenFile }: NodeValues,
  context: Context,
  retries: number = retriesOf.question,
): Promise<Client> {
  const [{ createClient }, { installSha256 }, { nativeSha256 }] = await Promise.all([
    import('../client/http.ts'),
    import('../../protocol/crypto/hash.ts'),
    import('../crypto.ts'),
  ]);
  installSha256(nativeSha256);
  const token = await readToken(tokenFile, context);
  const client = createClient({ url: api, token, retries });
  const { protocol, hostname } = new URL(client.url);
  if (token !== undefined && protocol === 'http:' && !isThisMachine(hostname))
    context.output.warn(`the token goes to ${hostname} unencrypted: use https, or a tunnel`);
  return client;
}

/** Whether a host name of a URL means this machine. */
export function isThisMachine(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname);
}

/** The token that the options or the environment name; undefined without one. */
export async function readToken(
  file: string | undefined,
  { environment, resolvePath }: Context,
): Promise<string | undefined> {
  const named = environment.ANWANSI_TOKEN_FILE ?? '';
  const path = file ?? (named === '' ? undefined : resolvePath(named));
  if (path === undefined) return undefined;
  const { readTokenFile } = await import('../api/guard.ts');
  return readTokenFile(path);
}

/** Runs what asks a node; what the node refuses ends the command with the node's own code. */
export async function askNode<T>(
  values: NodeValues,
  context: Context,
  ask: (client: Client) => Promise<T>,
): Promise<T> {
  const client = await openClient(values, context);
  return ask(client).catch(async (error: unknown) => {
    throw await toldError(error);
  });
}

/** A node's refusal as an error of the command line; other errors as they are. */
export async function toldError(error: unknown): Promise<unknown> {
  const { ApiError } = await import('../client/error.ts');
  if (!(error instanceof ApiError)) return error;
  const { code, status, remedy } = error.detail;
  const entry = codeEntry(code);
  const more = entry === undefined ? '' : `\nMore: anwansi explain ${code}`;
  const ofToken =
    status === 401 ? 'Name the file of its token: --token-file FILE, or ANWANSI_TOKEN_FILE.' : null;
  return new CliError(
    {
      code,
      message: `the node refuses: ${error.message}`,
      hint: `${ofToken ?? entry?.remedy ?? remedy}${more}`,
      exitCode: status === 401 ? exitCodes.keys : (entry?.exitCode ?? byStatus(status)),
    },
    { cause: error },
  );
}

function byStatus(status: number): ExitCode {
  if (status === 404) return exitCodes.notFound;
  return status === 408 || status === 429 || status >= 500 ? exitCodes.network : exitCodes.usage;
}

/** Pages and entries of a page that a search for a prefix goes through. */
const pageCountMax = 100;
const pageLength = 200;
const shownCountMax = 5;

/**
 * The whole id of a job, from it or from its first digits. @throws CliError JOB_NOT_FOUND, USAGE
 */
export async function findJob(client: Client, text: string, signal: AbortSignal): Promise<string> {
  const prefix = text.toLowerCase();
  if (!/^[0-9a-f]{1,64}$/.test(prefix))
    throw usageError(
      `${text === '' ? 'nothing' : text} is no job id`,
      'Give its 64 hexadecimal digits, or the first few.',
    );
  if (prefix.length === 64) return prefix;
  const found = new Set<string>();
  for await (const { id } of everyJob(client, signal)) if (id.startsWith(prefix)) found.add(id);
  const [only, ...others] = found;
  if (only !== undefined && others.length === 0) return only;
  if (only !== undefined) {
    const shown = [...found].slice(0, shownCountMax).join('\n');
    throw usageError(`${found.size} jobs begin with ${prefix}`, `Give more digits:\n${shown}`);
  }
  throw new CliError({
    code: 'JOB_NOT_FOUND',
    message: `the node knows no job that begins with ${prefix}`,
    hint: 'List what it knows: anwansi job list. A whole id is asked for as it is.',
    exitCode: exitCodes.notFound,
  });
}

/** The jobs of a node, newest first. */
export function everyJob(
  client: Client,
  signal: AbortSignal,
  state?: string,
): AsyncGenerator<JobView, void, undefined> {
  return everyPage((page) =>
    client.jobs(state === undefined ? { ...page, signal } : { ...page, signal, state }),
  );
}

/** The entries of a list, page by page; a server that turns in circles is left. */
export async function* everyPage<T>(
  ask: (page: { readonly limit: number; readonly cursor?: string }) => Promise<Page<T>>,
): AsyncGenerator<T, void, undefined> {
  const seen = new Set<string>();
  let cursor: string | null = null;
  for (let page = 0; page < pageCountMax; page++) {
    const { data, next }: Page<T> = await ask({
      limit: pageLength,
      ...(cursor === null ? {} : { cursor }),
    });
    yield* data;
    if (next === null || seen.has(next)) return;
    seen.add(next);
    cursor = next;
  }
}

/** A folder of this command's own, which is gone when it ends. */
export async function scratchFolder({ onExit }: Context): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `anwansi-${randomUUID().slice(0, 8)}-`));
  onExit(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** An id for a line: its first digits. */
export function shortened(id: string): string {
  return id.slice(0, 12);
}

/** A time since now in a word: `3 s ago`. */
export function agoText(timeMs: number, now = Date.now()): string {
  const seconds = Math.round((now - timeMs) / 1_000);
  if (seconds < 0) return `${-seconds} s ahead`;
  if (seconds < 120) return `${seconds} s ago`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min ago` : `${Math.round(minutes / 60)} h ago`;
}
