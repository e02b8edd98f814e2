/** State what the ledger asks of contracts: what to hold for a job, and whom to pay. */

/** What a job's contract must know before it is ordered. */
export type JobTerms = {
  readonly items: number;
  /** Tokens for one execution of one item. */
  readonly fee: bigint;
  readonly seats: number;
};

/** How a job ended, as far as pay goes. */
export type JobEnd = {
  readonly outcome: 'settled' | 'failed' | 'expired' | 'voided';
  readonly fee: bigint;
  readonly escrow: bigint;
  /** Executions to pay: a seat, at most once a lane, and the items of that lane. */
  readonly work: readonly { readonly seat: number; readonly items: number }[];
};

/** Where the escrow goes. The ledger demands that payments and refund make up the whole of it. */
export type Settlement = {
  readonly payments: readonly { readonly seat: number; readonly tokens: bigint }[];
  readonly refund: bigint;
};

/** Incentives as pure functions: the core calls them and names none. */
export type Contracts = {
  readonly name: string;
  /** Tokens to hold while a job is open: enough for one execution of every item by every seat. */
  readonly escrow: (terms: JobTerms) => bigint;
  readonly settle: (end: JobEnd) => Settlement;
};
