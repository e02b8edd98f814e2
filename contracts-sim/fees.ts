/** Pay each execution that a seat committed to in time, and refund the rest. */
import type { Contracts, JobEnd } from '../protocol/ledger/contracts.ts';

export const fees: Contracts = {
  name: 'fees',
  // A seat executes an item at most once a wave that draws it; twice covers a lane opened again.
  escrow: ({ items, fee, seats }) => BigInt(items) * fee * BigInt(seats) * 2n,
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
