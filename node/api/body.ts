/** Read bodies within bounds of bytes and time, one chunk at a time. */
import { ApiError } from './error.ts';

/** Bounds of one body. */
export type BodyLimits = {
  readonly bytesMax: number;
  /** Milliseconds without a byte after which the sender is given up. */
  readonly idleMs: number;
  /** Milliseconds that the sender has besides what its bytes take at the slowest pace. */
  readonly graceMs: number;
  /** The slowest pace, in bytes for each second. */
  readonly bytesPerSecondMin: number;
};

export const bodyPaces = { idleMs: 10_000, graceMs: 20_000, bytesPerSecondMin: 16 * 1024 } as const;

/** Refuses a body before a byte of it is read, by what its headers say. @throws ApiError */
export function checkBody(headers: Headers, bytesMax: number): void {
  const length = headers.get('content-length');
  if (length === null) return;
  if (!/^\d{1,15}$/.test(length))
    throw new ApiError({ code: 'API_MALFORMED', at: 'Content-Length', expected: 'a count' });
  if (Number(length) > bytesMax) throw new ApiError({ code: 'API_BODY_TOO_LARGE', bytesMax });
}

/**
 * The chunks of a body, as they come: nothing is read ahead of whoever takes them.
 * @throws ApiError API_BODY_TOO_LARGE, API_BODY_TOO_SLOW, API_BODY_CUT
 */
export async function* bodyChunks(
  request: Request,
  limits: BodyLimits,
): AsyncGenerator<Uint8Array, void, undefined> {
  checkBody(request.headers, limits.bytesMax);
  const reader = (request.body as ReadableStream<Uint8Array> | null)?.getReader();
  if (reader === undefined) return;
  let bytes = 0;
  let waitedMs = 0;
  try {
    for (;;) {
      // The time that we take for a chunk is not the sender's.
      const askedAt = performance.now();
      const allowedMs = limits.graceMs + (bytes / limits.bytesPerSecondMin) * 1000 - waitedMs;
      const chunk = await within(
        reader.read(),
        Math.min(limits.idleMs, Math.max(0, allowedMs)),
        bytes,
      );
      waitedMs += performance.now() - askedAt;
      if (chunk.done) return;
      bytes += chunk.value.length;
      if (bytes > limits.bytesMax)
        throw new ApiError({ code: 'API_BODY_TOO_LARGE', bytesMax: limits.bytesMax });
      if (chunk.value.length > 0) yield chunk.value;
    }
  } finally {
    // Whoever stops early leaves the rest unread.
    void reader.cancel().catch(() => {});
  }
}

/** A whole body that fits into memory, however small the chunks are. @throws ApiError */
export async function readBody(request: Request, limits: BodyLimits): Promise<Uint8Array> {
  let buffer = new Uint8Array(Math.min(limits.bytesMax, 4_096));
  let length = 0;
  for await (const chunk of bodyChunks(request, limits)) {
    const needed = length + chunk.length;
    if (needed > buffer.length) {
      const larger = new Uint8Array(Math.min(limits.bytesMax, Math.max(needed, 2 * buffer.length)));
      larger.set(buffer.subarray(0, length));
      buffer = larger;
    }
    buffer.set(chunk, length);
    length = needed;
  }
  return buffer.slice(0, length);
}

async function within<T>(reading: Promise<T>, ms: number, bytes: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, refuse) => {
    timer = setTimeout(() => refuse(new ApiError({ code: 'API_BODY_TOO_SLOW', bytes })), ms);
  });
  const read = reading.catch((cause: unknown) => {
    throw new ApiError({ code: 'API_BODY_CUT', bytes }, { cause });
  });
  try {
    return await Promise.race([read, late]);
  } finally {
    clearTimeout(timer);
    read.catch(() => {});
  }
}
