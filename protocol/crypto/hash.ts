/** Hash bytes under a domain (SHA-256). */
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 as portable } from '@noble/hashes/sha2.js';
import { assert, mark } from '../assert.ts';
import { type Brand, concatBytes, hex, utf8 } from '../brand.ts';
import type { HashDomain } from './domain.ts';

/** 32 bytes of SHA-256. */
export type Digest = Brand<Uint8Array, 'Digest'>;

export type HashFunction = (bytes: Uint8Array) => Uint8Array;

let backend: HashFunction = portable;

/**
 * Installs a faster SHA-256. The function is the same on every host, so which one runs can never
 * be seen; a backend that gets a known answer wrong is refused.
 */
export function installSha256(next: HashFunction): void {
  assert(
    hex(next(utf8('abc'))) === 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    'the SHA-256 backend knows FIPS 180-4',
  );
  backend = next;
}

/** SHA-256 of bytes, without a domain: for content addresses and Merkle nodes only. */
export function sha256(bytes: Uint8Array): Digest {
  return backend(bytes) as Digest;
}

/** HMAC-SHA-256. */
export function hmacSha256(key: Uint8Array, bytes: Uint8Array): Digest {
  return hmac(portable, key, bytes) as Digest;
}

/** Parts of a hash: bytes, texts, and integers below 2^53. */
export type HashPart = Uint8Array | string | number;

const prefixes = new Map<HashDomain, Uint8Array>();

function prefix(domain: HashDomain): Uint8Array {
  let bytes = prefixes.get(domain);
  if (bytes === undefined) {
    bytes = utf8(`anwansi/1/${domain}\0`);
    prefixes.set(domain, bytes);
  }
  return bytes;
}

/**
 * SHA-256 under a domain tag of parts that cannot run into one another: every part is written
 * with its length (4 bytes, big-endian) in front; integers as 8 bytes, big-endian.
 * @see spec/protocol/crypto.md K1
 */
export function hash(domain: HashDomain, ...parts: readonly HashPart[]): Digest {
  mark('K1');
  const pieces: Uint8Array[] = [prefix(domain)];
  for (const part of parts) {
    const bytes =
      typeof part === 'string' ? utf8(part) : typeof part === 'number' ? uint64(part) : part;
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, bytes.length);
    pieces.push(length, bytes);
  }
  return sha256(concatBytes(...pieces));
}

/** An integer below 2^53 as 8 bytes, big-endian. */
export function uint64(value: number): Uint8Array {
  assert(Number.isSafeInteger(value) && value >= 0, 'a hashed integer is exact');
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}

export const zeroDigest: Digest = new Uint8Array(32) as Digest;
