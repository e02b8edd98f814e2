// Goal: each item of a block moves money, draws and records as the ledger lines say, or is refused.
// Method: cases at every limit on small worlds; all lines of the page but the chain's are reached.
import { describe, expect, test } from 'vitest';
import { fees } from '../../contracts-sim/fees.ts';
import { none } from '../../contracts-sim/none.ts';
import { nativeSha256 } from '../../node/crypto.ts';
import type { LaneState } from '../../protocol/aggregation/lane.ts';
import { hash, installSha256 } from '../../protocol/crypto/hash.ts';
import { type Job, jobId, type SignedJob } from '../../protocol/job/job.ts';
import { type BlockContext, leadersSince } from '../../protocol/ledger/context.ts';
import type { Contracts } from '../../protocol/ledger/contracts.ts';
import { orderJob, orderSeatStatement } from '../../protocol/ledger/items.ts';
import { StateCursor } from '../../protocol/ledger/state.ts';
import { cutLane, drawId, drawSeats, laneCut } from '../../protocol/sampling/draw.ts';
import { drawPlan } from '../../protocol/sampling/plan.ts';
import { nextBlock } from '../support/ledger-steps.ts';
import { fakeWorld, type LedgerWorld, smallProgram } from '../support/ledger-world.ts';
import { linesElsewhere } from '../support/line-shares.ts';
import { reachEveryLine } from '../support/lines.ts';

installSha256(nativeSha256);
reachEveryLine('ledger', linesElsewhere('ledger', [[19, 33]]));

describe('ordering a job', () => {
  const order = (
    world: LedgerWorld,
    signed: SignedJob,
    change: { cursor?: StateCursor; block?: BlockContext; contracts?: Contracts } = {},
  ): Uint8Array | string => {
    const cursor = change.cursor ?? new StateCursor(world.tip.map);
    const rules = { ...world.rules, contracts: change.contracts ?? fees };
    return orderJob(cursor, signed, change.block ?? nextBlock(world), rules);
  };
  /** A world whose tip has a parent, so that an anchor may be older. */
  function grown(): LedgerWorld {
    const world = fakeWorld(4, 21);
    world.block();
    world.block();
    return world;
  }

  test('moves the escrow, uses the nonce, and begins a record', () => {
    const world = grown();
    const signed = world.job(smallProgram, { fee: 5n, slowItemMs: 7 });
    const cursor = new StateCursor(world.tip.map);
    const before = cursor.tokens(signed.job.submitter);
    // 16 items at 2^23 units, 5 tokens a million, rounded up, for each of 4 seats.
    const escrow = 672n * 4n;
    // The anchor is the tip, which the block at hand makes known.
    const { header, hash: anchorHash } = world.tip;
    cursor.setRecent({ ...header, hash: anchorHash });
    const id = order(world, signed, { cursor });
    expect(id).toEqual(jobId(signed.job));
    expect(cursor.tokens(signed.job.submitter)).toBe(before - escrow);
    expect(cursor.usedNonce(signed.job.submitter, signed.job.nonce)).toBe(true);
    expect(cursor.open()).toEqual([id]);
    expect(cursor.job(id as Uint8Array)).toMatchObject({
      ...{ state: 'ordered', reason: 'JOB_AWAITS_DRAW', items: 16, subtasks: 8, waves: 12 },
      ...{
        fuelItem: 2n ** 23n,
        fee: 5n,
        escrow,
        includedHeight: 3,
        slowItemMs: 7,
        plan: null,
        ended: null,
      },
      ...{ parentView: header.view, anchorView: header.view, lanes: [] },
    });
  });

  test('refuses what is not admissible by that name', () => {
    const world = grown();
    expect(order(world, world.job(smallProgram, { waves: 11 }))).toBe('JOB_TOO_FEW_WAVES');
    const { job, signature } = world.job(smallProgram);
    expect(order(world, { job, signature: signature.with(0, 1) })).toBe('JOB_SIGNATURE');
  });

  test('takes no job after its time, none with an unknown anchor, none that lives too long', () => {
    const world = grown();
    const { header, hash: id } = world.chains[1]!;
    const anchored = (change: Partial<Job>): SignedJob =>
      world.job(smallProgram, { anchorHeight: 1, anchorHash: id, ...change });
    const { timeMs } = nextBlock(world);
    const good = order(world, anchored({ includeByMs: timeMs }));
    expect(good).toBeInstanceOf(Uint8Array);
    expect(order(world, anchored({ includeByMs: timeMs - 1 }))).toBe('JOB_NOT_INCLUDED_IN_TIME');
    const longest = header.timeMs + 60_000;
    expect(order(world, anchored({ includeByMs: longest }))).toBeInstanceOf(Uint8Array);
    expect(order(world, anchored({ includeByMs: longest + 1 }))).toBe('JOB_LIVES_TOO_LONG');
    for (const change of [
      { anchorHeight: 0 },
      { anchorHeight: 2 },
      { anchorHeight: 3 },
      { anchorHeight: 1 + 8_192 },
      { anchorHash: hash('header', 'of a fork') },
    ])
      expect(order(world, anchored({ includeByMs: timeMs, ...change }))).toBe('JOB_ANCHOR_UNKNOWN');
  });

  test('takes a nonce once, whatever else the job says, until its time is over', () => {
    const world = grown();
    const nonce = 77n;
    const { header } = world.tip;
    const untilMs = header.timeMs + 10_000;
    const first = world.job(smallProgram, { nonce, includeByMs: untilMs });
    expect(world.block([{ kind: 'job', signed: first }])).toEqual([]);
    const again = (change: Partial<Job> = {}): string | undefined =>
      world.block([{ kind: 'job', signed: world.job(smallProgram, { nonce, ...change }) }])[0]
        ?.code;
    expect(world.block([{ kind: 'job', signed: first }])[0]!.code).toBe('JOB_REPLAYED');
    expect(again()).toBe('JOB_REPLAYED');
    expect(again({ fee: 2n })).toBe('JOB_REPLAYED');
    expect(again({ nonce: 78n })).toBeUndefined();
    // Another submitter's nonce is another nonce.
    const cursor = new StateCursor(world.tip.map);
    expect(cursor.usedNonce(world.keys.account(1).publicKey, nonce)).toBe(false);
    while (world.tip.header.timeMs < untilMs) {
      expect(world.block([{ kind: 'job', signed: first }])[0]!.code).toBe('JOB_REPLAYED');
      expect(new StateCursor(world.tip.map).usedNonce(first.job.submitter, nonce)).toBe(true);
    }
    world.block();
    // Forgotten, and the first job cannot come back: its time is over.
    expect(new StateCursor(world.tip.map).usedNonce(first.job.submitter, nonce)).toBe(false);
    expect(world.block([{ kind: 'job', signed: first }])[0]!.code).toBe('JOB_NOT_INCLUDED_IN_TIME');
    expect(again()).toBeUndefined();
  });

  test('takes no more jobs than may be open, and no job that cannot be paid', () => {
    const world = grown();
    const ids = Array.from({ length: 4_096 }, (_, at) => hash('dev', at));
    const cursor = new StateCursor(world.tip.map);
    const anchor = { anchorHeight: 1, anchorHash: world.chains[1]!.hash };
    const includeByMs = nextBlock(world).timeMs;
    const signed = world.job(smallProgram, { ...anchor, includeByMs, fee: 3n });
    cursor.setOpen(ids);
    expect(order(world, signed, { cursor })).toBe('LEDGER_JOBS_FULL');
    cursor.setOpen(ids.slice(1));
    const escrow = 403n * 4n; // 16 items at 2^23 units, 3 tokens a million, 4 seats
    cursor.setTokens(signed.job.submitter, escrow - 1n);
    expect(order(world, signed, { cursor })).toBe('JOB_ESCROW');
    expect(cursor.tokens(signed.job.submitter)).toBe(escrow - 1n);
    expect(order(world, signed, { cursor, contracts: none })).toBeInstanceOf(Uint8Array);
    const other = new StateCursor(world.tip.map);
    other.setTokens(signed.job.submitter, escrow);
    expect(order(world, signed, { cursor: other })).toBeInstanceOf(Uint8Array);
    expect(other.tokens(signed.job.submitter)).toBe(0n);
    const dear = world.job(smallProgram, { ...anchor, includeByMs, fee: 2n ** 64n - 1n });
    expect(order(world, dear)).toBe('JOB_ESCROW');
  });
});

describe('the draw', () => {
  test('follows from the beacon of the next block, job after job', () => {
    const world = fakeWorld(7, 22);
    world.block([], { skip: 2 });
    const jobs = [
      world.job(smallProgram, { subtasks: 2 }),
      world.job(smallProgram, { subtasks: 1 }),
      world.job(smallProgram),
    ];
    const parent = world.tip.header;
    world.block(jobs.map((signed) => ({ kind: 'job', signed })));
    const block = world.tip;
    world.block([], { skip: 3 });
    const next = world.tip;
    const cursor = new StateCursor(next.map);
    const skippedViews = next.header.view - parent.view - 2;
    expect(skippedViews).toBe(3);
    const network = world.rules.network;
    const draw = { network, height: block.header.height, wave: 0, beacon: next.header.beacon };
    const order = drawSeats({ ...draw, seats: 7 });
    let offset = 0;
    for (const { job } of jobs) {
      const id = jobId(job);
      const record = cursor.job(id)!;
      const plan = drawPlan({ seats: 7, adversary: 0, lossExponent: 9, skippedViews });
      const { adversarial, perLane, lanesMax } = plan;
      const lanes = Math.min(job.subtasks, lanesMax);
      expect(record).toMatchObject({ state: 'running', reason: 'JOB_AWAITS_LANES' });
      expect(record.plan).toEqual({
        ...{ seats: 7, seatSetHash: world.rules.seatSet, adversarial, perLane, lanesMax, lanes },
        ...{ offset, skippedViews, drawnMs: next.header.timeMs },
      });
      for (let lane = 0; lane < lanes; lane++) {
        const state = cursor.lane(id, lane)!;
        const cut = cutLane(order, perLane, laneCut({ offset, lane, lanesMax }));
        expect(state.slots.map(({ seat }) => seat)).toEqual(cut);
        expect(state.waves[0]).toMatchObject({
          base: block.header.height,
          skippedViews,
          drawId: drawId({ ...draw, blockHash: block.hash }),
        });
      }
      expect(cursor.lane(id, lanes)).toBeNull();
      offset += lanes;
    }
    expect(cursor.ordered()).toEqual([]);
    expect(cursor.open()).toEqual(jobs.map(({ job }) => jobId(job)));
  });

  test('counts the views since the anchor, where those are more', () => {
    const world = fakeWorld(4, 23);
    world.block();
    const signed = world.job(smallProgram);
    world.block([], { skip: 30 });
    world.block([{ kind: 'job', signed }]);
    world.block();
    const record = world.record(jobId(signed.job))!;
    expect(record.plan!.skippedViews).toBe(30); // lapsed since the anchor
    expect(record).toMatchObject({ anchorView: 1, anchorHeight: 1 });
    const patient = world.job(smallProgram);
    for (let block = 0; block < 20; block++) world.block();
    world.block([{ kind: 'job', signed: patient }]);
    world.block();
    expect(world.record(jobId(patient.job))!.plan!.skippedViews).toBe(22 - 10); // just passed
  });

  test('of a later wave pays for all views that lapsed since the commits were closed', () => {
    const world = fakeWorld(4, 27);
    for (let seat = 0; seat < 4; seat++) world.roles.set(seat, 'silent');
    const signed = world.job(smallProgram, { subtasks: 1 });
    world.block([{ kind: 'job', signed }]);
    const lane = (): LaneState => new StateCursor(world.tip.map).lane(jobId(signed.job), 0)!;
    world.block([], { skip: 7 });
    while (lane().waves[0]!.commitClose === null) world.block();
    world.block([], { skip: 4 });
    while (lane().waves[0]!.closed === null) world.block();
    world.block([], { skip: 1 });
    expect(lane().waves.map(({ skippedViews }) => skippedViews)).toEqual([7, 4 + 1]);
  });

  test('of a later wave follows the block that closed the one before, and pays for its views', () => {
    const world = fakeWorld(7, 24);
    for (let seat = 0; seat < 7; seat++) world.roles.set(seat, 'silent');
    const signed = world.job(smallProgram, { subtasks: 1 });
    const id = jobId(signed.job);
    world.block([{ kind: 'job', signed }]);
    const lane = (): LaneState => new StateCursor(world.tip.map).lane(id, 0)!;
    world.block();
    while (lane().waves[0]!.closed === null) world.block();
    const closing = world.tip;
    expect(lane().waves).toHaveLength(1);
    world.block([], { skip: 5 });
    const next = world.tip;
    expect(lane().waves).toHaveLength(2);
    const height = closing.header.height;
    const draw = { network: world.rules.network, height, wave: 1, beacon: next.header.beacon };
    expect(lane().waves[1]).toMatchObject({
      base: height,
      drawId: drawId({ ...draw, blockHash: closing.hash }),
      skippedViews: next.header.view - world.chains[height - 1]!.header.view - 2,
    });
    expect(lane().waves[1]!.skippedViews).toBe(5);
    const used = new Set(
      lane()
        .slots.slice(0, 3)
        .map(({ seat }) => seat),
    );
    const unused = drawSeats({ ...draw, seats: 7 }).filter((seat) => !used.has(seat));
    const drawn = lane().slots.slice(3);
    expect(drawn.map(({ seat }) => seat)).toEqual(unused.slice(0, drawn.length));
    expect(drawn.length).toBeGreaterThan(0);
  });
});

describe('ordering a statement', () => {
  test('takes those of drawn seats about running jobs, under their own signature', () => {
    const world = fakeWorld(4, 25);
    const signed = world.job(smallProgram);
    world.block([{ kind: 'job', signed }]);
    const id = jobId(signed.job);
    const subject = { seat: 1, job: id, lane: 0, wave: 0, drawId: hash('draw-id') };
    const early = world.sign({ kind: 'abstain', ...subject, class: 'timeout' });
    const take = (statement: typeof early): string | null =>
      orderSeatStatement(new StateCursor(world.tip.map), statement, 9, world.rules);
    expect(take(early)).toBe('STATEMENT_JOB_NOT_RUNNING');
    expect(take(world.sign({ ...early.statement, job: hash('job') }))).toBe(
      'STATEMENT_JOB_UNKNOWN',
    );
    world.block();
    const [due] = world.due();
    const { statement } = due!;
    expect(take(due!)).toBeNull();
    expect(take(world.sign({ ...statement, lane: 7 }))).toBe('STATEMENT_JOB_NOT_RUNNING');
    const byAnother = {
      ...world.sign({ ...statement, seat: (statement.seat + 1) % 4 }),
      statement,
    };
    for (const forged of [
      { ...due!, signature: due!.signature.with(3, due!.signature[3]! ^ 1) },
      byAnother,
      world.sign({ ...statement, seat: 4 }),
      world.sign({ ...statement, seat: 4_095 }),
    ])
      expect(take(forged)).toBe('STATEMENT_SIGNATURE');
    expect(take(world.sign({ ...statement, wave: 1 }))).toBe('LANE_NOT_DRAWN');
    const ids = world.run([world.job(smallProgram)]);
    expect(world.record(ids[0]!)!.state).toBe('settled');
    expect(world.record(id)!.state).toBe('settled');
    expect(take(due!)).toBe('STATEMENT_JOB_NOT_RUNNING');
  });
});

test('leaders are counted once each, above a height, as far as blocks are known', () => {
  const world = fakeWorld(4, 26);
  const cursor = new StateCursor(world.tip.map);
  const proposers = [0, 1, 1, 2, 1, 3, 3];
  for (const [at, proposer] of proposers.entries())
    cursor.setRecent({ height: at + 1, hash: hash('header'), view: 1, timeMs: 1, proposer });
  const block = { ...nextBlock(world), height: 8, proposer: 1 };
  const counts = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((height) =>
    leadersSince(cursor, block, height, 99),
  );
  expect(counts).toEqual([4, 3, 3, 3, 2, 2, 2, 1, 0, 0]);
  expect(leadersSince(cursor, block, 0, 2)).toBe(2);
  // Height 4 is forgotten: what lies below it cannot be counted.
  cursor.setRecent({ height: 4 + 8_192, hash: hash('header'), view: 1, timeMs: 1, proposer: 0 });
  expect(leadersSince(cursor, block, 0, 99)).toBe(2);
});
