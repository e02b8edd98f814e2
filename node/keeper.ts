/** Turn what a replica wants kept into one batch of the store a step. */
import { mark } from '../protocol/assert.ts';
import type { Digest } from '../protocol/crypto/hash.ts';
import { type ChainState, childHistory } from '../protocol/ledger/chain.ts';
import { headerHash } from '../protocol/ledger/header.ts';
import { emptyFrontier, type ListFrontier } from '../protocol/merkle/list.ts';
import { emptyMap, mapChanges, type StateMap } from '../protocol/merkle/map.ts';
import type { Effect } from '../protocol/replica/effect.ts';
import { appendHashes } from './history.ts';
import type { StoreChange } from './ports.ts';
import { storeChanges } from './records.ts';

type Finalize = Extract<Effect, { kind: 'finalize' }>;

/** More that is derived from a new final chain, such as a seat's duties. */
export type Derive = (before: ChainState, effect: Finalize) => readonly StoreChange[];

/** Knows what the store holds, and so what a new final chain adds to it. */
export type Keeper = {
  readonly changes: (effects: readonly Effect[]) => readonly StoreChange[];
};

/**
 * @param kept - The final chain that the store holds; null for a store without one.
 * @param genesis - The chain that the first final block grows from.
 */
export function createKeeper(kept: ChainState | null, genesis: ChainState, derive: Derive): Keeper {
  let chain = kept ?? genesis;
  let map: StateMap = kept?.map ?? emptyMap;
  // Hashes of all heights up to the final one's, which its own header cannot name.
  let history: ListFrontier = kept === null ? emptyFrontier : childHistory(kept);

  const finalized = (effect: Finalize): readonly StoreChange[] => {
    const hashes: Digest[] = history.size === 0 ? [genesis.hash] : [];
    for (const { header } of effect.blocks) hashes.push(headerHash(header));
    mark('B3');
    const appended = appendHashes(history, hashes);
    const state = mapChanges(map, effect.chain.map).map(
      ({ key, value }): StoreChange => ({ bucket: 'state', key, value }),
    );
    const derived = derive(chain, effect);
    chain = effect.chain;
    map = effect.chain.map;
    history = appended.after;
    return [...state, ...appended.changes, ...derived];
  };
  return {
    changes: (effects) =>
      effects.flatMap((effect) =>
        effect.kind === 'finalize'
          ? [...storeChanges(effect), ...finalized(effect)]
          : storeChanges(effect),
      ),
  };
}
