/** List the heights whose headers a job's receipt rests on. */
import type { JobRecord } from '../ledger/record.ts';

/** What decides which headers are needed: all of it is proved in a final state root. */
export type HeightQuestion = {
  readonly record: JobRecord;
  /** Height of the block in which the job ended. */
  readonly ended: number;
  readonly anchorHeight: number;
};

/**
 * Heights in rising order, without 0, whose header follows from the genesis.
 *
 * Parent of h, h and h + 1 draw the job, the anchor bounds the views that were skipped; the parent
 * of b, b and b + 1 draw each later wave, whose openings the beacon of c + 1 picks.
 */
export function neededHeights({ record, ended, anchorHeight }: HeightQuestion): readonly number[] {
  const { includedHeight: h } = record;
  const heights = new Set([h - 1, h, h + 1, anchorHeight, ended]);
  for (const { waves } of record.lanes)
    for (const [wave, { base, commitClose }] of waves.entries()) {
      // Views that lapsed since a wave's commits were closed count in the next one's draw.
      if (commitClose !== null && wave + 1 < waves.length) heights.add(commitClose);
      if (wave === 0) continue;
      heights
        .add(base - 1)
        .add(base)
        .add(base + 1);
      if (commitClose !== null) heights.add(commitClose + 1);
    }
  return [...heights].filter((height) => height > 0).sort((a, b) => a - b);
}
