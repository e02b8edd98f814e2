// Goal: any process may be killed at any time: what was acknowledged is known and ends, receipts
// verify, no seat signs two votes, all machines have one chain. Four machines here; seven, 200
// times, under test:long.
// Method: real processes (`node start`), kill -9, jobs over HTTP meanwhile; then all logs are read.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Fleet, inspect, startFleet } from '../support/fleet.ts';
import { endsOf, wreakHavoc } from '../support/havoc.ts';

const msMax = 240_000;
let fleet: Fleet;
beforeAll(async () => {
  fleet = await startFleet(4);
}, msMax);
afterAll(() => fleet?.remove(), msMax);

test(
  'one of four killed, twice, and all four at once in the middle of a job',
  async () => {
    const report = await wreakHavoc(fleet, { seed: 7, rounds: 2, victims: 1, everyMs: 400 });
    expect(report.kills).toBe(2);
    expect(report.acknowledged.size).toBeGreaterThan(3);
    const ends = await endsOf(fleet, report, 120_000);
    expect([...ends.keys()]).toEqual(['settled JOB_SETTLED']);

    const last = await fleet.submit(0, 1);
    await Promise.all([0, 1, 2, 3].map((seat) => fleet.kill(seat)));
    await Promise.all([0, 1, 2, 3].map((seat) => fleet.start(seat)));
    const acknowledged = new Map([[last, 0]]);
    const after = await endsOf(fleet, { ...report, acknowledged }, 120_000);
    expect([...after.keys()]).toEqual(['settled JOB_SETTLED']);

    await fleet.stop();
    const { votes, doubles, forks, heights } = await inspect(fleet);
    expect(doubles).toEqual([]);
    expect(forks).toEqual([]);
    expect(votes).toBeGreaterThan(40);
    expect(Math.min(...heights)).toBeGreaterThan(10);
  },
  msMax,
);
