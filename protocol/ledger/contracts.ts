/** State what the ledger asks of contracts: what to hold for a job, and whom to pay. */

/** Fuel for which a job's fee is meant. */
export { fuelUnit } from '../params.ts';

/** What a job's contract must know before it is ordered. */
export type JobTerms = {
  readonly items: number;
  /** Fuel that an item may use. */
  readonly fuelItem: bigint;
  /** Tokens for a million units of fuel of one execution. */
  readonly fee: bigint;
  readonly seats: number;
};

/** How a job ended, as far as pay goes. */
export type JobEnd = {
  readonly outcome: 'settled' | 'failed' | 'expired' | 'voided';
  readonly fee: bigint;
  readonly escrow: bigint;
  /** Executions to pay: a seat, at most once a lane, and the fuel of that lane's items. */
  readonly work: readonly { readonly seat: number; readonly fuel: bigint }[];
};

/** Where the escrow goes. The ledger demands that payments and refund make up the whole of it. */
export type Settlement = {
  readonly payments: readonly { readonly seat: number; readonly tokens: bigint }[];
  readonly refund: bigint;
};

/** Incentives as pure functions: the core calls them and names none. */
export type Contracts = {
  readonly name: string;
  /** Tokens to hold while a job is open: enough for every item, run by every seat at its limit. */
  readonly escrow: (terms: JobTerms) => bigint;
  readonly settle: (end: JobEnd) => Settlement;
};
