/** Apply a block to the state, wholly or not at all. */
import { mark } from '../assert.ts';
import { sameBytes } from '../brand.ts';
import { tryDecode } from '../codec/codec.ts';
import { leaderOf } from '../consensus/seats.ts';
import { frontierRoot } from '../merkle/list.ts';
import { mapRoot, type StateMap } from '../merkle/map.ts';
import { blockBytesMax, blockItemCountMax, blockJobCountMax } from '../params.ts';
import { beaconInput, nextBeacon } from '../sampling/beacon.ts';
import { type BlockItem, blockItemCodec, itemsRoot } from './block.ts';
import { type ChainState, childHistory, type LedgerRules } from './chain.ts';
import type { BlockContext } from './context.ts';
import { drawJobs, drawWaves } from './draw.ts';
import { endLanes } from './end.ts';
import { type Header, headerHash } from './header.ts';
import { orderJob, orderSeatStatement } from './items.ts';
import { StateCursor } from './state.ts';

/** The part of a header that a leader chooses or proves; the rest follows from the items. */
export type BlockSeal = {
  readonly view: number;
  readonly proposer: number;
  readonly timeMs: number;
  readonly beacon: Uint8Array;
  readonly vrfProof: Uint8Array;
};

export type Applied =
  | { readonly ok: true; readonly chain: ChainState }
  | { readonly ok: false; readonly code: string };

/**
 * Applies a received block: every rule is checked, the state root recomputed.
 * @param vouched - A quorum has voted for the block or one above it: its beacon, by far the dearest
 *   to check, is taken as those of them who are honest have found it.
 * @see spec/protocol/ledger.md L5 to L16
 */
export function applyBlock(
  parent: ChainState,
  header: Header,
  items: readonly Uint8Array[],
  rules: LedgerRules,
  vouched = false,
): Applied {
  const wrong =
    headerFault(parent, header, rules) ??
    (vouched ? null : beaconFault(parent.header, header, rules));
  if (wrong !== null) return { ok: false, code: wrong };
  if (!bodyFits(items)) return refused('L10', 'BLOCK_FULL');
  if (!sameBytes(itemsRoot(items), header.itemsRoot)) return refused('L11', 'BLOCK_ITEMS_ROOT');
  const work = beginBlock(parent, header, rules);
  for (const bytes of items) {
    const item = tryDecode(blockItemCodec, bytes);
    if (item === null) return refused('L12', 'BLOCK_ITEM_MALFORMED');
    const code = work.order(item);
    if (code !== null) return refused('L13', code);
  }
  const map = work.end();
  if (!sameBytes(mapRoot(map), header.stateRoot)) return refused('L15', 'BLOCK_STATE_ROOT');
  mark('L16');
  const hash = headerHash(header);
  return { ok: true, chain: { header, hash, map, history: childHistory(parent) } };
}

function headerFault(parent: ChainState, header: Header, rules: LedgerRules): string | null {
  const { header: above } = parent;
  const { stepMinMs, stepMaxMs } = rules.genesis.parameters;
  if (
    !sameBytes(header.network, rules.network) ||
    header.epoch !== above.epoch ||
    header.height !== above.height + 1 ||
    header.view <= above.view ||
    !sameBytes(header.parent, parent.hash) ||
    !sameBytes(header.seatSetHash, rules.seatSet) ||
    !sameBytes(header.historyRoot, frontierRoot(childHistory(parent)))
  )
    return code('L5', 'BLOCK_NOT_A_CHILD');
  const step = header.timeMs - above.timeMs;
  if (step < stepMinMs || step > stepMaxMs) return code('L6', 'BLOCK_TIME');
  const leader = leaderOf({
    network: rules.network,
    leaderSeed: rules.leaderSeed,
    epoch: header.epoch,
    view: header.view,
    seats: rules.genesis.seats.length,
  });
  return header.proposer === leader ? null : code('L7', 'BLOCK_PROPOSER');
}

function beaconFault(above: Header, header: Header, rules: LedgerRules): string | null {
  const input = beaconInput(above.beacon, header.epoch, header.view);
  const { vrfPublicKey } = rules.genesis.seats[header.proposer]!;
  const output = rules.suite.vrfVerify(vrfPublicKey, input, header.vrfProof);
  if (output === null) return code('L8', 'BLOCK_VRF');
  const { epoch, view } = header;
  const beacon = nextBeacon({ parentBeacon: above.beacon, epoch, view, output });
  if (!sameBytes(beacon, header.beacon)) return code('L9', 'BLOCK_BEACON');
  return null;
}

/** Bytes that a body takes beside its items, and an item beside its own bytes, at most. */
const bodyFrameBytes = 1_024;
const itemFrameBytes = 8;

/** The bytes by which a body is measured: no less than what it takes on the wire. */
function bodyBytes(items: readonly Uint8Array[]): number {
  return items.reduce((sum, { length }) => sum + length + itemFrameBytes, bodyFrameBytes);
}

function bodyFits(items: readonly Uint8Array[]): boolean {
  return items.length <= blockItemCountMax && bodyBytes(items) <= blockBytesMax;
}

/** A block that is being made or checked. */
type BlockWork = {
  /** Orders one item, or says why it cannot be; then the state is as it was. */
  readonly order: (item: BlockItem) => string | null;
  readonly end: () => StateMap;
};

function beginBlock(
  parent: ChainState,
  seal: BlockSeal & { readonly height: number },
  rules: LedgerRules,
): BlockWork {
  const cursor = new StateCursor(parent.map);
  const { header } = parent;
  mark('L17');
  cursor.setRecent({
    height: header.height,
    hash: parent.hash,
    view: header.view,
    timeMs: header.timeMs,
    proposer: header.proposer,
  });
  mark('L18');
  const seconds = (timeMs: number): number => Math.floor(timeMs / 1000);
  for (let second = seconds(header.timeMs); second < seconds(seal.timeMs); second++)
    cursor.forgetNonces(second);
  const block: BlockContext = { ...seal, parent: { hash: parent.hash, ...place(header) } };
  drawJobs(cursor, block, rules);
  drawWaves(cursor, block, rules);
  const ordered: Uint8Array[] = [];
  return {
    order: (item) => {
      if (item.kind === 'statement')
        return orderSeatStatement(cursor, item.signed, seal.height, rules);
      if (ordered.length >= blockJobCountMax) return code('L14', 'BLOCK_TOO_MANY_JOBS');
      const result = orderJob(cursor, item.signed, block, rules);
      if (typeof result === 'string') return result;
      ordered.push(result);
      return null;
    },
    end: () => {
      cursor.setOrdered(ordered);
      endLanes(cursor, block, rules);
      return cursor.finish();
    },
  };
}

function place({ height, view, timeMs }: Header): { height: number; view: number; timeMs: number } {
  return { height, view, timeMs };
}

/** A block made by its leader: as many of the offered items as fit and are valid, in order. */
export type Draft = {
  readonly header: Header;
  readonly items: readonly Uint8Array[];
  readonly chain: ChainState;
  /** Offered items that have no place here, and why. */
  readonly left: readonly { readonly item: BlockItem; readonly code: string }[];
};

/**
 * Makes a block from what a pool offers. Whatever is offered, what has no place is left.
 * @see spec/protocol/ledger.md L41, L42
 */
export function draftBlock(
  parent: ChainState,
  seal: BlockSeal,
  offered: readonly BlockItem[],
  rules: LedgerRules,
): Draft {
  const height = parent.header.height + 1;
  const work = beginBlock(parent, { ...seal, height }, rules);
  const items: Uint8Array[] = [];
  const left: { item: BlockItem; code: string }[] = [];
  let bytes = bodyBytes([]);
  for (const item of offered) {
    const encoded = blockItemCodec.encode(item);
    const size = encoded.length + itemFrameBytes;
    if (items.length >= blockItemCountMax || bytes + size > blockBytesMax) {
      left.push({ item, code: code('L41', 'BLOCK_FULL') });
      continue;
    }
    const fault = work.order(item);
    if (fault === null) {
      items.push(encoded);
      bytes += size;
    } else left.push({ item, code: code('L42', fault) });
  }
  const map = work.end();
  const history = childHistory(parent);
  const header: Header = {
    network: rules.network,
    epoch: parent.header.epoch,
    height,
    parent: parent.hash,
    itemsRoot: itemsRoot(items),
    historyRoot: frontierRoot(history),
    seatSetHash: rules.seatSet,
    stateRoot: mapRoot(map),
    ...seal,
  };
  return { header, items, chain: { header, hash: headerHash(header), map, history }, left };
}

function refused(line: string, name: string): Applied {
  mark(line);
  return { ok: false, code: name };
}

function code(line: string, name: string): string {
  mark(line);
  return name;
}
