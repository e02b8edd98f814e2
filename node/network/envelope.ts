/** Put a tick before each gossiped message, so that equal bytes can be announced again. */
import { hash } from 'node:crypto';
import { mark } from '../../protocol/assert.ts';
import { gossipBytesMax } from '../../protocol/params.ts';
import { repeatCountMax, repeatHoldMs, repeatMs, tickBytes } from './limits.ts';

/**
 * The message as it travels: 8 bytes of tick, big-endian, then the payload.
 *
 * Message ids cover the tick. Two nodes that announce equal bytes at the same time make the same
 * message, which floods once; the same bytes a tick later are a new message, which floods again
 * and so reaches whoever came in between.
 * @see spec/protocol/network.md W4
 */
export function wrapMessage(nowMs: number, payload: Uint8Array): Uint8Array {
  const message = new Uint8Array(tickBytes + payload.length);
  new DataView(message.buffer).setBigUint64(0, BigInt(Math.floor(nowMs / repeatMs)));
  message.set(payload, tickBytes);
  mark('W4');
  return message;
}

/** A copy of the payload, or null for what no honest node sends. */
export function unwrapMessage(message: Uint8Array): Uint8Array | null {
  if (message.length <= tickBytes || message.length > tickBytes + gossipBytesMax) {
    mark('W7');
    return null;
  }
  return new Uint8Array(message.subarray(tickBytes));
}

/**
 * What names a message: SHA-256 over its topic and its bytes.
 *
 * The topic is part of it: otherwise bytes sent on a topic where they are refused would be
 * "already seen" on the topic where they belong.
 * @see spec/protocol/network.md W5
 */
export function messageId(topic: string, message: Uint8Array): Uint8Array {
  mark('W5');
  const name = Buffer.from(`${topic}\0`);
  return hash('sha256', Buffer.concat([name, message]), 'buffer');
}

/** Remembers for a short while which payloads have passed. */
export type RepeatWindow = {
  /** Whether this payload passed already within the hold; if not, it does now. */
  readonly isRepeat: (topic: string, payload: Uint8Array, nowMs: number) => boolean;
  /** Forgets a payload. */
  readonly forget: (topic: string, payload: Uint8Array) => void;
};

/**
 * Ticks are the sender's word: who replays one payload under many of them would flood everybody
 * with it. So a node passes equal bytes on at most once a hold, whatever their tick.
 * @see spec/protocol/network.md W8
 */
export function repeatWindow(): RepeatWindow {
  // In order of time, oldest first: an entry is put in once and taken out when its hold is over.
  const passed = new Map<string, number>();
  const keyOf = (topic: string, payload: Uint8Array): string =>
    Buffer.from(messageId(topic, payload)).toString('latin1');
  const isRepeat = (topic: string, payload: Uint8Array, nowMs: number): boolean => {
    for (const [key, until] of passed) {
      if (until > nowMs && passed.size < repeatCountMax) break;
      passed.delete(key);
    }
    const key = keyOf(topic, payload);
    if (passed.has(key)) return true;
    passed.set(key, nowMs + repeatHoldMs);
    return false;
  };
  return { isRepeat, forget: (topic, payload) => passed.delete(keyOf(topic, payload)) };
}
