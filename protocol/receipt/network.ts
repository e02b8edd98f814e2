/** Recompute header 0 of a network from its genesis. */

import { portableSuite } from '../crypto/signature.ts';
import { genesisChain, ledgerRules } from '../ledger/chain.ts';
import type { Contracts } from '../ledger/contracts.ts';
import type { Genesis } from '../ledger/genesis.ts';
import type { Header } from '../ledger/header.ts';

// Height 0 orders nothing: neither signatures nor contracts come into it.
const noContracts: Contracts = {
  name: 'none',
  escrow: () => 0n,
  settle: ({ escrow }) => ({ payments: [], refund: escrow }),
};

/** The header of height 0. */
export function genesisHeader(genesis: Genesis): Header {
  return genesisChain(ledgerRules(genesis, portableSuite, noContracts)).header;
}
