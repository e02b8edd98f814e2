/** Ask peers over kept streams: one request and one response at a time on each. */
import type { Connection, Libp2p, Stream } from '@libp2p/interface';
import { mark } from '../../protocol/assert.ts';
import type { StreamProtocol } from '../ports.ts';
import { NetworkError } from './error.ts';
import { type Frames, framesOf } from './frames.ts';
import {
  idleAskerMs,
  outboundStreamCountMax,
  reasonBytesMax,
  requestBytesMax,
  responseBytesMax,
  waitingCountMax,
} from './limits.ts';
import type { NetworkNames } from './names.ts';

/** First byte of a response: an answer follows, or the reason why there is none. */
export const answered = 0;
export const refused = 1;

/** A stream that has been opened to a peer and may be used again. */
type Kept = {
  readonly stream: Stream;
  readonly frames: Frames;
  idleSinceMs: number;
  /** Whether a response has come over it: only then may its next failure be its age. */
  used: boolean;
};

/** Streams of one protocol to one peer, and who waits for a turn. */
type Lane = { idle: Kept[]; busy: number; waiting: (() => void)[] };

/** Asks peers. */
export type Asker = {
  /** @throws {@link NetworkError} */
  readonly ask: (
    peer: string,
    protocol: StreamProtocol,
    body: Uint8Array,
    signal: AbortSignal,
  ) => Promise<Uint8Array>;
  /** Closes streams that nobody has used for a while. */
  readonly sweep: () => void;
  /** Breaks off everything. */
  readonly stop: () => void;
};

type Lanes = Map<string, Lane>;

/** An asker for the peers that a host is connected to; it dials nobody. */
export function createAsker(host: Libp2p, names: NetworkNames): Asker {
  const lanes: Lanes = new Map();
  const stopping = new AbortController();

  const ask: Asker['ask'] = async (peer, protocol, body, signal) => {
    if (stopping.signal.aborted) throw new NetworkError({ code: 'NETWORK_STOPPED' });
    if (body.length > requestBytesMax) {
      mark('W14');
      const bytesMax = requestBytesMax;
      throw new NetworkError({ code: 'NETWORK_TOO_LARGE', peer, what: 'request', bytesMax });
    }
    const either = AbortSignal.any([signal, stopping.signal]);
    try {
      either.throwIfAborted();
      return await exchange(host, lanes, peer, names.protocol(protocol), body, either);
    } catch (cause) {
      if (stopping.signal.aborted) throw new NetworkError({ code: 'NETWORK_STOPPED' }, cause);
      if (signal.aborted) {
        mark('W17');
        throw new NetworkError({ code: 'NETWORK_TIMEOUT', peer, doing: protocol }, cause);
      }
      throw asNetworkError(peer, cause);
    }
  };

  const sweep = (): void => {
    const before = performance.now() - idleAskerMs;
    for (const [key, lane] of lanes) {
      const old = lane.idle.filter(({ idleSinceMs }) => idleSinceMs < before);
      lane.idle = lane.idle.filter(({ idleSinceMs }) => idleSinceMs >= before);
      for (const { stream } of old) stream.close().catch((cause: Error) => stream.abort(cause));
      if (lane.busy + lane.idle.length === 0) lanes.delete(key);
    }
  };

  const stop = (): void => {
    const error = new NetworkError({ code: 'NETWORK_STOPPED' });
    stopping.abort(error);
    for (const { idle } of lanes.values()) for (const { stream } of idle) stream.abort(error);
    lanes.clear();
  };

  return { ask, sweep, stop };
}

/** One request and its response, over a kept stream if there is one. */
async function exchange(
  host: Libp2p,
  lanes: Lanes,
  peer: string,
  name: string,
  body: Uint8Array,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const key = `${name} ${peer}`;
  const lane = lanes.get(key) ?? { idle: [], busy: 0, waiting: [] };
  lanes.set(key, lane);
  for (;;) {
    await turn(lane, peer, signal);
    let kept: Kept | null = takeIdle(lane);
    const isOld = kept?.used ?? false;
    try {
      kept ??= await openStream(host, peer, name, signal);
      const response = await converse(kept, peer, body, signal);
      kept.used = true;
      kept.idleSinceMs = performance.now();
      lane.idle.push(kept);
      return response;
    } catch (cause) {
      kept?.stream.abort(cause as Error);
      // The other side may have closed a kept stream just as we took it: that tells nothing.
      const again = isOld && !signal.aborted && !(cause instanceof NetworkError);
      if (!again) throw cause;
    } finally {
      passTurn(lane);
      if (lane.busy + lane.idle.length === 0) lanes.delete(key);
    }
  }
}

/** Waits until the peer may be asked once more, and counts us in. First come, first served. */
async function turn(lane: Lane, peer: string, signal: AbortSignal): Promise<void> {
  if (lane.busy < outboundStreamCountMax) {
    lane.busy += 1;
    return;
  }
  if (lane.waiting.length >= waitingCountMax) {
    throw new NetworkError({ code: 'NETWORK_BUSY', peer, waitingMax: waitingCountMax });
  }
  await new Promise<void>((resolve, refuse) => {
    const go = (): void => {
      signal.removeEventListener('abort', giveUp);
      resolve();
    };
    const giveUp = (): void => {
      lane.waiting = lane.waiting.filter((other) => other !== go);
      refuse(signal.reason as Error);
    };
    signal.addEventListener('abort', giveUp, { once: true });
    lane.waiting.push(go);
  });
}

/** Hands our turn to the next who waits, so that nobody can slip in between. */
function passTurn(lane: Lane): void {
  const next = lane.waiting.shift();
  if (next === undefined) lane.busy -= 1;
  else next();
}

function takeIdle(lane: Lane): Kept | null {
  for (;;) {
    const kept = lane.idle.pop();
    if (kept === undefined) return null;
    const { stream } = kept;
    if (stream.status === 'open' && stream.remoteWriteStatus === 'writable') return kept;
    stream.abort(new Error('closed while it was kept'));
  }
}

/** The open connection to a peer, or null. The first one made is the one that both sides use. */
export function connectionTo(host: Libp2p, peer: string): Connection | null {
  for (const connection of host.getConnections())
    if (connection.status === 'open' && connection.remotePeer.toString() === peer)
      return connection;
  return null;
}

async function openStream(
  host: Libp2p,
  peer: string,
  name: string,
  signal: AbortSignal,
): Promise<Kept> {
  const connection = connectionTo(host, peer);
  if (connection === null) throw new NetworkError({ code: 'NETWORK_PEER_UNKNOWN', peer });
  const stream = await connection.newStream([name], {
    signal,
    maxOutboundStreams: outboundStreamCountMax + 1,
  });
  const frames = framesOf(stream, 1 + responseBytesMax);
  return { stream, frames, idleSinceMs: 0, used: false };
}

async function converse(
  { frames }: Kept,
  peer: string,
  body: Uint8Array,
  signal: AbortSignal,
): Promise<Uint8Array> {
  await frames.write(body, { signal });
  const frame = await frames.read({ signal });
  if (frame.byteLength > 0 && frame.get(0) === answered) {
    mark('W15');
    return frame.slice(1);
  }
  mark('W16');
  const text = new TextDecoder().decode(frame.slice().subarray(1, 1 + reasonBytesMax));
  // A stranger's words end in our log: nothing but what can be printed on one line.
  const reason = text.replace(/[^\x20-\x7e]/g, '?') || 'no reason given';
  throw new NetworkError({ code: 'NETWORK_REFUSED', peer, reason });
}

function asNetworkError(peer: string, cause: unknown): NetworkError {
  if (cause instanceof NetworkError) return cause;
  const { name, message } = cause as Error;
  if (['InvalidDataLengthError', 'InvalidDataLengthLengthError', 'PrefixError'].includes(name)) {
    mark('W18');
    const bytesMax = responseBytesMax;
    return new NetworkError({ code: 'NETWORK_TOO_LARGE', peer, what: 'response', bytesMax }, cause);
  }
  return new NetworkError({ code: 'NETWORK_CLOSED', peer, reason: message }, cause);
}
