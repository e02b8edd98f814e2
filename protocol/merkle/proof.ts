/** Prove what a keyed state holds under a key, or that it holds nothing there. */
import { mark } from '../assert.ts';
import { sameBytes } from '../brand.ts';
import { bytesUpTo, fixedBytes, list, nullable, type ShapeOf, struct } from '../codec/schema.ts';
import { type Digest, sha256, zeroDigest } from '../crypto/hash.ts';
import { digestBytes } from '../params.ts';
import {
  type MapNode,
  mapInnerHash,
  mapLeafHash,
  mapPath,
  nodeHash,
  type StateMap,
  turnsRight,
} from './map.ts';

/** Turns that a path can take: the bits of a digest. */
export const mapDepthMax = 256;

/**
 * How a proof travels.
 *
 * `bitmap` has a bit for each turn from the root, most significant first: 1 where the sibling
 * turned away from is not empty. Its last one-bit is the last turn, and it ends in the byte of
 * that bit. `siblings` are those that are not empty, from the root down. `other` is the leaf that
 * stands where the key's would stand, in a proof of absence.
 */
export const mapProofShape = struct({
  bitmap: bytesUpTo(mapDepthMax / 8),
  siblings: list(fixedBytes(digestBytes), mapDepthMax),
  other: nullable(struct({ path: fixedBytes(digestBytes), valueHash: fixedBytes(digestBytes) })),
});

/** What is needed to check one key of a map against its root. */
export type MapProof = ShapeOf<typeof mapProofShape>;

/** The proof of what a map holds under a key: of its value, or of its absence. */
export function proveKey(map: StateMap, key: Uint8Array): MapProof {
  const path = mapPath(key);
  const bitmap: number[] = [];
  const siblings: Digest[] = [];
  let node: MapNode | null = map.top;
  let depth = 0;
  for (; node?.kind === 'inner'; depth++) {
    const right = turnsRight(path, depth);
    const sibling: MapNode | null = right ? node.left : node.right;
    if (depth % 8 === 0) bitmap.push(0);
    if (sibling !== null) {
      bitmap[depth >> 3]! |= 0x80 >> (depth & 7);
      siblings.push(nodeHash(sibling));
    }
    node = right ? node.right : node.left;
  }
  const stranger = node !== null && !sameBytes(node.path, path) ? node : null;
  const other = stranger && { path: stranger.path, valueHash: sha256(stranger.value) };
  return { bitmap: Uint8Array.from(bitmap), siblings, other };
}

/**
 * Whether the map under `root` holds exactly `value` under `key`; null asks whether it holds
 * nothing. Total: any proof gives an answer. One proof only passes for a given map and key, so
 * that no byte of it is free.
 * @see spec/protocol/merkle.md M17 to M22
 */
export function verifyMapProof(
  root: Uint8Array,
  key: Uint8Array,
  value: Uint8Array | null,
  proof: MapProof,
): boolean {
  const { bitmap, siblings } = proof;
  const depth = depthOf(bitmap);
  if (depth === null || !siblings.every(isSibling)) {
    mark('M17');
    return false;
  }
  const path = mapPath(key);
  let node = terminal(path, value, proof, depth);
  if (node === null) return false;
  let next = siblings.length;
  for (let at = depth - 1; at >= 0; at--) {
    const sibling = turnsRight(bitmap, at) ? siblings[--next] : zeroDigest;
    if (sibling === undefined) {
      mark('M17');
      return false;
    }
    node = turnsRight(path, at) ? mapInnerHash(sibling, node) : mapInnerHash(node, sibling);
  }
  mark('M22');
  return next === 0 && sameBytes(node, root);
}

/** The hash of what stands at the end of the path, or null if the proof cannot mean the claim. */
function terminal(
  path: Digest,
  value: Uint8Array | null,
  { other }: MapProof,
  depth: number,
): Digest | null {
  if (value !== null) {
    mark('M18');
    return other === null ? mapLeafHash(path, sha256(value)) : null;
  }
  if (other === null) {
    mark('M19');
    return zeroDigest;
  }
  mark('M20');
  const { path: otherPath, valueHash } = other;
  const sized = otherPath.length === digestBytes && valueHash.length === digestBytes;
  if (!sized || sameBytes(otherPath, path) || !meet(otherPath, path, depth)) {
    mark('M21');
    return null;
  }
  return mapLeafHash(otherPath, valueHash);
}

/** Whether two paths take the same first `depth` turns. */
function meet(a: Uint8Array, b: Uint8Array, depth: number): boolean {
  for (let at = 0; at < depth; at++) if (turnsRight(a, at) !== turnsRight(b, at)) return false;
  return true;
}

/** Turns that a bitmap tells of, or null if it is too long or does not end in its last one-bit. */
function depthOf(bitmap: Uint8Array): number | null {
  if (bitmap.length === 0) return 0;
  if (bitmap.length > mapDepthMax / 8) return null;
  const last = bitmap[bitmap.length - 1]!;
  if (last === 0) return null;
  let depth = bitmap.length * 8;
  while (!turnsRight(bitmap, depth - 1)) depth--;
  return depth;
}

// An empty subtree has one way to be told: a zero in the bitmap.
const isSibling = (sibling: Uint8Array): boolean =>
  sibling.length === digestBytes && !sameBytes(sibling, zeroDigest);
