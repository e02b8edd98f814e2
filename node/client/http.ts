/** Ask a node over HTTP, from Node or a web page: `anwansi/client`. */
import { hex } from '../../protocol/brand.ts';
import { tryDecode } from '../../protocol/codec/codec.ts';
import { type SignedJob, signedJobCodec } from '../../protocol/job/job.ts';
import { type Genesis, genesisCodec } from '../../protocol/ledger/genesis.ts';
import { blobCid, type Cid, formatCid, listBlob } from '../../protocol/merkle/blob.ts';
import { blobBytesMax } from '../../protocol/params.ts';
import { receiptBytesMax } from '../../protocol/receipt/receipt.ts';
import { trustTextLengthMax } from '../../protocol/receipt/trust.ts';
import {
  type AcceptedJob,
  acceptedJobSchema,
  type BlobView,
  type BlockView,
  blobSchema,
  blockSchema,
  bytesType,
  cborType,
  type DutySummaryView,
  type DutyView,
  dutySchema,
  dutySummarySchema,
  type Finding,
  type HeaderView,
  type Health,
  headerSchema,
  healthSchema,
  type JobEvent,
  type JobView,
  jobSchema,
  type Peer,
  peerSchema,
  type StateEntry,
  type Status,
  stateEntrySchema,
  statusSchema,
} from '../api/contract.ts';
import { ApiError, type ApiErrorDetail, ClientError, type ClientErrorDetail } from './error.ts';
import { type EventOptions, jobEvents } from './events.ts';
import {
  type BlockName,
  blockPath,
  get,
  jobPath,
  json,
  jsonBytesMax,
  malformed,
  type Page,
  type PageOptions,
  page,
  refuseStrangers,
  shaped,
  textOf,
} from './exchange.ts';
import { plainText } from './plain.ts';
import { type BlobSource, checkedBlob, mismatch, startUpload } from './stream.ts';
import {
  type Asking,
  createTransport,
  type Fetch,
  isPassing,
  parseJson,
  type Transport,
  type TransportOptions,
} from './transport.ts';

export {
  type AcceptedJob,
  ApiError,
  type ApiErrorDetail,
  type Asking,
  type BlobSource,
  type BlobView,
  type BlockName,
  type BlockView,
  ClientError,
  type ClientErrorDetail,
  type DutySummaryView,
  type DutyView,
  type EventOptions,
  type Fetch,
  type Finding,
  type HeaderView,
  type Health,
  type JobEvent,
  type JobView,
  type Page,
  type PageOptions,
  type Peer,
  type StateEntry,
  type Status,
};

export type ClientOptions = TransportOptions;

/**
 * A node, as its HTTP interface shows it. Every answer is checked for its shape, bytes against
 * their content id. What it says about jobs stays its word: the proof is a receipt.
 *
 * All reject with {@link ApiError} where the node explains a refusal, with {@link ClientError}
 * where none answers or what answers is no node, and with a signal's reason.
 */
export type Client = {
  readonly url: string;
  readonly status: (asking?: Asking) => Promise<Status>;
  /** Also of a node that is not ready. */
  readonly health: (asking?: Asking) => Promise<Health>;
  readonly genesis: (asking?: Asking) => Promise<Genesis>;
  /** The text of the node's own trust file. */
  readonly trust: (asking?: Asking) => Promise<string>;
  readonly peers: (options?: PageOptions) => Promise<Page<Peer>>;
  /** The same job may be submitted again: it changes nothing. */
  readonly submit: (signed: SignedJob, asking?: Asking) => Promise<AcceptedJob>;
  /** By id, 64 hexadecimal digits. */
  readonly job: (id: string, asking?: Asking) => Promise<JobView>;
  readonly jobs: (options?: PageOptions & { readonly state?: string }) => Promise<Page<JobView>>;
  /** What is seen of a job, from now until it has ended; reconnects by itself. */
  readonly events: (id: string, options?: EventOptions) => AsyncIterable<JobEvent>;
  /** The rendered result on the node's word. To believe it, audit the receipt. */
  readonly result: (id: string, asking?: Asking) => Promise<Uint8Array>;
  readonly receipt: (id: string, asking?: Asking) => Promise<Uint8Array>;
  /** The node announces the job no more; it may be ordered all the same. */
  readonly cancel: (id: string, asking?: Asking) => Promise<void>;
  /** Stores bytes, or a stream of them that is read once, and never held whole. */
  readonly putBlob: (source: BlobSource, asking?: Asking) => Promise<Cid>;
  readonly putList: (entries: readonly Uint8Array[], asking?: Asking) => Promise<Cid>;
  /** Whether the node has a blob or list. */
  readonly hasBlob: (cid: Cid, asking?: Asking) => Promise<boolean>;
  /**
   * A blob or list in pieces. The last piece comes only when all are what the id names, so who
   * reads to the end has checked bytes, and who stops before has nothing.
   * @throws ClientError CLIENT_BLOB_MISMATCH
   */
  readonly getBlob: (cid: Cid, asking?: Asking) => AsyncIterable<Uint8Array>;
  readonly block: (name: BlockName, asking?: Asking) => Promise<BlockView>;
  readonly header: (name: BlockName, asking?: Asking) => Promise<HeaderView>;
  /** What the state holds under a key, on the node's word. */
  readonly state: (key: Uint8Array, asking?: Asking) => Promise<StateEntry>;
  /** The node's proof of what the state holds under a key. */
  readonly stateProof: (key: Uint8Array, asking?: Asking) => Promise<Uint8Array>;
  readonly duties: (options?: PageOptions) => Promise<Page<DutyView>>;
  readonly dutySummary: (asking?: Asking) => Promise<DutySummaryView>;
};

const proofBytesMax = 16 * 1024 * 1024;
/** A receipt is gathered from peers before it is sent. */
const receiptAnswerMs = 120_000;

/** A client of one node. Opens nothing before it is asked. @throws ClientError CLIENT_URL */
export function createClient(options: ClientOptions): Client {
  const transport = createTransport(options);
  const idleMs = options.answerMs ?? 60_000;
  return {
    url: transport.url,
    ...chainQuestions(transport),
    ...jobQuestions(transport),
    ...blobQuestions(transport, idleMs),
  };
}

type Part<K extends keyof Client> = Pick<Client, K>;

function chainQuestions(
  transport: Transport,
): Part<'status' | 'health' | 'genesis' | 'trust' | 'peers' | 'block' | 'header'> &
  Part<'state' | 'stateProof' | 'duties' | 'dutySummary'> {
  return {
    status: async (asking) => {
      const value = await json(transport, { path: 'v1/status' }, asking);
      refuseStrangers(value, transport.url);
      return shaped(statusSchema, value, transport.url);
    },
    // A node that is not ready says so with 503, and with the same document.
    health: async (asking) =>
      shaped(
        healthSchema,
        await json(transport, { path: 'v1/health', expected: 503 }, asking),
        transport.url,
      ),
    genesis: async (asking) => {
      const request = { path: 'v1/genesis', accept: cborType, ...asking };
      const ask = () => transport.bytes(request, genesisCodec.bytesMax);
      const genesis = tryDecode(genesisCodec, await transport.again(ask, asking));
      if (genesis === null) throw malformed(transport.url, 'its genesis cannot be decoded');
      return genesis;
    },
    trust: async (asking) => {
      const request = { path: 'v1/trust', accept: 'text/plain, application/json', ...asking };
      const ask = () => transport.bytes(request, trustTextLengthMax);
      return textOf(await transport.again(ask, asking), transport.url);
    },
    peers: (options) => page(transport, 'v1/peers', peerSchema, options),
    duties: (options) => page(transport, 'v1/duties', dutySchema, options),
    dutySummary: (asking) => get(transport, 'v1/duties/summary', dutySummarySchema, asking),
    block: (name, asking) => get(transport, `v1/blocks/${blockPath(name)}`, blockSchema, asking),
    header: (name, asking) => get(transport, `v1/headers/${blockPath(name)}`, headerSchema, asking),
    state: (key, asking) => get(transport, `v1/state/${hex(key)}`, stateEntrySchema, asking),
    stateProof: (key, asking) => {
      const request = { path: `v1/state/${hex(key)}?proof=true`, accept: cborType, ...asking };
      return transport.again(() => transport.bytes(request, proofBytesMax), asking);
    },
  };
}

function jobQuestions(
  transport: Transport,
): Part<'submit' | 'job' | 'jobs' | 'events' | 'result' | 'receipt' | 'cancel'> {
  const longBytes = (path: string, accept: string, asking?: Asking): Promise<Uint8Array> => {
    const request = { path, accept, answerMs: receiptAnswerMs, ...asking };
    return transport.again(() => transport.bytes(request, receiptBytesMax), asking);
  };
  return {
    submit: async (signed, asking) => {
      const request = { path: 'v1/jobs', method: 'POST' as const, contentType: cborType };
      const value = await json(
        transport,
        { ...request, body: signedJobCodec.encode(signed) },
        asking,
      );
      return shaped(acceptedJobSchema, value, transport.url);
    },
    job: (id, asking) => get(transport, `v1/jobs/${jobPath(id)}`, jobSchema, asking),
    jobs: (options) => page(transport, 'v1/jobs', jobSchema, options, { state: options?.state }),
    events: (id, options = {}) => jobEvents(transport, `v1/jobs/${jobPath(id)}/events`, options),
    result: (id, asking) => longBytes(`v1/jobs/${jobPath(id)}/result`, bytesType, asking),
    receipt: (id, asking) => longBytes(`v1/jobs/${jobPath(id)}/receipt`, cborType, asking),
    cancel: async (id, asking) => {
      const request = {
        path: `v1/jobs/${jobPath(id)}`,
        method: 'DELETE' as const,
        accept: 'application/json',
        ...asking,
      };
      await transport.again(() => transport.bytes(request, jsonBytesMax), asking);
    },
  };
}

function blobQuestions(
  transport: Transport,
  idleMs: number,
): Part<'putBlob' | 'putList' | 'hasBlob' | 'getBlob'> {
  const { url } = transport;
  const named = (value: unknown, cid: Cid): Cid => {
    const said = shaped(blobSchema, value, url).cid;
    if (said !== formatCid(cid)) throw mismatch(cid, `${plainText(said, 80)}, as the node says`);
    return cid;
  };
  return {
    putBlob: async (source, asking) => {
      if (source instanceof Uint8Array) {
        const post = { path: 'v1/blobs', method: 'POST', contentType: bytesType } as const;
        const put = () => json(transport, { ...post, body: source }, asking);
        return named(await explained(transport, put, asking), blobCid(source));
      }
      const put = () => putStream(transport, source, idleMs, asking);
      const [value, cid] = await explained(transport, put, asking);
      return named(value, cid);
    },
    putList: async (entries, asking) => {
      const { cid, bytes } = listBlob(entries);
      const post = { path: 'v1/lists', method: 'POST', contentType: cborType } as const;
      const put = () => json(transport, { ...post, body: bytes }, asking);
      return named(await explained(transport, put, asking), cid);
    },
    hasBlob: async (cid, asking) => {
      const answer = await transport.open({
        path: `v1/blobs/${formatCid(cid)}`,
        method: 'HEAD',
        accept: bytesType,
        expected: 404,
        ...asking,
      });
      answer.close();
      return answer.status !== 404;
    },
    getBlob: (cid, asking) => checkedBlob(cid, piecesOf(transport, cid, asking)),
  };
}

/**
 * An upload. A node that refuses one in the middle closes the connection, and its reason may be
 * lost with it: whether it is a refusal of everything, such as of the token, it says again.
 */
async function explained<T>(
  transport: Transport,
  put: () => Promise<T>,
  asking: Asking | undefined,
): Promise<T> {
  try {
    return await put();
  } catch (error) {
    if (!(error instanceof ClientError) || !isPassing(error)) throw error;
    await get(transport, 'v1/status', statusSchema, asking);
    const reason = 'it answers, but closed the connection in the middle of the upload';
    throw new ClientError(
      { code: 'CLIENT_BROKEN_OFF', url: transport.url, reason },
      { cause: error },
    );
  }
}

/** A stream can be read once: what breaks is not tried again, the caller may. */
async function putStream(
  transport: Transport,
  source: BlobSource,
  idleMs: number,
  asking: Asking | undefined,
): Promise<readonly [unknown, Cid]> {
  const upload = startUpload(source, transport.url, idleMs);
  const signals = [upload.signal, ...(asking?.signal === undefined ? [] : [asking.signal])];
  try {
    const bytes = await transport.bytes(
      {
        path: 'v1/blobs',
        method: 'POST',
        accept: 'application/json',
        contentType: bytesType,
        body: upload.body,
        signal: AbortSignal.any(signals),
      },
      jsonBytesMax,
    );
    const cid = upload.cid();
    if (cid === null) throw malformed(transport.url, 'it answered before it had the whole blob');
    return [parseJson(bytes), cid];
  } catch (error) {
    throw upload.failure() ?? error;
  } finally {
    upload.end();
  }
}

async function* piecesOf(
  transport: Transport,
  cid: Cid,
  asking: Asking | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const request = { path: `v1/blobs/${formatCid(cid)}?fetch=true`, accept: bytesType, ...asking };
  const answer = await transport.again(() => transport.open(request), asking);
  let bytes = 0;
  for await (const piece of answer.chunks()) {
    bytes += piece.length;
    if (bytes > blobBytesMax) throw mismatch(cid, 'something longer than any blob');
    yield piece;
  }
}
