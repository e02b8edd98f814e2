/** Hash many messages of one form under a domain, without building each from its parts. */
import { assert } from '../assert.ts';
import type { HashDomain } from './domain.ts';
import { type Digest, domainPrefix, sha256, writeUint32, writeUint64 } from './hash.ts';

/** The bytes of one message that is filled in again and again. */
export type Frame = {
  /** Puts bytes into a part: as many as it has. */
  readonly put: (part: number, bytes: Uint8Array, from?: number) => void;
  /** Puts an integer below 2^53 into a part of 8 bytes. */
  readonly putInteger: (part: number, value: number) => void;
  /** What `hash` gives for the domain and the parts as they are. */
  readonly hash: () => Digest;
};

/**
 * A message of parts with fixed lengths, all zero at first.
 * @param partBytes - Bytes of each part; an integer has 8.
 * @see spec/protocol/crypto.md K1
 */
export function hashFrame(domain: HashDomain, partBytes: readonly number[]): Frame {
  const head = domainPrefix(domain);
  const length = partBytes.reduce((sum, bytes) => sum + 4 + bytes, head.length);
  const message = new Uint8Array(length);
  message.set(head);
  const places: number[] = [];
  let at = head.length;
  for (const bytes of partBytes) {
    writeUint32(message, at, bytes);
    places.push(at + 4);
    at += 4 + bytes;
  }
  return {
    put: (part, bytes, from = 0) => {
      const place = places[part]!;
      const count = partBytes[part]!;
      assert(bytes.length - from >= count, 'a part has its length');
      for (let i = 0; i < count; i++) message[place + i] = bytes[from + i]!;
    },
    putInteger: (part, value) => {
      assert(partBytes[part] === 8, 'an integer has 8 bytes');
      writeUint64(message, places[part]!, value);
    },
    hash: () => sha256(message),
  };
}
