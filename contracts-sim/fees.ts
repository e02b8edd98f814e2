/** Pay each execution that a seat committed to in time, and refund the rest. */
import type { Contracts, JobEnd } from '../protocol/ledger/contracts.ts';

export const fees: Contracts = {
  name: 'fees',
  // An item is of one lane, which pays a seat once: no job can owe more. A job that offers no fee
  // deposits all the same: who has nothing to lose cannot fill the network with work.
  escrow: ({ items, fee, seats }) => BigInt(items) * (fee > 0n ? fee : 1n) * BigInt(seats),
  settle: ({ fee, escrow, work }: JobEnd) => {
    const payments: { seat: number; tokens: bigint }[] = [];
    let left = escrow;
    for (const { seat, items } of work) {
      const owed = BigInt(items) * fee;
      const tokens = owed < left ? owed : left;
      left -= tokens;
      if (tokens > 0n) payments.push({ seat, tokens });
    }
    return { payments, refund: left };
  },
};
