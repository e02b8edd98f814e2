/** Fetch blobs from several peers at once, checking every block as it arrives. */
import { assert, mark } from '../../protocol/assert.ts';
import {
  type BlobManifest,
  type Cid,
  cidCodec,
  formatCid,
  isCid,
  readListStretches,
  readManifest,
  verifyBlock,
} from '../../protocol/merkle/blob.ts';
import { listCodec, manifestBlockCodec } from '../../protocol/merkle/cid.ts';
import { blobBlockBytes } from '../../protocol/params.ts';
import type { Network } from '../ports.ts';
import type { Blobs } from '../storage/blobs.ts';
import { unhurried } from '../unhurried.ts';
import {
  type BlobAnswer,
  type BlobRequest,
  blobRequestCodec,
  decodeBlobAnswer,
} from './blob-codec.ts';
import { type Asking, type Attempt, type Crowd, crowdOf, hedgeMsUsual } from './crowd.ts';
import { NetworkError } from './error.ts';
import { emptyPartial, type Partial, type Partials, partials, putBlock } from './partial.ts';
import { type Standing, standing } from './standing.ts';

/** Blocks that are asked for at the same time. */
const windowBlockCount = 8;
/** Milliseconds that one piece may take: at first, and when everybody was asked in vain before. */
const pieceMsMin = 2_500;
const pieceMsMax = 30_000;

type FetchStore = Pick<Blobs, 'has' | 'putAs'>;

export type BlobFetch = {
  readonly network: Pick<Network, 'request'>;
  readonly store: FetchStore;
  readonly cid: Uint8Array;
  /** Bytes beyond which the blob is not wanted. */
  readonly bytesMax: number;
  /** Peers who may have it, best first. Asked again whenever the fetch needs somebody. */
  readonly peers: () => readonly string[];
  readonly signal: AbortSignal;
  /** Told once of a peer that gave bytes which are not what the content id names. */
  readonly blame?: (peer: string) => void;
};

/** A fetch for which several callers may be waiting. */
type Shared = {
  bytesMax: number;
  waiting: number;
  readonly stop: AbortController;
  readonly crowd: Crowd;
  /** Resolves to the size in bytes once the blob is in the store. */
  done: Promise<number>;
};

/** What is on the way to one store, and what was left half done. */
type Arrivals = {
  readonly shared: Map<string, Shared>;
  readonly partials: Partials;
  readonly standing: Standing;
};

const arrivalsOf = new WeakMap<FetchStore, Arrivals>();

/**
 * Fetches a blob or a list into the store; returns at once if it is there.
 *
 * It goes on, in rounds, until somebody has given every block or the signal fires. Calls for one
 * content id and one store are one fetch, which ends early only when nobody waits for it. Blocks
 * that were checked are kept for a while even then, and not asked for again.
 *
 * @throws {@link NetworkError} `NETWORK_BLOB_UNAVAILABLE` when the signal fires first,
 * `NETWORK_BLOB_TOO_LONG`, `NETWORK_BLOB_MALFORMED`; whatever the store throws.
 * @see spec/protocol/network.md W30 to W34
 */
export async function fetchBlob(fetch: BlobFetch): Promise<void> {
  const { store, cid, bytesMax, signal } = fetch;
  assert(isCid(cid), 'what is fetched has a content id');
  if (await store.has(cid)) return;
  const name = formatCid(cid);
  const arrivals: Arrivals = arrivalsOf.get(store) ?? {
    shared: new Map(),
    partials: partials(),
    standing: standing(),
  };
  arrivalsOf.set(store, arrivals);
  let known = arrivals.shared.get(name);
  // One that is being broken off is not joined: what it leaves is taken up again.
  while (known?.stop.signal.aborted) {
    await known.done.catch(() => undefined);
    known = arrivals.shared.get(name);
  }
  if (known !== undefined) mark('W34');
  const shared = known ?? share(fetch, cid, arrivals);
  shared.waiting += 1;
  shared.bytesMax = Math.max(shared.bytesMax, bytesMax);
  try {
    const size = await untilAborted(shared.done, signal, () => unavailable(name, shared.crowd));
    if (size > bytesMax) throw tooLong(name, size, bytesMax);
  } finally {
    shared.waiting -= 1;
    if (shared.waiting === 0) shared.stop.abort();
  }
}

function share(fetch: BlobFetch, cid: Cid, arrivals: Arrivals): Shared {
  const name = formatCid(cid);
  const shared: Shared = {
    bytesMax: fetch.bytesMax,
    waiting: 0,
    stop: new AbortController(),
    crowd: crowdOf(fetch.peers, {
      blame: fetch.blame ?? (() => undefined),
      standing: arrivals.standing,
      hedgeMs: hedgeMsUsual,
    }),
    done: Promise.resolve(0),
  };
  arrivals.shared.set(name, shared);
  const work = async (): Promise<number> => {
    const bytes = await gather(fetch.network, cid, shared, arrivals.partials);
    if (bytes.length > shared.bytesMax) throw tooLong(name, bytes.length, shared.bytesMax);
    await fetch.store.putAs(cid, bytes);
    return bytes.length;
  };
  shared.done = work().finally(() => {
    arrivals.shared.delete(name);
  });
  // When nobody waits any more, nobody needs to know that it was broken off.
  shared.done.catch(() => undefined);
  return shared;
}

/** All bytes of what a content id names. */
async function gather(
  network: Pick<Network, 'request'>,
  cid: Cid,
  shared: Shared,
  kept: Partials,
): Promise<Uint8Array> {
  const { crowd, stop } = shared;
  const ask = asker(network);
  const codec = cidCodec(cid);
  if (codec === listCodec)
    return crowd.seek((...one) => wholeList(ask, one, cid, shared), stop.signal);
  if (codec !== manifestBlockCodec) {
    const request: BlobRequest = { kind: 'block', cid, index: 0 };
    return crowd.seek((...one) => piece(ask, one, request, cid), stop.signal);
  }
  const name = formatCid(cid);
  let partial = kept.take(name);
  if (partial === null) {
    const manifest = await crowd.seek((...one) => manifestFrom(ask, one, cid), stop.signal);
    if (manifest.size > shared.bytesMax) throw tooLong(name, manifest.size, shared.bytesMax);
    partial = emptyPartial(manifest);
  } else mark('W33');
  try {
    return await gatherBlocks(ask, cid, partial, shared);
  } catch (error) {
    kept.keep(name, partial);
    throw error;
  }
}

/** Fetches the blocks that are missing, a window of them at a time, from whoever gives them. */
async function gatherBlocks(
  ask: Ask,
  cid: Cid,
  partial: Partial,
  { crowd, stop }: Shared,
): Promise<Uint8Array> {
  const missing = [...partial.have.keys()].filter((index) => !partial.have[index]).reverse();
  const fetchSome = async (): Promise<void> => {
    for (let index = missing.pop(); index !== undefined; index = missing.pop()) {
      const request: BlobRequest = { kind: 'block', cid, index };
      const expected = partial.manifest.blocks[index]!;
      const block = await crowd.seek((...one) => piece(ask, one, request, expected), stop.signal);
      if (putBlock(partial, index, block)) continue;
      // The block is what the manifest names: whoever made the manifest is at fault, not a peer.
      missing.length = 0;
      throw new NetworkError({ code: 'NETWORK_BLOB_MALFORMED', cid: formatCid(cid) });
    }
  };
  await Promise.all(Array.from({ length: windowBlockCount }, fetchSome));
  return partial.bytes;
}

/** Whom to ask, and how. */
type One = readonly [peer: string, asking: Asking];

type Ask = (one: One, request: BlobRequest) => Promise<BlobAnswer | null>;

/** Asks one peer for one piece; null for an answer that means nothing. */
function asker(network: Pick<Network, 'request'>): Ask {
  return async ([peer, { signal, alive, round }], request) => {
    const body = blobRequestCodec.encode(request);
    // What nobody gave in time may be on a line that is too slow for it.
    const ms = Math.min(pieceMsMax, pieceMsMin * 2 ** round);
    const either = AbortSignal.any([signal, AbortSignal.timeout(ms)]);
    const answer = await network.request(peer, 'blob', body, either);
    alive();
    return decodeBlobAnswer(answer);
  };
}

async function piece(
  ask: Ask,
  one: One,
  request: BlobRequest,
  expected: Uint8Array,
): Promise<Attempt<Uint8Array>> {
  const answer = await ask(one, request);
  if (answer?.kind === 'absent') return 'absent';
  if (answer?.kind !== 'piece' || !verifyBlock(expected, answer.bytes)) return 'lie';
  mark('W30');
  return { got: answer.bytes };
}

async function manifestFrom(ask: Ask, one: One, cid: Cid): Promise<Attempt<BlobManifest>> {
  const answer = await ask(one, { kind: 'manifest', cid });
  if (answer?.kind === 'absent') return 'absent';
  const manifest = answer?.kind === 'piece' ? readManifest(cid, answer.bytes) : null;
  return manifest === null ? 'lie' : { got: manifest };
}

/** A list has no manifest: one peer must give all of it before any of it can be checked. */
async function wholeList(
  ask: Ask,
  one: One,
  cid: Cid,
  shared: Shared,
): Promise<Attempt<Uint8Array>> {
  let bytes: Uint8Array | null = null;
  for (let index = 0; bytes === null || index * blobBlockBytes < bytes.length; index++) {
    const answer = await ask(one, { kind: 'list', cid, index });
    if (answer?.kind === 'absent') return 'absent';
    if (answer?.kind !== 'listPiece') return 'lie';
    // Its word alone: another peer may know a shorter list by this name, if this one lies.
    if (answer.size > shared.bytesMax) throw tooLong(formatCid(cid), answer.size, shared.bytesMax);
    bytes ??= new Uint8Array(answer.size);
    const due = Math.min(blobBlockBytes, bytes.length - index * blobBlockBytes);
    if (answer.size !== bytes.length || answer.bytes.length !== due) return 'lie';
    bytes.set(answer.bytes, index * blobBlockBytes);
  }
  const read = await unhurried(readListStretches(cid, bytes), one[1].signal);
  return read === null ? 'lie' : { got: bytes };
}

/** The promise, or `error()` as soon as the signal fires. */
function untilAborted<T>(promise: Promise<T>, signal: AbortSignal, error: () => Error): Promise<T> {
  return new Promise<T>((resolve, refuse) => {
    const giveUp = (): void => refuse(error());
    if (signal.aborted) return giveUp();
    signal.addEventListener('abort', giveUp, { once: true });
    promise.then(resolve, refuse).finally(() => signal.removeEventListener('abort', giveUp));
  });
}

function unavailable(cid: string, crowd: Crowd): NetworkError {
  return new NetworkError({ code: 'NETWORK_BLOB_UNAVAILABLE', cid, reasons: crowd.reasons() });
}

function tooLong(cid: string, bytes: number, bytesMax: number): NetworkError {
  return new NetworkError({ code: 'NETWORK_BLOB_TOO_LONG', cid, bytes, bytesMax });
}
