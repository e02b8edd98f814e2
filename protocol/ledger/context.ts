/** Say where in the chain a block stands while it is being applied. */
import { mark } from '../assert.ts';
import type { StateCursor } from './state.ts';

/** The block at hand and its parent, as far as the rules of jobs look at them. */
export type BlockContext = {
  readonly height: number;
  readonly view: number;
  readonly timeMs: number;
  readonly proposer: number;
  readonly beacon: Uint8Array;
  readonly parent: {
    readonly hash: Uint8Array;
    readonly height: number;
    readonly view: number;
    readonly timeMs: number;
  };
};

/**
 * Distinct leaders of the blocks above `height`, up to and with the block at hand; counting stops
 * at `enough`, and at blocks that the state has forgotten.
 * @see spec/protocol/ledger.md L33
 */
export function leadersSince(
  cursor: StateCursor,
  block: BlockContext,
  height: number,
  enough: number,
): number {
  mark('L33');
  if (block.height <= height) return 0;
  const leaders = new Set([block.proposer]);
  for (let at = block.height - 1; at > height && leaders.size < enough; at--) {
    const recent = cursor.recent(at);
    if (recent === null) break;
    leaders.add(recent.proposer);
  }
  return leaders.size;
}
