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
import { openJobs } from './offer.ts';
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
    const others = state.unsure.get(view) ?? [];
    const farthest = state.engine.view + windowViews(state.rules.engine.seats);
    if (others.length >= blocksKeptMax || view > farthest) {
      mark('R14');
      return [];
    }
    state.unsure.set(view, [...others, id]);
  }
  const { vouched = false } = arrival;
  const parent = hex(header.parent);
  const lowest = header.height;
  const orphan = { ...arrival, sure, vouched, id, parent, below: parent, lowest, items: null };
  return place(state, orphan, arrival.items);
}

/** Puts a new header under its parent, and under it the orphans that waited for it. */
function place(
  state: ReplicaState,
  orphan: Orphan,
  items: readonly Uint8Array[] | null,
): readonly TreeEntry[] {
  const parentView = viewOf(state, orphan.parent);
  if (parentView === null) {
    keepOrphan(state, orphan, items);
    return [];
  }
  const placed = [enter(state, orphan, parentView, items)];
  for (const entry of placed) {
    const children = state.waiting.get(entry.ref.id) ?? [];
    state.waiting.delete(entry.ref.id);
    for (const child of children) {
      state.orphans.delete(child.id);
      placed.push(enter(state, child, entry.ref.view, child.items));
    }
  }
  return placed;
}

function enter(
  state: ReplicaState,
  { id, parent: _parent, below: _below, lowest: _lowest, ...announced }: Orphan,
  parentView: number,
  items: readonly Uint8Array[] | null,
): TreeEntry {
  mark('R16');
  const { header } = announced;
  const ref = blockRef(header, id, parentView);
  const fresh = { chain: null, fault: null, validated: false, sought: false };
  const entry: TreeEntry = { ...announced, ref, ...fresh };
  state.tree.set(id, entry);
  state.unsettled.set(id, entry);
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
  addOrphan(state, orphan);
  takeBody(state, id, orphan, items);
  wantParent(state, orphan);
}

function addOrphan({ orphans, waiting }: ReplicaState, orphan: Orphan): void {
  const { id, parent } = orphan;
  orphans.set(id, orphan);
  const others = waiting.get(parent);
  if (others === undefined) waiting.set(parent, [orphan]);
  else others.push(orphan);
}

/** Forgets the orphans that are not worth keeping. */
export function dropOrphans(state: ReplicaState, keeps: (orphan: Orphan) => boolean): void {
  const { orphans, waiting } = state;
  const kept = [...orphans.values()].filter(keeps);
  if (kept.length === orphans.size) return;
  orphans.clear();
  waiting.clear();
  for (const orphan of kept) {
    // A way down may have led over one that is gone.
    orphan.below = orphan.parent;
    orphan.lowest = orphan.header.height;
    addOrphan(state, orphan);
  }
}

/** Forgets a block of the tree. */
export function dropBlock({ tree, unsettled, working }: ReplicaState, id: Hex): void {
  tree.delete(id);
  unsettled.delete(id);
  working.delete(id);
}

/**
 * The highest missing ancestor of an orphan, and the height of the block on it. Every orphan on the
 * way remembers it, so that the next one who asks is there at once.
 */
export function missingBelow(
  { orphans }: ReplicaState,
  orphan: Orphan,
): { readonly id: Hex; readonly childHeight: number } {
  const way: Orphan[] = [orphan];
  let last = orphan;
  for (let next = orphans.get(last.below); next !== undefined; next = orphans.get(last.below)) {
    way.push(next);
    last = next;
  }
  for (const one of way) {
    one.below = last.below;
    one.lowest = last.lowest;
  }
  return { id: last.below, childHeight: last.lowest };
}

/** Whether a view is the current one or the next: what others propose in it may be voted on soon. */
export function isNear(state: ReplicaState, view: number): boolean {
  return view >= state.engine.view && view <= state.engine.view + 1;
}

function wantBody(state: ReplicaState, { header, ref, from, sure }: TreeEntry): void {
  if (sure || isNear(state, header.view))
    wantBlock(state, unhex(ref.id) as Digest, { view: header.view, certified: sure, from });
}

function wantParent(state: ReplicaState, { header, parent, from, sure }: Orphan): void {
  if (state.orphans.has(parent)) return;
  if (sure || isNear(state, header.view))
    wantBlock(state, header.parent as Digest, { view: header.view, certified: sure, from });
}

/**
 * Asks for what came in too early to be asked for, when its view has come near.
 * @see spec/protocol/replica.md R22
 */
export function wantReached(state: ReplicaState): void {
  const { view } = state.engine;
  if (state.reachedView === view) return;
  state.reachedView = view;
  mark('R22');
  // What is certified has been asked for since it came.
  for (const near of [view, view + 1])
    for (const id of state.unsure.get(near) ?? []) {
      const entry = state.tree.get(id);
      const orphan = state.orphans.get(id);
      if (entry !== undefined && entry.items === null) wantBody(state, entry);
      if (orphan !== undefined) wantParent(state, orphan);
    }
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
  for (const [id, entry] of state.unsettled) {
    if (entry.chain === null) apply(state, entry);
    if (entry.fault !== null) state.unsettled.delete(id);
    if (entry.chain === null) continue;
    if (entry.header.timeMs > state.now + slack) {
      mark('R19');
      continue;
    }
    if (!parentValidated(state, entry)) continue;
    mark('R20');
    entry.validated = true;
    state.unsettled.delete(id);
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
    noteWork(state, entry.ref.id, applied.chain);
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

function noteWork({ working }: ReplicaState, id: Hex, chain: ChainState): void {
  if (openJobs(chain).size > 0) working.add(id);
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
    sought: false,
  };
  state.tree.set(entry.ref.id, entry);
  noteWork(state, entry.ref.id, chain);
  return entry;
}

/** When a held block's time will be near enough to the clock; null if none is held. */
export function nextHeldAt(state: ReplicaState): number | null {
  const slack = state.rules.ledger.genesis.parameters.clockSlackMs;
  let at: number | null = null;
  for (const { chain, header } of state.unsettled.values())
    if (chain !== null && header.timeMs > state.now + slack)
      at = Math.min(at ?? header.timeMs - slack, header.timeMs - slack);
  return at;
}
