// Goal: the books of all seats add up to the draws, to what was said, and to what was paid.
// Method: run chains of seats that lie, lag, abstain and keep silent; an oracle reads their blocks.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nativeSha256 } from '../../node/crypto.ts';
import { dutyChanges, readDuties } from '../../node/duty-book.ts';
import { paidSlots, type ReplayBase, replayBlock } from '../../node/duty-replay.ts';
import { dutyStates } from '../../node/duty-state.ts';
import { hex, sameBytes } from '../../protocol/brand.ts';
import { installSha256 } from '../../protocol/crypto/hash.ts';
import { genesisChain } from '../../protocol/ledger/chain.ts';
import { StateCursor } from '../../protocol/ledger/state.ts';
import { applyBlock } from '../../protocol/ledger/transition.ts';
import { mapRoot } from '../../protocol/merkle/map.ts';
import { runCase } from '../simulation/campaign.ts';
import {
  type Bookkeeper,
  bookFaults,
  bookOf,
  type ChainRun,
  everyHeight,
  rowsOf,
  runOf,
} from '../support/duty-oracle.ts';
import {
  fakeWorld,
  type LedgerWorld,
  type SeatRole,
  smallProgram,
} from '../support/ledger-world.ts';

installSha256(nativeSha256);

const roles = ['honest', 'lie', 'silent', 'abstain', 'equivocate', 'unopened', 'late'] as const;

type Wish = {
  readonly seats: number;
  readonly seed: number;
  readonly roles: readonly SeatRole[];
  /** Height at which each job is ordered, its subtasks and fee. */
  readonly jobs: readonly {
    readonly at: number;
    readonly subtasks: number;
    readonly fee: bigint;
  }[];
  readonly failing: boolean;
  readonly heights: number;
  readonly stepMs: number;
};

/** Grows a chain so many heights; jobs are left open where that is too few. */
function grow(wish: Wish): LedgerWorld {
  const world = fakeWorld(wish.seats, wish.seed);
  for (const [seat, role] of wish.roles.entries()) world.roles.set(seat, role);
  for (let height = 0; height < wish.heights; height++) {
    const jobs = wish.jobs
      .filter(({ at }) => at === height)
      .map(({ subtasks, fee }) => {
        const program = wish.failing ? { ...smallProgram, failing: 3 } : smallProgram;
        const input = { kind: 'generated', items: 8 } as const;
        return { kind: 'job', signed: world.job(program, { input, subtasks, fee }) } as const;
      });
    const said = world.due().map((signed) => ({ kind: 'statement', signed }) as const);
    world.block([...said, ...jobs], { stepMs: wish.stepMs });
  }
  return world;
}

const wishes: fc.Arbitrary<Wish> = fc.record({
  seats: fc.constantFrom(4, 7),
  seed: fc.nat(1_000),
  roles: fc.array(
    fc.oneof({ weight: 3, arbitrary: fc.constant('honest' as const) }, fc.constantFrom(...roles)),
    { minLength: 4, maxLength: 7 },
  ),
  jobs: fc.array(
    fc.record({
      at: fc.nat(6),
      subtasks: fc.constantFrom(1, 3),
      fee: fc.constantFrom(0n, 1n, 5n),
    }),
    { minLength: 1, maxLength: 3 },
  ),
  failing: fc.boolean(),
  heights: fc.integer({ min: 8, max: 32 }),
  stepMs: fc.constantFrom(1_000, 4_000),
});

/** A run that has every kind of row, and jobs that end in different ways. */
const mixed: Wish = {
  seats: 7,
  seed: 5,
  roles: ['honest', 'late', 'silent', 'equivocate', 'lie', 'honest', 'honest'],
  jobs: [
    { at: 1, subtasks: 3, fee: 2n },
    { at: 1, subtasks: 1, fee: 1n },
    { at: 4, subtasks: 3, fee: 0n },
  ],
  failing: false,
  heights: 60,
  stepMs: 4_000,
};

/** A run that leaves off where rows are in every state. */
const every: Wish = {
  seats: 7,
  seed: 2,
  roles: ['abstain', 'late', 'silent', 'equivocate', 'lie', 'unopened', 'honest'],
  jobs: [1, 28].flatMap((at) => [1, 3].map((subtasks) => ({ at, subtasks, fee: 1n }))),
  failing: false,
  heights: 32,
  stepMs: 4_000,
};

let made: ChainRun | null = null;
function mixedRun(): ChainRun {
  made ??= runOf(grow(mixed));
  return made;
}

describe('law', () => {
  test('the rows of all seats are the draws of the chain, however finality cuts it', async () => {
    const states = new Set<string>();
    await fc.assert(
      fc.asyncProperty(wishes, fc.array(fc.nat(31), { maxLength: 6 }), async (wish, some) => {
        const run = runOf(grow(wish));
        const top = run.blocks.length;
        const cuts = [...new Set([...some.map((cut) => 1 + (cut % top)), top])].sort(
          (a, b) => a - b,
        );
        const book = await bookOf(run, cuts, dutyChanges);
        const rows = await rowsOf(book);
        for (const { state } of rows) states.add(state);
        expect(bookFaults(run, rows)).toEqual([]);
        const whole = await bookOf(run, everyHeight(run), dutyChanges);
        expect(await rowsOf(whole)).toEqual(rows);
      }),
      { numRuns: 25, examples: [[every, [2, 9, 30]]] },
    );
    // A law over runs in which nothing happens would hold too.
    expect([...states].sort()).toEqual([...dutyStates].sort());
  });

  test('a replayed block leaves the state that its header names', () => {
    const { chains, blocks, rules } = mixedRun();
    let base: ReplayBase = chains[0]!;
    let ended = 0;
    for (const block of blocks) {
      const replayed = replayBlock(base, block, rules, () => true);
      base = replayed.next();
      expect(sameBytes(mapRoot(base.map), block.header.stateRoot)).toBe(true);
      for (const { record, lanes } of replayed.ended) {
        ended += 1;
        expect(lanes.map(({ outcome }) => outcome)).toEqual(
          record.lanes.map(({ outcome }) => outcome),
        );
        for (const lane of lanes) expect(paidSlots(lane).length).toBeGreaterThan(0);
      }
    }
    expect(ended).toBeGreaterThan(0);
  });

  test.each([0, 1, 2, 3])('in a simulated network of replicas, seed %i', async (seed) => {
    const { world, violations } = runCase({
      seed,
      seats: 4,
      role: (['none', 'silent', 'equivocating', 'lying'] as const)[seed]!,
      weather: 'delayed',
    });
    expect(violations).toEqual([]);
    const { rules } = world.network;
    const blocks = world.honest()[0]!.disk.chain;
    const chains = [genesisChain(rules)];
    for (const { header, items } of blocks) {
      const applied = applyBlock(chains.at(-1)!, header, items, rules);
      if (!applied.ok) throw new Error(applied.code);
      chains.push(applied.chain);
    }
    const run = { rules, chains, blocks };
    const rows = await rowsOf(await bookOf(run, everyHeight(run), dutyChanges));
    expect(rows.length).toBeGreaterThan(0);
    expect(bookFaults(run, rows)).toEqual([]);
  });
});

describe('twins that must fail', () => {
  const books: readonly (readonly [name: string, write: Bookkeeper])[] = [
    ['drops a row', (...args) => dutyChanges(...args).slice(1)],
    [
      'looks at the last block only',
      ({ blocks, ...rest }, ...more) => dutyChanges({ ...rest, blocks: blocks.slice(-1) }, ...more),
    ],
    [
      'forgets the ends of jobs',
      ({ blocks, ...rest }, ...more) =>
        dutyChanges({ ...rest, blocks: blocks.map((block) => ({ ...block, items: [] })) }, ...more),
    ],
  ];
  test.each(books)('a book that %s', async (_name, write) => {
    const run = mixedRun();
    const top = run.blocks.length;
    const cuts = [3, top];
    const told = await bookOf(run, cuts, write).then(
      async (book) => bookFaults(run, await rowsOf(book)),
      (error: unknown) => [String(error)],
    );
    expect(told).not.toEqual([]);
  });

  test('rows that say something else', async () => {
    const run = mixedRun();
    const rows = await rowsOf(await bookOf(run, everyHeight(run), dutyChanges));
    expect(bookFaults(run, rows)).toEqual([]);
    for (const place of rows.keys()) {
      const row = rows[place]!;
      const changed = (change: Partial<typeof row>): readonly string[] =>
        bookFaults(run, rows.with(place, { ...row, ...change }));
      expect(bookFaults(run, rows.toSpliced(place, 1))).not.toEqual([]);
      expect(changed({ paid: String(BigInt(row.paid) + 1n) })).not.toEqual([]);
      const other = row.state === 'counted' ? 'dissenting' : 'counted';
      expect(changed({ state: other })).not.toEqual([]);
    }
  });
});

describe('rows', () => {
  test('say in words why, and what was paid', async () => {
    const run = mixedRun();
    const rows = await rowsOf(await bookOf(run, everyHeight(run), dutyChanges));
    const told = new Map(rows.map(({ state, why }) => [state, why]));
    expect(told.get('silent')).toMatch(
      /^no commit of it was ordered before commits closed at height \d+; not paid/,
    );
    expect(told.get('counted')).toMatch(
      /^its answer is the one that the lane accepted at height \d+; (paid for \d+ units of fuel|not paid: the job offers no fee)$/,
    );
    expect(told.get('equivocated')).toContain('it committed to two answers');
    for (const { state, why, paid, seat } of rows) {
      expect(dutyStates).toContain(state);
      expect(why).not.toMatch(/undefined|null|NaN/);
      if (BigInt(paid) > 0n) expect(why).toContain('paid for');
      if (mixed.roles[seat] === 'honest')
        expect(['silent', 'equivocated', 'abstained']).not.toContain(state);
    }
  });

  test('change only where something happened', () => {
    const { chains, blocks, rules } = mixedRun();
    const seats = rules.genesis.seats.length;
    const idle = blocks.findIndex(
      ({ items }, place) =>
        items.length === 0 && new StateCursor(chains[place]!.map).open().length === 0,
    );
    const stretch = { before: chains[idle]!, blocks: [blocks[idle]!], chain: chains[idle + 1]! };
    expect(dutyChanges(stretch, rules, 0)).toEqual([]);
    let [changed, open] = [0, 0];
    for (const [place, block] of blocks.entries()) {
      const one = { before: chains[place]!, blocks: [block], chain: chains[place + 1]! };
      const cursor = new StateCursor(chains[place]!.map);
      for (const id of cursor.open())
        for (let lane = 0; lane < (cursor.job(id)?.plan?.lanes ?? 0); lane++)
          open += cursor.lane(id, lane)!.slots.length;
      for (let seat = 0; seat < seats; seat++) changed += dutyChanges(one, rules, seat).length;
    }
    expect(changed).toBeLessThan(open);
  });
});

describe('pages', () => {
  test('give every row once, newest first, whatever their size', async () => {
    const run = mixedRun();
    const book = await bookOf(run, everyHeight(run), dutyChanges);
    const all = await rowsOf(book);
    const heights = all.map(({ drawnHeight }) => drawnHeight);
    expect(heights).toEqual(heights.toSorted((a, b) => b - a));
    for (const limit of [1, 2, all.length, all.length + 1])
      expect(await rowsOf(book, limit)).toEqual(all);
    const { data, next } = await readDuties(book, null, all.length);
    expect([data.length, next]).toEqual([all.length, null]);
  });

  test.each(['', 'xyz', hex(new Uint8Array(8))])('refuse the cursor %j', async (cursor) => {
    const book = await bookOf(mixedRun(), [], dutyChanges);
    await expect(readDuties(book, cursor, 10)).rejects.toThrow(RangeError);
  });

  test.each([0, -1, 1.5, 1_001])('refuse %d rows', async (limit) => {
    const book = await bookOf(mixedRun(), [], dutyChanges);
    await expect(readDuties(book, null, limit)).rejects.toThrow(RangeError);
  });
});
