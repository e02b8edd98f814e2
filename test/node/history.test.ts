// Goal: proofs from remembered subtrees are those of the whole list.
// Method: compare with the list itself at every size and height.
import { expect, test } from 'vitest';
import { headerHistory } from '../../node/history.ts';
import { sha256, uint64 } from '../../protocol/crypto/hash.ts';
import { inclusionProof } from '../../protocol/merkle/list.ts';
import { historyProofs } from '../../protocol/receipt/inclusion.ts';

test('proofs equal those of the list, at every size', () => {
  const history = headerHistory();
  const hashes: Uint8Array[] = [];
  for (let size = 1; size <= 40; size++) {
    const hash = sha256(uint64(size));
    hashes.push(hash);
    history.append(hash);
    expect(history.size()).toBe(size);
    const heights = [0, Math.floor(size / 3), size - 1];
    const proofs = historyProofs(history, size, heights);
    for (const height of heights)
      expect(proofs?.get(height), `height ${height} of ${size}`).toEqual(
        inclusionProof(hashes, height),
      );
  }
});

test('a subtree is only told when it is full', () => {
  const history = headerHistory();
  for (let height = 0; height < 5; height++) history.append(sha256(uint64(height)));
  expect(history.subtree(0, 4)).not.toBeNull();
  expect(history.subtree(4, 4)).toBeNull();
  expect(history.hash(5)).toBeNull();
});
