/** Remember at which heights statements about a job were ordered. */
import { concatBytes, type Hex, hex } from '../protocol/brand.ts';
import { tryDecode } from '../protocol/codec/codec.ts';
import { uint64 } from '../protocol/crypto/hash.ts';
import type { SignedStatement } from '../protocol/job/statement.ts';
import { blockItemCodec } from '../protocol/ledger/block.ts';
import { digestBytes } from '../protocol/params.ts';
import type { SealedBlock } from '../protocol/replica/wire.ts';
import type { Store, StoreChange } from './ports.ts';

/** The rows of newly final blocks: one a job and height, without a value. */
export function jobLogChanges(blocks: readonly SealedBlock[]): readonly StoreChange[] {
  return blocks.flatMap(({ header, items }) => {
    const jobs = new Map<Hex, Uint8Array>();
    for (const bytes of items) {
      const job = statementIn(bytes)?.statement.job;
      if (job !== undefined) jobs.set(hex(job), job);
    }
    return [...jobs.values()].map(
      (job): StoreChange => ({
        bucket: 'log',
        key: concatBytes(job, uint64(header.height)),
        value: new Uint8Array(),
      }),
    );
  });
}

/** Heights from one to another, rising, that are known to order statements about a job. */
export async function readJobLog(
  store: Pick<Store, 'range'>,
  job: Uint8Array,
  first: number,
  last: number,
): Promise<readonly number[]> {
  const from = concatBytes(job, uint64(first));
  const to = concatBytes(job, uint64(last + 1));
  return (await store.range('log', { from, to })).map(([key]) => {
    const view = new DataView(key.buffer, key.byteOffset + digestBytes, 8);
    return Number(view.getBigUint64(0));
  });
}

/** The statement of a block item; null for other items. */
export function statementIn(item: Uint8Array): SignedStatement | null {
  const decoded = tryDecode(blockItemCodec, item);
  return decoded?.kind === 'statement' ? decoded.signed : null;
}
