/** Hash bytes under a domain (SHA-256). */
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 as portable } from '@noble/hashes/sha2.js';
import { assert, mark } from '../assert.ts';
import { type Brand, hex, utf8 } from '../brand.ts';
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

/** What stands in front of all that is hashed under a domain. */
export function domainPrefix(domain: HashDomain): Uint8Array {
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
  const head = domainPrefix(domain);
  const pieces: (Uint8Array | number)[] = [];
  let length = head.length;
  for (const part of parts) {
    const piece = typeof part === 'string' ? utf8(part) : part;
    pieces.push(piece);
    length += 4 + (typeof piece === 'number' ? 8 : piece.length);
  }
  const bytes = new Uint8Array(length);
  bytes.set(head);
  let at = head.length;
  for (const piece of pieces) {
    const size = typeof piece === 'number' ? 8 : piece.length;
    writeUint32(bytes, at, size);
    if (typeof piece === 'number') writeUint64(bytes, at + 4, piece);
    else bytes.set(piece, at + 4);
    at += 4 + size;
  }
  return sha256(bytes);
}

/** Writes an integer below 2^32, big-endian. */
export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Writes an integer below 2^53 as 8 bytes, big-endian. */
export function writeUint64(bytes: Uint8Array, at: number, value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, 'a hashed integer is exact');
  const low = value % 2 ** 32;
  writeUint32(bytes, at, (value - low) / 2 ** 32);
  writeUint32(bytes, at + 4, low);
}

/** An integer below 2^53 as 8 bytes, big-endian. */
export function uint64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  writeUint64(bytes, 0, value);
  return bytes;
}

export const zeroDigest: Digest = new Uint8Array(32) as Digest;
