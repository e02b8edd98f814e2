/** Pay the fuel of each execution that counts, and refund the rest. */
import { type Contracts, fuelUnit, type JobEnd } from '../protocol/ledger/contracts.ts';

export const fees: Contracts = {
  name: 'fees',
  // An item is of one lane, which pays a seat once, for no more than the limits of its items; and
  // rounding down, lane by lane, gives no more than rounding up at once. So no job can owe more. A
  // job that offers no fee deposits all the same: who has nothing to lose cannot fill the network
  // with work.
  escrow: ({ items, fuelItem, fee, seats }) => {
    const most = BigInt(items) * fuelItem * (fee > 0n ? fee : 1n);
    return BigInt(seats) * ((most + fuelUnit - 1n) / fuelUnit);
  },
  settle: ({ fee, escrow, work }: JobEnd) => {
    let left = escrow;
    const payments = work.map(({ seat, fuel }) => {
      const owed = (fuel * fee) / fuelUnit;
      const tokens = owed < left ? owed : left;
      left -= tokens;
      return { seat, tokens };
    });
    return { payments, refund: left };
  },
};
