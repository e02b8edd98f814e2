/** Show headers, blocks and entries of the state to people. */
import { hex, unhex } from '../../protocol/brand.ts';
import { tryDecode } from '../../protocol/codec/codec.ts';
import { jobId } from '../../protocol/job/job.ts';
import { blockItemCodec } from '../../protocol/ledger/block.ts';
import { type Header, headerHash } from '../../protocol/ledger/header.ts';
import { stateKeys } from '../../protocol/ledger/state.ts';
import { mapGet } from '../../protocol/merkle/map.ts';
import { heightMax, publicKeyBytes, seatCountMax, timeMsMax } from '../../protocol/params.ts';
import type { BlockView, HeaderView, StateEntry } from '../api/contract.ts';
import type { AnwansiNode, FinalBlock } from '../face.ts';

export function headerView(header: Header): HeaderView {
  const { height, view, epoch, proposer, timeMs } = header;
  return {
    height,
    hash: hex(headerHash(header)),
    parent: hex(header.parent),
    view,
    epoch,
    proposer,
    time: new Date(timeMs).toISOString(),
    timeMs,
    beacon: hex(header.beacon),
    itemsRoot: hex(header.itemsRoot),
    historyRoot: hex(header.historyRoot),
    stateRoot: hex(header.stateRoot),
    seatSetHash: hex(header.seatSetHash),
  };
}

export function blockView({ block, certificate }: FinalBlock): BlockView {
  return {
    header: headerView(block.header),
    signers: certificate === null ? null : [...certificate.seats],
    items: block.items.map(itemView),
  };
}

function itemView(encoded: Uint8Array): BlockView['items'][number] {
  const item = tryDecode(blockItemCodec, encoded);
  const bytes = encoded.length;
  if (item === null) return { kind: 'unknown', job: null, seat: null, lane: null, bytes };
  if (item.kind === 'job')
    return { kind: 'job', job: hex(jobId(item.signed.job)), seat: null, lane: null, bytes };
  const { kind, job, seat, lane } = item.signed.statement;
  return { kind, job: hex(job), seat, lane, bytes };
}

/** What the final state holds under a key. */
export function stateEntry(node: AnwansiNode, key: Uint8Array): StateEntry {
  const { map, header } = node.state().final;
  const value = mapGet(map, key);
  return {
    key: hex(key),
    value: value === null ? null : hex(value),
    height: header.height,
    stateRoot: hex(header.stateRoot),
  };
}

/** Bytes of a raw key, at most: more than any key of the state has. */
const rawKeyBytesMax = 128;

type Reader = (...parts: readonly string[]) => Uint8Array | null;

/** Reads names after their tag; null where one is malformed or out of range. */
const readers: Readonly<Record<string, readonly [parts: number, read: Reader]>> = {
  open: [0, () => stateKeys.open()],
  ordered: [0, () => stateKeys.ordered()],
  job: [1, (id) => named(bytes32(id), stateKeys.job)],
  account: [1, (key) => named(bytes32(key), stateKeys.account)],
  seat: [1, (index) => named(whole(index, seatCountMax - 1), stateKeys.seat)],
  recent: [1, (height) => named(whole(height, heightMax), stateKeys.recent)],
  expiries: [1, (second) => named(whole(second, timeMsMax), stateKeys.expiries)],
  lane: [
    2,
    (id, lane) =>
      named(bytes32(id), (job) =>
        named(whole(lane, seatCountMax), (place) => stateKeys.lane(job, place)),
      ),
  ],
  expiry: [
    2,
    (second, place) =>
      named(whole(second, timeMsMax), (at) =>
        named(whole(place, 2 ** 32), (one) => stateKeys.expiry(at, one)),
      ),
  ],
  nonce: [
    2,
    (key, nonce) =>
      named(bytes32(key), (submitter) =>
        named(big64(nonce), (value) => stateKeys.nonce(submitter, value)),
      ),
  ],
};

/**
 * Reads the key of an entry of the state: `open`, `ordered`, `job/<hex>`, `account/<hex>`,
 * `seat/<n>`, `lane/<hex>/<n>`, `nonce/<hex>/<n>`, `recent/<height>`, `expiries/<second>`,
 * `expiry/<second>/<n>`, or the raw key as hexadecimal text. Null for all other texts.
 */
export function stateKeyOf(text: string): Uint8Array | null {
  if (text.length > 4 * rawKeyBytesMax) return null;
  const [tag = '', ...parts] = text.split('/');
  const reader = Object.hasOwn(readers, tag) ? readers[tag] : undefined;
  if (reader !== undefined) return parts.length === reader[0] ? reader[1](...parts) : null;
  const raw = unhex(text);
  return raw !== null && raw.length > 0 && raw.length <= rawKeyBytesMax ? raw : null;
}

function named<T>(name: T | null, key: (name: T) => Uint8Array | null): Uint8Array | null {
  return name === null ? null : key(name);
}

function bytes32(text = ''): Uint8Array | null {
  const bytes = unhex(text);
  return bytes?.length === publicKeyBytes ? bytes : null;
}

function whole(text = '', max: number): number | null {
  const value = /^(0|[1-9]\d{0,15})$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY;
  return value <= max ? value : null;
}

function big64(text = ''): bigint | null {
  const value = /^(0|[1-9]\d{0,19})$/.test(text) ? BigInt(text) : 2n ** 64n;
  return value < 2n ** 64n ? value : null;
}
