/** Grow the tree of blocks above the last final one: headers, bodies, applied chains. */
import { mark } from '../assert.ts';
import { type Hex, hex, sameBytes, unhex } from '../brand.ts';
import type { BlockRef } from '../consensus/message.ts';
import { blocksKeptMax, named, windowViews } from '../consensus/state.ts';
import type { Digest } from '../crypto/hash.ts';
import { itemsRoot } from '../ledger/block.ts';
import type { ChainState } from '../ledger/chain.ts';
import { type Header, headerHash } from '../ledger/header.ts';
import { applyBlock } from '../ledger/transition.ts';
import type { Orphan, ReplicaState, TreeEntry } from './state.ts';
import { wantBlock } from './want.ts';
import type { SealedBlock } from './wire.ts';

// A header is announced, answered and announced again: it is hashed once.
const ids = new WeakMap<Header, Hex>();

/** The id of a block, as a key. */
export function blockId(header: Header): Hex {
  let id = ids.get(header);
  if (id === undefined) {
    id = hex(headerHash(header));
    ids.set(header, id);
  }
  return id;
}

/** A block as consensus sees it. */
export function blockRef(header: Header, id: Hex, parentView: number): BlockRef {
  const { view, height, proposer, timeMs } = header;
  return { id, view, height, parent: hex(header.parent), parentView, proposer, time: timeMs };
}

/** The chain at a block that is final or applied; null otherwise. */
export function chainAt(state: ReplicaState, id: Hex): ChainState | null {
  if (id === state.finalRef.id) return state.final;
  return state.tree.get(id)?.chain ?? null;
}

function viewOf(state: ReplicaState, id: Hex): number | null {
  if (id === state.finalRef.id) return state.finalRef.view;
  return state.tree.get(id)?.header.view ?? null;
}

/** What came in: a header that its leader signed, perhaps with its body. */
export type Arrival = {
  readonly header: Header;
  readonly signature: Uint8Array;
  readonly rests: readonly Uint8Array[];
  readonly items: readonly Uint8Array[] | null;
  readonly from: string | null;
  /** It came with all blocks from our final one up to one that a Final certificate names. */
  readonly vouched?: boolean;
  /** Whether a certificate, or our own disk, vouches for it. */
  readonly sure: boolean;
};

/**
 * Takes a header in. Returns the entries that consensus has to hear of, parents first.
 * @see spec/protocol/replica.md R12 to R17
 */
export function takeBlock(state: ReplicaState, arrival: Arrival): readonly TreeEntry[] {
  const { header } = arrival;
  if (header.height <= state.finalRef.height || header.view <= state.finalRef.view) {
    mark('R12');
    return [];
  }
  const id = blockId(header);
  const known = state.tree.get(id) ?? state.orphans.get(id);
  if (known !== undefined) {
    mark('R13');
    takeBody(state, id, known, arrival.items);
    return [];
  }
  const { view } = header;
  const sure = arrival.sure || named(state.engine, id, view) || state.certified?.id === id;
  if (!sure) {
    const count = state.unsure.get(view) ?? 0;
    const farthest = state.engine.view + windowViews(state.rules.engine.seats);
    if (count >= blocksKeptMax || view > farthest) {
      mark('R14');
      return [];
    }
    state.unsure.set(view, count + 1);
  }
  const { vouched = false } = arrival;
  return place(state, { ...arrival, sure, vouched, id, items: null }, arrival.items);
}

/** Puts a new header under its parent, and under it the orphans that waited for it. */
function place(
  state: ReplicaState,
  orphan: Orphan,
  items: readonly Uint8Array[] | null,
): readonly TreeEntry[] {
  const parentView = viewOf(state, hex(orphan.header.parent));
  if (parentView === null) {
    keepOrphan(state, orphan, items);
    return [];
  }
  const placed = [enter(state, orphan, parentView, items)];
  if (state.orphans.size === 0) return placed;
  const children = new Map<Hex, Orphan[]>();
  for (const waiting of state.orphans.values()) {
    const parent = hex(waiting.header.parent);
    children.set(parent, [...(children.get(parent) ?? []), waiting]);
  }
  for (const entry of placed)
    for (const child of children.get(entry.ref.id) ?? []) {
      state.orphans.delete(child.id);
      placed.push(enter(state, child, entry.ref.view, child.items));
    }
  return placed;
}

function enter(
  state: ReplicaState,
  { id, ...announced }: Orphan,
  parentView: number,
  items: readonly Uint8Array[] | null,
): TreeEntry {
  mark('R16');
  const { header } = announced;
  const ref = blockRef(header, id, parentView);
  const entry: TreeEntry = { ...announced, ref, chain: null, fault: null, validated: false };
  state.tree.set(id, entry);
  takeBody(state, id, entry, items);
  if (entry.items === null) wantBody(state, entry);
  return entry;
}

function keepOrphan(
  state: ReplicaState,
  orphan: Orphan,
  items: readonly Uint8Array[] | null,
): void {
  const { header, id } = orphan;
  // Its parent would have to be our final block, and is not.
  if (header.height <= state.finalRef.height + 1) return;
  mark('R15');
  state.orphans.set(id, orphan);
  takeBody(state, id, orphan, items);
  wantParent(state, orphan);
}

/** Whether a view is the current one or the next: what others propose in it may be voted on soon. */
export function isNear(state: ReplicaState, view: number): boolean {
  return view >= state.engine.view && view <= state.engine.view + 1;
}

function wantBody(state: ReplicaState, { header, ref, from, sure }: TreeEntry): void {
  if (sure || isNear(state, header.view))
    wantBlock(state, unhex(ref.id) as Digest, { view: header.view, certified: sure, from });
}

function wantParent(state: ReplicaState, { header, from, sure }: Orphan): void {
  if (state.orphans.has(hex(header.parent))) return;
  if (sure || isNear(state, header.view))
    wantBlock(state, header.parent as Digest, { view: header.view, certified: sure, from });
}

/**
 * Asks for what came in too early to be asked for, when its view has come near.
 * @see spec/protocol/replica.md R22
 */
export function wantReached(state: ReplicaState): void {
  if (state.reachedView === state.engine.view) return;
  state.reachedView = state.engine.view;
  mark('R22');
  for (const entry of state.tree.values()) if (entry.items === null) wantBody(state, entry);
  for (const orphan of state.orphans.values()) wantParent(state, orphan);
}

const emptyBody: readonly Uint8Array[] = [];
const emptyRoot = itemsRoot(emptyBody);

function takeBody(
  state: ReplicaState,
  id: Hex,
  holder: TreeEntry | Orphan,
  given: readonly Uint8Array[] | null,
): void {
  // An empty body is known by its root: nobody needs to be asked for it.
  const items = given ?? (sameBytes(holder.header.itemsRoot, emptyRoot) ? emptyBody : null);
  if (items === null) return;
  // A body that does not belong to the header says nothing about the block: it is asked for again.
  if (holder.items === null && sameBytes(itemsRoot(items), holder.header.itemsRoot)) {
    mark('R17');
    holder.items = items;
  }
  if (holder.items !== null) state.wanted.delete(`block/${id}`);
}

/**
 * Applies every block whose parent is applied, and returns those that are newly valid by the
 * clock too. A block from the future is held, not refused.
 * @see spec/protocol/replica.md R18 to R20
 */
export function applyReady(state: ReplicaState): readonly TreeEntry[] {
  const valid: TreeEntry[] = [];
  const slack = state.rules.ledger.genesis.parameters.clockSlackMs;
  // Parents stand before their children: one pass does all.
  for (const entry of state.tree.values()) {
    if (entry.chain === null) apply(state, entry);
    if (entry.chain === null || entry.validated) continue;
    if (entry.header.timeMs > state.now + slack) {
      mark('R19');
      continue;
    }
    if (!parentValidated(state, entry)) continue;
    mark('R20');
    entry.validated = true;
    valid.push(entry);
  }
  return valid;
}

function apply(state: ReplicaState, entry: TreeEntry): void {
  if (entry.fault !== null || entry.items === null) return;
  const parent = chainAt(state, entry.ref.parent);
  if (parent === null) return;
  const { header, items, vouched } = entry;
  if (vouched) mark('R70');
  const applied = applyBlock(parent, header, items, state.rules.ledger, vouched);
  if (applied.ok) {
    entry.chain = applied.chain;
    return;
  }
  mark('R18');
  entry.fault = applied.code;
  const notice = {
    kind: 'block-refused',
    height: entry.header.height,
    code: applied.code,
  } as const;
  state.effects.push({ kind: 'notice', notice });
}

function parentValidated(state: ReplicaState, { ref }: TreeEntry): boolean {
  if (ref.parent === state.finalRef.id) return true;
  return state.tree.get(ref.parent)?.validated ?? false;
}

/** Adds a block that we made ourselves. */
export function addOwnBlock(
  state: ReplicaState,
  block: SealedBlock,
  rests: readonly Uint8Array[],
  chain: ChainState,
  parentView: number,
): TreeEntry {
  const entry: TreeEntry = {
    ...block,
    ref: blockRef(block.header, hex(chain.hash), parentView),
    rests,
    from: null,
    sure: true,
    vouched: false,
    chain,
    fault: null,
    validated: true,
  };
  state.tree.set(entry.ref.id, entry);
  return entry;
}

/** When a held block's time will be near enough to the clock; null if none is held. */
export function nextHeldAt(state: ReplicaState): number | null {
  const slack = state.rules.ledger.genesis.parameters.clockSlackMs;
  let at: number | null = null;
  for (const { chain, validated, header } of state.tree.values())
    if (chain !== null && !validated && header.timeMs > state.now + slack)
      at = Math.min(at ?? header.timeMs - slack, header.timeMs - slack);
  return at;
}
