/** Salt what a seat commits to, so that nobody can guess values from hashes. */
import { mark } from '../assert.ts';
import { type Digest, hash } from '../crypto/hash.ts';

/**
 * What a seat puts under the HMAC of its secret to get the salt key of a lane. The key stays
 * secret until the seat reveals it, and is the same after a restart.
 * @see spec/protocol/algebra.md N5
 */
export function saltInput(drawId: Uint8Array, job: Uint8Array, lane: number): Digest {
  mark('N5');
  return hash('noise-context', drawId, job, lane);
}

/**
 * The salt of one item, by its index in the job.
 * @see spec/protocol/algebra.md N6
 */
export function itemSalt(saltKey: Uint8Array, subtask: number, item: number): Digest {
  mark('N6');
  return hash('salt', saltKey, subtask, item);
}
