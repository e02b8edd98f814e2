/** Follow a stream of events that breaks off now and then, without losing the thread. */
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { type JobEvent, jobSchema } from '../api/contract.ts';
import { ClientError } from './error.ts';
import { type Asking, isPassing, parseJson, type Transport } from './transport.ts';

/** Times in a row that a stream may end, break or stay silent before it is given up. */
export const eventTriesMax = 8;
/** Milliseconds without a byte, comments included, after which a stream is opened again. */
const silenceMs = 30_000;
/** Characters that one event may have. */
const eventLengthMax = 4 * 1024 * 1024;
/** Events of one chunk that may wait for their reader. */
const waitingCountMax = 65_536;

export type EventOptions = Asking & {
  /** Height of the last event that is known already. */
  readonly lastEventId?: string | undefined;
};

/**
 * The events of a job until it has ended. A stream that breaks is opened again where it broke,
 * at most {@link eventTriesMax} times in a row without anything new.
 * @throws ApiError, ClientError; the signal's reason
 */
export async function* jobEvents(
  transport: Transport,
  path: string,
  { signal, lastEventId }: EventOptions,
): AsyncGenerator<JobEvent, void, undefined> {
  let last = lastEventId;
  for (let tries = 0; ; tries++) {
    try {
      for await (const message of messagesOf(transport, path, last, signal)) {
        const event = eventOf(message, transport.url);
        if (event === null) continue;
        // A server that repeats itself for ever makes no progress.
        if (message.id !== undefined && message.id !== last) {
          last = message.id;
          tries = 0;
        }
        yield event;
        if (event.kind === 'ended') return;
      }
      if (tries + 1 >= eventTriesMax)
        throw new ClientError({
          code: 'CLIENT_BROKEN_OFF',
          url: transport.url,
          reason: `the events ended ${eventTriesMax} times before the job did`,
        });
    } catch (error) {
      const silent = error instanceof ClientError && error.code === 'CLIENT_TIMEOUT';
      if (tries + 1 >= eventTriesMax || !(silent || isPassing(error))) throw error;
    }
    await transport.pause(tries, signal);
  }
}

async function* messagesOf(
  transport: Transport,
  path: string,
  last: string | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<EventSourceMessage, void, undefined> {
  const { url } = transport;
  const answer = await transport.open({
    path,
    accept: 'text/event-stream',
    headers: last === undefined ? {} : { 'last-event-id': last },
    idleMs: silenceMs,
    endless: true,
    signal,
  });
  if (answer.type !== 'text/event-stream') {
    answer.close();
    throw malformed(url, 'the events are no text/event-stream');
  }
  const waiting: EventSourceMessage[] = [];
  let tooMuch = false;
  const parser = createParser({
    maxBufferSize: eventLengthMax,
    onEvent: (message) => {
      if (waiting.length < waitingCountMax) waiting.push(message);
      else tooMuch = true;
    },
    onError: ({ type }) => {
      if (type === 'max-buffer-size-exceeded') tooMuch = true;
    },
  });
  const decoder = new TextDecoder();
  for await (const chunk of answer.chunks()) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    if (tooMuch)
      throw new ClientError({ code: 'CLIENT_ANSWER_TOO_LARGE', url, bytesMax: eventLengthMax });
    yield* waiting.splice(0);
  }
}

/** The event of a message; null for kinds that a later server may have. */
function eventOf({ event: kind, data }: EventSourceMessage, url: string): JobEvent | null {
  if (kind !== 'seen' && kind !== 'ended') return null;
  const job = jobSchema.safeParse(parseJson(new TextEncoder().encode(data)));
  if (!job.success)
    throw malformed(url, `an event is no job: ${job.error.issues[0]?.path.join('.')}`);
  return { kind, job: job.data };
}

function malformed(url: string, reason: string): ClientError {
  return new ClientError({ code: 'CLIENT_ANSWER_MALFORMED', url, reason });
}
