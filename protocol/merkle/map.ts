/** Keep keyed state under one root that depends on its content alone (compact sparse map). */
import { assert, mark } from '../assert.ts';
import { compareBytes, sameBytes, utf8 } from '../brand.ts';
import { type Digest, hash, sha256, zeroDigest } from '../crypto/hash.ts';

/** A key and its value. */
export type MapEntry = { readonly key: Uint8Array; readonly value: Uint8Array };

/** A key and its next value; null deletes. */
export type MapChange = { readonly key: Uint8Array; readonly value: Uint8Array | null };

/**
 * Keyed state. Never changed in place: an update shares all it did not touch with what it came
 * from, so that a block's overlay costs its own changes and nothing else.
 */
export type StateMap = { readonly top: MapNode | null };

export type MapLeaf = MapEntry & {
  readonly kind: 'leaf';
  readonly path: Digest;
  hash: Digest | null;
};

/** A node with at least two leaves below it. */
export type MapInner = {
  readonly kind: 'inner';
  readonly left: MapNode | null;
  readonly right: MapNode | null;
  /** Leaves below. */
  readonly size: number;
  hash: Digest | null;
};

/** `hash` is a memo: null until somebody asks, then for ever the same. */
export type MapNode = MapLeaf | MapInner;

export const emptyMap: StateMap = { top: null };

const leafTag = sha256(utf8('anwansi/leaf/v1'));
const pathBits = 256;

/**
 * Where a key lives: the bits, most significant first, are the turns from the root.
 * @see spec/protocol/merkle.md M9
 */
export function mapPath(key: Uint8Array): Digest {
  mark('M9');
  return hash('state-key', key);
}

/** The value under a key, or null. The bytes are shared with the map: never write to them. */
export function mapGet(map: StateMap, key: Uint8Array): Uint8Array | null {
  const path = mapPath(key);
  let node = map.top;
  for (let depth = 0; node?.kind === 'inner'; depth++)
    node = turnsRight(path, depth) ? node.right : node.left;
  return node !== null && sameBytes(node.path, path) ? node.value : null;
}

/**
 * The map after a batch of changes; where a key comes twice, the later change counts.
 *
 * A batch that changes nothing gives back the map itself. Nothing is hashed here but the keys'
 * paths: of `n` keys, `k` changes leave about k (log2(n/k) + 2) nodes for {@link mapRoot}.
 * @see spec/protocol/merkle.md M10 to M13
 */
export function mapUpdate(map: StateMap, changes: readonly MapChange[]): StateMap {
  const turns = arrange(changes);
  const top = update(map.top, turns, 0, turns.length, 0);
  return top === map.top ? map : { top };
}

/** Digest of the whole content; 32 zero bytes when empty. */
export function mapRoot(map: StateMap): Digest {
  return nodeHash(map.top);
}

/** Keys of the map. */
export function mapSize({ top }: StateMap): number {
  return leafCount(top);
}

/** Every key with its value, in ascending order of path. */
export function* mapEntries({ top }: StateMap): Generator<MapEntry, void, undefined> {
  for (const { key, value } of leavesOf(top)) yield { key, value };
}

/**
 * The changes that make `before` into `after`, in rising order of path. What the two maps share is
 * not looked at: after a batch of `k` changes of `n` keys it costs about k log2(n) steps.
 */
export function mapChanges(before: StateMap, after: StateMap): readonly MapChange[] {
  const changes: MapChange[] = [];
  const open: (readonly [MapNode | null, MapNode | null])[] = [[before.top, after.top]];
  while (open.length > 0) {
    const [old, next] = open.pop()!;
    if (old === next) continue;
    if (old?.kind === 'inner' && next?.kind === 'inner')
      open.push([old.right, next.right], [old.left, next.left]);
    else leafChanges([...leavesOf(old)], [...leavesOf(next)], changes);
  }
  return changes;
}

/** One pass over two runs of leaves, both in rising order of path. */
function leafChanges(
  old: readonly MapLeaf[],
  next: readonly MapLeaf[],
  changes: MapChange[],
): void {
  for (let i = 0, k = 0; i < old.length || k < next.length; ) {
    const [was, is] = [old[i], next[k]];
    const order = was === undefined ? 1 : is === undefined ? -1 : compareBytes(was.path, is.path);
    if (order < 0) changes.push({ key: was!.key, value: null });
    else if (order > 0 || !sameBytes(was!.value, is!.value))
      changes.push({ key: is!.key, value: is!.value });
    if (order <= 0) i += 1;
    if (order >= 0) k += 1;
  }
}

function* leavesOf(top: MapNode | null): Generator<MapLeaf, void, undefined> {
  const open: (MapNode | null)[] = [top];
  while (open.length > 0) {
    const node = open.pop()!;
    if (node === null) continue;
    if (node.kind === 'inner') open.push(node.right, node.left);
    else yield node;
  }
}

/**
 * Hash of a node, of nothing if there is none; computed once.
 * @see spec/protocol/merkle.md M14 to M16
 */
export function nodeHash(node: MapNode | null): Digest {
  if (node === null) {
    mark('M14');
    return zeroDigest;
  }
  node.hash ??=
    node.kind === 'leaf'
      ? mapLeafHash(node.path, sha256(node.value))
      : mapInnerHash(nodeHash(node.left), nodeHash(node.right));
  return node.hash;
}

/**
 * Hash of a leaf. It is hashed twice, the second time with a tag on the right, because no node
 * can have the tag as its child: a leaf never passes as an inner node, nor the reverse.
 */
export function mapLeafHash(path: Uint8Array, valueHash: Uint8Array): Digest {
  mark('M15');
  return pairHash(pairHash(path, valueHash), leafTag);
}

/** Hash of an inner node. */
export function mapInnerHash(left: Uint8Array, right: Uint8Array): Digest {
  mark('M16');
  return pairHash(left, right);
}

/** Whether a path turns right at a depth. */
export function turnsRight(path: Uint8Array, depth: number): boolean {
  return ((path[depth >> 3]! >> (7 - (depth & 7))) & 1) === 1;
}

/** A change under way: `leaf` is what shall stand at `path`, null for nothing. */
type Turn = { readonly path: Digest; readonly leaf: MapLeaf | null };

function arrange(changes: readonly MapChange[]): Turn[] {
  const turns = changes.map(({ key, value }): Turn => {
    const path = mapPath(key);
    if (value === null) return { path, leaf: null };
    // Copies: the caller's bytes may be a window on a whole block, or be written to later.
    const [ownKey, ownValue] = [new Uint8Array(key), new Uint8Array(value)];
    return { path, leaf: { kind: 'leaf', path, key: ownKey, value: ownValue, hash: null } };
  });
  turns.sort((a, b) => compareBytes(a.path, b.path)); // stable: later changes stay later
  return turns.filter(({ path }, at) => {
    const next = turns[at + 1];
    const counts = next === undefined || !sameBytes(path, next.path);
    if (!counts) mark('M10');
    return counts;
  });
}

function update(
  node: MapNode | null,
  turns: readonly Turn[],
  from: number,
  to: number,
  depth: number,
): MapNode | null {
  if (from === to) return node;
  if (node === null || node.kind === 'leaf') {
    const leaves = merge(node, turns, from, to);
    return grow(leaves, 0, leaves.length, depth);
  }
  const middle = firstRight(turns, from, to, depth);
  const left = update(node.left, turns, from, middle, depth + 1);
  const right = update(node.right, turns, middle, to, depth + 1);
  return left === node.left && right === node.right ? node : join(left, right);
}

/** The leaves, in order of path, that a lone leaf (or nothing) and the turns on it leave. */
function merge(
  old: MapLeaf | null,
  turns: readonly Turn[],
  from: number,
  to: number,
): readonly MapLeaf[] {
  const leaves: MapLeaf[] = [];
  let waiting = old;
  for (let at = from; at < to; at++) {
    const { path, leaf } = turns[at]!;
    const order = waiting === null ? 1 : compareBytes(waiting.path, path);
    if (order < 0) leaves.push(waiting!);
    if (leaf !== null) leaves.push(order === 0 ? kept(waiting!, leaf) : leaf);
    if (order <= 0) waiting = null;
  }
  if (waiting !== null) leaves.push(waiting);
  return leaves;
}

/** The old leaf if the new one says the same: what does not change is not hashed again. */
function kept(old: MapLeaf, next: MapLeaf): MapLeaf {
  if (!sameBytes(old.value, next.value)) return next;
  mark('M11');
  return old;
}

function grow(leaves: readonly MapLeaf[], from: number, to: number, depth: number): MapNode | null {
  if (from === to) return null;
  if (to - from === 1) {
    mark('M12');
    return leaves[from]!;
  }
  assert(depth < pathBits, 'two keys have two paths');
  const middle = firstRight(leaves, from, to, depth);
  return join(grow(leaves, from, middle, depth + 1), grow(leaves, middle, to, depth + 1));
}

/** A subtree of two halves; a lone leaf moves up, so that content alone decides its place. */
function join(left: MapNode | null, right: MapNode | null): MapNode | null {
  if (left === null || right === null) {
    const only = left ?? right;
    if (only === null || only.kind === 'leaf') {
      mark('M13');
      return only;
    }
  }
  return { kind: 'inner', left, right, size: leafCount(left) + leafCount(right), hash: null };
}

/** The first place in `from..to` whose path turns right; all to the left of it turn left. */
function firstRight(
  sorted: readonly { readonly path: Uint8Array }[],
  from: number,
  to: number,
  depth: number,
): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (turnsRight(sorted[middle]!.path, depth)) high = middle;
    else low = middle + 1;
  }
  return low;
}

function leafCount(node: MapNode | null): number {
  return node === null ? 0 : node.kind === 'leaf' ? 1 : node.size;
}

function pairHash(left: Uint8Array, right: Uint8Array): Digest {
  const pair = new Uint8Array(64);
  pair.set(left);
  pair.set(right, 32);
  return sha256(pair);
}
