/** Define what a block carries: jobs and statements, in one total order. */
import { type Codec, codec } from '../codec/codec.ts';
import { type ShapeOf, struct, union } from '../codec/schema.ts';
import type { Digest } from '../crypto/hash.ts';
import { signedJobShape } from '../job/job.ts';
import { signedStatementShape } from '../job/statement.ts';
import { listRoot } from '../merkle/list.ts';
import { gossipBytesMax } from '../params.ts';

const itemShape = union({
  job: struct({ signed: signedJobShape }),
  statement: struct({ signed: signedStatementShape }),
});

/** One thing that a block orders. */
export type BlockItem = ShapeOf<typeof itemShape>;
export const blockItemCodec: Codec<BlockItem> = codec('block item', gossipBytesMax + 64, itemShape);

/** The root of a body in its header. */
export function itemsRoot(items: readonly Uint8Array[]): Digest {
  return listRoot(items);
}
