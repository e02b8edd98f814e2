/** Find the contracts that a genesis names. */
import { fees } from '../contracts-sim/fees.ts';
import { none } from '../contracts-sim/none.ts';
import type { Contracts } from '../protocol/ledger/contracts.ts';
import type { Genesis } from '../protocol/ledger/genesis.ts';

/** The contracts of a network. */
export function contractsOf({ contracts }: Genesis): Contracts {
  return contracts === 'none' ? none : fees;
}
