/** Grow the tree of blocks above the last final one: headers, bodies, applied chains. */
import { mark } from '../assert.ts';
import { type Hex, hex, sameBytes } from '../brand.ts';
import type { BlockRef } from '../consensus/message.ts';
import { itemsRoot } from '../ledger/block.ts';
import type { ChainState } from '../ledger/chain.ts';
import { type Header, headerHash } from '../ledger/header.ts';
import { applyBlock } from '../ledger/transition.ts';
import type { Orphan, ReplicaState, TreeEntry } from './state.ts';
import { want } from './want.ts';
import type { SealedBlock } from './wire.ts';

/** Blocks above the final one that are kept, and headers without a known parent. */
export const treeBlockCountMax = 1_024;
const orphanCountMax = 256;
/** Missing ancestors that are asked for one by one; above that, a stretch is asked for. */
const stepwiseHeightMax = 3;

/** A block as consensus sees it. */
export function blockRef(header: Header, id: Hex, parentView: number): BlockRef {
  const { view, height, proposer, timeMs } = header;
  return { id, view, height, parent: hex(header.parent), parentView, proposer, time: timeMs };
}

/** The chain at a block that is final or applied; null otherwise. */
export function chainAt(state: ReplicaState, id: Hex): ChainState | null {
  if (id === hex(state.final.hash)) return state.final;
  return state.tree.get(id)?.chain ?? null;
}

function viewOf(state: ReplicaState, id: Hex): number | null {
  if (id === hex(state.final.hash)) return state.final.header.view;
  return state.tree.get(id)?.header.view ?? null;
}

/** What came in: a header that its leader signed, perhaps with its body. */
export type Arrival = {
  readonly header: Header;
  readonly signature: Uint8Array;
  readonly rests: readonly Uint8Array[];
  readonly items: readonly Uint8Array[] | null;
  readonly from: string | null;
};

/**
 * Takes a header in. Returns the entries that consensus has to hear of, parents first.
 * @see spec/protocol/replica.md R11 to R15
 */
export function takeBlock(state: ReplicaState, arrival: Arrival): readonly TreeEntry[] {
  const { header } = arrival;
  const id = hex(headerHash(header));
  if (header.height <= state.final.header.height) return [];
  const known = state.tree.get(id);
  if (known !== undefined) {
    mark('R11');
    takeBody(state, known, arrival.items);
    return [];
  }
  const parentView = viewOf(state, hex(header.parent));
  if (parentView === null) {
    keepOrphan(state, id, arrival);
    return [];
  }
  if (state.tree.size >= treeBlockCountMax) return [];
  mark('R12');
  const entry: TreeEntry = {
    header,
    ref: blockRef(header, id, parentView),
    signature: arrival.signature,
    rests: arrival.rests,
    from: arrival.from,
    items: null,
    chain: null,
    fault: null,
    validated: false,
  };
  state.tree.set(id, entry);
  takeBody(state, entry, arrival.items);
  if (entry.items === null) want(state, { kind: 'block', hash: headerHash(header) }, arrival.from);
  return [entry, ...adopt(state, id)];
}

function keepOrphan(state: ReplicaState, id: Hex, arrival: Arrival): void {
  mark('R13');
  const { header } = arrival;
  const gap = header.height - state.final.header.height;
  if (gap <= 1) return; // Its parent would have to be our final block, and is not.
  if (!state.orphans.has(id)) {
    if (state.orphans.size >= orphanCountMax) dropOrphan(state);
    state.orphans.set(id, { ...arrival });
  }
  if (gap > stepwiseHeightMax)
    want(state, { kind: 'final', from: state.final.header.height + 1 }, arrival.from);
  if (!state.tree.has(hex(header.parent)))
    want(state, { kind: 'block', hash: header.parent }, arrival.from);
}

function dropOrphan(state: ReplicaState): void {
  let lowest: [Hex, Orphan] | null = null;
  for (const entry of state.orphans)
    if (lowest === null || entry[1].header.height < lowest[1].header.height) lowest = entry;
  if (lowest !== null) state.orphans.delete(lowest[0]);
}

function adopt(state: ReplicaState, parent: Hex): readonly TreeEntry[] {
  const found: TreeEntry[] = [];
  for (const [id, orphan] of [...state.orphans]) {
    if (hex(orphan.header.parent) !== parent) continue;
    state.orphans.delete(id);
    found.push(...takeBlock(state, orphan));
  }
  return found;
}

function takeBody(
  state: ReplicaState,
  entry: TreeEntry,
  items: readonly Uint8Array[] | null,
): void {
  if (entry.items !== null || items === null) return;
  // A body that does not belong to the header says nothing about the block: it is asked for again.
  if (!sameBytes(itemsRoot(items), entry.header.itemsRoot)) return;
  mark('R14');
  entry.items = items;
  state.wanted.delete(`block/${entry.ref.id}`);
}

/**
 * Applies every block whose parent is applied, and returns those that are newly valid by the
 * clock too. A block from the future is held, not refused.
 */
export function applyReady(state: ReplicaState): readonly TreeEntry[] {
  const valid: TreeEntry[] = [];
  const slack = state.rules.ledger.genesis.parameters.clockSlackMs;
  let progress = true;
  while (progress) {
    progress = false;
    for (const entry of state.tree.values()) {
      if (entry.chain === null && entry.fault === null && entry.items !== null) {
        const parent = chainAt(state, entry.ref.parent);
        if (parent === null) continue;
        const applied = applyBlock(parent, entry.header, entry.items, state.rules.ledger);
        progress = true;
        if (applied.ok) entry.chain = applied.chain;
        else {
          entry.fault = applied.code;
          const { height } = entry.header;
          const notice = { kind: 'block-refused', height, code: applied.code } as const;
          state.effects.push({ kind: 'notice', notice });
        }
      }
      if (entry.chain === null || entry.validated) continue;
      if (entry.header.timeMs > state.now + slack) {
        mark('R15');
        continue;
      }
      if (!ancestorsValidated(state, entry)) continue;
      entry.validated = true;
      progress = true;
      valid.push(entry);
    }
  }
  return valid;
}

function ancestorsValidated(state: ReplicaState, entry: TreeEntry): boolean {
  if (entry.ref.parent === hex(state.final.hash)) return true;
  return state.tree.get(entry.ref.parent)?.validated ?? false;
}

/** Adds a block that we made ourselves. */
export function addOwnBlock(
  state: ReplicaState,
  block: SealedBlock,
  rests: readonly Uint8Array[],
  chain: ChainState,
  parentView: number,
): TreeEntry {
  const id = hex(chain.hash);
  const entry: TreeEntry = {
    header: block.header,
    ref: blockRef(block.header, id, parentView),
    signature: block.signature,
    rests,
    from: null,
    items: block.items,
    chain,
    fault: null,
    validated: true,
  };
  state.tree.set(id, entry);
  return entry;
}

/** When a held block's time will be near enough to the clock; null if none is held. */
export function nextHeldAt(state: ReplicaState): number | null {
  const slack = state.rules.ledger.genesis.parameters.clockSlackMs;
  let at: number | null = null;
  for (const entry of state.tree.values())
    if (entry.chain !== null && !entry.validated && entry.header.timeMs > state.now + slack)
      at = Math.min(at ?? entry.header.timeMs - slack, entry.header.timeMs - slack);
  return at;
}
