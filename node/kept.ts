/** Read back what a node kept, so that it goes on where it stopped. */
import { mark } from '../protocol/assert.ts';
import { concatBytes, sameBytes } from '../protocol/brand.ts';
import type { Codec } from '../protocol/codec/codec.ts';
import { type Certificate, certificateCodec, voteCodec } from '../protocol/consensus/message.ts';
import { uint64 } from '../protocol/crypto/hash.ts';
import { type SignedJob, signedJobCodec } from '../protocol/job/job.ts';
import { type SignedStatement, signedStatementCodec } from '../protocol/job/statement.ts';
import type { ChainState } from '../protocol/ledger/chain.ts';
import { headerHash } from '../protocol/ledger/header.ts';
import { StateCursor } from '../protocol/ledger/state.ts';
import { frontierRoot } from '../protocol/merkle/list.ts';
import {
  emptyMap,
  type MapChange,
  mapRoot,
  mapUpdate,
  type StateMap,
} from '../protocol/merkle/map.ts';
import { type Kept, nothingKept } from '../protocol/replica/boot.ts';
import { openDrawHeights } from '../protocol/replica/duty.ts';
import { type SealedBlock, sealedBlockCodec } from '../protocol/replica/wire.ts';
import { readFrontier } from './history.ts';
import { pages } from './pages.ts';
import type { Bucket, Store } from './ports.ts';
import { readBlock } from './records.ts';
import { StorageError } from './storage/error.ts';

/**
 * Everything that a replica must know to go on. What was written together is read together: a
 * store that does not fit its own final header is damaged, and nothing is signed on it.
 * @param seat - Whose votes they must be, if that is known; null for an observer, who has none.
 * @throws StorageError STORE_CORRUPT, STORE_OTHER_SEAT
 */
export async function readKept(
  store: Store,
  directory: string,
  seat?: number | null,
): Promise<Kept> {
  const damaged = (): never => {
    throw new StorageError({ code: 'STORE_CORRUPT', directory });
  };
  try {
    if (seat !== undefined) await refuseOtherSeat(store, directory, seat);
    const top = await readFinal(store);
    if (top === 'damaged') return damaged();
    const view = top === null ? 0 : top.final.header.view;
    const votes = await readAll(store, 'vote', voteCodec, concatBytes(uint64(0), uint64(view + 1)));
    const certificates = await readAll(store, 'ballot', certificateCodec, uint64(view));
    const blocks = [
      ...(await readAll(store, 'proposal', sealedBlockCodec, uint64(view + 1))),
      ...(await readAll(store, 'tree', sealedBlockCodec, uint64(view + 1))),
    ];
    mark('B8');
    const above = { votes, certificates, blocks: distinct(blocks) };
    if (top === null) return { ...nothingKept, ...above };
    return { ...top, ...above, ...(await readOpenJobs(store, top.final)) };
  } catch (error) {
    if (error instanceof StorageError) throw error;
    throw new StorageError({ code: 'STORE_CORRUPT', directory }, { cause: error });
  }
}

/** A seat that is started without its own votes could vote twice. @throws STORE_OTHER_SEAT */
async function refuseOtherSeat(
  store: Store,
  directory: string,
  expected: number | null,
): Promise<void> {
  const [last] = await store.range('vote', { reverse: true, limit: 1 });
  const found = last === undefined ? expected : voteCodec.decode(last[1]).seat;
  if (found !== null && found !== expected)
    throw new StorageError({ code: 'STORE_OTHER_SEAT', directory, found, expected });
}

type Final = { readonly final: ChainState; readonly finalCertificate: Certificate };

/** The final chain; null in a store without one. */
async function readFinal(store: Store): Promise<Final | 'damaged' | null> {
  const [last] = await store.range('certificate', { reverse: true, limit: 1 });
  if (last === undefined) return null;
  const finalCertificate = certificateCodec.decode(last[1]);
  const height = Number(new DataView(last[0].buffer, last[0].byteOffset, 8).getBigUint64(0));
  const block = await readBlock(store, height);
  const history = await readFrontier(store, height);
  if (block === null || history === null) return 'damaged';
  const { header } = block;
  const hash = headerHash(header);
  const map = await readMap(store);
  mark('B7');
  const fits =
    sameBytes(hash, finalCertificate.block) &&
    sameBytes(frontierRoot(history), header.historyRoot) &&
    sameBytes(mapRoot(map), header.stateRoot);
  return fits ? { final: { header, hash, map, history }, finalCertificate } : 'damaged';
}

async function readMap(store: Store): Promise<StateMap> {
  let map = emptyMap;
  for await (const page of pages(store, 'state', new Uint8Array(0)))
    map = mapUpdate(
      map,
      page.map(([key, value]): MapChange => ({ key, value })),
    );
  return map;
}

/** Jobs that are open at the final block, our statements about them, beacons that drew them. */
async function readOpenJobs(
  store: Store,
  final: ChainState,
): Promise<Pick<Kept, 'jobs' | 'statements' | 'beacons'>> {
  const jobs: SignedJob[] = [];
  const statements: SignedStatement[] = [];
  for (const id of new StateCursor(final.map).open()) {
    mark('B9');
    const bytes = await store.get('job', id);
    if (bytes !== null) jobs.push(signedJobCodec.decode(bytes));
    statements.push(
      ...(await readAll(store, 'statement', signedStatementCodec, id, following(id))),
    );
  }
  const beacons = new Map<number, Uint8Array>();
  for (const height of openDrawHeights(final)) {
    const block = await readBlock(store, height);
    if (block !== null) beacons.set(height, block.header.beacon);
  }
  return { jobs, statements, beacons };
}

async function readAll<T>(
  store: Store,
  bucket: Bucket,
  { decode }: Codec<T>,
  from: Uint8Array,
  to?: Uint8Array,
): Promise<readonly T[]> {
  const found: T[] = [];
  for await (const page of pages(store, bucket, from, to))
    for (const [, value] of page) found.push(decode(value));
  return found;
}

/** The least key above all that begin with this one. */
function following(prefix: Uint8Array): Uint8Array {
  const next = prefix.slice();
  for (let at = next.length - 1; at >= 0; at--) {
    if (next[at]! < 255) {
      next[at]! += 1;
      return next.subarray(0, at + 1);
    }
  }
  return concatBytes(prefix, new Uint8Array(64).fill(255));
}

function distinct(blocks: readonly SealedBlock[]): readonly SealedBlock[] {
  const seen = new Map<string, SealedBlock>();
  for (const block of blocks)
    seen.set(Buffer.from(headerHash(block.header)).toString('hex'), block);
  return [...seen.values()];
}
