// Goal: a job ends by a named reason, once, and no token is made or lost on the way.
// Method: real chains with honest and faulty seats; tokens counted after every block of random ones.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fees } from '../../contracts-sim/fees.ts';
import { none } from '../../contracts-sim/none.ts';
import { nativeSha256 } from '../../node/crypto.ts';
import { type LaneState, logEntryCodec, type Slot } from '../../protocol/aggregation/lane.ts';
import { installSha256 } from '../../protocol/crypto/hash.ts';
import { instanceFuel } from '../../protocol/execution/fuel.ts';
import { jobId, type SignedJob } from '../../protocol/job/job.ts';
import {
  type AbstainClass,
  abstainClasses,
  messageHash,
  type SignedStatement,
} from '../../protocol/job/statement.ts';
import { blockItemCodec } from '../../protocol/ledger/block.ts';
import { type ChainState, genesisChain, ledgerRules } from '../../protocol/ledger/chain.ts';
import type { Contracts } from '../../protocol/ledger/contracts.ts';
import { endLanes } from '../../protocol/ledger/end.ts';
import { type JobRecord, type JobState, recordCodec } from '../../protocol/ledger/record.ts';
import { StateCursor } from '../../protocol/ledger/state.ts';
import { listRoot } from '../../protocol/merkle/list.ts';
import { mapEntries } from '../../protocol/merkle/map.ts';
import { drawPlan } from '../../protocol/sampling/plan.ts';
import { simulatedFuel } from '../simulation/lane.ts';
import { finished, nextBlock } from '../support/ledger-steps.ts';
import { fakeWorld, LedgerWorld, type SeatRole, smallProgram } from '../support/ledger-world.ts';
import { linesElsewhere } from '../support/line-shares.ts';
import { reachEveryLine } from '../support/lines.ts';

installSha256(nativeSha256);
reachEveryLine('ledger', linesElsewhere('ledger', [[34, 40]]));

/** All tokens of a chain: in accounts, and held for jobs. */
function tokensOf({ map }: ChainState): bigint {
  const cursor = new StateCursor(map);
  let sum = 0n;
  const front = 'account/';
  for (const { key } of mapEntries(map))
    if (String.fromCharCode(...key.subarray(0, front.length)) === front)
      sum += cursor.tokens(key.subarray(front.length));
  for (const id of cursor.open()) sum += cursor.job(id)!.escrow;
  return sum;
}

describe('the end of a job', () => {
  const roles = (world: LedgerWorld, all: readonly (SeatRole | null)[]): LedgerWorld => {
    for (const [seat, role] of all.entries()) if (role !== null) world.roles.set(seat, role);
    return world;
  };
  const ended = (world: LedgerWorld, signed: SignedJob): JobRecord =>
    world.record(finished(world, [signed])[0]!)!;

  test('is settled when all lanes accepted, failed when an item failed', () => {
    const world = roles(fakeWorld(7, 31), ['lie', 'silent']);
    const settled = ended(world, world.job(smallProgram));
    expect(settled).toMatchObject({ state: 'settled', reason: 'JOB_SETTLED', escrow: 0n });
    expect(settled.lanes.map(({ outcome }) => outcome)).toEqual(['accepted', 'accepted']);
    expect(settled.lanes.every(({ claim }) => claim!.valueCid !== null)).toBe(true);
    expect(settled.ended).toBe(world.tip.header.height);
    const failing = fakeWorld(4, 32);
    const failed = ended(failing, failing.job({ ...smallProgram, failing: 5 }));
    expect(failed).toMatchObject({ state: 'failed', reason: 'JOB_ITEM_FAILED' });
    // Both lanes are accepted; the lane that failed has no value.
    expect(failed.lanes.map(({ outcome }) => outcome)).toEqual(['accepted', 'accepted']);
    expect(failed.lanes.some(({ claim }) => claim!.valueCid === null)).toBe(true);
  });

  test('is expired when a lane is out of waves; one seat too few can do no more', () => {
    const world = roles(fakeWorld(4, 33), ['silent', 'silent', 'silent']);
    const record = ended(world, world.job(smallProgram));
    expect(record).toMatchObject({ state: 'expired', reason: 'JOB_OUT_OF_WAVES' });
    expect(record.lanes.some(({ outcome }) => outcome === 'expired')).toBe(true);
    expect(Math.max(...record.lanes.map(({ waves }) => waves.length))).toBe(12);
    const enough = roles(fakeWorld(4, 33), ['silent', 'silent']);
    expect(ended(enough, enough.job(smallProgram)).state).toBe('settled');
  });

  test('is voided when K + 1 seats of a lane abstain, and not by K', () => {
    const world = roles(fakeWorld(4, 34), ['abstain', 'abstain', 'abstain', 'abstain']);
    const record = ended(world, world.job(smallProgram));
    expect(record).toMatchObject({ state: 'voided', reason: 'PROGRAM_TOO_SLOW' });
    const one = roles(fakeWorld(4, 34), ['abstain']);
    expect(ended(one, one.job(smallProgram)).state).toBe('settled');
  });

  /** The chain of a running job, with its lanes changed as no honest network would. */
  function bent(change: (lane: LaneState, at: number) => LaneState) {
    const world = fakeWorld(4, 35);
    const signed = world.job(smallProgram);
    world.block([{ kind: 'job', signed }]);
    world.block();
    const cursor = new StateCursor(world.tip.map);
    const id = jobId(signed.job);
    const { lanes } = cursor.job(id)!.plan!;
    for (let at = 0; at < lanes; at++) cursor.setLane(id, at, change(cursor.lane(id, at)!, at));
    endLanes(cursor, nextBlock(world), world.rules);
    return cursor.job(id)!;
  }

  test('has the first reason that holds: contradiction, abstention, expiry', () => {
    const outcome = (name: LaneState['outcome'], only?: number) => (lane: LaneState, at: number) =>
      only === undefined || only === at ? { ...lane, outcome: name, closed: 2 } : lane;
    expect(bent((lane) => lane).state).toBe('running');
    expect(bent(outcome('contradiction', 1))).toMatchObject({
      state: 'voided',
      reason: 'LANE_CONTRADICTION',
    });
    expect(bent(outcome('expired', 0))).toMatchObject({
      state: 'expired',
      reason: 'JOB_OUT_OF_WAVES',
    });
    const mixed = bent((lane, at) => outcome(at === 0 ? 'expired' : 'contradiction')(lane, at));
    expect(mixed.reason).toBe('LANE_CONTRADICTION');
    // The other lane was still open, and stands so in the record.
    const record = bent(outcome('expired', 0));
    expect(record.lanes.map((lane) => lane.outcome)).toEqual(['expired', 'open']);
    expect(record.lanes[1]).toMatchObject({ closed: null, claim: null });
  });

  test.each([
    ['timeout', 'PROGRAM_TOO_SLOW'],
    ['killed', 'PROGRAM_UNRUNNABLE'],
    ['host-oom', 'PROGRAM_UNRUNNABLE'],
    ['unavailable', 'INPUT_UNAVAILABLE'],
    ['inadmissible', 'PROGRAM_INADMISSIBLE'],
    ['lawless', 'PROGRAM_LAWLESS'],
  ] as const)('by abstention in %s is %s', (name, reason) => {
    const abstains = (slot: Slot, at: number, by: AbstainClass): Slot => ({
      ...slot,
      abstained: by,
      seat: at,
    });
    const record = bent((lane) => ({
      ...lane,
      outcome: 'abstained',
      slots: lane.slots.map((slot, at) => abstains(slot, at, name)),
    }));
    expect(record).toMatchObject({ state: 'voided', reason });
    // What one seat says in wave after wave is no reason, however often it says it.
    const loud = bent((lane) => ({
      ...lane,
      outcome: 'abstained',
      slots: [
        ...lane.slots.map((slot, at) => abstains(slot, at, name)),
        ...[1, 2, 3, 4].map(() =>
          abstains(lane.slots[0]!, 3, abstainClasses.find((other) => other !== name)!),
        ),
      ],
    }));
    expect(loud.reason).toBe(reason);
    // Of two lanes, the lower one tells.
    const other = name === 'timeout' ? 'unavailable' : 'timeout';
    const both = bent((lane, place) => ({
      ...lane,
      outcome: 'abstained',
      slots: lane.slots.map((slot, at) => abstains(slot, at, place === 0 ? name : other)),
    }));
    expect(both.reason).toBe(reason);
  });

  test('leaves of each lane its waves, with their seats, and the root of its log', () => {
    const world = fakeWorld(4, 37);
    for (let seat = 0; seat < 4; seat++) world.roles.set(seat, 'silent');
    const signed = world.job(smallProgram, { subtasks: 1 });
    const id = jobId(signed.job);
    world.block([{ kind: 'job', signed }]);
    world.block();
    let last: LaneState | null = null;
    for (let lane = laneAt(); lane !== null; lane = laneAt()) {
      last = lane;
      // In the second wave the seats wake up.
      if (lane.waves.length === 2) world.roles.clear();
      world.block(world.due().map((one) => ({ kind: 'statement', signed: one })));
    }
    function laneAt(): LaneState | null {
      return new StateCursor(world.tip.map).lane(id, 0);
    }
    const [closed] = world.record(id)!.lanes;
    const opens = world.bodies.at(-1)!;
    expect(closed!.waves.map(({ seats }) => seats)).toEqual([2, 2]);
    expect(closed!.waves).toEqual(
      last!.waves.map(({ base, skippedViews, reopened, commitClose }) => ({
        ...{ base, skippedViews, reopened, commitClose },
        seats: 2,
      })),
    );
    expect(closed!.logSize).toBe(last!.log.length + opens.length);
    const late = opens.map((bytes) => {
      const { signed: said } = blockItemCodec.decode(bytes) as { signed: SignedStatement };
      const { kind, seat, wave } = said.statement;
      const height = world.tip.header.height;
      return logEntryCodec.encode({ kind, seat, wave, height, message: messageHash(said) });
    });
    const log = last!.log.map((entry) => logEntryCodec.encode(entry));
    expect(closed!.logRoot).toEqual(listRoot([...log, ...late]));
    expect(closed!).toMatchObject({ outcome: 'accepted', closed: world.tip.header.height });
  });

  test('leaves a record that nothing changes, and that always fits', () => {
    const world = fakeWorld(4, 36);
    const [id] = world.run([world.job(smallProgram)]);
    const record = world.record(id!)!;
    world.block();
    expect(world.record(id!)).toEqual(record);
    const wave = {
      ...{ base: 2 ** 48, skippedViews: 2 ** 48, reopened: true, seats: 4_096 },
      commitClose: 2 ** 48,
    };
    const lane = { ...record.lanes[0]!, closed: 2 ** 48, waves: Array(65).fill(wave) };
    let lanesMax = 0;
    for (const seats of [4, 7, 13, 40, 300, 1_500, 2_304, 3_000, 4_000, 4_096])
      for (const adversary of [0, 20] as const) {
        const plan = drawPlan({ seats, adversary, lossExponent: 1, skippedViews: 0 });
        lanesMax = Math.max(lanesMax, plan.lanesMax);
      }
    expect(lanesMax).toBe(1_024);
    const largest = { ...record, lanes: Array(lanesMax).fill(lane) };
    const bytes = recordCodec.encode(largest);
    expect(bytes.length).toBeLessThan(recordCodec.bytesMax);
    expect(recordCodec.decode(bytes).lanes).toHaveLength(lanesMax);
  });
});

describe('tokens', () => {
  const world = fc.record({
    seed: fc.nat(1_000),
    seats: fc.constantFrom(4, 5),
    roles: fc.array(
      fc.constantFrom<SeatRole>(
        'lie',
        'miscount',
        'silent',
        'abstain',
        'equivocate',
        'unopened',
        'late',
        'honest',
      ),
      { minLength: 5, maxLength: 5 },
    ),
    fees: fc.array(fc.constantFrom(0n, 1n, 1_000_003n), { minLength: 1, maxLength: 2 }),
  });

  test('are neither made nor lost in any block, nor ever held too few', () => {
    const ends = new Set<JobState>();
    const all = (role: SeatRole): SeatRole[] => Array.from({ length: 5 }, () => role);
    const examples = (['honest', 'unopened', 'abstain'] as const).map(
      (role, seed): [{ seed: number; seats: number; roles: SeatRole[]; fees: bigint[] }] => [
        { seed, seats: 4, roles: all(role), fees: [0n, 1_000_003n] },
      ],
    );
    fc.assert(
      fc.property(world, ({ seed, seats, roles, fees: asked }) => {
        const made = fakeWorld(seats, seed);
        for (const [seat, role] of roles.slice(0, seats).entries()) made.roles.set(seat, role);
        const jobs = asked.map((fee) => made.job(smallProgram, { fee }));
        const ids = finished(made, jobs);
        const total = tokensOf(made.chains[0]!);
        for (const chain of made.chains) expect(tokensOf(chain)).toBe(total);
        for (const id of ids) ends.add(made.record(id)!.state);
      }),
      { numRuns: 6, examples },
    );
    for (const end of ['settled', 'voided']) expect(ends).toContain(end);
  });

  const balance = (made: LedgerWorld, seat: number): bigint =>
    new StateCursor(made.tip.map).tokens(made.keys.seat(seat).publicKey);

  test('go to the seats whose claim was accepted, by the fuel that it tells', () => {
    const made = fakeWorld(4, 41);
    made.roles.set(3, 'miscount');
    const signed = made.job(smallProgram, { fee: 10n, subtasks: 8 });
    const submitter = (chain: ChainState): bigint =>
      new StateCursor(chain.map).tokens(signed.job.submitter);
    const before = submitter(made.tip);
    const [id] = finished(made, [signed]);
    const paid = [0, 1, 2, 3].map((seat) => balance(made, seat));
    expect(paid[3]).toBe(0n);
    const sum = paid.reduce((a, b) => a + b);
    expect(submitter(made.tip)).toBe(before - sum);
    // Two lanes, of every other pair of items, each accepted by K + 1 = 2 seats.
    const lanes = [0, 1].map((lane) =>
      Array.from({ length: 16 }, (_, item) => item)
        .filter((item) => Math.floor(item / 2) % 2 === lane)
        .reduce((fuel, item) => fuel + simulatedFuel(signed.job, item), 0n),
    );
    expect(made.record(id!)!.lanes.map(({ claim }) => claim!.mapFuel)).toEqual(lanes);
    expect(sum).toBe(lanes.reduce((all, fuel) => all + 2n * ((fuel * 10n) / 1_000_000n), 0n));
  });

  test('of a job that expired go to seats with a commit, once, however often they were drawn', () => {
    const made = fakeWorld(4, 42);
    for (const seat of [0, 1, 2, 3]) made.roles.set(seat, 'silent');
    // Seat 0 commits in every wave, and never reveals: a `late` seat that is never late enough.
    const signed = made.job(smallProgram, { fee: 10n, subtasks: 1 });
    const id = jobId(signed.job);
    made.block([{ kind: 'job', signed }]);
    made.block();
    let commits = 0;
    while (made.record(id)!.ended === null) {
      made.roles.set(0, 'honest');
      const due = made.due().filter(({ statement }) => statement.kind === 'commit');
      commits += due.length;
      const offered = due.map((one) => ({ kind: 'statement', signed: one }) as const);
      expect(made.block(offered, { stepMs: 4_000 })).toEqual([]);
    }
    expect(made.record(id)!.state).toBe('expired');
    expect(commits).toBeGreaterThan(5);
    // A commit alone proves no work: what 16 instances cost, 10 tokens a million.
    expect(balance(made, 0)).toBe((16n * instanceFuel * 10n) / 1_000_000n);
    expect([1, 2, 3].map((seat) => balance(made, seat))).toEqual([0n, 0n, 0n]);
  });

  test('of a lane without a result do not go by what a seat alone claims', () => {
    const made = fakeWorld(4, 46);
    // One tells the truth; the others commit, and it expires before they show anything.
    made.roles.set(1, 'silent').set(2, 'silent').set(3, 'silent');
    const signed = made.job(smallProgram, { fee: 10n, subtasks: 1 });
    const [id] = finished(made, [signed]);
    expect(made.record(id!)!.state).toBe('expired');
    expect(balance(made, 0)).toBe((16n * instanceFuel * 10n) / 1_000_000n);
  });

  test('of an equivocator are none; a contract that does not add up stops the ledger', () => {
    const made = fakeWorld(4, 43);
    made.roles.set(0, 'equivocate').set(1, 'silent').set(2, 'silent').set(3, 'silent');
    finished(made, [made.job(smallProgram, { fee: 10n })]);
    expect([0, 1, 2, 3].map((seat) => balance(made, seat))).toEqual([0n, 0n, 0n, 0n]);

    const leaky: Contracts = {
      ...fees,
      settle: (end) => ({ ...fees.settle(end), refund: 1n + fees.settle(end).refund }),
    };
    const { keys, genesis } = fakeWorld(4, 44);
    const broken = new LedgerWorld(keys, genesis);
    Object.assign(broken.rules, { contracts: leaky });
    expect(() => broken.run([broken.job(smallProgram)])).toThrow('the whole escrow');
  });

  test('are not held where contracts ask for none', () => {
    const { keys, genesis } = fakeWorld(4, 45);
    const unpaid = new LedgerWorld(keys, { ...genesis, contracts: 'none' });
    Object.assign(unpaid.rules, { contracts: none });
    expect(genesisChain(ledgerRules(unpaid.genesis, keys.suite, none)).hash).toEqual(
      unpaid.chains[0]!.hash,
    );
    const signed = unpaid.job(smallProgram, { fee: 2n ** 64n - 1n });
    const before = new StateCursor(unpaid.tip.map).tokens(signed.job.submitter);
    unpaid.run([signed]);
    expect(new StateCursor(unpaid.tip.map).tokens(signed.job.submitter)).toBe(before);
  });
});
