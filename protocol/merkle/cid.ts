/** Name content by its hash: content ids of 36 bytes, and their text. */
import { assert, mark } from '../assert.ts';
import type { Brand } from '../brand.ts';
import { cidBytes, digestBytes } from '../params.ts';

/** A CIDv1 of 36 bytes: version 1, a codec, sha2-256 (0x12), 32 bytes (0x20), the digest. */
export type Cid = Brand<Uint8Array, 'Cid'>;

/** Bytes that are their own meaning: a blob of one block, or one block of a longer blob. */
export const rawCodec = 0x55;
/** A dag-cbor manifest: the CIDs of a longer blob's blocks. */
export const manifestBlockCodec = 0x71;
/** Our own mark for a list under its RFC 9162 root; the digest is that root. */
export const listCodec = 0x78;

/** What a content id says its bytes are. */
export type CidCodec = typeof rawCodec | typeof manifestBlockCodec | typeof listCodec;

const codecs: readonly number[] = [rawCodec, manifestBlockCodec, listCodec];

/**
 * Whether bytes are a content id of one of our three kinds.
 * @see spec/protocol/merkle.md M23
 */
export function isCid(bytes: Uint8Array): bytes is Cid {
  mark('M23');
  return (
    bytes.length === cidBytes &&
    bytes[0] === 0x01 &&
    codecs.includes(bytes[1]!) &&
    bytes[2] === 0x12 &&
    bytes[3] === 0x20
  );
}

/** The content id of a digest under a codec. */
export function cidOf(codec: CidCodec, digest: Uint8Array): Cid {
  assert(digest.length === digestBytes, 'a content id holds one digest');
  const cid = new Uint8Array(cidBytes);
  cid.set([0x01, codec, 0x12, 0x20]);
  cid.set(digest, 4);
  return cid as Cid;
}

/** The content id of a block with this SHA-256. */
export function rawCid(digest: Uint8Array): Cid {
  return cidOf(rawCodec, digest);
}

/** The content id of a list with this RFC 9162 root. */
export function listCid(root: Uint8Array): Cid {
  return cidOf(listCodec, root);
}

/** What a content id says its bytes are. */
export function cidCodec(cid: Cid): CidCodec {
  return cid[1] as CidCodec;
}

/** The digest in a content id. */
export function cidDigest(cid: Cid): Uint8Array {
  return cid.subarray(4);
}

/** Characters of a content id's text: `b`, and a base32 digit for each 5 of its 288 bits. */
export const cidTextLength = 59;

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';

/** Text of a content id: `b`, then base32 (RFC 4648, lower case, without padding). */
export function formatCid(cid: Cid): string {
  let text = 'b';
  let bits = 0;
  let held = 0;
  for (const byte of cid) {
    held = (held << 8) | byte;
    for (bits += 8; bits >= 5; bits -= 5) text += alphabet[(held >> (bits - 5)) & 31];
    held &= (1 << bits) - 1;
  }
  return bits === 0 ? text : text + alphabet[(held << (5 - bits)) & 31];
}

/**
 * Reads what {@link formatCid} wrote. Returns null for anything else: one id has one text.
 * @see spec/protocol/merkle.md M24
 */
export function parseCid(text: string): Cid | null {
  mark('M24');
  const bytes = new Uint8Array(cidBytes);
  if (text.length !== cidTextLength || text[0] !== 'b') return null;
  let bits = 0;
  let held = 0;
  let length = 0;
  for (const letter of text.slice(1)) {
    const digit = alphabet.indexOf(letter);
    if (digit < 0) return null;
    held = (held << 5) | digit;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes[length++] = held >> bits;
    held &= (1 << bits) - 1;
  }
  return held === 0 && isCid(bytes) ? bytes : null;
}
