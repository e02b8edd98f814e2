/** Answer the requests of peers, within limits that no peer can stretch. */
import type { Libp2p, Stream } from '@libp2p/interface';
import { mark } from '../../protocol/assert.ts';
import { ProtocolError } from '../../protocol/errors.ts';
import type { NetworkHandlers, StreamProtocol } from '../ports.ts';
import { type Deadline, deadline } from './deadline.ts';
import { type Frames, framesOf } from './frames.ts';
import {
  answerCountMax,
  answerCountPerPeerMax,
  answerMsMax,
  idleAnswererMs,
  inboundStreamCountMax,
  reasonBytesMax,
  requestBytesMax,
  requestReadMsMax,
  responseBaseMs,
  responseBytesMax,
  responseBytesPerMsMin,
} from './limits.ts';
import { type NetworkNames, streamProtocols } from './names.ts';
import { answered, refused } from './streams.ts';

type Answer = NetworkHandlers['answer'];

/** Registers the answers of one network with a host that has not started. Returns how to end. */
export async function registerAnswers(
  host: Libp2p,
  names: NetworkNames,
  answer: Answer,
): Promise<() => void> {
  const served = new Set<Stream>();
  const turns = answerTurns();
  const serveOne = async (
    protocol: StreamProtocol,
    stream: Stream,
    peer: string,
  ): Promise<void> => {
    served.add(stream);
    try {
      await serve(stream, peer, turns, (body) => answer(protocol, body, peer));
    } catch (cause) {
      stream.abort(cause as Error);
    } finally {
      served.delete(stream);
    }
  };
  for (const protocol of streamProtocols) {
    await host.handle(
      names.protocol(protocol),
      // Not awaited: a stream lives for many requests, and its failures are its own.
      (stream, connection) => void serveOne(protocol, stream, connection.remotePeer.toString()),
      {
        maxInboundStreams: inboundStreamCountMax,
        maxOutboundStreams: inboundStreamCountMax,
      },
    );
  }
  return () => {
    for (const stream of served) stream.abort(new Error('stopped'));
  };
}

/** Serves one stream until the peer ends it, misbehaves, or has nothing to ask for a while. */
async function serve(
  stream: Stream,
  peer: string,
  turns: AnswerTurns,
  answer: (body: Uint8Array) => Promise<Uint8Array>,
): Promise<void> {
  const frames = framesOf(stream, requestBytesMax);
  stream.maxWriteBufferLength = responseBytesMax + 1_024;
  const timer = deadline();
  const abort = (): void => stream.abort(new Error(`${peer} took too long`));
  timer.signal.addEventListener('abort', abort, { once: true });
  try {
    for (;;) {
      const body = await readRequest(stream, frames, timer);
      if (body === null) break;
      timer.set(answerMsMax);
      const done = await turns.take(peer, timer.signal);
      try {
        const frame = await answerFrame(body, answer, timer.signal);
        timer.set(responseBaseMs + frame.length / responseBytesPerMsMin);
        await frames.write(frame, { signal: timer.signal });
        await drained(stream, timer.signal);
        // The asker learns that this door is shut by its next request at the latest.
        if (frame[0] === refused) break;
      } finally {
        done();
      }
    }
    timer.set(responseBaseMs);
    await stream.close({ signal: timer.signal });
  } finally {
    timer.signal.removeEventListener('abort', abort);
    timer.clear();
  }
}

/** The next request, or null where the peer has ended the stream between two. */
async function readRequest(
  stream: Stream,
  frames: Frames,
  timer: Deadline,
): Promise<Uint8Array | null> {
  // Who has begun a request must finish it soon; who has not may keep the stream for a while.
  const begun = (): void => timer.set(requestReadMsMax);
  timer.set(idleAnswererMs);
  stream.addEventListener('message', begun, { once: true });
  try {
    const body = await frames.read({ signal: timer.signal });
    mark('W12');
    return body.slice();
  } catch (cause) {
    mark('W13');
    const ended = (cause as Error).name === 'UnexpectedEOFError';
    if (ended && stream.status !== 'aborted' && stream.status !== 'reset') return null;
    throw cause;
  } finally {
    stream.removeEventListener('message', begun);
  }
}

/** A response frame: an answer, or the reason why there is none. */
async function answerFrame(
  body: Uint8Array,
  answer: (body: Uint8Array) => Promise<Uint8Array>,
  signal: AbortSignal,
): Promise<Uint8Array> {
  try {
    const response = await within(answer(body), signal);
    if (response.length > responseBytesMax) return refusalFrame('the answer is too long to send');
    const frame = new Uint8Array(1 + response.length);
    frame[0] = answered;
    frame.set(response, 1);
    return frame;
  } catch (error) {
    signal.throwIfAborted();
    // A stranger is told the code of an error of ours, never its text.
    return refusalFrame(error instanceof ProtocolError ? error.code : 'it cannot be answered');
  }
}

function refusalFrame(reason: string): Uint8Array {
  const text = new TextEncoder().encode(reason).subarray(0, reasonBytesMax);
  const frame = new Uint8Array(1 + text.length);
  frame[0] = refused;
  frame.set(text, 1);
  return frame;
}

/** Waits until all that was written has left: only then is the next request worth reading. */
async function drained(stream: Stream, signal: AbortSignal): Promise<void> {
  while (stream.writeBufferLength > 0) {
    signal.throwIfAborted();
    if (stream.status !== 'open') throw new Error('the peer is gone');
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        for (const word of ['idle', 'close'] as const) stream.removeEventListener(word, wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      for (const word of ['idle', 'close'] as const) stream.addEventListener(word, wake);
      signal.addEventListener('abort', wake);
    });
  }
}

/** The promise, or a rejection as soon as the signal fires. */
function within<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, refuse) => {
    const giveUp = (): void => refuse(signal.reason as Error);
    signal.addEventListener('abort', giveUp, { once: true });
    promise.then(resolve, refuse).finally(() => signal.removeEventListener('abort', giveUp));
  });
}

/** Turns to have an answer made: few for each peer, more for all. */
type AnswerTurns = {
  /** Resolves to what gives the turn back. Streams wait here unread, so a peer is slowed down. */
  readonly take: (peer: string, signal: AbortSignal) => Promise<() => void>;
};

function answerTurns(): AnswerTurns {
  const busy = new Map<string, number>();
  let total = 0;
  const waiting: { peer: string; go: () => void }[] = [];
  const free = (peer: string): boolean =>
    total < answerCountMax && (busy.get(peer) ?? 0) < answerCountPerPeerMax;
  const count = (peer: string, change: number): void => {
    total += change;
    const next = (busy.get(peer) ?? 0) + change;
    if (next === 0) busy.delete(peer);
    else busy.set(peer, next);
  };
  const give = (peer: string) => (): void => {
    count(peer, -1);
    const index = waiting.findIndex((other) => free(other.peer));
    if (index >= 0) waiting.splice(index, 1)[0]!.go();
  };
  const take = (peer: string, signal: AbortSignal): Promise<() => void> =>
    new Promise((resolve, refuse) => {
      const go = (): void => {
        signal.removeEventListener('abort', giveUp);
        count(peer, 1);
        resolve(give(peer));
      };
      const entry = { peer, go };
      const giveUp = (): void => {
        const index = waiting.indexOf(entry);
        if (index >= 0) waiting.splice(index, 1);
        refuse(signal.reason as Error);
      };
      signal.addEventListener('abort', giveUp, { once: true });
      if (free(peer)) go();
      else waiting.push(entry);
    });
  return { take };
}
