/** Say in a few fields what the state holds under a key. */
import { laneCodec } from '../aggregation/lane.ts';
import { tryDecode } from '../codec/codec.ts';
import { CodecError } from '../codec/error.ts';
import { emptyMap, mapUpdate } from '../merkle/map.ts';
import { readStateKey, type StateKey, toNumber } from './key.ts';
import { type JobState, recordCodec } from './record.ts';
import { type RecentBlock, recentHeightCount, StateCursor, seatCodec } from './state.ts';

/** What an entry of the state comes to. */
export type StateReading =
  | { readonly kind: 'account'; readonly tokens: bigint }
  | {
      readonly kind: 'job';
      readonly state: JobState;
      /** Stable code of why the job is where it is. */
      readonly reason: string;
      readonly includedHeight: number;
      /** Null as long as it runs. */
      readonly endedHeight: number | null;
    }
  | { readonly kind: 'lane'; readonly outcome: string; readonly waves: number }
  | { readonly kind: 'seat'; readonly publicKey: Uint8Array }
  | ({ readonly kind: 'recent' } & RecentBlock)
  | { readonly kind: 'nonce'; readonly used: boolean }
  | { readonly kind: 'jobs'; readonly ids: readonly Uint8Array[] };

/**
 * What a key and its value come to, by the state at a height; null for kinds of keys that only
 * the ledger itself reads, for keys that hold nothing, and for values that no ledger writes.
 * An account that is not there has no tokens, a nonce that is not there is unused.
 */
export function readStateEntry(
  key: Uint8Array,
  value: Uint8Array | null,
  height: number,
): StateReading | null {
  const known = readStateKey(key);
  if (known === null) return null;
  try {
    return entryOf(known, key, value, height);
  } catch (error) {
    if (error instanceof CodecError) return null;
    throw error;
  }
}

function entryOf(
  { kind, parts }: StateKey,
  key: Uint8Array,
  value: Uint8Array | null,
  height: number,
): StateReading | null {
  const cursor = new StateCursor(mapUpdate(emptyMap, [{ key, value }]));
  switch (kind) {
    case 'account':
      return { kind, tokens: cursor.tokens(parts[0]!) };
    case 'nonce':
      return { kind, used: cursor.usedNonce(parts[0]!, toNumber(parts[1]!)) };
    case 'open':
      return { kind: 'jobs', ids: cursor.open() };
    case 'ordered':
      return { kind: 'jobs', ids: cursor.ordered() };
    case 'recent': {
      const block = recentBlock(cursor, toNumber(parts[0]!), height);
      return block && { kind, ...block };
    }
    case 'job': {
      const record = value && tryDecode(recordCodec, value);
      if (record === null) return null;
      const { state, reason, includedHeight, ended } = record;
      return { kind, state, reason, includedHeight, endedHeight: ended };
    }
    case 'lane': {
      const lane = value && tryDecode(laneCodec, value);
      return lane && { kind, outcome: lane.outcome, waves: lane.waves.length };
    }
    case 'seat': {
      const seat = value && tryDecode(seatCodec, value);
      return seat && { kind, publicKey: seat.publicKey };
    }
    case 'expiries':
    case 'expiry':
      return null;
  }
}

/** The block at a place: of the last two heights there, the highest that the state knows of. */
function recentBlock(cursor: StateCursor, place: bigint, height: number): RecentBlock | null {
  if (place >= BigInt(recentHeightCount)) return null;
  const turn = Math.floor(height / recentHeightCount) * recentHeightCount;
  for (const base of [turn, turn - recentHeightCount]) {
    const at = base + Number(place);
    const found = at < 0 || at > height ? null : cursor.recent(at);
    if (found !== null) return found;
  }
  return null;
}
