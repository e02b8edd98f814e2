// Goal: a seat that was not drawn learns how likely that was, exactly.
// Method: count by drawing many permutations and by hand; a summary of a real chain adds up.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nativeSha256 } from '../../node/crypto.ts';
import { dutyChanges } from '../../node/duty-book.ts';
import { drawChance, dutySummary, summaryJobsMax } from '../../node/duty-chance.ts';
import { hash, installSha256 } from '../../protocol/crypto/hash.ts';
import { jobId } from '../../protocol/job/job.ts';
import type { JobPlan } from '../../protocol/ledger/record.ts';
import { compare, one, ratio } from '../../protocol/ratio.ts';
import { cutLane, drawSeats, laneCut } from '../../protocol/sampling/draw.ts';
import { bookOf, everyHeight, rowsOf, runOf } from '../support/duty-oracle.ts';
import { finished } from '../support/ledger-steps.ts';
import { fakeWorld, smallProgram } from '../support/ledger-world.ts';

installSha256(nativeSha256);

const plan = (change: Partial<JobPlan>): JobPlan => ({
  ...{ seats: 10, seatSetHash: new Uint8Array(32), adversarial: 3, perLane: 3 },
  ...{ lanesMax: 3, lanes: 1, offset: 0, skippedViews: 0, drawnMs: 0, ...change },
});

/** Plans of one block: each job's lanes begin where those of the job before end. */
const blocks = fc
  .tuple(
    fc.integer({ min: 4, max: 30 }),
    fc.array(fc.tuple(fc.nat(8), fc.nat(8)), { maxLength: 5 }),
  )
  .map(([seats, jobs]) => {
    let offset = 0;
    return jobs.map(([size, some]) => {
      const perLane = 1 + (size % seats);
      const lanesMax = Math.floor(seats / perLane);
      const lanes = 1 + (some % lanesMax);
      offset += lanes;
      return plan({ seats, perLane, lanesMax, lanes, offset: offset - lanes });
    });
  });

test('law: the chance is the share of seats that the real draw takes, whatever it draws', () => {
  fc.assert(
    fc.property(blocks, fc.nat(1_000), (plans, nonce) => {
      const chance = drawChance(plans);
      expect(compare(chance, one)).toBeLessThanOrEqual(0);
      const seats = plans[0]?.seats ?? 4;
      const beacon = hash('beacon', nonce);
      const order = drawSeats({ network: beacon, height: 1, wave: 0, beacon, seats });
      const drawn = plans.flatMap(({ lanes, lanesMax, perLane, offset }) =>
        Array.from({ length: lanes }, (_, lane) =>
          cutLane(order, perLane, laneCut({ offset, lane, lanesMax })),
        ).flat(),
      );
      expect(chance).toEqual(ratio(BigInt(new Set(drawn).size), BigInt(seats)));
    }),
    { numRuns: 200 },
  );
});

test('jobs of one block share a permutation: cuts that they share count once', () => {
  const twice = [plan({ lanes: 2, offset: 0 }), plan({ lanes: 2, offset: 2 })];
  expect(drawChance(twice)).toEqual(ratio(9n, 10n));
  expect(drawChance([plan({ lanes: 1 })])).toEqual(ratio(3n, 10n));
});

test('a summary adds up to the chain, and tells a dry hour from an unlikely one', async () => {
  const world = fakeWorld(13, 2);
  world.roles.set(2, 'silent');
  const ids: Uint8Array[] = [];
  world.block();
  for (let round = 0; round < 3; round++) {
    const jobs = [1, 2].map((subtasks) => world.job(smallProgram, { subtasks, adversary: '1/10' }));
    ids.push(...finished(world, jobs));
  }
  const run = runOf(world);
  const rows = await rowsOf(await bookOf(run, everyHeight(run), dutyChanges));
  const summaries = world.genesis.seats.map((_, seat) => dutySummary(world.tip, ids, rows, seat));
  const [{ firstSlots, laterSlots, chance, jobs }] = summaries as [(typeof summaries)[number]];
  expect(jobs).toBe(6);
  expect(summaries.reduce((sum, { drawn }) => sum + drawn, 0)).toBe(firstSlots + laterSlots);
  for (const one of summaries) {
    expect(Object.values(one.states).reduce((sum, count) => sum + count, 0)).toBe(one.drawn);
    expect([one.firstSlots, one.laterSlots, one.chance]).toEqual([firstSlots, laterSlots, chance]);
    expect(one.text).toContain(
      one.drawn === 0 ? `Seat ${one.seat} was not drawn` : `was drawn ${one.drawn} time`,
    );
  }
  // K = 2 of 13 and l = 3: the lanes of both jobs of a block are three cuts of 3 among 13 seats.
  expect(chance).toBe(`${13 ** 3 - 4 ** 3}/${13 ** 3}`);
  // A book with a row too few does not add up.
  const short = world.genesis.seats.map((_, seat) =>
    dutySummary(world.tip, ids, rows.slice(1), seat),
  );
  expect(short.reduce((sum, { drawn }) => sum + drawn, 0)).not.toBe(firstSlots + laterSlots);
});

test('an open job counts as drawn once it is; unknown ones never do', () => {
  const world = fakeWorld(4, 3);
  world.block();
  const signed = world.job(smallProgram);
  const id = jobId(signed.job);
  const sum = () => dutySummary(world.tip, [id, id, new Uint8Array(32)], [], 0);
  world.block([{ kind: 'job', signed }]);
  expect(sum()).toMatchObject({
    jobs: 0,
    chance: '0',
    text: 'No job was drawn, so seat 0 could not be.',
  });
  world.block();
  expect(sum()).toMatchObject({ jobs: 1, firstSlots: 4, laterSlots: 0, chance: '1' });
  expect(sum().text).toBe(
    '1 job was drawn at height 3: 4 slots in first waves, 0 in later ones. Seat 0 was not drawn; the first waves pass a seat over with probability 0.',
  );
});

test('many jobs are summed within a limit, and long ratios are said to be rounded', () => {
  const world = fakeWorld(7, 4);
  const ids: Uint8Array[] = [];
  for (let place = 0; place < 16; place++) {
    const signed = world.job(smallProgram, { subtasks: 1 });
    ids.push(jobId(signed.job));
    world.block([{ kind: 'job', signed }]);
  }
  world.block();
  // K = 2 and l = 3 of 7: each block passes four of seven over.
  const exact = dutySummary(world.tip, ids.slice(0, 2), [], 6);
  expect([exact.jobs, exact.chance]).toEqual([2, '33/49']);
  expect(exact.text).toContain('at heights 2 to 3');
  expect(exact.text).toMatch(/with probability 16\/49\.$/);
  const rounded = dutySummary(world.tip, ids, [], 6);
  expect(rounded.text).toMatch(/pass a seat over with probability about 1\.3e-4\.$/);
  const many = Array.from({ length: summaryJobsMax + 1 }, () => new Uint8Array(32));
  expect(() => dutySummary(world.tip, many, [], 0)).toThrow(RangeError);
});
