// Goal: whatever a pool offers, drafting makes a block that everybody applies, and never fails.
// Method: hostile items by the thousand at every stage of a job; all that was ever said, at once.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nativeSha256 } from '../../node/crypto.ts';
import { hex, sameBytes, utf8 } from '../../protocol/brand.ts';
import { hash, installSha256 } from '../../protocol/crypto/hash.ts';
import { jobId } from '../../protocol/job/job.ts';
import {
  abstainClasses,
  type SignedStatement,
  type Statement,
} from '../../protocol/job/statement.ts';
import { type BlockItem, blockItemCodec, itemsRoot } from '../../protocol/ledger/block.ts';
import type { ChainState } from '../../protocol/ledger/chain.ts';
import { StateCursor } from '../../protocol/ledger/state.ts';
import { applyBlock, draftBlock } from '../../protocol/ledger/transition.ts';
import { blockItemCountMax } from '../../protocol/params.ts';
import { sealAt } from '../support/ledger-steps.ts';
import { fakeWorld, smallProgram } from '../support/ledger-world.ts';
import { linesElsewhere } from '../support/line-shares.ts';
import { reachEveryLine } from '../support/lines.ts';

installSha256(nativeSha256);
reachEveryLine('ledger', linesElsewhere('ledger', [[41, 42]]));

describe('drafting', () => {
  /** Chains at every height of a lane with two waves, with what is due at each. */
  function stages() {
    const world = fakeWorld(4, 12);
    world.block([{ kind: 'job', signed: world.job(smallProgram, { subtasks: 1 }) }]);
    const said: SignedStatement[] = [];
    const dueAt: (readonly SignedStatement[])[] = [];
    const chains: ChainState[] = [];
    world.block();
    // The first two seats keep silent, so that a second wave answers and is opened.
    const job = jobId([...world.jobs.values()][0]!.signed.job);
    for (const { seat } of new StateCursor(world.tip.map).lane(job, 0)!.slots)
      world.roles.set(seat, 'silent');
    for (let height = 0; height < 60; height++) {
      const due = world.due();
      said.push(...due);
      dueAt.push(due);
      chains.push(world.tip);
      world.block(due.map((signed) => ({ kind: 'statement', signed })));
    }
    return { world, chains, said, dueAt };
  }
  const { world, chains, said, dueAt } = stages();
  const id = jobId([...world.jobs.values()][0]!.signed.job);
  const drawIds = chains.flatMap(({ map }) =>
    (new StateCursor(map).lane(id, 0)?.waves ?? []).map(({ drawId }) => drawId),
  );
  const digest = fc.constantFrom(hash('dev', 1), hash('dev', 2), hash('dev', 3));
  const subject = {
    seat: fc.nat(5),
    job: fc.constantFrom(id, id, id, hash('dev', 'no job')),
    lane: fc.constantFrom(0, 0, 0, 1, 65_535),
    wave: fc.constantFrom(0, 0, 1, 2, 64),
    drawId: fc.constantFrom(
      ...new Map(drawIds.map((one) => [hex(one), one])).values(),
      hash('draw'),
    ),
  };
  const claim = fc.record({
    laneRoot: digest,
    valueCid: fc.constantFrom(null, new Uint8Array(36)),
    mapFuel: fc.constantFrom(0n, 1n),
  });
  const opening = fc.record({
    ...{ subtask: fc.nat(2), item: fc.nat(16), outcome: fc.constantFrom('ok', 'trap') },
    ...{
      valueHash: fc.constantFrom(null, hash('dev', 1)),
      committed: fc.integer({ min: 1, max: 9 }),
    },
    ...{ rootA: digest, itemPath: fc.array(digest, { maxLength: 3 }) },
    ...{ rootB: fc.constantFrom(null, hash('dev', 1)) },
    ...{ subtaskValueHash: fc.constantFrom(null, hash('dev', 1)) },
    workPath: fc.array(digest, { maxLength: 3 }),
  });
  const statement = fc.oneof(
    fc.record({ kind: fc.constant('commit'), ...subject, digest }),
    fc.record({
      kind: fc.constant('abstain'),
      ...subject,
      class: fc.constantFrom(...abstainClasses),
    }),
    fc.record({
      ...{ kind: fc.constant('reveal'), ...subject, claim, saltKey: digest, workRoot: digest },
      value: fc.constantFrom(null, utf8('value')),
    }),
    fc.record({
      ...{ kind: fc.constant('open'), ...subject },
      openings: fc.array(opening, { maxLength: 4 }),
    }),
  ) as fc.Arbitrary<Statement>;
  const jobs = [...world.jobs.values()].map(({ signed }) => signed);
  const item: fc.Arbitrary<BlockItem> = fc.oneof(
    statement.map((one) => ({ kind: 'statement', signed: world.sign(one) }) as const),
    fc.constantFrom(...said).map((signed) => ({ kind: 'statement', signed }) as const),
    fc.tuple(fc.constantFrom(...said), fc.nat(63), fc.nat(5)).map(([signed, at, seat]) => {
      // Another seat's words, or another signature.
      const signature = signed.signature.with(at, signed.signature[at]! ^ 1);
      const foreign = { ...signed.statement, seat };
      return {
        kind: 'statement',
        signed: at % 2 === 0 ? { ...signed, signature } : world.sign(foreign),
      } as const;
    }),
    fc
      .record({
        fee: fc.constantFrom(0n, 1n, 2n ** 63n),
        waves: fc.constantFrom(11, 12),
        at: fc.nat(),
      })
      .map(({ at, ...change }) => {
        const { header, hash: anchorHash } = chains[at % chains.length]!;
        const anchor = { anchorHeight: header.height, anchorHash };
        const includeByMs = header.timeMs + 60_000;
        return {
          kind: 'job',
          signed: world.job(smallProgram, { ...anchor, includeByMs, ...change }),
        };
      }),
    fc.constantFrom(...jobs).map((signed) => ({ kind: 'job', signed }) as const),
  ) as fc.Arbitrary<BlockItem>;

  test('leaves what has no place, by name, and makes a block that everybody applies', () => {
    const codes = new Set<string>();
    let taken = 0;
    fc.assert(
      fc.property(fc.nat(), fc.array(item, { maxLength: 25 }), (at, hostile) => {
        const parent = chains[at % chains.length]!;
        const due = dueAt[at % chains.length]!.map(
          (signed) => ({ kind: 'statement', signed }) as const,
        );
        const offered = at % 2 === 0 ? [...due, ...hostile, ...due] : hostile;
        const draft = draftBlock(parent, sealAt(world, parent), offered, world.rules);
        expect(draft.items.length + draft.left.length).toBe(offered.length);
        taken += draft.items.length;
        for (const { code } of draft.left) codes.add(code);
        const applied = applyBlock(parent, draft.header, draft.items, world.rules);
        expect(applied).toMatchObject({ ok: true });
        // What was left has no place beside what was taken, either.
        for (const { item: rest, code } of draft.left.slice(0, 2)) {
          const items = [...draft.items, blockItemCodec.encode(rest)];
          const header = { ...draft.header, itemsRoot: itemsRoot(items) };
          const refused = applyBlock(parent, header, items, world.rules);
          expect(refused).toMatchObject({ ok: false });
          expect(code).not.toBe('BLOCK_STATE_ROOT');
        }
      }),
      { numRuns: 250 },
    );
    expect(taken).toBeGreaterThan(10);
    for (const code of ['STATEMENT_JOB_UNKNOWN', 'STATEMENT_SIGNATURE', 'LANE_NOT_DRAWN'])
      expect(codes).toContain(code);
    for (const code of ['JOB_TOO_FEW_WAVES', 'JOB_ESCROW', 'JOB_REPLAYED', 'JOB_ANCHOR_UNKNOWN'])
      expect(codes).toContain(code);
  });

  test('of all that was ever said takes, at each height, what is due, and that once', () => {
    const codes = new Set<string>();
    for (const [at, parent] of chains.entries()) {
      const all = [...said, ...said].map((signed) => ({ kind: 'statement', signed }) as const);
      const seal = sealAt(world, parent);
      const draft = draftBlock(parent, seal, all, world.rules);
      const due = dueAt[at]!.map((signed) => blockItemCodec.encode({ kind: 'statement', signed }));
      const taken = draft.items.map(hex);
      expect(taken).toEqual(expect.arrayContaining(due.map(hex)));
      expect(new Set(taken).size).toBe(taken.length);
      // Beside it, only what a leader could say who knows the beacon of its own block.
      const early = draft.items.filter((bytes) => !due.some((one) => sameBytes(one, bytes)));
      for (const bytes of early) {
        const drawn = blockItemCodec.decode(bytes) as Extract<BlockItem, { kind: 'statement' }>;
        const { statement: one } = drawn.signed;
        const { waves } = new StateCursor(draft.chain.map).lane(id, 0)!;
        expect(one.kind).toBe('commit');
        expect(waves[one.wave]!.base).toBe(parent.header.height);
      }
      for (const { code } of draft.left) codes.add(code);
    }
    expect([...codes].sort()).toEqual([
      'LANE_COMMIT_LATE',
      'LANE_KNOWN',
      'LANE_NOT_DRAWN',
      'LANE_OPENING_EARLY',
      'LANE_REVEAL_EARLY',
      'STATEMENT_JOB_NOT_RUNNING',
    ]);
  });

  test('fills a block to its limit and leaves the rest for the next', () => {
    const full = fakeWorld(64, 2);
    const open = (count: number): void => {
      const cheap = { lossExponent: 1, adversary: '1/20', subtasks: 16 } as const;
      const made = Array.from({ length: count }, () => full.job(smallProgram, cheap));
      expect(full.block(made.map((signed) => ({ kind: 'job', signed })))).toEqual([]);
    };
    open(64);
    open(30);
    full.block();
    const cursor = new StateCursor(full.tip.map);
    const offered = cursor.open().flatMap((job) =>
      Array.from({ length: cursor.job(job)!.plan!.lanes }, (_, lane) => lane).flatMap((lane) => {
        const { slots, waves } = cursor.lane(job, lane)!;
        const { drawId } = waves[0]!;
        return slots.map(({ seat }) => {
          const subjectOf = { seat, job, lane, wave: 0, drawId };
          const signed = full.sign({ kind: 'abstain', ...subjectOf, class: 'timeout' });
          return { kind: 'statement', signed } as const;
        });
      }),
    );
    expect(offered.length).toBeGreaterThan(blockItemCountMax);
    const { items, left } = draftBlock(full.tip, sealAt(full, full.tip), offered, full.rules);
    expect(items).toHaveLength(blockItemCountMax);
    expect(left).toHaveLength(offered.length - blockItemCountMax);
    expect(new Set(left.map(({ code }) => code))).toEqual(new Set(['BLOCK_FULL']));
  });
});
