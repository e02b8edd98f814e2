/** State what a subtask came to, and give a lane's results one root. */
import { mark } from '../assert.ts';
import { type Codec, codec } from '../codec/codec.ts';
import { CodecError } from '../codec/error.ts';
import { fixedBytes, oneOf, type Shape, struct, uint, union } from '../codec/schema.ts';
import type { Digest } from '../crypto/hash.ts';
import { listRoot } from '../merkle/list.ts';
import { digestBytes, itemCountMax, subtaskCountMax } from '../params.ts';

/** Why a program failed on an item. Seats agree on it: part of the result, not of the machine. */
export const itemFailureClasses = ['trap', 'bad-value', 'out-of-fuel', 'too-deep'] as const;
export type ItemFailureClass = (typeof itemFailureClasses)[number];
export type FailureClass = ItemFailureClass | 'combine-failed';

/** What one item came to. */
export type ItemResult =
  | { readonly ok: true; readonly valueHash: Uint8Array }
  | { readonly ok: false; readonly class: ItemFailureClass };

/** What a subtask came to: of several failing items, the lowest tells. */
export type SubtaskResult =
  | { readonly ok: true; readonly valueHash: Uint8Array }
  /** `item` is the lowest failing one, by its index in the job. */
  | { readonly ok: false; readonly class: ItemFailureClass; readonly item: number }
  /** No item failed, a combine did: which one depends on the seat, so it is not told. */
  | { readonly ok: false; readonly class: 'combine-failed'; readonly item: null };

/** One leaf of laneRoot. */
export type LaneLeaf = {
  /** Number of the subtask in the job; in the last leaf of a failed fold, the lanes g. */
  readonly subtask: number;
  readonly result: SubtaskResult;
};

const resultShape = union({
  ok: struct({ valueHash: fixedBytes(digestBytes) }),
  failed: struct({ class: oneOf(itemFailureClasses), item: uint(itemCountMax - 1) }),
  'combine-failed': struct({}),
});

const wireShape = struct({ subtask: uint(subtaskCountMax), result: resultShape });

/** A leaf as it stands under laneRoot and in a receipt. */
export const laneLeafShape: Shape<LaneLeaf> = {
  write: ({ subtask, result }) => wireShape.write({ subtask, result: told(result) }),
  read: (wire, at) => {
    const { subtask, result } = wireShape.read(wire, at);
    switch (result.kind) {
      case 'ok':
        return { subtask, result: { ok: true, valueHash: result.valueHash } };
      case 'failed':
        return { subtask, result: { ok: false, class: result.class, item: result.item } };
      case 'combine-failed':
        return { subtask, result: { ok: false, class: 'combine-failed', item: null } };
    }
  },
};

function told(result: SubtaskResult) {
  if (result.ok) return { kind: 'ok', valueHash: result.valueHash } as const;
  if (result.class === 'combine-failed') return { kind: 'combine-failed' } as const;
  return { kind: 'failed', class: result.class, item: result.item } as const;
}

export const laneLeafCodec: Codec<LaneLeaf> = codec('lane leaf', 64, laneLeafShape);

/**
 * The bytes of a subtask's leaf.
 * @throws {@link CodecError} for a leaf outside the limits: a bug of ours.
 * @see spec/protocol/algebra.md N7, N8, N9
 */
export function subtaskLeaf(leaf: LaneLeaf): Uint8Array {
  const { result } = leaf;
  mark(result.ok ? 'N7' : result.class === 'combine-failed' ? 'N9' : 'N8');
  return laneLeafCodec.encode(leaf);
}

/**
 * The leaf that ends laneRoot where the fold of the subtasks' values failed.
 * @param lanes - Lanes g of the job.
 * @see spec/protocol/algebra.md N10
 */
export function laneFoldFailure(lanes: number): LaneLeaf {
  mark('N10');
  return { subtask: lanes, result: { ok: false, class: 'combine-failed', item: null } };
}

/**
 * The root of a lane's results: what all its honest seats agree on, whatever their noise.
 * @param leaves - One a subtask of the lane, in rising order; {@link laneFoldFailure} last, if any.
 * @see spec/protocol/algebra.md N11
 */
export function laneRoot(leaves: readonly LaneLeaf[]): Digest {
  mark('N11');
  return listRoot(leaves.map(subtaskLeaf));
}
