/** Name blobs with the host's own hash, and check them against their names. */
import { assert } from '../../protocol/assert.ts';
import { sameBytes } from '../../protocol/brand.ts';
import type { Digest } from '../../protocol/crypto/hash.ts';
import {
  type Cid,
  emptyBlob,
  type FinishedBlob,
  finishBlob,
  formatCid,
  isCid,
  isListBlob,
  pushBlock,
  readListStretches,
} from '../../protocol/merkle/blob.ts';
import { cidCodec, listCodec } from '../../protocol/merkle/cid.ts';
import { blobBlockBytes } from '../../protocol/params.ts';
import { nativeSha256 } from '../crypto.ts';
import { unhurried } from '../unhurried.ts';

/** The name of a blob, its size, and its manifest if it has one. @throws BLOB_TOO_LONG */
export function nameBlob(bytes: Uint8Array): FinishedBlob {
  let draft = emptyBlob;
  for (let at = 0; at < bytes.length; at += blobBlockBytes) {
    const block = bytes.subarray(at, at + blobBlockBytes);
    draft = pushBlock(draft, nativeSha256(block) as Digest, block.length);
  }
  return finishBlob(draft);
}

/** Whether a content id is a list's, whose name is not the hash of its bytes. */
export function isList(cid: Cid): boolean {
  return cidCodec(cid) === listCodec;
}

/** Whether bytes are the whole blob or list that `cid` names. */
export function isNamed(cid: Cid, bytes: Uint8Array): boolean {
  return isList(cid) ? isListBlob(cid, bytes) : sameBytes(nameBlob(bytes).cid, cid);
}

/** The same answer; a list of a million entries is checked between other things. */
export async function isNamedUnhurried(cid: Cid, bytes: Uint8Array): Promise<boolean> {
  if (!isList(cid)) return isNamed(cid, bytes);
  return (await unhurried(readListStretches(cid, bytes))) !== null;
}

/** Text of a content id, or null for bytes that name nothing we could have. */
export function nameText(cid: Uint8Array): string | null {
  return isCid(cid) ? formatCid(cid) : null;
}

/** Text of a content id that is ours to pin. */
export function pinName(cid: Uint8Array): string {
  assert(isCid(cid), 'what is pinned has a content id');
  return formatCid(cid);
}
