/** Pay nobody and hold nothing: a network whose operators are paid elsewhere. */
import type { Contracts } from '../protocol/ledger/contracts.ts';

export const none: Contracts = {
  name: 'none',
  escrow: () => 0n,
  settle: ({ escrow }) => ({ payments: [], refund: escrow }),
};
