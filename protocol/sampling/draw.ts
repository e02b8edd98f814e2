/** Permute the seats of a block and wave; cut lanes. */
import { assert, mark } from '../assert.ts';
import { compareBytes } from '../brand.ts';
import { type Digest, hash } from '../crypto/hash.ts';

/** What decides a permutation: nothing that a submitter or a leader can choose freely. */
export type DrawQuestion = {
  /** Hash of the genesis. */
  readonly network: Uint8Array;
  /** Height of the block whose successor's beacon draws, and the wave. */
  readonly height: number;
  readonly wave: number;
  /** Beacon R of the block after it. */
  readonly beacon: Uint8Array;
  /** Seats of the epoch. */
  readonly seats: number;
};

/**
 * All seats in the public order of a block and wave: ascending by hash, ties by index.
 * One permutation for all jobs of the block.
 * @see spec/protocol/sampling.md S17
 */
export function drawSeats(question: DrawQuestion): readonly number[] {
  mark('S17');
  const { network, height, wave, beacon, seats } = question;
  const ranked = Array.from({ length: seats }, (_, seat) => ({
    seat,
    rank: hash('draw', network, height, wave, beacon, seat),
  }));
  ranked.sort((a, b) => compareBytes(a.rank, b.rank) || a.seat - b.seat);
  return ranked.map(({ seat }) => seat);
}

/**
 * Seats of one cut of a permutation, in its order.
 * @see spec/protocol/sampling.md S18
 */
export function cutLane(
  permutation: readonly number[],
  perLane: number,
  cut: number,
): readonly number[] {
  assert(perLane >= 1 && cut >= 0, 'a cut is counted from 0 and has seats');
  assert((cut + 1) * perLane <= permutation.length, 'a cut lies in the permutation');
  mark('S18');
  return permutation.slice(cut * perLane, (cut + 1) * perLane);
}

/**
 * The cut that a job's lane takes: `(offset + lane) mod lanesMax`.
 * @param place - `offset` counts the lanes of earlier jobs of the block, `lanesMax` is G.
 * @see spec/protocol/sampling.md S19
 */
export function laneCut(place: {
  readonly offset: number;
  readonly lane: number;
  readonly lanesMax: number;
}): number {
  mark('S19');
  return (place.offset + place.lane) % place.lanesMax;
}

/**
 * Names one drawing, so that no message about it can be taken for one about another.
 * @param drawing - `height` and `blockHash` are those of block b; `beacon` is R of block b + 1.
 * @see spec/protocol/sampling.md S20
 */
export function drawId(drawing: {
  readonly network: Uint8Array;
  readonly height: number;
  readonly blockHash: Uint8Array;
  readonly wave: number;
  readonly beacon: Uint8Array;
}): Digest {
  mark('S20');
  const { network, height, blockHash, wave, beacon } = drawing;
  return hash('draw-id', network, height, blockHash, wave, beacon);
}
