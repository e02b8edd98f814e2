/** Write what a replica wants kept as changes of the store, and read it back. */
import { mark } from '../protocol/assert.ts';
import { concatBytes } from '../protocol/brand.ts';
import {
  type Certificate,
  certificateCodec,
  type Vote,
  voteCodec,
} from '../protocol/consensus/message.ts';
import { uint64 } from '../protocol/crypto/hash.ts';
import { jobId, signedJobCodec } from '../protocol/job/job.ts';
import { signedStatementCodec, statementKinds } from '../protocol/job/statement.ts';
import { headerHash } from '../protocol/ledger/header.ts';
import type { Effect } from '../protocol/replica/effect.ts';
import { type SealedBlock, sealedBlockCodec } from '../protocol/replica/wire.ts';
import type { Store, StoreChange } from './ports.ts';

const voteKinds = ['notar', 'skip', 'final'] as const;

/** Two votes that exclude each other have two keys: a log that holds both convicts its node. */
function voteKey({ epoch, view, kind, block }: Vote): Uint8Array {
  const place = concatBytes(uint64(epoch), uint64(view), Uint8Array.of(voteKinds.indexOf(kind)));
  mark('B2');
  return concatBytes(place, block);
}

/** The changes that an effect asks for; none for an effect that keeps nothing. */
export function storeChanges(effect: Effect): readonly StoreChange[] {
  switch (effect.kind) {
    case 'log-vote':
      return [{ bucket: 'vote', key: voteKey(effect.vote), value: voteCodec.encode(effect.vote) }];
    case 'log-certificate': {
      const { view, kind } = effect.certificate;
      const key = concatBytes(uint64(view), Uint8Array.of(voteKinds.indexOf(kind)));
      return [{ bucket: 'ballot', key, value: certificateCodec.encode(effect.certificate) }];
    }
    case 'log-statement': {
      const { kind, drawId, job, lane } = effect.signed.statement;
      const place = Uint8Array.of(statementKinds.indexOf(kind));
      const key = concatBytes(job, drawId, uint64(lane), place);
      return [{ bucket: 'statement', key, value: signedStatementCodec.encode(effect.signed) }];
    }
    case 'log-proposal': {
      const key = uint64(effect.block.header.view);
      return [{ bucket: 'proposal', key, value: sealedBlockCodec.encode(effect.block) }];
    }
    case 'store-block': {
      const { header } = effect.block;
      const key = concatBytes(uint64(header.view), headerHash(header));
      return [{ bucket: 'tree', key, value: sealedBlockCodec.encode(effect.block) }];
    }
    case 'store-job': {
      const key = jobId(effect.signed.job);
      return [{ bucket: 'job', key, value: signedJobCodec.encode(effect.signed) }];
    }
    case 'finalize': {
      const changes: StoreChange[] = [];
      for (const block of effect.blocks) {
        const key = uint64(block.header.height);
        changes.push({ bucket: 'block', key, value: sealedBlockCodec.encode(block) });
        changes.push({ bucket: 'height', key: headerHash(block.header), value: key });
      }
      const key = uint64(effect.chain.header.height);
      const value = certificateCodec.encode(effect.certificate);
      changes.push({ bucket: 'certificate', key, value });
      return changes;
    }
    default:
      return [];
  }
}

/** Whether an effect must survive a crash before anything that follows it leaves the node. */
export function mustLast(effect: Effect): boolean {
  return (
    effect.kind === 'log-vote' || effect.kind === 'log-statement' || effect.kind === 'log-proposal'
  );
}

/** The final block at a height, or null. */
export async function readBlock(store: Store, height: number): Promise<SealedBlock | null> {
  const bytes = await store.get('block', uint64(height));
  return bytes === null ? null : sealedBlockCodec.decode(bytes);
}

/** The height of a final block, by its hash. */
export async function readHeight(store: Store, hash: Uint8Array): Promise<number | null> {
  const bytes = await store.get('height', hash);
  if (bytes === null) return null;
  return Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0));
}

/** The Final certificate of a height; null where the block is final through a later one. */
export async function readCertificate(store: Store, height: number): Promise<Certificate | null> {
  const bytes = await store.get('certificate', uint64(height));
  return bytes === null ? null : certificateCodec.decode(bytes);
}
