/** Chain the public randomness of headers. */
import { assert, mark } from '../assert.ts';
import { type Digest, hash } from '../crypto/hash.ts';

/** Bytes of an ECVRF output, beta. */
const vrfOutputBytes = 64;

/**
 * What a leader evaluates its VRF on. No byte of a block's content is in it.
 * @param parentBeacon - R of the parent block.
 * @see spec/protocol/sampling.md S21
 */
export function beaconInput(parentBeacon: Uint8Array, epoch: number, view: number): Digest {
  mark('S21');
  return hash('beacon-input', parentBeacon, epoch, view);
}

/**
 * The beacon R of a block.
 * @param link - `output` is the VRF's 64-byte output. Never a hash of the proof: a key has many
 *   proofs of one output, and could try them.
 * @see spec/protocol/sampling.md S22
 */
export function nextBeacon(link: {
  readonly parentBeacon: Uint8Array;
  readonly epoch: number;
  readonly view: number;
  readonly output: Uint8Array;
}): Digest {
  const { parentBeacon, epoch, view, output } = link;
  assert(output.length === vrfOutputBytes, 'a beacon takes the output of the VRF, not its proof');
  mark('S22');
  return hash('beacon', parentBeacon, epoch, view, output);
}
