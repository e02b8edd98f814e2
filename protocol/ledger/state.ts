/** Read and change accounts, jobs and lanes under one root. */
import { type LaneState, laneCodec } from '../aggregation/lane.ts';
import { assert } from '../assert.ts';
import { concatBytes, type Hex, hex, unhex, utf8 } from '../brand.ts';
import { type Codec, codec } from '../codec/codec.ts';
import { bigUint, fixedBytes, list, type ShapeOf, struct, uint } from '../codec/schema.ts';
import { uint64 } from '../crypto/hash.ts';
import { mapGet, mapUpdate, type StateMap } from '../merkle/map.ts';
import {
  digestBytes,
  heightMax,
  openJobCountMax,
  publicKeyBytes,
  seatCountMax,
  timeMsMax,
  viewMax,
} from '../params.ts';
import { type Seat, seatShape, tokensMax } from './genesis.ts';
import { type JobRecord, recordCodec } from './record.ts';

/** Heights that the state remembers: anchors, proposers and views of recent blocks. */
export const recentHeightCount = 8_192;

const recentShape = struct({
  height: uint(heightMax),
  hash: fixedBytes(digestBytes),
  view: uint(viewMax),
  timeMs: uint(timeMsMax),
  proposer: uint(seatCountMax - 1),
});
/** What the state remembers of a recent block. */
export type RecentBlock = ShapeOf<typeof recentShape>;

const recentCodec: Codec<RecentBlock> = codec('recent block', 128, recentShape);
const tokensCodec = codec('tokens', 16, bigUint(tokensMax));
const timeCodec = codec('time', 16, uint(timeMsMax));
const idsCodec = codec(
  'job ids',
  openJobCountMax * 40 + 16,
  list(fixedBytes(digestBytes), openJobCountMax),
);
const countCodec = codec('count', 16, uint(2 ** 32));
const nonceNameCodec = codec('nonce name', 64, fixedBytes(publicKeyBytes + 8));
export const seatCodec: Codec<Seat> = codec('seat', 256, seatShape);

/** Keys of the state, each a tag and a name. */
export const stateKeys = {
  job: (id: Uint8Array) => concatBytes(utf8('job/'), id),
  lane: (id: Uint8Array, lane: number) => concatBytes(utf8('lane/'), id, uint64(lane)),
  account: (key: Uint8Array) => concatBytes(utf8('account/'), key),
  seat: (index: number) => concatBytes(utf8('seat/'), uint64(index)),
  recent: (height: number) => concatBytes(utf8('recent/'), uint64(height % recentHeightCount)),
  nonce: (submitter: Uint8Array, nonce: bigint) =>
    concatBytes(utf8('nonce/'), submitter, uint64Big(nonce)),
  /** How many nonces are forgotten at a second's end, and which they are. */
  expiries: (second: number) => concatBytes(utf8('expiries/'), uint64(second)),
  expiry: (second: number, place: number) =>
    concatBytes(utf8('expiry/'), uint64(second), uint64(place)),
  ordered: () => utf8('ordered'),
  open: () => utf8('open'),
};

function uint64Big(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}

// Decoding is pure, and the map hands out the same bytes object as long as a value stays.
const decoded = new WeakMap<Uint8Array, unknown>();

function read<T>({ decode }: Codec<T>, bytes: Uint8Array): T {
  let value = decoded.get(bytes);
  if (value === undefined) {
    value = decode(bytes);
    decoded.set(bytes, value);
  }
  return value as T;
}

/** A view of the state: a map, and the changes that a block is making to it. */
export class StateCursor {
  readonly #base: StateMap;
  readonly #changes = new Map<Hex, Uint8Array | null>();

  constructor(base: StateMap) {
    this.#base = base;
  }

  #get<T>(format: Codec<T>, key: Uint8Array): T | null {
    const changed = this.#changes.get(hex(key));
    const bytes = changed !== undefined ? changed : mapGet(this.#base, key);
    return bytes === null ? null : read(format, bytes);
  }

  #put<T>(format: Codec<T>, key: Uint8Array, value: T | null): void {
    if (value === null) {
      this.#changes.set(hex(key), null);
      return;
    }
    const bytes = format.encode(value);
    decoded.set(bytes, value);
    this.#changes.set(hex(key), bytes);
  }

  job(id: Uint8Array): JobRecord | null {
    return this.#get(recordCodec, stateKeys.job(id));
  }
  setJob(id: Uint8Array, record: JobRecord): void {
    this.#put(recordCodec, stateKeys.job(id), record);
  }

  lane(id: Uint8Array, lane: number): LaneState | null {
    return this.#get(laneCodec, stateKeys.lane(id, lane));
  }
  setLane(id: Uint8Array, lane: number, state: LaneState | null): void {
    this.#put(laneCodec, stateKeys.lane(id, lane), state);
  }

  tokens(key: Uint8Array): bigint {
    return this.#get(tokensCodec, stateKeys.account(key)) ?? 0n;
  }
  setTokens(key: Uint8Array, tokens: bigint): void {
    assert(tokens >= 0n, 'no account is overdrawn');
    this.#put(tokensCodec, stateKeys.account(key), tokens === 0n ? null : tokens);
  }

  seat(index: number): Seat | null {
    return this.#get(seatCodec, stateKeys.seat(index));
  }
  setSeat(index: number, seat: Seat): void {
    this.#put(seatCodec, stateKeys.seat(index), seat);
  }

  /** The block at a height, if it is recent enough and below the one being made. */
  recent(height: number): RecentBlock | null {
    const found = this.#get(recentCodec, stateKeys.recent(height));
    return found !== null && found.height === height ? found : null;
  }
  setRecent(block: RecentBlock): void {
    this.#put(recentCodec, stateKeys.recent(block.height), block);
  }

  /** Jobs that the last block ordered and that await their draw, in order. */
  ordered(): readonly Uint8Array[] {
    return this.#get(idsCodec, stateKeys.ordered()) ?? [];
  }
  setOrdered(ids: readonly Uint8Array[]): void {
    this.#put(idsCodec, stateKeys.ordered(), ids.length === 0 ? null : ids);
  }

  /** Jobs that have not ended, in the order of their inclusion. */
  open(): readonly Uint8Array[] {
    return this.#get(idsCodec, stateKeys.open()) ?? [];
  }
  setOpen(ids: readonly Uint8Array[]): void {
    this.#put(idsCodec, stateKeys.open(), ids.length === 0 ? null : ids);
  }

  usedNonce(submitter: Uint8Array, nonce: bigint): boolean {
    return this.#get(timeCodec, stateKeys.nonce(submitter, nonce)) !== null;
  }
  useNonce(submitter: Uint8Array, nonce: bigint, untilMs: number): void {
    this.#put(timeCodec, stateKeys.nonce(submitter, nonce), untilMs);
    const second = Math.floor(untilMs / 1000);
    const place = this.#get(countCodec, stateKeys.expiries(second)) ?? 0;
    const name = concatBytes(submitter, uint64Big(nonce));
    this.#put(nonceNameCodec, stateKeys.expiry(second, place), name);
    this.#put(countCodec, stateKeys.expiries(second), place + 1);
  }
  /** Forgets the nonces whose jobs can no longer be ordered once that second is over. */
  forgetNonces(second: number): void {
    const count = this.#get(countCodec, stateKeys.expiries(second)) ?? 0;
    for (let place = 0; place < count; place++) {
      const key = stateKeys.expiry(second, place);
      const name = this.#get(nonceNameCodec, key);
      assert(name !== null, 'a counted nonce has a name');
      const nonce = new DataView(name.buffer, name.byteOffset + publicKeyBytes, 8).getBigUint64(0);
      this.#put(timeCodec, stateKeys.nonce(name.subarray(0, publicKeyBytes), nonce), null);
      this.#put(nonceNameCodec, key, null);
    }
    if (count > 0) this.#put(countCodec, stateKeys.expiries(second), null);
  }

  /** The map with all changes in it. */
  finish(): StateMap {
    const changes = [...this.#changes].map(([key, value]) => ({ key: unhex(key)!, value }));
    return mapUpdate(this.#base, changes);
  }
}
