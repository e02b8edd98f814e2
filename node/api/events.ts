/** Stream what happens to a job: each change once, the present state first, the end last. */
import { type Hex, hex, utf8 } from '../../protocol/brand.ts';
import { recent } from '../../protocol/crypto/recent.ts';
import type { AnwansiNode } from '../face.ts';
import { jobView } from '../views/job.ts';
import type { JobView } from './contract.ts';
import { ApiError } from './error.ts';
import type { ApiLog } from './parts.ts';

export const eventsType = 'text/event-stream';
export const eventsPath = '/v1/jobs/{id}/events';

/** Bounds of the streams of a node; tests have smaller ones. */
export type StreamLimits = {
  readonly streamCountMax: number;
  /** Milliseconds between two signs of life. */
  readonly heartbeatMs: number;
  /** Milliseconds after which a stream ends; its client goes on where it was. */
  readonly lifeMs: number;
};

export const streamLimits: StreamLimits = {
  streamCountMax: 256,
  heartbeatMs: 10_000,
  lifeMs: 3_600_000,
};

/** Views of one height that all streams of a job share. */
const sharedViewCountMax = 512;

const endedStates: readonly string[] = ['settled', 'failed', 'expired', 'voided'];

/** Whether nothing can happen to a job any more: one that was cancelled may still be ordered. */
export function hasEnded({ state, awaits }: Pick<JobView, 'state' | 'awaits'>): boolean {
  return endedStates.includes(state) || (state === 'cancelled' && awaits === null);
}

/** Opens streams while there are places. */
export type Streams = {
  /**
   * The events of a job; `after` is the height of the last one that its client has.
   * @throws ApiError API_JOB_UNKNOWN, API_BUSY
   */
  readonly open: (id: Uint8Array, after: number, signal: AbortSignal) => Promise<Response>;
};

export function openStreams(node: AnwansiNode, limits: StreamLimits, log: ApiLog): Streams {
  const shared = recent<{
    readonly at: number;
    readonly freshUntil: number;
    readonly view: Promise<JobView | null>;
  }>(sharedViewCountMax);
  let open = 0;
  const count = (change: 1 | -1): void => {
    open += change;
    log({ kind: 'streams', open });
  };
  /** However many streams a job has, it is looked at once for a final block, or a heartbeat. */
  const look = (id: Uint8Array): Promise<JobView | null> => {
    const key: Hex = hex(id);
    const at = node.state().final.header.height;
    const known = shared.get(key);
    if (known !== undefined && known.at === at && Date.now() < known.freshUntil) return known.view;
    const view = jobView(node, id);
    shared.set(key, { at, freshUntil: Date.now() + limits.heartbeatMs / 2, view });
    return view;
  };
  return {
    open: async (id, after, signal) => {
      if (open >= limits.streamCountMax) {
        const what = `${limits.streamCountMax} streams of events`;
        throw new ApiError({ code: 'API_BUSY', what, retrySeconds: 5 });
      }
      count(1);
      let closed = false;
      const close = (): void => {
        if (!closed) count(-1);
        closed = true;
      };
      try {
        // A shared view may be older than a cancellation: the first look is a fresh one.
        const first = await jobView(node, id);
        if (first === null) throw new ApiError({ code: 'API_JOB_UNKNOWN', job: hex(id) });
        const body = streamOf({
          node,
          limits,
          first,
          after,
          signal,
          look: () => look(id),
          close,
          log,
        });
        return new Response(body, {
          headers: { 'content-type': eventsType, 'x-accel-buffering': 'no' },
        });
      } catch (error) {
        close();
        throw error;
      }
    },
  };
}

type StreamOptions = {
  readonly node: AnwansiNode;
  readonly limits: StreamLimits;
  readonly first: JobView;
  readonly after: number;
  /** Fires when the connection is gone: before it is written to, nothing else tells. */
  readonly signal: AbortSignal;
  readonly look: () => Promise<JobView | null>;
  readonly close: () => void;
  readonly log: ApiLog;
};

/**
 * The stream of one client. It makes an event when the client has taken the one before: a slow
 * client gets fewer events, the latest of them, and holds no memory.
 */
function streamOf(options: StreamOptions) {
  const { node, limits, first, after, signal, look, close, log } = options;
  const until = Date.now() + limits.lifeMs;
  const bell = alarm();
  const thread = threadOf(first, after);
  let beatAt = Date.now() + limits.heartbeatMs;
  let over = false;
  let cancelled = false;
  let pending: JobView | null = first;
  const unwatch = node.watch((event) => {
    if (event.kind === 'final') bell.ring();
  });
  const end = (): void => {
    over = true;
    unwatch();
    signal.removeEventListener('abort', end);
    bell.ring();
    close();
  };
  signal.addEventListener('abort', end);
  if (signal.aborted) end();
  const next = async (): Promise<string | null> => {
    for (;;) {
      if (over || Date.now() >= until) return null;
      const beat = Date.now() >= beatAt;
      const looks = pending === null && (bell.takeRung() || beat);
      const view: JobView | null = pending ?? (looks ? await look() : null);
      pending = null;
      const text = view === null ? null : thread.eventOf(view);
      if (text !== null || beat) {
        beatAt = Date.now() + limits.heartbeatMs;
        return text ?? ': still here\n\n';
      }
      await bell.wait(Math.min(beatAt, until) - Date.now());
    }
  };
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => controller.enqueue(utf8('retry: 2000\n\n')),
      pull: async (controller) => {
        // Whatever fails ends the stream; its client asks again and is told why.
        const text = await next().catch((reason: unknown) => {
          log({ kind: 'unexpected', route: eventsPath, reason });
          return null;
        });
        if (cancelled) return;
        if (text !== null) controller.enqueue(utf8(text));
        if (text !== null && !text.startsWith('event: ended')) return;
        end();
        controller.close();
      },
      cancel: () => {
        cancelled = true;
        end();
      },
    },
    { highWaterMark: 0 },
  );
}

/** What a client knows already: nothing older is said again, an end always is. */
function threadOf(first: JobView, after: number) {
  let said = first.at <= after && !hasEnded(first) ? wordsOf(first) : '';
  let height = after;
  return {
    /** The event of a view; null where it says nothing new. */
    eventOf: (view: JobView): string | null => {
      const ended = hasEnded(view);
      // Also what changes without a block is new: who is awaited, or that nobody is heard.
      if (!ended && (view.at < height || wordsOf(view) === said)) return null;
      said = wordsOf(view);
      height = Math.max(height, view.at);
      const kind = ended ? 'ended' : 'seen';
      return `event: ${kind}\nid: ${view.at}\ndata: ${JSON.stringify(view)}\n\n`;
    },
  };
}

/** All that a view says, but when. */
function wordsOf(view: JobView): string {
  return JSON.stringify({ ...view, at: 0 });
}

/** A bell that is heard also by who listens later. */
function alarm() {
  let rung = false;
  let wake = (): void => {};
  return {
    ring: (): void => {
      rung = true;
      wake();
    },
    takeRung: (): boolean => {
      const was = rung;
      rung = false;
      return was;
    },
    wait: async (ms: number): Promise<void> => {
      if (rung) return;
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        wake = resolve;
        timer = setTimeout(resolve, Math.max(0, ms));
      });
      clearTimeout(timer);
    },
  };
}
