/** Answer peers who lack blocks or certificates: from memory first, then from disk. */

import { mark } from '../protocol/assert.ts';
import type { Certificate } from '../protocol/consensus/message.ts';
import { blockBytesMax } from '../protocol/params.ts';
import { serveFromMemory } from '../protocol/replica/serve.ts';
import type { ReplicaState } from '../protocol/replica/state.ts';
import {
  type SealedBlock,
  type SyncResponse,
  sealedBlockCodec,
  syncRequestCodec,
  syncResponseCodec,
} from '../protocol/replica/wire.ts';
import type { Store } from './ports.ts';
import { readBlock, readCertificate, readHeight } from './records.ts';

/** Blocks that one answer carries at most. */
const stretchBlockCountMax = 256;

/**
 * The encoded answer to an encoded request. The state must be one that the disk has (`whenWritten`):
 * a question is by digest, and nobody can know that of a vote or a block of ours before it was
 * published, but what is served rests on nothing that a crash could take back all the same.
 * @throws CodecError for a request that is none.
 */
export async function answerSync(
  state: ReplicaState,
  store: Store,
  body: Uint8Array,
): Promise<Uint8Array> {
  mark('Y1');
  const request = syncRequestCodec.decode(body);
  const held = serveFromMemory(state, request);
  if (held !== null) {
    mark('Y2');
    return syncResponseCodec.encode(held);
  }
  const response: SyncResponse =
    request.kind === 'final'
      ? { kind: 'final', ...(await stretch(store, request.from)) }
      : { kind: 'block', block: request.kind === 'block' ? await find(store, request.hash) : null };
  return syncResponseCodec.encode(response);
}

async function find(store: Store, hash: Uint8Array): Promise<SealedBlock | null> {
  const height = await readHeight(store, hash);
  mark('Y3');
  return height === null ? null : readBlock(store, height);
}

/** Final blocks from a height on, as many as fit, up to one that is directly final. */
async function stretch(
  store: Store,
  from: number,
): Promise<{ blocks: readonly SealedBlock[]; certificate: Certificate | null }> {
  const blocks: SealedBlock[] = [];
  let best: { count: number; certificate: Certificate } | null = null;
  let bytes = 0;
  for (let height = from; height < from + stretchBlockCountMax; height++) {
    const block = await readBlock(store, height);
    if (block === null) break;
    bytes += sealedBlockCodec.encode(block).length;
    if (bytes > blockBytesMax && blocks.length > 0) break;
    blocks.push(block);
    const certificate = await readCertificate(store, height);
    if (certificate !== null) best = { count: blocks.length, certificate };
  }
  if (best === null) {
    mark('Y5');
    return { blocks: [], certificate: null };
  }
  mark('Y4');
  return { blocks: blocks.slice(0, best.count), certificate: best.certificate };
}
