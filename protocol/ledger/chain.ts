/** Hold the chain at one block: its header, its state, and the history below it. */
import { mark } from '../assert.ts';
import { type Digest, hash } from '../crypto/hash.ts';
import type { CryptoSuite } from '../crypto/suite.ts';
import { appendLeaf, emptyFrontier, frontierRoot, type ListFrontier } from '../merkle/list.ts';
import { emptyMap, mapRoot, type StateMap } from '../merkle/map.ts';
import { itemsRoot } from './block.ts';
import type { Contracts } from './contracts.ts';
import { type Genesis, networkId, seatSetHash } from './genesis.ts';
import { type Header, headerHash, noParent, noProof } from './header.ts';
import { StateCursor } from './state.ts';

/** What a ledger must know to apply blocks; the same for every block of an epoch. */
export type LedgerRules = {
  readonly genesis: Genesis;
  readonly network: Digest;
  readonly seatSet: Digest;
  readonly leaderSeed: Digest;
  readonly suite: CryptoSuite;
  readonly contracts: Contracts;
};

/** The chain up to and with one block. */
export type ChainState = {
  readonly header: Header;
  readonly hash: Digest;
  readonly map: StateMap;
  /** Header hashes of all lower heights. */
  readonly history: ListFrontier;
};

/** The rules of a network's first epoch. */
export function ledgerRules(
  genesis: Genesis,
  suite: CryptoSuite,
  contracts: Contracts,
): LedgerRules {
  const network = networkId(genesis);
  return {
    genesis,
    network,
    seatSet: seatSetHash(0, genesis.seats),
    leaderSeed: genesisBeacon(network),
    suite,
    contracts,
  };
}

/** R of height 0; also the leader seed of the first epoch. */
export function genesisBeacon(network: Digest): Digest {
  return hash('beacon', network);
}

/**
 * The state that a genesis describes, under its header of height 0.
 * @see spec/protocol/ledger.md L3
 */
export function genesisChain(rules: LedgerRules): ChainState {
  mark('L3');
  const { genesis, network } = rules;
  const cursor = new StateCursor(emptyMap);
  genesis.seats.forEach((seat, index) => {
    cursor.setSeat(index, seat);
  });
  for (const { key, tokens } of genesis.accounts)
    cursor.setTokens(key, cursor.tokens(key) + tokens);
  const map = cursor.finish();
  const header: Header = {
    network,
    epoch: 0,
    view: 0,
    height: 0,
    parent: noParent,
    proposer: 0,
    timeMs: genesis.timeMs,
    beacon: genesisBeacon(network),
    vrfProof: noProof,
    itemsRoot: itemsRoot([]),
    historyRoot: frontierRoot(emptyFrontier),
    seatSetHash: rules.seatSet,
    stateRoot: mapRoot(map),
  };
  return { header, hash: headerHash(header), map, history: emptyFrontier };
}

/** The history that a child of this block commits to. */
export function childHistory(parent: ChainState): ListFrontier {
  return appendLeaf(parent.history, parent.hash);
}
