/** Address lists by their root; write, read and check them as they travel. */
import { assert, mark } from '../assert.ts';
import { hex, sameBytes } from '../brand.ts';
import { codec } from '../codec/codec.ts';
import { bytesUpTo, list } from '../codec/schema.ts';
import { sha256 } from '../crypto/hash.ts';
import { recent } from '../crypto/recent.ts';
import { atOnce, type Stretches, stretchHashCount } from '../crypto/stretches.ts';
import { cidBytes, itemCountMax } from '../params.ts';
import { type Cid, cidCodec, cidDigest, isCid, listCid, listCodec } from './cid.ts';
import { leafHash, listRoot } from './list.ts';
import { listTreeStretches } from './tree.ts';

/** Entries of a list, bytes of one, and bytes of the list as it travels. */
export const listEntryCountMax = itemCountMax + 1;
export const listEntryBytesMax = 1_024;
export const listBlobBytesMax = 40 * 1024 * 1024;

assert(itemCountMax * (cidBytes + 2) + 16 <= listBlobBytesMax, 'a list holds the ids of all items');

/** The one encoding of a list: its entries in order. {@link readListStretches} reads the same. */
export const listBlobCodec = codec(
  'list',
  listBlobBytesMax,
  list(bytesUpTo(listEntryBytesMax), listEntryCountMax),
  listEntryCountMax + 1,
);

/** Lists of which it is remembered that they were checked. */
const checkedCountMax = 1_024;

/**
 * Flat hash of the bytes that a list id names: they pass the whole of the node several times. A
 * flat hash costs a twentieth of the root, and no two byte strings share one.
 */
const checked = recent<string>(checkedCountMax);

/** Entries of a list that was read: they stay in its bytes until they are asked for. */
export type PackedList = {
  readonly count: number;
  /** A copy of an entry. */
  readonly entry: (index: number) => Uint8Array;
};

/** A list as it is addressed and as it travels. */
export type ListBlob = { readonly cid: Cid; readonly bytes: Uint8Array };

/** A list as it is addressed and as it travels. @throws CodecError beyond the limits. */
export function listBlob(entries: readonly Uint8Array[]): ListBlob {
  return atOnce(listBlobStretches(entries));
}

/** The same, made in stretches; it counts as checked from then on. */
export function* listBlobStretches(entries: readonly Uint8Array[]): Stretches<ListBlob> {
  let length = headBytes(entries.length);
  for (const entry of entries) length += headBytes(entry.length) + entry.length;
  const sized = entries.every((entry) => entry.length <= listEntryBytesMax);
  if (!sized || entries.length > listEntryCountMax || length > listBlobBytesMax)
    return { cid: listCid(listRoot([])), bytes: listBlobCodec.encode(entries) }; // It throws.
  yield;
  const bytes = new Uint8Array(length);
  let at = writeHead(bytes, 0, arrayMajor, entries.length);
  for (let index = 0; index < entries.length; index++) {
    const entry = entries[index]!;
    at = writeHead(bytes, at, bytesMajor, entry.length);
    bytes.set(entry, at);
    at += entry.length;
    if (index % (8 * stretchHashCount) === 8 * stretchHashCount - 1) yield;
  }
  const cid = listCid(yield* rootStretches(entries.length, (index) => entries[index]!));
  yield;
  checked.set(hex(cid), hex(sha256(bytes)));
  return { cid, bytes };
}

/**
 * The entries of the list that a content id names, or null if these bytes are not it. Total.
 * @see spec/protocol/merkle.md M30
 */
export function verifyListBlob(cid: Uint8Array, bytes: Uint8Array): readonly Uint8Array[] | null {
  const read = atOnce(readListStretches(cid, bytes));
  return read === null ? null : Array.from({ length: read.count }, (_, at) => read.entry(at));
}

/** Whether bytes are the list that a content id names. Total. */
export function isListBlob(cid: Uint8Array, bytes: Uint8Array): boolean {
  const known = checked.get(hex(cid));
  if (known !== undefined && known === hex(sha256(bytes))) return true;
  return atOnce(readListStretches(cid, bytes)) !== null;
}

/**
 * Reads and checks a list in stretches. The bytes must not change while the list is in use.
 * @see spec/protocol/merkle.md M30
 */
export function* readListStretches(
  cid: Uint8Array,
  bytes: Uint8Array,
): Stretches<PackedList | null> {
  mark('M30');
  if (!isCid(cid) || cidCodec(cid) !== listCodec || bytes.length > listBlobBytesMax) return null;
  const ends = yield* entryEnds(bytes);
  if (ends === null) return null;
  const entryAt = (index: number): Uint8Array => {
    const before = index === 0 ? headBytes(ends.length) : ends[index - 1]!;
    const end = ends[index]!;
    // The head is as short as it can be, so its length follows from what it and the entry have.
    return bytes.subarray(end - contentBytes(end - before), end);
  };
  yield;
  const flat = hex(sha256(bytes));
  yield;
  const name = hex(cid);
  if (checked.get(name) !== flat) {
    const root = yield* rootStretches(ends.length, entryAt);
    if (!sameBytes(root, cidDigest(cid))) return null;
    checked.set(name, flat);
  }
  return { count: ends.length, entry: (index) => entryAt(index).slice() };
}

function* rootStretches(
  count: number,
  entryAt: (index: number) => Uint8Array,
): Stretches<Uint8Array> {
  if (count === 0) return listRoot([]);
  const tree = yield* listTreeStretches(count, (index, target, at) => {
    target.set(leafHash(entryAt(index)), at);
  });
  return tree.root;
}

/** Where each entry ends, or null for bytes that are not the canonical encoding of a list. */
function* entryEnds(bytes: Uint8Array): Stretches<Uint32Array | null> {
  const count = readHead(bytes, 0, arrayMajor);
  if (count === null || count > listEntryCountMax || count > bytes.length) return null;
  const ends = new Uint32Array(count);
  let at = headBytes(count);
  for (let index = 0; index < count; index++) {
    const length = readHead(bytes, at, bytesMajor);
    if (length === null || length > listEntryBytesMax) return null;
    at += headBytes(length) + length;
    if (at > bytes.length) return null;
    ends[index] = at;
    if (index % (8 * stretchHashCount) === 8 * stretchHashCount - 1) yield;
  }
  return at === bytes.length ? ends : null;
}

const arrayMajor = 4;
const bytesMajor = 2;

/** Bytes of the head of an array or a byte string: CBOR's shortest. */
function headBytes(argument: number): number {
  return argument < 24 ? 1 : argument < 256 ? 2 : argument < 65_536 ? 3 : 5;
}

/** Bytes of an entry that has `total` with its head. */
function contentBytes(total: number): number {
  return total <= 24 ? total - 1 : total <= 257 ? total - 2 : total - 3;
}

function writeHead(bytes: Uint8Array, at: number, major: number, argument: number): number {
  const head = headBytes(argument);
  const short = head === 1 ? argument : head === 2 ? 24 : head === 3 ? 25 : 26;
  bytes[at] = major * 32 + short;
  for (let i = head - 1, rest = argument; i >= 1; i--) {
    bytes[at + i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return at + head;
}

/** The argument of the head at a place, or null unless it is of this kind and the shortest. */
function readHead(bytes: Uint8Array, at: number, major: number): number | null {
  const first = bytes[at];
  if (first === undefined || first >> 5 !== major) return null;
  const short = first & 31;
  if (short < 24) return short;
  const width = short === 24 ? 1 : short === 25 ? 2 : short === 26 ? 4 : 0;
  if (width === 0 || at + width >= bytes.length) return null;
  let argument = 0;
  for (let i = 1; i <= width; i++) argument = argument * 256 + bytes[at + i]!;
  return headBytes(argument) === 1 + width ? argument : null;
}
