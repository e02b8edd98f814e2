// Goal: whatever contracts a network names, no token is made, lost or owed, and nothing else decides.
// Method: one suite of laws for all contracts; `none` and `fees` keep every law, and for each law
// there is a contract that breaks it and is told.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fees } from '../../contracts-sim/fees.ts';
import { none } from '../../contracts-sim/none.ts';
import {
  type Contracts,
  fuelUnit,
  type JobEnd,
  type JobTerms,
} from '../../protocol/ledger/contracts.ts';
import { contractNames } from '../../protocol/ledger/genesis.ts';
import { fuelCallMax, fuelMax } from '../../protocol/params.ts';

const tokens = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const anyFuelItem = fc.oneof(
  fc.bigInt({ min: 1n, max: fuelCallMax }),
  fc.constantFrom(1n, fuelUnit - 1n, fuelUnit, fuelCallMax),
);
/** Fuel that a lane may claim: any part of a limit, and the limit. */
const anyShare = fc.oneof(fc.nat(1_000), fc.constantFrom(0, 1, 1_000));
const anyTerms: fc.Arbitrary<JobTerms> = fc.record({
  items: fc.integer({ min: 1, max: 1_048_576 }),
  fuelItem: anyFuelItem,
  fee: fc.oneof(tokens, fc.constantFrom(0n, 1n)),
  seats: fc.integer({ min: 4, max: 4_096 }),
});
const outcomes = fc.constantFrom('settled', 'failed', 'expired', 'voided') as fc.Arbitrary<
  JobEnd['outcome']
>;

/**
 * A job of a few seats whose items are split into lanes, each of which claims fuel within the limits
 * of its items, and pays each seat at most once.
 */
const possible = fc
  .record({
    seats: fc.integer({ min: 4, max: 9 }),
    lanes: fc.array(fc.tuple(fc.integer({ min: 1, max: 1_000 }), anyShare), {
      minLength: 1,
      maxLength: 5,
    }),
    fuelItem: anyFuelItem,
    fee: tokens,
    outcome: outcomes,
    paid: fc.infiniteStream(fc.nat(3)),
  })
  .map(({ seats, lanes, fuelItem, fee, outcome, paid }) => {
    const limits = lanes.map(([items]) => BigInt(items) * fuelItem);
    const claims = limits.map((limit, lane) => (limit * BigInt(lanes[lane]![1])) / 1_000n);
    const byAll = (fuels: readonly bigint[]) =>
      fuels.flatMap((fuel) => Array.from({ length: seats }, (_, seat) => ({ seat, fuel })));
    const work = byAll(claims).filter(() => paid.next().value > 0);
    const items = lanes.reduce((sum, [own]) => sum + own, 0);
    return { terms: { items, fuelItem, fee, seats }, outcome, work, everything: byAll(limits) };
  });

/** Any end at all, also one that no ledger could report. */
const anyEnd: fc.Arbitrary<JobEnd> = fc.record({
  outcome: outcomes,
  fee: tokens,
  escrow: fc.bigInt({ min: 0n, max: 2n ** 100n }),
  work: fc.array(fc.record({ seat: fc.nat(4_095), fuel: fc.bigInt({ min: 0n, max: fuelMax }) }), {
    maxLength: 30,
  }),
});

type Law = (contracts: Contracts) => fc.IPropertyWithHooks<never>;

const law = <T>(values: fc.Arbitrary<T>, holds: (contracts: Contracts, value: T) => void) =>
  ((contracts) => fc.property(values, (value) => holds(contracts, value))) as Law;

const laws: Readonly<Record<string, Law>> = {
  'payments and refund make up the escrow': law(anyEnd, ({ settle }, end) => {
    const { payments, refund } = settle(end);
    expect(payments.reduce((sum, payment) => sum + payment.tokens, refund)).toBe(end.escrow);
  }),
  'nothing is negative': law(fc.tuple(anyEnd, anyTerms), ({ settle, escrow }, [end, terms]) => {
    const { payments, refund } = settle(end);
    expect(refund >= 0n && payments.every((payment) => payment.tokens >= 0n)).toBe(true);
    expect(escrow(terms)).toBeGreaterThanOrEqual(0n);
  }),
  'the escrow is enough for every execution': law(possible, (contracts, made) => {
    const { terms, outcome, work, everything } = made;
    const escrow = contracts.escrow(terms);
    for (const done of [work, everything]) {
      const end = { outcome, fee: terms.fee, work: done };
      // Were more held, nobody would get more.
      expect(contracts.settle({ ...end, escrow }).payments).toEqual(
        contracts.settle({ ...end, escrow: escrow + 2n ** 100n }).payments,
      );
    }
  }),
  'more fuel is never paid less': law(
    fc.tuple(possible, fc.nat(), fc.bigInt({ min: 0n, max: 2n ** 50n })),
    (contracts, [{ terms, outcome, work }, place, more]) => {
      fc.pre(work.length > 0);
      const at = place % work.length;
      const paid = (done: JobEnd['work']): bigint => {
        // Enough is held for whatever is claimed here.
        const escrow = contracts.escrow(terms) + 2n ** 150n;
        const end = { outcome, fee: terms.fee, escrow, work: done };
        const own = contracts.settle(end).payments.filter(({ seat }) => seat === work[at]!.seat);
        return own.reduce((sum, payment) => sum + payment.tokens, 0n);
      };
      const dearer = work.map((one, i) => (i === at ? { ...one, fuel: one.fuel + more } : one));
      expect(paid(dearer)).toBeGreaterThanOrEqual(paid(work));
    },
  ),
  'only who worked is paid': law(anyEnd, ({ settle }, end) => {
    const seats = new Set(end.work.map(({ seat }) => seat));
    expect(settle(end).payments.every(({ seat }) => seats.has(seat))).toBe(true);
  }),
  'unknown fields decide nothing': law(fc.tuple(anyEnd, anyTerms), (contracts, [end, terms]) => {
    const extra = { tip: 7n, submitter: 'a friend' };
    const work = end.work.map((entry) => ({ ...entry, ...extra }));
    expect(contracts.settle({ ...end, ...extra, work } as JobEnd)).toEqual(contracts.settle(end));
    expect(contracts.escrow({ ...terms, ...extra } as JobTerms)).toBe(contracts.escrow(terms));
  }),
  'nothing is remembered, and nothing that is given is changed': law(
    fc.tuple(anyEnd, anyEnd),
    ({ settle }, [one, other]) => {
      const frozen = Object.freeze({ ...one, work: Object.freeze(one.work.map(Object.freeze)) });
      const first = settle(frozen as JobEnd);
      settle(other);
      expect(settle(one)).toEqual(first);
    },
  ),
};

/** The laws that contracts break. */
function broken(contracts: Contracts): string[] {
  return Object.entries(laws)
    .filter(([, property]) => fc.check(property(contracts), { numRuns: 60, seed: 7 }).failed)
    .map(([name]) => name);
}

describe.each([none, fees])('$name', (contracts) => {
  test.each(Object.entries(laws))('%s', (_, property) => {
    fc.assert(property(contracts));
  });

  test('is one that a genesis may name', () => {
    expect(contractNames).toContain(contracts.name);
  });
});

test('fees pays each execution by its fuel, rounded down, and gives the rest back', () => {
  // 13 tokens and a half for each seat at most, rounded up.
  const terms = { items: 10, fuelItem: 450_000n, fee: 3n, seats: 4 };
  expect(fees.escrow(terms)).toBe(56n);
  const work = [
    { seat: 2, fuel: 2_700_000n },
    { seat: 0, fuel: 1_000_000n },
    { seat: 2, fuel: 333_333n },
    { seat: 3, fuel: 333_334n },
  ];
  expect(fees.settle({ outcome: 'settled', fee: 3n, escrow: 56n, work })).toEqual({
    payments: [
      { seat: 2, tokens: 8n },
      { seat: 0, tokens: 3n },
      { seat: 2, tokens: 0n },
      { seat: 3, tokens: 1n },
    ],
    refund: 44n,
  });
  // Who offers nothing deposits all the same, as if he offered 1, and has it back.
  expect(fees.escrow({ ...terms, fee: 0n })).toBe(fees.escrow({ ...terms, fee: 1n }));
  expect(fees.settle({ outcome: 'settled', fee: 0n, escrow: 20n, work })).toMatchObject({
    refund: 20n,
  });
  expect(none.settle({ outcome: 'expired', fee: 3n, escrow: 5n, work })).toEqual({
    payments: [],
    refund: 5n,
  });
});

let recentFees: readonly bigint[] = [];
const twins: readonly (readonly [string, Partial<Contracts>])[] = [
  [
    'payments and refund make up the escrow',
    { settle: (end) => ({ ...fees.settle(end), refund: fees.settle(end).refund + 1n }) },
  ],
  [
    'nothing is negative',
    {
      settle: ({ work, fee, escrow }) => {
        const payments = work.map(({ seat, fuel }) => ({ seat, tokens: fuel * fee }));
        return { payments, refund: payments.reduce((left, paid) => left - paid.tokens, escrow) };
      },
    },
  ],
  [
    'the escrow is enough for every execution',
    { escrow: (terms) => fees.escrow(terms) - (terms.fee > 0n ? 1n : 0n) },
  ],
  [
    'more fuel is never paid less',
    {
      settle: (end) => {
        const work = end.work.map(({ seat, fuel }) => ({ seat, fuel: fuel % (7n * fuelUnit) }));
        return fees.settle({ ...end, work });
      },
    },
  ],
  [
    'only who worked is paid',
    { settle: ({ escrow }) => ({ payments: [{ seat: 0, tokens: escrow }], refund: 0n }) },
  ],
  [
    'unknown fields decide nothing',
    {
      escrow: (terms) =>
        fees.escrow(terms) + ((terms as JobTerms & { readonly tip?: bigint }).tip ?? 0n),
    },
  ],
  [
    'nothing is remembered, and nothing that is given is changed',
    {
      settle: (end) => {
        const known = recentFees.includes(end.fee);
        recentFees = [...recentFees, end.fee].slice(-2);
        return known ? none.settle(end) : fees.settle(end);
      },
    },
  ],
];

test.each(twins)('a contract that breaks "%s" is told', (name, change) => {
  expect(broken({ ...fees, ...change })).toContain(name);
  expect(broken(fees)).toEqual([]);
});
