/** Submit through a node in this process. */
import { type Hex, hex } from '../../protocol/brand.ts';
import { quorum } from '../../protocol/consensus/seats.ts';
import type { Verdict } from '../../protocol/errors.ts';
import type { SignedJob } from '../../protocol/job/job.ts';
import { StateCursor } from '../../protocol/ledger/state.ts';
import type { Cid } from '../../protocol/merkle/cid.ts';
import { formatRatio } from '../../protocol/ratio.ts';
import { describeJob } from '../../protocol/replica/view.ts';
import type { AnwansiNode } from '../face.ts';
import { ClientError } from './error.ts';
import { stallMs } from './follow.ts';
import type { Gateway, SeenJob } from './gateway.ts';

/** Events of a node that tell how far a job is. */
type Watched =
  | { readonly kind: 'final' | 'law' }
  | { readonly kind: 'progress'; readonly job: Hex; readonly items: number }
  | { readonly kind: 'failed'; readonly reason: unknown };

/** What of a node is needed. */
export type LocalNode = Pick<
  AnwansiNode,
  'blobs' | 'receipt' | 'rules' | 'seatsHeardSince' | 'state'
> & {
  readonly submit: (signed: SignedJob) => Verdict | Promise<Verdict>;
  readonly watch: (listener: (event: Watched) => void) => () => void;
};

/** Events that may wait for whoever follows: more are one look anyway. */
type Follower = { readonly look: () => void; readonly fail: (reason: unknown) => void };

/**
 * The network of the first node. The others, where they run in this process too, tell how many
 * items their seats have executed.
 */
export function localGateway(nodes: readonly LocalNode[]): Gateway {
  const [node] = nodes;
  if (node === undefined) throw new RangeError('a network is reached through a node');
  const { rules, blobs } = node;
  const executed = countExecuted(nodes);
  const look = (job: Uint8Array): SeenJob | null => seen(node, job, executed(hex(job)));
  return {
    genesis: rules.genesis,
    network: rules.network,
    anchor: async () => {
      const { header, hash } = node.state().final;
      return { height: header.height, hash, timeMs: header.timeMs };
    },
    // Pinned, because what is sent away for lack of room could not be fetched by the seats.
    putBlob: async (bytes) => pinned(node, (await blobs.put(bytes)) as Cid),
    putList: async (entries) => pinned(node, (await blobs.putList(entries)) as Cid),
    putsAtOnce: 1,
    file: async (cid) => {
      const path = await blobs.path(cid);
      if (path === null) throw new ClientError({ code: 'NODE_FAILED', reason: 'a blob is gone' });
      return path;
    },
    submit: async (signed) => {
      const verdict = await node.submit(signed);
      if (verdict.verdict !== 'accept')
        throw new ClientError({ code: 'JOB_REFUSED', refusal: verdict.code });
    },
    look: async (job) => look(job),
    sightings: (job, signal) => sightings(node, () => look(job), signal),
    pulse: async () => {
      const { height, timeMs } = node.state().final.header;
      const seats = rules.genesis.seats.length;
      const heard = [...node.seatsHeardSince(Date.now() - stallMs)].sort((a, b) => a - b);
      return { height, timeMs, heard, seats, quorum: quorum(seats) };
    },
    record: async (job) => new StateCursor(node.state().final.map).job(job),
    receipt: (job) => node.receipt(job),
  };
}

function pinned({ blobs }: LocalNode, cid: Cid): Cid {
  blobs.pin(cid);
  return cid;
}

/** Counts executed items of each job, from now on. */
function countExecuted(nodes: readonly LocalNode[]): (job: Hex) => number {
  const counts = new Map<Hex, number>();
  for (const each of nodes)
    each.watch((event) => {
      if (event.kind !== 'progress') return;
      counts.set(event.job, (counts.get(event.job) ?? 0) + event.items);
    });
  return (job) => counts.get(job) ?? 0;
}

function seen({ rules, state }: LocalNode, id: Uint8Array, executedItems: number): SeenJob {
  const { final } = state();
  const job = describeJob(final, id, rules);
  const at = final.header.height;
  if (job === null)
    return {
      state: 'pending',
      at,
      ended: false,
      includedHeight: null,
      lanes: [],
      bound: null,
      share: null,
      executedItems,
    };
  const { record, lanes } = job;
  const executions = record.items * (record.plan?.perLane ?? 1);
  return {
    state: record.state,
    at,
    ended: record.ended !== null,
    includedHeight: record.includedHeight,
    lanes,
    bound: lanes.length === 0 ? null : formatRatio(job.bound),
    share: Math.min(1, executedItems / executions),
    executedItems,
  };
}

/** A look now, and one after each final block or executed piece. */
async function* sightings(
  node: LocalNode,
  look: () => SeenJob | null,
  signal: AbortSignal,
): AsyncGenerator<SeenJob, void, undefined> {
  let due = true;
  let failure: ClientError | null = null;
  let waiting: Follower | null = null;
  const stop = node.watch((event) => {
    due = true;
    if (event.kind === 'failed')
      failure = new ClientError({ code: 'NODE_FAILED', reason: String(event.reason) });
    waiting?.look();
  });
  const abort = (): void => waiting?.fail(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    for (;;) {
      signal.throwIfAborted();
      if (failure !== null) throw failure;
      if (!due)
        await new Promise<void>((resolve, reject) => {
          waiting = { look: resolve, fail: reject };
        });
      waiting = null;
      due = false;
      const job = look();
      if (job === null) continue;
      yield job;
      if (job.ended) return;
    }
  } finally {
    stop();
    signal.removeEventListener('abort', abort);
  }
}
