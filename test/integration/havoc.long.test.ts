// Goal: 7 processes, 2 of them killed and started again 200 times under a stream of jobs: nothing
// acknowledged is lost, every receipt verifies, no seat signs twice, one chain.
// Method: as in havoc.test.ts, at length. ROUNDS and SEED change the plan.
import { expect, test } from 'vitest';
import { inspect, startFleet } from '../support/fleet.ts';
import { endsOf, wreakHavoc } from '../support/havoc.ts';

const rounds = Number(process.env.ROUNDS ?? 200);
const seed = Number(process.env.SEED ?? 1);

test('two of seven, killed and started again', async () => {
  const fleet = await startFleet(7);
  try {
    const report = await wreakHavoc(fleet, { seed, rounds, victims: 2, everyMs: 1_000 });
    const ends = await endsOf(fleet, report, 600_000);
    // And all seven at once, in the middle of jobs.
    const last = await Promise.all([0, 2, 4].map((seat) => fleet.submit(seat, seat)));
    const all = [...fleet.layout.seats.keys()];
    await Promise.all(all.map((seat) => fleet.kill(seat)));
    await Promise.all(all.map((seat) => fleet.start(seat)));
    const acknowledged = new Map(last.map((id, place) => [id, [0, 2, 4][place]!]));
    const after = await endsOf(fleet, { ...report, acknowledged }, 600_000);
    expect([...after.keys()]).toEqual(['settled JOB_SETTLED']);
    await fleet.stop();
    const { votes, doubles, forks, heights } = await inspect(fleet);
    console.info({
      kills: report.kills,
      acknowledged: report.acknowledged.size,
      refused: report.refused,
      ends: Object.fromEntries(ends),
      votes,
      heights,
    });
    expect(report.kills).toBe(2 * rounds);
    expect(report.acknowledged.size).toBeGreaterThan(rounds / 2);
    expect(doubles).toEqual([]);
    expect(forks).toEqual([]);
    // Whoever was up at the end has caught up with the others, but for what came last.
    expect(Math.max(...heights) - Math.min(...heights)).toBeLessThan(50);
  } finally {
    await fleet.remove();
  }
});
