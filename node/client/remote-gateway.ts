/** Submit through a node that is asked over HTTP. */
import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { hex, sameBytes, unhex } from '../../protocol/brand.ts';
import { tryDecode } from '../../protocol/codec/codec.ts';
import { jobId } from '../../protocol/job/job.ts';
import { networkId } from '../../protocol/ledger/genesis.ts';
import { jobStates, recordCodec } from '../../protocol/ledger/record.ts';
import { stateKeys } from '../../protocol/ledger/state.ts';
import { formatCid } from '../../protocol/merkle/blob.ts';
import type { JobView } from '../api/contract.ts';
import { ApiError, ClientError } from './error.ts';
import type { Gateway, SeenJob } from './gateway.ts';
import type { Client } from './http.ts';

/** Blobs under way at the same time: enough to hide the way there and back, few to hold. */
const putsAtOnce = 6;

export type RemoteOptions = {
  /** A folder for blobs that come back to be measured; whoever gives it removes it. */
  readonly scratch: string;
  readonly signal: AbortSignal;
};

/**
 * The network of a node. Its genesis is asked for once, and must be that of the network which the
 * node says it is of.
 * @throws ApiError, ClientError; the signal's reason
 */
export async function remoteGateway(
  client: Client,
  { scratch, signal }: RemoteOptions,
): Promise<Gateway> {
  const [status, genesis] = await Promise.all([
    client.status({ signal }),
    client.genesis({ signal }),
  ]);
  const network = networkId(genesis);
  if (hex(network) !== status.network)
    throw new ClientError({
      code: 'CLIENT_OTHER_NETWORK',
      said: status.network,
      found: hex(network),
    });
  return {
    genesis,
    network,
    anchor: async (signal) => {
      const { final } = await client.status({ signal });
      return { height: final.height, hash: unhex(final.hash)!, timeMs: final.timeMs };
    },
    putBlob: (bytes, signal) => client.putBlob(bytes, { signal }),
    putList: (entries, signal) => client.putList(entries, { signal }),
    putsAtOnce,
    file: async (cid, signal) => {
      const path = join(scratch, formatCid(cid));
      const draft = `${path}.${randomUUID()}`;
      await pipeline(client.getBlob(cid, { signal }), createWriteStream(draft), { signal });
      await rename(draft, path);
      return path;
    },
    submit: async (signed, signal) => {
      const accepted = await client.submit(signed, { signal });
      if (accepted.id !== hex(jobId(signed.job)))
        throw malformed(client, `it took job ${accepted.id} instead of the one that it was given`);
    },
    look: async (job, signal) => {
      const view = await unlessUnknown(client.job(hex(job), { signal }));
      return view === null ? null : seenJob(view);
    },
    sightings: (job, signal) => sightings(client, hex(job), signal),
    pulse: async (signal) => {
      const { final, heard, seats, quorum } = await client.status({ signal });
      return { height: final.height, timeMs: final.timeMs, heard, seats, quorum };
    },
    record: async (job, signal) => {
      const key = stateKeys.job(job);
      const entry = await client.state(key, { signal });
      if (!sameBytes(unhex(entry.key) ?? key, key) || entry.value === null) return null;
      const record = tryDecode(recordCodec, unhex(entry.value)!);
      if (record === null) throw malformed(client, 'what it keeps of the job cannot be decoded');
      return record;
    },
    receipt: (job, signal) => client.receipt(hex(job), { signal }),
  };
}

/** The view of a node as a sighting. */
export function seenJob(view: JobView): SeenJob {
  const { provisional } = view;
  return {
    state: view.state,
    at: view.at,
    ended: isEnd(view),
    includedHeight: view.includedHeight,
    lanes: (provisional?.lanes ?? []).map((lane) => ({
      phase: lane.phase,
      accepted: lane.accepted,
      votes: lane.votes,
      needed: lane.needed,
      awaited: lane.awaited,
      untilMs: lane.until === null ? null : Date.parse(lane.until),
    })),
    bound: provisional === null || provisional.lanes.length === 0 ? null : provisional.bound,
    share: null,
    executedItems: null,
  };
}

/** Whether a job has ended: settled, failed, expired or voided. */
export function isEnd({ state }: Pick<JobView, 'state'>): boolean {
  return (jobStates.slice(2) as readonly string[]).includes(state);
}

async function* sightings(
  client: Client,
  job: string,
  signal: AbortSignal,
): AsyncGenerator<SeenJob, void, undefined> {
  for await (const { job: view } of client.events(job, { signal })) yield seenJob(view);
}

async function unlessUnknown<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ApiError && error.detail.status === 404) return null;
    throw error;
  }
}

function malformed({ url }: Client, reason: string): ClientError {
  return new ClientError({ code: 'CLIENT_ANSWER_MALFORMED', url, reason });
}
