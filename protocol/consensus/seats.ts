/** Name seats, quorum and leaders of an epoch. */
import { assert, mark } from '../assert.ts';
import { compareBytes, hex } from '../brand.ts';
import { type Digest, hash } from '../crypto/hash.ts';

/** The most faulty seats under which `n` seats stay safe and live: floor((n - 1) / 3). */
export function faultyMax(n: number): number {
  return Math.floor((n - 1) / 3);
}

/** Seats that must agree: floor(2n / 3) + 1. Two quorums share more than `faultyMax(n)` seats. */
export function quorum(n: number): number {
  return Math.floor((2 * n) / 3) + 1;
}

/** What decides who leads: the network, the epoch's beacon seed, the view, the count of seats. */
export type LeaderQuestion = {
  readonly network: Digest;
  readonly leaderSeed: Digest;
  readonly epoch: number;
  readonly view: number;
  readonly seats: number;
};

// One round answers `seats` questions in a row. What is remembered can never be seen.
let remembered: { readonly key: string; readonly order: readonly number[] } = {
  key: '',
  order: [],
};

/**
 * The seat that leads a view.
 *
 * Views are cut into rounds of `seats`, so that each seat leads once a round; each round follows a
 * permutation of its own.
 * @see spec/protocol/consensus.md C1
 */
export function leaderOf({ network, leaderSeed, epoch, view, seats }: LeaderQuestion): number {
  assert(Number.isSafeInteger(view) && view >= 0 && seats > 0, 'a view of some seats');
  const place = view % seats;
  const round = (view - place) / seats;
  const key = `${hex(network)}/${hex(leaderSeed)}/${epoch}/${round}/${seats}`;
  if (remembered.key !== key) {
    mark('C1');
    const ranked = Array.from({ length: seats }, (_, seat) => ({
      seat,
      rank: hash('leader', network, leaderSeed, epoch, round, seat),
    }));
    ranked.sort((a, b) => compareBytes(a.rank, b.rank) || a.seat - b.seat);
    remembered = { key, order: ranked.map(({ seat }) => seat) };
  }
  return remembered.order[place]!;
}
