/** Find a node that runs on this machine; one that is only slow is waited for. */
import { connect } from 'node:net';
import type { Client } from '../client/http.ts';
import { wait } from '../client/wait.ts';
import type { Context } from './command.ts';
import { type NodeValues, openClient, readToken, usualApi } from './connect.ts';
import { CliError, exitCodes } from './error.ts';

/** Where a node is looked for, and how long in milliseconds. */
export type Lookout = {
  readonly url: string;
  /** Within which a node that has nothing else to do says who it is. */
  readonly probeMs: number;
  /** In all, for one that is there: it may be busy. */
  readonly patientMs: number;
};

const usualLookout: Lookout = { url: usualApi, probeMs: 300, patientMs: 10_000 };
/** Milliseconds between two questions to one that broke off. */
const pauseMs = 200;
/** Milliseconds within which this machine accepts a connection to itself, however busy it is. */
const connectMs = 1_000;

/**
 * The node that answers at the usual place on this machine, if it names our protocol and a network;
 * null if nothing listens there, or something says that it is none for us.
 * @param patient - The person needs a node: nothing is said while it is waited for.
 * @throws CliError NODE_SILENT where something listens and does not answer: then the job is the
 * person's to send, and is computed nowhere else
 */
export async function findNode(
  values: NodeValues,
  context: Context,
  patient = false,
  { url, probeMs, patientMs }: Lookout = usualLookout,
): Promise<Client | null> {
  const { output, signal } = context;
  const token = await readToken(values.tokenFile, context);
  const ask = (answerMs: number): Promise<Probed> => probe({ url, token, answerMs, signal });
  const until = performance.now() + patientMs;
  let found = await ask(patient ? patientMs : probeMs);
  if (found.kind === 'silent' && !patient)
    output.note(
      `something listens at ${url} and has not answered in ${probeMs} ms: ` +
        `waiting for it, at most ${patientMs / 1_000} s (--api embedded does without)`,
    );
  while (found.kind === 'silent' && performance.now() < until) {
    await wait(pauseMs, signal);
    found = await ask(Math.max(1, Math.ceil(until - performance.now())));
  }
  switch (found.kind) {
    case 'node':
      return openClient({ ...values, api: url }, context);
    case 'other':
      output.note(`${found.reason}; it is not asked`);
      return null;
    case 'none':
      output.detail(`no node at ${url}: ${found.reason}`);
      return null;
    case 'silent':
      throw silent(url, patientMs, found.reason);
  }
}

type Probed =
  | { readonly kind: 'node' }
  /** Nothing listens; something that is no node for us; something that gives no answer. */
  | { readonly kind: 'none' | 'other' | 'silent'; readonly reason: string };

type Probe = {
  readonly url: string;
  readonly token: string | undefined;
  readonly answerMs: number;
  readonly signal: AbortSignal;
};

async function probe({ url, token, answerMs, signal }: Probe): Promise<Probed> {
  const [{ createClient }, { ApiError, ClientError }, { isPassing }] = await Promise.all([
    import('../client/http.ts'),
    import('../client/error.ts'),
    import('../client/transport.ts'),
  ]);
  const client = createClient({ url, token, retries: 0, answerMs });
  const late = AbortSignal.timeout(answerMs);
  try {
    await client.status({ signal: AbortSignal.any([signal, late]) });
    return { kind: 'node' };
  } catch (error) {
    signal.throwIfAborted();
    const reason = late.aborted ? 'no answer in time' : (error as Error).message;
    // A node that is there and wants a token is one that the person may have meant.
    if (error instanceof ApiError && !isPassing(error))
      return { kind: 'other', reason: `the node at ${url} refuses: ${reason}` };
    const isMute = error instanceof ClientError && muteCodes.includes(error.code);
    if (!late.aborted && !isMute && !isPassing(error)) return { kind: 'other', reason };
    return { kind: (await listens(url)) ? 'silent' : 'none', reason };
  }
}

const muteCodes: readonly string[] = ['CLIENT_TIMEOUT', 'CLIENT_UNREACHABLE', 'CLIENT_BROKEN_OFF'];

/** Whether anything accepts connections there. The kernel does that for a process that is busy. */
async function listens(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), timeout: connectMs });
  try {
    return await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
      socket.once('timeout', () => resolve(false));
    });
  } finally {
    socket.destroy();
  }
}

function silent(url: string, ms: number, reason: string): CliError {
  return new CliError({
    code: 'NODE_SILENT',
    message: `something listens at ${url} and gave no answer in ${ms / 1_000} s (the last: ${reason})`,
    hint:
      'Nothing was submitted, and nothing is computed elsewhere unasked.\n' +
      `If it is your node, wait until it has less to do, or ask it all the same: --api ${url}.\n` +
      'Without it, on a network inside this command: --api embedded.\n' +
      'More: anwansi explain NODE_SILENT',
    exitCode: exitCodes.network,
  });
}
